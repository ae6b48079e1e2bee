/* What time alone does to holds and orders: hold_table_expire. */
#include "config.h"

#include <string.h>

#include "booking/hold_decide.h"

enum { RECORD_SPARE = 2048 }; /* bytes: more than one change by time needs */

struct ending {
	struct decision d;
	int64_t next_ms; /* when what this record begins ends in turn */
};

static bool
has_room(const struct ending *e)
{
	return e->d.out->record.len < RECORD_MAX - RECORD_SPARE;
}

static void
begins(struct ending *e, int64_t due_ms)
{
	if (due_ms < e->next_ms)
		e->next_ms = due_ms;
}

static bool
end_hold(void *ctx, struct timer *timer)
{
	struct ending *e = ctx;
	const struct hold *h = (const struct hold *)timer;
	struct hold_life l = h->life;

	if (!has_room(e))
		return false;
	if (l.state == HOLD_READY) {
		l = decision_step(&e->d, h, HOLD_EV_EXPIRE);
	} else if (l.guarded) {
		l.guarded = false;
		l.due_ms = hold_gone_until(e->d.t, l.since_ms);
	} else {
		decision_write_drop(&e->d, h);
		return true;
	}
	decision_write_life(&e->d, h, &l);
	begins(e, l.due_ms);
	return true;
}

/* An order is remembered at least as long as each of its holds. */
static bool
end_order(void *ctx, struct timer *timer)
{
	struct ending *e = ctx;
	const struct order *o =
	    (const struct order *)((char *)timer - offsetof(struct order, timer));
	struct change c = { .kind = CHANGE_FORGET, .cid = order_cid(o), .order = order_name(o) };

	if (!has_room(e))
		return false;
	if (o->all == NULL) {
		decision_write(&e->d, &c);
	} else {
		decision_write_order(&e->d, o, 0, false);
		begins(e, e->d.now.boot_ms + e->d.t->limits.order_memory_ms);
	}
	return true;
}

bool
hold_table_expire(struct hold_table *t, struct now now, struct buf *record, int64_t *next_boot_ms,
    struct error *err)
{
	struct hold_answer out;
	struct ending e = { .d = decision_begin(t, now, &out), .next_ms = INT64_MAX };

	buf_init(record, 0);
	if (!decision_usable(t, err))
		return false;
	begins(&e, heap_each_due(&t->holds_due, now.boot_ms, end_hold, &e));
	begins(&e, heap_each_due(&t->orders_due, now.boot_ms, end_order, &e));
	if (!decision_finish(&e.d, err))
		return false;
	*record = out.record;
	*next_boot_ms = e.next_ms;
	return true;
}
