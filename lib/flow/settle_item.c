#include "config.h"

#include "flow/settle_item.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "delivery/outbox.h"
#include "flow/attempt.h"
#include "flow/follow.h"
#include "flow/inquiry.h"
#include "flow/record.h"
#include "flow/refund.h"
#include "flow/story.h"
#include "money/refund.h"
#include "provider/answer.h"

enum { ROUNDS_MAX = 8, NOT_REMOVED_MS = 600000, QUIET_MS = 60000, BROKEN_MS = 600000 };

/* One item on its way. */
struct look {
	struct flow *f;
	struct flow_call call;
	const struct store_work *item;
	struct settle_memory *m;
	struct ledger_chain chain;
	struct order_state st; /* of the tid */
	struct flow_attempt at;
	struct queue_answer qa;
	bool asked_queue, has_hold;
	struct settle_facts facts;
};

/* ---- looking */

static void
alert(const struct look *l, const char *event, const char *detail)
{
	log_event(LOG_LEVEL_ERROR, event, KV_STR("tid", l->item->of.tid),
	    KV_STR("cid", l->item->of.cid), KV_STR("order", l->item->of.order),
	    KV_STR("detail", detail));
}

/* What is told once of each item. */
enum once { ONCE_BEHIND, ONCE_BROKEN, ONCE_REVIEW, ONCE_NOT_REMOVED, ONCE_NOT_REFUNDED };
static const char *const once_events[] = { [ONCE_BEHIND] = "ledger_behind",
	[ONCE_BROKEN] = "order_broken",
	[ONCE_REVIEW] = "unsettled_review",
	[ONCE_NOT_REMOVED] = "not_removed",
	[ONCE_NOT_REFUNDED] = "unbookable_not_refunded" };

static void
alert_once(struct look *l, enum once what, const char *detail)
{
	if ((l->m->told & 1u << what) == 0)
		alert(l, once_events[what], detail);
	l->m->told |= 1u << what;
}

static bool
attempt_of(struct look *l, struct error *err)
{
	const struct store_work *o = l->item;
	bool in_chain = flow_attempt_of_chain(&l->chain, o->of.tid, &l->at, err);

	if (!in_chain && err->code != ERR_NOT_FOUND)
		return false;
	if (!in_chain && (!l->has_hold || !flow_attempt_of_hold(&l->qa.hold, &l->at, err))) {
		/* nothing but the item knows of it, which is enough to say that nothing was sent */
		memset(&l->at, 0, sizeof(l->at));
		l->at.of = o->of;
	}
	if (l->has_hold) {
		l->at.hold_id = l->qa.hold.id;
		l->at.token = l->qa.hold.token;
		l->at.window_boot_ms = l->qa.hold.window_boot_ms;
	}
	l->at.chain = &l->chain;
	return true;
}

static bool
by_readings(const struct ledger_event *e)
{
	return e != NULL && e->kind == LK_DECLINED && e->provider.http == 0 &&
	    e->provider.code == 0;
}

static enum settle_at
at_of(enum ledger_kind kind)
{
	switch (kind) {
	case LK_APPROVING:
		return SETTLE_SEND;
	case LK_ABANDONED:
		return SETTLE_ABANDONED;
	case LK_REFUNDING:
	case LK_REFUNDED: /* found at KakaoPay: it needs no inquiry of its own */
	case LK_PART_REFUNDED:
		return SETTLE_REFUND;
	default:
		return SETTLE_OTHER;
	}
}

