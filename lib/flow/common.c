#include "config.h"

#include "flow/common.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "delivery/outbox.h"

void
flow_answer_begin(struct flow_answer *out)
{
	out->result = FR_INTERNAL;
	out->charged = FC_UNKNOWN;
	out->replayed = out->has_provider = out->removed = out->has_payment = false;
	out->retry_ms = 0;
	out->conflicts.n = 0;
	out->provider = (struct provider_answer){ 0 };
	out->state = AS_NONE;
	out->tid[0] = out->reservation_info[0] = out->detail[0] = '\0';
}

void
flow_answer_set(struct flow_answer *out, enum flow_result result, enum flow_charged charged, int64_t retry_ms)
{
	out->result = result;
	out->charged = charged;
	out->retry_ms = retry_ms;
}

static void
keep_detail(struct flow_answer *out, const struct error *err)
{
	snprintf(out->detail, sizeof(out->detail), "%s", err->msg);
}

void
flow_answer_queue_error(struct flow_answer *out, enum flow_charged charged, const struct error *err)
{
	enum flow_result result = err->code == ERR_UNAVAILABLE ? FR_QUEUE_UNAVAILABLE : err->code == ERR_CONFLICT ? FR_NOT_READY : FR_INTERNAL;

	flow_answer_set(out, result, charged, result == FR_INTERNAL ? 0 : FLOW_RETRY_MS);
	keep_detail(out, err);
}

void
flow_answer_store_error(struct flow_answer *out, enum flow_charged charged, const struct error *err)
{
	bool away = err->code == ERR_UNAVAILABLE || err->code == ERR_UNCERTAIN;

	flow_answer_set(out, away ? FR_STORE_UNAVAILABLE : FR_INTERNAL, charged, away ? FLOW_RETRY_MS : 0);
	keep_detail(out, err);
}

void
flow_answer_refusal(struct flow_answer *out, const struct queue_answer *qa, enum flow_charged charged)
{
	/* clang-format off */
	static const struct { enum flow_result result; bool queue_alone; } refusals[HA__MAX] = {
		[HA_ORDER_PAID]       = { FR_ORDER_PAID },
		[HA_IN_PROGRESS]      = { FR_IN_PROGRESS },
		[HA_WAIT]             = { FR_IN_PROGRESS },
		[HA_SLOT_HELD]        = { FR_SLOT_HELD, true },
		[HA_SLOT_SOLD]        = { FR_SLOT_SOLD, true },
		[HA_TOO_MANY_HOLDS]   = { FR_TOO_MANY_HOLDS, true },
		[HA_TOO_MANY_REFUSED] = { FR_TOO_MANY_REQUESTS, true },
		[HA_BUSY]             = { FR_PROVIDER_BUSY },
		[HA_NO_HOLD]          = { FR_NO_HOLD, true },
		[HA_EXPIRED]          = { FR_EXPIRED },
		[HA_FENCED]           = { FR_EXPIRED },
		[HA_LEDGER_BEHIND]    = { FR_STORE_UNAVAILABLE },
		[HA_STALE_TOKEN]      = { FR_IN_PROGRESS },
		[HA_NOT_READY]        = { FR_NOT_READY },
	};
	/* clang-format on */
	enum flow_result result = refusals[qa->code].result;

	flow_answer_set(out, result == FR_OK ? FR_INTERNAL : result, refusals[qa->code].queue_alone ? FC_ABSENT : charged, qa->retry_ms);
	if (out->retry_ms == 0 && (result == FR_IN_PROGRESS || result == FR_PROVIDER_BUSY || result == FR_STORE_UNAVAILABLE))
		out->retry_ms = FLOW_RETRY_MS;
	out->conflicts = qa->conflicts;
}

bool
flow_cid_is_one_of(const char *cid, const char *const *cids, size_t n_cids)
{
	for (size_t i = 0; i < n_cids; i++)
		if (strcmp(cids[i], cid) == 0)
			return true;
	return false;
}

