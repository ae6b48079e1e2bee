/*
 * removePaymentInQueue. From the reservation service: the reservation is in the calendar, so the
 * hold is dropped and the gateway is told. From the gateway: the user gave up, and the attempt can
 * never be approved.
 *
 * Order of work for a payment: `removed` in the ledger; the message to the gateway; the queue; the
 * work item. The item goes last, so that the courier finishes the work even if the call is never
 * repeated.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "delivery/outbox.h"
#include "flow/answer.h"
#include "flow/attempt.h"
#include "flow/follow.h"
#include "flow/record.h"
#include "flow/story.h"

enum { ROUNDS_MAX = 8 };

struct removal {
	struct flow *f;
	const struct flow_call *c;
	const char *user_id, *room_id, *tid; /* tid: NULL where the caller named none */
	const char *const *cids;
	size_t n_cids;
	struct queue_answer qa;
	bool has_hold;	       /* qa.hold is it */
	bool place_is_unpaid;  /* the open hold of this user and room is no payment */
	enum flow_result gate; /* FR_OK: the queue was asked, and it is this site's */
	struct ledger_chain chain;
	struct flow_attempt at;
	struct flow_answer *out;
};

static enum next
never_there(struct removal *r)
{
	flow_answer_set(r->out, FR_OK, FC_ABSENT, 0);
	r->out->removed = false;
	return DONE;
}

static enum next
gated(struct removal *r, enum flow_result gate, enum flow_charged charged)
{
	flow_answer_set(r->out, gate, charged, FLOW_RETRY_MS);
	return DONE;
}

static enum next
answer_removed(struct removal *r, enum attempt_state state, const struct payment *payment,
    bool replayed)
{
	struct flow_answer *out = r->out;

	flow_answer_set(out, FR_OK, FC_ABSENT, 0);
	out->removed = true;
	out->replayed = replayed;
	out->state = state;
	out->has_payment = payment != NULL;
	if (payment != NULL)
		out->payment = *payment;
	text_copy(out->tid, sizeof(out->tid), r->at.of.tid);
	text_copy(out->reservation_info, sizeof(out->reservation_info), r->at.a.reservation_info);
	return DONE;
}

/* Of this caller's merchants, and of the user and room that it names? */
static bool
is_meant(const struct removal *r, const char *cid, const char *user_id, const char *room_id)
{
	return flow_cid_is_one_of(cid, r->cids, r->n_cids) && strcmp(user_id, r->user_id) == 0 &&
	    strcmp(room_id, r->room_id) == 0;
}

static bool
find_hold(struct removal *r, enum hold_find_what what, struct error *err)
{
	int64_t deadline = r->c->deadline_boot_ms;

	r->has_hold = false;
	if (r->tid != NULL
		? !queue_find_tid(r->f->queue, r->tid, deadline, &r->qa, err)
		: !queue_find(r->f->queue, what, r->user_id, r->room_id, deadline, &r->qa, err))
		return false;
	r->has_hold =
	    r->qa.code == HA_OK && is_meant(r, r->qa.hold.cid, r->qa.hold.user, r->qa.hold.room);
	return true;
}

static bool
read_chain(struct removal *r, const char *cid, const char *order, struct error *err)
{
	return story_read_chain(r->f, cid, order, &r->chain, r->c->deadline_boot_ms, err);
}

static bool
check_not_behind(const struct removal *r, struct error *err)
{
	char why[200];

	return !r->has_hold || !story_is_behind(&r->chain, r->qa.hold.last_n, why) ||
	    error_set(err, ERR_UNAVAILABLE, "%s", why);
}

/* ---- reservation */

/* By the queue: the one under this tid, or the oldest approved one of this user and room, or the
 * last that was removed. *name is "" where there is none. */
static bool
find_in_queue(struct removal *r, struct subject *name, struct error *err)
{
	/* An approving or unknown hold in its place may be a payment that the queue was not told
	 * of: the ledger knows. */
	static const enum hold_find_what ways[] = { FIND_APPROVED_OLDEST, FIND_PLACE,
		FIND_REMOVED_LAST };
	const struct queue_hold *h = &r->qa.hold;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (ways[i] == FIND_PLACE && r->place_is_unpaid)
			continue;
		if (!find_hold(r, ways[i], err))
			return false;
		if (r->has_hold &&
		    (r->tid != NULL || ways[i] != FIND_PLACE || h->state == HOLD_APPROVING ||
			h->state == HOLD_UNKNOWN)) {
			*name = flow_subject_of_hold(h);
			return true;
		}
		if (r->tid != NULL)
			break;
	}
	r->has_hold = false;
	return true;
}

