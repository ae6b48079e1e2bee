#include "config.h"

#include "operate/deliver.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/random.h"
#include "delivery/outbox.h"
#include "flow/attempt.h"
#include "flow/follow.h"
#include "operate/find.h"
#include "operate/message.h"
#include "operate/settle.h"

enum { LIST_MAX = 10000, EVENTS = 1000, CALL_MS = 15000 };

static struct flow_call
a_call(const struct flow_call *c)
{
	return (struct flow_call){ c->request_id, clock_boot_ms() + CALL_MS, c->who };
}

/* English, Korean. */
static const char *const nos[][2] = {
	[RESEND_OK] = { "", "" },
	[RESEND_NO_SUCH] = { "no such message", "그런 메시지가 없습니다" },
	[RESEND_TAKEN] = { "it is not owed: it was acknowledged. again (--again) sends it once more",
	    "이미 전한 메시지입니다. 한 번 더 보내려면 again(--again)" },
	[RESEND_WITHDRAWN] = { "it was withdrawn: the payment was refunded before it was told",
	    "전하기 전에 환불되어 거두어진 메시지입니다" },
	[RESEND_NOT_TOLD] = { "the ledger does not tell what this message said",
	    "이 메시지의 내용을 원장에서 알 수 없습니다" },
};
static_assert(sizeof(nos) / sizeof(nos[0]) == RESEND_NO__MAX, "a sentence for each");

const char *
operate_resend_no_text(enum operate_resend_no no, bool korean)
{
	assert(no < RESEND_NO__MAX);
	return nos[no][korean];
}

enum operate_resend_no
operate_may_resend(bool owed, const struct store_try *last, bool taken_too)
{
	if (owed)
		return RESEND_OK;
	if (last == NULL)
		return RESEND_NO_SUCH;
	if (last->withdrawn)
		return RESEND_WITHDRAWN;
	return taken_too ? RESEND_OK : RESEND_TAKEN;
}

/* -- what was taken once, made anew */

/* The facts that the ledger keeps of this message; at_ms: when it happened. */
static bool
gather_facts(const struct ledger_chain *chain, const struct order_state *st,
    const struct flow_attempt *at, enum outbox_kind kind, int64_t n, struct outbox_facts *facts,
    int64_t *at_ms, struct error *err)
{
	const struct ledger_event *e = st->last;
	enum attempt_state state = st->state;

	if (kind == OUTBOX_PAYMENT_APPROVED || kind == OUTBOX_PAYMENT_RESOLVED) {
		e = st->captured != NULL ? st->captured : e;
		state = st->captured == NULL ? state
		    : e->kind == LK_REVIEW   ? AS_REVIEW
					     : AS_APPROVED;
	} else if (kind == OUTBOX_QUEUE_REMOVED) {
		e = st->removed;
		state = flow_state_at_removal(st);
	} else {
		e = n <= (int64_t)chain->n ? &chain->ev[n - 1] : NULL;
		if (e != NULL &&
		    (strcmp(e->tid, at->of.tid) != 0 ||
			(e->kind != LK_REFUNDED && e->kind != LK_PART_REFUNDED)))
			e = NULL;
		state = e != NULL && e->kind == LK_REFUNDED ? AS_REFUNDED : AS_PART_REFUNDED;
	}
	if (e == NULL ||
	    (st->captured == NULL && (kind != OUTBOX_PAYMENT_RESOLVED || state != AS_DECLINED)))
		return error_set(err, ERR_CONFLICT, "%s", nos[RESEND_NOT_TOLD][0]);
	*at_ms = e->at_ms;
	*facts = (struct outbox_facts){ at->of.user, at->of.room, at->of.tid, at->of.order,
		attempt_state_name(state), at->a.reservation_info,
		st->captured != NULL ? &st->captured->payment : NULL,
		kind == OUTBOX_REFUNDED_TO_GATEWAY || kind == OUTBOX_REFUNDED_TO_RESERVATION
		    ? e
		    : NULL };
	return true;
}

