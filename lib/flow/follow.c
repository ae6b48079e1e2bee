#include "config.h"

#include "flow/follow.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "flow/record.h"

/*
 * A payment's end is only sent: whatever the queue says to it, the answer is the same, and the work
 * item stays until the hold is removed. Should it be lost, the hold is `approving` until somebody
 * who meets it reads the ledger, the courier at the latest. A later word of this program is heard
 * after it. False: it is not told, as far as is known.
 */
static bool
tell_queue(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, int64_t n,
    enum ledger_kind kind)
{
	/* clang-format off */
	static const struct { enum ledger_kind kind; enum hold_outcome outcome; } table[] = {
		{ LK_APPROVED,     HO_APPROVED },
		{ LK_REVIEW,       HO_REVIEW },
		{ LK_DECLINED,     HO_DECLINED },
		{ LK_REFUSED,      HO_REFUSED },
		{ LK_NOT_EXECUTED, HO_RESTORED },
		{ LK_ABANDONED,    HO_RESTORED },
		{ LK_UNKNOWN,      HO_UNKNOWN },
	};
	/* clang-format on */
	struct queue_answer qa;
	struct error err;

	qa.code = HA_OK;
	error_clear(&err);
	if (f->queue == NULL) /* another program's to tell */
		return false;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].kind != kind)
			continue;
		if (!queue_outcome(f->queue, at->hold_id, at->token, table[i].outcome, n,
			c->deadline_boot_ms, kind == LK_APPROVED ? NULL : &qa, &err)) {
			log_event(LOG_LEVEL_WARN, "queue_not_told",
			    KV_STR("outcome", ledger_kind_name(kind)), KV_INT("hold", at->hold_id),
			    KV_ERR(&err));
			return false;
		}
		if (qa.code != HA_OK)
			log_event(LOG_LEVEL_WARN, "queue_disagrees",
			    KV_STR("outcome", ledger_kind_name(kind)), KV_INT("hold", at->hold_id),
			    KV_STR("answer", hold_answer_name(qa.code)));
		return qa.code == HA_OK;
	}
	return true;
}

static void
wake_courier(struct flow *f, const struct flow_call *c)
{
	if (f->queue != NULL && f->gate == FR_OK)
		queue_poke(f->queue, c->deadline_boot_ms, NULL);
}

static bool
make_message(const struct flow_attempt *at, enum outbox_kind kind, enum attempt_state state,
    const struct payment *payment, const struct ledger_event *refunded, struct store_message *m,
    struct error *err)
{
	struct outbox_facts facts = { at->of.user, at->of.room, at->of.tid, at->of.order,
		attempt_state_name(state), at->a.reservation_info, payment, refunded };

	memset(m, 0, sizeof(*m));
	return outbox_message(kind, &facts, clock_wall_ms(), m, err);
}

static bool
put_message(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    enum outbox_kind kind, enum attempt_state state, const struct payment *payment,
    const struct ledger_event *refunded, struct error *err)
{
	struct store_message m;
	enum store_put how;
	bool done;

	if (!make_message(at, kind, state, payment, refunded, &m, err))
		return false;
	/* Another's under the same id is the same message: told by its id alone. */
	done = store_outbox_put(f->store, &m, &how, c->deadline_boot_ms, err);
	store_message_clear(&m);
	return done || error_wrap(err, "outbox");
}

bool
flow_owe(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    enum outbox_kind kind, enum attempt_state state, const struct payment *payment,
    const struct ledger_event *refunded, struct error *err)
{
	if (!put_message(f, c, at, kind, state, payment, refunded, err))
		return false;
	wake_courier(f, c);
	return true;
}

static enum attempt_state
state_after(enum ledger_kind kind)
{
	return kind == LK_APPROVED ? AS_APPROVED : kind == LK_REVIEW ? AS_REVIEW : AS_DECLINED;
}

/* The send that the event at order#n ended, which made the attempt what it was before. */
static int64_t
number_of_send(const struct flow_attempt *at, int64_t n, enum ledger_kind kind)
{
	if (kind == LK_ABANDONED)
		return n;
	if (at->n != 0 || at->chain == NULL)
		return at->n;
	for (size_t i = at->chain->n; i-- > 0;) {
		const struct ledger_event *e = &at->chain->ev[i];

		if (e->n < n && e->kind == LK_APPROVING && strcmp(e->tid, at->of.tid) == 0)
			return e->n;
	}
	return 0;
}

/*
 * The attempt is what it was before; earlier sends of it keep their items. Its own goes first: once
 * the queue is told, another call may capture, and this one answers with what it knows. While the
 * queue is not told there is work.
 */
static bool
finish_ready_again(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    int64_t n, enum ledger_kind kind, struct error *err)
{
	struct flow_attempt again = *at;

	again.n = number_of_send(at, n, kind);
	if (!store_work_delete(f->store, at->of.tid, again.n, c->deadline_boot_ms, err))
		return false;
	return at->hold_id == 0 || tell_queue(f, c, at, n, kind) ||
	    flow_put_work(f, c, &again, err);
}

