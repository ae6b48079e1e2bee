#include "config.h"

#include "operate/reconcile.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "flow/answer.h"
#include "flow/settle_plan.h"

enum { COUNT_PAGE = 1000, PAGE = 100, EVENTS = 500, CALL_MS = 10000 };

static const char *const names[] = {
	[DIFF_EQUAL] = "equal",
	[DIFF_REFUNDED_OUTSIDE] = "refunded-outside",
	[DIFF_REFUND_NOT_THERE] = "refund-not-there",
	[DIFF_AMOUNT] = "amount",
	[DIFF_NOT_CAPTURED] = "not-captured",
	[DIFF_MISSING_PAYMENT] = "missing-payment",
	[DIFF_STRANGE] = "strange",
	[DIFF_SILENT] = "silent",
};
static_assert(sizeof(names) / sizeof(names[0]) == DIFF__MAX, "a name for each difference");

/* English, Korean. */
static const char *const advice[][2] = {
	[DIFF_EQUAL] = { "", "" },
	[DIFF_REFUNDED_OUTSIDE] = { "KakaoPay gave back more than the ledger knows: made in the console? the courier notes it when it "
				    "inquires",
	    "카카오페이가 원장보다 많이 환불함. 콘솔에서 했는지 확인. courier가 조회할 때 기록함" },
	[DIFF_REFUND_NOT_THERE] = { "the ledger has a refund that KakaoPay does not: call their support, do not repeat it",
	    "원장에는 있고 카카오페이에는 없는 환불. 다시 하지 말고 카카오페이에 문의" },
	[DIFF_AMOUNT] = { "KakaoPay took another amount than was recorded",
	    "카카오페이가 받은 금액이 기록과 다름" },
	[DIFF_NOT_CAPTURED] = { "recorded as paid, and KakaoPay says that it is not",
	    "결제된 것으로 기록했으나 카카오페이는 아니라고 함" },
	[DIFF_MISSING_PAYMENT] = { "KakaoPay took money, and the ledger says nothing of it: payment settle",
	    "카카오페이가 돈을 받았으나 원장에 없음: payment settle" },
	[DIFF_STRANGE] = { "a status that no document names", "어느 문서에도 없는 상태" },
	[DIFF_SILENT] = { "KakaoPay did not answer: run it again",
	    "카카오페이가 답하지 않음. 다시 실행" },
};
static_assert(sizeof(advice) / sizeof(advice[0]) == DIFF__MAX, "a sentence for each difference");

struct run {
	struct flow *f;
	const struct operate_reconcile *day;
	int64_t each_ms, until_boot_ms, *counts;
	struct operate_reconcile_mark *mark;
};

const char *
difference_name(enum difference d)
{
	assert(d < DIFF__MAX);
	return names[d];
}

const char *
difference_advice(enum difference d, bool korean)
{
	assert(d < DIFF__MAX);
	return advice[d][korean];
}

static int64_t
soon(const struct run *r)
{
	return clock_boot_ms() + r->each_ms;
}

static enum difference
compare_captured(const struct provider_order *o, const struct payment *p, int64_t refunded)
{
	int64_t canceled = o->has_canceled ? o->canceled.total
	    : o->status == PS_CANCELED	   ? p->amount.total
					   : 0;

	if (o->status == PS_FAILED || o->status == PS_PENDING)
		return DIFF_NOT_CAPTURED;
	if (o->status == PS_STRANGE || o->status == PS_ISSUED_SID)
		return DIFF_STRANGE;
	if (o->payment.amount.total != p->amount.total)
		return DIFF_AMOUNT;
	return canceled > refunded ? DIFF_REFUNDED_OUTSIDE
	    : canceled < refunded  ? DIFF_REFUND_NOT_THERE
				   : DIFF_EQUAL;
}

static enum difference
compare_uncaptured(const struct provider_order *o)
{
	if (o->status == PS_PAID || o->status == PS_PART_CANCELED || o->status == PS_CANCELED)
		return DIFF_MISSING_PAYMENT;
	return o->status == PS_STRANGE ? DIFF_STRANGE : DIFF_EQUAL;
}

/* p NULL: the ledger has no capture of this tid. */
static bool
compare(struct run *r, const char *cid, const char *order, const char *tid, const struct payment *p,
    int64_t refunded, struct error *err)
{
	struct operate_compared c = { .cid = cid,
		.order = order,
		.tid = tid,
		.has_payment = p != NULL,
		.refunded = refunded };
	struct provider_order said;
	struct provider_answer pa;
	enum provider_outcome o;

	if (!provider_order(r->f->provider, cid, tid, clock_boot_ms() + CALL_MS, &o, &said, &pa,
		err))
		return false;
	c.difference = o != PO_OK ? DIFF_SILENT
	    : p != NULL		  ? compare_captured(&said, p, refunded)
				  : compare_uncaptured(&said);
	if (o != PO_OK && p == NULL && pa.http >= 400 && pa.http < 500)
		c.difference = DIFF_EQUAL; /* it knows no such payment: nothing was taken */
	if (p != NULL)
		c.total = p->amount.total;
	if (o == PO_OK) {
		c.status = said.status_text;
		c.has_canceled = said.has_canceled;
		c.canceled = said.canceled.total;
	}
	r->counts[c.difference]++;
	if (++r->mark->done > r->mark->all) /* attempts without a capture come last, and are few */
		r->mark->all = r->mark->done;
	r->day->on_compared(r->day->ctx, &c, r->mark->done, r->mark->all);
	return true;
}

