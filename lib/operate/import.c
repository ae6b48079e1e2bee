#include "config.h"

#include "operate/import.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { CALL_MS = 10000, MINUTE_MS = 60000, STEP_MS = 30 * MINUTE_MS };
/*
 * The document was inserted a moment after the approval, so the time of _id is that of the approval
 * and a little more. A host's zone makes it late by up to 21 hours (UTC-12), in half hours.
 */
enum { SLOW_MS = 5 * MINUTE_MS, FAST_MS = MINUTE_MS, LATEST_MS = 21 * 60 * MINUTE_MS };

static void
judge_dates(struct import_item *it)
{
	int64_t late = it->of.payment.approved_at_ms - it->of.inserted_ms;
	int64_t steps = (late + SLOW_MS) / STEP_MS, rest = late - steps * STEP_MS;

	it->dates = IMPORT_ODD;
	if (it->of.payment.approved_at_ms == 0 || late < -SLOW_MS || rest > FAST_MS ||
	    steps * STEP_MS > LATEST_MS)
		return;
	it->late_ms = steps * STEP_MS;
	it->dates = steps == 0 ? IMPORT_RIGHT : IMPORT_LATE;
}

static bool
has_ledger(struct store *s, struct import_item *it, struct error *err)
{
	const struct payment *p = &it->of.payment;
	struct ledger_event e;

	if (p->cid[0] == '\0' || p->partner_order_id[0] == '\0')
		return true;
	if (!store_ledger_get(s, p->cid, p->partner_order_id, 1, &e, &it->has_ledger,
		clock_boot_ms() + CALL_MS, err))
		return false;
	if (it->has_ledger)
		ledger_event_clear(&e);
	return true;
}

static bool
add_page(struct store *s, struct import *im, const struct store_foreign_page *page,
    struct error *err)
{
	struct import_item *more = reallocarray(im->items, im->n + page->n + 1, sizeof(*im->items));

	if (more == NULL)
		return error_set(err, ERR_INTERNAL, "no memory");
	im->items = more;
	for (size_t i = 0; i < page->n; i++) {
		struct import_item *it = &im->items[im->n++];

		*it = (struct import_item){ .of = page->list[i] };
		judge_dates(it);
		if (!has_ledger(s, it, err))
			return false;
	}
	im->ours += page->seen - page->n;
	return true;
}

static int
by_tid(const void *a, const void *b)
{
	const struct import_item *x = a, *y = b;
	int order = strcmp(x->of.payment.tid, y->of.payment.tid);

	return order != 0 ? order : strcmp(x->of.id, y->of.id);
}

/* The same capture, stored again. */
static bool
is_equal(const struct payment *a, const struct payment *b)
{
	return strcmp(a->cid, b->cid) == 0 &&
	    strcmp(a->partner_order_id, b->partner_order_id) == 0 &&
	    strcmp(a->user_id, b->user_id) == 0 && a->amount.total == b->amount.total &&
	    a->approved_at_ms == b->approved_at_ms;
}

static void
judge_twice(struct import_item *first, size_t n)
{
	bool equal = first->of.payment.tid[0] != '\0';

	for (size_t i = 0; i < n; i++)
		equal = equal && !first[i].has_ledger &&
		    is_equal(&first->of.payment, &first[i].of.payment);
	for (size_t i = 0; n > 1 && i < n; i++)
		first[i].twice = !equal ? IMPORT_DIFFERS : i == 0 ? IMPORT_FIRST : IMPORT_COPY;
}

bool
import_look(struct store *s, struct import *out, struct error *err)
{
	struct store_foreign_page page = { 0 };
	bool ok;

	memset(out, 0, sizeof(*out));
	do
		ok = store_foreign_next(s, &page, err) && add_page(s, out, &page, err);
	while (ok && page.seen > 0);
	free(page.list);
	if (!ok)
		return false;
	if (out->n > 0)
		qsort(out->items, out->n, sizeof(*out->items), by_tid);
	for (size_t i = 0, j; i < out->n; i = j) {
		for (j = i + 1; j < out->n &&
		     strcmp(out->items[i].of.payment.tid, out->items[j].of.payment.tid) == 0;)
			j++;
		judge_twice(&out->items[i], j - i);
	}
	return true;
}

void
import_clear(struct import *im)
{
	free(im->items);
	memset(im, 0, sizeof(*im));
}

bool
import_will_shift(const struct import_item *it)
{
	return it->dates == IMPORT_LATE && !it->has_ledger &&
	    (it->twice == IMPORT_ONCE || it->twice == IMPORT_FIRST);
}

bool
import_will_set_aside(const struct import_item *it)
{
	return it->twice == IMPORT_COPY && !it->has_ledger;
}

/* Copies first: while a date is shifted they are told by being equal. */
bool
import_mend(struct store *s, const struct import *im, const char *reason, struct error *err)
{
	bool ok = store_foreign_note(s, reason, clock_boot_ms() + CALL_MS, err);

	for (size_t i = 0; ok && i < im->n; i++)
		if (import_will_set_aside(&im->items[i]))
			ok = store_foreign_set_aside(s, &im->items[i].of, err);
	for (size_t i = 0; ok && i < im->n; i++)
		if (import_will_shift(&im->items[i]))
			ok = store_foreign_shift(s, &im->items[i].of, -im->items[i].late_ms, err);
	return ok;
}
