/* payReady: who gets a time. */
#include "config.h"

#include <string.h>

#include "booking/hold_decide.h"

struct asking {
	struct decision d;
	const struct hold_request *rq;
	const struct hold_load *load;
	struct order *order; /* NULL: unknown */
	struct place *place;
	/* The user's ready holds of this place and of this order, which it replaces. NULL: none. */
	const struct hold *old[2];
};

static bool
check_request(const struct hold_request *rq, struct error *err)
{
	if (!hold_text_fits(rq->cid, CID_CAP) || !hold_text_fits(rq->order, ORDER_CAP) ||
	    !hold_text_fits(rq->user, USER_CAP) || !hold_text_fits(rq->room, ROOM_CAP))
		return error_set(err, ERR_INPUT, "cid, order, user or room is empty or too long");
	if (!hold_text_fits(rq->fingerprint, KEY_CAP) ||
	    !hold_text_fits(rq->attempt, ATTEMPT_MAX + 1))
		return error_set(err, ERR_INPUT, "fingerprint or attempt is empty or too long");
	if (!hold_set_fits(&rq->set, err))
		return false;
	if (rq->ttl_ms <= 0 || rq->ttl_ms > SPAN_MAX_MS || rq->call_ms <= 0 ||
	    rq->call_ms > SPAN_MAX_MS)
		return error_set(err, ERR_INPUT, "ttl or call time out of range");
	return true;
}

static const struct hold *
current(const struct asking *q, size_t i)
{
	if (i == 0)
		return q->place == NULL ? NULL : q->place->cur;
	return q->order == NULL || (q->place != NULL && q->order->cur == q->place->cur)
	    ? NULL
	    : q->order->cur;
}

static const struct hold *
upcoming(const struct asking *q, size_t i)
{
	if (i == 0)
		return q->place == NULL ? NULL : q->place->next;
	return q->order == NULL || (q->place != NULL && q->order->next == q->place->next)
	    ? NULL
	    : q->order->next;
}

static bool
is_same(const struct asking *q, const struct hold *h)
{
	return h->place == q->place && h->order == q->order &&
	    strcmp(h->fingerprint, q->rq->fingerprint) == 0;
}

/* A ready call of this place or of this order is under way. */
static bool
answer_call_under_way(struct asking *q)
{
	for (size_t i = 0; i < 2; i++) {
		const struct hold *h = upcoming(q, i);

		if (h == NULL || hold_state_at(h, q->d.now.boot_ms) != HOLD_HELD)
			continue;
		if (is_same(q, h) && !hold_load_is_full(q->load, q->load->max_ready))
			decision_answer_about(&q->d, HA_WAIT, 0, h);
		else
			decision_answer_about(&q->d, HA_IN_PROGRESS, RETRY_MS, h);
		return true;
	}
	return false;
}

/* An open attempt of this place or of this order cannot be replaced. Fills q->old with those that
 * can. */
static bool
answer_open_attempt(struct asking *q)
{
	int64_t now_ms = q->d.now.boot_ms;

	for (size_t i = 0; i < 2; i++) {
		const struct hold *h = current(q, i);
		enum hold_state s = h == NULL ? HOLD_EXPIRED : hold_state_at(h, now_ms);

		if (s == HOLD_EXPIRED)
			continue;
		if (s != HOLD_READY || strcmp(h->place->user->name, q->rq->user) != 0) {
			decision_answer_about(&q->d, HA_IN_PROGRESS, RETRY_MS, h);
			return true;
		}
		if (h->replaced_by != NULL && hold_state_at(h->replaced_by, now_ms) == HOLD_HELD) {
			decision_answer_about(&q->d, HA_IN_PROGRESS, RETRY_MS, h->replaced_by);
			return true;
		}
		q->old[i] = h;
	}
	return false;
}

static bool
answer_order_state(struct asking *q)
{
	if (q->order != NULL && q->order->paid) {
		decision_answer(&q->d, HA_ORDER_PAID, 0);
		if (q->order->all != NULL)
			decision_show(&q->d, q->order->all->order_prev);
		return true;
	}
	return answer_call_under_way(q) || answer_open_attempt(q);
}

static bool
answer_replay(struct asking *q)
{
	if (q->old[0] == NULL || !is_same(q, q->old[0]))
		return false;
	decision_answer_about(&q->d, HA_REPLAY, 0, q->old[0]);
	return true;
}

struct conflicts {
	bool minute[WEEK_MINUTES]; /* taken by others; set only within the asked intervals */
	bool any;
	int64_t retry_ms; /* until the last of them may be over */
};