/* Payment and message of a capture. first: the event, in front of them; NULL: it stands. */
static bool
put_captured(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    const struct ledger_event *first, enum ledger_kind kind, const struct payment *payment,
    enum store_put *how, struct error *err)
{
	struct store_item items[3];
	struct store_message m = { 0 };
	size_t n = 0, stopped;
	bool ok = true;

	if (first != NULL)
		items[n++] = (struct store_item){ STORE_EVENT, first, true };
	items[n++] = (struct store_item){ STORE_PAYMENT, payment, false };
	if (kind == LK_APPROVED) {
		ok = make_message(at, OUTBOX_PAYMENT_APPROVED, AS_APPROVED, payment, NULL, &m, err);
		items[n++] = (struct store_item){ STORE_MESSAGE, &m, false };
	}
	ok = ok && store_put_in_order(f->store, items, n, &stopped, how, c->deadline_boot_ms, err);
	store_message_clear(&m);
	return ok;
}

static bool
is_capture(enum ledger_kind kind, const struct payment *payment)
{
	return payment != NULL && (kind == LK_APPROVED || kind == LK_REVIEW);
}

bool
flow_put_outcome(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    const struct flow_event *what, enum store_put *how, struct error *err)
{
	struct ledger_event e;
	bool ok;

	if (!is_capture(what->kind, what->payment))
		return flow_put_event(f, c, at, what, how, err);
	ok = flow_make_event(f, c, at, what, &e, err) &&
	    put_captured(f, c, at, &e, what->kind, what->payment, how, err);
	if (ok && *how == STORE_OURS)
		flow_log_event(&e);
	ledger_event_clear(&e);
	return ok || error_wrap(err, "%s", ledger_kind_name(what->kind));
}

bool
flow_tell_outcome(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    int64_t n, enum ledger_kind kind, const struct payment *payment, struct error *err)
{
	bool captured = is_capture(kind, payment), told = true;
	bool resolves = (captured || kind == LK_DECLINED) && at->was_unknown;

	if (kind == LK_REFUSED || kind == LK_NOT_EXECUTED || kind == LK_ABANDONED)
		return finish_ready_again(f, c, at, n, kind, err);
	if (resolves &&
	    !put_message(f, c, at, OUTBOX_PAYMENT_RESOLVED, state_after(kind), payment, NULL, err))
		return false;
	if (resolves || (captured && kind == LK_APPROVED))
		wake_courier(f, c);
	/* Now, not before: by a hold that is approved others see that payment and messages stand
	 * (flow_is_whole). */
	if (at->hold_id != 0)
		told = tell_queue(f, c, at, n, kind);
	/* Work is left while the end is not known, until the hold of a payment is removed, and
	 * while the queue is not told. */
	return kind != LK_DECLINED || !told || at->keeps_work || flow_drop_work(f, c, at, err);
}

bool
flow_finish_outcome(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    int64_t n, enum ledger_kind kind, const struct payment *payment, struct error *err)
{
	enum store_put how;

	return (!is_capture(kind, payment) ||
		   put_captured(f, c, at, NULL, kind, payment, &how, err)) &&
	    flow_tell_outcome(f, c, at, n, kind, payment, err);
}

bool
flow_is_owed(struct flow *f, const struct flow_call *c, const char *tid, enum outbox_kind kind,
    int64_t number, bool *owed, struct error *err)
{
	struct store_try *tries = NULL;
	char id[sizeof(tries->message_id)];
	size_t n = 0;

	outbox_id(kind, tid, number, id);
	if (!store_try_list(f->store, id, &tries, &n, c->deadline_boot_ms, err))
		return error_wrap(err, "%s", id);
	free(tries);
	*owed = n > 0;
	return true;
}

static bool
is_end(enum ledger_kind k)
{
	return k == LK_APPROVED || k == LK_DECLINED || k == LK_REVIEW;
}

/* Its end was not known to whoever asked, or it was found out by somebody else: the gateway is
 * told. */
static bool
was_unknown(const struct ledger_chain *c, const char *tid)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->ev[i].tid, tid) == 0 &&
		    (c->ev[i].kind == LK_UNKNOWN ||
			(is_end(c->ev[i].kind) && strcmp(c->ev[i].by, "courier") == 0)))
			return true;
	return false;
}

static bool
is_all_owed(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    const struct order_state *st, bool *owed, struct error *err)
{
	*owed = true;
	if (st->captured != NULL && st->captured->kind == LK_APPROVED &&
	    !flow_is_owed(f, c, at->of.tid, OUTBOX_PAYMENT_APPROVED, 0, owed, err))
		return false;
	return !*owed || !at->was_unknown ||
	    flow_is_owed(f, c, at->of.tid, OUTBOX_PAYMENT_RESOLVED, 0, owed, err);
}

/* The queue has heard of this end. One that lost its time for good (fenced) hears of a capture, and
 * stays fenced. */
