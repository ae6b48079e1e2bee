#include "config.h"

#include "operate/settlement.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

enum { PAGE = 1000, CALL_MS = 15000 };

static void
turn_page(struct store_mark *after, int64_t at_ms, const char *tid)
{
	after->approved_at_ms = at_ms;
	text_copy(after->tid, sizeof(after->tid), tid);
}

static bool
add_captures(struct flow *f, const struct store_history *h, struct store_mark *after, bool *more,
    struct operate_takings *out, struct error *err)
{
	struct payment *list;
	size_t n;

	if (!store_history(f->store, h, &list, &n, more, clock_boot_ms() + CALL_MS, err))
		return false;
	for (size_t i = 0; i < n; i++) {
		out->captures++;
		out->captured += list[i].amount.total;
	}
	if (n > 0)
		turn_page(after, list[n - 1].approved_at_ms, list[n - 1].tid);
	free(list);
	return true;
}

static bool
add_refunds(struct flow *f, const struct store_history *h, struct store_mark *after, bool *more,
    struct operate_takings *out, struct error *err)
{
	struct ledger_event *list;
	size_t n;

	if (!store_refunds(f->store, h, &list, &n, more, clock_boot_ms() + CALL_MS, err))
		return false;
	if (n > 0)
		turn_page(after, list[n - 1].at_ms, list[n - 1].tid);
	for (size_t i = 0; i < n; i++) {
		out->refunds++;
		out->refunded += list[i].refund.amount;
		ledger_event_clear(&list[i]);
	}
	free(list);
	return true;
}

static bool
add_page(struct flow *f, const struct operate_settlement *s, struct operate_settlement_mark *m,
    struct operate_takings *out, struct error *err)
{
	struct store_history h = { .cids = &s->cids[m->cid],
		.n_cids = 1,
		.from_ms = s->from_ms,
		.to_ms = s->to_ms,
		.after = m->after,
		.limit = PAGE };
	bool more;

	if (!(m->refunds ? add_refunds : add_captures)(f, &h, &m->after, &more, out, err))
		return false;
	if (!more) {
		m->cid += m->refunds;
		m->refunds = !m->refunds;
		m->after = (struct store_mark){ 0 };
	}
	return true;
}

bool
operate_settlement_step(struct flow *f, const struct operate_settlement *s, int64_t until_boot_ms,
    struct operate_settlement_mark *mark, struct operate_takings *out, struct error *err)
{
	bool late = false;

	for (size_t i = 0; i < s->n_cids; i++)
		text_copy(out[i].cid, sizeof(out[i].cid), s->cids[i]);
	while (mark->cid < s->n_cids && !late) {
		if (!add_page(f, s, mark, &out[mark->cid], err))
			return false;
		late = clock_boot_ms() >= until_boot_ms;
	}
	return true;
}

bool
operate_settlement(struct flow *f, const struct operate_settlement *s, struct operate_takings *out,
    struct error *err)
{
	struct operate_settlement_mark mark = { 0 };

	memset(out, 0, s->n_cids * sizeof(*out));
	return operate_settlement_step(f, s, INT64_MAX, &mark, out, err);
}