/* By the store, which remembers for ever. */
static bool
find_in_store(struct removal *r, struct subject *name, struct error *err)
{
	struct payment p;
	bool found;

	if (!store_payment_get(r->f->store, r->tid, &p, &found, r->c->deadline_boot_ms, err))
		return false;
	if (found) {
		text_copy(name->tid, sizeof(name->tid), p.tid);
		text_copy(name->cid, sizeof(name->cid), p.cid);
		text_copy(name->order, sizeof(name->order), p.partner_order_id);
	}
	return true;
}

/* The same answer again. At most the work item is still there, and failing to delete it is no
 * reason to fail. */
static enum next
repeat_removal(struct removal *r, const struct order_state *st)
{
	struct error err;

	error_clear(&err);
	if (r->gate == FR_OK && !flow_drop_work(r->f, r->c, &r->at, &err))
		log_event(LOG_LEVEL_WARN, "work_item_left", KV_ERR(&err));
	return answer_removed(r, flow_state_at_removal(st), &st->captured->payment, true);
}

/* All that follows from `removed` at order#n. */
static enum next
finish_removal(struct removal *r, const struct order_state *st, int64_t n, bool replayed)
{
	struct error err;
	bool by_queue;

	error_clear(&err);
	if (replayed && (!r->has_hold || r->qa.hold.state == HOLD_REMOVED))
		return repeat_removal(r, st);
	if (!flow_finish_removal(r->f, r->c, &r->at, r->has_hold ? &r->qa.hold : NULL, st, n,
		!replayed, &by_queue, &err))
		return by_queue ? story_queue_failed(r->out, FC_UNKNOWN, &err)
				: story_store_failed(r->out, FC_UNKNOWN, &err);
	return answer_removed(r, flow_state_at_removal(st), &st->captured->payment, replayed);
}

/* What was found is not to be removed. An approve under way must not hide the answer of an earlier
 * removal. */
static enum next
no_payment(struct removal *r)
{
	if (!r->has_hold || r->tid != NULL || r->place_is_unpaid)
		return never_there(r);
	r->place_is_unpaid = true;
	return AGAIN;
}

/* `removed`, and the message that says so; both before the queue hears of it. */
static enum next
put_removed(struct removal *r, const struct order_state *st, const struct flow_event *e)
{
	enum next next = AGAIN;
	enum store_put how;
	struct error err;

	error_clear(&err);
	if (!flow_put_removed(r->f, r->c, &r->at, e, st, &how, &err))
		next = story_store_failed(r->out, FC_UNKNOWN, &err);
	else if (how == STORE_OURS)
		next = finish_removal(r, st, e->n, false);
	return next;
}

static enum next
remove_payment(struct removal *r)
{
	struct flow_event e = { .kind = LK_REMOVED };
	struct subject name = { "" };
	const struct queue_hold *hold;
	struct order_state st;
	struct error err;
	bool whole;

	error_clear(&err);
	r->gate = r->f->gate;
	if (r->gate == FR_OK && !find_in_queue(r, &name, &err)) {
		if (err.code != ERR_CONFLICT || r->tid == NULL)
			return story_queue_failed(r->out, FC_UNKNOWN, &err);
		r->gate = FR_NOT_READY; /* another queue: of what was removed the ledger tells all
					   the same */
	}
	if (name.tid[0] == '\0' && r->tid != NULL && !find_in_store(r, &name, &err))
		return story_store_failed(r->out, FC_UNKNOWN, &err);
	if (name.tid[0] == '\0')
		return r->gate == FR_OK ? never_there(r) : gated(r, r->gate, FC_UNKNOWN);
	if (!read_chain(r, name.cid, name.order, &err) ||
	    !order_state(&r->chain, name.tid, &st, &err) || !check_not_behind(r, &err))
		return story_store_failed(r->out, FC_UNKNOWN, &err);
	if (st.captured == NULL)
		return no_payment(r);
	if (!flow_attempt_of_chain(&r->chain, name.tid, &r->at, &err))
		return story_store_failed(r->out, FC_UNKNOWN, &err);
	if (!is_meant(r, name.cid, r->at.of.user, r->at.of.room))
		return never_there(r);
	if (st.removed != NULL)
		return finish_removal(r, &st, st.removed->n, true);
	if (st.captured->kind == LK_REVIEW) /* an operator decides first */
		return no_payment(r);
	if (r->gate != FR_OK)
		return gated(r, r->gate, FC_TRUE);
	hold = r->has_hold ? &r->qa.hold : NULL;
	/* Nobody looks at it again once it is removed. */
	if (!flow_is_whole(r->f, r->c, &st, hold, &whole, &err) ||
	    (!whole && !flow_mend(r->f, r->c, &r->at, &st, hold, &err)))
		return story_store_failed(r->out, FC_UNKNOWN, &err);
	e.n = (int64_t)r->chain.n + 1;
	return put_removed(r, &st, &e);
}