static void
gather(struct look *l)
{
	const struct store_work *o = l->item;
	const struct ledger_event *e = o->n <= (int64_t)l->chain.n ? &l->chain.ev[o->n - 1] : NULL;
	struct settle_facts *f = &l->facts;
	bool own = e != NULL && strcmp(e->tid, o->of.tid) == 0;

	*f = (struct settle_facts){ .n = o->n,
		.at_ms = o->at_ms,
		.deadline_ms = o->deadline_ms,
		.chain_n = (int64_t)l->chain.n,
		.state = l->st.state };
	f->at = e == NULL ? SETTLE_NOTHING : own ? at_of(e->kind) : SETTLE_OTHER;
	if (f->at == SETTLE_REFUND && e->deadline_ms != 0) { /* the item's own is that of the
								writing */
		f->at_ms = e->at_ms;
		f->deadline_ms = e->deadline_ms;
	}
	f->ended =
	    f->at == SETTLE_REFUND && (e->kind != LK_REFUNDING || refund_end(&l->chain, e) != NULL);
	f->newest = l->st.approving != NULL && l->st.approving->n == o->n;
	for (size_t i = 0; f->at == SETTLE_SEND && i + 1 < (size_t)o->n; i++)
		f->sends_before += l->chain.ev[i].kind == LK_APPROVING &&
		    strcmp(l->chain.ev[i].tid, o->of.tid) == 0;
	f->removed = l->st.removed != NULL;
	f->by_readings = by_readings(l->st.last);
	f->state_at_ms = l->st.last != NULL ? l->st.last->at_ms : 0;
	f->window_boot_ms = l->has_hold ? l->qa.hold.window_boot_ms : 0;
	f->window_ms = f->at == SETTLE_SEND && e->window_ms != 0 ? e->window_ms - e->at_ms : 0;
	for (size_t i = (size_t)o->n;
	     (f->at == SETTLE_SEND || f->at == SETTLE_REFUND) && i < l->chain.n; i++)
		f->said_unknown = f->said_unknown ||
		    (l->chain.ev[i].kind ==
			    (f->at == SETTLE_SEND ? LK_UNKNOWN : LK_REFUND_UNKNOWN) &&
			strcmp(l->chain.ev[i].tid, o->of.tid) == 0);
}

/* The queue first, then the ledger: an end that the queue does not know yet is in the chain then.
 */
static bool
read_all(struct look *l, struct error *err)
{
	const struct store_work *o = l->item;
	int64_t deadline = l->call.deadline_boot_ms;

	l->asked_queue =
	    l->f->gate == FR_OK && queue_find_tid(l->f->queue, o->of.tid, deadline, &l->qa, NULL);
	l->has_hold = l->asked_queue && l->qa.code == HA_OK;
	if (!story_read_chain(l->f, o->of.cid, o->of.order, &l->chain, deadline, err) ||
	    !order_state(&l->chain, o->of.tid, &l->st, err) || !attempt_of(l, err))
		return false;
	gather(l);
	return true;
}

/* ---- writing */

static bool
put(struct look *l, enum ledger_kind kind, int64_t n, const struct payment *payment,
    const struct provider_answer *pa, const char *reason, enum store_put *how, struct error *err)
{
	struct flow_event e = { .n = n,
		.kind = kind,
		.payment = payment,
		.provider = pa,
		.reason = reason };

	return flow_put_event(l->f, &l->call, &l->at, &e, how, err);
}

static enum next
abandon(struct look *l, struct error *err)
{
	enum store_put how;

	return put(l, LK_ABANDONED, l->item->n, NULL, NULL,
		   "nobody took this number by its deadline: nothing was sent under it", &how, err)
	    ? AGAIN
	    : FAILED;
}

static enum next
drop_item(struct look *l, struct error *err)
{
	return store_work_delete(l->f->store, l->item->of.tid, l->item->n, l->call.deadline_boot_ms,
		   err)
	    ? DONE
	    : FAILED;
}

/* Its item was there before the later send: it is put again only for the case that it was lost
 * since. */
static enum next
drop_superseded(struct look *l, struct error *err)
{
	struct flow_attempt newest = l->at;

	newest.n = l->st.approving->n;
	return flow_put_work(l->f, &l->call, &newest, err) ? drop_item(l, err) : FAILED;
}

static void
alert_capture(const struct look *l, enum attempt_state before)
{
	struct order_state whole;

	if (before == AS_DECLINED || before == AS_READY)
		alert(l, "late_capture",
		    "KakaoPay took the money after this attempt had been concluded as unpaid: it is recorded as paid now. Has the customer a room? If not: payment refund");
	if (order_state(&l->chain, NULL, &whole, NULL) && whole.captured != NULL &&
	    strcmp(whole.captured->tid, l->item->of.tid) != 0)
		alert(l, "double_capture",
		    "the order was captured twice, so the customer has paid twice: payment refund for one of the two");
}

