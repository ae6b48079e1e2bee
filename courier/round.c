#include "config.h"

#include "courier/round.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "courier/round_state.h"

void
task_free(struct task **t)
{
	if (*t == NULL)
		return;
	store_message_clear(&(*t)->message);
	free(*t);
	*t = NULL;
}

void
task_push(struct task **list, struct task *t)
{
	while (*list != NULL)
		list = &(*list)->next;
	t->next = NULL;
	*list = t;
}

struct task *
task_pop(struct task **list)
{
	struct task *t = *list;

	if (t != NULL)
		*list = t->next;
	return t;
}

struct known *
round_known(struct round *r, const char *id)
{
	struct known *k;

	HASH_FIND_STR(r->b->known, id, k);
	return k;
}

void
round_know(struct round *r, const struct store_message *m, int64_t due_ms)
{
	const char *id = m->id;
	struct known *k = round_known(r, id);

	if (k == NULL && (k = calloc(1, sizeof(*k))) != NULL) {
		text_copy(k->id, sizeof(k->id), id);
		HASH_ADD_STR(r->b->known, id, k);
	}
	if (k != NULL) {
		k->due_ms = due_ms;
		k->again_ms = m->again_ms;
		k->listed = true;
	}
}

void
round_forget(struct round *r, struct known *k)
{
	if (k == NULL)
		return;
	HASH_DEL(r->b->known, k);
	free(k);
}

bool
round_is_under_way(const struct round *r, const struct store_message *m)
{
	return name_set_has(r->b->posting, m->id) || name_set_has(r->b->lined, m->id);
}

void
round_lock(struct round *r)
{
	pthread_mutex_lock(&r->b->mutex);
}

void
round_unlock(struct round *r)
{
	pthread_mutex_unlock(&r->b->mutex);
}

bool
round_lock_after(struct round *r, bool done)
{
	round_lock(r);
	return done;
}

struct round *
round_new(const struct conf *conf, struct store *store, const char *by)
{
	struct round *r = calloc(1, sizeof(*r));
	struct backlog *b = calloc(1, sizeof(*b));

	if (r == NULL || b == NULL || pthread_mutex_init(&b->mutex, NULL) != 0) {
		free(r);
		free(b);
		return NULL;
	}
	b->conf = conf;
	text_copy(b->by, sizeof(b->by), by);
	b->rounds = 1;
	r->b = b;
	r->store = store;
	return r;
}

struct round *
round_beside(struct round *other, struct store *store)
{
	struct round *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->b = other->b;
	r->b->rounds++;
	r->store = store;
	return r;
}

static void
free_backlog(struct round *last)
{
	struct backlog *b = last->b;
	struct task *t;

	while ((t = task_pop(&b->ended)) != NULL || (t = task_pop(&b->waiting)) != NULL ||
	    (t = task_pop(&b->claimed)) != NULL)
		task_free(&t);
	while (b->known != NULL)
		round_forget(last, b->known);
	name_set_clear(&b->posting);
	name_set_clear(&b->told);
	name_set_clear(&b->lined);
	pthread_mutex_destroy(&b->mutex);
	free(b);
}

void
round_free(struct round **r)
{
	if (*r == NULL)
		return;
	if (--(*r)->b->rounds == 0)
		free_backlog(*r);
	free(*r);
	*r = NULL;
}

void
round_allow(struct round *r, bool allowed)
{
	round_lock(r);
	r->b->allowed = allowed;
	round_unlock(r);
}

int64_t
round_due_ms(struct round *r)
{
	int64_t due_ms;

	round_lock(r);
	due_ms = r->b->due_ms;
	round_unlock(r);
	return due_ms;
}

struct task *
round_take(struct round *r)
{
	struct task *t;

	round_lock(r);
	t = task_pop(&r->b->claimed);
	round_unlock(r);
	return t;
}

void
round_finish(struct round *r, struct task *t)
{
	round_lock(r);
	r->b->n_posting[round_peer_index(r, t->peer)]--;
	task_push(&r->b->ended, t);
	round_unlock(r);
}

bool
round_has_ends(struct round *r)
{
	bool any;

	round_lock(r);
	any = r->b->ended != NULL;
	round_unlock(r);
	return any;
}

static bool
has_place(const struct round *r, const struct task *t)
{
	return r->b->n_posting[round_peer_index(r, t->peer)] < (size_t)r->b->conf->courier_parallel;
}

bool
round_may_claim(struct round *r)
{
	struct task *t;

	round_lock(r);
	for (t = r->b->waiting; t != NULL && !has_place(r, t);)
		t = t->next;
	round_unlock(r);
	return t != NULL;
}

void
round_note_store(struct round *r, bool ok, const struct error *err)
{
	if (ok != r->b->away)
		return;
	r->b->away = !ok;
	if (ok)
		log_event(LOG_LEVEL_INFO, "store_back", KV_STR("database", r->b->conf->database));
	else
		log_event(LOG_LEVEL_ERROR, err->code == ERR_CONFLICT ? "wrong_queue" : "store_away",
		    KV_ERR(err));
}