bool
flow_attempt_of_text(const char *text, const char *cid, const char *order, const char *user, const char *room, const char *tid, struct flow_attempt *out, struct error *err)
{
	struct attempt *a = &out->a;
	struct buf json;
	bool fits;

	memset(out, 0, sizeof(*out));
	if (!attempt_parse(text, a, err))
		return false;
	snprintf(a->cid, sizeof(a->cid), "%s", cid);
	snprintf(a->partner_order_id, sizeof(a->partner_order_id), "%s", order);
	snprintf(a->user_id, sizeof(a->user_id), "%s", user);
	snprintf(a->room_id, sizeof(a->room_id), "%s", room);
	snprintf(out->tid, sizeof(out->tid), "%s", tid);
	buf_init(&json, sizeof(out->json) - 1);
	attempt_format(a, &json);
	fits = !json.bad;
	if (fits)
		memcpy(out->json, buf_str(&json), json.len + 1);
	buf_clear(&json);
	return fits || error_set(err, ERR_INTERNAL, "the attempt is longer than %d bytes", ATTEMPT_MAX);
}

bool
flow_attempt_of_hold(const struct queue_hold *h, struct flow_attempt *out, struct error *err)
{
	if (!flow_attempt_of_text(h->attempt, h->cid, h->order, h->user, h->room, h->tid, out, err))
		return error_wrap(err, "hold %" PRIu64, h->id);
	out->hold_id = h->id;
	out->token = h->token;
	out->window_boot_ms = h->window_boot_ms;
	return true;
}

bool
flow_attempt_of_chain(const struct ledger_chain *c, const char *tid, struct flow_attempt *out, struct error *err)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = c->n; i-- > 0;) {
		const struct ledger_event *e = &c->ev[i];

		if (strcmp(e->tid, tid) != 0 || e->attempt == NULL)
			continue;
		if (!attempt_parse(e->attempt, &out->a, err))
			return error_wrap(err, "order#%" PRId64, e->n);
		snprintf(out->json, sizeof(out->json), "%s", e->attempt);
		snprintf(out->tid, sizeof(out->tid), "%s", tid);
		out->chain = c;
		return true;
	}
	return error_set(err, ERR_NOT_FOUND, "the chain does not speak of this tid");
}

static bool
is_end(enum ledger_kind k)
{
	return k == LK_APPROVED || k == LK_DECLINED || k == LK_REVIEW;
}

/* Its end was not known to whoever asked, or it was found out by somebody else: the gateway is told. */
static bool
was_unknown(const struct ledger_chain *c, const char *tid)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->ev[i].tid, tid) == 0 && (c->ev[i].kind == LK_UNKNOWN || (is_end(c->ev[i].kind) && strcmp(c->ev[i].by, "courier") == 0)))
			return true;
	return false;
}

bool
flow_chain_has_unsettled_send(const struct ledger_chain *c, const char *tid)
{
	bool open = false, unsettled = false;

	for (size_t i = 0; i < c->n; i++) {
		const struct ledger_event *e = &c->ev[i];

		if (strcmp(e->tid, tid) != 0)
			continue;
		switch (e->kind) {
		case LK_APPROVING:
			unsettled = unsettled || open;	/* the one before has no end */
			open = true;
			break;
		case LK_REFUSED:
		case LK_NOT_EXECUTED:
			open = false;
			break;
		case LK_UNKNOWN:
		case LK_REVIEW:
			open = false;
			unsettled = true;
			break;
		default:
			break;
		}
	}
	return unsettled || open;
}

