#include "config.h"

#include "flow/approval.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "flow/answer.h"
#include "flow/follow.h"
#include "flow/inquiry.h"
#include "flow/record.h"
#include "provider/answer.h"

enum next
approval_done(struct approval *ap, enum flow_result result, enum flow_charged charged,
    int64_t retry_ms)
{
	flow_answer_set(ap->out, result, charged, retry_ms);
	return DONE;
}

enum flow_charged
approval_charged_before(const struct approval *ap)
{
	return ap->unsettled ? FC_UNKNOWN : FC_FALSE;
}

enum next
approval_answer_captured(struct approval *ap, const struct flow_attempt *at,
    const struct payment *payment, enum attempt_state state, bool replayed)
{
	struct flow_answer *out = ap->out;

	flow_answer_set(out, FR_OK, FC_TRUE, 0);
	out->state = state;
	out->replayed = replayed;
	out->has_payment = true;
	out->payment = *payment;
	text_copy(out->tid, sizeof(out->tid), at->of.tid);
	text_copy(out->reservation_info, sizeof(out->reservation_info), at->a.reservation_info);
	return DONE;
}

enum next
approval_answer_declined(struct approval *ap, const char *tid, const struct provider_answer *pa,
    bool replayed)
{
	struct flow_answer *out = ap->out;

	flow_answer_set(out, provider_answer_is_window_over(pa) ? FR_EXPIRED : FR_DECLINED,
	    FC_FALSE, 0);
	out->state = AS_DECLINED;
	out->replayed = replayed;
	out->has_provider = true;
	out->provider = *pa;
	text_copy(out->tid, sizeof(out->tid), tid);
	return DONE;
}

enum next
approval_answer_unknown(struct approval *ap, enum attempt_state state)
{
	flow_answer_set(ap->out, FR_UNKNOWN, FC_UNKNOWN, FLOW_RETRY_MS);
	ap->out->state = state;
	text_copy(ap->out->tid, sizeof(ap->out->tid), ap->at.of.tid);
	return DONE;
}

