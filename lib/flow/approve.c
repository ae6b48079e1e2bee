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

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "flow/answer.h"
#include "flow/attempt.h"
#include "flow/follow.h"
#include "flow/inquiry.h"
#include "flow/record.h"
#include "flow/replay_key.h"
#include "flow/story.h"
#include "provider/answer.h"

enum { ROUNDS_MAX = 32 }; /* each round follows a change by another request */

struct approval { /* one call on its way */
	struct flow *f;
	const struct flow_call *c;
	struct flow_call early; /* the deadline for all work before KakaoPay is asked */
	const char *user_id, *room_id, *pg_token;
	const char *const *cids;
	size_t n_cids;
	char key[KEY_CAP];
	struct ledger_chain chain;
	struct queue_answer qa;
	struct flow_attempt at;
	bool unsettled;	  /* an earlier send of this tid has no certain outcome */
	bool looked;	  /* whether the hold is a fresh one */
	bool guessed;	  /* the chain is taken for empty: the insert at order#1 will tell */
	int64_t behind_n; /* the number that the queue last refused as too low */
	struct flow_answer *out;
};

static enum next
done(struct approval *ap, enum flow_result result, enum flow_charged charged, int64_t retry_ms)
{
	flow_answer_set(ap->out, result, charged, retry_ms);
	return DONE;
}

/* For a call that sent nothing: only an earlier send can leave a doubt. */
static enum flow_charged
charged_before(const struct approval *ap)
{
	return ap->unsettled ? FC_UNKNOWN : FC_FALSE;
}

/* ---- answers from the chain */

static enum next
answer_captured(struct approval *ap, const struct flow_attempt *at, const struct payment *payment,
    enum attempt_state state, bool replayed)
{
	struct flow_answer *out = ap->out;

	flow_answer_set(out, FR_OK, FC_TRUE, 0);
	out->state = state;
	out->replayed = replayed;
	out->has_payment = true;
	out->payment = *payment;
	snprintf(out->tid, sizeof(out->tid), "%s", at->of.tid);
	snprintf(out->reservation_info, sizeof(out->reservation_info), "%s",
	    at->a.reservation_info);
	return DONE;
}

static enum next
answer_declined(struct approval *ap, const char *tid, const struct provider_answer *pa,
    bool replayed)
{
	struct flow_answer *out = ap->out;

	flow_answer_set(out, provider_answer_is_window_over(pa) ? FR_EXPIRED : FR_DECLINED,
	    FC_FALSE, 0);
	out->state = AS_DECLINED;
	out->replayed = replayed;
	out->has_provider = true;
	out->provider = *pa;
	snprintf(out->tid, sizeof(out->tid), "%s", tid);
	return DONE;
}

static enum next
answer_unknown(struct approval *ap, enum attempt_state state)
{
	flow_answer_set(ap->out, FR_UNKNOWN, FC_UNKNOWN, FLOW_RETRY_MS);
	ap->out->state = state;
	snprintf(ap->out->tid, sizeof(ap->out->tid), "%s", ap->at.of.tid);
	return DONE;
}

/* The attempt used up its tries for now. Answers from what is known: nothing is written, and
 * KakaoPay is not asked. */
static enum next
answer_not_again(struct approval *ap, int64_t retry_ms)
{
	if (ap->unsettled)
		answer_unknown(ap, AS_UNKNOWN);
	else
		flow_answer_set(ap->out, FR_TOO_MANY_REQUESTS, FC_ABSENT, 0);
	ap->out->retry_ms = retry_ms;
	return DONE;
}

