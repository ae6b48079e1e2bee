/* GET /orders: reads the order's chain and its hold, and says what they mean. Writes nothing, but
 * for what a user who gave up at KakaoPay leaves behind (flow/quit.h). */
#include "config.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "flow/flow.h"
#include "flow/quit.h"
#include "flow/story.h"

static const char *const next_names[] = {
	[FN_NOTHING] = "nothing",
	[FN_PAY] = "pay",
	[FN_WAIT] = "wait",
	[FN_START_AGAIN] = "start-again",
	[FN_OPERATOR] = "operator",
};
static_assert(sizeof(next_names) / sizeof(next_names[0]) == FN__MAX, "a name for each");

const char *
flow_next_name(enum flow_next n)
{
	assert(n < FN__MAX);
	return next_names[n];
}

/* clang-format off */
static const struct meaning { enum flow_charged charged; enum flow_next next; } of_attempt[] = {
	[AS_NONE]           = { FC_FALSE,   FN_START_AGAIN },
	[AS_APPROVING]      = { FC_UNKNOWN, FN_WAIT },
	[AS_APPROVED]       = { FC_TRUE,    FN_NOTHING },
	[AS_DECLINED]       = { FC_FALSE,   FN_START_AGAIN },
	[AS_READY]          = { FC_FALSE,   FN_START_AGAIN },	/* but for its hold */
	[AS_UNKNOWN]        = { FC_UNKNOWN, FN_WAIT },
	[AS_REVIEW]         = { FC_UNKNOWN, FN_OPERATOR },
	[AS_UNBOOKABLE]     = { FC_TRUE,    FN_OPERATOR },
	[AS_REFUNDED]       = { FC_TRUE,    FN_NOTHING },
	[AS_PART_REFUNDED]  = { FC_TRUE,    FN_NOTHING },
	[AS_REFUND_UNKNOWN] = { FC_TRUE,    FN_WAIT },
};
static const struct meaning of_hold[] = {
	[HOLD_HELD]      = { FC_FALSE,   FN_WAIT },
	[HOLD_READY]     = { FC_FALSE,   FN_PAY },
	[HOLD_APPROVING] = { FC_UNKNOWN, FN_WAIT },
	[HOLD_UNKNOWN]   = { FC_UNKNOWN, FN_WAIT },
	[HOLD_REVIEW]    = { FC_UNKNOWN, FN_OPERATOR },
	[HOLD_APPROVED]  = { FC_UNKNOWN, FN_WAIT },	/* and not in the ledger: the order is answered as behind */
	[HOLD_REMOVED]   = { FC_FALSE,   FN_START_AGAIN },
	[HOLD_DECLINED]  = { FC_FALSE,   FN_START_AGAIN },
	[HOLD_EXPIRED]   = { FC_FALSE,   FN_PAY },		/* it is taken again if it can be */
	[HOLD_FENCED]    = { FC_FALSE,   FN_START_AGAIN },
};
/* clang-format on */
static_assert(sizeof(of_attempt) / sizeof(of_attempt[0]) == AS__MAX &&
	sizeof(of_hold) / sizeof(of_hold[0]) == HOLD__MAX,
    "each state has its meaning");

void
flow_order_clear(struct flow_order_answer *a)
{
	free(a->attempts);
	a->attempts = NULL;
	a->n = 0;
}

static struct flow_order_attempt *
find_attempt(struct flow_order_answer *a, const char *tid)
{
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->attempts[i].tid, tid) == 0)
			return &a->attempts[i];
	return NULL;
}

static bool
add_attempt(struct flow_order_answer *a, const struct ledger_chain *chain,
    const struct ledger_event *first, struct error *err)
{
	struct flow_order_attempt *t = &a->attempts[a->n];
	struct order_state st;

	if (!order_state(chain, first->tid, &st, err))
		return false;
	*t = (struct flow_order_attempt){ .state = attempt_state_name(st.state),
		.charged = of_attempt[st.state].charged,
		.next = of_attempt[st.state].next,
		.refunded = st.refunded.total,
		.began_ms = first->at_ms,
		.changed_ms = st.last == NULL ? first->at_ms : st.last->at_ms };
	if (st.captured != NULL) {
		t->charged = FC_TRUE;
		t->approved_ms = st.captured->payment.approved_at_ms;
	}
	text_copy(t->tid, sizeof(t->tid), first->tid);
	memcpy(t->by, (st.last != NULL ? st.last : first)->by, sizeof(t->by));
	memcpy(t->who, (st.last != NULL ? st.last : first)->who, sizeof(t->who));
	text_copy(t->user_id, sizeof(t->user_id), first->user_id);
	text_copy(t->room_id, sizeof(t->room_id), first->room_id);
	a->n++;
	return true;
}