enum next
approval_answer_recording(struct approval *ap, const char *tid, const struct error *err)
{
	flow_answer_set(ap->out, FR_RECORDING, FC_TRUE, FLOW_RETRY_MS);
	text_copy(ap->out->tid, sizeof(ap->out->tid), tid);
	text_copy(ap->out->detail, sizeof(ap->out->detail), err->msg);
	return DONE;
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
		return approval_answer_captured(ap, &ap->at, &o->payment, AS_APPROVED, false);
	case LK_REVIEW:
		return o->captured
		    ? approval_answer_captured(ap, &ap->at, &o->payment, AS_REVIEW, false)
		    : approval_answer_unknown(ap, AS_REVIEW);
	case LK_DECLINED:
		return approval_answer_declined(ap, ap->at.of.tid, &o->provider, false);
	case LK_REFUSED:
		return approval_done(ap, FR_TOKEN_REFUSED, FC_FALSE, 0);
	case LK_NOT_EXECUTED:
		if (ap->at.window_boot_ms <= clock_boot_ms())
			return approval_done(ap, FR_EXPIRED, FC_FALSE, 0);
		memcpy(ap->out->detail, o->reason, sizeof(ap->out->detail));
		return approval_done(ap, o->not_sent ? FR_PROVIDER_UNREACHABLE : FR_PROVIDER_ERROR,
		    FC_FALSE, 0);
	default:
		return approval_answer_unknown(ap, AS_UNKNOWN);
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

/* The outcome could not be written at order#n. Whoever comes next need not wait for this call. */
static enum next
not_recorded(struct approval *ap, const struct outcome *o, const struct error *err)
{
	if (o->captured || o->kind == LK_UNKNOWN || o->kind == LK_REVIEW)
		end_grant(ap, HO_UNKNOWN, clock_boot_ms() + FLOW_SPARE_MS);
	if (o->captured)
		return approval_answer_recording(ap, ap->at.of.tid, err);
	return o->kind == LK_UNKNOWN || o->kind == LK_REVIEW
	    ? approval_answer_unknown(ap, AS_UNKNOWN)
	    : story_store_failed(ap->out, approval_charged_before(ap), err);
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
	bool put, finished;
	struct error err;
	enum store_put how;

	error_clear(&err);
	if (o->captured && late.deadline_boot_ms < clock_boot_ms() + FLOW_SPARE_MS)
		late.deadline_boot_ms = clock_boot_ms() + FLOW_SPARE_MS;
	put = flow_put_outcome(ap->f, &late, &ap->at, &e, &how, &err);
	if (!put)
		return not_recorded(ap, o, &err);
	if (how == STORE_TAKEN)
		return AGAIN;
	finished = flow_tell_outcome(ap->f, &late, &ap->at, n, o->kind, e.payment, &err);
	if (!finished && o->captured) /* whoever comes next does the rest */
		return not_recorded(ap, o, &err);
	if (!finished)
		log_event(LOG_LEVEL_WARN, "outcome_unfinished",
		    KV_STR("kind", ledger_kind_name(o->kind)), KV_ERR(&err));
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
		text_copy(o->payment.user_id, sizeof(o->payment.user_id), ap->at.of.user);
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

void
approval_return_grant(struct approval *ap, enum hold_outcome how)
{
	end_grant(ap, how, ap->c->deadline_boot_ms);
}

/* Another order has this replay key: the token was used for it, and cannot be this one's. */
static enum next
key_is_taken(struct approval *ap)
{
	approval_return_grant(ap, ap->guessed ? HO_RESTORED : HO_REFUSED);
	if (ap->guessed) /* or this is a call that was made before, and has its answer */
		return AGAIN;
	return approval_done(ap, FR_TOKEN_REFUSED, approval_charged_before(ap), 0);
}

/* Another writer has this number: never n+1. */
static enum next
number_is_taken(struct approval *ap)
{
	if (ap->guessed) /* perhaps the chain is older than what the queue remembers: the next call
			    reads it */
		approval_return_grant(ap, HO_RESTORED);
	return approval_done(ap, FR_IN_PROGRESS, FC_UNKNOWN, FLOW_RETRY_MS);
}

/* It did not come to `approving`, or may stand there: then whoever comes after the deadline reads
 * it. */
static enum next
intent_failed(struct approval *ap, bool approving, const struct error *err)
{
	if (!approving || err->code == ERR_UNAVAILABLE)
		approval_return_grant(ap, HO_RESTORED);
	return story_store_failed(ap->out, approval_charged_before(ap), err);
}

/* Writes the replay key, the work item and `approving` at order#n. False: nothing may be sent;
 * *next says how to go on. */
static bool
record_intent(struct approval *ap, int64_t n, enum next *next)
{
	enum { KEY, WORK, APPROVING, ITEMS };
	struct store_replay replay = { .n = n };
	struct flow_event what = { .n = n,
		.kind = LK_APPROVING,
		.key = ap->key,
		.deadline_boot_ms = ap->c->deadline_boot_ms };
	struct ledger_event e;
	struct store_work work;
	const struct store_item items[ITEMS] = { { STORE_REPLAY, &replay, true },
		{ STORE_WORK, &work, false }, { STORE_EVENT, &e, true } };
	enum store_put how = STORE_OURS;
	size_t at = KEY;
	struct error err;
	bool ok;

	error_clear(&err);
	text_copy(replay.key, sizeof(replay.key), ap->key);
	text_copy(replay.cid, sizeof(replay.cid), ap->at.of.cid);
	text_copy(replay.partner_order_id, sizeof(replay.partner_order_id), ap->at.of.order);
	flow_make_work(&ap->early, &ap->at, &work);
	ok = flow_make_event(ap->f, &ap->early, &ap->at, &what, &e, &err) &&
	    store_put_in_order(ap->f->store, items, ITEMS, &at, &how, ap->early.deadline_boot_ms,
		&err);
	if (ok && how == STORE_OURS)
		flow_log_event(&e);
	ledger_event_clear(&e);
	if (!ok)
		*next = intent_failed(ap, at >= APPROVING, &err);
	else if (how == STORE_TAKEN)
		*next = at == KEY ? key_is_taken(ap) : number_is_taken(ap);
	if (!ok || how == STORE_TAKEN)
		return false;
	if (ap->unsettled)
		flow_drop_earlier_work(ap->f, &ap->early, &ap->at);
	return true;
}

enum next
approval_send(struct approval *ap, int64_t n)
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
	text_copy(rq.cid, sizeof(rq.cid), ap->at.of.cid);
	text_copy(rq.tid, sizeof(rq.tid), ap->at.of.tid);
	text_copy(rq.partner_order_id, sizeof(rq.partner_order_id), ap->at.of.order);
	text_copy(rq.partner_user_id, sizeof(rq.partner_user_id), ap->at.a.partner_user_id);
	if (provider_approve(ap->f->provider, &rq, ap->c->deadline_boot_ms - FLOW_SPARE_MS, &ko,
		&o.payment, &o.provider, &err)) {
		read_approve(ap, ko, &o);
	} else { /* our own defect: nothing was sent */
		o.kind = ap->unsettled ? LK_UNKNOWN : LK_NOT_EXECUTED;
		text_copy(o.reason, sizeof(o.reason), err.msg);
	}
	return conclude(ap, n + 1, &o);
}

enum next
approval_settle_first(struct approval *ap, int64_t n)
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
		return approval_send(ap, n);
	if (!order_state(&ap->chain, ap->at.of.tid, &st, &err) || st.state == AS_APPROVING)
		return conclude(ap, n, &o); /* `unknown`, once; a call that finds it there adds
					       nothing */
	end_grant(ap, st.state == AS_REVIEW ? HO_REVIEW : HO_UNKNOWN, ap->c->deadline_boot_ms);
	return approval_answer_unknown(ap, AS_UNKNOWN);
}
