#include "config.h"

#include "flow/adopt.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "booking/interval.h"
#include "flow/answer.h"
#include "flow/attempt.h"
#include "flow/follow.h"

enum { PAGE = 500, OPEN_MAX = 100000, CALL_MS = 5000 };
static const int64_t MEMORY_MS = 35 * INT64_C(86400000);

struct adoption {
	struct flow *f;
	bool (*stop)(void *ctx);
	void *ctx;
	uint64_t token_floor;
	int64_t orders, holds, left_out;
};

static int64_t
deadline(void)
{
	return clock_boot_ms() + CALL_MS;
}

static bool
stops(const struct adoption *a, struct error *err)
{
	return a->stop != NULL && a->stop(a->ctx) &&
	    !error_set(err, ERR_UNAVAILABLE, "told to end");
}

static void
note_token(struct adoption *a, const struct ledger_event *e)
{
	if ((uint64_t)e->token > a->token_floor)
		a->token_floor = (uint64_t)e->token;
}

static bool
is_capture(const struct ledger_event *e)
{
	return e->kind == LK_APPROVED || (e->kind == LK_REVIEW && e->has_payment);
}

/* ---- holds */

static bool
in_hold_state(const struct order_state *st, enum hold_state *state)
{
	if (st->captured != NULL && st->captured->kind == LK_APPROVED)
		*state = HOLD_APPROVED;
	else if (st->state == AS_REVIEW)
		*state = HOLD_REVIEW;
	else if (st->state == AS_APPROVING || st->state == AS_UNKNOWN)
		*state = HOLD_UNKNOWN;
	else
		return false;
	return st->removed == NULL;
}

/* Something is wrong with this one alone: the others must not wait for it for ever. */
static void
leave_out(struct adoption *a, const struct store_work *o, const char *why)
{
	a->left_out++;
	log_event(LOG_LEVEL_ERROR, "not_handed_over", KV_STR("tid", o->of.tid),
	    KV_STR("cid", o->of.cid), KV_STR("order", o->of.order), KV_STR("detail", why));
}

static bool
take_over(struct adoption *a, const struct store_work *o, const struct ledger_chain *chain,
    const struct order_state *st, enum hold_state state, struct error *err)
{
	struct hold_handover h = { .cid = o->of.cid,
		.order = o->of.order,
		.tid = o->of.tid,
		.state = state,
		.n = st->approving->n,
		.last_n = (int64_t)chain->n };
	struct queue_answer qa;
	struct flow_attempt at;
	struct error bad;

	error_clear(&bad);
	if (!flow_attempt_of_chain(chain, o->of.tid, &at, &bad) ||
	    !interval_set_parse(at.a.intervals, &h.set, &bad)) {
		leave_out(a, o, bad.msg);
		return true;
	}
	h.user = at.of.user;
	h.room = at.of.room;
	h.attempt = at.json;
	h.key = st->approving->key[0] != '\0' ? st->approving->key : NULL;
	h.token = st->approving->token > 0 ? (uint64_t)st->approving->token : 1;
	h.window_ms =
	    st->approving->window_ms == 0 ? 0 : st->approving->window_ms - clock_wall_ms();
	if (!queue_take_over(a->f->queue, &h, deadline(), &qa, err))
		return false;
	a->holds += qa.code == HA_OK;
	if (qa.code != HA_OK && qa.code != HA_REPLAY)
		leave_out(a, o, hold_answer_name(qa.code));
	return true;
}

/* Whoever removes an approved hold takes payment and messages for stored (flow_is_whole). */
static bool
mend_paid(struct adoption *a, const struct ledger_chain *chain, const struct order_state *st,
    struct error *err)
{
	const struct flow_call c = { "", deadline() };
	struct flow_attempt at;
	struct error bad;

	error_clear(&bad);
	/* One that cannot be read is left out by take_over. */
	return !flow_attempt_of_chain(chain, st->captured->tid, &at, &bad) ||
	    flow_mend(a->f, &c, &at, st, NULL, err);
}

static bool
hand_over_hold(struct adoption *a, const struct store_work *o, struct error *err)
{
	struct ledger_chain chain = { 0 };
	enum hold_state state;
	struct order_state st;
	struct error bad;
	bool ok;

	error_clear(&bad);
	if (!store_ledger_chain(a->f->store, o->of.cid, o->of.order, &chain, deadline(), err))
		return false;
	for (size_t i = 0; i < chain.n; i++)
		note_token(a, &chain.ev[i]);
	ok = true;
	if (!order_state(&chain, o->of.tid, &st, &bad))
		leave_out(a, o, bad.msg);
	else if (st.approving != NULL && in_hold_state(&st, &state))
		ok = (state != HOLD_APPROVED || mend_paid(a, &chain, &st, err)) &&
		    take_over(a, o, &chain, &st, state, err);
	ledger_chain_clear(&chain);
	return ok;
}