static bool
hears_of(enum hold_state s, const struct order_state *st)
{
	if (s == HOLD_APPROVING || s == HOLD_UNKNOWN)
		return false;
	return st->captured == NULL || (s != HOLD_READY && s != HOLD_EXPIRED && s != HOLD_DECLINED);
}

bool
flow_is_whole(struct flow *f, const struct flow_call *c, const struct order_state *st,
    const struct queue_hold *hold, bool *whole, struct error *err)
{
	struct payment payment;

	*whole = hold != NULL && hold->state == HOLD_APPROVED && st->captured != NULL &&
	    st->captured->kind == LK_APPROVED && strcmp(st->captured->by, f->program) == 0;
	return !*whole ||
	    store_payment_get(f->store, st->captured->tid, &payment, whole, c->deadline_boot_ms,
		err);
}

bool
flow_mend(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    const struct order_state *st, const struct queue_hold *hold, struct error *err)
{
	const struct ledger_event *e = st->captured != NULL ? st->captured : st->last;
	struct flow_attempt live = *at;
	struct queue_answer qa;
	struct payment payment;
	bool stored = true, told = true, owed;

	if (st->removed != NULL || (f->gate != FR_OK && st->captured == NULL))
		return true;
	live.was_unknown = was_unknown(at->chain, at->of.tid);
	if ((st->captured != NULL &&
		!store_payment_get(f->store, at->of.tid, &payment, &stored, c->deadline_boot_ms,
		    err)) ||
	    !is_all_owed(f, c, &live, st, &owed, err))
		return false;
	if (f->gate == FR_OK && hold == NULL &&
	    queue_find_tid(f->queue, at->of.tid, c->deadline_boot_ms, &qa, NULL) &&
	    qa.code == HA_OK)
		hold = &qa.hold;
	if (f->gate == FR_OK && hold != NULL) {
		told = hears_of(hold->state, st);
		live.hold_id = hold->id;
		live.token = hold->token;
	}
	if (stored && told && owed)
		return true;
	if (!stored || !told)
		log_event(LOG_LEVEL_WARN, "mended", KV_BOOL("stored", stored),
		    KV_BOOL("queue_told", told), KV_STR("order", at->of.order));
	return flow_finish_outcome(f, c, &live, e->n, e->kind,
	    st->captured != NULL ? &e->payment : NULL, err);
}

/* The queue may still think that the approve is under way: then it is told first. */
static bool
drop_hold(struct flow *f, const struct flow_call *c, const struct queue_hold *h,
    const struct order_state *st, int64_t n, struct error *err)
{
	struct queue_answer qa;

	if (h == NULL || h->state == HOLD_REMOVED)
		return true;
	if (h->state != HOLD_APPROVED &&
	    !queue_outcome(f->queue, h->id, h->token, HO_APPROVED, st->captured->n,
		c->deadline_boot_ms, &qa, err))
		return false;
	if (!queue_remove(f->queue, h->id, true, n, c->deadline_boot_ms, &qa, err))
		return false;
	if (qa.code != HA_OK && qa.code != HA_REPLAY)
		log_event(LOG_LEVEL_WARN, "queue_disagrees", KV_STR("outcome", "removed"),
		    KV_INT("hold", h->id), KV_STR("answer", hold_answer_name(qa.code)));
	return true;
}

enum attempt_state
flow_state_at_removal(const struct order_state *st)
{
	return st->removed != NULL ? st->removed_as : st->state;
}

bool
flow_put_removed(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    const struct flow_event *what, const struct order_state *st, enum store_put *how,
    struct error *err)
{
	struct store_message m = { 0 };
	struct ledger_event e;
	size_t stopped;
	bool ok;

	ok = flow_make_event(f, c, at, what, &e, err) &&
	    make_message(at, OUTBOX_QUEUE_REMOVED, flow_state_at_removal(st),
		&st->captured->payment, NULL, &m, err);
	if (ok) {
		const struct store_item items[] = { { STORE_EVENT, &e, true },
			{ STORE_MESSAGE, &m, false } };

		ok =
		    store_put_in_order(f->store, items, 2, &stopped, how, c->deadline_boot_ms, err);
	}
	if (ok && *how == STORE_OURS) {
		flow_log_event(&e);
		wake_courier(f, c);
	}
	store_message_clear(&m);
	ledger_event_clear(&e);
	return ok || error_wrap(err, "%s", ledger_kind_name(what->kind));
}

bool
flow_finish_removal(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    const struct queue_hold *hold, const struct order_state *st, int64_t n, bool owed,
    bool *by_queue, struct error *err)
{
	*by_queue = false;
	if (!owed &&
	    (!flow_is_owed(f, c, at->of.tid, OUTBOX_QUEUE_REMOVED, 0, &owed, err) ||
		(!owed &&
		    !flow_owe(f, c, at, OUTBOX_QUEUE_REMOVED, flow_state_at_removal(st),
			&st->captured->payment, NULL, err))))
		return false;
	*by_queue = !drop_hold(f, c, hold, st, n, err);
	return !*by_queue && flow_drop_work(f, c, at, err);
}