static bool
make_nonce(char nonce[NONCE_CAP], struct error *err)
{
	unsigned char bytes[(NONCE_CAP - 1) / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return error_set(err, ERR_INTERNAL, "the system gives no random bytes");
	hex_format(bytes, sizeof(bytes), nonce);
	return true;
}

bool
flow_put_event(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, const struct flow_event *what, enum store_put *how, struct error *err)
{
	struct now now = clock_now();
	struct ledger_event e = { .n = what->n, .kind = what->kind, .at_ms = now.wall_ms, .token = (int64_t)at->token };
	bool done;

	if (!make_nonce(e.nonce, err))
		return false;
	snprintf(e.cid, sizeof(e.cid), "%s", at->a.cid);
	snprintf(e.partner_order_id, sizeof(e.partner_order_id), "%s", at->a.partner_order_id);
	snprintf(e.user_id, sizeof(e.user_id), "%s", at->a.user_id);
	snprintf(e.room_id, sizeof(e.room_id), "%s", at->a.room_id);
	snprintf(e.request_id, sizeof(e.request_id), "%s", c->request_id);
	snprintf(e.by, sizeof(e.by), "%s", f->program);
	snprintf(e.tid, sizeof(e.tid), "%s", at->tid);
	if (what->key != NULL)
		snprintf(e.key, sizeof(e.key), "%s", what->key);
	if (what->deadline_boot_ms != 0)
		e.deadline_ms = now.wall_ms + what->deadline_boot_ms - now.boot_ms;
	if (at->window_boot_ms != 0)
		e.window_ms = now.wall_ms + at->window_boot_ms - now.boot_ms;
	if (what->payment != NULL) {
		e.has_payment = true;
		e.payment = *what->payment;
	}
	if (what->provider != NULL)
		e.provider = *what->provider;
	if (what->refund != NULL) {
		e.has_refund = true;
		e.refund = *what->refund;
	}
	if (what->reason != NULL)
		snprintf(e.reason, sizeof(e.reason), "%s", what->reason);
	e.attempt = strdup(at->json);
	if (e.attempt == NULL)
		return error_set(err, ERR_INTERNAL, "out of memory");
	done = store_ledger_put(f->store, &e, how, c->deadline_boot_ms, err);
	ledger_event_clear(&e);
	if (done && *how == STORE_OURS)
		log_event(LOG_LEVEL_INFO, "ledger", KV_STR("order", at->a.partner_order_id), KV_INT("n", what->n), KV_STR("kind", ledger_kind_name(what->kind)));
	return done || error_wrap(err, "%s", ledger_kind_name(what->kind));
}

static bool
tell_queue(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, int64_t n, enum ledger_kind kind)
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

	error_clear(&err);
	if (f->queue == NULL)		/* another program's to tell */
		return false;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].kind != kind)
			continue;
		if (!queue_outcome(f->queue, at->hold_id, at->token, table[i].outcome, n, c->deadline_boot_ms, &qa, &err)) {
			log_event(LOG_LEVEL_WARN, "queue_not_told", KV_STR("outcome", ledger_kind_name(kind)), KV_INT("hold", at->hold_id), KV_ERR(&err));
			return false;
		}
		if (qa.code != HA_OK)
			log_event(LOG_LEVEL_WARN, "queue_disagrees", KV_STR("outcome", ledger_kind_name(kind)), KV_INT("hold", at->hold_id),
			    KV_STR("answer", hold_answer_name(qa.code)));
		return qa.code == HA_OK;
	}
	return true;
}

bool
flow_owe(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, int kind, enum attempt_state state, const struct payment *payment,
	const struct ledger_event *refunded, struct error *err)
{
	struct outbox_facts facts = { at->a.user_id, at->a.room_id, at->tid, at->a.partner_order_id, attempt_state_name(state), at->a.reservation_info,
		payment, refunded };
	struct store_message m = { 0 };
	enum store_put how;
	bool done;

	if (!outbox_message((enum outbox_kind)kind, &facts, clock_wall_ms(), &m, err))
		return false;
	/* Another's under the same id is the same message: told by its id alone. */
	done = store_outbox_put(f->store, &m, &how, c->deadline_boot_ms, err);
	store_message_clear(&m);
	if (done && f->queue != NULL && f->gate == FR_OK)
		queue_poke(f->queue, c->deadline_boot_ms, NULL);
	return done || error_wrap(err, "outbox");
}

