#include "config.h"

#include "queued/batch.h"

#include <stdlib.h>
#include <string.h>

#include "queued/callers.h"
#include "queued/rule.h"
#include "queued/say.h"

enum {
	PATIENCE_MS = 1500,	       /* a client takes a silent daemon for dead after 2 s */
	EXPIRE_AGAIN_MS = 1000,	       /* after a commit that failed */
	WORKS_MAX = 64,		       /* of one peer, so that it cannot fill the memory */
	BATCH_BYTES = 4 * 1024 * 1024, /* a document of MongoDB has 16 MiB at the most */
};

void
batch_init(struct batch *b)
{
	memset(b, 0, sizeof(*b));
	TAILQ_INIT(&b->works);
	TAILQ_INIT(&b->backlog);
}

/* ---- one request */

static struct work *
work_new(const struct request *rq, struct now now)
{
	struct work *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->rq = *rq;
	w->rq.m = &w->m;
	proto_format(rq->m, &w->line);
	if (w->line.bad || proto_parse(w->line.data, w->line.len - 1, &w->m, NULL) != PROTO_OK) {
		buf_clear(&w->line);
		free(w);
		return NULL;
	}
	w->give_up_boot_ms = now.boot_ms + PATIENCE_MS;
	if (verb_get(rq->verb)->waits && rule_heard_until(rq) < w->give_up_boot_ms)
		w->give_up_boot_ms = rule_heard_until(rq);
	return w;
}

static void
work_free(struct work *w)
{
	hold_answer_clear(&w->answer);
	buf_clear(&w->said);
	buf_clear(&w->line);
	free(w);
}

/* Its decision is out of date. */
static void
work_undecide(struct work *w)
{
	hold_answer_clear(&w->answer);
	buf_clear(&w->said);
}

static void
put(struct works *list, struct work *w)
{
	TAILQ_INSERT_TAIL(list, w, next);
	if (w->rq.peer != NULL)
		w->rq.peer->n_works++;
}

static void
take(struct works *list, struct work *w)
{
	TAILQ_REMOVE(list, w, next);
	if (w->rq.peer != NULL)
		w->rq.peer->n_works--;
}

static void
postpone(struct commands *c, struct work *w)
{
	work_undecide(w);
	put(&c->batch.backlog, w);
}

/* Nobody waits for its answer any more. If it is staged, it may still be kept. */
static void
forget(struct batch *b, struct works *list, struct work *w)
{
	if (list == &b->works) {
		w->rq.peer->n_works--;
		w->rq.peer = NULL;
	} else {
		take(list, w);
		work_free(w);
	}
}

void
batch_clear(struct batch *b)
{
	struct works *const lists[] = { &b->works, &b->backlog };

	for (size_t i = 0; i < 2; i++) {
		struct work *w;

		while ((w = TAILQ_FIRST(lists[i])) != NULL) {
			take(lists[i], w);
			work_free(w);
		}
	}
	buf_clear(&b->expired);
}

/* ---- staging */

/* False: it has something in common with what is staged already, the batch is full, or the log is
 * broken. */
static bool
stage(struct commands *c, const struct buf *record)
{
	struct batch *b = &c->batch;
	struct hold_touch touched;
	struct error err;

	if (b->bytes > 0 && b->bytes + record->len > BATCH_BYTES)
		return false;
	hold_touch_init(&touched);
	hold_touch_add(&touched, c->table, record->data, record->len);
	if (hold_touch_meets(&touched, &b->touched))
		return false;
	if (!c->log->stage(c->log, record->data, record->len, &err)) {
		commands_fail(c, &err);
		return false;
	}
	hold_touch_join(&b->touched, &touched);
	b->n_records++;
	b->bytes += record->len;
	return true;
}

/* A final no, and what a site shows of an order, must not come from a table that is behind. A
 * refusal that invites a retry may: the retry gets a newer answer. A look that finds a hold at its
 * end is a final no: by an older table it has expired, and another machine knows that it is paid.
 */
