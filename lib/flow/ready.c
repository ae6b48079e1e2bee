/*
 * payReady: may this user pay for this room at these times? If so, hold the time and open a payment
 * at KakaoPay. Order of work: the queue decides and holds; the order's chain is read; KakaoPay's
 * ready; the queue keeps the tid and the answer.
 */
#include "config.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "flow/answer.h"
#include "flow/inquiry.h"
#include "flow/kept_answer.h"
#include "flow/story.h"

static void
answer_opened(struct flow_answer *out, const struct provider_opened *opened,
    const struct queue_hold *h, struct now now)
{
	flow_answer_set(out, FR_OK, FC_FALSE, 0);
	out->ready.opened = *opened;
	out->ready.expires_wall_ms = now.wall_ms + h->expires_boot_ms - now.boot_ms;
	out->ready.expires_in_ms = h->expires_boot_ms - clock_boot_ms();
}

static void
answer_again(struct flow_answer *out, const struct queue_hold *h)
{
	struct error err;

	error_clear(&err);
	if (!flow_read_kept_answer(h, &out->ready, &err)) {
		flow_answer_queue_error(out, FC_FALSE, &err);
		return;
	}
	flow_answer_set(out, FR_OK, FC_FALSE, 0);
	out->replayed = true;
}

static void
give_up(struct flow *f, const struct flow_call *c, uint64_t id, bool paid,
    const struct flow_answer *out)
{
	char failure[FAILURE_CAP];
	struct error err;

	error_clear(&err);
	flow_keep_failure(out, failure);
	/* The hold expires by itself then. */
	if (!queue_fail(f->queue, id, paid, failure, c->deadline_boot_ms, &err))
		log_event(LOG_LEVEL_WARN, "queue_not_told", KV_STR("outcome", "ready_failed"),
		    KV_INT("hold", id), KV_ERR(&err));
}

/* False: the ledger shows that the order is captured, or may be, and no payment may be opened for
 * it. */
static bool
ledger_allows(struct flow *f, const struct flow_call *c, const struct attempt *a, int64_t last_n,
    bool *paid, struct flow_answer *out)
{
	struct ledger_chain chain = { 0 };
	struct order_state st;
	struct error err;
	bool allowed = false;

	error_clear(&err);
	*paid = false;
	if (!store_ledger_chain(f->store, a->cid, a->partner_order_id, &chain,
		c->deadline_boot_ms - FLOW_SPARE_MS, &err) ||
	    !order_state(&chain, NULL, &st, &err)) {
		flow_answer_store_error(out, FC_UNKNOWN, &err);
	} else if (st.captured != NULL) {
		*paid = true;
		flow_answer_set(out, FR_ORDER_PAID, FC_TRUE, 0);
	} else if (story_is_behind(&chain, last_n, out->detail)) {
		flow_answer_set(out, FR_STORE_UNAVAILABLE, FC_UNKNOWN, FLOW_RETRY_MS);
	} else if (!order_may_begin(&chain, NULL)) {
		flow_answer_set(out, FR_IN_PROGRESS, FC_UNKNOWN, FLOW_RETRY_MS);
	} else if (!order_has_room(&chain, LK_APPROVING, NULL)) { /* nothing of it could be approved
								   */
		flow_answer_set(out, FR_TOO_MANY_REQUESTS, FC_ABSENT, FLOW_FULL_RETRY_MS);
		snprintf(out->detail, sizeof(out->detail),
		    "the order has %zu ledger events: the site must use another partner_order_id",
		    chain.n);
	} else {
		allowed = true;
	}
	ledger_chain_clear(&chain);
	return allowed;
}

static bool
open_payment(struct flow *f, const struct flow_call *c, const struct flow_ready_request *rq,
    struct provider_opened *opened, struct flow_answer *out)
{
	enum provider_outcome o;
	struct error err;

	error_clear(&err);
	if (!provider_ready(f->provider, &rq->ready, c->deadline_boot_ms - FLOW_SPARE_MS, &o,
		opened, &out->provider, &err)) {
		flow_answer_set(out, FR_INTERNAL, FC_FALSE, 0);
		text_copy(out->detail, sizeof(out->detail), err.msg);
		return false;
	}
	out->has_provider = out->provider.http != 0;
	if (o == PO_OK)
		return true;
	/* A tid that we do not know can never be approved: whatever happened, nothing was charged
	 * by it and nothing will be. */
	flow_answer_set(out, o == PO_NOT_SENT ? FR_PROVIDER_UNREACHABLE : FR_PROVIDER_ERROR,
	    FC_FALSE, 0);
	snprintf(out->detail, sizeof(out->detail), "ready: %s, http %d, code %" PRId64,
	    provider_outcome_name(o), out->provider.http, out->provider.code);
	return false;
}

/*
 * Nothing comes of our ready call; the ledger knew of no capture before it. But the attempt that it
 * was to replace may have been approved meanwhile: what the queue now knows of the order.
 */
