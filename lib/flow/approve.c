/*
 * approvePayment: the user has confirmed. The same call gets the same answer for ever, and an order
 * is captured once.
 *
 * Order of work:
 *   look up the replay key; find the hold; read the order's chain to its end;
 *   the queue grants number n;
 *   write the replay key and the work item, then `approving` at order#n;
 *   ask KakaoPay;
 *   write the outcome at order#n+1, then payments; owe the messages; tell the queue; answer.
 * Of a fresh hold the replay key and the chain are not read (approve_fresh).
 * Every step may be repeated. A crash anywhere leaves a record from which the next call or the
 * courier goes on.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "flow/answer.h"
#include "flow/approval.h"
#include "flow/attempt.h"
#include "flow/follow.h"
#include "flow/inquiry.h"
#include "flow/replay_key.h"
#include "flow/story.h"

enum { ROUNDS_MAX = 32 }; /* each round follows a change by another request */

/* The attempt used up its tries for now. Answers from what is known: nothing is written, and
 * KakaoPay is not asked. */
static enum next
answer_not_again(struct approval *ap, int64_t retry_ms)
{
	if (ap->unsettled)
		approval_answer_unknown(ap, AS_UNKNOWN);
	else
		flow_answer_set(ap->out, FR_TOO_MANY_REQUESTS, FC_ABSENT, 0);
	ap->out->retry_ms = retry_ms;
	return DONE;
}

/* Answers a repeat of an earlier call: the final outcome of the attempt that it was about. False:
 * there is none yet. */
static bool
answer_replay(struct approval *ap, const char *cid)
{
	const char *tid = order_tid_of_key(&ap->chain, ap->key);
	struct flow_attempt at;
	struct order_state st;
	struct error err;

	error_clear(&err);
	if (tid == NULL || !flow_cid_is_one_of(cid, ap->cids, ap->n_cids))
		return false;
	if (!order_state(&ap->chain, tid, &st, &err) ||
	    (st.captured == NULL && st.state != AS_DECLINED))
		return false;
	if (!flow_attempt_of_chain(&ap->chain, tid, &at, &err)) {
		flow_answer_store_error(ap->out, FC_UNKNOWN, &err);
		return true;
	}
	if (!flow_mend(ap->f, ap->c, &at, &st, NULL, &err) && st.captured != NULL)
		approval_answer_recording(ap, tid, &err);
	else if (st.captured != NULL)
		approval_answer_captured(ap, &at, &st.captured->payment,
		    st.captured->kind == LK_REVIEW ? AS_REVIEW : AS_APPROVED, true);
	else
		approval_answer_declined(ap, tid, &st.last->provider, true);
	return true;
}

/* Looks up the replay key. *answered: *out is the answer. False: the store failed. */
static bool
look_up_replay(struct approval *ap, bool *answered, struct error *err)
{
	struct store_replay r;
	bool found = false;

	*answered = false;
	if (!store_replay_get(ap->f->store, ap->key, &r, &found, ap->early.deadline_boot_ms, err))
		return false;
	if (!found)
		return true;
	if (!story_read_chain(ap->f, r.cid, r.partner_order_id, &ap->chain,
		ap->early.deadline_boot_ms, err))
		return false;
	*answered = answer_replay(ap, r.cid);
	return true;
}

/* ---- the story */

/* The ledger cannot be read. Says what the queue knows by now, as waiting for the store may have
 * taken long. */
static enum flow_charged
charged_by_queue(struct approval *ap)
{
	if (!queue_find_tid(ap->f->queue, ap->at.of.tid, ap->c->deadline_boot_ms, &ap->qa, NULL) ||
	    ap->qa.code != HA_OK)
		return FC_UNKNOWN;
	return ap->qa.hold.state == HOLD_READY && ap->qa.hold.token == 0 ? FC_FALSE : FC_UNKNOWN;
}

/* The queue did not grant the number. */
static enum next
not_granted(struct approval *ap, int64_t n)
{
	bool first = ap->behind_n != n;
	enum flow_charged charged = FC_UNKNOWN;

	switch (ap->qa.code) {
	case HA_REPLAY: /* an approve was under way, and has ended */
		return AGAIN;
	case HA_TOO_MANY_REFUSED:
		return answer_not_again(ap, ap->qa.retry_ms);
	case HA_LEDGER_BEHIND: /* another call may have moved on since we read; the second time it
				  is the ledger that is old */
	case HA_ORDER_PAID:
		ap->behind_n = n;
		if (first)
			return AGAIN;
		if (ap->qa.code == HA_ORDER_PAID)
			charged = FC_TRUE;
		else
			(void)story_is_behind(&ap->chain, ap->qa.hold.last_n, ap->out->detail);
		break;
	case HA_BUSY: /* it may have gone on since the ledger was read */
		if (ap->qa.hold.state != HOLD_READY && ap->qa.hold.state != HOLD_EXPIRED)
			break;
		/* fallthrough */
	case HA_EXPIRED:
	case HA_FENCED:
		charged = approval_charged_before(ap);
		break;
	default:
		break;
	}
	flow_answer_refusal(ap->out, &ap->qa, charged);
	return DONE;
}

