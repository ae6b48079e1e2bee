#include "config.h"

#include "operate/refund.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "money/refund.h"

static void
note_past(struct operate_refund_past *to, const struct ledger_event *e)
{
	text_copy(to->id, sizeof(to->id), e->refund.id);
	to->amount = e->refund.amount;
	to->at_ms = e->at_ms;
}

static void
list_past(const struct ledger_chain *chain, const char *tid, struct operate_refund_plan *out)
{
	for (size_t i = 0; i < chain->n && out->n_past < OPERATE_REFUNDS_MAX; i++) {
		const struct ledger_event *e = &chain->ev[i];

		if ((e->kind == LK_REFUNDED || e->kind == LK_PART_REFUNDED) &&
		    strcmp(e->tid, tid) == 0)
			note_past(&out->past[out->n_past++], e);
	}
}

static void
plan(const struct ledger_chain *chain, const struct order_state *st,
    const struct flow_refund_request *rq, struct operate_refund_plan *out)
{
	const struct ledger_event *twin;
	struct amount split;
	int64_t left = out->payment.amount.total - st->refunded.total;

	out->state = st->state;
	out->refunded = st->refunded.total;
	out->amount = rq->asked.amount < 0 ? left : rq->asked.amount;
	out->verdict = refund_amounts(&out->payment.amount, &st->refunded, &rq->asked, &split);
	out->is_part = out->amount < left;
	out->is_repeat = refund_find(chain, rq->tid, rq->refund_id) != NULL;
	list_past(chain, rq->tid, out);
	twin = refund_twin(chain, rq->tid, rq->refund_id, out->amount,
	    clock_wall_ms() - OPERATE_TWIN_MS);
	if (twin != NULL && !out->is_repeat) {
		out->is_twin = true;
		note_past(&out->twin, twin);
	}
}

bool
operate_plan_refund(struct flow *f, const struct flow_call *c, const struct flow_refund_request *rq,
    struct operate_refund_plan *out, struct error *err)
{
	struct ledger_chain chain = { 0 };
	struct order_state st;
	bool found, ok;

	memset(out, 0, sizeof(*out));
	if (!store_payment_get(f->store, rq->tid, &out->payment, &found, c->deadline_boot_ms, err))
		return false;
	if (!found)
		return error_set(err, ERR_NOT_FOUND, "there is no payment with the tid %s",
		    rq->tid);
	ok = store_ledger_chain(f->store, out->payment.cid, out->payment.partner_order_id, &chain,
		 c->deadline_boot_ms, err) &&
	    order_state(&chain, rq->tid, &st, err);
	if (ok)
		plan(&chain, &st, rq, out);
	ledger_chain_clear(&chain);
	return ok;
}

enum flow_result
operate_refund_refusal(const struct operate_refund_plan *p)
{
	if (p->is_repeat)
		return FR_OK;
	if (p->state == AS_REVIEW)
		return FR_IN_REVIEW;
	if (p->state == AS_REFUND_UNKNOWN)
		return FR_REFUND_IN_PROGRESS;
	return p->verdict == REFUND_EXCEEDS	     ? FR_REFUND_EXCEEDS
	    : p->verdict == REFUND_TAX_FREE_REQUIRED ? FR_TAX_FREE_REQUIRED
						     : FR_OK;
}

bool
operate_has_refund(struct flow *f, const struct flow_call *c, const struct payment *p,
    const char *id, bool *has, struct error *err)
{
	struct ledger_chain chain = { 0 };
	bool ok = store_ledger_chain(f->store, p->cid, p->partner_order_id, &chain,
	    c->deadline_boot_ms, err);

	*has = ok && refund_find(&chain, p->tid, id) != NULL;
	ledger_chain_clear(&chain);
	return ok;
}
