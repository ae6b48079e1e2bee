#include "config.h"

#include "courier/round.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/log.h"
#include "courier/name_set.h"
#include "delivery/outbox.h"
#include "delivery/webhook.h"
#include "site/metrics.h"

/* A message that is not known costs a few reads: a look takes LOOKS_MAX of them at most, what it
 * found is posted, and the next look goes on. */
enum {
	STORE_MS = 5000,
	LIST_MS = 60000,
	LIST_MAX = 10000,
	LOOKS_MAX = 64,
	RETRY_STORE_MS = 1000,
	PEERS = 2
};

struct known { /* a message that was looked at, and is not due */
	UT_hash_handle hh;
	int64_t due_ms;	  /* wall; INT64_MAX: never again */
	int64_t again_ms; /* as the message says */
	bool listed;
	char id[MESSAGE_ID_CAP];
};

struct round {
	const struct conf *conf;
	struct store *store;
	char by[64];
	bool allowed;		     /* database and queue belong together */
	bool away;		     /* the store, as last logged */
	struct name *posting, *told; /* what is being posted; of what something was said already */
	struct known *known;
	int looks;   /* of the round under way */
	bool more;   /* it did not come to the end of the outbox */
	bool unsure; /* the last message looked at is being tried by another courier */
	size_t n_posting[PEERS];
	struct task *ended;   /* to be written down */
	struct task *waiting; /* due at the last look, and not claimed: no place yet */
	struct task *claimed; /* to be posted */
	bool held;	      /* at the last look something waited for another message */
	int64_t due_ms;
};

void
task_free(struct task **t)
{
	if (*t == NULL)
		return;
	store_message_clear(&(*t)->message);
	free(*t);
	*t = NULL;
}

static void
push(struct task **list, struct task *t)
{
	while (*list != NULL)
		list = &(*list)->next;
	t->next = NULL;
	*list = t;
}

static struct task *
pop(struct task **list)
{
	struct task *t = *list;

	if (t != NULL)
		*list = t->next;
	return t;
}

static struct known *
find_known(struct round *r, const char *id)
{
	struct known *k;

	HASH_FIND_STR(r->known, id, k);
	return k;
}

static void
forget(struct round *r, struct known *k)
{
	if (k == NULL)
		return;
	HASH_DEL(r->known, k);
	free(k);
}

/* Without memory for it the message is looked at again each time. */
static void
know(struct round *r, const struct store_message *m, int64_t due_ms)
{
	const char *id = m->id;
	struct known *k = find_known(r, id);

	if (k == NULL && (k = calloc(1, sizeof(*k))) != NULL) {
		snprintf(k->id, sizeof(k->id), "%s", id);
		HASH_ADD_STR(r->known, id, k);
	}
	if (k != NULL) {
		k->due_ms = due_ms;
		k->again_ms = m->again_ms;
		k->listed = true;
	}
}

/* What is gone from the outbox. */
static void
forget_unlisted(struct round *r)
{
	struct known *k, *next;

	HASH_ITER(hh, r->known, k, next) {
		if (!k->listed)
			forget(r, k);
		else
			k->listed = false;
	}
}

struct round *
round_new(const struct conf *conf, struct store *store, const char *by)
{
	struct round *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->conf = conf;
	r->store = store;
	snprintf(r->by, sizeof(r->by), "%s", by);
	return r;
}

void
round_free(struct round **r)
{
	struct task *t;

	if (*r == NULL)
		return;
	while ((t = pop(&(*r)->ended)) != NULL || (t = pop(&(*r)->waiting)) != NULL ||
	    (t = pop(&(*r)->claimed)) != NULL)
		task_free(&t);
	for (struct known *k; (k = (*r)->known) != NULL;)
		forget(*r, k);
	name_set_clear(&(*r)->posting);
	name_set_clear(&(*r)->told);
	free(*r);
	*r = NULL;
}

void
round_allow(struct round *r, bool allowed)
{
	r->allowed = allowed;
}

int64_t
round_due_ms(const struct round *r)
{
	return r->due_ms;
}

struct task *
round_take(struct round *r)
{
	return pop(&r->claimed);
}

void
round_finish(struct round *r, struct task *t)
{
	push(&r->ended, t);
}

