/* The life of an order and of its attempts as the ledger tells it (doc/ledger.md, section 3). A
 * table of legal steps; no I/O. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "money/ledger.h"
#include "money/payment.h"

/* The order's state from its chain. */
enum attempt_state {
	AS_NONE,
	AS_APPROVING,
	AS_APPROVED,
	AS_DECLINED,
	AS_READY /* again: refused, not executed, abandoned */,
	AS_UNKNOWN,
	AS_REVIEW,
	AS_UNBOOKABLE,
	AS_REFUNDED,
	AS_PART_REFUNDED,
	AS_REFUND_UNKNOWN /* also from refunding to its outcome */,
	AS__MAX
};
const char *attempt_state_name(enum attempt_state s);
struct order_state {
	enum attempt_state state;	      /* of the last attempt */
	const struct ledger_event *last;      /* last event that decided it, NULL for AS_NONE */
	const struct ledger_event *approving; /* last approving */
	/* approved or review with a payment; NULL: no capture. Of the whole order: of any tid, the
	 * first */
	const struct ledger_event *captured;
	const struct ledger_event *removed; /* of the captured attempt, else of the last */
	enum attempt_state removed_as;	    /* what it was then */
	struct amount refunded; /* in all: total, tax_free, vat; of the captured attempt */
	const struct ledger_event *refunding; /* under way, NULL: none */
};
/* Of the whole order, or of one tid (tid != NULL). Pointers into the chain. ERR_INTERNAL where the
 * chain makes no legal life. */
bool order_state(const struct ledger_chain *c, const char *tid, struct order_state *out,
    struct error *err);
/*
 * May `approving` of this tid be written (NULL: of one that the chain does not have)? Not while
 * another attempt of the order is open, charged, or perhaps charged.
 */
bool order_may_begin(const struct ledger_chain *c, const char *tid);
/*
 * A chain has a bound that no caller can pass. approve is sent at most ORDER_SENDS_MAX times under
 * one tid, and only while the chain is shorter than ORDER_ATTEMPTS_MAX. cancel is sent only while
 * it is shorter than ORDER_REFUNDS_MAX, and notes are written up to ORDER_NOTES_MAX. What ends
 * something that was started is always written.
 */
enum {
	ORDER_SENDS_MAX = 30,
	ORDER_ATTEMPTS_MAX = 200,
	ORDER_REFUNDS_MAX = 400,
	ORDER_NOTES_MAX = 500
};
/* May one more event of this kind be written? tid: of an approving; NULL: of one that the chain
 * does not have. */
bool order_has_room(const struct ledger_chain *c, enum ledger_kind kind, const char *tid);

/*
 * The attempt that a call with this replay key was about: the tid of the last `approving` with it.
 * An approving that certainly came to nothing (token refused, not executed) does not count: what
 * became of the tid later is not that call's. NULL: none.
 */
const char *order_tid_of_key(const struct ledger_chain *c, const char *key);