static enum attempt_state
state_after(enum ledger_kind kind)
{
	return kind == LK_APPROVED ? AS_APPROVED : kind == LK_REVIEW ? AS_REVIEW : AS_DECLINED;
}

bool
flow_put_work(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, struct error *err)
{
	struct now now = clock_now();
	struct store_work open = { .n = at->n, .at_ms = now.wall_ms, .deadline_ms = now.wall_ms + c->deadline_boot_ms - now.boot_ms,
		.hold_id = at->hold_id };

	snprintf(open.tid, sizeof(open.tid), "%s", at->tid);
	snprintf(open.cid, sizeof(open.cid), "%s", at->a.cid);
	snprintf(open.partner_order_id, sizeof(open.partner_order_id), "%s", at->a.partner_order_id);
	snprintf(open.user_id, sizeof(open.user_id), "%s", at->a.user_id);
	snprintf(open.room_id, sizeof(open.room_id), "%s", at->a.room_id);
	return store_work_put(f->store, &open, c->deadline_boot_ms, err);
}

bool
flow_drop_work(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, struct error *err)
{
	for (size_t i = 0; at->chain != NULL && i < at->chain->n; i++) {
		const struct ledger_event *e = &at->chain->ev[i];

		if (e->kind == LK_APPROVING && strcmp(e->tid, at->tid) == 0 && !store_work_delete(f->store, at->tid, e->n, c->deadline_boot_ms, err))
			return false;
	}
	return at->n == 0 || store_work_delete(f->store, at->tid, at->n, c->deadline_boot_ms, err);
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

		if (e->n < n && e->kind == LK_APPROVING && strcmp(e->tid, at->tid) == 0)
			return e->n;
	}
	return 0;
}

/*
 * The attempt is what it was before; earlier sends of it keep their items. Its own goes first: once the queue is told, another call may capture, and this one
 * answers with what it knows. While the queue is not told there is work.
 */
static bool
finish_ready_again(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, int64_t n, enum ledger_kind kind, struct error *err)
{
	struct flow_attempt again = *at;

	again.n = number_of_send(at, n, kind);
	if (!store_work_delete(f->store, at->tid, again.n, c->deadline_boot_ms, err))
		return false;
	return at->hold_id == 0 || tell_queue(f, c, at, n, kind) || flow_put_work(f, c, &again, err);
}

bool
flow_finish_outcome(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, int64_t n, enum ledger_kind kind, const struct payment *payment,
	struct error *err)
{
	bool captured = payment != NULL && (kind == LK_APPROVED || kind == LK_REVIEW);
	bool told = true;
	enum store_put how;

	if (kind == LK_REFUSED || kind == LK_NOT_EXECUTED || kind == LK_ABANDONED)
		return finish_ready_again(f, c, at, n, kind, err);
	if (captured && !store_payment_put(f->store, payment, &how, c->deadline_boot_ms, err))
		return error_wrap(err, "payments");
	if (at->hold_id != 0)
		told = tell_queue(f, c, at, n, kind);
	if (kind == LK_APPROVED && captured && !flow_owe(f, c, at, OUTBOX_PAYMENT_APPROVED, AS_APPROVED, payment, NULL, err))
		return false;
	if ((captured || kind == LK_DECLINED) && at->was_unknown &&
	    !flow_owe(f, c, at, OUTBOX_PAYMENT_RESOLVED, state_after(kind), payment, NULL, err))
		return false;
	/* Work is left while the end is not known, until the hold of a payment is removed, and while the queue is not told. */
	return kind != LK_DECLINED || !told || at->keeps_work || flow_drop_work(f, c, at, err);
}

