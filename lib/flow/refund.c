/*
 * cancelPayment: money goes back, whole or in part, once for each refundId and never more than was
 * paid.
 *
 * Order of work:
 *   find the payment; read its order's chain; answer a repeat of the same refundId; check the
 * amounts; inquire: KakaoPay's total of cancelled won must be the ledger's; write the work item,
 * then `refunding` at order#n; ask KakaoPay to cancel, and tell it how much must still be there;
 *   write the end at order#n+1; owe the messages;
 *   after a full refund that the reservation service has not seen: withdraw payment.approved, free
 * the hold; delete the work item. A crash anywhere leaves the work item, from which the courier
 * goes on.
 */
#include "config.h"

#include "flow/refund.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "flow/answer.h"
#include "flow/inquiry.h"
#include "flow/record.h"
#include "flow/story.h"
#include "money/refund.h"

enum { ROUNDS_MAX = 8 };
static const int64_t BOOKS_BEHIND_MS = 600000; /* for so long an inquiry may not show yet what
						  KakaoPay carried out */

struct refunding { /* one call on its way */
	struct flow *f;
	const struct flow_call *c;
	struct flow_call early; /* what is done before KakaoPay is asked must leave time for it */
	const struct flow_refund_request *rq;
	const char *const *cids;
	size_t n_cids;
	struct ledger_chain chain;
	struct order_state st; /* of the tid */
	struct flow_attempt at;
	struct flow_answer *out;
};

static enum next
done(struct refunding *r, enum flow_result result, int64_t retry_ms)
{
	flow_answer_set(r->out, result, FC_TRUE, retry_ms); /* it speaks of a payment, which is
							       there */
	text_copy(r->out->tid, sizeof(r->out->tid), r->rq->tid);
	return DONE;
}

static void
alert(const struct flow_attempt *at, const char *event, const char *detail)
{
	log_event(LOG_LEVEL_ERROR, event, KV_STR("tid", at->of.tid), KV_STR("cid", at->of.cid),
	    KV_STR("order", at->of.order), KV_STR("detail", detail));
}

/* ---- what KakaoPay knows */

enum sum { SUM_KNOWN, SUM_STRANGE, SUM_SILENT };

/* How much of this payment was cancelled so far. paid: what the ledger says was captured. */
static enum sum
ask_sum(struct flow *f, const struct flow_attempt *at, const struct amount *paid,
    int64_t deadline_boot_ms, struct amount *sum, enum provider_outcome *o,
    struct provider_answer *pa, char why[200])
{
	int64_t limit = clock_boot_ms() + FLOW_INQUIRY_MS;
	struct provider_order order;
	struct error err;

	error_clear(&err);
	*sum = (struct amount){ 0 };
	if (!provider_order(f->provider, at->of.cid, at->of.tid,
		deadline_boot_ms < limit ? deadline_boot_ms : limit, o, &order, pa, &err)) {
		*o = PO_NOT_EXECUTED;
		snprintf(why, 200, "inquiry: %.180s", err.msg);
		return SUM_SILENT;
	}
	snprintf(why, 200, "inquiry: %s", provider_outcome_name(*o));
	if (*o != PO_OK)
		return SUM_SILENT;
	text_copy(pa->message, sizeof(pa->message), order.status_text);
	text_copy(pa->status, sizeof(pa->status), provider_status_name(order.status));
	snprintf(why, 200, "KakaoPay says %s", order.status_text);
	if (order.status == PS_PENDING) /* its books are behind: it was captured */
		return SUM_SILENT;
	if ((order.status != PS_PAID && order.status != PS_PART_CANCELED &&
		order.status != PS_CANCELED) ||
	    order.payment.amount.total != paid->total)
		return SUM_STRANGE;
	if (order.has_canceled)
		*sum = order.canceled;
	else if (order.status == PS_CANCELED)
		*sum = *paid;
	else if (order.status == PS_PART_CANCELED)
		return SUM_SILENT;
	snprintf(why, 200, "KakaoPay says %s, %" PRId64 " won cancelled", order.status_text,
	    sum->total);
	return SUM_KNOWN;
}