static void
add_conflict(struct conflicts *c, struct interval asked, struct interval taken, int64_t left_ms)
{
	int start = asked.start > taken.start ? asked.start : taken.start;
	int end = asked.end < taken.end ? asked.end : taken.end;

	memset(&c->minute[start], true, (size_t)(end - start));
	c->any = true;
	if (left_ms > c->retry_ms)
		c->retry_ms = left_ms;
}

static int64_t
left_of(const struct hold *h, int64_t now_ms)
{
	return h->life.due_ms == INT64_MAX ? RETRY_NO_END_MS : h->life.due_ms - now_ms;
}

static void
find_conflicts_in(const struct asking *q, const struct week *w, struct interval asked,
    struct conflicts *held, struct conflicts *sold)
{
	int64_t now_ms = q->d.now.boot_ms;
	const struct week_slot *slot;

	for (slot = week_find(w, asked, 0); slot != NULL;
	     slot = week_find(w, asked, (size_t)(slot - w->slot) + 1)) {
		const struct hold *h = slot->owner;

		if (h == q->old[0] || h == q->old[1] || !hold_guards_at(h, now_ms))
			continue;
		add_conflict(h->life.guarded ? sold : held, asked, slot->iv, left_of(h, now_ms));
	}
}

static void
begin_conflicts(struct conflicts *c, const struct interval_set *asked)
{
	c->any = false;
	c->retry_ms = 0;
	for (size_t i = 0; i < asked->n; i++)
		memset(&c->minute[asked->iv[i].start], false,
		    (size_t)(asked->iv[i].end - asked->iv[i].start));
}

/* Joins runs that touch, but not across midnight. */
static void
list_run(int16_t start, int16_t end, struct interval_set *out)
{
	if (out->n > 0 && out->iv[out->n - 1].end == start && start % DAY_MINUTES != 0)
		out->iv[out->n - 1].end = end;
	else if (out->n < INTERVALS_MAX)
		out->iv[out->n++] = (struct interval){ start, end };
}

/* Turns minutes into intervals. What does not fit into a set is left out: a request has at most
 * INTERVALS_MAX intervals, and its caller asks again anyway. */
static void
list_conflicts(const struct conflicts *c, const struct interval_set *asked,
    struct interval_set *out)
{
	out->n = 0;
	for (size_t i = 0; i < asked->n; i++) {
		const bool *begin, *end, *last = c->minute + asked->iv[i].end;

		for (const bool *m = c->minute + asked->iv[i].start;
		     m < last && (begin = memchr(m, true, (size_t)(last - m))) != NULL; m = end) {
			end = memchr(begin, false, (size_t)(last - begin));
			if (end == NULL)
				end = last;
			list_run((int16_t)(begin - c->minute), (int16_t)(end - c->minute), out);
		}
	}
}

static bool
answer_slot(struct asking *q)
{
	const struct room *r =
	    q->place != NULL ? q->place->room : hold_index_room(q->d.t, q->rq->room);
	struct conflicts held, sold;
	const struct conflicts *c;

	if (r == NULL)
		return false;
	begin_conflicts(&held, &q->rq->set);
	begin_conflicts(&sold, &q->rq->set);
	for (size_t i = 0; i < q->rq->set.n; i++) {
		find_conflicts_in(q, &r->primary, q->rq->set.iv[i], &held, &sold);
		find_conflicts_in(q, &r->replacing, q->rq->set.iv[i], &held, &sold);
	}
	c = held.any ? &held : &sold;
	if (!c->any)
		return false;
	decision_answer(&q->d, held.any ? HA_SLOT_HELD : HA_SLOT_SOLD, c->retry_ms);
	list_conflicts(c, &q->rq->set, &q->d.out->conflicts);
	q->d.t->stats.refused_slot++;
	return true;
}

/* Held and ready holds count. A replacement does not count beside the hold that it replaces. */
static bool
counts_for_user(const struct hold *h, int64_t now_ms)
{
	if (hold_state_at(h, now_ms) == HOLD_EXPIRED)
		return false;
	if (!hold_is_replacing(h))
		return true;
	for (const struct hold *o = h->place->user->open; o != NULL; o = o->user_next)
		if (o->replaced_by == h && hold_state_at(o, now_ms) == HOLD_READY)
			return false;
	return true;
}