static bool
read_chain(struct flow_order_answer *a, const struct ledger_chain *chain, struct error *err)
{
	bool ok = true;

	a->attempts = calloc(chain->n + 1, sizeof(*a->attempts)); /* + 1: the one that only the
								     queue knows */
	if (a->attempts == NULL)
		return error_set(err, ERR_INTERNAL, "out of memory");
	for (size_t i = 0; ok && i < chain->n; i++) {
		const struct ledger_event *e = &chain->ev[i];

		if (e->kind != LK_NOTE && e->tid[0] != '\0' && find_attempt(a, e->tid) == NULL)
			ok = add_attempt(a, chain, e, err);
	}
	return ok;
}

/* What the queue adds: an attempt that the ledger does not have yet, or one that may be paid again.
 */
static struct flow_order_attempt *
add_hold(struct flow_order_answer *a, const struct queue_hold *h, const struct ledger_chain *chain)
{
	struct flow_order_attempt *t = find_attempt(a, h->tid);
	struct now now = clock_now();

	if (t == NULL) {
		t = &a->attempts[a->n++];
		text_copy(t->tid, sizeof(t->tid), h->tid);
		text_copy(t->user_id, sizeof(t->user_id), h->user);
		text_copy(t->room_id, sizeof(t->room_id), h->room);
	} else if (strcmp(t->state, attempt_state_name(AS_READY)) != 0) {
		return t; /* the ledger knows better */
	}
	t->state = hold_state_name(h->state);
	t->charged = of_hold[h->state].charged;
	t->next = of_hold[h->state].next;
	if (h->state == HOLD_EXPIRED && h->window_boot_ms <= now.boot_ms)
		t->next = FN_START_AGAIN;
	if (t->next == FN_PAY && !order_has_room(chain, LK_APPROVING, h->tid))
		t->next = FN_START_AGAIN; /* it was sent as often as may be */
	if (h->state == HOLD_READY)
		t->expires_ms = now.wall_ms + h->expires_boot_ms - now.boot_ms;
	return t;
}

static bool
is_open(const struct queue_hold *h)
{
	return h->state == HOLD_HELD || h->state == HOLD_READY || h->state == HOLD_APPROVING ||
	    h->state == HOLD_UNKNOWN || h->state == HOLD_REVIEW;
}

/* The order is what its captured attempt is, else its open one, else its last. */
static void
sum_up(struct flow_order_answer *a, const struct flow_order_attempt *open)
{
	const struct flow_order_attempt *t = open;

	if (t == NULL && a->n > 0)
		t = &a->attempts[a->n - 1];
	for (size_t i = a->n; i-- > 0;)
		if (a->attempts[i].charged == FC_TRUE)
			t = &a->attempts[i];
	a->refunded = 0;
	if (t == NULL)
		return;
	a->state = t->state;
	a->charged = t->charged;
	a->next = t->next;
	for (size_t i = 0; i < a->n; i++)
		a->refunded += a->attempts[i].refunded;
}

static void
end(struct flow_order_answer *a, enum flow_result result, const char *why)
{
	flow_order_clear(a);
	a->result = result;
	a->charged = FC_UNKNOWN;
	text_copy(a->detail, sizeof(a->detail), why);
}

static void
end_by_error(struct flow_order_answer *a, const struct error *err, enum flow_result away)
{
	end(a,
	    err->code == ERR_UNAVAILABLE || err->code == ERR_UNCERTAIN ? away
		: err->code == ERR_CONFLICT			       ? FR_NOT_READY
								       : FR_INTERNAL,
	    err->msg);
}

/*
 * A capture in the ledger is certain. That there is none is certain only if queue and ledger belong
 * together, and the queue does not remember more than the ledger has. True: a user gave up just
 * now, so read both again.
 */