enum refund_reading
flow_read_refund(struct flow *f, const struct flow_attempt *at, const struct order_state *st,
    const struct ledger_event *begun, int64_t deadline_boot_ms, struct provider_answer *pa,
    char why[200])
{
	enum provider_outcome o;
	struct amount sum;

	switch (
	    ask_sum(f, at, &st->captured->payment.amount, deadline_boot_ms, &sum, &o, pa, why)) {
	case SUM_KNOWN:
		break;
	case SUM_STRANGE:
		return RR_OTHERWISE;
	case SUM_SILENT:
		return RR_SILENT;
	}
	if (sum.total == begun->refund.canceled + begun->refund.amount)
		return RR_EXECUTED;
	return sum.total == begun->refund.canceled ? RR_NOT_EXECUTED : RR_OTHERWISE;
}

/* ---- the chain */

bool
flow_put_refund_end(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    const struct order_state *st, const struct ledger_event *begun, int64_t n,
    enum refund_reading reading, bool declined, const struct provider_answer *pa, const char *why,
    enum store_put *how, struct error *err)
{
	struct ledger_refund refund = begun->refund;
	struct flow_event e = { .n = n, .provider = pa, .reason = why, .refund = &refund };

	refund.declined = declined;
	switch (reading) {
	case RR_EXECUTED:
		refund.canceled += refund.amount;
		e.kind = refund.canceled == st->captured->payment.amount.total ? LK_REFUNDED
									       : LK_PART_REFUNDED;
		break;
	case RR_NOT_EXECUTED:
		e.kind = LK_REFUND_FAILED;
		break;
	case RR_OTHERWISE:
		e.kind = LK_REVIEW;
		break;
	case RR_SILENT:
		e.kind = LK_REFUND_UNKNOWN;
		break;
	}
	if (!flow_put_event(f, c, at, &e, how, err))
		return false;
	if (*how == STORE_OURS && e.kind == LK_REVIEW)
		alert(at, "refund_mismatch", why);
	return true;
}

bool
flow_note_outside(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    const struct order_state *st, bool *is_done, struct error *err)
{
	const struct amount *paid = &st->captured->payment.amount;
	struct ledger_refund refund = { .id = REFUND_OUTSIDE };
	struct provider_answer pa = { 0 };
	struct flow_attempt mine = *at;
	struct flow_event e = { .provider = &pa, .refund = &refund };
	enum provider_outcome o;
	enum store_put how;
	struct amount sum;
	char why[200];

	*is_done = false;
	if (ask_sum(f, at, paid, c->deadline_boot_ms - FLOW_SPARE_MS, &sum, &o, &pa, why) !=
		SUM_KNOWN ||
	    sum.total <= st->refunded.total)
		return true;
	mine.n = e.n = (int64_t)at->chain->n + 1;
	refund.amount = sum.total - st->refunded.total;
	refund.tax_free = sum.tax_free - st->refunded.tax_free;
	refund.vat = sum.vat - st->refunded.vat;
	refund.canceled = sum.total;
	e.kind = sum.total == paid->total ? LK_REFUNDED : LK_PART_REFUNDED;
	e.reason = why;
	if (!flow_put_work(f, c, &mine, err) || !flow_put_event(f, c, &mine, &e, &how, err))
		return false;
	*is_done = how == STORE_OURS;
	if (*is_done)
		alert(at, "refunded_outside", why);
	return true;
}

/* ---- answers */

static enum next
answer_refunded(struct refunding *r, const struct ledger_refund *refund, enum ledger_kind kind,
    bool replayed)
{
	struct flow_answer *out = r->out;

	done(r, FR_OK, 0);
	out->replayed = replayed;
	out->state = kind == LK_REFUNDED ? AS_REFUNDED : AS_PART_REFUNDED;
	out->refund.amount = refund->amount;
	out->refund.canceled = refund->canceled;
	out->refund.left = r->st.captured->payment.amount.total - refund->canceled;
	return DONE;
}

