#include "config.h"

#include "queued/command.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "queue/wire/proto.h"
#include "queue/wire/verb.h"
#include "queued/batch.h"
#include "queued/callers.h"
#include "queued/look.h"
#include "queued/rule.h"
#include "queued/say.h"
#include "queued/state.h"

enum {
	WAIT_MAX_MS = 10 * 60 * 1000, /* a deadline further away is a mistake */
	FULL_AGAIN_MS = 1000,	      /* when to expire holds again, after the log was full */
	STEPS_MAX = 16,		      /* of batches in one turn, so that sockets get their turn */
};

struct commands *
commands_new(struct hold_table *t, struct commit_log *log, struct order_log *orders,
    const struct hold_load *limits)
{
	struct commands *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->table = t;
	c->log = log;
	c->orders = orders;
	c->load = *limits;
	c->began_boot_ms = clock_boot_ms();
	TAILQ_INIT(&c->calls);
	TAILQ_INIT(&c->waiters);
	TAILQ_INIT(&c->news);
	batch_init(&c->batch);
	return c;
}

void
commands_free(struct commands **c)
{
	if (*c == NULL)
		return;
	/* every peer is gone, so these are empty */
	assert(TAILQ_EMPTY(&(*c)->waiters) && TAILQ_EMPTY(&(*c)->calls));
	batch_clear(&(*c)->batch);
	buf_clear(&(*c)->scratch);
	free(*c);
	*c = NULL;
}

void
command_peer_gone(struct commands *c, struct peer *p)
{
	callers_forget(c, p);
	batch_forget(c, p);
	peer_clear(p, &c->news);
}

void
command_add_news(struct commands *c, struct peer *p)
{
	news_add(&c->news, p);
}

struct peer *
command_next_news(struct commands *c)
{
	return news_take(&c->news);
}

void
command_set_connections(struct commands *c, int64_t n)
{
	c->n_connections = n;
}

/* ---- a log with one writer: a record is applied when it is staged */

static bool
stage(struct commands *c, const struct buf *record)
{
	struct error err;

	if (record->len == 0)
		return true;
	c->staged = true;
	if (c->log->stage(c->log, record->data, record->len, &err))
		return true;
	commands_fail(c, &err);
	return false;
}

static void
run_at_once(struct commands *c, const struct request *rq, struct now now)
{
	struct hold_answer a;

	if (!rule_decide(c, rq, now, &a))
		return;
	if (!rule_ends_early(c, rq, &a, now) && stage(c, &a.record)) {
		buf_reset(&c->scratch);
		rule_format(rq, &a, &c->scratch);
		rule_carry_out(c, rq, &a, &c->scratch);
	}
	hold_answer_clear(&a);
}

/* The rules treat a hold whose time is over as expired, with or without a record. So a log that is
 * full is not filled with such records: its last room is for outcomes. */
static int64_t
expire_at_once(struct commands *c, struct now now)
{
	struct buf record = BUF_INIT;
	struct hold_changes changed;
	int64_t next_boot_ms = INT64_MAX;
	size_t len;

	if (!c->log->has_room(c->log, PROMISE_OUTCOME, now))
		return now.boot_ms + FULL_AGAIN_MS;
	do {
		buf_clear(&record);
		if (!rule_expire(c, now, &record, &next_boot_ms))
			break;
		len = record.len;
		if (!stage(c, &record) || !rule_apply(c, record.data, len, &changed))
			break;
		rule_end_expired(c, &changed);
	} while (len > 0);
	buf_clear(&record);
	return next_boot_ms;
}

static bool
commit_at_once(struct commands *c)
{
	int64_t began_us = clock_boot_us();
	struct error err;

	if (c->failed || !c->staged)
		return !c->failed;
	c->staged = false;
	if (c->log->commit(c->log, &err) != COMMIT_DONE)
		commands_fail(c, &err);
	commit_times_add(&c->times, clock_boot_us() - began_us);
	return !c->failed;
}

/* ---- requests */

static void
execute(struct commands *c, const struct request *rq, struct now now)
{
	const struct verb *v = verb_get(rq->verb);
	int64_t left_ms = proto_num(rq->m, ARG_DEADLINE) - now.boot_ms;

	if (v->waits && left_ms > WAIT_MAX_MS)
		say_message(c, rq->peer, rq->m->tag, "error", "deadline is too far away");
	else if (v->decide == NULL)
		look(c, rq, now);
	else if (v->waits && rule_heard_until(rq) <= now.boot_ms)
		/* its client has given up: nothing is granted */
		say_in_progress(c, rq->peer, rq->m->tag, "");
	else if (c->log->may_lose)
		batch_run(c, rq, now);
	else
		run_at_once(c, rq, now);
}

/* A waiting hold is decided again. A waiting approve must read the ledger first, so its client is
 * told to start again. */
static void
ask_again(struct commands *c, struct waiter *w, struct now now)
{
	struct proto_message m;
	struct request rq = { .peer = w->peer, .verb = w->verb, .m = &m, .again = true };
	bool whole =
	    !w->line.bad && proto_parse(w->line.data, w->line.len - 1, &m, NULL) == PROTO_OK;

	if (!whole || w->kind == CALL_APPROVE)
		say_message(c, w->peer, w->tag,
		    hold_answer_name(whole ? HA_REPLAY : HA_IN_PROGRESS), "");
	else
		execute(c, &rq, now);
	callers_free_waiter(w);
}

/* Deciding again may change holds, and so wake others. */
static void
run_woken(struct commands *c, struct now now)
{
	struct waiter *w;

	while (!c->failed && (w = callers_next_woken(c)) != NULL)
		ask_again(c, w, now);
}

bool
command_line(struct commands *c, struct peer *p, char *line, size_t len, struct now now)
{
	struct proto_message m;
	struct request rq = { .peer = p, .m = &m };
	enum proto_result result;
	struct error err;

	if (c->failed)
		return true;
	result = proto_parse(line, len, &m, &err);
	if (result == PROTO_GARBAGE)
		return false;
	if (result == PROTO_WRONG || !verb_check(&m, &rq.verb, &err)) {
		say_message(c, p, m.tag, "error", err.msg);
		return true;
	}
	if (!c->log->may_lose)
		expire_at_once(c, now);
	if (!c->failed)
		execute(c, &rq, now);
	run_woken(c, now);
	return true;
}

/* ---- the end of a turn */

static int64_t
min_of(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* A step may wake waiters, and their requests may have something to stage. */
static int64_t
end_batches(struct commands *c, struct now now)
{
	int64_t next_boot_ms = INT64_MAX;

	for (int i = 0; i < STEPS_MAX; i++) {
		next_boot_ms = batch_expire(c, now);
		run_woken(c, now);
		next_boot_ms = min_of(next_boot_ms, batch_time(c, now.boot_ms));
		if (c->failed || !batch_step(c, now))
			return min_of(next_boot_ms, callers_time(c, now.boot_ms));
	}
	return now.boot_ms;
}

bool
command_end_turn(struct commands *c, struct now now, int64_t *next_boot_ms, struct error *err)
{
	*next_boot_ms = INT64_MAX;
	if (!c->failed && c->log->may_lose) {
		*next_boot_ms = end_batches(c, now);
	} else if (!c->failed) {
		*next_boot_ms = expire_at_once(c, now);
		run_woken(c, now);
		*next_boot_ms = min_of(*next_boot_ms, callers_time(c, now.boot_ms));
		commit_at_once(c);
	}
	if (c->failed)
		*err = c->why;
	return !c->failed;
}
