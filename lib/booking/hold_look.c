/* Looking: what is found and listed. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "booking/hold_decide.h"

/* ---- looking */

static const struct hold *
latest(const struct hold *a, const struct hold *b)
{
	return a == NULL || (b != NULL && b->seq > a->seq) ? b : a;
}

static const struct hold *
last_of(const struct hold *list)
{
	return list == NULL ? NULL : list->place_prev;
}

static const struct hold *
find_meant(const struct place *p, int64_t now_ms)
{
	if (p->cur != NULL)
		return p->cur;
	if (p->next != NULL && hold_state_at(p->next, now_ms) == HOLD_HELD)
		return p->next;
	return latest(latest(last_of(p->approved), last_of(p->removed)), last_of(p->gone));
}

static void
answer_found(struct decision *d, const struct hold *h)
{
	if (h != NULL)
		decision_answer_about(d, HA_OK, 0, h);
	else
		decision_answer(d, HA_NO_HOLD, 0);
}

void
hold_table_find(struct hold_table *t, enum hold_find_what what, const char *user, const char *room,
    struct now now, struct hold_answer *out)
{
	struct decision d = decision_begin(t, now, out);
	const struct place *p = hold_index_place(t, user, room);
	const struct hold *h = NULL;

	if (p != NULL && what == FIND_PLACE)
		h = find_meant(p, now.boot_ms);
	else if (p != NULL && what == FIND_APPROVED_OLDEST)
		h = p->approved;
	else if (p != NULL && what == FIND_REMOVED_LAST)
		h = last_of(p->removed);
	if (h != NULL && what == FIND_REMOVED_LAST &&
	    h->life.since_ms + t->limits.removed_answer_ms <= now.boot_ms)
		h = NULL;
	answer_found(&d, h);
}

void
hold_table_find_tid(struct hold_table *t, const char *tid, struct now now, struct hold_answer *out)
{
	struct decision d = decision_begin(t, now, out);

	answer_found(&d, tid[0] == '\0' ? NULL : hold_index_find_tid(t, tid));
}

void
hold_table_find_order(struct hold_table *t, const char *cid, const char *order, struct now now,
    struct hold_answer *out)
{
	struct decision d = decision_begin(t, now, out);
	const struct order *o = hold_index_order(t, cid, order);
	const struct hold *h = NULL;

	if (o != NULL && o->cur != NULL)
		h = o->cur;
	else if (o != NULL && o->next != NULL && hold_state_at(o->next, now.boot_ms) == HOLD_HELD)
		h = o->next;
	else if (o != NULL && o->all != NULL)
		h = o->all->order_prev;
	answer_found(&d, h);
	if (h == NULL && o != NULL) {
		out->code = o->paid ? HA_ORDER_PAID : HA_NO_HOLD;
		out->hold.last_n = o->last_n;
	}
}

/* ---- lists and counts */

static int
by_id(const void *a, const void *b)
{
	const struct hold *const *x = a, *const *y = b;

	return ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

static size_t
collect_live(const struct week *w, int64_t now_ms, const struct hold **out)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++) {
		const struct hold *h = w->slot[i].owner;

		if (hold_state_is_live(hold_state_at(h, now_ms)))
			out[n++] = h;
	}
	return n;
}

static bool
show_one(const struct hold *h,
    bool (*fn)(void *ctx, const struct hold_view *h, const struct interval_set *set), void *ctx)
{
	struct interval_set set;
	struct hold_view view;

	hold_view_of(h, INT64_MIN, &view); /* as it was last recorded */
	hold_get_set(h, &set);
	return fn(ctx, &view, &set);
}

bool
hold_table_show(const struct hold_table *t, uint64_t id, struct hold_view *out)
{
	const struct hold *h = hold_index_find(t, id);

	if (h != NULL)
		hold_view_of(h, INT64_MIN, out);
	return h != NULL;
}

struct now
hold_table_time(const struct hold_table *t, struct now now)
{
	return now.boot_ms < t->last.boot_ms ? t->last : now;
}

bool
hold_table_each(const struct hold_table *t, const char *room, struct now now,
    bool (*fn)(void *ctx, const struct hold_view *h, const struct interval_set *set), void *ctx)
{
	const struct room *r = room == NULL ? NULL : hold_index_room(t, room);
	const struct hold **found;
	bool all = true;
	size_t n;

	if (room == NULL) {
		for (const struct hold *h = t->all; h != NULL && all; h = h->following)
			all = !hold_state_is_live(hold_state_at(h, now.boot_ms)) ||
			    show_one(h, fn, ctx);
		return all;
	}
	if (r == NULL || r->primary.n + r->replacing.n == 0)
		return true;
	found = malloc((r->primary.n + r->replacing.n) * sizeof(found[0]));
	if (found == NULL)
		return false;
	n = collect_live(&r->primary, now.boot_ms, found);
	n += collect_live(&r->replacing, now.boot_ms, found + n);
	qsort(found, n, sizeof(found[0]), by_id);
	for (size_t i = 0; i < n && all; i++)
		if (i == 0 || found[i] != found[i - 1])
			all = show_one(found[i], fn, ctx);
	free(found);
	return all;
}

void
hold_table_stats(const struct hold_table *t, struct hold_stats *out)
{
	*out = t->stats;
}
