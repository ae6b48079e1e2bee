#include "config.h"

#include "money/order.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *const state_names[] = {
	[AS_NONE] = "none",
	[AS_APPROVING] = "approving",
	[AS_APPROVED] = "approved",
	[AS_DECLINED] = "declined",
	[AS_READY] = "ready",
	[AS_UNKNOWN] = "unknown",
	[AS_REVIEW] = "review",
	[AS_UNBOOKABLE] = "unbookable",
	[AS_REFUNDED] = "refunded",
	[AS_PART_REFUNDED] = "part_refunded",
	[AS_REFUND_UNKNOWN] = "refund_unknown",
};
static_assert(sizeof(state_names) / sizeof(state_names[0]) == AS__MAX, "a name for each state");

/* Of struct step: the state it has; the state before the approving or refunding under way. */
enum { SAME = -1, BEFORE = -2 };

#define IN(state) (1u << AS_##state)
static const unsigned OPEN = IN(APPROVING) | IN(UNKNOWN); /* perhaps captured, being found out */
static const unsigned CHARGED = IN(APPROVED) | IN(UNBOOKABLE) | IN(PART_REFUNDED);
static const unsigned NOT_CHARGED = IN(NONE) | IN(READY) | IN(DECLINED);
static const unsigned ANY = (1u << AS__MAX) - 1;

/*
 * The legal steps of one attempt; any other pair of kind and state is damage.
 * - `approving` over an `approving` without outcome: a worker died, the next one inquired ("not yet
 *   approved") and goes on.
 * - Not executed or refused is what it was before. That is `unknown` where an earlier send of this
 * tid has no known end: that something was not executed now says nothing about then.
 * - `abandoned` speaks of an approving that was never written. One that is there keeps waiting for
 * its own outcome.
 * - A capture seen after anything else was concluded stands: money moved.
 * - From the event `refunding` to its outcome the refund's end is not known.
 */
static const struct step {
	enum ledger_kind kind;
	unsigned from;
	int to;
} steps[] = {
	{ LK_APPROVING, IN(NONE) | IN(READY) | OPEN, AS_APPROVING },
	{ LK_APPROVED, OPEN | IN(REVIEW) | IN(DECLINED) | IN(READY), AS_APPROVED },
	{ LK_REVIEW, OPEN | IN(DECLINED) | IN(READY) | CHARGED | IN(REFUND_UNKNOWN), AS_REVIEW },
	{ LK_DECLINED, OPEN | IN(REVIEW), AS_DECLINED },
	{ LK_UNKNOWN, OPEN, AS_UNKNOWN },
	{ LK_REFUSED, IN(APPROVING), BEFORE },
	{ LK_NOT_EXECUTED, IN(APPROVING), BEFORE },
	{ LK_ABANDONED, IN(NONE) | IN(READY), AS_READY },
	{ LK_ABANDONED, ANY & ~(IN(NONE) | IN(READY)), SAME },
	{ LK_REMOVED, ANY & ~OPEN, SAME },
	{ LK_UNBOOKABLE, IN(APPROVED), AS_UNBOOKABLE },
	{ LK_REFUNDING, CHARGED, AS_REFUND_UNKNOWN },
	{ LK_REFUNDED, CHARGED | IN(REFUND_UNKNOWN), AS_REFUNDED },
	{ LK_PART_REFUNDED, CHARGED | IN(REFUND_UNKNOWN), AS_PART_REFUNDED },
	{ LK_REFUND_FAILED, IN(REFUND_UNKNOWN), BEFORE },
	{ LK_REFUND_UNKNOWN, IN(REFUND_UNKNOWN), SAME },
	{ LK_NOTE, ANY, SAME },
};

struct life { /* one attempt while the chain is walked */
	const char *tid;
	enum attempt_state before; /* of the approving or refunding under way */
	struct order_state now;
};

const char *
attempt_state_name(enum attempt_state s)
{
	assert(s >= 0 && s < AS__MAX);
	return state_names[s];
}

static const struct step *
find_step(enum ledger_kind kind, enum attempt_state from)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (steps[i].kind == kind && (steps[i].from & 1u << from) != 0)
			return &steps[i];
	return NULL;
}

/*
 * An order's next attempt begins only when none of the others is charged, perhaps charged, or open:
 * at most one capture.
 */
static bool
may_begin(const struct life *lives, size_t n, const struct life *self)
{
	for (size_t i = 0; i < n; i++)
		if (&lives[i] != self && (NOT_CHARGED & 1u << lives[i].now.state) == 0)
			return false;
	return true;
}

static void
begin(struct life *l, const struct ledger_event *e)
{
	if (e->kind == LK_APPROVING) {
		l->now.approving = e;
		l->before = (OPEN & 1u << l->now.state) != 0 ? AS_UNKNOWN : AS_READY;
	} else if (e->kind == LK_REFUNDING) {
		l->before = l->now.state;
	}
}

static void
count_refund(struct order_state *s, const struct ledger_event *e)
{
	if (e->kind == LK_REFUNDING)
		s->refunding = e;
	else if (e->kind == LK_REFUNDED || e->kind == LK_PART_REFUNDED ||
	    e->kind == LK_REFUND_FAILED || e->kind == LK_REVIEW)
		s->refunding = NULL;
	if (e->kind != LK_REFUNDED && e->kind != LK_PART_REFUNDED)
		return;
	s->refunded.total += e->refund.amount;
	s->refunded.tax_free += e->refund.tax_free;
	s->refunded.vat += e->refund.vat;
}

