/* A queue with a new journal is closed until it belongs to the site and knows what the queue before
 * it knew. */
#include "config.h"

#include <string.h>

#include "booking/hold_decide.h"

bool
hold_table_is_closed(const struct hold_table *t)
{
	return t->closed;
}

void
hold_table_stay_quiet(struct hold_table *t, int64_t until_boot_ms)
{
	t->quiet_until_ms = until_boot_ms;
}

static void
write_gate(struct decision *d, bool closed)
{
	struct change c = { .kind = CHANGE_GATE, .closed = closed };

	decision_write(d, &c);
}

bool
hold_table_close(struct hold_table *t, struct now now, struct hold_answer *out, struct error *err)
{
	struct decision d = decision_begin(t, now, out);

	if (!decision_usable(t, err))
		return false;
	decision_answer(&d, HA_OK, 0);
	if (!t->closed)
		write_gate(&d, true);
	return decision_finish(&d, err);
}

bool
hold_table_admit(struct hold_table *t, bool adopted, uint64_t token_floor, struct now now,
    struct hold_answer *out, struct error *err)
{
	struct decision d = decision_begin(t, now, out);
	struct change c = {
		.kind = CHANGE_COUNTERS,
		.last_id = t->last_id,
		.last_token = t->last_token,
		.last_seq = t->last_seq,
	};

	if (!decision_usable(t, err))
		return false;
	decision_answer(&d, HA_OK, 0);
	if (!t->closed)
		return true;
	if (adopted && now.boot_ms < t->quiet_until_ms) {
		decision_answer(&d, HA_IN_PROGRESS, t->quiet_until_ms - now.boot_ms);
		return true;
	}
	if (token_floor > c.last_token)
		c.last_token = token_floor;
	decision_write(&d, &c);
	write_gate(&d, false);
	return decision_finish(&d, err);
}

bool
hold_table_remember(struct hold_table *t, const char *cid, const char *order, int64_t last_n,
    bool paid, struct now now, struct hold_answer *out, struct error *err)
{
	struct decision d = decision_begin(t, now, out);
	const struct order *o;

	if (!decision_usable(t, err))
		return false;
	if (!hold_text_fits(cid, CID_CAP) || !hold_text_fits(order, ORDER_CAP) || last_n < 1)
		return error_set(err, ERR_INPUT, "cid, order or number out of range");
	decision_answer(&d, HA_OK, 0);
	o = hold_index_order(t, cid, order);
	if (o != NULL && o->last_n >= last_n && (o->paid || !paid))
		return true;
	if (o != NULL && paid)
		decision_write_paid(&d, o, last_n, NULL);
	else
		decision_write_memory(&d, cid, order, o, last_n, paid);
	return decision_finish(&d, err);
}

static bool
check_handover(const struct hold_handover *h, struct error *err)
{
	if (!hold_text_fits(h->cid, CID_CAP) || !hold_text_fits(h->order, ORDER_CAP) ||
	    !hold_text_fits(h->user, USER_CAP) || !hold_text_fits(h->room, ROOM_CAP) ||
	    !hold_text_fits(h->tid, TID_CAP) || !hold_text_fits(h->attempt, ATTEMPT_MAX + 1))
		return error_set(err, ERR_INPUT, "a text is empty or too long");
	if (!hold_set_fits(&h->set, err))
		return false;
	if ((h->state != HOLD_UNKNOWN && h->state != HOLD_REVIEW && h->state != HOLD_APPROVED) ||
	    h->token == 0 || h->n < 1 || h->last_n < h->n || h->window_ms > SPAN_MAX_MS ||
	    h->window_ms < -SPAN_MAX_MS)
		return error_set(err, ERR_INPUT, "state, token, number or window out of range");
	return true;
}

static bool
is_taken(const struct week *w, const struct interval_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (week_find(w, set->iv[i], 0) != NULL)
			return true;
	return false;
}

/* A closed queue has only holds that were handed over: whatever is in the way is one of them. */
static bool
answer_in_the_way(struct decision *d, const struct hold_handover *h)
{
	const struct room *room = hold_index_room(d->t, h->room);
	const struct place *place = hold_index_place(d->t, h->user, h->room);
	const struct order *order = hold_index_order(d->t, h->cid, h->order);

	if (room != NULL &&
	    (is_taken(&room->primary, &h->set) || is_taken(&room->replacing, &h->set))) {
		decision_answer(d, HA_SLOT_HELD, RETRY_NO_END_MS);
		d->out->conflicts = h->set;
		return true;
	}
	if (h->state == HOLD_APPROVED ||
	    ((place == NULL || place->cur == NULL) && (order == NULL || order->cur == NULL)))
		return false;
	decision_answer(d, HA_IN_PROGRESS, RETRY_NO_END_MS);
	return true;
}

