/* How a hold ends: approvePayment, its outcome, and removePaymentInQueue. */
#include "config.h"

#include <string.h>

#include "booking/hold_decide.h"

enum { MINUTE_MS = 60000 };

/* ---- approvePayment */

/* Counts grants of the last minute, up to max. *first_ms: the earliest of those that were
 * counted. */
static int64_t
count_tries(const struct hold *h, int64_t max, int64_t now_ms, int64_t *first_ms)
{
	int64_t n = 0;

	for (size_t i = h->tries == NULL ? 0 : h->tries->n; i > 0 && n < max; i--) {
		if (h->tries->ms[i - 1] <= now_ms - MINUTE_MS)
			break;
		*first_ms = h->tries->ms[i - 1];
		n++;
	}
	return n;
}

static bool
answer_not_approvable(struct decision *d, const struct hold *h, const struct hold_load *load)
{
	int64_t now_ms = d->now.boot_ms;
	enum hold_state s = hold_state_at(h, now_ms);

	if (s == HOLD_APPROVED || h->life.paid || h->order->paid)
		decision_answer(d, HA_ORDER_PAID, 0);
	else if (s == HOLD_FENCED || s == HOLD_DECLINED || s == HOLD_REMOVED)
		decision_answer(d, HA_FENCED, 0);
	else if (s == HOLD_HELD || s == HOLD_REVIEW)
		decision_answer(d, HA_IN_PROGRESS, s == HOLD_HELD ? RETRY_MS : RETRY_NO_END_MS);
	else if (s == HOLD_APPROVING && now_ms < h->life.deadline_ms + DEADLINE_GRACE_MS)
		decision_answer(d,
		    hold_load_is_full(load, load->max_all) ? HA_IN_PROGRESS : HA_WAIT,
		    hold_load_is_full(load, load->max_all) ? RETRY_MS : 0);
	else if ((s == HOLD_READY || s == HOLD_EXPIRED) && h->life.window_ms <= now_ms)
		decision_answer(d, HA_EXPIRED, 0);
	else
		return false;
	return true;
}

static bool
answer_not_now(struct decision *d, const struct hold *h, int64_t n, const struct hold_load *load)
{
	int64_t max = d->t->limits.max_tries_per_min, first_ms = 0;

	if (count_tries(h, max, d->now.boot_ms, &first_ms) >= max)
		decision_answer(d, HA_TOO_MANY_REFUSED, first_ms + MINUTE_MS - d->now.boot_ms);
	else if (n <= h->order->last_n)
		decision_answer(d, HA_LEDGER_BEHIND, RETRY_BUSY_MS);
	else if (hold_load_is_full(load, load->max_all))
		decision_answer(d, HA_BUSY, RETRY_BUSY_MS);
	else
		return false;
	return true;
}

/*
 * Each grant lets its caller inquire, and send once. Every grant counts, whatever becomes of it: a
 * caller that repeats an approve with an unknown outcome, or a worker that dies each time, must not
 * inquire or send more often than a caller with a wrong token.
 */
static void
add_try(const struct hold *h, int64_t now_ms, struct try_times *out)
{
	const struct try_times *old = h->tries;
	size_t n = old == NULL ? 0 : old->n, first = n;

	while (first > 0 && n - first < TRIES_MAX - 1 && old->ms[first - 1] > now_ms - MINUTE_MS)
		first--;
	out->n = n - first + 1;
	if (first < n)
		memcpy(out->ms, &old->ms[first], (n - first) * sizeof(out->ms[0]));
	out->ms[out->n - 1] = now_ms;
}