bool
flow_is_owed(struct flow *f, const struct flow_call *c, const char *tid, int kind, int64_t number, bool *owed, struct error *err)
{
	struct store_try *tries = NULL;
	char id[sizeof(tries->message_id)];
	size_t n = 0;

	outbox_id((enum outbox_kind)kind, tid, number, id);
	if (!store_try_list(f->store, id, &tries, &n, c->deadline_boot_ms, err))
		return error_wrap(err, "%s", id);
	free(tries);
	*owed = n > 0;
	return true;
}

static bool
is_all_owed(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, const struct order_state *st, bool *owed, struct error *err)
{
	*owed = true;
	if (st->captured != NULL && st->captured->kind == LK_APPROVED && !flow_is_owed(f, c, at->tid, OUTBOX_PAYMENT_APPROVED, 0, owed, err))
		return false;
	return !*owed || !at->was_unknown || flow_is_owed(f, c, at->tid, OUTBOX_PAYMENT_RESOLVED, 0, owed, err);
}

/* The queue has heard of this end. One that lost its time for good (fenced) hears of a capture, and stays fenced. */
static bool
hears_of(enum hold_state s, const struct order_state *st)
{
	if (s == HOLD_APPROVING || s == HOLD_UNKNOWN)
		return false;
	return st->captured == NULL || (s != HOLD_READY && s != HOLD_EXPIRED && s != HOLD_DECLINED);
}

bool
flow_mend(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, const struct order_state *st, struct error *err)
{
	const struct ledger_event *e = st->captured != NULL ? st->captured : st->last;
	struct flow_attempt live = *at;
	struct queue_answer qa;
	struct payment payment;
	bool stored = true, told = true, owed;

	if (st->removed != NULL || (f->gate != FR_OK && st->captured == NULL))
		return true;
	live.was_unknown = was_unknown(at->chain, at->tid);
	if ((st->captured != NULL && !store_payment_get(f->store, at->tid, &payment, &stored, c->deadline_boot_ms, err)) ||
	    !is_all_owed(f, c, &live, st, &owed, err))
		return false;
	if (f->gate == FR_OK && queue_find_tid(f->queue, at->tid, c->deadline_boot_ms, &qa, NULL) && qa.code == HA_OK) {
		told = hears_of(qa.hold.state, st);
		live.hold_id = qa.hold.id;
		live.token = qa.hold.token;
	}
	if (stored && told && owed)
		return true;
	if (!stored || !told)
		log_event(LOG_LEVEL_WARN, "mended", KV_BOOL("stored", stored), KV_BOOL("queue_told", told), KV_STR("order", at->a.partner_order_id));
	return flow_finish_outcome(f, c, &live, e->n, e->kind, st->captured != NULL ? &e->payment : NULL, err);
}

/* The queue may still think that the approve is under way: then it is told first. */
static bool
drop_hold(struct flow *f, const struct flow_call *c, const struct queue_hold *h, const struct order_state *st, int64_t n, struct error *err)
{
	struct queue_answer qa;

	if (h == NULL || h->state == HOLD_REMOVED)
		return true;
	if (h->state != HOLD_APPROVED && !queue_outcome(f->queue, h->id, h->token, HO_APPROVED, st->captured->n, c->deadline_boot_ms, &qa, err))
		return false;
	if (!queue_remove(f->queue, h->id, true, n, c->deadline_boot_ms, &qa, err))
		return false;
	if (qa.code != HA_OK && qa.code != HA_REPLAY)
		log_event(LOG_LEVEL_WARN, "queue_disagrees", KV_STR("outcome", "removed"), KV_INT("hold", h->id), KV_STR("answer", hold_answer_name(qa.code)));
	return true;
}

enum attempt_state
flow_state_at_removal(const struct order_state *st)
{
	return st->removed != NULL ? st->removed_as : st->state;
}

