/*
 * What follows from a refund once it stands in the ledger: messages owed; after a full refund of
 * what the reservation service has not taken: payment.approved withdrawn, hold freed; work item
 * dropped.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "delivery/outbox.h"
#include "delivery/webhook.h"
#include "flow/follow.h"
#include "flow/record.h"
#include "flow/refund.h"

enum { TRY_MARGIN_MS = 5000 };

static bool
owe_one(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    enum outbox_kind kind, const struct ledger_event *e, const struct payment *payment,
    struct error *err)
{
	bool owed;

	return flow_is_owed(f, c, at->of.tid, kind, e->n, &owed, err) &&
	    (owed ||
		flow_owe(f, c, at, kind, e->kind == LK_REFUNDED ? AS_REFUNDED : AS_PART_REFUNDED,
		    payment, e, err));
}

/* Every refund of this tid, the oldest first: none is told before one that came before it. */
static bool
owe_refunds(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    const struct order_state *st, struct error *err)
{
	const struct payment *payment = &st->captured->payment;
	bool ok = true;

	for (size_t i = 0; ok && i < at->chain->n; i++) {
		const struct ledger_event *e = &at->chain->ev[i];

		if ((e->kind == LK_REFUNDED || e->kind == LK_PART_REFUNDED) &&
		    strcmp(e->tid, at->of.tid) == 0)
			ok = owe_one(f, c, at, OUTBOX_REFUNDED_TO_RESERVATION, e, payment, err) &&
			    owe_one(f, c, at, OUTBOX_REFUNDED_TO_GATEWAY, e, payment, err);
	}
	return ok;
}

enum withdrawal { WITHDRAWN, TAKEN /* by the reservation service */, UNDER_WAY };

/* Takes the number of the next try: whoever wanted to send under it does not. */
static bool
withdraw(struct flow *f, const struct flow_call *c, const char *tid, enum withdrawal *how,
    struct error *err)
{
	struct store_try mine = { .number = 1,
		.at_ms = clock_now().wall_ms,
		.by = "refund",
		.ended = true,
		.withdrawn = true,
		.error = "withdrawn: refunded before the reservation was made" };
	struct store_try *tries = NULL, last = { 0 };
	enum store_put put;
	size_t n = 0;

	outbox_id(OUTBOX_PAYMENT_APPROVED, tid, 0, mine.message_id);
	if (!store_try_list(f->store, mine.message_id, &tries, &n, c->deadline_boot_ms, err))
		return false;
	if (n > 0)
		last = tries[n - 1];
	free(tries);
	*how = last.acknowledged ? TAKEN : WITHDRAWN;
	if (last.acknowledged)
		return true;
	if (!last.withdrawn) {
		*how = UNDER_WAY;
		if (n > 0 && !last.ended &&
		    mine.at_ms < last.at_ms + WEBHOOK_POST_LIMIT_MS + TRY_MARGIN_MS)
			return true;
		mine.number = (int64_t)n + 1;
		if (!store_try_claim(f->store, &mine, &put, c->deadline_boot_ms, err))
			return false;
		if (put == STORE_TAKEN)
			return true;
		*how = WITHDRAWN;
	}
	return store_outbox_delete(f->store, mine.message_id, c->deadline_boot_ms, err);
}

/* Nobody will use the room: the hold goes as if its reservation were in the calendar. Where the
 * queue is away the payment's own work item stays, and the courier tells it. */
static bool
free_hold(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    const struct order_state *st, bool *is_done, struct error *err)
{
	struct flow_event e = { .n = (int64_t)at->chain->n + 1,
		.kind = LK_REMOVED,
		.reason = "refunded before the reservation was made" };
	struct queue_answer qa;
	enum store_put how;
	bool by_queue;

	if (!flow_put_event(f, c, at, &e, &how, err))
		return false;
	*is_done = how == STORE_OURS;
	if (how == STORE_TAKEN || f->gate != FR_OK ||
	    !queue_find_tid(f->queue, at->of.tid, c->deadline_boot_ms, &qa, NULL))
		return true;
	return flow_finish_removal(f, c, at, qa.code == HA_OK ? &qa.hold : NULL, st, e.n, false,
		   &by_queue, err) ||
	    by_queue;
}

bool
flow_finish_refund(struct flow *f, const struct flow_call *c, const char *cid, const char *order,
    const char *tid, int64_t n, bool *is_done, struct error *err)
{
	struct ledger_chain chain = { 0 };
	enum withdrawal how = TAKEN;
	struct flow_attempt at;
	struct order_state st;
	bool ok;

	*is_done = true;
	ok = store_ledger_chain(f->store, cid, order, &chain, c->deadline_boot_ms, err) &&
	    order_state(&chain, tid, &st, err) && flow_attempt_of_chain(&chain, tid, &at, err) &&
	    (st.captured != NULL || error_set(err, ERR_INTERNAL, "a refund without a capture")) &&
	    owe_refunds(f, c, &at, &st, err);
	if (ok && st.state == AS_REFUNDED && st.removed == NULL) {
		/* Nobody looks at it again once it is removed. */
		ok = flow_mend(f, c, &at, &st, NULL, err) && withdraw(f, c, tid, &how, err);
		*is_done = how != UNDER_WAY;
		if (ok && how == WITHDRAWN)
			ok = free_hold(f, c, &at, &st, is_done, err);
	}
	if (ok && *is_done)
		ok = store_work_delete(f->store, tid, n, c->deadline_boot_ms, err);
	ledger_chain_clear(&chain);
	return ok;
}