static bool
answer_user_limit(struct asking *q)
{
	const struct user *u =
	    q->place != NULL ? q->place->user : hold_index_user(q->d.t, q->rq->user);
	int64_t n = 0, now_ms = q->d.now.boot_ms, first_ms = INT64_MAX;

	if (u == NULL || q->old[0] != NULL || q->old[1] != NULL)
		return false;
	for (const struct hold *h = u->open; h != NULL; h = h->user_next) {
		if (!counts_for_user(h, now_ms))
			continue;
		n++;
		if (h->life.due_ms < first_ms)
			first_ms = h->life.due_ms;
	}
	if (n < q->d.t->limits.max_per_user)
		return false;
	decision_answer(&q->d, HA_TOO_MANY_HOLDS,
	    first_ms == INT64_MAX ? RETRY_MS : first_ms - now_ms);
	return true;
}

static bool
answer_busy(struct asking *q)
{
	if (!hold_load_is_full(q->load, q->load->max_ready))
		return false;
	decision_answer(&q->d, HA_BUSY, RETRY_BUSY_MS);
	return true;
}

/* Holds of this place or order whose time is over make room for the new one. */
static void
write_seats(struct asking *q)
{
	int64_t now_ms = q->d.now.boot_ms;
	const struct hold *gone[4] = { upcoming(q, 0), upcoming(q, 1), NULL, NULL };

	for (size_t i = 0; i < 2; i++) {
		const struct hold *next = q->old[i] == NULL ? NULL : q->old[i]->replaced_by;

		if (next != gone[0] && next != gone[1] && next != gone[2])
			gone[2 + i] = next;
	}
	for (size_t i = 0; i < 4; i++)
		if (gone[i] != NULL)
			decision_write_drop(&q->d, gone[i]);
	for (size_t i = 0; i < 2; i++) {
		const struct hold *h = current(q, i);

		if (h != NULL && hold_state_at(h, now_ms) == HOLD_EXPIRED)
			decision_write_step(&q->d, h, HOLD_EV_FENCE);
	}
}

/*
 * A user who opens and cancels again and again leaves an ended hold each time, and each would be
 * remembered for a day. So of one place only the last ones are: the oldest hold that never came to
 * an approve is forgotten. Nothing was ever sent under it, and nothing can be: an approve goes by
 * the place, not by the tid.
 */
static void
write_forgotten(struct asking *q)
{
	const struct hold *h = q->place == NULL ? NULL : q->place->gone;
	size_t n = 1, dropped = 0; /* n counts the hold that is granted now, too */

	for (const struct hold *g = h; g != NULL; g = g->place_next)
		n++;
	for (; n > GONE_OF_PLACE_MAX && h != NULL && dropped < GONE_DROPS_MAX; h = h->place_next) {
		if (h->life.token != 0)
			continue;
		decision_write_drop(&q->d, h);
		dropped++;
		n--;
	}
}

static void
grant_hold(struct asking *q)
{
	const struct hold_request *rq = q->rq;
	struct hold_table *t = q->d.t;
	int64_t now_ms = q->d.now.boot_ms;
	struct change c = {
		.kind = CHANGE_HOLD,
		.id = decision_next_id(t),
		.cid = rq->cid,
		.order = rq->order,
		.user = rq->user,
		.room = rq->room,
		.fingerprint = rq->fingerprint,
		.attempt = rq->attempt,
		.set = rq->set,
		.grant = true,
		.fenced_until_ms = hold_gone_until(t, now_ms),
	};

	c.life = (struct hold_life){
		.state = HOLD_HELD,
		.since_ms = now_ms,
		.due_ms = now_ms + rq->call_ms + DEADLINE_GRACE_MS,
		.expires_ms = now_ms + rq->ttl_ms,
		.window_ms = now_ms + t->limits.window_ms,
	};
	for (size_t i = 0; i < 2; i++)
		c.life.replaces[i] = q->old[i] == NULL ? 0 : q->old[i]->id;
	write_seats(q);
	write_forgotten(q);
	decision_write(&q->d, &c);
	decision_answer(&q->d, HA_OK, 0);
	q->d.out->hold = (struct hold_view){
		.id = c.id,
		.state = HOLD_HELD,
		.cid = rq->cid,
		.order = rq->order,
		.user = rq->user,
		.room = rq->room,
		.tid = "",
		.attempt = rq->attempt,
		.answer = "",
		.expires_boot_ms = c.life.due_ms,
		.window_boot_ms = c.life.window_ms,
	};
}

bool
hold_table_hold(struct hold_table *t, const struct hold_request *rq, const struct hold_load *load,
    struct now now, struct hold_answer *out, struct error *err)
{
	struct asking q = { .d = decision_begin(t, now, out), .rq = rq, .load = load };