static void
take_over(struct decision *d, const struct hold_handover *h)
{
	const struct order *o = hold_index_order(d->t, h->cid, h->order);
	bool paid = h->state == HOLD_APPROVED;
	struct change c = {
		.kind = CHANGE_HOLD, .id = decision_next_id(d->t), .cid = h->cid, .order = h->order,
		.user = h->user, .room = h->room, .fingerprint = "handed over",
		.attempt = h->attempt, .tid = h->tid, .key = h->key, .set = h->set,
		.life = {
			.state = h->state, .before = HOLD_READY, .doubt = h->state == HOLD_UNKNOWN,
			.paid = paid, .token = h->token, .n = h->n, .since_ms = d->now.boot_ms,
			.due_ms = INT64_MAX, .expires_ms = d->now.boot_ms,
			.window_ms = d->now.boot_ms + h->window_ms, .deadline_ms = d->now.boot_ms,
		},
	};

	decision_write(d, &c);
	decision_write_memory(d, h->cid, h->order, o, h->last_n, paid);
	decision_answer(d, HA_OK, 0);
	d->out->hold = (struct hold_view){
		.id = c.id,
		.state = h->state,
		.before = HOLD_READY,
		.cid = h->cid,
		.order = h->order,
		.user = h->user,
		.room = h->room,
		.tid = h->tid,
		.attempt = h->attempt,
		.answer = "",
		.window_boot_ms = c.life.window_ms,
		.token = h->token,
		.n = h->n,
		.deadline_boot_ms = c.life.deadline_ms,
		.last_n = o != NULL && o->last_n > h->last_n ? o->last_n : h->last_n,
	};
}

bool
hold_table_take_over(struct hold_table *t, const struct hold_handover *h, struct now now,
    struct hold_answer *out, struct error *err)
{
	struct decision d = decision_begin(t, now, out);
	const struct hold *same;

	if (!decision_usable(t, err) || !check_handover(h, err))
		return false;
	same = hold_index_find_tid(t, h->tid);
	if (same != NULL)
		decision_answer_about(&d, HA_REPLAY, 0, same);
	else if (!t->closed)
		decision_answer(&d, HA_IN_PROGRESS, RETRY_NO_END_MS);
	else if (!answer_in_the_way(&d, h))
		take_over(&d, h);
	return decision_finish(&d, err);
}

/* ---- looking */

void
hold_table_newest(const struct hold_table *t, const char **cid, const char **order, int64_t *last_n)
{
	const struct order *o = t->remembered == NULL ? NULL : t->remembered->prev;

	*cid = o == NULL ? "" : order_cid(o);
	*order = o == NULL ? "" : order_name(o);
	*last_n = o == NULL ? 0 : o->last_n;
}

static bool
is_overdue(const struct hold *h, int64_t now_ms)
{
	switch (h->life.state) {
	case HOLD_APPROVING:
		return h->life.deadline_ms + DEADLINE_GRACE_MS <= now_ms;
	case HOLD_UNKNOWN:
	case HOLD_REVIEW:
		return true;
	default:
		return false;
	}
}

static bool
has_no_end(const struct hold *h, int64_t now_ms)
{
	(void)now_ms;
	return h->life.state == HOLD_HELD || h->life.state == HOLD_READY ||
	    h->life.state == HOLD_APPROVING || h->life.state == HOLD_UNKNOWN ||
	    h->life.state == HOLD_REVIEW || h->life.state == HOLD_APPROVED;
}

static void
find_next(struct hold_table *t, uint64_t after,
    bool (*wanted)(const struct hold *h, int64_t now_ms), struct now now, struct hold_answer *out)
{
	struct decision d = decision_begin(t, now, out);
	const struct hold *h = after == 0 ? NULL : hold_index_find(t, after);

	h = h != NULL ? h->following : t->all;
	while (h != NULL && (h->id <= after || !wanted(h, now.boot_ms)))
		h = h->following;
	if (h != NULL)
		decision_answer_about(&d, HA_OK, 0, h);
	else
		decision_answer(&d, HA_NO_HOLD, 0);
}

void
hold_table_next(struct hold_table *t, uint64_t after, struct now now, struct hold_answer *out)
{
	find_next(t, after, has_no_end, now, out);
}

void
hold_table_overdue(struct hold_table *t, uint64_t after, struct now now, struct hold_answer *out)
{
	find_next(t, after, is_overdue, now, out);
}
