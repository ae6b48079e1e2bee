/* What is owed, and when the next try of it is due. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "courier/round_state.h"
#include "delivery/webhook.h"
#include "site/metrics.h"

/* What is gone from the outbox. */
static void
forget_unlisted(struct round *r)
{
	struct known *k, *next;

	HASH_ITER(hh, r->b->known, k, next) {
		if (!k->listed)
			round_forget(r, k);
		else
			k->listed = false;
	}
}

/* NULL: nothing is sent to this peer. Said once for each peer; the messages stay where they are. */
static const struct conf_peer *
find_peer(struct round *r, const char *name)
{
	const struct conf_peer *p = strcmp(name, "reservation") == 0 ? &r->b->conf->reservation
	    : strcmp(name, "gateway") == 0			     ? &r->b->conf->gateway
								     : NULL;

	if (p != NULL && p->url[0] != '\0')
		return p;
	if (name_set_add(&r->b->told, name))
		log_event(LOG_LEVEL_WARN, "peer_not_configured", KV_STR("peer", name),
		    KV_STR("detail", "its messages stay in the outbox"));
	return NULL;
}

static void
tell_once(struct round *r, const char *event, const struct store_message *m)
{
	if (name_set_add(&r->b->told, m->id))
		log_event(LOG_LEVEL_ERROR, event, KV_STR("message", m->id), KV_STR("peer", m->peer),
		    KV_INT("tries", m->tries), KV_INT("owed_since_ms", m->at_ms));
}

/*
 * It is not owed any more. Its removal may be lost as well, with the server: then it is found again
 * by a later look.
 */
static bool
remove_settled(struct round *r, const struct store_message *m, int64_t *due_ms, struct now now,
    struct error *err)
{
	*due_ms = now.wall_ms + SETTLED_MS;
	return UNLOCKED(r, store_outbox_delete(r->store, m->id, now.boot_ms + STORE_MS, err));
}

/*
 * A message whose next try would be due: how did the last one end? It may be another courier's that
 * still runs, or one whose courier died: that counts as a failed one from the moment on at which it
 * must have ended. *due_ms: when the next try or look is due, -1: never. False: the store.
 */
static bool
read_last_try(struct round *r, const struct store_message *m, int64_t after_ms, int64_t *due_ms,
    struct now now, struct error *err)
{
	struct store_try *tries = NULL, last;
	size_t n = 0;

	if (!UNLOCKED(r, store_try_list(r->store, m->id, &tries, &n, now.boot_ms + STORE_MS, err)))
		return false;
	if (n == 0)
		return true;
	last = tries[n - 1];
	free(tries);
	r->unsure = !last.ended;
	if (outbox_is_test(m) &&
	    (last.ended || now.wall_ms >= last.at_ms + WEBHOOK_POST_LIMIT_MS)) {
		return remove_settled(r, m, due_ms, now, err); /* once is enough */
	} else if (!last.ended) {
		*due_ms = last.at_ms + WEBHOOK_POST_LIMIT_MS + after_ms;
	} else if ((last.acknowledged && after_ms > 0) || last.withdrawn) { /* only its removal was
									       lost */
		return remove_settled(r, m, due_ms, now, err);
	} else if (outbox_is_unbookable(m->type, last.status)) {
		*due_ms = -1;
		tell_once(r, "unbookable", m);
	} else if (after_ms > 0 && *due_ms < last.not_before_ms) { /* the receiver's Retry-After */
		*due_ms = last.not_before_ms;
	}
	return true;
}

static bool
find_due(struct round *r, const struct store_message *m, int64_t *due_ms, struct now now,
    struct error *err)
{
	bool again = m->again_ms > m->last_try_ms; /* an operator's wish, whatever schedule and
						      receiver say */
	int64_t after_ms;

	*due_ms = m->at_ms < now.wall_ms ? m->at_ms : now.wall_ms; /* never tried: now */
	if (m->tries == 0)
		return true;
	after_ms = again ? 0 : webhook_retry_after_ms(m->tries, m->last_try_ms - m->at_ms);
	*due_ms = after_ms < 0 || (!again && name_set_has(r->b->told, m->id))
	    ? -1
	    : m->last_try_ms + after_ms;
	if (after_ms < 0)
		tell_once(r, "undelivered", m);
	if (*due_ms < 0 || *due_ms > now.wall_ms)
		return true;
	return read_last_try(r, m, after_ms, due_ms, now, err);
}

/* It was taken once, and an operator wants it sent again: what follows it waits for that. */
static bool
is_sent_again(struct round *r, const char *id, const struct store_try *last, bool *again,
    struct now now, struct error *err)
{
	struct store_message m;
	bool found;