/* What was found at order#n+1, and all that follows. */
static enum next
conclude(struct look *l, enum ledger_kind kind, struct payment *payment, struct provider_answer *pa,
    const char *reason, struct error *err)
{
	bool captured = payment != NULL;
	int64_t n = (int64_t)l->chain.n + 1;
	enum attempt_state before = l->st.state;
	enum store_put how;

	if (!put(l, kind, n, payment, pa, reason, &how, err))
		return FAILED;
	if (how == STORE_TAKEN)
		return AGAIN;
	log_event(LOG_LEVEL_INFO, "settled", KV_STR("tid", l->item->of.tid),
	    KV_STR("kind", ledger_kind_name(kind)), KV_STR("reason", reason));
	if (captured)
		alert_capture(l, before);
	l->at.was_unknown = true;
	/* It is looked at again; the queue must hear of it. */
	l->at.keeps_work = (kind == LK_DECLINED && pa == NULL) || !l->asked_queue;
	l->m->looks = 0;
	return flow_finish_outcome(l->f, &l->call, &l->at, n, kind, payment, err) ? AGAIN : FAILED;
}

static enum next
inquire(struct look *l, struct error *err)
{
	struct provider_answer pa = { 0 };
	struct payment payment;
	enum ledger_kind kind;
	enum flow_verdict v;
	char why[200];
	bool late = l->st.state == AS_DECLINED, captured;

	v = flow_inquire(l->f, &l->at, l->call.deadline_boot_ms, &payment, &pa, why);
	log_event(LOG_LEVEL_INFO, "inquired", KV_STR("tid", l->item->of.tid), KV_STR("says", why),
	    KV_INT("nth", l->m->asked + 1));
	if (late && v != FV_SILENT)
		l->m->late_looks++;
	(void)flow_verdict_proves(v, &kind, &captured);
	if (!settle_conclude(&l->facts, l->m, v, clock_now(), &kind))
		return late && v == FV_SILENT ? DONE : AGAIN;
	l->call.deadline_boot_ms = clock_boot_ms() + SETTLE_STORE_MS;
	return conclude(l, kind, captured ? flow_payment_times(&payment) : NULL,
	    v == FV_PENDING ? NULL : &pa, why, err);
}

/* ---- refunds */

static enum next
end_refund(struct look *l, enum refund_reading r, const struct provider_answer *pa, const char *why,
    struct error *err)
{
	enum store_put how;

	if (!flow_put_refund_end(l->f, &l->call, &l->at, &l->st, &l->chain.ev[l->item->n - 1],
		(int64_t)l->chain.n + 1, r, false, pa, why, &how, err))
		return FAILED;
	if (how == STORE_OURS)
		log_event(LOG_LEVEL_INFO, "refund_settled", KV_STR("tid", l->item->of.tid),
		    KV_INT("n", l->item->n), KV_STR("reason", why));
	l->m->looks = 0;
	return AGAIN;
}

static enum next
inquire_refund(struct look *l, struct error *err)
{
	struct provider_answer pa = { 0 };
	enum refund_reading r;
	char why[200];

	r = flow_read_refund(l->f, &l->at, &l->st, &l->chain.ev[l->item->n - 1],
	    l->call.deadline_boot_ms, &pa, why);
	log_event(LOG_LEVEL_INFO, "inquired", KV_STR("tid", l->item->of.tid), KV_STR("says", why),
	    KV_INT("nth", l->m->asked + 1));
	if (!settle_conclude_refund(&l->facts, l->m, r, clock_now(), &r))
		return AGAIN;
	l->call.deadline_boot_ms = clock_boot_ms() + SETTLE_STORE_MS;
	return end_refund(l, r, &pa, why, err);
}

static enum next
follow_refund(struct look *l, struct error *err)
{
	const struct store_work *o = l->item;
	bool done;

	return flow_finish_refund(l->f, &l->call, o->of.cid, o->of.order, o->of.tid, o->n, &done,
		   err)
	    ? DONE
	    : FAILED;
}

/* KakaoPay said at the capture that it was given back since, and the ledger does not tell how much.
 */
static bool
is_refund_unread(const struct look *l)
{
	enum provider_status s = provider_answer_status(&l->st.captured->provider);

	return l->st.state == AS_APPROVED && l->st.refunded.total == 0 &&
	    (s == PS_CANCELED || s == PS_PART_CANCELED);
}

static enum next
note_outside(struct look *l, struct error *err)
{
	bool done;

	return !flow_note_outside(l->f, &l->call, &l->at, &l->st, &done, err) ? FAILED
	    : done							      ? AGAIN
									      : DONE;
}

static bool
refunds_unbookable(const struct look *l)
{
	const struct conf_merchant *m = conf_merchant(l->f->conf, l->item->of.cid);

	return m != NULL && m->on_unbookable == UNBOOKABLE_REFUND;
}