static enum next
answer_declined(struct refunding *r, const struct provider_answer *pa, bool replayed)
{
	done(r, FR_REFUND_DECLINED, 0);
	r->out->replayed = replayed;
	r->out->has_provider = true;
	r->out->provider = *pa;
	return DONE;
}

/* Answers a repeat of the same refundId. False: it was not tried, or may be tried again. */
static bool
answer_replay(struct refunding *r)
{
	const struct ledger_event *begun = refund_find(&r->chain, r->rq->tid, r->rq->refund_id),
				  *end;

	if (begun == NULL)
		return false;
	if (!refund_is_same(&begun->refund, &r->rq->asked)) {
		done(r, FR_REFUND_MISMATCH, 0);
		return true;
	}
	end = refund_end(&r->chain, begun);
	if (end == NULL)
		done(r, FR_REFUND_UNKNOWN, FLOW_RETRY_MS);
	else if (end->kind == LK_REFUNDED || end->kind == LK_PART_REFUNDED)
		answer_refunded(r, &end->refund, end->kind, true);
	else if (end->kind == LK_REVIEW)
		done(r, FR_IN_REVIEW, 0);
	else if (end->refund.declined)
		answer_declined(r, &end->provider, true);
	else
		return false;
	return true;
}

/* ---- the cancel and its end */

struct outcome {
	enum refund_reading reading;
	bool declined, not_sent;
	struct provider_answer provider;
	char reason[200];
};

static enum next
answer_outcome(struct refunding *r, const struct ledger_event *begun, const struct outcome *o)
{
	struct ledger_refund refund = begun->refund;

	switch (o->reading) {
	case RR_EXECUTED:
		refund.canceled += refund.amount;
		return answer_refunded(r, &refund,
		    refund.canceled == r->st.captured->payment.amount.total ? LK_REFUNDED
									    : LK_PART_REFUNDED,
		    false);
	case RR_NOT_EXECUTED:
		if (o->declined)
			return answer_declined(r, &o->provider, false);
		text_copy(r->out->detail, sizeof(r->out->detail), o->reason);
		return done(r, o->not_sent ? FR_PROVIDER_UNREACHABLE : FR_PROVIDER_ERROR, 0);
	case RR_OTHERWISE:
		return done(r, FR_IN_REVIEW, 0);
	case RR_SILENT:
		break;
	}
	return done(r, FR_REFUND_UNKNOWN, FLOW_RETRY_MS);
}

/* Another event took the number of the end. True: *n is the next one, and the end is not written
 * yet. Reads the chain again. */
static bool
next_number(struct refunding *r, const struct ledger_event *begun, const struct flow_call *late,
    int64_t *n)
{
	int64_t taken = *n;
	struct error err;

	error_clear(&err);
	if (!story_read_chain(r->f, r->at.of.cid, r->at.of.order, &r->chain, late->deadline_boot_ms,
		&err) ||
	    !order_state(&r->chain, r->rq->tid, &r->st, &err))
		return false;
	*n = (int64_t)r->chain.n + 1;
	return *n > taken && refund_end(&r->chain, begun) == NULL;
}

/* Writes the end at order#n and does what follows. It may take a little longer than the request's
 * deadline: money may have moved. */
static enum next
conclude(struct refunding *r, const struct ledger_event *begun, int64_t n, const struct outcome *o)
{
	struct flow_call late = { r->c->request_id, clock_boot_ms() + FLOW_SPARE_MS, r->c->who };
	struct error err;
	enum store_put how;
	bool finished;

	error_clear(&err);
	if (late.deadline_boot_ms < r->c->deadline_boot_ms)
		late.deadline_boot_ms = r->c->deadline_boot_ms;
	if (!flow_put_refund_end(r->f, &late, &r->at, &r->st, begun, n, o->reading, o->declined,
		&o->provider, o->reason, &how, &err)) {
		log_event(LOG_LEVEL_WARN, "refund_unfinished", KV_STR("tid", r->rq->tid),
		    KV_ERR(&err));
		return done(r, FR_REFUND_UNKNOWN, FLOW_RETRY_MS); /* the courier finds out */
	}
	if (how == STORE_TAKEN) /* as a removal at the same moment takes it */
		return next_number(r, begun, &late, &n) ? conclude(r, begun, n, o) : AGAIN;
	if (o->reading != RR_SILENT &&
	    !flow_finish_refund(r->f, &late, r->at.of.cid, r->at.of.order, r->rq->tid, begun->n,
		&finished, &err))
		log_event(LOG_LEVEL_WARN, "refund_unfinished", KV_STR("tid", r->rq->tid),
		    KV_ERR(&err)); /* its item stays */
	return answer_outcome(r, begun, o);
}