	if (!UNLOCKED(r, store_outbox_get(r->store, id, &m, &found, now.boot_ms + STORE_MS, err)))
		return false;
	*again = found && m.again_ms > last->at_ms;
	if (found)
		store_message_clear(&m);
	return true;
}

/* What the reservation service must hear first, it has heard, or never will. */
static bool
may_follow(struct round *r, const struct store_message *m, bool *may, struct now now,
    struct error *err)
{
	struct store_try *tries = NULL, last = { 0 };
	char id[MESSAGE_ID_CAP];
	bool again = false;
	size_t n = 0;

	*may = true;
	if (!outbox_follows_approved(m))
		return true;
	outbox_id(OUTBOX_PAYMENT_APPROVED, m->tid, 0, id);
	if (!UNLOCKED(r, store_try_list(r->store, id, &tries, &n, now.boot_ms + STORE_MS, err)))
		return false;
	if (n > 0)
		last = tries[n - 1];
	free(tries);
	*may = n > 0 && outbox_was_heard(&last);
	if (*may && last.acknowledged && !is_sent_again(r, id, &last, &again, now, err))
		return false;
	*may = *may && !again;
	return true;
}

/* What was tried least goes first: a crowd that fails again and again does not stand before a new
 * message. */
static void
wait_in_line(struct round *r, struct task *t)
{
	struct task **at = &r->b->waiting;

	while (*at != NULL && (*at)->message.tries <= t->message.tries)
		at = &(*at)->next;
	t->next = *at;
	*at = t;
	name_set_add(&r->b->lined, t->message.id);
}

/* Takes the message out of *m. */
static bool
line_up(struct round *r, const struct conf_peer *peer, struct store_message *m, bool guessed,
    struct error *err)
{
	struct task *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return error_set(err, ERR_INTERNAL, "out of memory");
	t->peer = peer;
	t->guessed = guessed;
	t->look = r->b->looks;
	t->message = *m;
	*m = (struct store_message){ 0 };
	wait_in_line(r, t);
	return true;
}

/* It was never seen: very likely it was never tried, and the claim of its first try tells if it
 * was. */
static bool
may_guess(const struct store_message *m)
{
	return m->again_ms == 0 && !outbox_follows_approved(m);
}

static bool
guess(struct round *r, struct store_message *m, struct error *err)
{
	const struct conf_peer *peer = find_peer(r, m->peer);

	if (peer == NULL || round_is_under_way(r, m))
		return true;
	r->guesses++;
	return line_up(r, peer, m, true, err);
}

bool
round_look_at(struct round *r, struct store_message *m, struct now now, struct error *err)
{
	bool may;
	const struct conf_peer *peer = find_peer(r, m->peer);
	int64_t due_ms;

	if (peer == NULL || round_is_under_way(r, m))
		return true;
	now.boot_ms = clock_boot_ms();
	r->looks++;
	r->unsure = false;
	if (!UNLOCKED(r, store_outbox_tries(r->store, m, now.boot_ms + STORE_MS, err)) ||
	    !find_due(r, m, &due_ms, now, err))
		return false;
	if (due_ms < 0 || due_ms > now.wall_ms) {
		if (r->unsure && due_ms > now.wall_ms + AGAIN_MS) /* the other one may end sooner */
			due_ms = now.wall_ms + AGAIN_MS;
		round_know(r, m, due_ms < 0 ? INT64_MAX : due_ms);
		if (due_ms >= 0)
			round_due_at(r, due_ms);
		return true;
	}
	if (!may_follow(r, m, &may, now, err))
		return false;
	if (!may) {
		r->b->held = true;
		return true;
	}
	/* While the store worked, another round may have begun with it. */
	return round_is_under_way(r, m) || line_up(r, peer, m, false, err);
}

/* One that waits for its time is not looked at before. */
static bool
is_waiting(struct round *r, const struct store_message *m, struct now now)
{
	struct known *k = round_known(r, m->id);

	if (k == NULL)
		return false;
	if (k->again_ms != m->again_ms) { /* an operator wants it tried once more */
		round_forget(r, k);
		return false;
	}
	k->listed = true;
	if (k->due_ms > now.wall_ms && k->due_ms != INT64_MAX)
		round_due_at(r, k->due_ms);
	return k->due_ms > now.wall_ms;
}

static bool
look_at_one(struct round *r, struct store_message *m, bool known, struct now now, struct error *err)
{
	bool guesses = !known && may_guess(m);

	if (guesses ? r->guesses >= GUESSES_MAX : r->looks >= LOOKS_MAX) {
		r->more = true;
		return true;
	}
	return guesses ? guess(r, m, err) : round_look_at(r, m, now, err);
}