bool
flow_finish_removal(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, const struct queue_hold *hold, const struct order_state *st,
	int64_t n, bool *by_queue, struct error *err)
{
	bool owed;

	*by_queue = false;
	if (!flow_is_owed(f, c, at->tid, OUTBOX_QUEUE_REMOVED, 0, &owed, err) ||
	    (!owed && !flow_owe(f, c, at, OUTBOX_QUEUE_REMOVED, flow_state_at_removal(st), &st->captured->payment, NULL, err)))
		return false;
	*by_queue = !drop_hold(f, c, hold, st, n, err);
	return !*by_queue && flow_drop_work(f, c, at, err);
}

struct payment *
flow_payment_times(struct payment *p)
{
	if (p->approved_at_ms == 0)
		p->approved_at_ms = clock_wall_ms();
	if (p->created_at_ms == 0)
		p->created_at_ms = p->approved_at_ms;
	return p;
}

bool
flow_payment_matches(const struct flow_attempt *at, const struct payment *p, char why[200])
{
	const struct { const char *what, *asked, *told; } texts[] = {
		{ "tid", at->tid, p->tid },
		{ "cid", at->a.cid, p->cid },
		{ "partner_order_id", at->a.partner_order_id, p->partner_order_id },
		{ "partner_user_id", at->a.partner_user_id, p->partner_user_id },
	};
	const struct { const char *what; int64_t asked, told; } numbers[] = {
		{ "quantity", at->a.quantity, p->quantity },
		{ "total", at->a.total_amount, p->amount.total },
		{ "tax_free", at->a.tax_free_amount, p->amount.tax_free },
		{ "vat", at->a.vat_amount < 0 ? p->amount.vat : at->a.vat_amount, p->amount.vat },
	};

	why[0] = '\0';
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(texts[i].asked, texts[i].told) != 0) {
			snprintf(why, 200, "KakaoPay answered another %s than was asked", texts[i].what);
			return false;
		}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i].asked != numbers[i].told) {
			snprintf(why, 200, "KakaoPay answered %s %" PRId64 ", asked was %" PRId64, numbers[i].what, numbers[i].told, numbers[i].asked);
			return false;
		}
	return true;
}

enum flow_verdict
flow_inquire(struct flow *f, const struct flow_attempt *at, int64_t deadline_boot_ms, struct payment *payment, struct provider_answer *pa, char why[200])
{
	int64_t limit = clock_boot_ms() + FLOW_INQUIRY_MS;
	struct provider_order order;
	enum provider_outcome o;
	struct error err;

	error_clear(&err);
	why[0] = '\0';
	if (!provider_order(f->provider, at->a.cid, at->tid, deadline_boot_ms < limit ? deadline_boot_ms : limit, &o, &order, pa, &err)) {
		snprintf(why, 200, "inquiry: %.180s", err.msg);
		return FV_SILENT;
	}
	if (o != PO_OK) {
		snprintf(why, 200, "inquiry: %s", provider_outcome_name(o));
		return FV_SILENT;
	}
	*payment = order.payment;
	snprintf(payment->user_id, sizeof(payment->user_id), "%s", at->a.user_id);
	snprintf(pa->message, sizeof(pa->message), "%s", order.status_text);
	snprintf(pa->status, sizeof(pa->status), "%s", provider_status_name(order.status));
	switch (order.status) {
	case PS_PAID:
		return flow_payment_matches(at, payment, why) ? FV_CAPTURED : FV_CAPTURED_OTHERWISE;
	case PS_CANCELED:
	case PS_PART_CANCELED:
		snprintf(why, 200, "KakaoPay says %s: refunded outside of roompay", order.status_text);
		return FV_CANCELED;
	case PS_FAILED:
		snprintf(why, 200, "KakaoPay says %s", order.status_text);
		return FV_FAILED;
	case PS_PENDING:
		snprintf(why, 200, "KakaoPay says %s: not yet approved", order.status_text);
		return FV_PENDING;
	case PS_ISSUED_SID:
	case PS_STRANGE:
	case PS__MAX:
		break;
	}
	snprintf(why, 200, "KakaoPay says %s, which no document names", order.status_text);
	return FV_STRANGE;
}