/* The message under this id, as the ledger has it now. *out: store_message_clear. */
static bool
make_anew(struct flow *f, const struct flow_call *c, enum outbox_kind kind, const char *cid,
    const char *order, const char *tid, int64_t n, struct store_message *out, struct error *err)
{
	struct ledger_chain chain = { 0 };
	struct flow_attempt *at = calloc(1, sizeof(*at));
	struct outbox_facts facts;
	struct order_state st;
	int64_t at_ms = 0;
	bool ok;

	ok = at != NULL ? store_ledger_chain(f->store, cid, order, &chain, c->deadline_boot_ms, err)
			: error_set(err, ERR_INTERNAL, "out of memory");
	ok = ok && flow_attempt_of_chain(&chain, tid, at, err) &&
	    order_state(&chain, tid, &st, err) &&
	    gather_facts(&chain, &st, at, kind, n, &facts, &at_ms, err) &&
	    outbox_message(kind, &facts, at_ms, out, err);
	ledger_chain_clear(&chain);
	free(at);
	return ok;
}

/* It was acknowledged: only then may it be made anew. */
static bool
was_taken(struct flow *f, const struct flow_call *c, const char *id,
    const struct operate_resend *how, struct error *err)
{
	struct store_try *tries = NULL;
	enum operate_resend_no no;
	size_t n = 0;

	if (!store_try_list(f->store, id, &tries, &n, c->deadline_boot_ms, err))
		return false;
	no = operate_may_resend(false, n > 0 ? &tries[n - 1] : NULL, how->taken_too);
	free(tries);
	return no == RESEND_OK ||
	    error_set(err, no == RESEND_WITHDRAWN ? ERR_CONFLICT : ERR_NOT_FOUND, "%s: %s", id,
		nos[no][0]);
}

static bool
owe_anew(struct flow *f, const struct flow_call *c, const char *cid, const char *order,
    const char *id, struct error *err)
{
	struct store_message m = { 0 };
	enum outbox_kind kind;
	char tid[TID_CAP];
	enum store_put how;
	int64_t n;
	bool ok;

	if (!outbox_parse_id(id, &kind, tid, &n))
		return error_set(err, ERR_NOT_FOUND, "no such message: %s", id);
	ok = make_anew(f, c, kind, cid, order, tid, n, &m, err);
	if (ok) {
		m.at_ms = m.again_ms = clock_wall_ms(); /* the schedule begins anew, too */
		ok = store_outbox_put(f->store, &m, &how, c->deadline_boot_ms, err);
	}
	store_message_clear(&m);
	return ok;
}

/* -- one message */

bool
operate_resend(struct flow *f, const struct flow_call *c, const char *id,
    const struct operate_resend *how, struct error *err)
{
	char cid[CID_CAP], order[ORDER_CAP], tid[TID_CAP];
	struct store_message m = { 0 };
	enum outbox_kind kind;
	bool owed, written, ok;
	int64_t n;

	if (!store_outbox_get(f->store, id, &m, &owed, c->deadline_boot_ms, err))
		return false;
	ok = outbox_parse_id(id, &kind, tid, &n) ||
	    error_set(err, ERR_NOT_FOUND, "no such message: %s", id);
	ok = ok && (owed || was_taken(f, c, id, how, err)) &&
	    operate_find_order(f, c, tid, cid, order, err);
	if (ok && how->dry_run && !owed) {
		ok = make_anew(f, c, kind, cid, order, tid, n, &m, err);
	} else if (ok && !how->dry_run) {
		ok = operate_note(f, c, cid, order, tid, how->reason, &written, err) &&
		    (owed ? store_outbox_again(f->store, &m, clock_wall_ms(), c->deadline_boot_ms,
				err)
			  : owe_anew(f, c, cid, order, id, err));
		if (ok && f->queue != NULL)
			(void)queue_poke(f->queue, c->deadline_boot_ms, NULL);
	}
	store_message_clear(&m);
	return ok;
}

/* -- many */

struct resending {
	struct flow *f;
	const struct flow_call *c;
	const struct operate_resend *how;
	struct operate_resend_report *report;
	int64_t began_ms;
};