/* A change of the store's state is told once. */
static void
note_store(struct round *r, bool ok, const struct error *err)
{
	if (ok != r->away)
		return;
	r->away = !ok;
	if (ok)
		log_event(LOG_LEVEL_INFO, "store_back", KV_STR("database", r->conf->database));
	else
		log_event(LOG_LEVEL_ERROR, err->code == ERR_CONFLICT ? "wrong_queue" : "store_away",
		    KV_ERR(err));
}

static void
due_at(struct round *r, int64_t wall_ms)
{
	if (wall_ms < r->due_ms)
		r->due_ms = wall_ms;
}

static size_t
peer_index(const struct round *r, const struct conf_peer *p)
{
	return p == &r->conf->reservation ? 0 : 1;
}

/* NULL: nothing is sent to this peer. Said once for each peer; the messages stay where they are. */
static const struct conf_peer *
find_peer(struct round *r, const char *name)
{
	const struct conf_peer *p = strcmp(name, "reservation") == 0 ? &r->conf->reservation
	    : strcmp(name, "gateway") == 0			     ? &r->conf->gateway
								     : NULL;

	if (p != NULL && p->url[0] != '\0')
		return p;
	if (name_set_add(&r->told, name))
		log_event(LOG_LEVEL_WARN, "peer_not_configured", KV_STR("peer", name),
		    KV_STR("detail", "its messages stay in the outbox"));
	return NULL;
}

/* -- how posts ended */

/*
 * 410 says that there is no such address any more (RFC 9110), and that nobody should send to it
 * again (Standard Webhooks). We owe the message all the same: the tries go on, because somebody may
 * put the address right. Told once for a peer, and again after the peer has taken something.
 */
static void
note_gone(struct round *r, const struct task *t)
{
	char name[sizeof(t->message.peer) + sizeof("gone ")];

	snprintf(name, sizeof(name), "gone %s", t->message.peer);
	if (t->try.acknowledged)
		name_set_drop(&r->told, name);
	else if (outbox_is_gone(t->message.type, t->try.status) && name_set_add(&r->told, name))
		log_event(LOG_LEVEL_ERROR, "hook_gone", KV_STR("peer", t->message.peer),
		    KV_STR("message", t->message.id),
		    KV_STR("detail",
			"the receiver answers 410 Gone: its messages are kept and the "
			"tries go on; put the url of its [deliver] section right"));
}

static int64_t
seconds_until(int64_t at_ms, int64_t now_ms)
{
	return at_ms > now_ms ? (at_ms - now_ms + 999) / 1000 : 0;
}

static void
log_task(const struct task *t, struct now now)
{
	const struct store_try *y = &t->try;

	metrics_count(METRIC_DELIVERIES, t->message.peer,
	    y->acknowledged ? "acknowledged" : "failed");
	metrics_observe_ms(METRIC_DELIVERY_SECONDS, t->message.peer, now.wall_ms - y->at_ms);
	if (y->acknowledged)
		log_event(LOG_LEVEL_INFO, "delivered", KV_STR("message", y->message_id),
		    KV_STR("peer", t->message.peer), KV_INT("try", y->number),
		    KV_INT("ms", now.wall_ms - y->at_ms));
	else
		log_event(LOG_LEVEL_WARN, "delivery_failed", KV_STR("message", y->message_id),
		    KV_STR("peer", t->message.peer), KV_INT("try", y->number),
		    KV_INT("status", y->status), KV_STR("error", y->error),
		    KV_INT("not_before_s", seconds_until(y->not_before_ms, now.wall_ms)));
}

static bool
write_end(struct round *r, const struct task *t, struct now now, struct error *err)
{
	int64_t deadline = now.boot_ms + STORE_MS;

	if (!store_try_finish(r->store, &t->try, deadline, err) && err->code != ERR_NOT_FOUND)
		return false; /* not found: an older copy of the database was put back; what was
				 delivered was delivered */
	return (!t->try.acknowledged && !outbox_is_test(&t->message)) ||
	    store_outbox_delete(r->store, t->try.message_id, deadline, err);
}

static void
write_ends(struct round *r, struct now now)
{
	struct error err = { 0 };
	struct task *t;

	while ((t = r->ended) != NULL) {
		if (!write_end(r, t, now, &err)) { /* repeatable: the next round begins here */
			note_store(r, false, &err);
			due_at(r, now.wall_ms + RETRY_STORE_MS);
			return;
		}
		note_store(r, true, NULL);
		log_task(t, now);
		note_gone(r, t);
		if (r->held)
			due_at(r, now.wall_ms);
		r->n_posting[peer_index(r, t->peer)]--;
		name_set_drop(&r->posting, t->try.message_id);
		forget(r, find_known(r, t->try.message_id));
		pop(&r->ended);
		task_free(&t);
	}
}