static bool
advance(struct life *l, const struct ledger_event *e)
{
	const struct step *s = find_step(e->kind, l->now.state);

	if (s == NULL)
		return false;
	begin(l, e);
	count_refund(&l->now, e);
	if (e->kind == LK_REMOVED) {
		l->now.removed = e;
		l->now.removed_as = l->now.state;
	}
	if (s->to == SAME)
		return true;
	l->now.state = s->to == BEFORE ? l->before : (enum attempt_state)s->to;
	l->now.last = e;
	if (e->kind == LK_APPROVED || (e->kind == LK_REVIEW && e->has_payment))
		l->now.captured = e;
	else if (l->now.state == AS_DECLINED)
		l->now.captured = NULL; /* an operator found in review that there was none */
	return true;
}

/* The life of this tid; a new one at *n where there is none. */
static struct life *
life_of(struct life *lives, size_t *n, const char *tid)
{
	for (size_t i = 0; i < *n; i++)
		if (strcmp(lives[i].tid, tid) == 0)
			return &lives[i];
	lives[*n].tid = tid;
	return &lives[(*n)++];
}

static bool
walk(const struct ledger_chain *c, struct life *lives, size_t *n, const struct life **last,
    struct error *err)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct ledger_event *e = &c->ev[i];
		enum attempt_state from;
		struct life *l;

		if (e->n != (int64_t)i + 1)
			return error_set(err, ERR_INTERNAL,
			    "event %zu of the chain has the number %lld", i + 1, (long long)e->n);
		if (e->kind == LK_NOTE)
			continue; /* may speak of no tid at all */
		l = life_of(lives, n, e->tid);
		from = l->now.state;
		if ((e->kind == LK_APPROVING && !may_begin(lives, *n, l)) || !advance(l, e))
			return error_set(err, ERR_INTERNAL,
			    "event %zu: %s may not follow while the attempt is %s", i + 1,
			    ledger_kind_name(e->kind), attempt_state_name(from));
		if (e->kind != LK_REMOVED)
			*last = l;
	}
	return true;
}

/*
 * What the other attempts add to the last one's state: a capture of any tid is the order's capture
 * (the first one where there are two).
 */
static void
sum_up(const struct life *lives, size_t n, struct order_state *out)
{
	const struct life *paid = NULL;

	for (size_t i = 0; i < n && paid == NULL; i++)
		if (lives[i].now.captured != NULL)
			paid = &lives[i];
	if (paid == NULL)
		return;
	out->captured = paid->now.captured;
	out->removed = paid->now.removed;
	out->removed_as = paid->now.removed_as;
	out->refunded = paid->now.refunded;
	out->refunding = paid->now.refunding;
}

bool
order_state(const struct ledger_chain *c, const char *tid, struct order_state *out,
    struct error *err)
{
	struct life *lives = calloc(c->n + 1, sizeof(*lives)); /* + 1: a tid that the chain does not
								  have */
	const struct life *last = NULL;
	size_t n = 0;
	bool ok;

	memset(out, 0, sizeof(*out));
	if (lives == NULL)
		return error_set(err, ERR_INTERNAL, "no memory");
	ok = walk(c, lives, &n, &last, err);
	if (ok && tid != NULL)
		*out = life_of(lives, &n, tid)->now;
	else if (ok && last != NULL) {
		*out = last->now;
		sum_up(lives, n, out);
	}
	free(lives);
	return ok;
}

bool
order_may_begin(const struct ledger_chain *c, const char *tid)
{
	struct life *lives = calloc(c->n + 1, sizeof(*lives));
	const struct life *last = NULL;
	size_t n = 0;
	bool may = lives != NULL && walk(c, lives, &n, &last, NULL);

	if (may) {
		const struct life *self = tid == NULL ? NULL : life_of(lives, &n, tid);

		may = may_begin(lives, n, self);
	}
	free(lives);
	return may;
}

static size_t
count_sends(const struct ledger_chain *c, const char *tid)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += c->ev[i].kind == LK_APPROVING && strcmp(c->ev[i].tid, tid) == 0;
	return n;
}

bool
order_has_room(const struct ledger_chain *c, enum ledger_kind kind, const char *tid)
{
	switch (kind) {
	case LK_APPROVING:
		return c->n < ORDER_ATTEMPTS_MAX &&
		    (tid == NULL || count_sends(c, tid) < ORDER_SENDS_MAX);
	case LK_REFUNDING:
		return c->n < ORDER_REFUNDS_MAX;
	case LK_NOTE:
		return c->n < ORDER_NOTES_MAX;
	default:
		return true;
	}
}

/* The event that ended the approving at c->ev[i]; NULL: none yet. */
static const struct ledger_event *
end_of_send(const struct ledger_chain *c, size_t i)
{
	for (size_t j = i + 1; j < c->n; j++)
		if (c->ev[j].kind != LK_NOTE && strcmp(c->ev[j].tid, c->ev[i].tid) == 0)
			return &c->ev[j];
	return NULL;
}

const char *
order_tid_of_key(const struct ledger_chain *c, const char *key)
{
	if (key[0] == '\0')
		return NULL;
	for (size_t i = c->n; i-- > 0;) {
		const struct ledger_event *end;

		if (c->ev[i].kind != LK_APPROVING || strcmp(c->ev[i].key, key) != 0)
			continue;
		end = end_of_send(c, i);
		if (end == NULL || (end->kind != LK_REFUSED && end->kind != LK_NOT_EXECUTED))
			return c->ev[i].tid;
	}
	return NULL;
}