/* False: the store went away. Anything else is this one message's trouble. */
static bool
resend_one(struct resending *r, const char *id, struct error *err)
{
	struct flow_call c = a_call(r->c);
	bool ok = operate_resend(r->f, &c, id, r->how, err);

	if (!ok && (err->code == ERR_UNAVAILABLE || err->code == ERR_UNCERTAIN))
		return false;
	r->report->found++;
	*(ok ? &r->report->resent : &r->report->failed) += 1;
	if (r->how->tell != NULL)
		r->how->tell(r->how->ctx, id, ok ? NULL : err);
	return true;
}

static bool
is_peer(const struct operate_resend *how, const char *peer)
{
	return how->peer == NULL || strcmp(how->peer, peer) == 0;
}

static bool
resend_owed(struct resending *r, struct error *err)
{
	struct store_message *list = NULL;
	struct flow_call c = a_call(r->c);
	size_t n = 0;
	bool ok = store_outbox_list(r->f->store, LIST_MAX, &list, &n, c.deadline_boot_ms, err);

	r->report->more = n == LIST_MAX;
	for (size_t i = 0; ok && i < n; i++)
		if (list[i].at_ms >= r->how->since_ms && is_peer(r->how, list[i].peer) &&
		    !outbox_is_test(&list[i]))
			ok = resend_one(r, list[i].id, err);
	for (size_t i = 0; i < n; i++)
		store_message_clear(&list[i]);
	free(list);
	return ok;
}

bool
operate_resend_step(struct flow *f, const struct flow_call *c, const struct operate_resend *how,
    int64_t until_boot_ms, struct operate_resend_mark *mark, struct operate_resend_report *report,
    bool *ended, struct error *err)
{
	enum { PIECE = 200 };
	struct resending r = { f, c, how, report, clock_wall_ms() };
	size_t skip = mark->passed, limit = PIECE + skip, n = 0, i = skip;
	struct store_message *list = NULL;
	bool ok =
	    store_outbox_since(f->store, mark->at_ms, limit, &list, &n, c->deadline_boot_ms, err);

	for (; ok && i < n && (i == skip || clock_boot_ms() < until_boot_ms); i++) {
		bool is = list[i].at_ms >= how->since_ms && is_peer(how, list[i].peer) &&
		    !outbox_is_test(&list[i]);

		ok = !is || operate_message_is_of(f, c, &list[i], how->cids, how->n_cids, &is, err);
		if (ok && is)
			ok = resend_one(&r, list[i].id, err);
		mark->passed = list[i].at_ms == mark->at_ms ? mark->passed + 1 : 1;
		mark->at_ms = list[i].at_ms;
	}
	*ended = i >= n && n < limit;
	report->more = !*ended;
	for (size_t k = 0; k < n; k++)
		store_message_clear(&list[k]);
	free(list);
	return ok;
}

/* One that the ledger names: not where it is owed, which was done before, and not where it was
 * never sent. */
static bool
resend_taken(struct resending *r, enum outbox_kind kind, const char *peer,
    const struct ledger_event *e, struct error *err)
{
	struct flow_call c = a_call(r->c);
	struct store_message m;
	char id[MESSAGE_ID_CAP];
	bool owed, tried;

	if (!is_peer(r->how, peer))
		return true;
	outbox_id(kind, e->tid, e->n, id);
	if (!store_outbox_get(r->f->store, id, &m, &owed, c.deadline_boot_ms, err))
		return false;
	if (owed) {
		store_message_clear(&m);
		return true;
	}
	if (!flow_is_owed(r->f, &c, e->tid, kind, e->n, &tried, err))
		return false;
	return !tried || resend_one(r, id, err);
}

/* What followed from this event. */
static bool
resend_of_event(struct resending *r, const struct ledger_event *e, struct error *err)
{
	switch (e->kind) {
	case LK_APPROVED:
		return resend_taken(r, OUTBOX_PAYMENT_APPROVED, "reservation", e, err) &&
		    resend_taken(r, OUTBOX_PAYMENT_RESOLVED, "gateway", e, err);
	case LK_DECLINED:
	case LK_REVIEW:
		return resend_taken(r, OUTBOX_PAYMENT_RESOLVED, "gateway", e, err);
	case LK_REMOVED:
		return resend_taken(r, OUTBOX_QUEUE_REMOVED, "gateway", e, err);
	case LK_REFUNDED:
	case LK_PART_REFUNDED:
		return resend_taken(r, OUTBOX_REFUNDED_TO_RESERVATION, "reservation", e, err) &&
		    resend_taken(r, OUTBOX_REFUNDED_TO_GATEWAY, "gateway", e, err);
	default:
		return true;
	}
}