/* What was not looked at yet goes first. */
static bool
look_at_all(struct round *r, struct store_message *m, size_t n, const bool *held, struct now now,
    struct error *err)
{
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < n; i++) {
			bool known = m[i].body != NULL && round_known(r, m[i].id) != NULL;

			if (m[i].body == NULL || (pass == 0) == known)
				continue;
			r->b->held = r->b->held || held[i];
			if (!held[i] && !is_waiting(r, &m[i], now) &&
			    !look_at_one(r, &m[i], known, now, err))
				return false;
		}
	return true;
}

static int
by_order(const void *a, const void *b)
{
	return outbox_compare(*(struct store_message *const *)a, *(struct store_message *const *)b);
}

/* held[i]: m[i] waits for another one of the list. NULL: no memory. */
static bool *
find_held(const struct store_message *m, size_t n)
{
	const struct store_message **some = calloc(n + 1, sizeof(*some));
	bool *held = calloc(n + 1, sizeof(*held));
	size_t k = 0;

	for (size_t i = 0; some != NULL && held != NULL && i < n; i++)
		if (outbox_follows_approved(&m[i]))
			some[k++] = &m[i];
	if (k > 1)
		qsort(some, k, sizeof(some[0]), by_order);
	for (size_t i = 1; i < k; i++)
		held[some[i] - m] = outbox_waits_for(some[i], some[i - 1]);
	if (some == NULL) {
		free(held);
		held = NULL;
	}
	free(some);
	return held;
}

/* What was found before this look, and is not being claimed: it finds it anew, or it is gone. */
static void
clear_line(struct round *r, int64_t look)
{
	struct task **at = &r->b->waiting, *t;

	while ((t = *at) != NULL) {
		if (t->look >= look) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		name_set_drop(&r->b->lined, t->message.id);
		task_free(&t);
	}
}

static bool
look_at_whole(struct round *r, struct store_message *m, size_t n, int64_t look, struct now now,
    struct error *err)
{
	bool *held = find_held(m, n), ok;

	if (n == LIST_MAX && name_set_add(&r->b->told, ""))
		log_event(LOG_LEVEL_ERROR, "outbox_long", KV_INT("at_least", n),
		    KV_STR("detail", "what is beyond waits"));
	metrics_set(METRIC_OUTBOX, (int64_t)n);
	metrics_set(METRIC_OUTBOX_OLDEST, n > 0 ? m[0].at_ms / 1000 : 0);
	clear_line(r, look);
	r->b->held = false;
	ok = held != NULL ? look_at_all(r, m, n, held, now, err)
			  : error_set(err, ERR_INTERNAL, "out of memory");
	if (ok)
		forget_unlisted(r);
	free(held);
	return ok;
}

/* What may have to wait for another message is looked at with the whole outbox. */
static bool
look_at_new(struct round *r, struct store_message *m, size_t n, struct now now, struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		if (round_known(r, m[i].id) != NULL || round_is_under_way(r, &m[i]))
			continue;
		r->news = true;
		if (!may_guess(&m[i]))
			round_due_at(r, now.wall_ms);
		else if (!look_at_one(r, &m[i], false, now, err))
			return false;
	}
	return true;
}

static bool
list(struct round *r, bool whole, struct store_message **m, size_t *n, int64_t deadline,
    struct error *err)
{
	int64_t from_ms = r->b->seen_ms - TAIL_MS;

	return UNLOCKED(r,
	    whole ? store_outbox_list(r->store, LIST_MAX, m, n, deadline, err)
		  : store_outbox_since(r->store, from_ms, LIST_MAX, m, n, deadline, err));
}

bool
round_look_for_due(struct round *r, bool whole, struct now now, struct error *err)
{
	int64_t this_look = ++r->b->looks;
	struct store_message *m = NULL;
	size_t n = 0;
	bool ok;

	if (!list(r, whole, &m, &n, now.boot_ms + LIST_MS, err))
		return false;
	metrics_set(METRIC_COURIER_LOOK, now.wall_ms / 1000);
	for (size_t i = 0; i < n; i++)
		if (m[i].at_ms > r->b->seen_ms && m[i].at_ms <= now.wall_ms)
			r->b->seen_ms = m[i].at_ms;
	r->looks = r->guesses = 0;
	r->more = r->news = false;
	if (whole)
		r->b->whole_ms = now.wall_ms;
	ok = whole ? look_at_whole(r, m, n, this_look, now, err) : look_at_new(r, m, n, now, err);
	for (size_t i = 0; i < n; i++)
		store_message_clear(&m[i]);
	free(m);
	return ok;
}