void
round_due_at(struct round *r, int64_t wall_ms)
{
	if (wall_ms < r->b->due_ms)
		r->b->due_ms = wall_ms;
}

size_t
round_peer_index(const struct round *r, const struct conf_peer *p)
{
	return p == &r->b->conf->reservation ? 0 : 1;
}

/* ---- claims: the insert of a try decides who makes it */

struct batch {
	struct task *tasks[BATCH_MAX];
	const struct store_try *tries[BATCH_MAX];
	enum store_put hows[BATCH_MAX];
	size_t n;
};

/* Out of those that wait, as many as there are places. Each peer has its own: one that hangs keeps
 * nothing from the other. */
static void
fill_batch(struct round *r, struct batch *b, struct now now)
{
	struct task **at = &r->b->waiting, *t;

	b->n = 0;
	while ((t = *at) != NULL && b->n < BATCH_MAX) {
		if (!has_place(r, t)) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		t->try.number = t->message.tries + 1;
		t->try.at_ms = now.wall_ms;
		memcpy(t->try.message_id, t->message.id, sizeof(t->try.message_id));
		memcpy(t->try.by, r->b->by, sizeof(t->try.by));
		r->b->n_posting[round_peer_index(r, t->peer)]++;
		b->tries[b->n] = &t->try;
		b->tasks[b->n++] = t;
	}
}

/* It is not ours to post. */
static void
give_up(struct round *r, struct task *t)
{
	name_set_drop(&r->b->lined, t->message.id);
	r->b->n_posting[round_peer_index(r, t->peer)]--;
	task_free(&t);
}

/* Takes the task. One that was never looked at, and was tried before, is looked at now. */
static bool
end_claim(struct round *r, struct task *t, enum store_put how, struct now now, struct error *err)
{
	struct store_message m;
	bool ok = true;

	if (how == STORE_OURS && name_set_add(&r->b->posting, t->message.id)) {
		name_set_drop(&r->b->lined, t->message.id);
		task_push(&r->b->claimed, t);
		return true;
	}
	if (how == STORE_TAKEN && t->guessed && t->message.at_ms > now.wall_ms - ROUND_POLL_MS) {
		round_know(r, &t->message, now.wall_ms + AGAIN_MS); /* another courier has just
								       begun with it */
	} else if (how == STORE_TAKEN && t->guessed) {
		m = t->message;
		t->message.body = NULL; /* moved */
		give_up(r, t);
		ok = round_look_at(r, &m, now, err);
		store_message_clear(&m);
		return ok;
	}
	give_up(r, t);
	return ok;
}

/* What may be claimed by a command without an answer counts as a try that never ended. */
static bool
claim_waiting(struct round *r, struct now now, struct error *err)
{
	struct batch b;
	bool ok = true;

	for (;;) {
		fill_batch(r, &b, now);
		if (b.n == 0)
			return ok;
		now.boot_ms = clock_boot_ms();
		ok = UNLOCKED(r,
		    store_try_claim_many(r->store, b.tries, b.n, b.hows, now.boot_ms + STORE_MS,
			err));
		for (size_t i = 0; i < b.n; i++) {
			if (ok)
				ok = end_claim(r, b.tasks[i], b.hows[i], now, err);
			else
				give_up(r, b.tasks[i]);
		}
		if (!ok)
			return false;
	}
}

/*
 * Called for something new that is not there, everything is looked at as well, though not more than
 * once a second: an operator may want a message sent again.
 */
static bool
look(struct round *r, bool whole, struct now now, struct error *err)
{
	if (!round_look_for_due(r, whole, now, err))
		return false;
	if (!whole && !r->news)
		round_due_at(r, r->b->whole_ms + AGAIN_MS);
	return true;
}

static void
find_and_claim(struct round *r, enum round_part part, struct now now)
{
	bool whole = part == ROUND_LOOK_AT_ALL, ok = true;
	struct error err = { 0 };

	if (whole)
		r->b->due_ms = now.wall_ms + ROUND_POLL_MS;
	if (part != ROUND_CLAIM)
		ok = !r->b->allowed || look(r, whole, now, &err);
	ok = ok && claim_waiting(r, now, &err);
	if (whole && r->more && r->b->waiting == NULL) /* the rest at once, after what was found is
							  posted */
		round_due_at(r, now.wall_ms);
	round_note_store(r, ok, &err);
	if (!ok)
		round_due_at(r, now.wall_ms + RETRY_STORE_MS);
}

bool
round_run(struct round *r, enum round_part part, struct now now)
{
	bool done = true;

	round_lock(r);
	if (part == ROUND_WRITE_ENDS)
		done = round_write_ends(r, now);
	else
		find_and_claim(r, part, now);
	round_unlock(r);
	return done;
}