/* What KakaoPay's answer to cancel means. No other refund of this tid is under way, so a certain
 * refusal proves that nothing moved. */
static void
read_cancel(struct refunding *r, const struct ledger_event *begun, enum provider_outcome ko,
    const struct provider_canceled *said, struct outcome *o)
{
	const struct ledger_refund *refund = &begun->refund;
	int64_t deadline = r->c->deadline_boot_ms - FLOW_SPARE_MS;

	snprintf(o->reason, sizeof(o->reason), "%s, http %d, code %" PRId64,
	    provider_outcome_name(ko), o->provider.http, o->provider.code);
	switch (ko) {
	case PO_OK:
		o->reading = said->canceled.total == refund->canceled + refund->amount
		    ? RR_EXECUTED
		    : RR_OTHERWISE;
		if (o->reading == RR_OTHERWISE)
			snprintf(o->reason, sizeof(o->reason),
			    "KakaoPay says %" PRId64 " won cancelled in all, the ledger %" PRId64
			    " and this refund",
			    said->canceled.total, refund->canceled);
		return;
	case PO_NOT_SENT:
	case PO_NOT_EXECUTED:
	case PO_TOKEN_REFUSED:
	case PO_DECLINED:
	case PO_WINDOW_OVER:
		o->reading = RR_NOT_EXECUTED;
		o->not_sent = ko == PO_NOT_SENT;
		o->declined = ko != PO_NOT_SENT && ko != PO_NOT_EXECUTED;
		return;
	case PO_INQUIRE:
	case PO_UNKNOWN:
	case PO__MAX:
		break;
	}
	o->reading = RR_SILENT;
	if (deadline - clock_boot_ms() < FLOW_INQUIRY_MIN_MS)
		return;
	o->reading =
	    flow_read_refund(r->f, &r->at, &r->st, begun, deadline, &o->provider, o->reason);
	if (o->reading == RR_NOT_EXECUTED) /* one look proves nothing: the courier looks again */
		o->reading = RR_SILENT;
}

/* Writes the work item and `refunding` at order#n. False: nothing may be sent; *next says how to go
 * on. */
static bool
record_intent(struct refunding *r, struct ledger_event *begun, enum next *next)
{
	struct flow_event e = { .n = begun->n,
		.kind = LK_REFUNDING,
		.deadline_boot_ms = r->c->deadline_boot_ms,
		.refund = &begun->refund,
		.reason = r->rq->reason };
	enum store_put how;
	struct error err;

	error_clear(&err);
	r->at.n = begun->n;
	*next = AGAIN;
	if (!flow_put_work(r->f, &r->early, &r->at, &err) ||
	    !flow_put_event(r->f, &r->early, &r->at, &e, &how, &err)) {
		*next = story_store_failed(r->out, FC_TRUE, &err);
		return false;
	}
	/* This number is another's: that item is about nothing. Everything is looked at anew,
	 * KakaoPay's sum too. */
	if (how == STORE_TAKEN)
		(void)store_work_delete(r->f->store, r->rq->tid, begun->n,
		    r->early.deadline_boot_ms, NULL);
	return how == STORE_OURS;
}

