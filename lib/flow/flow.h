/*
 * The queries: payReady, approvePayment, removePaymentInQueue, cancelPayment, GET /orders. Each is
 * one file that reads from top to bottom, over the interfaces of queue, store and provider. Nothing
 * here knows HTTP: the edge (fcgi) checks the input before, and turns the typed answer into bytes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "booking/interval.h"
#include "money/attempt.h"
#include "money/order.h"
#include "money/refund.h"
#include "provider/provider.h"
#include "queue/client/queue.h"
#include "site/conf.h"
#include "store/store.h"

/* Every way a query can end; fcgi/problem.c has the HTTP status and code of each. */
enum flow_result {
	FR_OK,
	FR_UNKNOWN /* 202 */,
	FR_RECORDING /* 202 */,
	FR_SLOT_HELD,
	FR_SLOT_SOLD,
	FR_ORDER_PAID,
	FR_IN_PROGRESS,
	FR_DECLINED,
	FR_TOKEN_REFUSED,
	FR_NO_HOLD,
	FR_EXPIRED,
	FR_TOO_MANY_HOLDS,
	FR_TOO_MANY_REQUESTS,
	FR_PROVIDER_UNREACHABLE,
	FR_PROVIDER_ERROR,
	FR_PROVIDER_BUSY,
	FR_QUEUE_UNAVAILABLE,
	FR_STORE_UNAVAILABLE,
	FR_NOT_READY,
	FR_INTERNAL,
	FR_NO_PAYMENT,
	FR_IN_REVIEW,
	FR_REFUND_UNKNOWN /* 202 */,
	FR_REFUND_IN_PROGRESS,
	FR_REFUND_EXCEEDS,
	FR_REFUND_MISMATCH,
	FR_REFUND_DECLINED,
	FR_TAX_FREE_REQUIRED,
	FR__MAX
};

struct flow { /* the clients of one program; made once, after fork */
	const struct conf *conf;
	struct queue *queue;
	struct store *store;
	struct provider *provider;
	const char *program; /* fcgi, courier, ctl: `by` of the ledger */
	const char *who;     /* for whom it works, where a call does not say; NULL: for itself */
	/*
	 * FR_OK: the queue may be asked. Otherwise it is down, fenced, or not this site's, and this
	 * is the answer instead. Only what the ledger alone can tell is answered then: the replay
	 * of an approve, and the repeat of a removal by tid. The program sets it before each call;
	 * queue and provider may be NULL then.
	 */
	enum flow_result gate;
};

struct flow_call { /* one request */
	const char *request_id;
	int64_t deadline_boot_ms;
	const char *who; /* the caller's name: `who` of the ledger; NULL: struct flow says */
};

enum flow_charged { FC_ABSENT, FC_FALSE, FC_TRUE, FC_UNKNOWN };

struct flow_ready_request {
	struct attempt attempt;
	struct interval_set set;
	struct provider_ready ready;
	char fingerprint[KEY_CAP]; /* SHA-256 hex of the business fields, by the edge */
};
struct flow_ready_answer {
	struct provider_opened opened;
	int64_t expires_wall_ms, expires_in_ms;
};
struct flow_refund_request {
	char tid[TID_CAP];
	char refund_id[REFUND_ID_CAP];
	struct refund_asked asked;
	char reason[REASON_CAP]; /* kept in the ledger */
};
struct flow_refund_answer { /* won */
	int64_t amount;	    /* of this refund */
	int64_t canceled;   /* of the payment in all, with it */
	int64_t left;	    /* still there */
};
struct flow_answer {
	enum flow_result result;
	enum flow_charged charged;
	bool replayed;	  /* Idempotent-Replayed */
	int64_t retry_ms; /* 0: no Retry-After */
	struct interval_set conflicts;
	struct provider_answer provider;
	bool has_provider;
	char tid[TID_CAP];
	enum attempt_state state; /* approve, remove: approved, review, unknown... */
	bool removed;		  /* remove: false = never there */
	bool has_payment;
	struct payment payment;
	char reservation_info[RESERVATION_INFO_MAX + 1];
	char detail[200]; /* for the log, never for the caller */
	struct flow_ready_answer ready;
	struct flow_refund_answer refund;
};

/* All of them always fill *out: a failure is a result, not an error. */
void flow_ready(struct flow *f, const struct flow_call *c, const struct flow_ready_request *rq,
    struct flow_answer *out);
void flow_approve(struct flow *f, const struct flow_call *c, const char *user_id,
    const char *room_id, const char *pg_token, const char *const *cids,
    size_t n_cids /* the caller's: a hold or order of another cid is not found */,
    struct flow_answer *out);
void flow_remove(struct flow *f, const struct flow_call *c, bool by_reservation,
    const char *user_id, const char *room_id, const char *tid /* NULL */, const char *const *cids,
    size_t n_cids, struct flow_answer *out);
/* cancelPayment. Needs f->gate == FR_OK: no money moves unless queue and database are known to
 * belong together. */
void flow_refund(struct flow *f, const struct flow_call *c, const struct flow_refund_request *rq,
    const char *const *cids, size_t n_cids, struct flow_answer *out);

/* GET /orders: the state of an order, for a caller who got a 202, a timeout, or lost the browser
 * tab. */
enum flow_next {	/* what to do about it */
	FN_NOTHING,	/* it is finished */
	FN_PAY,		/* the user may pay: approvePayment with the pg_token */
	FN_WAIT,	/* the outcome is not known yet: ask again, or repeat the approvePayment or
			   cancelPayment */
	FN_START_AGAIN, /* call payReady: nothing was charged, and this attempt never will be */
	FN_OPERATOR,	/* a person has to look at it */
	FN__MAX
};
const char *flow_next_name(enum flow_next n);

struct flow_order_attempt {
	char tid[TID_CAP]; /* "": its ready call is under way */
	/* attempt_state_name if the ledger knows the attempt, else hold_state_name */
	const char *state;
	enum flow_charged charged;
	int64_t refunded; /* won */
	enum flow_next next;
	char user_id[USER_CAP], room_id[ROOM_CAP];
	/* wall; 0: none. The first two of what stands in the ledger */
	int64_t began_ms, changed_ms, approved_ms, expires_ms;
	char by[33], who[WHO_CAP]; /* of the event that made it what it is; "": not in the ledger */
};
struct flow_order_answer {
	enum flow_result result; /* FR_OK, also for an order that nobody knows: state "none" */
	/* the order is what its captured attempt is, else its open one, else its last */
	const char *state;
	enum flow_charged charged;
	int64_t refunded;
	enum flow_next next;
	struct flow_order_attempt *attempts; /* the oldest first; flow_order_clear */
	size_t n;
	char detail[200]; /* for the log */
};
void flow_order(struct flow *f, const struct flow_call *c, const char *cid, const char *order,
    struct flow_order_answer *out);
void flow_order_clear(struct flow_order_answer *a);