static void
grant_approve(struct decision *d, const struct hold *h, int64_t n, const char *key,
    int64_t deadline_ms)
{
	struct try_times tries;
	struct change c = {
		.kind = CHANGE_LIFE,
		.id = h->id,
		.key = key,
		.life = h->life,
		.tries = &tries,
	};
	struct hold_view *v = &d->out->hold;

	if (h->replaced_by != NULL) /* the approve wins; the ready call will hear of it */
		decision_write_step(d, h->replaced_by, HOLD_EV_FENCE);
	c.life.before = hold_state_at(h, d->now.boot_ms);
	c.life.state = HOLD_APPROVING;
	c.life.token = decision_next_token(d->t);
	c.life.n = n;
	c.life.since_ms = d->now.boot_ms;
	c.life.due_ms = INT64_MAX;
	c.life.deadline_ms = d->now.boot_ms + deadline_ms;
	add_try(h, d->now.boot_ms, &tries);
	decision_write(d, &c);
	if (n - 1 > h->order->last_n) /* the caller has read that far, and may never write n */
		decision_write_order(d, h->order, n - 1, false);
	decision_answer(d, HA_OK, 0);
	v->state = HOLD_APPROVING;
	v->before = c.life.before;
	v->token = c.life.token;
	v->n = n;
	v->deadline_boot_ms = c.life.deadline_ms;
	v->expires_boot_ms = 0;
	v->replacing = false;
}

bool
hold_table_approve(struct hold_table *t, uint64_t id, int64_t n, const char *key,
    int64_t deadline_ms, const struct hold_load *load, struct now now, struct hold_answer *out,
    struct error *err)
{
	struct decision d = decision_begin(t, now, out);
	const struct hold *h = decision_find(&d, id);

	if (!decision_usable(t, err))
		return false;
	if (n < 1 || !hold_text_fits(key, KEY_CAP) || deadline_ms <= 0 || deadline_ms > SPAN_MAX_MS)
		return error_set(err, ERR_INPUT, "number, key or deadline out of range");
	if (h == NULL) {
		decision_answer(&d, HA_NO_HOLD, 0);
		return true;
	}
	decision_show(&d, h);
	if (t->closed)
		decision_answer(&d, HA_NOT_READY, RETRY_BUSY_MS);
	else if (!answer_not_approvable(&d, h, load) && !answer_not_now(&d, h, n, load))
		grant_approve(&d, h, n, key, deadline_ms);
	return decision_finish(&d, err);
}

static bool
is_in_list(const char *cid, const char *list)
{
	size_t len = strlen(cid);

	do {
		size_t n = strcspn(list, ",");

		if (n == len && memcmp(list, cid, n) == 0)
			return true;
		list += n;
	} while (*list++ == ',');
	return false;
}

/* Neither queue nor ledger has anything about an approve of this hold, or of its order. A token
 * stays with a hold for ever, also when nothing was sent under it. */
static bool
may_be_first(const struct hold_view *h, const char *cids)
{
	return h->state == HOLD_READY && h->token == 0 && h->last_n == 0 &&
	    is_in_list(h->cid, cids);
}

bool
hold_table_approve_first(struct hold_table *t, const struct hold_first *rq,
    const struct hold_load *load, struct now now, struct hold_answer *out, struct error *err)
{
	struct decision d;

	if (!decision_usable(t, err))
		return false;
	hold_table_find(t, FIND_PLACE, rq->user, rq->room, now, out);
	if (out->code == HA_OK && may_be_first(&out->hold, rq->cids))
		return hold_table_approve(t, out->hold.id, 1, rq->key, rq->deadline_ms, load, now,
		    out, err);
	if (out->code == HA_OK) {
		d = decision_begin(t, now, out);
		decision_answer(&d, HA_NOT_FIRST, 0);
	}
	return true;
}

/* ---- the outcome of an approve */

/* Nothing was written or sent under this grant, as when the store went away: it does not count. */
static void
write_untried(struct decision *d, struct change *c, const struct hold *h)
{
	struct try_times tries;

	if (h->tries != NULL && h->tries->n > 0) {
		tries.n = h->tries->n - 1;
		memcpy(tries.ms, h->tries->ms, tries.n * sizeof(tries.ms[0]));
		c->tries = &tries;
	}
	decision_write(d, c);
	c->tries = NULL;
}

/*
 * Nothing was sent, or what was sent was certainly refused. If the grant was given over an approve
 * with an unknown outcome, that is certain only if the ledger says so (n > 0) and no send was ever
 * reported as unknown. Else the hold stays unknown.
 */