static enum flow_charged
charged_meanwhile(struct flow *f, const struct flow_call *c, const struct attempt *a)
{
	struct queue_answer qa;

	if (!queue_find_order(f->queue, a->cid, a->partner_order_id, c->deadline_boot_ms, &qa,
		NULL))
		return FC_UNKNOWN;
	if (qa.code == HA_ORDER_PAID || (qa.code == HA_OK && qa.hold.state == HOLD_APPROVED))
		return FC_TRUE;
	if (qa.code != HA_OK)
		return FC_FALSE;
	switch (qa.hold.state) {
	case HOLD_HELD:
	case HOLD_READY:
	case HOLD_EXPIRED:
	case HOLD_DECLINED:
		return FC_FALSE;
	default: /* one that was never approving was never charged; of the others the ledger would
		    have to tell */
		return qa.hold.token == 0 ? FC_FALSE : FC_UNKNOWN;
	}
}

/* The time is held: reads the ledger, asks KakaoPay, tells the queue. */
static void
open_held(struct flow *f, const struct flow_call *c, const struct flow_ready_request *rq,
    struct queue_answer *qa, struct flow_answer *out)
{
	uint64_t id = qa->hold.id;
	struct provider_opened opened = { 0 };
	char kept[ANSWER_MAX];
	struct error err;
	struct now now;
	bool paid = false;

	error_clear(&err);
	if (!ledger_allows(f, c, &rq->attempt, qa->hold.last_n, &paid, out)) {
		give_up(f, c, id, paid, out);
		return;
	}
	if (!open_payment(f, c, rq, &opened, out)) {
		out->charged = charged_meanwhile(f, c, &rq->attempt);
		give_up(f, c, id, false, out);
		return;
	}
	now = clock_now();
	if (!flow_keep_answer(&opened, now.wall_ms - now.boot_ms, kept, &err)) {
		flow_answer_queue_error(out, charged_meanwhile(f, c, &rq->attempt), &err);
		give_up(f, c, id, false, out);
		return;
	}
	if (!queue_ready(f->queue, id, opened.tid, kept, c->deadline_boot_ms, qa, &err))
		flow_answer_queue_error(out, charged_meanwhile(f, c, &rq->attempt), &err);
	else if (qa->code == HA_OK)
		answer_opened(out, &opened, &qa->hold, now);
	else
		flow_answer_refusal(out, qa, charged_meanwhile(f, c, &rq->attempt));
}

/* `charged` of the order, as far as the hold in the way tells. */
static enum flow_charged
charged_by(const struct queue_answer *qa, const struct attempt *a)
{
	const struct queue_hold *h = &qa->hold;
	bool own =
	    h->id != 0 && strcmp(h->cid, a->cid) == 0 && strcmp(h->order, a->partner_order_id) == 0;

	if (qa->code == HA_ORDER_PAID)
		return FC_TRUE;
	if (qa->code == HA_IN_PROGRESS &&
	    (!own || (h->state != HOLD_HELD && h->state != HOLD_READY)))
		return FC_UNKNOWN;
	return FC_FALSE;
}

/*
 * With its intervals: should the queue's journal be lost, its hold is made again from what the
 * ledger keeps. Without what the queue keeps of every hold. The ledger writes the attempt whole,
 * which fits as well: no text has control characters, so none grows when it is escaped.
 */
static_assert(sizeof(struct attempt) + 512 <= ATTEMPT_MAX,
    "an attempt fits whole, with the names of its members");
static void
format_attempt(const struct flow_ready_request *rq, struct buf *out)
{
	static struct buf set; /* its memory is kept */

	buf_reset(&set);
	interval_set_format(&rq->set, &set);
	attempt_format_short(&rq->attempt, buf_str(&set), out);
	out->bad = out->bad || set.bad || set.len >= INTERVALS_CAP;
}

void
flow_ready(struct flow *f, const struct flow_call *c, const struct flow_ready_request *rq,
    struct flow_answer *out)
{
	const struct conf_merchant *m = conf_merchant(f->conf, rq->attempt.cid);
	struct hold_request hr = { .cid = rq->attempt.cid,
		.order = rq->attempt.partner_order_id,
		.user = rq->attempt.user_id,
		.room = rq->attempt.room_id,
		.set = rq->set,
		.fingerprint = rq->fingerprint };
	static struct buf attempt = { .limit = ATTEMPT_MAX - 1 }; /* its memory is kept */
	struct queue_answer qa;
	struct error err;

	flow_answer_begin(out);
	error_clear(&err);
	if (f->gate != FR_OK) {
		flow_answer_set(out, f->gate, FC_UNKNOWN, FLOW_RETRY_MS);
		return;
	}
	buf_reset(&attempt);
	format_attempt(rq, &attempt);
	if (m == NULL || attempt.bad) {
		snprintf(out->detail, sizeof(out->detail),
		    m == NULL ? "cid without a merchant" : "an attempt longer than %d bytes",
		    ATTEMPT_MAX);
		return;
	}
	hr.attempt = buf_str(&attempt);
	hr.ttl_ms = m->hold_ttl_ms;
	hr.call_ms = c->deadline_boot_ms - clock_boot_ms();
	if (!queue_hold(f->queue, &hr, c->deadline_boot_ms - FLOW_SPARE_MS, &qa, &err))
		flow_answer_queue_error(out, FC_UNKNOWN, &err);
	else if (qa.code == HA_OK)
		open_held(f, c, rq, &qa, out);
	else if (qa.code == HA_REPLAY)
		answer_again(out, &qa.hold);
	else if (qa.failure[0] == '\0' || !flow_read_kept_failure(qa.failure, out))
		flow_answer_refusal(out, &qa, charged_by(&qa, &rq->attempt));
}