static enum next
send_cancel(struct refunding *r, const struct amount *amount)
{
	const struct amount *paid = &r->st.captured->payment.amount;
	struct ledger_event begun = { .n = (int64_t)r->chain.n + 1,
		.kind = LK_REFUNDING,
		.has_refund = true,
		.refund = { .all = r->rq->asked.amount < 0,
		    .amount = amount->total,
		    .tax_free = amount->tax_free,
		    .vat = amount->vat,
		    .canceled = r->st.refunded.total } };
	struct provider_cancel rq = { .cancel_amount = amount->total,
		.cancel_tax_free_amount = amount->tax_free,
		.cancel_vat_amount = amount->vat,
		.cancel_available_amount = paid->total - r->st.refunded.total,
		.payload = r->rq->refund_id };
	struct provider_canceled said;
	struct outcome o = { 0 };
	enum provider_outcome ko;
	struct error err;
	enum next next;

	error_clear(&err);
	text_copy(begun.refund.id, sizeof(begun.refund.id), r->rq->refund_id);
	text_copy(begun.tid, sizeof(begun.tid), r->rq->tid);
	if (!record_intent(r, &begun, &next))
		return next;
	text_copy(rq.cid, sizeof(rq.cid), r->at.of.cid);
	text_copy(rq.tid, sizeof(rq.tid), r->rq->tid);
	if (provider_cancel(r->f->provider, &rq, r->c->deadline_boot_ms - FLOW_SPARE_MS, &ko, &said,
		&o.provider, &err)) {
		read_cancel(r, &begun, ko, &said, &o);
	} else { /* our own defect: nothing was sent */
		o.reading = RR_NOT_EXECUTED;
		text_copy(o.reason, sizeof(o.reason), err.msg);
	}
	return conclude(r, &begun, begun.n + 1, &o);
}

/* ---- the story */

/* The totals differ: KakaoPay refunded something that the ledger does not know, or the other way
 * round. An operator decides. */
static enum next
note_mismatch(struct refunding *r, const char *why)
{
	struct flow_event e = { .n = (int64_t)r->chain.n + 1, .kind = LK_REVIEW, .reason = why };
	struct error err;
	enum store_put how;

	error_clear(&err);
	if (!flow_put_event(r->f, r->c, &r->at, &e, &how, &err))
		return story_store_failed(r->out, FC_TRUE, &err);
	if (how == STORE_TAKEN)
		return AGAIN;
	alert(&r->at, "refund_mismatch", why);
	return done(r, FR_IN_REVIEW, 0);
}

/* True: too many refunds failed in the last minute, or the chain is full. *out says so; nothing is
 * written, and KakaoPay is not asked. */
static bool
is_too_often(struct refunding *r)
{
	int64_t wait_ms = refund_wait_ms(&r->chain, r->rq->tid, clock_now().wall_ms);

	if (!order_has_room(&r->chain, LK_REFUNDING, r->rq->tid)) {
		snprintf(r->out->detail, sizeof(r->out->detail),
		    "the order has %zu ledger events: refund it in KakaoPay's console", r->chain.n);
		wait_ms = FLOW_FULL_RETRY_MS;
	}
	if (wait_ms > 0)
		flow_answer_set(r->out, FR_TOO_MANY_REQUESTS, FC_ABSENT, wait_ms);
	return wait_ms > 0;
}

static enum next
refund_payment(struct refunding *r)
{
	const struct amount *paid = &r->st.captured->payment.amount;
	struct provider_answer pa = { 0 };
	struct amount amount, sum;
	enum provider_outcome o;
	char why[200], more[200];

	switch (refund_amounts(paid, &r->st.refunded, &r->rq->asked, &amount)) {
	case REFUND_OK:
		break;
	case REFUND_EXCEEDS:
		return done(r, FR_REFUND_EXCEEDS, 0);
	case REFUND_TAX_FREE_REQUIRED:
		return done(r, FR_TAX_FREE_REQUIRED, 0);
	}
	if (is_too_often(r))
		return DONE;
	switch (ask_sum(r->f, &r->at, paid, r->early.deadline_boot_ms, &sum, &o, &pa, why)) {
	case SUM_KNOWN:
		break;
	case SUM_STRANGE:
		return note_mismatch(r, why);
	case SUM_SILENT:
		text_copy(r->out->detail, sizeof(r->out->detail), why);
		return done(r, o == PO_NOT_SENT ? FR_PROVIDER_UNREACHABLE : FR_PROVIDER_ERROR, 0);
	}
	if (sum.total < r->st.refunded.total &&
	    clock_now().wall_ms - r->st.last->at_ms < BOOKS_BEHIND_MS)
		return done(r, FR_REFUND_IN_PROGRESS, FLOW_RETRY_MS);
	if (sum.total != r->st.refunded.total) {
		snprintf(more, sizeof(more), "%.120s, the ledger %" PRId64, why,
		    r->st.refunded.total);
		return note_mismatch(r, more);
	}
	return send_cancel(r, &amount);
}

