#include "config.h"

#include "operate/settlement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { PAGE = 1000, CALL_MS = 15000 };

static void
turn_page(struct store_history *h, int64_t at_ms, const char *tid)
{
	h->after.approved_at_ms = at_ms;
	snprintf(h->after.tid, sizeof(h->after.tid), "%s", tid);
}

static bool
add_captures(struct flow *f, struct store_history h, struct operate_day *day, struct error *err)
{
	bool more = true;

	while (more) {
		struct payment *list;
		size_t n;

		if (!store_history(f->store, &h, &list, &n, &more, clock_boot_ms() + CALL_MS, err))
			return false;
		for (size_t i = 0; i < n; i++) {
			day->captures++;
			day->captured += list[i].amount.total;
		}
		if (n > 0)
			turn_page(&h, list[n - 1].approved_at_ms, list[n - 1].tid);
		free(list);
	}
	return true;
}

static bool
add_refunds(struct flow *f, struct store_history h, struct operate_day *day, struct error *err)
{
	bool more = true;

	while (more) {
		struct ledger_event *list;
		size_t n;

		if (!store_refunds(f->store, &h, &list, &n, &more, clock_boot_ms() + CALL_MS, err))
			return false;
		if (n > 0)
			turn_page(&h, list[n - 1].at_ms, list[n - 1].tid);
		for (size_t i = 0; i < n; i++) {
			day->refunds++;
			day->refunded += list[i].refund.amount;
			ledger_event_clear(&list[i]);
		}
		free(list);
	}
	return true;
}

bool
operate_settlement(struct flow *f, const char *const *cids, size_t n_cids, int64_t from_ms,
    int64_t to_ms, struct operate_day *out, struct error *err)
{
	for (size_t i = 0; i < n_cids; i++) {
		struct store_history h = { .cids = &cids[i],
			.n_cids = 1,
			.from_ms = from_ms,
			.to_ms = to_ms,
			.limit = PAGE };

		out[i] = (struct operate_day){ 0 };
		snprintf(out[i].cid, sizeof(out[i].cid), "%s", cids[i]);
		if (!add_captures(f, h, &out[i], err) || !add_refunds(f, h, &out[i], err))
			return false;
	}
	return true;
}