/* on_unbookable = refund. A refusal is the end of it, and shown; anything else is tried again. */
static enum next
refund_unbookable(struct look *l)
{
	struct flow_refund_request rq = { .refund_id = REFUND_UNBOOKABLE,
		.asked = { -1, -1 },
		.reason = "the reservation service cannot book it" };
	const char *cid = l->item->of.cid;
	struct flow_call c = { l->call.request_id, clock_boot_ms() + l->f->conf->deadline_ms,
		NULL };
	struct flow_answer *a = calloc(1, sizeof(*a));
	enum flow_result result;

	if (a == NULL)
		return DONE;
	text_copy(rq.tid, sizeof(rq.tid), l->item->of.tid);
	flow_refund(l->f, &c, &rq, &cid, 1, a);
	result = a->result;
	free(a);
	if (result == FR_REFUND_DECLINED || result == FR_IN_REVIEW)
		alert_once(l, ONCE_NOT_REFUNDED,
		    "KakaoPay refused the refund, so the customer has still paid: look into its console, and refund or book by hand");
	return result == FR_OK ? AGAIN : DONE;
}

/* ---- what follows from an end */

/* The hold still waits for the end of this very send, or of an earlier one. */
static bool
waits(const struct look *l)
{
	const struct queue_hold *h = &l->qa.hold;

	return l->has_hold &&
	    ((h->state == HOLD_APPROVING && h->n <= (int64_t)l->chain.n) ||
		h->state == HOLD_UNKNOWN);
}

/* What was sent came to nothing and the attempt is what it was before. A newer grant of the hold is
 * not ours to end. */
static enum next
follow_nothing_sent(struct look *l, enum ledger_kind kind, int64_t n, struct error *err)
{
	bool mine = l->has_hold && l->qa.hold.n == l->item->n &&
	    (l->qa.hold.state == HOLD_APPROVING || l->qa.hold.state == HOLD_UNKNOWN);

	if (!l->asked_queue)
		return DONE; /* the queue is away: later; or another machine's: its courier does
				this */
	if (!mine)
		return drop_item(l, err);
	l->at.n = l->item->n;
	return flow_finish_outcome(l->f, &l->call, &l->at, n, kind, NULL, err) ? AGAIN : FAILED;
}

static enum next
follow_declined(struct look *l, struct error *err)
{
	if (!flow_mend(l->f, &l->call, &l->at, &l->st, l->has_hold ? &l->qa.hold : NULL, err))
		return FAILED;
	if (!l->asked_queue || (l->facts.by_readings && l->m->late_looks < SETTLE_LATE_LOOKS) ||
	    waits(l))
		return DONE;
	return flow_drop_work(l->f, &l->call, &l->at, err) ? DONE : FAILED;
}

static enum next
follow_removed(struct look *l, struct error *err)
{
	bool by_queue, done;

	if (!l->asked_queue)
		return DONE;
	done = flow_finish_removal(l->f, &l->call, &l->at, l->has_hold ? &l->qa.hold : NULL, &l->st,
	    l->st.removed->n, false, &by_queue, err);
	return done || by_queue ? DONE : FAILED; /* the queue is away: later */
}

static enum next
note_unbookable(struct look *l, int64_t status, struct error *err)
{
	enum store_put how;
	char why[100];

	snprintf(why, sizeof(why), "the reservation service cannot book it: status %" PRId64,
	    status);
	if (!put(l, LK_UNBOOKABLE, (int64_t)l->chain.n + 1, NULL, NULL, why, &how, err))
		return FAILED;
	if (how == STORE_OURS)
		alert(l, "unbookable", why);
	return AGAIN;
}