/* cid and order of the payment with this tid: from the store, or from the queue if its document is
 * not written yet. "": none for this caller. */
static bool
find_payment(struct refunding *r, struct payment *p, struct error *err)
{
	struct queue_answer qa;
	bool found;

	if (!store_payment_get(r->f->store, r->rq->tid, p, &found, r->early.deadline_boot_ms, err))
		return false;
	if (!found) {
		*p = (struct payment){ 0 };
		if (queue_find_tid(r->f->queue, r->rq->tid, r->early.deadline_boot_ms, &qa, NULL) &&
		    qa.code == HA_OK) {
			text_copy(p->cid, sizeof(p->cid), qa.hold.cid);
			text_copy(p->partner_order_id, sizeof(p->partner_order_id), qa.hold.order);
		}
	}
	if (!flow_cid_is_one_of(p->cid, r->cids, r->n_cids))
		p->cid[0] = '\0';
	return true;
}

static enum next
refund_once(struct refunding *r)
{
	struct payment p;
	struct error err;

	error_clear(&err);
	if (!find_payment(r, &p, &err))
		return story_store_failed(r->out, FC_UNKNOWN, &err);
	if (p.cid[0] == '\0') {
		flow_answer_set(r->out, FR_NO_PAYMENT, FC_ABSENT, 0);
		return DONE;
	}
	if (!story_read_chain(r->f, p.cid, p.partner_order_id, &r->chain, r->early.deadline_boot_ms,
		&err) ||
	    !order_state(&r->chain, r->rq->tid, &r->st, &err))
		return story_store_failed(r->out, FC_UNKNOWN, &err);
	if (r->st.captured == NULL) {
		bool open = r->st.state == AS_APPROVING || r->st.state == AS_UNKNOWN ||
		    r->st.state == AS_REVIEW;

		flow_answer_set(r->out, open ? FR_IN_PROGRESS : FR_NO_PAYMENT,
		    open ? FC_UNKNOWN : FC_ABSENT, open ? FLOW_RETRY_MS : 0);
		return DONE;
	}
	if (!flow_attempt_of_chain(&r->chain, r->rq->tid, &r->at, &err))
		return story_store_failed(r->out, FC_TRUE, &err);
	if (answer_replay(r))
		return DONE;
	if (r->st.state == AS_REVIEW)
		return done(r, FR_IN_REVIEW, 0);
	if (r->st.state == AS_REFUND_UNKNOWN)
		return done(r, FR_REFUND_IN_PROGRESS, FLOW_RETRY_MS);
	return refund_payment(r);
}

void
flow_refund(struct flow *f, const struct flow_call *c, const struct flow_refund_request *rq,
    const char *const *cids, size_t n_cids, struct flow_answer *out)
{
	struct refunding r = { .f = f,
		.c = c,
		.early = *c,
		.rq = rq,
		.cids = cids,
		.n_cids = n_cids,
		.out = out };
	enum next next = AGAIN;

	flow_answer_begin(out);
	if (f->gate != FR_OK) {
		flow_answer_set(out, f->gate, FC_UNKNOWN, FLOW_RETRY_MS);
		return;
	}
	r.early.deadline_boot_ms -= 2 * FLOW_SPARE_MS;
	for (int i = 0;
	     next == AGAIN && i < ROUNDS_MAX && clock_boot_ms() < r.early.deadline_boot_ms; i++)
		next = refund_once(&r);
	if (next == AGAIN)
		flow_answer_set(out, FR_REFUND_IN_PROGRESS, FC_TRUE, FLOW_RETRY_MS);
	ledger_chain_clear(&r.chain);
}