/* ---- gateway */

/* Reads the attempt of a gone or unpaid hold. *captured: it was paid after all. Only a hold that
 * once reached approving needs the ledger. */
static bool
read_attempt(struct removal *r, bool *captured, struct error *err)
{
	struct order_state st;

	*captured = r->qa.hold.state == HOLD_APPROVED;
	if (!flow_attempt_of_hold(&r->qa.hold, &r->at, err))
		return false;
	if (r->qa.hold.token == 0 || *captured)
		return true;
	if (!read_chain(r, r->qa.hold.cid, r->qa.hold.order, err) ||
	    !order_state(&r->chain, r->qa.hold.tid, &st, err))
		return false;
	if (st.captured == NULL && !check_not_behind(r, err))
		return false;
	*captured = st.captured != NULL;
	return true;
}

static enum next
answer_paid(struct removal *r)
{
	flow_answer_set(r->out, FR_ORDER_PAID, FC_TRUE, 0);
	return DONE;
}

static enum next
without_hold(struct removal *r)
{
	struct payment p;
	struct error err;
	bool found = false;

	error_clear(&err);
	if (r->tid != NULL &&
	    !store_payment_get(r->f->store, r->tid, &p, &found, r->c->deadline_boot_ms, &err))
		return story_store_failed(r->out, FC_UNKNOWN, &err);
	return found && flow_cid_is_one_of(p.cid, r->cids, r->n_cids) &&
		strcmp(p.user_id, r->user_id) == 0
	    ? answer_paid(r)
	    : never_there(r);
}

static enum next
remove_attempt(struct removal *r)
{
	enum hold_state was;
	struct error err;
	bool captured;

	error_clear(&err);
	if (r->f->gate != FR_OK)
		return gated(r, r->f->gate, FC_UNKNOWN);
	if (!find_hold(r, FIND_PLACE, &err))
		return story_queue_failed(r->out, FC_UNKNOWN, &err);
	if (!r->has_hold)
		return without_hold(r);
	if (!read_attempt(r, &captured, &err))
		return story_store_failed(r->out, FC_UNKNOWN, &err);
	if (captured)
		return answer_paid(r);
	was = r->qa.hold.state;
	if (was == HOLD_DECLINED)
		return answer_removed(r, AS_DECLINED, NULL, true);
	if (was == HOLD_REMOVED || was == HOLD_FENCED)
		return answer_removed(r, AS_READY, NULL, true);
	if (!queue_remove(r->f->queue, r->qa.hold.id, false, 0, r->c->deadline_boot_ms, &r->qa,
		&err))
		return story_queue_failed(r->out, FC_UNKNOWN, &err);
	if (r->qa.code == HA_OK || r->qa.code == HA_REPLAY)
		return answer_removed(r, AS_READY, NULL, r->qa.code == HA_REPLAY);
	if (r->qa.code == HA_NO_HOLD) /* its ready call failed meanwhile */
		return never_there(r);
	flow_answer_refusal(r->out, &r->qa, r->qa.code == HA_ORDER_PAID ? FC_TRUE : FC_UNKNOWN);
	return DONE;
}

void
flow_remove(struct flow *f, const struct flow_call *c, bool by_reservation, const char *user_id,
    const char *room_id, const char *tid, const char *const *cids, size_t n_cids,
    struct flow_answer *out)
{
	struct removal r = { .f = f,
		.c = c,
		.user_id = user_id,
		.room_id = room_id,
		.tid = tid,
		.cids = cids,
		.n_cids = n_cids,
		.out = out };
	enum next next = AGAIN;

	flow_answer_begin(out);
	for (int i = 0; next == AGAIN && i < ROUNDS_MAX && clock_boot_ms() < c->deadline_boot_ms;
	     i++)
		next = by_reservation ? remove_payment(&r) : remove_attempt(&r);
	if (next == AGAIN)
		flow_answer_set(out, FR_IN_PROGRESS, FC_UNKNOWN, FLOW_RETRY_MS);
	ledger_chain_clear(&r.chain);
}