static void
restore(struct decision *d, const struct hold *h, enum hold_outcome o, int64_t n)
{
	bool certain = h->life.before == HOLD_READY || h->life.before == HOLD_EXPIRED ||
	    (n > 0 && !h->life.doubt);
	bool over = h->life.expires_ms <= d->now.boot_ms;
	struct change c = { .kind = CHANGE_LIFE, .id = h->id };

	if (h->life.state == HOLD_UNKNOWN && (n == 0 || h->life.doubt))
		return; /* a repeat, or it does not settle what is unknown */
	c.life = decision_step(d, h,
	    !certain   ? HOLD_EV_UNKNOWN
		: over ? HOLD_EV_RESTORE_EXPIRED
		       : HOLD_EV_RESTORE_READY);
	if (o == HO_RESTORED && n == 0 && h->life.state == HOLD_APPROVING &&
	    h->life.before != HOLD_UNKNOWN && h->life.before != HOLD_APPROVING)
		write_untried(d, &c, h);
	else
		decision_write(d, &c);
	d->out->hold.state = c.life.state;
	d->out->hold.expires_boot_ms = c.life.state == HOLD_READY ? c.life.due_ms : 0;
}

static bool
is_free_in(const struct hold *h, const struct week *w, int64_t now_ms)
{
	const struct week_slot *slot;

	for (size_t i = 0; i < h->n_iv; i++) {
		for (slot = week_find(w, h->iv[i], 0); slot != NULL;
		     slot = week_find(w, h->iv[i], (size_t)(slot - w->slot) + 1)) {
			const struct hold *other = slot->owner;

			if (hold_guards_at(other, now_ms) &&
			    !(other->order == h->order && hold_ends_when_paid(other)))
				return false;
		}
	}
	return true;
}

/* Nobody has its time, once the other attempts of its order are fenced. */
static bool
is_free(const struct hold *h, int64_t now_ms)
{
	const struct room *r = h->place->room;

	return is_free_in(h, &r->primary, now_ms) && is_free_in(h, &r->replacing, now_ms);
}

/* KakaoPay has the money. A hold that had lost its time takes it back if nobody else has it. If
 * somebody has, the order is paid all the same. */
static void
capture(struct decision *d, const struct hold *h, int64_t n)
{
	bool has_time = h->life.state != HOLD_DECLINED && h->life.state != HOLD_FENCED &&
	    h->life.state != HOLD_REMOVED;
	struct change c = {
		.kind = CHANGE_LIFE,
		.id = h->id,
		.grant = !has_time,
		.fenced_until_ms = hold_gone_until(d->t, d->now.boot_ms),
	};

	if (h->replaced_by != NULL && h->replaced_by != h->order->next)
		decision_write_step(d, h->replaced_by, HOLD_EV_FENCE);
	decision_write_paid(d, h->order, n, h);
	if (!has_time && !is_free(h, d->now.boot_ms))
		return;
	c.life = decision_step(d, h, HOLD_EV_APPROVED);
	c.life.paid = true;
	decision_write(d, &c);
	d->out->hold.state = HOLD_APPROVED;
	d->out->hold.expires_boot_ms = 0;
}

static void
conclude(struct decision *d, const struct hold *h, enum hold_event ev)
{
	struct hold_life l = h->life;

	if (!hold_step(l.state, ev, &l.state, NULL))
		return; /* a repeat, or overtaken by something that was told later */
	l = decision_step(d, h, ev);
	l.doubt = ev == HOLD_EV_UNKNOWN || l.doubt;
	decision_write_life(d, h, &l);
	d->out->hold.state = l.state;
	d->out->hold.expires_boot_ms = 0;
}