static enum next
answer_recording(struct approval *ap, const char *tid, const struct error *err)
{
	flow_answer_set(ap->out, FR_RECORDING, FC_TRUE, FLOW_RETRY_MS);
	snprintf(ap->out->tid, sizeof(ap->out->tid), "%s", tid);
	snprintf(ap->out->detail, sizeof(ap->out->detail), "%s", err->msg);
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
		answer_recording(ap, tid, &err);
	else if (st.captured != NULL)
		answer_captured(ap, &at, &st.captured->payment,
		    st.captured->kind == LK_REVIEW ? AS_REVIEW : AS_APPROVED, true);
	else
		answer_declined(ap, tid, &st.last->provider, true);
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

/* ---- the outcome */

struct outcome {
	enum ledger_kind kind;
	struct payment payment; /* kind approved; review where captured */
	bool captured;
	bool not_sent; /* not_executed: not even sent */
	struct provider_answer provider;
	char reason[200];
};

static enum next
answer_outcome(struct approval *ap, const struct outcome *o)
{
	switch (o->kind) {
	case LK_APPROVED:
		return answer_captured(ap, &ap->at, &o->payment, AS_APPROVED, false);
	case LK_REVIEW:
		return o->captured ? answer_captured(ap, &ap->at, &o->payment, AS_REVIEW, false)
				   : answer_unknown(ap, AS_REVIEW);
	case LK_DECLINED:
		return answer_declined(ap, ap->at.of.tid, &o->provider, false);
	case LK_REFUSED:
		return done(ap, FR_TOKEN_REFUSED, FC_FALSE, 0);
	case LK_NOT_EXECUTED:
		if (ap->at.window_boot_ms <= clock_boot_ms())
			return done(ap, FR_EXPIRED, FC_FALSE, 0);
		memcpy(ap->out->detail, o->reason, sizeof(ap->out->detail));
		return done(ap, o->not_sent ? FR_PROVIDER_UNREACHABLE : FR_PROVIDER_ERROR, FC_FALSE,
		    0);
	default:
		return answer_unknown(ap, AS_UNKNOWN);
	}
}

/* Tells the queue how this grant ended, where the ledger has no event about it. */
static void
end_grant(struct approval *ap, enum hold_outcome how, int64_t deadline_boot_ms)
{
	struct queue_answer qa;
	struct error err;

	error_clear(&err);
	if (!queue_outcome(ap->f->queue, ap->at.hold_id, ap->at.token, how, 0, deadline_boot_ms,
		&qa, &err))
		log_event(LOG_LEVEL_WARN, "queue_not_told",
		    KV_STR("outcome", hold_outcome_name(how)), KV_INT("hold", ap->at.hold_id),
		    KV_ERR(&err));
}

/* Writes the outcome at order#n and does what follows. After a capture it may take a little longer
 * than the request's deadline. */
static enum next
conclude(struct approval *ap, int64_t n, struct outcome *o)
{
	struct flow_event e = { .n = n,
		.kind = o->kind,
		.payment = o->captured ? flow_payment_times(&o->payment) : NULL,
		.provider = &o->provider,
		.reason = o->reason };
	struct flow_call late = *ap->c;
	struct error err;
	enum store_put how;

	error_clear(&err);
	if (o->captured && late.deadline_boot_ms < clock_boot_ms() + FLOW_SPARE_MS)
		late.deadline_boot_ms = clock_boot_ms() + FLOW_SPARE_MS;
	if (!flow_put_event(ap->f, &late, &ap->at, &e, &how, &err)) {
		if (o->captured || o->kind == LK_UNKNOWN || o->kind == LK_REVIEW) /* whoever comes
										     next need not
										     wait for this
										     call */
			end_grant(ap, HO_UNKNOWN, clock_boot_ms() + FLOW_SPARE_MS);
		if (o->captured)
			return answer_recording(ap, ap->at.of.tid, &err);
		return o->kind == LK_UNKNOWN || o->kind == LK_REVIEW
		    ? answer_unknown(ap, AS_UNKNOWN)
		    : story_store_failed(ap->out, charged_before(ap), &err);
	}
	if (how == STORE_TAKEN)
		return AGAIN;
	if (!flow_finish_outcome(ap->f, &late, &ap->at, n, o->kind, e.payment, &err)) {
		if (o->captured) { /* whoever comes next does the rest; this call is over for the
				      queue */
			end_grant(ap, HO_UNKNOWN, clock_boot_ms() + FLOW_SPARE_MS);
			return answer_recording(ap, ap->at.of.tid, &err);
		}
		log_event(LOG_LEVEL_WARN, "outcome_unfinished",
		    KV_STR("kind", ledger_kind_name(o->kind)), KV_ERR(&err));
	}
	return answer_outcome(ap, o);
}

/* Sent, but the outcome is unknown: inquires at once if there is time. The ledger keeps the
 * provider's words of the approve. */
static void
inquire_after_send(struct approval *ap, struct outcome *o)
{
	int64_t deadline = ap->c->deadline_boot_ms - FLOW_SPARE_MS;
	struct provider_answer pa = { 0 };
	enum flow_verdict v;

	o->kind = LK_UNKNOWN;
	o->captured = false;
	if (deadline - clock_boot_ms() < FLOW_INQUIRY_MIN_MS)
		return;
	v = flow_inquire(ap->f, &ap->at, deadline, &o->payment, &pa, o->reason);
	(void)flow_verdict_proves(v, &o->kind, &o->captured);
	if (v == FV_CANCELED || (o->kind == LK_DECLINED && o->provider.code == 0))
		o->provider = pa;
}

/* What KakaoPay's answer to approve means. A refusal proves nothing if an earlier send of this tid
 * may have captured. */
static void
read_approve(struct approval *ap, enum provider_outcome ko, struct outcome *o)
{
	snprintf(o->reason, sizeof(o->reason), "%s, http %d, code %" PRId64,
	    provider_outcome_name(ko), o->provider.http, o->provider.code);
	if (ko == PO_OK) {
		snprintf(o->payment.user_id, sizeof(o->payment.user_id), "%s", ap->at.of.user);
		o->captured = true;
		o->kind =
		    flow_payment_matches(&ap->at, &o->payment, o->reason) ? LK_APPROVED : LK_REVIEW;
		return;
	}
	if (ap->unsettled &&
	    (ko == PO_TOKEN_REFUSED || ko == PO_NOT_EXECUTED || ko == PO_NOT_SENT)) {
		o->kind = LK_UNKNOWN; /* this send changed nothing, and the inquiry before it said
					 "not yet approved" */
		return;
	}
	if (ko == PO_INQUIRE || ko == PO_UNKNOWN || ap->unsettled) {
		inquire_after_send(ap, o);
		return;
	}
	o->not_sent = ko == PO_NOT_SENT;
	o->kind = ko == PO_TOKEN_REFUSED		? LK_REFUSED
	    : ko == PO_DECLINED || ko == PO_WINDOW_OVER ? LK_DECLINED
							: LK_NOT_EXECUTED;
}

/* ---- before and while sending */

/* Nothing was sent under this grant: the hold goes back to its former state. */
static void
return_grant(struct approval *ap, enum hold_outcome how)
{
	end_grant(ap, how, ap->c->deadline_boot_ms);
}

/* Writes the replay key, the work item and `approving` at order#n. False: nothing may be sent;
 * *next says how to go on. */
static bool
record_intent(struct approval *ap, int64_t n, enum next *next)
{
	struct store_replay replay = { .n = n };
	struct flow_event e = { .n = n,
		.kind = LK_APPROVING,
		.key = ap->key,
		.deadline_boot_ms = ap->c->deadline_boot_ms };
	enum store_put how = STORE_OURS;
	struct error err;

	error_clear(&err);
	snprintf(replay.key, sizeof(replay.key), "%s", ap->key);
	snprintf(replay.cid, sizeof(replay.cid), "%s", ap->at.of.cid);
	snprintf(replay.partner_order_id, sizeof(replay.partner_order_id), "%s", ap->at.of.order);
	if (!store_replay_put(ap->f->store, &replay, &how, ap->early.deadline_boot_ms, &err)) {
		return_grant(ap, HO_RESTORED);
		*next = story_store_failed(ap->out, charged_before(ap), &err);
		return false;
	}
	if (how == STORE_TAKEN) { /* this token was used for another order: it cannot be this one's
				   */
		return_grant(ap, ap->guessed ? HO_RESTORED : HO_REFUSED);
		if (ap->guessed) { /* or this is a call that was made before, and has its answer */
			*next = AGAIN;
			return false;
		}
		*next = done(ap, FR_TOKEN_REFUSED, charged_before(ap), 0);
		return false;
	}
	if (!flow_put_work(ap->f, &ap->early, &ap->at, &err)) {
		return_grant(ap, HO_RESTORED);
		*next = story_store_failed(ap->out, charged_before(ap), &err);
		return false;
	}
	if (!flow_put_event(ap->f, &ap->early, &ap->at, &e, &how, &err)) {
		if (err.code == ERR_UNAVAILABLE) /* else it may stand there: whoever comes after the
						    deadline reads it */
			return_grant(ap, HO_RESTORED);
		*next = story_store_failed(ap->out, charged_before(ap), &err);
		return false;
	}
	if (how == STORE_TAKEN) { /* another writer has this number: never n+1 */
		if (ap->guessed)  /* perhaps the chain is older than what the queue remembers: the
				     next call reads it */
			return_grant(ap, HO_RESTORED);
		*next = done(ap, FR_IN_PROGRESS, FC_UNKNOWN, FLOW_RETRY_MS);
		return false;
	}
	if (ap->unsettled)
		flow_drop_earlier_work(ap->f, &ap->early, &ap->at);
	return true;
}

static enum next
send_approve(struct approval *ap, int64_t n)
{
	struct provider_approve rq = { .pg_token = ap->pg_token,
		.total_amount = ap->at.a.total_amount,
		.window_boot_ms = ap->at.window_boot_ms };
	struct outcome o = { 0 };
	enum provider_outcome ko;
	char payload[64];
	struct error err;
	enum next next;

	error_clear(&err);
	ap->at.n = n;
	if (!record_intent(ap, n, &next))
		return next;
	snprintf(payload, sizeof(payload), "%" PRIu64 "#%" PRId64, ap->at.hold_id, n);
	rq.payload = payload;
	snprintf(rq.cid, sizeof(rq.cid), "%s", ap->at.of.cid);
	snprintf(rq.tid, sizeof(rq.tid), "%s", ap->at.of.tid);
	snprintf(rq.partner_order_id, sizeof(rq.partner_order_id), "%s", ap->at.of.order);
	snprintf(rq.partner_user_id, sizeof(rq.partner_user_id), "%s", ap->at.a.partner_user_id);
	if (provider_approve(ap->f->provider, &rq, ap->c->deadline_boot_ms - FLOW_SPARE_MS, &ko,
		&o.payment, &o.provider, &err)) {
		read_approve(ap, ko, &o);
	} else { /* our own defect: nothing was sent */
		o.kind = ap->unsettled ? LK_UNKNOWN : LK_NOT_EXECUTED;
		snprintf(o.reason, sizeof(o.reason), "%s", err.msg);
	}
	return conclude(ap, n + 1, &o);
}

/* An earlier send has no certain outcome: asks KakaoPay about it first. */
static enum next
settle_first(struct approval *ap, int64_t n)
{
	int64_t deadline = ap->c->deadline_boot_ms - 2 * FLOW_SPARE_MS;
	struct outcome o = { 0 };
	struct order_state st;
	struct error err;
	enum flow_verdict v;

	error_clear(&err);
	v = flow_inquire(ap->f, &ap->at, deadline, &o.payment, &o.provider, o.reason);
	if (flow_verdict_proves(v, &o.kind, &o.captured)) {
		const char *mine = order_tid_of_key(&ap->chain, ap->key);
		enum next next = conclude(ap, n, &o);

		/* A capture that another pg_token made is not this call's; one that is not recorded
		 * yet is for anybody to try again. */
		return o.captured && ap->out->result == FR_OK &&
			(mine == NULL || strcmp(mine, ap->at.of.tid) != 0)
		    ? AGAIN
		    : next;
	}
	if (v == FV_PENDING && clock_boot_ms() < ap->at.window_boot_ms &&
	    order_has_room(&ap->chain, LK_APPROVING, ap->at.of.tid))
		return send_approve(ap, n);
	if (!order_state(&ap->chain, ap->at.of.tid, &st, &err) || st.state == AS_APPROVING)
		return conclude(ap, n, &o); /* `unknown`, once; a call that finds it there adds
					       nothing */
	end_grant(ap, st.state == AS_REVIEW ? HO_REVIEW : HO_UNKNOWN, ap->c->deadline_boot_ms);
	return answer_unknown(ap, AS_UNKNOWN);
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
		charged = charged_before(ap);
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
		done(ap, FR_ORDER_PAID, FC_TRUE, 0);
	} else if (is_behind(ap)) {
		done(ap, FR_STORE_UNAVAILABLE, FC_UNKNOWN, FLOW_RETRY_MS);
	} else if (own.state == AS_DECLINED) {
		mend_ended(ap, own.last->tid);
		answer_declined(ap, own.last->tid, &own.last->provider, false);
	} else if (h->state == HOLD_REMOVED || h->state == HOLD_FENCED || h->state == HOLD_DECLINED)
		done(ap, FR_EXPIRED, FC_FALSE, 0);
	else if (h->state == HOLD_HELD) /* its ready call is under way: nobody can have paid for it
					 */
		done(ap, FR_IN_PROGRESS, FC_FALSE, FLOW_RETRY_MS);
	else if (own.state == AS_REVIEW)
		answer_unknown(ap, AS_REVIEW);
	else if (!order_may_begin(&ap->chain, h->tid)) /* another attempt of the order is perhaps
							  charged */
		done(ap, FR_IN_PROGRESS, FC_UNKNOWN, FLOW_RETRY_MS);
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
	return left_ms <= 0 ? done(ap, FR_EXPIRED, FC_FALSE, 0) : answer_not_again(ap, left_ms);
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
	return ap->unsettled ? settle_first(ap, n) : send_approve(ap, n);
}