static bool
add_queue(struct flow *f, const struct flow_call *c, const char *cid, const char *order,
    const struct ledger_chain *chain, struct flow_order_answer *a)
{
	char why[200] = "the queue knows of a capture that the ledger lacks: an older database?";
	struct queue_answer qa;
	struct error err;

	error_clear(&err);
	sum_up(a, NULL);
	if (a->charged == FC_TRUE)
		return false;
	if (f->gate != FR_OK)
		end(a, f->gate, "the queue is not to be asked");
	else if (!queue_find_order(f->queue, cid, order, c->deadline_boot_ms, &qa, &err))
		end_by_error(a, &err, FR_QUEUE_UNAVAILABLE);
	else if (story_is_behind(chain, qa.hold.last_n, why) ||
	    (qa.code == HA_OK && qa.hold.state == HOLD_APPROVED))
		end(a, FR_STORE_UNAVAILABLE, why);
	else if (qa.code == HA_OK) {
		const struct flow_order_attempt *t = add_hold(a, &qa.hold, chain);

		sum_up(a, is_open(&qa.hold) ? t : NULL);
		return t->next == FN_PAY && f->provider != NULL &&
		    flow_look_for_quit(f, c, &qa.hold, chain);
	}
	return false;
}

/*
 * Payments that another program took before roompay came stand in `payments` alone. Nothing but
 * this keeps a caller who asks about such an order from hearing that nothing was charged.
 */
static bool
add_foreign(struct flow *f, const struct flow_call *c, const char *cid, const char *order,
    struct flow_order_answer *a, struct error *err)
{
	enum { MOST = 20 };
	struct store_history h = { .cids = &cid, .n_cids = 1, .limit = MOST };
	struct payment *list;
	bool more, ok;
	size_t n;

	text_copy(h.partner_order_id, sizeof(h.partner_order_id), order);
	if (!store_history(f->store, &h, &list, &n, &more, c->deadline_boot_ms, err))
		return false;
	free(a->attempts);
	a->attempts = calloc(n + 1, sizeof(*a->attempts));
	ok = a->attempts != NULL || error_set(err, ERR_INTERNAL, "out of memory");
	for (size_t i = n; ok && i-- > 0;) { /* the oldest first */
		const struct payment *p = &list[i];
		struct flow_order_attempt *t = &a->attempts[a->n];

		if (!p->foreign)
			continue;
		*t = (struct flow_order_attempt){ .state = attempt_state_name(AS_APPROVED),
			.charged = FC_TRUE,
			.next = FN_NOTHING,
			.began_ms = p->created_at_ms,
			.changed_ms = p->approved_at_ms,
			.approved_ms = p->approved_at_ms };
		text_copy(t->tid, sizeof(t->tid), p->tid);
		text_copy(t->user_id, sizeof(t->user_id), p->user_id);
		a->n++;
	}
	free(list);
	if (ok)
		sum_up(a, NULL);
	return ok;
}

/* True: it has to be asked once more. */
static bool
ask(struct flow *f, const struct flow_call *c, const char *cid, const char *order,
    struct flow_order_answer *out)
{
	struct ledger_chain chain = { 0 };
	struct error err;
	bool again = false;

	error_clear(&err);
	*out = (struct flow_order_answer){ .result = FR_OK,
		.state = attempt_state_name(AS_NONE),
		.charged = FC_FALSE,
		.next = FN_START_AGAIN };
	if (f->gate == FR_NOT_READY) /* a fence: the database may be an older one, and prove nothing
				      */
		end(out, f->gate, "queue and database are not known to belong together");
	else if (!store_ledger_chain(f->store, cid, order, &chain, c->deadline_boot_ms, &err) ||
	    !read_chain(out, &chain, &err))
		end_by_error(out, &err, FR_STORE_UNAVAILABLE);
	else
		again = add_queue(f, c, cid, order, &chain, out);
	if (out->result == FR_OK && out->n == 0 && !add_foreign(f, c, cid, order, out, &err))
		end_by_error(out, &err, FR_STORE_UNAVAILABLE);
	ledger_chain_clear(&chain);
	return again;
}

/* The queue allows one look at KakaoPay for a hold, so the second answer is the last. */
void
flow_order(struct flow *f, const struct flow_call *c, const char *cid, const char *order,
    struct flow_order_answer *out)
{
	if (ask(f, c, cid, order, out)) {
		flow_order_clear(out);
		(void)ask(f, c, cid, order, out);
	}
}
