/* How posts ended, written down. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "courier/round_state.h"
#include "site/metrics.h"

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
		name_set_drop(&r->b->told, name);
	else if (outbox_is_gone(t->message.type, t->try.status) && name_set_add(&r->b->told, name))
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

/* It is not owed any more. */
static bool
is_over(const struct task *t)
{
	return t->try.acknowledged || outbox_is_test(&t->message);
}

/* The tries, then the outbox: a message is removed when the end of its try is safe, because what
 * follows it asks whether it was taken. Many in a command. False: the store. */
static bool
write_batch(struct round *r, struct task *const *tasks, size_t n, struct now now, struct error *err)
{
	int64_t deadline = now.boot_ms + STORE_MS;
	const struct store_try *tries[BATCH_MAX];
	const char *gone[BATCH_MAX];
	size_t n_gone = 0;

	for (size_t i = 0; i < n; i++) {
		tries[i] = &tasks[i]->try;
		if (is_over(tasks[i]))
			gone[n_gone++] = tasks[i]->message.id;
	}
	/* A try that is not there: an older copy of the database was put back; what was delivered
	 * was delivered. */
	return store_try_finish_many(r->store, tries, n, deadline, err) &&
	    store_outbox_delete_many(r->store, gone, n_gone, deadline, err);
}

static void
end_task(struct round *r, struct task *t, struct now now)
{
	log_task(t, now);
	note_gone(r, t);
	if (r->b->held)
		round_due_at(r, now.wall_ms);
	name_set_drop(&r->b->posting, t->try.message_id);
	/* A look that began before the message was deleted may still find it. When the next try of
	 * a failed one is due is read with the next look. */
	round_know(r, &t->message, is_over(t) ? now.wall_ms + SETTLED_MS : now.wall_ms);
	task_free(&t);
}

bool
round_write_ends(struct round *r, struct now now)
{
	struct task *tasks[BATCH_MAX];
	struct error err = { 0 };
	bool ok = true;
	size_t n;

	do {
		for (n = 0; n < BATCH_MAX && (tasks[n] = task_pop(&r->b->ended)) != NULL;)
			n++;
		now.boot_ms = clock_boot_ms();
		if (n > 0) {
			ok = UNLOCKED(r, write_batch(r, tasks, n, now, &err));
			round_note_store(r, ok, &err);
		}
		for (size_t i = 0; i < n; i++) {
			if (ok)
				end_task(r, tasks[i], now);
			else /* repeatable */
				task_push(&r->b->ended, tasks[i]);
		}
	} while (ok && n == BATCH_MAX);
	return ok;
}
