#include "config.h"

#include "courier/round.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
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

	HASH_FIND_STR(r->known, id, k);
	return k;
}

void
round_know(struct round *r, const struct store_message *m, int64_t due_ms)
{
	const char *id = m->id;
	struct known *k = round_known(r, id);

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

void
round_forget(struct round *r, struct known *k)
{
	if (k == NULL)
		return;
	HASH_DEL(r->known, k);
	free(k);
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
	while ((t = task_pop(&(*r)->ended)) != NULL || (t = task_pop(&(*r)->waiting)) != NULL ||
	    (t = task_pop(&(*r)->claimed)) != NULL)
		task_free(&t);
	for (struct known *k; (k = (*r)->known) != NULL;)
		round_forget(*r, k);
	name_set_clear(&(*r)->posting);
	name_set_clear(&(*r)->told);
	name_set_clear(&(*r)->lined);
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
	return task_pop(&r->claimed);
}

void
round_finish(struct round *r, struct task *t)
{
	task_push(&r->ended, t);
}

void
round_note_store(struct round *r, bool ok, const struct error *err)
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

void
round_due_at(struct round *r, int64_t wall_ms)
{
	if (wall_ms < r->due_ms)
		r->due_ms = wall_ms;
}

size_t
round_peer_index(const struct round *r, const struct conf_peer *p)
{
	return p == &r->conf->reservation ? 0 : 1;
}

/* ---- claims: the insert of a try decides who makes it */

struct batch {
	struct task *tasks[BATCH_MAX];
	const struct store_try *tries[BATCH_MAX];
	enum store_put hows[BATCH_MAX];
	size_t n, of_peer[PEERS];
};

/* Out of those that wait, as many as there are places. Each peer has its own: one that hangs keeps
 * nothing from the other. */
static void
fill_batch(struct round *r, struct batch *b, struct now now)
{
	struct task **at = &r->waiting, *t;

	*b = (struct batch){ .n = 0 };
	while ((t = *at) != NULL && b->n < BATCH_MAX) {
		size_t peer = round_peer_index(r, t->peer);

		if (r->n_posting[peer] + b->of_peer[peer] >= (size_t)r->conf->courier_parallel) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		name_set_drop(&r->lined, t->message.id);
		t->try.number = t->message.tries + 1;
		t->try.at_ms = now.wall_ms;
		memcpy(t->try.message_id, t->message.id, sizeof(t->try.message_id));
		memcpy(t->try.by, r->by, sizeof(t->try.by));
		b->of_peer[peer]++;
		b->tries[b->n] = &t->try;
		b->tasks[b->n++] = t;
	}
}

/* Takes the task. One that was never looked at, and was tried before, is looked at now. */
static bool
end_claim(struct round *r, struct task *t, enum store_put how, struct now now, struct error *err)
{
	bool ok = true;

	if (how == STORE_OURS && name_set_add(&r->posting, t->message.id)) {
		r->n_posting[round_peer_index(r, t->peer)]++;
		task_push(&r->claimed, t);
		return true;
	}
	if (how == STORE_TAKEN && t->guessed && t->message.at_ms > now.wall_ms - ROUND_POLL_MS)
		round_know(r, &t->message, now.wall_ms + AGAIN_MS); /* another courier has just
								       begun with it */
	else if (how == STORE_TAKEN && t->guessed)
		ok = round_look_at(r, &t->message, now, err);
	task_free(&t);
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
		ok = store_try_claim_many(r->store, b.tries, b.n, b.hows, now.boot_ms + STORE_MS,
		    err);
		for (size_t i = 0; i < b.n; i++) {
			if (ok)
				ok = end_claim(r, b.tasks[i], b.hows[i], now, err);
			else
				task_free(&b.tasks[i]);
		}
		if (!ok)
			return false;
	}
}

/*
 * At what is new, or at everything. Called for something new that is not there, it looks at
 * everything as well, though not more than once a second: an operator may want a message sent
 * again.
 */
static bool
look(struct round *r, bool whole, struct now now, struct error *err)
{
	if (!round_look_for_due(r, whole, now, err))
		return false;
	if (whole || r->news)
		return true;
	if (now.wall_ms >= r->whole_ms + AGAIN_MS)
		return round_look_for_due(r, true, now, err);
	round_due_at(r, r->whole_ms + AGAIN_MS);
	return true;
}

void
round_run(struct round *r, enum round_look which, struct now now)
{
	struct error err = { 0 };
	bool ok = true, looks, whole;

	round_write_ends(r, now);
	if (r->ended != NULL || which == ROUND_WRITE_ENDS)
		return;
	whole = now.wall_ms >= r->due_ms;
	looks = which == ROUND_LOOK || whole;
	if (!looks && r->waiting == NULL)
		return;
	if (whole)
		r->due_ms = now.wall_ms + ROUND_POLL_MS;
	if (looks)
		ok = !r->allowed || look(r, whole, now, &err);
	ok = ok && claim_waiting(r, now, &err);
	if (r->more && r->waiting == NULL) /* the rest at once, after what was found is posted */
		round_due_at(r, now.wall_ms);
	round_note_store(r, ok, &err);
	if (!ok)
		round_due_at(r, now.wall_ms + RETRY_STORE_MS);
}
