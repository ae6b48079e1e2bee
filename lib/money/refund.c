#include "config.h"

#include "money/refund.h"

#include <string.h>

static int64_t
clamp(int64_t v, int64_t low, int64_t high)
{
	return v < low ? low : v > high ? high : v;
}

enum refund_verdict
refund_amounts(const struct amount *paid, const struct amount *refunded,
    const struct refund_asked *asked, struct amount *out)
{
	const struct amount left = { .total = paid->total - refunded->total,
		.tax_free = paid->tax_free - refunded->tax_free,
		.vat = paid->vat - refunded->vat };
	int64_t taxable_left;

	*out = (struct amount){ .total = asked->amount < 0 ? left.total : asked->amount,
		.tax_free = asked->tax_free };
	if (out->total <= 0 || out->total > left.total)
		return REFUND_EXCEEDS;
	if (out->tax_free < 0 && out->total < left.total && left.tax_free > 0)
		return REFUND_TAX_FREE_REQUIRED;
	if (out->tax_free < 0)
		out->tax_free = left.tax_free;
	if (out->tax_free > left.tax_free ||
	    out->total - out->tax_free > left.total - left.tax_free || out->tax_free > out->total)
		return REFUND_EXCEEDS;
	taxable_left = left.total - left.tax_free - (out->total - out->tax_free);
	out->vat = clamp(amount_vat(out->total, out->tax_free), left.vat - taxable_left, left.vat);
	if (out->total == left.total)
		out->vat = left.vat;
	return REFUND_OK;
}

const struct ledger_event *
refund_find(const struct ledger_chain *c, const char *tid, const char *id)
{
	for (size_t i = c->n; i-- > 0;) {
		const struct ledger_event *e = &c->ev[i];

		if (e->kind == LK_REFUNDING && e->has_refund && strcmp(e->tid, tid) == 0 &&
		    strcmp(e->refund.id, id) == 0)
			return e;
	}
	return NULL;
}

const struct ledger_event *
refund_end(const struct ledger_chain *c, const struct ledger_event *begun)
{
	for (size_t i = (size_t)begun->n; i < c->n; i++) {
		const struct ledger_event *e = &c->ev[i];

		if (strcmp(e->tid, begun->tid) == 0 &&
		    (e->kind == LK_REFUNDED || e->kind == LK_PART_REFUNDED ||
			e->kind == LK_REFUND_FAILED || e->kind == LK_REVIEW))
			return e;
	}
	return NULL;
}

int64_t
refund_wait_ms(const struct ledger_chain *c, const char *tid, int64_t now_ms)
{
	static const int64_t minute_ms = 60000;
	int failures = 0;

	for (size_t i = c->n; i-- > 0;) {
		const struct ledger_event *e = &c->ev[i];

		if (e->kind != LK_REFUND_FAILED || strcmp(e->tid, tid) != 0)
			continue;
		if (e->at_ms <= now_ms - minute_ms)
			return 0;
		if (++failures == REFUND_FAILURES_PER_MIN) /* written by a clock that is ahead of
							      ours: a minute, no more */
			return e->at_ms > now_ms ? minute_ms : e->at_ms + minute_ms - now_ms;
	}
	return 0;
}

const struct ledger_event *
refund_twin(const struct ledger_chain *c, const char *tid, const char *id, int64_t amount,
    int64_t since_ms)
{
	for (size_t i = c->n; i-- > 0;) {
		const struct ledger_event *e = &c->ev[i], *end;

		if (strcmp(e->tid, tid) != 0 || e->at_ms <= since_ms || !e->has_refund ||
		    e->refund.amount != amount || strcmp(e->refund.id, id) == 0)
			continue;
		if (e->kind == LK_REFUNDED || e->kind == LK_PART_REFUNDED)
			return e;
		end = e->kind == LK_REFUNDING ? refund_end(c, e) : NULL;
		if (e->kind == LK_REFUNDING && (end == NULL || end->kind != LK_REFUND_FAILED))
			return e;
	}
	return NULL;
}

bool
refund_is_same(const struct ledger_refund *r, const struct refund_asked *asked)
{
	if (asked->amount < 0)
		return r->all;
	return asked->amount == r->amount &&
	    (asked->tax_free < 0 || asked->tax_free == r->tax_free);
}