/* This attempt has its outcome, and this call is late: repairs what was left undone. */
static void
mend_ended(struct approval *ap, const char *tid)
{
	struct flow_attempt at;
	struct order_state st;
	struct error err;

	error_clear(&err);
	if (!order_state(&ap->chain, tid, &st, &err) ||
	    !flow_attempt_of_chain(&ap->chain, tid, &at, &err) ||
	    !flow_mend(ap->f, ap->c, &at, &st, NULL, &err))
		log_event(LOG_LEVEL_WARN, "not_mended", KV_ERR(&err));
}

/* While an approve is under way, the chain may have grown since it was read. */
static bool
is_behind(struct approval *ap)
{
	const struct queue_hold *h = &ap->qa.hold;

	if (h->state != HOLD_APPROVING && story_is_behind(&ap->chain, h->last_n, ap->out->detail))
		return true;
	if (h->state == HOLD_APPROVED)
		snprintf(ap->out->detail, sizeof(ap->out->detail),
		    "the queue knows of a capture that the ledger lacks: an older database?");
	return h->state == HOLD_APPROVED;
}

/* True: hold and chain show that nothing is to be sent, and *out is the answer. */
static bool
is_over(struct approval *ap)
{
	const struct queue_hold *h = &ap->qa.hold;
	struct order_state whole, own;
	struct error err;

	error_clear(&err);
	if (!order_state(&ap->chain, NULL, &whole, &err) ||
	    !order_state(&ap->chain, h->tid, &own, &err))
		story_store_failed(ap->out, FC_UNKNOWN, &err);
	else if (whole.captured != NULL) {
		mend_ended(ap, whole.captured->tid);
		approval_done(ap, FR_ORDER_PAID, FC_TRUE, 0);
	} else if (is_behind(ap)) {
		approval_done(ap, FR_STORE_UNAVAILABLE, FC_UNKNOWN, FLOW_RETRY_MS);
	} else if (own.state == AS_DECLINED) {
		mend_ended(ap, own.last->tid);
		approval_answer_declined(ap, own.last->tid, &own.last->provider, false);
	} else if (h->state == HOLD_REMOVED || h->state == HOLD_FENCED || h->state == HOLD_DECLINED)
		approval_done(ap, FR_EXPIRED, FC_FALSE, 0);
	else if (h->state == HOLD_HELD) /* its ready call is under way: nobody can have paid for it
					 */
		approval_done(ap, FR_IN_PROGRESS, FC_FALSE, FLOW_RETRY_MS);
	else if (own.state == AS_REVIEW)
		approval_answer_unknown(ap, AS_REVIEW);
	else if (!order_may_begin(&ap->chain, h->tid)) /* another attempt of the order is perhaps
							  charged */
		approval_done(ap, FR_IN_PROGRESS, FC_UNKNOWN, FLOW_RETRY_MS);
	else
		return false;
	return true;
}

/* Nothing more may be sent under this tid. Each of its sends certainly came to nothing, so the user
 * may start another attempt. */
static enum next
answer_full(struct approval *ap)
{
	int64_t left_ms = ap->qa.hold.window_boot_ms - clock_boot_ms();

	snprintf(ap->out->detail, sizeof(ap->out->detail),
	    "the tid was sent %d times, or its order has %d ledger events", ORDER_SENDS_MAX,
	    ORDER_ATTEMPTS_MAX);
	return left_ms <= 0 ? approval_done(ap, FR_EXPIRED, FC_FALSE, 0)
			    : answer_not_again(ap, left_ms);
}

static enum next
approve_hold(struct approval *ap)
{
	struct error err;
	int64_t n;

	error_clear(&err);
	if (!flow_attempt_of_hold(&ap->qa.hold, &ap->at, &err))
		return story_queue_failed(ap->out, FC_UNKNOWN, &err);
	if (!story_read_chain(ap->f, ap->at.of.cid, ap->at.of.order, &ap->chain,
		ap->early.deadline_boot_ms, &err))
		return story_store_failed(ap->out, charged_by_queue(ap), &err);
	if (answer_replay(ap, ap->at.of.cid) || is_over(ap))
		return DONE;
	ap->unsettled = flow_chain_has_unsettled_send(&ap->chain, ap->at.of.tid);
	if (!ap->unsettled && !order_has_room(&ap->chain, LK_APPROVING, ap->at.of.tid))
		return answer_full(ap);
	n = (int64_t)ap->chain.n + 1;
	if (!queue_approve(ap->f->queue, ap->qa.hold.id, n, ap->key, ap->c->deadline_boot_ms,
		&ap->qa, &err))
		return story_queue_failed(ap->out, FC_UNKNOWN, &err);
	if (ap->qa.code != HA_OK)
		return not_granted(ap, n);
	ap->at.token = ap->qa.hold.token;
	ap->at.window_boot_ms = ap->qa.hold.window_boot_ms;
	ap->at.was_unknown = ap->unsettled;
	ap->at.chain = &ap->chain;
	return ap->unsettled ? approval_settle_first(ap, n) : approval_send(ap, n);
}

