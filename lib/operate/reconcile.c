#include "config.h"

#include "operate/reconcile.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "flow/settle_plan.h"

enum { PAGE = 100, EVENTS = 1000, CALL_MS = 10000 };

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

struct run {
	struct flow *f;
	const struct operate_day *day;
	int64_t each_ms, *counts;
	size_t done, all; /* all: as far as is known */
};

const char *
difference_name(enum difference d)
{
	assert(d < DIFF__MAX);
	return names[d];
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
	if (++r->done > r->all) /* attempts without a capture come last, and are few */
		r->all = r->done;
	r->day->on_compared(r->day->ctx, &c, r->done, r->all);
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

/* All payments of the day, before the first question: so that it is known how many there will be.
 * *list is the caller's to free. */
static bool
gather_payments(const struct run *r, struct payment **list, size_t *n, struct error *err)
{
	struct store_history h = { .cids = r->day->cids,
		.n_cids = r->day->n_cids,
		.from_ms = r->day->from_ms,
		.to_ms = r->day->to_ms,
		.limit = PAGE };
	bool more = true;

	*list = NULL;
	*n = 0;
	while (more) {
		struct payment *page, *grown;
		size_t n_page;

		if (!store_history(r->f->store, &h, &page, &n_page, &more, soon(r), err))
			return false;
		grown = reallocarray(*list, *n + n_page + 1, sizeof(**list));
		if (grown == NULL) {
			free(page);
			return error_set(err, ERR_INTERNAL, "out of memory");
		}
		*list = grown;
		if (n_page > 0) {
			memcpy(grown + *n, page, n_page * sizeof(*page));
			*n += n_page;
			h.after.approved_at_ms = grown[*n - 1].approved_at_ms;
			memcpy(h.after.tid, grown[*n - 1].tid, sizeof(h.after.tid));
		}
		free(page);
	}
	return true;
}

static bool
compare_payments(struct run *r, struct error *err)
{
	struct payment *list;
	size_t n;
	bool ok = gather_payments(r, &list, &n, err);

	r->all = n;
	for (size_t i = 0; ok && i < n; i++)
		ok = compare_payment(r, &list[i], err);
	free(list);
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

	if (e->kind != LK_APPROVING || e->at_ms >= r->day->to_ms)
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

static bool
compare_events(struct run *r, struct error *err)
{
	int64_t from = r->day->from_ms;
	bool ok = true, more = true;

	while (ok && more) {
		struct ledger_event *list;
		int64_t last = from;
		size_t n;

		ok = store_ledger_since(r->f->store, from, EVENTS, &list, &n, soon(r), err);
		for (size_t i = 0; i < n; i++) {
			ok = ok && compare_event(r, &list[i], err);
			last = list[i].at_ms;
			ledger_event_clear(&list[i]);
		}
		free(list);
		more = n == EVENTS && last < r->day->to_ms;
		from = last > from ? last : from + 1;
	}
	return ok;
}

bool
operate_reconcile(struct flow *f, const struct operate_day *day, int64_t each_ms,
    int64_t counts[DIFF__MAX], struct error *err)
{
	struct run r = { .f = f, .day = day, .each_ms = each_ms, .counts = counts };

	memset(counts, 0, DIFF__MAX * sizeof(counts[0]));
	return compare_payments(&r, err) && compare_events(&r, err);
}