	if (!decision_usable(t, err) || !check_request(rq, err))
		return false;
	q.order = hold_index_order(t, rq->cid, rq->order);
	q.place = hold_index_place(t, rq->user, rq->room);
	if (t->closed)
		decision_answer(&q.d, HA_NOT_READY, RETRY_BUSY_MS);
	else if (!answer_order_state(&q) && !answer_replay(&q) && !answer_slot(&q) &&
	    !answer_user_limit(&q) && !answer_busy(&q))
		grant_hold(&q);
	if (q.order != NULL)
		out->hold.last_n = q.order->last_n;
	return decision_finish(&q.d, err);
}

/* A replacement that overlaps the old hold keeps its expiry: asking again must not hold a time for
 * longer. */
static int64_t
expiry_of_replacement(const struct hold *h, const struct hold *old, int64_t expires_ms)
{
	struct interval_set a, b;

	if (old->place->room != h->place->room)
		return expires_ms;
	hold_get_set(h, &a);
	hold_get_set(old, &b);
	return interval_set_overlaps(&a, &b) && old->life.expires_ms < expires_ms
	    ? old->life.expires_ms
	    : expires_ms;
}

static void
become_ready(struct decision *d, const struct hold *h, const char *tid, const char *given)
{
	struct change c = {
		.kind = CHANGE_LIFE,
		.id = h->id,
		.tid = tid,
		.answer = given,
		.life = h->life,
	};
	const struct hold *old[2];

	for (size_t i = 0; i < 2; i++) {
		old[i] =
		    h->life.replaces[i] == 0 ? NULL : hold_index_find(d->t, h->life.replaces[i]);
		if (old[i] != NULL)
			c.life.expires_ms = expiry_of_replacement(h, old[i], c.life.expires_ms);
		c.life.replaces[i] = 0;
	}
	if (c.life.expires_ms <= d->now.boot_ms) { /* it expired before the call came back */
		decision_answer_about(d, HA_FENCED, 0, h);
		decision_write_drop(d, h);
		return;
	}
	for (size_t i = 0; i < 2; i++)
		if (old[i] != NULL)
			decision_write_step(d, old[i], HOLD_EV_FENCE);
	c.life.state = HOLD_READY;
	c.life.since_ms = d->now.boot_ms;
	c.life.due_ms = c.life.expires_ms;
	decision_write(d, &c);
	decision_answer_about(d, HA_OK, 0, h);
	d->out->hold.state = HOLD_READY;
	d->out->hold.expires_boot_ms = c.life.due_ms;
	d->out->hold.tid = tid;
	d->out->hold.answer = given;
}

bool
hold_table_ready(struct hold_table *t, uint64_t id, const char *tid, const char *given,
    struct now now, struct hold_answer *out, struct error *err)
{
	struct decision d = decision_begin(t, now, out);
	const struct hold *h = decision_find(&d, id), *same;
	enum hold_state s = h == NULL ? HOLD_FENCED : hold_state_at(h, now.boot_ms);

	if (!decision_usable(t, err))
		return false;
	if (!hold_text_fits(tid, TID_CAP) || !hold_text_fits(given, ANSWER_MAX + 1))
		return error_set(err, ERR_INPUT, "tid or answer is empty or too long");
	same = hold_index_find_tid(t, tid);
	if (same != NULL && same != h)
		return error_set(err, ERR_CONFLICT, "tid %s belongs to hold %llu", tid,
		    (unsigned long long)same->id);
	if (h == NULL)
		decision_answer(&d, HA_FENCED, 0);
	else if (s == HOLD_HELD)
		become_ready(&d, h, tid, given);
	else if (s == HOLD_FENCED && h->tid[0] == '\0')
		decision_answer_about(&d, HA_IN_PROGRESS, RETRY_MS, h);
	else if (same == h && hold_state_is_live(s))
		decision_answer_about(&d, HA_OK, 0, h);
	else
		decision_answer_about(&d, HA_FENCED, 0, h);
	return decision_finish(&d, err);
}

bool
hold_table_fail(struct hold_table *t, uint64_t id, bool paid, struct now now,
    struct hold_answer *out, struct error *err)
{
	struct decision d = decision_begin(t, now, out);
	const struct hold *h = hold_index_find(t, id); /* even if it has ended: paid */

	if (!decision_usable(t, err))
		return false;
	decision_answer(&d, HA_OK, 0);
	if (h == NULL)
		return true;
	decision_show(&d, h);
	if (paid)
		decision_write_paid(&d, h->order, 0, h->life.state == HOLD_HELD ? h : NULL);
	if (h->life.state == HOLD_HELD)
		decision_write_drop(&d, h);
	return decision_finish(&d, err);
}