static bool
resend_since(struct resending *r, struct error *err)
{
	int64_t from = r->how->since_ms;
	bool ok = true, more = true;

	while (ok && more) {
		struct flow_call c = a_call(r->c);
		struct ledger_event *list;
		int64_t last = from;
		size_t n;

		ok = store_ledger_since(r->f->store, from, EVENTS, &list, &n, c.deadline_boot_ms,
		    err);
		for (size_t i = 0; i < n; i++) {
			if (ok && list[i].at_ms < r->began_ms) /* our own notes are behind */
				ok = resend_of_event(r, &list[i], err);
			last = list[i].at_ms;
			ledger_event_clear(&list[i]);
		}
		free(list);
		more = n == EVENTS && last < r->began_ms;
		from = last > from ? last : from + 1;
	}
	return ok;
}

bool
operate_resend_all(struct flow *f, const struct operate_resend *how,
    struct operate_resend_report *report, struct error *err)
{
	struct flow_call c = { "", 0, NULL };
	struct resending r = { f, &c, how, report, clock_wall_ms() };

	*report = (struct operate_resend_report){ 0 };
	if (how->taken_too && how->since_ms == 0)
		return error_set(err, ERR_INPUT, "which messages were lost? Say since when");
	return resend_owed(&r, err) && (!how->taken_too || resend_since(&r, err));
}

/* -- a test message */

static bool
owe_test(struct flow *f, const char *peer, struct operate_test *out, struct error *err)
{
	struct flow_call c = a_call(&(struct flow_call){ "", 0, NULL });
	char nonce[2 * 8 + 1];
	struct store_message m = { 0 };
	enum store_put how;
	bool ok;

	if (!random_hex(nonce, 8, err))
		return false;
	ok = outbox_test_message(peer, nonce, clock_wall_ms(), &m, err) &&
	    store_outbox_put(f->store, &m, &how, c.deadline_boot_ms, err);
	memcpy(out->id, m.id, sizeof(out->id));
	store_message_clear(&m);
	if (ok && f->queue != NULL)
		(void)queue_poke(f->queue, c.deadline_boot_ms, NULL);
	return ok;
}

static bool
look_at_test(struct flow *f, struct operate_test *out, struct error *err)
{
	struct flow_call c = a_call(&(struct flow_call){ "", 0, NULL });
	struct store_try *tries = NULL;
	size_t n = 0;

	if (!store_try_list(f->store, out->id, &tries, &n, c.deadline_boot_ms, err))
		return false;
	out->posted = n > 0;
	if (n > 0)
		out->try = tries[n - 1];
	out->ended = n > 0 && out->try.ended;
	free(tries);
	return true;
}

bool
operate_test_peer(struct flow *f, const char *peer, int64_t wait_ms, struct operate_test *out,
    struct error *err)
{
	const struct conf_peer *p =
	    strcmp(peer, "reservation") == 0 ? &f->conf->reservation : &f->conf->gateway;
	static const struct timespec pause = { 0, 50 * 1000 * 1000 };
	int64_t began_ms = clock_boot_ms();
	struct error ignored;

	*out = (struct operate_test){ 0 };
	if (p->url[0] == '\0')
		return error_set(err, ERR_CONFLICT,
		    "the configuration has no [deliver %s]: nothing is sent there", peer);
	if (!owe_test(f, peer, out, err))
		return false;
	while (look_at_test(f, out, err) && !out->ended && clock_boot_ms() < began_ms + wait_ms)
		nanosleep(&pause, NULL);
	out->took_ms = clock_boot_ms() - began_ms;
	if (!out->posted) /* nobody shall send it later, when nobody looks */
		(void)store_outbox_delete(f->store, out->id, clock_boot_ms() + CALL_MS, &ignored);
	return true;
}
