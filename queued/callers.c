#include "config.h"

#include "queued/callers.h"

#include <stdlib.h>
#include <string.h>

#include "queued/say.h"

enum { WAITERS_MAX = 10000 }; /* with watchers; far above what max_calls lets through */

/* ---- calls */

static struct call *
find_call(const struct commands *c, enum verb_call kind, uint64_t id)
{
	struct call *call;

	TAILQ_FOREACH(call, &c->calls, all)
		if (call->kind == kind && call->id == id)
			return call;
	return NULL;
}

bool
callers_has_call(const struct commands *c, enum verb_call kind, uint64_t id)
{
	return find_call(c, kind, id) != NULL;
}

static void
end_call(struct commands *c, struct call *call)
{
	TAILQ_REMOVE(&c->calls, call, all);
	c->load.calls--;
	free(call);
}

void
callers_end_call(struct commands *c, enum verb_call kind, uint64_t id)
{
	struct call *call = find_call(c, kind, id);

	if (call != NULL)
		end_call(c, call);
}

void
callers_begin_call(struct commands *c, enum verb_call kind, uint64_t id, struct peer *p)
{
	struct call *call = find_call(c, kind, id);

	if (call == NULL && (call = calloc(1, sizeof(*call))) == NULL)
		return; /* one call is not counted: the limits are no promise */
	if (call->peer == NULL) {
		TAILQ_INSERT_TAIL(&c->calls, call, all);
		c->load.calls++;
	}
	call->kind = kind;
	call->id = id;
	call->peer = p;
}

/* ---- waiters */

static void
take_out(struct commands *c, struct waiter *w)
{
	TAILQ_REMOVE(&c->waiters, w, all);
	if (w->kind == CALL_NONE)
		c->n_watchers--;
	else
		c->load.waiters--;
}

void
callers_free_waiter(struct waiter *w)
{
	buf_clear(&w->line);
	free(w);
}

bool
callers_park(struct commands *c, const struct request *rq, uint64_t id)
{
	struct waiter *w;

	if (c->load.waiters + c->n_watchers >= WAITERS_MAX || (w = calloc(1, sizeof(*w))) == NULL)
		return false;
	w->verb = rq->verb;
	w->kind = verb_get(rq->verb)->begins;
	w->id = id;
	w->peer = rq->peer;
	memcpy(w->tag, rq->m->tag, sizeof(w->tag));
	w->deadline_boot_ms = proto_num(rq->m, ARG_DEADLINE);
	proto_format(rq->m, &w->line);
	TAILQ_INSERT_TAIL(&c->waiters, w, all);
	if (w->kind == CALL_NONE)
		c->n_watchers++;
	else
		c->load.waiters++;
	return true;
}

/* Answers a waiter for which waiting on is of no use. */
static void
dismiss(struct commands *c, struct waiter *w, const char *failure)
{
	if (w->kind == CALL_NONE)
		say_pokes(c, w->peer, w->tag);
	else
		say_in_progress(c, w->peer, w->tag, failure);
	take_out(c, w);
	callers_free_waiter(w);
}

void
callers_dismiss(struct commands *c, enum verb_call kind, uint64_t id, const char *failure)
{
	struct waiter *w, *next;

	for (w = TAILQ_FIRST(&c->waiters); w != NULL; w = next) {
		next = TAILQ_NEXT(w, all);
		if (w->kind == kind && w->id == id)
			dismiss(c, w, failure);
	}
}

void
callers_end_watches(struct commands *c)
{
	callers_dismiss(c, CALL_NONE, 0, "");
}

static bool
has_changed(const struct hold_changes *changed, uint64_t id)
{
	for (size_t i = 0; i < changed->n; i++)
		if (changed->id[i] == id)
			return true;
	return changed->all;
}

void
callers_end_elsewhere(struct commands *c, const struct hold_changes *changed)
{
	struct call *call, *next;
	struct hold_view h;

	for (call = TAILQ_FIRST(&c->calls); call != NULL; call = next) {
		enum hold_state during = call->kind == CALL_READY ? HOLD_HELD : HOLD_APPROVING;

		next = TAILQ_NEXT(call, all);
		if (has_changed(changed, call->id) &&
		    (!hold_table_show(c->table, call->id, &h) || h.state != during))
			end_call(c, call);
	}
}

void
callers_wake(struct commands *c, const struct hold_changes *changed)
{
	struct waiter *w;

	TAILQ_FOREACH(w, &c->waiters, all)
		if (w->kind != CALL_NONE && has_changed(changed, w->id))
			w->woken = true;
}

struct waiter *
callers_next_woken(struct commands *c)
{
	struct waiter *w;

	TAILQ_FOREACH(w, &c->waiters, all)
		if (w->woken) {
			take_out(c, w);
			return w;
		}
	return NULL;
}

int64_t
callers_time(struct commands *c, int64_t now_boot_ms)
{
	int64_t next_boot_ms = INT64_MAX;
	struct waiter *w, *next;

	for (w = TAILQ_FIRST(&c->waiters); w != NULL; w = next) {
		next = TAILQ_NEXT(w, all);
		if (w->deadline_boot_ms <= now_boot_ms)
			dismiss(c, w, "");
		else if (w->deadline_boot_ms < next_boot_ms)
			next_boot_ms = w->deadline_boot_ms;
	}
	return next_boot_ms;
}

void
callers_forget(struct commands *c, const struct peer *p)
{
	struct waiter *w, *next_w;
	struct call *call, *next_call;

	for (w = TAILQ_FIRST(&c->waiters); w != NULL; w = next_w) {
		next_w = TAILQ_NEXT(w, all);
		if (w->peer == p) {
			take_out(c, w);
			callers_free_waiter(w);
		}
	}
	for (call = TAILQ_FIRST(&c->calls); call != NULL; call = next_call) {
		next_call = TAILQ_NEXT(call, all);
		if (call->peer != p)
			continue;
		callers_dismiss(c, call->kind, call->id, "");
		end_call(c, call);
	}
}