/*
 * Sends at once where the hold is a fresh one: the queue has never granted an approve of it, and
 * remembers nothing of its order. Then the chain is empty, and no call was made before with this
 * pg_token. Neither is read: the inserts under the replay key and at order#1 tell if it is not so.
 * The queue finds the hold and grants it in one step, so nobody comes in between.
 *
 * AGAIN: everything is to be read first. The queue refused, and changed nothing; or its answer did
 * not come, and then nothing is sent. The queue may have granted it all the same: then the look
 * that follows finds a hold that is being approved, and an approve of it is refused until the
 * deadline of the lost grant is over. Whoever is granted one then reads the chain, which has
 * nothing of the lost grant. And a repeat of a call that has its outcome gets it from the store,
 * also while the queue is away.
 */
static enum next
approve_fresh(struct approval *ap)
{
	const struct queue_hold *h = &ap->qa.hold;
	struct error err;
	enum next next;

	error_clear(&err);
	if (!queue_approve_first(ap->f->queue, ap->user_id, ap->room_id, ap->cids, ap->n_cids,
		ap->key, ap->c->deadline_boot_ms, &ap->qa, &err) ||
	    ap->qa.code != HA_OK)
		return AGAIN;
	if (!flow_attempt_of_hold(h, &ap->at, &err)) {
		ap->at.hold_id = h->id;
		ap->at.token = h->token;
		approval_return_grant(ap, HO_RESTORED);
		return AGAIN;
	}
	ledger_chain_clear(&ap->chain);
	ap->at.chain = &ap->chain;
	ap->guessed = true;
	next = approval_send(ap, 1);
	ap->guessed = false;
	return next;
}

static enum next
approve_once(struct approval *ap)
{
	struct error err;
	bool answered;

	error_clear(&err);
	if (!ap->looked && ap->f->gate == FR_OK) {
		ap->looked = true;
		return approve_fresh(ap);
	}
	if (!look_up_replay(ap, &answered, &err))
		return story_store_failed(ap->out, FC_UNKNOWN, &err);
	if (answered)
		return DONE;
	if (ap->f->gate != FR_OK)
		return approval_done(ap, ap->f->gate, FC_UNKNOWN, FLOW_RETRY_MS);
	if (!queue_find(ap->f->queue, FIND_PLACE, ap->user_id, ap->room_id,
		ap->early.deadline_boot_ms, &ap->qa, &err))
		return story_queue_failed(ap->out, FC_UNKNOWN, &err);
	if (ap->qa.code == HA_OK && flow_cid_is_one_of(ap->qa.hold.cid, ap->cids, ap->n_cids))
		return approve_hold(ap);
	/* Once more: the hold may have been removed since the first look. */
	if (!look_up_replay(ap, &answered, &err))
		return story_store_failed(ap->out, FC_UNKNOWN, &err);
	return answered ? DONE : approval_done(ap, FR_NO_HOLD, FC_ABSENT, 0);
}

void
flow_approve(struct flow *f, const struct flow_call *c, const char *user_id, const char *room_id,
    const char *pg_token, const char *const *cids, size_t n_cids, struct flow_answer *out)
{
	struct approval ap = { .f = f,
		.c = c,
		.early = *c,
		.user_id = user_id,
		.room_id = room_id,
		.pg_token = pg_token,
		.cids = cids,
		.n_cids = n_cids,
		.out = out };
	struct error err;
	enum next next = AGAIN;
	bool answered = false;

	flow_answer_begin(out);
	error_clear(&err);
	ap.early.deadline_boot_ms -= 2 * FLOW_SPARE_MS;
	if (!flow_replay_key(&f->conf->replay_key, user_id, room_id, pg_token, ap.key, &err)) {
		text_copy(out->detail, sizeof(out->detail), err.msg);
		return;
	}
	for (int i = 0;
	     next == AGAIN && i < ROUNDS_MAX && clock_boot_ms() < ap.early.deadline_boot_ms; i++)
		next = approve_once(&ap);
	/* Too late to begin anything; but the one that this call waited for may have ended. */
	ap.early.deadline_boot_ms = c->deadline_boot_ms;
	if (next == AGAIN && !(look_up_replay(&ap, &answered, &err) && answered))
		flow_answer_set(out, FR_IN_PROGRESS, FC_UNKNOWN, FLOW_RETRY_MS);
	/* A call that stood still: another one may have taken over since. Only what can never
	 * change is still known. */
	if (out->charged == FC_FALSE && out->result != FR_DECLINED && out->result != FR_EXPIRED &&
	    clock_boot_ms() >= c->deadline_boot_ms)
		out->charged = FC_UNKNOWN;
	ledger_chain_clear(&ap.chain);
}