/* Paid, and the reservation not yet in the calendar. */
static enum next
follow_paid(struct look *l, struct error *err)
{
	struct store_try *tries = NULL, last = { 0 };
	char id[sizeof(last.message_id)];
	size_t n = 0;

	if (!flow_mend(l->f, &l->call, &l->at, &l->st, l->has_hold ? &l->qa.hold : NULL, err))
		return FAILED;
	if (is_refund_unread(l))
		return note_outside(l, err);
	outbox_id(OUTBOX_PAYMENT_APPROVED, l->item->of.tid, 0, id);
	if (!store_try_list(l->f->store, id, &tries, &n, l->call.deadline_boot_ms, err))
		return FAILED;
	if (n > 0)
		last = tries[n - 1];
	free(tries);
	if (l->st.state == AS_APPROVED && last.ended &&
	    outbox_is_unbookable("payment.approved", last.status))
		return note_unbookable(l, last.status, err);
	if (l->st.state == AS_UNBOOKABLE && l->asked_queue && refunds_unbookable(l))
		return refund_unbookable(l);
	if (last.acknowledged && clock_now().wall_ms - last.at_ms >= NOT_REMOVED_MS)
		alert_once(l, ONCE_NOT_REMOVED,
		    "the reservation service took this payment 10 minutes ago and has not removed its hold: the time stays blocked. Is it in the calendar? Then: holds release");
	return DONE;
}

static enum next
follow(struct look *l, struct error *err)
{
	if (l->facts.at == SETTLE_REFUND)
		return follow_refund(l, err);
	if (l->facts.at == SETTLE_ABANDONED)
		return follow_nothing_sent(l, LK_ABANDONED, l->item->n, err);
	if (l->st.state == AS_READY)
		return follow_nothing_sent(l, l->st.last->kind, l->st.last->n, err);
	if (l->st.state == AS_DECLINED)
		return follow_declined(l, err);
	if (l->st.state == AS_REVIEW)
		alert_once(l, ONCE_REVIEW, l->st.last->reason);
	if (l->st.captured == NULL)
		return DONE;
	return l->st.removed != NULL ? follow_removed(l, err) : follow_paid(l, err);
}

/* ---- one item */

static enum next
behind(struct look *l)
{
	alert_once(l, ONCE_BEHIND,
	    "the ledger lacks the event before this one, so nothing is decided: was an older backup restored? Then: roompayctl restore");
	return DONE;
}

static enum next
act(struct look *l, struct error *err)
{
	static const char silence[] =
	    "no answer from KakaoPay for six hours: it is not known whether money was taken";
	struct now now = clock_now();
	int64_t again_ms = now.boot_ms + QUIET_MS;

	switch (settle_plan(&l->facts, l->m, now, &again_ms)) {
	case SETTLE_WAIT:
		l->m->next_boot_ms = again_ms;
		return DONE;
	case SETTLE_ABANDON:
		return abandon(l, err);
	case SETTLE_MOOT:
		return drop_item(l, err);
	case SETTLE_SUPERSEDED:
		return drop_superseded(l, err);
	case SETTLE_INQUIRE:
		return l->facts.at == SETTLE_REFUND ? inquire_refund(l, err) : inquire(l, err);
	case SETTLE_FOLLOW:
		break;
	case SETTLE_GIVE_UP:
		return l->facts.at == SETTLE_REFUND
		    ? end_refund(l, RR_OTHERWISE, NULL, silence, err)
		    : conclude(l, LK_REVIEW, NULL, NULL, silence, err);
	case SETTLE_BEHIND:
		return behind(l);
	}
	/* Nothing to do: soon again at first, as much is under way, then once a minute. */
	l->m->next_boot_ms = now.boot_ms + (l->m->looks < 6 ? 1000 << l->m->looks : QUIET_MS);
	l->m->looks++;
	return follow(l, err);
}

bool
settle_item(struct flow *f, const struct store_work *item, struct settle_memory *m,
    struct error *err)
{
	struct look *l = calloc(1, sizeof(*l));
	enum next next = AGAIN;

	if (l == NULL)
		return error_set(err, ERR_INTERNAL, "out of memory");
	*l = (struct look){ .f = f, .item = item, .m = m };
	for (int i = 0; next == AGAIN && i < ROUNDS_MAX; i++) {
		l->call = (struct flow_call){ "",
			clock_boot_ms() + SETTLE_STORE_MS + FLOW_INQUIRY_MS, NULL };
		next = read_all(l, err) ? act(l, err) : FAILED;
	}
	m->unknown = l->st.state == AS_UNKNOWN || l->st.state == AS_APPROVING ||
	    l->st.state == AS_REFUND_UNKNOWN;
	if (next == FAILED && err->code == ERR_INTERNAL) { /* of this order alone */
		alert_once(l, ONCE_BROKEN, err->msg);
		m->next_boot_ms = clock_boot_ms() + BROKEN_MS;
		next = DONE;
	}
	ledger_chain_clear(&l->chain);
	free(l);
	return next != FAILED;
}