static bool
must_be_current(const struct verb *v, const struct hold_answer *a)
{
	switch (a->code) {
	case HA_OK:
		return v->current || (a->hold.id != 0 && !hold_state_is_live(a->hold.state));
	case HA_NO_HOLD:
	case HA_EXPIRED:
	case HA_FENCED:
	case HA_STALE_TOKEN:
		return true;
	case HA_REPLAY:
		return !v->waits; /* final for a removal, but not for a ready hold */
	default:
		return v->current;
	}
}

static void
decide(struct commands *c, struct work *w, struct now now)
{
	const struct verb *v = verb_get(w->rq.verb);
	struct hold_answer *a = &w->answer;
	struct batch *b = &c->batch;
	bool over;

	hold_table_decide_ahead(c->table, b->n_records);
	over = !rule_decide(c, &w->rq, now, a) || rule_ends_early(c, &w->rq, a, now);
	if (!over)
		rule_format(&w->rq, a, &w->said);
	if (!over && a->record.len == 0 && !must_be_current(v, a)) {
		rule_carry_out(c, &w->rq, a, &w->said);
		over = true;
	}
	if (over) {
		work_free(w);
	} else if (b->pending || (a->record.len > 0 && !stage(c, &a->record))) {
		postpone(c, w);
	} else {
		b->n_calls += v->begins != CALL_NONE && a->code == HA_OK;
		put(&b->works, w);
	}
}

void
batch_run(struct commands *c, const struct request *rq, struct now now)
{
	const char *away = commands_away(c);
	struct work *w = away == NULL && rq->peer->n_works < WORKS_MAX ? work_new(rq, now) : NULL;

	if (away != NULL)
		say_message(c, rq->peer, rq->m->tag, "unavailable", away);
	else if (w == NULL)
		say_message(c, rq->peer, rq->m->tag, "unavailable", "too many requests wait");
	else if (rq->peer->n_works > 0)
		postpone(c, w); /* requests of one connection are carried out in order */
	else
		decide(c, w, now);
}

int64_t
batch_expire(struct commands *c, struct now now)
{
	struct batch *b = &c->batch;
	struct buf record = BUF_INIT;
	int64_t next_boot_ms;

	if (b->pending || b->expired.len > 0)
		return INT64_MAX;
	if (now.boot_ms < b->next_expire_boot_ms)
		return b->next_expire_boot_ms;
	if (!c->log->has_room(c->log, PROMISE_OUTCOME, now))
		return now.boot_ms + EXPIRE_AGAIN_MS;
	if (!rule_expire(c, now, &record, &next_boot_ms))
		return INT64_MAX;
	if (record.len > 0 && stage(c, &record)) {
		b->expired = record;
		return INT64_MAX;
	}
	next_boot_ms = record.len > 0 ? INT64_MAX : next_boot_ms;
	buf_clear(&record);
	return next_boot_ms;
}

/* ---- the end of a batch */

static void
begin_next(struct commands *c)
{
	struct batch *b = &c->batch;

	b->pending = b->later = false;
	b->n_records = 0;
	b->bytes = 0;
	b->n_calls = 0;
	hold_touch_init(&b->touched);
	buf_clear(&b->expired);
	hold_table_decide_ahead(c->table, 0);
}

static void
carry_out(struct commands *c)
{
	struct batch *b = &c->batch;
	struct hold_changes changed;
	struct work *w;

	commit_times_add(&c->times, clock_boot_us() - b->began_us);
	if (b->expired.len > 0 && rule_apply(c, b->expired.data, b->expired.len, &changed))
		rule_end_expired(c, &changed);
	while (!c->failed && (w = TAILQ_FIRST(&b->works)) != NULL) {
		take(&b->works, w);
		rule_carry_out(c, &w->rq, &w->answer, &w->said);
		work_free(w);
	}
	begin_next(c);
}

/* In the same order as before. A request whose client is gone is dropped: it has not happened. */
static void
decide_again(struct commands *c)
{
	struct batch *b = &c->batch;
	struct work *w;

	while ((w = TAILQ_LAST(&b->works, works)) != NULL) {
		take(&b->works, w);
		work_undecide(w);
		if (w->rq.peer == NULL) {
			work_free(w);
			continue;
		}
		TAILQ_INSERT_HEAD(&b->backlog, w, next);
		w->rq.peer->n_works++;
	}
	begin_next(c);
}

