/* Each query told as a story over the interfaces of queue, store and provider. Input is typed and checked before; output is typed; the edge (fcgi) makes
 * bytes of it. Nothing here knows HTTP. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "site/conf.h"
#include "base/error.h"
#include "booking/interval.h"
#include "provider/provider.h"
#include "money/attempt.h"
#include "money/order.h"
#include "money/refund.h"
#include "queue/client/queue.h"
#include "store/store.h"

enum flow_result {		/* every way a query can end; the edge has one table from these to status and code */
	FR_OK, FR_UNKNOWN /* 202 */, FR_RECORDING /* 202 */, FR_SLOT_HELD, FR_SLOT_SOLD, FR_ORDER_PAID, FR_IN_PROGRESS, FR_DECLINED, FR_TOKEN_REFUSED,
	FR_NO_HOLD, FR_EXPIRED, FR_TOO_MANY_HOLDS, FR_TOO_MANY_REQUESTS, FR_PROVIDER_UNREACHABLE, FR_PROVIDER_ERROR, FR_PROVIDER_BUSY,
	FR_QUEUE_UNAVAILABLE, FR_STORE_UNAVAILABLE, FR_NOT_READY, FR_INTERNAL, FR_NO_PAYMENT, FR_IN_REVIEW, FR_REFUND_UNKNOWN /* 202 */, FR_REFUND_IN_PROGRESS,
	FR_REFUND_EXCEEDS, FR_REFUND_MISMATCH, FR_REFUND_DECLINED, FR_TAX_FREE_REQUIRED, FR__MAX
};

struct flow {			/* what a program has: made once after fork */
	const struct conf *conf;
	struct queue *queue;
	struct store *store;
	struct provider *provider;
	const char *program;	/* fcgi, courier, ctl: `by` of the ledger */
	/* FR_OK; else what to answer instead of asking the queue (it is away, fenced, or not this site's): only what the ledger alone can say still
	 * goes out then, the replay of an approve and the repeat of a removal by tid. Set by the program before each call. queue and kakaopay may be
	 * NULL then. */
	enum flow_result gate;
};

struct flow_call {		/* one request */
	const char *request_id;
	int64_t deadline_boot_ms;
};

enum flow_charged { FC_ABSENT, FC_FALSE, FC_TRUE, FC_UNKNOWN };

struct flow_ready_request {
	struct attempt attempt;
	struct interval_set set;
	struct provider_ready ready;
	char fingerprint[KEY_CAP];		/* SHA-256 hex of the business fields, by the edge */
};
struct flow_ready_answer {
	struct provider_opened opened;
	int64_t expires_wall_ms, expires_in_ms;
};
struct flow_refund_request {
	char tid[TID_CAP];
	char refund_id[REFUND_ID_CAP];
	struct refund_asked asked;
	char reason[REASON_CAP];		/* kept in the ledger */
};
struct flow_refund_answer { int64_t amount, canceled, left; };	/* won: of this refund; of the payment in all, with it; still there */
struct flow_answer {
	enum flow_result result;
	enum flow_charged charged;
	bool replayed;				/* Idempotent-Replayed */
	int64_t retry_ms;			/* 0: no Retry-After */
	struct interval_set conflicts;
	struct provider_answer provider;
	bool has_provider;
	char tid[TID_CAP];
	enum attempt_state state;		/* approve, remove: approved, review, unknown... */
	bool removed;				/* remove: false = never there */
	bool has_payment;
	struct payment payment;
	char reservation_info[RESERVATION_INFO_MAX + 1];
	char detail[200];			/* for the log, never for the caller */
	struct flow_ready_answer ready;
	struct flow_refund_answer refund;
};

/* Always fill *out; what could not be done is a result, not an error. */
void flow_ready(struct flow *f, const struct flow_call *c, const struct flow_ready_request *rq, struct flow_answer *out);
void flow_approve(struct flow *f, const struct flow_call *c, const char *user_id, const char *room_id, const char *pg_token,
	const char *const *cids, size_t n_cids /* the caller's: a hold or order of another cid is not found */, struct flow_answer *out);
void flow_remove(struct flow *f, const struct flow_call *c, bool by_reservation, const char *user_id, const char *room_id, const char *tid /* NULL */,
	const char *const *cids, size_t n_cids, struct flow_answer *out);
/* cancelPayment. f->gate must be FR_OK: where queue and database are not known to belong together no money moves. */
void flow_refund(struct flow *f, const struct flow_call *c, const struct flow_refund_request *rq, const char *const *cids, size_t n_cids, struct flow_answer *out);

/* GET /orders: what became of an order, after a 202, a time-out or a closed tab. */
enum flow_next {		/* what to do about it */
	FN_NOTHING,		/* it has its end */
	FN_PAY,			/* the user may pay: approvePayment with the pg_token */
	FN_WAIT,		/* it is being found out: ask again, or the same approvePayment or cancelPayment */
	FN_START_AGAIN,		/* payReady: nothing was charged, and nothing of this will be */
	FN_OPERATOR,		/* a person has to look at it */
	FN__MAX
};
const char *flow_next_name(enum flow_next n);

struct flow_order_attempt {
	char tid[TID_CAP];	/* "": its ready call is under way */
	const char *state;	/* a word: of the ledger where the attempt stands there (attempt_state_name), else of the queue (hold_state_name) */
	enum flow_charged charged;
	int64_t refunded;	/* won */
	enum flow_next next;
	char user_id[USER_CAP], room_id[ROOM_CAP];
	int64_t began_ms, changed_ms, approved_ms, expires_ms;	/* wall; 0: none. The first two of what stands in the ledger */
};
struct flow_order_answer {
	enum flow_result result;	/* FR_OK, also for an order that nobody knows: state "none" */
	/* of the order: of the captured attempt, else of the open one, else of the last */
	const char *state;
	enum flow_charged charged;
	int64_t refunded;
	enum flow_next next;
	struct flow_order_attempt *attempts;	/* the oldest first; flow_order_clear */
	size_t n;
	char detail[200];		/* for the log */
};
void flow_order(struct flow *f, const struct flow_call *c, const char *cid, const char *order, struct flow_order_answer *out);
void flow_order_clear(struct flow_order_answer *a);