/* -- what is owed */

static void
tell_once(struct round *r, const char *event, const struct store_message *m)
{
	if (name_set_add(&r->told, m->id))
		log_event(LOG_LEVEL_ERROR, event, KV_STR("message", m->id), KV_STR("peer", m->peer),
		    KV_INT("tries", m->tries), KV_INT("owed_since_ms", m->at_ms));
}

/*
 * A message whose next try would be due: how did the last one end? It may be another courier's that
 * still runs, or one whose courier died: that counts as a failed one from the moment on at which it
 * must have ended. *due_ms: when the next try is due, -1: never. False: the store.
 */
static bool
read_last_try(struct round *r, const struct store_message *m, int64_t after_ms, int64_t *due_ms,
    struct now now, struct error *err)
{
	struct store_try *tries = NULL, last;
	size_t n = 0;

	if (!store_try_list(r->store, m->id, &tries, &n, now.boot_ms + STORE_MS, err))
		return false;
	if (n == 0)
		return true;
	last = tries[n - 1];
	free(tries);
	r->unsure = !last.ended;
	if (outbox_is_test(m) &&
	    (last.ended || now.wall_ms >= last.at_ms + WEBHOOK_POST_LIMIT_MS)) {
		*due_ms = -1; /* once is enough */
		return store_outbox_delete(r->store, m->id, now.boot_ms + STORE_MS, err);
	} else if (!last.ended) {
		*due_ms = last.at_ms + WEBHOOK_POST_LIMIT_MS + after_ms;
	} else if ((last.acknowledged && after_ms > 0) || last.withdrawn) { /* only its removal was
									       lost */
		*due_ms = -1;
		return store_outbox_delete(r->store, m->id, now.boot_ms + STORE_MS, err);
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
	*due_ms = after_ms < 0 || (!again && name_set_has(r->told, m->id))
	    ? -1
	    : m->last_try_ms + after_ms;
	if (after_ms < 0)
		tell_once(r, "undelivered", m);
	if (*due_ms < 0 || *due_ms > now.wall_ms)
		return true;
	return read_last_try(r, m, after_ms, due_ms, now, err);
}

/* The insert of the try decides who makes it. Takes the task: claimed, or freed. */
static bool
claim(struct round *r, struct task *t, struct now now, struct error *err)
{
	const struct store_message *m = &t->message;
	enum store_put how;

	t->try.number = m->tries + 1;
	t->try.at_ms = now.wall_ms;
	memcpy(t->try.message_id, m->id, sizeof(t->try.message_id));
	memcpy(t->try.by, r->by, sizeof(t->try.by));
	if (!store_try_claim(r->store, &t->try, &how, now.boot_ms + STORE_MS, err)) {
		task_free(&t);
		return false; /* it may be claimed now: then it counts as a try that never ended */
	}
	if (how == STORE_TAKEN || !name_set_add(&r->posting, m->id)) {
		task_free(&t);
		return true;
	}
	r->n_posting[peer_index(r, t->peer)]++;
	push(&r->claimed, t);
	return true;
}

/* Each peer has its own places: one that hangs keeps nothing from the other. */
static bool
claim_waiting(struct round *r, struct now now, struct error *err)
{
	struct task **at = &r->waiting, *t;

	while ((t = *at) != NULL) {
		if (r->n_posting[peer_index(r, t->peer)] >= (size_t)r->conf->courier_parallel) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		now.boot_ms = clock_boot_ms();
		if (!claim(r, t, now, err))
			return false;
	}
	return true;
}

/* It was taken once, and an operator wants it sent again: what follows it waits for that. */
static bool
is_sent_again(struct round *r, const char *id, const struct store_try *last, bool *again,
    struct now now, struct error *err)
{
	struct store_message m;
	bool found;

	if (!store_outbox_get(r->store, id, &m, &found, now.boot_ms + STORE_MS, err))
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
	if (!store_try_list(r->store, id, &tries, &n, now.boot_ms + STORE_MS, err))
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
	struct task **at = &r->waiting;