static void
refuse(struct commands *c, const struct error *why, struct now now)
{
	struct batch *b = &c->batch;
	struct work *w;

	while ((w = TAILQ_FIRST(&b->works)) != NULL) {
		take(&b->works, w);
		say_message(c, w->rq.peer, w->m.tag, "unavailable", why->msg);
		work_free(w);
	}
	b->next_expire_boot_ms = now.boot_ms + EXPIRE_AGAIN_MS;
	begin_next(c);
}

static void
run_backlog(struct commands *c, struct now now)
{
	struct works ready = TAILQ_HEAD_INITIALIZER(ready);
	struct work *w;

	TAILQ_CONCAT(&ready, &c->batch.backlog, next);
	TAILQ_FOREACH(w, &ready, next)
		w->rq.peer->n_works--;
	while ((w = TAILQ_FIRST(&ready)) != NULL) {
		TAILQ_REMOVE(&ready, w, next);
		if (c->failed || w->rq.peer->n_works > 0)
			postpone(c, w);
		else
			decide(c, w, now);
	}
}

static bool
follow(void *ctx, const void *record, size_t len, struct error *err)
{
	struct commands *c = ctx;
	struct hold_changes changed;

	if (!rule_apply(c, record, len, &changed)) {
		*err = c->why;
		return false;
	}
	rule_note_followed(c, record, len);
	callers_end_elsewhere(c, &changed);
	callers_wake(c, &changed);
	c->batch.followed = true;
	return true;
}

/* What is due is committed. Else, or while it has to wait for its turn, there may be news. */
static enum commit_result
commit_or_poll(struct commands *c, struct error *err)
{
	struct batch *b = &c->batch;
	enum commit_result result;

	if (!b->pending && (!TAILQ_EMPTY(&b->works) || b->expired.len > 0)) {
		if (!b->later)
			b->began_us = clock_boot_us();
		result = c->log->commit(c->log, err);
		b->later = result == COMMIT_LATER;
		b->pending = !b->later;
		if (b->pending)
			return result;
	}
	return c->log->poll(c->log, follow, c, err);
}

bool
batch_step(struct commands *c, struct now now)
{
	struct batch *b = &c->batch;
	bool was_pending = b->pending;
	enum commit_result result;
	struct error err;

	b->followed = false;
	result = commit_or_poll(c, &err);
	switch (result) {
	case COMMIT_PENDING:
	case COMMIT_LATER:
		break;
	case COMMIT_DONE:
		carry_out(c);
		break;
	case COMMIT_LOST:
		decide_again(c);
		break;
	case COMMIT_FAILED:
		refuse(c, &err, now);
		break;
	case COMMIT_BROKEN:
		commands_fail(c, &err);
		return false;
	}
	if (!b->pending && !b->later && !c->failed)
		run_backlog(c, now);
	return (b->pending && !was_pending) || b->followed || result != COMMIT_PENDING;
}

/* ---- clients that cannot wait */

int64_t
batch_time(struct commands *c, int64_t now_boot_ms)
{
	struct works *const lists[] = { &c->batch.works, &c->batch.backlog };
	int64_t next_boot_ms = INT64_MAX;

	for (size_t i = 0; i < 2; i++) {
		struct work *w, *next;

		for (w = TAILQ_FIRST(lists[i]); w != NULL; w = next) {
			next = TAILQ_NEXT(w, next);
			if (w->rq.peer == NULL)
				continue;
			if (w->give_up_boot_ms > now_boot_ms) {
				if (w->give_up_boot_ms < next_boot_ms)
					next_boot_ms = w->give_up_boot_ms;
				continue;
			}
			say_message(c, w->rq.peer, w->m.tag, "unavailable", "not known in time");
			forget(&c->batch, lists[i], w);
		}
	}
	return next_boot_ms;
}

void
batch_forget(struct commands *c, const struct peer *p)
{
	struct works *const lists[] = { &c->batch.works, &c->batch.backlog };

	for (size_t i = 0; i < 2; i++) {
		struct work *w, *next;

		for (w = TAILQ_FIRST(lists[i]); w != NULL; w = next) {
			next = TAILQ_NEXT(w, next);
			if (w->rq.peer == p)
				forget(&c->batch, lists[i], w);
		}
	}
}