static void
end_attempt(struct decision *d, const struct hold *h, enum hold_outcome o, int64_t n)
{
	struct hold_life l = h->life;

	switch (o) {
	case HO_APPROVED:
		if (!l.paid) {
			capture(d, h, n);
			return;
		}
		break;
	case HO_DECLINED:
		conclude(d, h, HOLD_EV_DECLINED);
		break;
	case HO_REVIEW:
		conclude(d, h, HOLD_EV_REVIEW);
		break;
	case HO_UNKNOWN:
		if (l.state == HOLD_UNKNOWN && !l.doubt) {
			l.doubt = true;
			decision_write_life(d, h, &l);
		} else if (l.state == HOLD_APPROVING) {
			conclude(d, h, HOLD_EV_UNKNOWN);
		}
		break;
	case HO_REFUSED:
	case HO_RESTORED:
		if (l.state == HOLD_APPROVING || l.state == HOLD_UNKNOWN)
			restore(d, h, o, n);
		break;
	default:
		break;
	}
	if (n > h->order->last_n)
		decision_write_order(d, h->order, n, false);
}

bool
hold_table_outcome(struct hold_table *t, uint64_t id, uint64_t token, enum hold_outcome o,
    int64_t n, struct now now, struct hold_answer *out, struct error *err)
{
	struct decision d = decision_begin(t, now, out);
	const struct hold *h = decision_find(&d, id);

	if (!decision_usable(t, err))
		return false;
	if (n < 0 || o < 0 || o >= HO__MAX)
		return error_set(err, ERR_INPUT, "number or outcome out of range");
	if (h == NULL) {
		decision_answer(&d, HA_NO_HOLD, 0);
		return true;
	}
	if (token == 0 || h->life.token != token) {
		decision_answer_about(&d, HA_STALE_TOKEN, 0, h);
		return true;
	}
	decision_answer_about(&d, HA_OK, 0, h);
	end_attempt(&d, h, o, n);
	return decision_finish(&d, err);
}

/* ---- removePaymentInQueue */

static void
remove_paid(struct decision *d, const struct hold *h, int64_t n)
{
	struct hold_life l;

	if (h->life.state == HOLD_APPROVED) {
		l = decision_step(d, h, HOLD_EV_REMOVE);
		l.guarded = d->t->limits.guard_ms > 0;
		if (l.guarded)
			l.due_ms = d->now.boot_ms + d->t->limits.guard_ms;
		decision_write_life(d, h, &l);
		if (n > h->order->last_n)
			decision_write_order(d, h->order, n, true);
		decision_answer(d, HA_OK, 0);
	} else {
		decision_answer(d,
		    h->life.state == HOLD_REMOVED && h->life.paid ? HA_REPLAY : HA_NO_HOLD, 0);
	}
}

/* The user gave up before paying. */
static void
remove_unpaid(struct decision *d, const struct hold *h)
{
	switch (hold_state_at(h, d->now.boot_ms)) {
	case HOLD_HELD:
	case HOLD_READY:
		decision_write_step(d, h, HOLD_EV_REMOVE);
		decision_answer(d, HA_OK, 0);
		break;
	case HOLD_EXPIRED:
		decision_write_step(d, h, HOLD_EV_FENCE);
		decision_answer(d, HA_OK, 0);
		break;
	case HOLD_APPROVING:
	case HOLD_UNKNOWN:
	case HOLD_REVIEW:
		decision_answer(d, HA_IN_PROGRESS, RETRY_MS);
		break;
	default:
		decision_answer(d, h->life.paid ? HA_ORDER_PAID : HA_REPLAY, 0);
		break;
	}
}

bool
hold_table_remove(struct hold_table *t, uint64_t id, bool by_reservation, int64_t n, struct now now,
    struct hold_answer *out, struct error *err)
{
	struct decision d = decision_begin(t, now, out);
	const struct hold *h = decision_find(&d, id);

	if (!decision_usable(t, err))
		return false;
	if (n < 0)
		return error_set(err, ERR_INPUT, "number out of range");
	if (h == NULL) {
		decision_answer(&d, HA_NO_HOLD, 0);
		return true;
	}
	decision_show(&d, h);
	if (by_reservation)
		remove_paid(&d, h, n);
	else
		remove_unpaid(&d, h);
	return decision_finish(&d, err);
}