static bool
hand_over_holds(struct adoption *a, struct error *err)
{
	struct store_work *items = NULL;
	bool ok;
	size_t n = 0;

	ok = store_work_list(a->f->store, OPEN_MAX, &items, &n, clock_boot_ms() + 60000, err);
	for (size_t i = 0; ok && i < n; i++)
		ok = !stops(a, err) && hand_over_hold(a, &items[i], err);
	free(items);
	return ok;
}

/* ---- orders */

/* What the lost queue's log said then of the hold. False: the event does not speak of it. */
static bool
state_told_by(enum ledger_kind kind, enum hold_state *s)
{
	/* clang-format off */
	static const struct { enum ledger_kind kind; enum hold_state state; } table[] = {
		{ LK_APPROVING, HOLD_APPROVING }, { LK_APPROVED, HOLD_APPROVED }, { LK_REVIEW, HOLD_REVIEW }, { LK_DECLINED, HOLD_DECLINED }, { LK_UNKNOWN, HOLD_UNKNOWN },
		{ LK_REFUSED, HOLD_READY }, { LK_NOT_EXECUTED, HOLD_READY }, { LK_ABANDONED, HOLD_READY }, { LK_REMOVED, HOLD_REMOVED },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].kind == kind) {
			*s = table[i].state;
			return true;
		}
	return false;
}

static bool
remember(struct adoption *a, const struct ledger_event *e, struct error *err)
{
	static struct order_entry m; /* large */
	struct queue_answer qa;

	note_token(a, e);
	a->orders += e->kind == LK_APPROVING && e->n == 1;
	memset(&m, 0, sizeof(m));
	text_copy(m.cid, sizeof(m.cid), e->cid);
	text_copy(m.order, sizeof(m.order), e->partner_order_id);
	m.last_n = e->n;
	if (state_told_by(e->kind, &m.state)) {
		text_copy(m.tid, sizeof(m.tid), e->tid);
		text_copy(m.user, sizeof(m.user), e->user_id);
		text_copy(m.room, sizeof(m.room), e->room_id);
		text_copy(m.key, sizeof(m.key), e->key);
		text_copy(m.attempt, sizeof(m.attempt), e->attempt == NULL ? "" : e->attempt);
		m.token = (uint64_t)e->token;
		m.n = e->kind == LK_APPROVING ? e->n : 0;
	}
	return queue_remember(a->f->queue, &m, is_capture(e), deadline(), &qa, err);
}

/* A page; *from_ms: where the next one begins. */
static bool
remember_page(struct adoption *a, int64_t *from_ms, bool *more, struct error *err)
{
	struct ledger_event *ev = NULL;
	bool ok;
	size_t n = 0;

	ok = store_ledger_since(a->f->store, *from_ms, PAGE, &ev, &n, clock_boot_ms() + 60000, err);
	for (size_t i = 0; ok && i < n; i++)
		ok = remember(a, &ev[i], err);
	*more = ok && n == PAGE;
	if (*more) /* the last millisecond once more: some of it may be on the next page */
		*from_ms = ev[n - 1].at_ms > *from_ms ? ev[n - 1].at_ms : *from_ms + 1;
	for (size_t i = 0; i < n; i++)
		ledger_event_clear(&ev[i]);
	free(ev);
	return ok;
}

static bool
remember_orders(struct adoption *a, struct error *err)
{
	int64_t from_ms = clock_wall_ms() - MEMORY_MS;
	bool more = true;

	while (more)
		if (stops(a, err) || !remember_page(a, &from_ms, &more, err))
			return false;
	return true;
}

enum adopt_step
flow_adopt(struct flow *f, int64_t up_ms, bool (*stop)(void *ctx), void *ctx,
    int64_t *again_boot_ms, struct error *err)
{
	struct adoption a = { .f = f, .stop = stop, .ctx = ctx };
	int64_t left_ms = conf_quiet_ms(f->conf) - up_ms;
	struct queue_answer qa;

	error_clear(err);
	if (left_ms > 0) {
		*again_boot_ms = clock_boot_ms() + left_ms;
		return ADOPT_WAITS;
	}
	if (!hand_over_holds(&a, err) || !remember_orders(&a, err) ||
	    !queue_admit(f->queue, true, a.token_floor, deadline(), &qa, err))
		return ADOPT_FAILED;
	if (qa.code != HA_OK) {
		*again_boot_ms = clock_boot_ms() + (qa.retry_ms > 0 ? qa.retry_ms : FLOW_RETRY_MS);
		return ADOPT_WAITS;
	}
	log_event(LOG_LEVEL_WARN, "queue_adopted", KV_INT("holds", a.holds),
	    KV_INT("orders", a.orders), KV_INT("left_out", a.left_out),
	    KV_INT("token_floor", a.token_floor));
	return ADOPT_DONE;
}