	while (*at != NULL && (*at)->message.tries <= t->message.tries)
		at = &(*at)->next;
	t->next = *at;
	*at = t;
}

/* A message that is due is moved out of *m, into r->waiting. */
static bool
look_at(struct round *r, struct store_message *m, struct now now, struct error *err)
{
	bool may;
	const struct conf_peer *peer = find_peer(r, m->peer);
	struct task *t;
	int64_t due_ms;

	if (peer == NULL || name_set_has(r->posting, m->id))
		return true;
	now.boot_ms = clock_boot_ms();
	r->looks++;
	r->unsure = false;
	if (!store_outbox_tries(r->store, m, now.boot_ms + STORE_MS, err) ||
	    !find_due(r, m, &due_ms, now, err))
		return false;
	if (due_ms < 0 || due_ms > now.wall_ms) {
		if (!r->unsure) /* else the other one may end sooner: looked at again with the next
				   poll */
			know(r, m, due_ms < 0 ? INT64_MAX : due_ms);
		if (due_ms >= 0)
			due_at(r, due_ms);
		return true;
	}
	if (!may_follow(r, m, &may, now, err))
		return false;
	if (!may) {
		r->held = true;
		return true;
	}
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return error_set(err, ERR_INTERNAL, "out of memory");
	t->peer = peer;
	t->message = *m;
	*m = (struct store_message){ 0 };
	wait_in_line(r, t);
	return true;
}

/* One that waits for its time is not looked at before. */
static bool
is_waiting(struct round *r, const struct store_message *m, struct now now)
{
	struct known *k = find_known(r, m->id);

	if (k == NULL)
		return false;
	if (k->again_ms != m->again_ms) { /* an operator wants it tried once more */
		forget(r, k);
		return false;
	}
	k->listed = true;
	if (k->due_ms > now.wall_ms && k->due_ms != INT64_MAX)
		due_at(r, k->due_ms);
	return k->due_ms > now.wall_ms;
}

/* What was not looked at yet goes first. */
static bool
look_at_all(struct round *r, struct store_message *m, size_t n, const bool *held, struct now now,
    struct error *err)
{
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < n; i++) {
			if (m[i].body == NULL || (pass == 0) != (find_known(r, m[i].id) == NULL))
				continue;
			r->held = r->held || held[i];
			if (held[i] || is_waiting(r, &m[i], now))
				continue;
			if (r->looks >= LOOKS_MAX) {
				r->more = true;
				continue;
			}
			if (!look_at(r, &m[i], now, err))
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

static bool
look_for_due(struct round *r, struct now now, struct error *err)
{
	bool *held;
	struct task *old;
	struct store_message *m = NULL;
	bool ok = true;
	size_t n = 0;

	while ((old = pop(&r->waiting)) != NULL)
		task_free(&old);
	if (!store_outbox_list(r->store, LIST_MAX, &m, &n, now.boot_ms + LIST_MS, err))
		return false;
	if (n == LIST_MAX && name_set_add(&r->told, ""))
		log_event(LOG_LEVEL_ERROR, "outbox_long", KV_INT("at_least", n),
		    KV_STR("detail", "what is beyond waits"));
	metrics_set(METRIC_OUTBOX, (int64_t)n);
	metrics_set(METRIC_OUTBOX_OLDEST, n > 0 ? m[0].at_ms / 1000 : 0);
	metrics_set(METRIC_COURIER_LOOK, now.wall_ms / 1000);
	r->held = false;
	r->looks = 0;
	r->more = false;
	held = find_held(m, n);
	if (held == NULL)
		ok = error_set(err, ERR_INTERNAL, "out of memory");
	else
		ok = look_at_all(r, m, n, held, now, err);
	if (ok)
		forget_unlisted(r);
	for (size_t i = 0; i < n; i++)
		store_message_clear(&m[i]);
	free(held);
	free(m);
	return ok;
}

void
round_run(struct round *r, enum round_look look, struct now now)
{
	struct error err = { 0 };
	bool ok = true, looks;

	write_ends(r, now);
	if (r->ended != NULL || look == ROUND_WRITE_ENDS)
		return;
	looks = look == ROUND_LOOK || now.wall_ms >= r->due_ms;
	if (!looks && r->waiting == NULL)
		return;
	if (looks) {
		r->due_ms = now.wall_ms + ROUND_POLL_MS;
		ok = !r->allowed || look_for_due(r, now, &err);
	}
	ok = ok && claim_waiting(r, now, &err);
	if (r->more && r->waiting == NULL) /* the rest at once, after what was found is posted */
		due_at(r, now.wall_ms);
	note_store(r, ok, &err);
	if (!ok)
		due_at(r, now.wall_ms + RETRY_STORE_MS);
}