/*
 * The queue has never heard of an approve of this hold or of its order: then the chain is empty,
 * and no call was made before with this pg_token. Neither is read: the inserts under the replay key
 * and at order#1 tell if it is not so.
 */
static bool
is_fresh(const struct approval *ap)
{
	const struct queue_hold *h = &ap->qa.hold;

	return ap->qa.code == HA_OK && h->state == HOLD_READY && h->token == 0 && h->last_n == 0 &&
	    flow_cid_is_one_of(h->cid, ap->cids, ap->n_cids);
}

/* Sends at once where the hold is a fresh one. False: everything is to be read first. Tried once in
 * a call. */
static bool
approve_fresh(struct approval *ap, enum next *next)
{
	int64_t deadline = ap->early.deadline_boot_ms;
	struct error err;

	error_clear(&err);
	if (ap->looked || ap->f->gate != FR_OK)
		return false;
	ap->looked = true;
	if (!queue_find(ap->f->queue, FIND_PLACE, ap->user_id, ap->room_id, deadline, &ap->qa,
		&err) ||
	    !is_fresh(ap) || !flow_attempt_of_hold(&ap->qa.hold, &ap->at, &err))
		return false;
	*next = AGAIN;
	if (!queue_approve(ap->f->queue, ap->qa.hold.id, 1, ap->key, ap->c->deadline_boot_ms,
		&ap->qa, &err))
		*next = story_queue_failed(ap->out, FC_UNKNOWN, &err);
	if (*next != AGAIN || ap->qa.code != HA_OK) /* somebody was faster */
		return true;
	ledger_chain_clear(&ap->chain);
	ap->at.token = ap->qa.hold.token;
	ap->at.window_boot_ms = ap->qa.hold.window_boot_ms;
	ap->at.chain = &ap->chain;
	ap->guessed = true;
	*next = send_approve(ap, 1);
	ap->guessed = false;
	return true;
}

static enum next
approve_once(struct approval *ap)
{
	enum next next;
	struct error err;
	bool answered;

	error_clear(&err);
	if (approve_fresh(ap, &next))
		return next;
	if (!look_up_replay(ap, &answered, &err))
		return story_store_failed(ap->out, FC_UNKNOWN, &err);
	if (answered)
		return DONE;
	if (ap->f->gate != FR_OK)
		return done(ap, ap->f->gate, FC_UNKNOWN, FLOW_RETRY_MS);
	if (!queue_find(ap->f->queue, FIND_PLACE, ap->user_id, ap->room_id,
		ap->early.deadline_boot_ms, &ap->qa, &err))
		return story_queue_failed(ap->out, FC_UNKNOWN, &err);
	if (ap->qa.code == HA_OK && flow_cid_is_one_of(ap->qa.hold.cid, ap->cids, ap->n_cids))
		return approve_hold(ap);
	/* Once more: the hold may have been removed since the first look. */
	if (!look_up_replay(ap, &answered, &err))
		return story_store_failed(ap->out, FC_UNKNOWN, &err);
	return answered ? DONE : done(ap, FR_NO_HOLD, FC_ABSENT, 0);
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
		snprintf(out->detail, sizeof(out->detail), "%s", err.msg);
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