static bool
compare_payment(struct run *r, const struct payment *p, struct error *err)
{
	struct ledger_chain chain = { 0 };
	struct order_state st;
	bool ok;

	ok = store_ledger_chain(r->f->store, p->cid, p->partner_order_id, &chain, soon(r), err) &&
	    order_state(&chain, p->tid, &st, err) &&
	    compare(r, p->cid, p->partner_order_id, p->tid, p, st.refunded.total, err);
	ledger_chain_clear(&chain);
	return ok;
}

static bool
is_late(const struct run *r)
{
	return clock_boot_ms() >= r->until_boot_ms;
}

static bool
read_payments(struct run *r, size_t limit, struct payment **list, size_t *n, bool *more,
    struct error *err)
{
	struct store_history h = { .cids = r->day->cids,
		.n_cids = r->day->n_cids,
		.from_ms = r->day->from_ms,
		.to_ms = r->day->to_ms,
		.after = r->mark->after,
		.limit = limit };

	return store_history(r->f->store, &h, list, n, more, soon(r), err);
}

static void
pass_payment(struct run *r, const struct payment *p)
{
	r->mark->after.approved_at_ms = p->approved_at_ms;
	memcpy(r->mark->after.tid, p->tid, sizeof(p->tid));
}

/* Before the first question, so that it is known how many there will be. */
static bool
count_payments(struct run *r, struct error *err)
{
	bool more = true;

	while (more) {
		struct payment *list;
		size_t n;

		if (!read_payments(r, COUNT_PAGE, &list, &n, &more, err))
			return false;
		if (n > 0)
			pass_payment(r, &list[n - 1]);
		r->mark->all += n;
		free(list);
	}
	r->mark->after = (struct store_mark){ 0 };
	r->mark->part = RECONCILE_PAYMENTS;
	return true;
}

static bool
compare_payments(struct run *r, struct error *err)
{
	struct payment *list;
	bool ok, more;
	size_t n, i = 0;

	if (!read_payments(r, PAGE, &list, &n, &more, err))
		return false;
	for (ok = true; ok && i < n && !(i > 0 && is_late(r)); i++) {
		ok = compare_payment(r, &list[i], err);
		if (ok)
			pass_payment(r, &list[i]);
	}
	free(list);
	if (ok && i == n && !more) {
		r->mark->part = RECONCILE_EVENTS;
		r->mark->at_ms = r->day->from_ms;
	}
	return ok;
}

/* An approve of the day that the ledger does not take for a capture. Under the event that began it,
 * so each once. */
static bool
compare_event(struct run *r, const struct ledger_event *e, struct error *err)
{
	struct ledger_chain chain = { 0 };
	struct order_state st = { 0 };
	bool ok, last;

	if (e->kind != LK_APPROVING || e->at_ms >= r->day->to_ms ||
	    !flow_cid_is_one_of(e->cid, r->day->cids, r->day->n_cids))
		return true;
	ok = store_ledger_chain(r->f->store, e->cid, e->partner_order_id, &chain, soon(r), err) &&
	    order_state(&chain, e->tid, &st, err);
	last = ok && st.approving != NULL && st.approving->n == e->n;
	for (size_t i = 0; ok && last && i < chain.n; i++) /* a capture of this tid is compared as a
							      payment */
		last = !(chain.ev[i].has_payment && strcmp(chain.ev[i].tid, e->tid) == 0);
	if (ok && last && st.approving->deadline_ms + DEADLINE_GRACE_MS < clock_wall_ms())
		ok = compare(r, e->cid, e->partner_order_id, e->tid, NULL, 0, err);
	ledger_chain_clear(&chain);
	return ok;
}

static void
pass_event(struct run *r, const struct ledger_event *e)
{
	r->mark->passed = e->at_ms == r->mark->at_ms ? r->mark->passed + 1 : 1;
	r->mark->at_ms = e->at_ms;
}

static bool
compare_events(struct run *r, struct error *err)
{
	size_t skip = r->mark->passed, limit = EVENTS + skip, n, i = skip;
	struct ledger_event *list;
	bool ok;

	if (!store_ledger_since(r->f->store, r->mark->at_ms, limit, &list, &n, soon(r), err))
		return false;
	for (ok = true; ok && i < n && !(i > skip && is_late(r)); i++) {
		ok = compare_event(r, &list[i], err);
		if (ok)
			pass_event(r, &list[i]);
	}
	for (size_t k = 0; k < n; k++)
		ledger_event_clear(&list[k]);
	free(list);
	if (ok && ((i >= n && n < limit) || r->mark->at_ms >= r->day->to_ms))
		r->mark->part = RECONCILE_END;
	return ok;
}

bool
operate_reconcile_step(struct flow *f, const struct operate_reconcile *day, int64_t each_ms,
    int64_t until_boot_ms, struct operate_reconcile_mark *mark, int64_t counts[DIFF__MAX],
    struct error *err)
{
	struct run r = { f, day, each_ms, until_boot_ms, counts, mark };
	bool ok = true, late = false;

	while (ok && !late && mark->part != RECONCILE_END) {
		ok = mark->part == RECONCILE_COUNT     ? count_payments(&r, err)
		    : mark->part == RECONCILE_PAYMENTS ? compare_payments(&r, err)
						       : compare_events(&r, err);
		late = is_late(&r);
	}
	return ok;
}

bool
operate_reconcile(struct flow *f, const struct operate_reconcile *day, int64_t each_ms,
    int64_t counts[DIFF__MAX], struct error *err)
{
	struct operate_reconcile_mark mark = { 0 };

	memset(counts, 0, DIFF__MAX * sizeof(counts[0]));
	return operate_reconcile_step(f, day, each_ms, INT64_MAX, &mark, counts, err);
}
