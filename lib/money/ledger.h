/* The ledger: what happened to an order, as numbered events (doc/ledger.md, section 3). What they
 * mean together: order.h. No I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "money/payment.h"
#include "site/limit.h"

enum ledger_kind {	 /* what happened; the word in the store */
	LK_APPROVING,	 /* approve is about to be sent */
	LK_APPROVED,	 /* captured */
	LK_DECLINED,	 /* certainly not captured, never will be by this tid */
	LK_REFUSED,	 /* token refused: the attempt is what it was before */
	LK_NOT_EXECUTED, /* wrong key, quota, not sent, ...: what it was before */
	LK_UNKNOWN,
	LK_REVIEW,    /* captured, or perhaps: an operator decides */
	LK_ABANDONED, /* the key of an approving that was never written was taken: nothing was sent.
		       * Says nothing of an approving that is there: that one's outcome is
		       * not_executed */
	LK_REMOVED,   /* the reservation is in the calendar, the hold is dropped */
	LK_UNBOOKABLE,
	LK_REFUNDING,
	LK_REFUNDED,
	LK_PART_REFUNDED,
	LK_REFUND_FAILED,
	LK_REFUND_UNKNOWN,
	LK_NOTE,
	LK__MAX
};
const char *ledger_kind_name(enum ledger_kind k);
bool ledger_kind_parse(const char *name, enum ledger_kind *out);

/* KakaoPay's refusal, as it goes to the caller and into the ledger. */
struct provider_answer {
	int http;     /* 0: none came */
	int64_t code; /* 0: none */
	char message[256];
	char method_code[64]; /* extras.method_result_code */
	/* of an inquiry: provider_status_name; "": none, or written by an older version */
	char status[24];
};

struct ledger_refund {
	char id[REFUND_ID_CAP]; /* the caller's refundId, or one of refund.h's own */
	bool all;		/* asked for without an amount */
	/* refund_failed: KakaoPay refused it for certain, and the answer stays; else it was not
	 * executed, and may be tried again */
	bool declined;
	int64_t amount, tax_free, vat; /* of this refund */
	int64_t canceled; /* of the payment in all: before it; once it is refunded, with it */
};

struct ledger_event {
	char cid[CID_CAP];
	char partner_order_id[ORDER_CAP];
	int64_t n; /* 1.. without gaps */
	enum ledger_kind kind;
	int64_t at_ms;	       /* wall */
	char nonce[NONCE_CAP]; /* the writer's; tells our own insert from another's */
	char request_id[REQUEST_ID_CAP];
	char by[33];	   /* program: fcgi, courier, ctl */
	char who[WHO_CAP]; /* the caller, or the operating system's user; "": the program itself */
	char tid[TID_CAP]; /* of the attempt it speaks of */
	char user_id[USER_CAP];
	char room_id[ROOM_CAP];
	int64_t token;	     /* fencing token, approving */
	int64_t deadline_ms; /* wall, approving */
	int64_t window_ms;   /* wall: end of KakaoPay's window, approving */
	char key[KEY_CAP];   /* replay key, approving */
	char *attempt;	     /* JSON of struct attempt; approving and outcomes; heap or NULL */
	bool has_payment;
	struct payment payment; /* approved, review */
	bool has_refund;
	struct ledger_refund refund;	 /* refunding and its ends */
	struct provider_answer provider; /* outcomes */
	char reason[REASON_CAP];
};
void ledger_event_clear(struct ledger_event *e); /* frees what it owns */

struct ledger_chain {
	struct ledger_event *ev; /* ev[i].n == i + 1 */
	size_t n;
};
void ledger_chain_clear(struct ledger_chain *c);
