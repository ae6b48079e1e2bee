/* The three queries over the memory queue, the memory store and a KakaoPay of this file that keeps the truth: what it took, and how often it was asked. Every
 * write to the store and every word to the queue can fail from a given step on (the linker puts our wrappers before the real functions), which is what a crash
 * at that step leaves behind. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "flow/flow.h"

/* ---- KakaoPay, as this file plays it */

static struct kakao {
	enum kakaopay_outcome answer;	/* what approve says */
	bool commits;			/* and whether it takes the money */
	int64_t code;
	enum kakaopay_outcome ready_answer;
	bool inquiry_silent, strange, wrong_total;
	enum kakaopay_status pending_as;	/* what the inquiry says while nothing was taken */
	int readies, approves, inquiries, captures;
	struct kakaopay_approve last;
	bool captured;
} kakao;

const char *
kakaopay_outcome_name(enum kakaopay_outcome o)
{
	(void)o;
	return "outcome";
}

static void
made_payment(struct payment *p)
{
	memset(p, 0, sizeof(*p));
	strcpy(p->aid, "A1");
	strcpy(p->tid, "T1");
	strcpy(p->cid, "TC0ONETIME");
	strcpy(p->partner_order_id, "order-1");
	strcpy(p->partner_user_id, "p-1");
	strcpy(p->item_name, "room");
	strcpy(p->payment_method_type, "MONEY");
	p->quantity = 1;
	p->amount.total = kakao.wrong_total ? 2201 : 2200;
	p->amount.vat = 200;
	p->created_at_ms = 1700000000000;
	p->approved_at_ms = 1700000030000;
}

bool
kakaopay_ready(struct kakaopay *k, const struct kakaopay_ready *rq, int64_t deadline_boot_ms, enum kakaopay_outcome *o, struct kakaopay_opened *out,
    struct provider_answer *pa, struct error *err)
{
	(void)k;
	(void)rq;
	(void)deadline_boot_ms;
	(void)err;
	memset(pa, 0, sizeof(*pa));
	memset(out, 0, sizeof(*out));
	kakao.readies++;
	snprintf(out->tid, sizeof(out->tid), "T%d", kakao.readies);
	strcpy(out->next_redirect_pc_url, "https://pay.example/pc");
	*o = kakao.ready_answer;
	return true;
}

bool
kakaopay_approve(struct kakaopay *k, const struct kakaopay_approve *rq, int64_t deadline_boot_ms, enum kakaopay_outcome *o, struct payment *out,
    struct provider_answer *pa, struct error *err)
{
	(void)k;
	(void)deadline_boot_ms;
	(void)err;
	kakao.approves++;
	kakao.last = *rq;
	memset(pa, 0, sizeof(*pa));
	pa->http = kakao.answer == KO_OK ? 200 : 400;
	pa->code = kakao.code;
	if (kakao.commits) {
		if (kakao.captured)	/* KakaoPay itself takes a tid once */
			kakao.answer = KO_INQUIRE;
		else
			kakao.captures++;
		kakao.captured = true;
	}
	*o = kakao.answer;
	made_payment(out);
	return true;
}

bool
kakaopay_order(struct kakaopay *k, const char *cid, const char *tid, int64_t deadline_boot_ms, enum kakaopay_outcome *o, struct kakaopay_order *out,
    struct provider_answer *pa, struct error *err)
{
	(void)k;
	(void)cid;
	(void)tid;
	(void)deadline_boot_ms;
	(void)err;
	kakao.inquiries++;
	memset(pa, 0, sizeof(*pa));
	memset(out, 0, sizeof(*out));
	*o = kakao.inquiry_silent ? KO_UNKNOWN : KO_OK;
	out->status = kakao.strange ? KS_STRANGE : kakao.captured ? KS_PAID : kakao.pending_as;
	made_payment(&out->payment);
	return true;
}

/* ---- steps that fail: from step `fail_from` on, `fail_count` of them */

static int step, fail_from, fail_count;

static bool
fails(struct error *err)
{
	step++;
	if (fail_from == 0 || step < fail_from || step >= fail_from + fail_count)
		return false;
	return !error_set(err, ERR_UNAVAILABLE, "step %d fails", step);
}

#define WRAP(name, params, ...) \
	bool __real_##name params; \
	bool __wrap_##name params; \
	bool __wrap_##name params { return !fails(err) && __real_##name(__VA_ARGS__); }

WRAP(store_ledger_put, (struct store *s, const struct ledger_event *e, enum store_put *how, int64_t d, struct error *err), s, e, how, d, err)
WRAP(store_ledger_chain, (struct store *s, const char *c, const char *o, struct ledger_chain *out, int64_t d, struct error *err), s, c, o, out, d, err)
WRAP(store_replay_put, (struct store *s, const struct store_replay *r, enum store_put *how, int64_t d, struct error *err), s, r, how, d, err)
WRAP(store_replay_get, (struct store *s, const char *k, struct store_replay *r, bool *f, int64_t d, struct error *err), s, k, r, f, d, err)
WRAP(store_payment_put, (struct store *s, const struct payment *p, enum store_put *how, int64_t d, struct error *err), s, p, how, d, err)
WRAP(store_open_put, (struct store *s, const struct store_open *o, int64_t d, struct error *err), s, o, d, err)
WRAP(store_open_delete, (struct store *s, const char *t, int64_t d, struct error *err), s, t, d, err)
WRAP(store_outbox_put, (struct store *s, const struct store_message *m, enum store_put *how, int64_t d, struct error *err), s, m, how, d, err)
WRAP(queue_hold, (struct queue *q, const struct hold_request *r, int64_t d, struct queue_answer *a, struct error *err), q, r, d, a, err)
WRAP(queue_ready, (struct queue *q, uint64_t id, const char *t, const char *w, int64_t d, struct queue_answer *a, struct error *err), q, id, t, w, d, a, err)
WRAP(queue_approve, (struct queue *q, uint64_t id, int64_t n, const char *k, int64_t d, struct queue_answer *a, struct error *err), q, id, n, k, d, a, err)
WRAP(queue_outcome, (struct queue *q, uint64_t id, uint64_t t, enum hold_outcome o, int64_t n, int64_t d, struct queue_answer *a, struct error *err),
    q, id, t, o, n, d, a, err)
WRAP(queue_remove, (struct queue *q, uint64_t id, bool r, int64_t n, int64_t d, struct queue_answer *a, struct error *err), q, id, r, n, d, a, err)

/* ---- the site */

static int64_t time_shift_ms;	/* everybody's clock runs ahead */

struct now __real_clock_now(void);
struct now __wrap_clock_now(void);
int64_t __real_clock_boot_ms(void);
int64_t __wrap_clock_boot_ms(void);

struct now
__wrap_clock_now(void)
{
	struct now now = __real_clock_now();

	now.boot_ms += time_shift_ms;
	now.wall_ms += time_shift_ms;
	return now;
}

int64_t
__wrap_clock_boot_ms(void)
{
	return __real_clock_boot_ms() + time_shift_ms;
}

static const char *const cids[] = { "TC0ONETIME" };
static struct conf conf;
static struct flow flow;
static struct flow_answer out;

static struct flow_call
call(void)
{
	return (struct flow_call){ "req-1", clock_boot_ms() + 13000 };
}

static int
set_up(void **state)
{
	const struct hold_limits limits = { .max_per_user = 3, .guard_ms = 60000, .window_ms = 900000, .max_refused_per_min = 5, .removed_answer_ms = 600000,
		.gone_memory_ms = 86400000, .order_memory_ms = 35LL * 86400000 };

	(void)state;
	memset(&kakao, 0, sizeof(kakao));
	kakao.commits = true;
	kakao.pending_as = KS_PENDING;
	step = fail_from = fail_count = 0;
	time_shift_ms = 0;
	memset(&conf, 0, sizeof(conf));
	conf.n_merchants = 1;
	strcpy(conf.merchants[0].cid, "TC0ONETIME");
	conf.merchants[0].hold_ttl_ms = 600000;
	if (!secret_set(&conf.replay_key, "an invented key of the tests"))
		return -1;
	flow = (struct flow){ &conf, queue_open_memory(&limits, clock_now), store_open_memory(), NULL, "test", FR_OK };
	return flow.queue == NULL || flow.store == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	queue_free(&flow.queue);
	store_free(&flow.store);
	conf_clear(&conf);
	return 0;
}

static enum flow_result
ready(const char *order, int start)
{
	static struct flow_ready_request rq;
	struct flow_call c = call();

	memset(&rq, 0, sizeof(rq));
	strcpy(rq.attempt.cid, "TC0ONETIME");
	strcpy(rq.attempt.partner_order_id, order);
	strcpy(rq.attempt.partner_user_id, "p-1");
	strcpy(rq.attempt.user_id, "u-1");
	strcpy(rq.attempt.room_id, "00000000000000000000000a");
	strcpy(rq.attempt.item_name, "room");
	rq.attempt.quantity = 1;
	rq.attempt.total_amount = 2200;
	rq.attempt.vat_amount = -1;
	strcpy(rq.attempt.reservation_info, "{\"roomId\":\"00000000000000000000000a\"}");
	snprintf(rq.fingerprint, sizeof(rq.fingerprint), "%s-%d", order, start);
	assert_true(interval_make(1, start * 60, start * 60 + 120, &rq.set.iv[0]));
	rq.set.n = 1;
	flow_ready(&flow, &c, &rq, &out);
	return out.result;
}

static enum flow_result
approve(const char *token)
{
	struct flow_call c = call();

	flow_approve(&flow, &c, "u-1", "00000000000000000000000a", token, cids, 1, &out);
	return out.result;
}

static enum flow_result
remove_it(bool by_reservation, const char *tid)
{
	struct flow_call c = call();

	flow_remove(&flow, &c, by_reservation, "u-1", "00000000000000000000000a", tid, cids, 1, &out);
	return out.result;
}

static enum hold_state
hold_state_of(const char *tid)
{
	static struct queue_answer qa;
	struct error err;

	error_clear(&err);
	assert_true(queue_find_tid(flow.queue, tid, clock_boot_ms() + 1000, &qa, &err));
	return qa.code == HA_OK ? qa.hold.state : HOLD__MAX;
}

static size_t
messages(const char *type)
{
	struct store_message *m = NULL;
	size_t n = 0, found = 0;
	struct error err;

	error_clear(&err);
	assert_true(store_outbox_list(flow.store, 100, &m, &n, clock_boot_ms() + 1000, &err));
	for (size_t i = 0; i < n; i++) {
		found += strcmp(m[i].type, type) == 0;
		store_message_clear(&m[i]);
	}
	free(m);
	return found;
}

static bool
stored(const char *tid)
{
	struct payment p;
	struct error err;
	bool found = false;

	error_clear(&err);
	assert_true(store_payment_get(flow.store, tid, &p, &found, clock_boot_ms() + 1000, &err));
	return found;
}

static enum ledger_kind
last_kind(size_t *n)
{
	struct ledger_chain chain = { 0 };
	enum ledger_kind kind = LK__MAX;
	struct error err;

	error_clear(&err);
	assert_true(__real_store_ledger_chain(flow.store, "TC0ONETIME", "order-1", &chain, clock_boot_ms() + 1000, &err));
	if (chain.n > 0)
		kind = chain.ev[chain.n - 1].kind;
	if (n != NULL)
		*n = chain.n;
	ledger_chain_clear(&chain);
	return kind;
}

static size_t
open_items(void)
{
	struct store_open *o = NULL;
	struct error err;
	size_t n = 0;

	error_clear(&err);
	assert_true(store_open_list(flow.store, 100, &o, &n, clock_boot_ms() + 1000, &err));
	free(o);
	return n;
}

/* ---- the good way */

static void
a_payment_is_captured_stored_and_owed(void **state)
{
	(void)state;
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_OK);
	assert_int_equal(out.charged, FC_TRUE);
	assert_int_equal(out.state, AS_APPROVED);
	assert_false(out.replayed);
	assert_int_equal(kakao.captures, 1);
	assert_string_equal(kakao.last.pg_token, "tok");
	assert_true(stored("T1"));
	assert_string_equal(out.payment.user_id, "u-1");
	assert_int_equal(messages("payment.approved"), 1);
	assert_int_equal(hold_state_of("T1"), HOLD_APPROVED);
	assert_int_equal(last_kind(NULL), LK_APPROVED);
	assert_int_equal(open_items(), 1);
}

static void
the_same_call_gets_the_same_answer_also_after_the_removal(void **state)
{
	struct payment first;

	(void)state;
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_OK);
	first = out.payment;
	assert_int_equal(approve("tok"), FR_OK);
	assert_true(out.replayed);
	assert_memory_equal(&out.payment, &first, sizeof(first));
	assert_int_equal(remove_it(true, "T1"), FR_OK);
	assert_true(out.removed);
	assert_int_equal(open_items(), 0);
	assert_int_equal(messages("queue.removed"), 1);
	assert_int_equal(hold_state_of("T1"), HOLD_REMOVED);
	assert_int_equal(approve("tok"), FR_OK);
	assert_true(out.replayed);
	assert_int_equal(approve("another"), FR_ORDER_PAID);
	assert_int_equal(out.charged, FC_TRUE);
	assert_int_equal(remove_it(true, "T1"), FR_OK);
	assert_true(out.removed && out.replayed);
	assert_int_equal(kakao.approves, 1);
}

static void
a_replay_needs_no_queue(void **state)
{
	(void)state;
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_OK);
	flow.gate = FR_QUEUE_UNAVAILABLE;
	assert_int_equal(approve("tok"), FR_OK);
	assert_true(out.replayed);
	assert_int_equal(approve("other"), FR_QUEUE_UNAVAILABLE);
	assert_int_equal(out.charged, FC_UNKNOWN);
	assert_int_equal(ready("order-2", 14), FR_QUEUE_UNAVAILABLE);
}

static void
a_paid_order_is_never_opened_again(void **state)
{
	(void)state;
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_OK);
	assert_int_equal(ready("order-1", 16), FR_ORDER_PAID);
	assert_int_equal(out.charged, FC_TRUE);
	assert_int_equal(kakao.readies, 1);
}

static void
a_caller_of_another_cid_finds_nothing(void **state)
{
	static const char *const others[] = { "TCSUBSCRIP" };
	struct flow_call c = call();

	(void)state;
	assert_int_equal(ready("order-1", 10), FR_OK);
	flow_approve(&flow, &c, "u-1", "00000000000000000000000a", "tok", others, 1, &out);
	assert_int_equal(out.result, FR_NO_HOLD);
	assert_int_equal(approve("tok"), FR_OK);
	flow_approve(&flow, &c, "u-1", "00000000000000000000000a", "tok", others, 1, &out);
	assert_int_equal(out.result, FR_NO_HOLD);
	flow_remove(&flow, &c, true, "u-1", "00000000000000000000000a", "T1", others, 1, &out);
	assert_false(out.removed);
	assert_int_equal(kakao.approves, 1);
}

static void
gateway_gives_up_an_attempt_for_good(void **state)
{
	(void)state;
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_int_equal(remove_it(true, NULL), FR_OK);
	assert_false(out.removed);
	assert_int_equal(remove_it(false, NULL), FR_OK);
	assert_true(out.removed && !out.replayed);
	assert_int_equal(remove_it(false, NULL), FR_OK);
	assert_true(out.removed && out.replayed);
	assert_int_equal(approve("tok"), FR_EXPIRED);
	assert_int_equal(out.charged, FC_FALSE);
	assert_int_equal(kakao.approves, 0);
}

static void
gateway_cannot_remove_what_is_paid(void **state)
{
	(void)state;
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_OK);
	assert_int_equal(remove_it(false, "T1"), FR_ORDER_PAID);
	assert_int_equal(remove_it(true, NULL), FR_OK);
	assert_true(out.removed);
	assert_int_equal(remove_it(false, "T1"), FR_ORDER_PAID);
	assert_int_equal(out.charged, FC_TRUE);
}

static void
a_ready_that_fails_leaves_nothing(void **state)
{
	(void)state;
	kakao.ready_answer = KO_UNKNOWN;
	assert_int_equal(ready("order-1", 10), FR_PROVIDER_ERROR);
	assert_int_equal(out.charged, FC_FALSE);
	kakao.ready_answer = KO_NOT_SENT;
	assert_int_equal(ready("order-1", 10), FR_PROVIDER_UNREACHABLE);
	kakao.ready_answer = KO_OK;
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_false(out.replayed);
}

/* ---- what KakaoPay's answers mean */

static const struct row {
	const char *what;
	enum kakaopay_outcome answer;
	bool commits, silent, strange, wrong_total;
	enum kakaopay_status pending_as;
	int64_t code;
	enum flow_result result;
	enum flow_charged charged;
	enum ledger_kind kind;
	enum hold_state state;
	int inquiries;
} rows[] = {
	{ "captured", KO_OK, true, false, false, false, KS_PENDING, 0, FR_OK, FC_TRUE, LK_APPROVED, HOLD_APPROVED, 0 },
	{ "captured, but another amount", KO_OK, true, false, false, true, KS_PENDING, 0, FR_OK, FC_TRUE, LK_REVIEW, HOLD_REVIEW, 0 },
	{ "not sent", KO_NOT_SENT, false, false, false, false, KS_PENDING, 0, FR_PROVIDER_UNREACHABLE, FC_FALSE, LK_NOT_EXECUTED, HOLD_READY, 0 },
	{ "not executed", KO_NOT_EXECUTED, false, false, false, false, KS_PENDING, -401, FR_PROVIDER_ERROR, FC_FALSE, LK_NOT_EXECUTED, HOLD_READY, 0 },
	{ "token refused", KO_TOKEN_REFUSED, false, false, false, false, KS_PENDING, -708, FR_TOKEN_REFUSED, FC_FALSE, LK_REFUSED, HOLD_READY, 0 },
	{ "declined", KO_DECLINED, false, false, false, false, KS_PENDING, -704, FR_DECLINED, FC_FALSE, LK_DECLINED, HOLD_DECLINED, 0 },
	{ "window over", KO_WINDOW_OVER, false, false, false, false, KS_PENDING, -723, FR_EXPIRED, FC_FALSE, LK_DECLINED, HOLD_DECLINED, 0 },
	{ "no answer, captured", KO_UNKNOWN, true, false, false, false, KS_PENDING, 0, FR_OK, FC_TRUE, LK_APPROVED, HOLD_APPROVED, 1 },
	{ "no answer, captured, no inquiry", KO_UNKNOWN, true, true, false, false, KS_PENDING, 0, FR_UNKNOWN, FC_UNKNOWN, LK_UNKNOWN, HOLD_UNKNOWN, 1 },
	{ "no answer, not captured", KO_UNKNOWN, false, false, false, false, KS_PENDING, 0, FR_UNKNOWN, FC_UNKNOWN, LK_UNKNOWN, HOLD_UNKNOWN, 1 },
	{ "no answer, failed", KO_UNKNOWN, false, false, false, false, KS_FAILED, 0, FR_DECLINED, FC_FALSE, LK_DECLINED, HOLD_DECLINED, 1 },
	{ "already paid, it says", KO_INQUIRE, true, false, false, false, KS_PENDING, -702, FR_OK, FC_TRUE, LK_APPROVED, HOLD_APPROVED, 1 },
	{ "refused by the card", KO_INQUIRE, false, false, false, false, KS_FAILED, -780, FR_DECLINED, FC_FALSE, LK_DECLINED, HOLD_DECLINED, 1 },
	{ "a status that nobody knows", KO_UNKNOWN, true, false, true, false, KS_PENDING, 0, FR_UNKNOWN, FC_UNKNOWN, LK_REVIEW, HOLD_REVIEW, 1 },
	{ "captured otherwise, found by inquiry", KO_UNKNOWN, true, false, false, true, KS_PENDING, 0, FR_OK, FC_TRUE, LK_REVIEW, HOLD_REVIEW, 1 },
};

static void
each_answer_of_kakaopay_has_its_meaning(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];

		if (i > 0) {
			tear_down(state);
			assert_int_equal(set_up(state), 0);
		}
		kakao.answer = r->answer;
		kakao.commits = r->commits;
		kakao.inquiry_silent = r->silent;
		kakao.strange = r->strange;
		kakao.wrong_total = r->wrong_total;
		kakao.pending_as = r->pending_as;
		kakao.code = r->code;
		assert_int_equal(ready("order-1", 10), FR_OK);
		approve("tok");
		if (out.result != r->result || out.charged != r->charged || last_kind(NULL) != r->kind || hold_state_of("T1") != r->state ||
		    kakao.inquiries != r->inquiries)
			fail_msg("%s: result %d charged %d kind %s hold %s inquiries %d", r->what, (int)out.result, (int)out.charged,
			    ledger_kind_name(last_kind(NULL)), hold_state_name(hold_state_of("T1")), kakao.inquiries);
		assert_int_equal(stored("T1"), r->charged == FC_TRUE);
		assert_int_equal(messages("payment.approved"), r->kind == LK_APPROVED);
	}
}

static void
after_an_unknown_end_no_refusal_proves_anything(void **state)
{
	static const enum kakaopay_outcome refusals[] = { KO_TOKEN_REFUSED, KO_DECLINED, KO_WINDOW_OVER, KO_NOT_EXECUTED, KO_NOT_SENT };

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		tear_down(state);
		assert_int_equal(set_up(state), 0);
		kakao.answer = KO_UNKNOWN;
		kakao.commits = false;
		assert_int_equal(ready("order-1", 10), FR_OK);
		assert_int_equal(approve("tok"), FR_UNKNOWN);
		kakao.answer = refusals[i];
		assert_int_equal(approve("tok"), FR_UNKNOWN);
		assert_int_equal(out.charged, FC_UNKNOWN);
		assert_int_equal(kakao.approves, 2);
		assert_int_equal(hold_state_of("T1"), HOLD_UNKNOWN);
		/* and when the inquiry at last shows the first send's capture, it is found, not made again */
		kakao.captured = true;
		assert_int_equal(approve("tok"), FR_OK);
		assert_int_equal(out.charged, FC_TRUE);
		assert_int_equal(kakao.approves, 2);
		assert_int_equal(messages("payment.resolved"), 1);
	}
}

static void
polling_an_unknown_end_does_not_grow_the_chain(void **state)
{
	size_t before, after;

	(void)state;
	kakao.answer = KO_UNKNOWN;
	kakao.inquiry_silent = true;
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_UNKNOWN);
	last_kind(&before);
	for (int i = 0; i < 5; i++)
		assert_int_equal(approve("tok"), FR_UNKNOWN);
	last_kind(&after);
	assert_int_equal(before, after);
	assert_int_equal(kakao.approves, 1);
	assert_int_equal(ready("order-1", 16), FR_IN_PROGRESS);
	assert_int_equal(remove_it(false, NULL), FR_IN_PROGRESS);
}

static void
a_declined_attempt_stays_declined(void **state)
{
	(void)state;
	kakao.answer = KO_DECLINED;
	kakao.commits = false;
	kakao.code = -704;
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_DECLINED);
	kakao.answer = KO_OK;
	kakao.commits = true;
	assert_int_equal(approve("tok"), FR_DECLINED);
	assert_true(out.replayed);
	assert_int_equal(out.provider.code, -704);
	assert_int_equal(approve("other"), FR_DECLINED);
	assert_int_equal(kakao.approves, 1);
	assert_int_equal(ready("order-1", 10), FR_OK);	/* a new attempt of the order may be */
	assert_int_equal(kakao.readies, 2);
}

static void
a_token_of_another_order_is_refused_unsent(void **state)
{
	(void)state;
	kakao.answer = KO_TOKEN_REFUSED;
	kakao.commits = false;
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_TOKEN_REFUSED);
	assert_int_equal(ready("order-2", 14), FR_OK);
	kakao.answer = KO_OK;
	assert_int_equal(approve("tok"), FR_TOKEN_REFUSED);
	assert_int_equal(kakao.approves, 1);
}

static void
a_wrong_token_never_gets_the_right_ones_answer(void **state)
{
	(void)state;
	kakao.answer = KO_TOKEN_REFUSED;
	kakao.commits = false;
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_int_equal(approve("wrong"), FR_TOKEN_REFUSED);
	kakao.answer = KO_UNKNOWN;
	kakao.commits = true;
	kakao.inquiry_silent = true;
	assert_int_equal(approve("right"), FR_UNKNOWN);
	kakao.inquiry_silent = false;
	assert_int_equal(approve("wrong too"), FR_ORDER_PAID);	/* it settles what the right one began */
	assert_int_equal(approve("wrong"), FR_ORDER_PAID);
	assert_int_equal(approve("right"), FR_OK);
	assert_int_equal(kakao.captures, 1);
	assert_int_equal(kakao.approves, 2);
}

/* ---- every step fails, once or for the rest of the call */

static void
try_every_step(void **state, int count, bool commits, enum kakaopay_outcome answer)
{
	int steps;

	/* how many steps a whole approve takes */
	assert_int_equal(ready("order-1", 10), FR_OK);
	step = 0;
	approve("tok");
	steps = step;
	assert_true(steps >= 9);
	for (int from = 1; from <= steps; from++) {
		tear_down(state);
		assert_int_equal(set_up(state), 0);
		kakao.answer = answer;
		kakao.commits = commits;
		assert_int_equal(ready("order-1", 10), FR_OK);
		step = 0;
		fail_from = from;
		fail_count = count;
		approve("tok");
		fail_from = 0;
		if (out.charged == FC_TRUE)
			assert_int_equal(kakao.captures, 1);
		if (out.charged == FC_FALSE)
			assert_int_equal(kakao.captures, 0);
		/* everything is back, the deadline of the call is over: the same call again, and again */
		time_shift_ms += 20000;
		kakao.answer = KO_OK;
		kakao.commits = true;
		for (int i = 0; i < 3 && approve("tok") != FR_OK; i++)
			time_shift_ms += 20000;
		if (out.result != FR_OK || kakao.captures != 1 || !stored("T1") || hold_state_of("T1") != HOLD_APPROVED)
			fail_msg("step %d of %d fails: result %d (%s), %d captures, stored %d, hold %s", from, steps, (int)out.result, out.detail,
			    kakao.captures, stored("T1"), hold_state_name(hold_state_of("T1")));
		assert_int_equal(out.charged, FC_TRUE);
	}
}

static void
a_step_that_fails_once_loses_nothing(void **state)
{
	try_every_step(state, 1, true, KO_OK);
}

static void
a_crash_at_any_step_loses_nothing(void **state)
{
	try_every_step(state, 1000, true, KO_OK);
}

static void
a_crash_at_any_step_of_an_unknown_one_loses_nothing(void **state)
{
	try_every_step(state, 1000, true, KO_UNKNOWN);
}

static void
a_removal_that_breaks_off_is_finished_by_its_repeat(void **state)
{
	for (int from = 1; from <= 6; from++) {
		tear_down(state);
		assert_int_equal(set_up(state), 0);
		assert_int_equal(ready("order-1", 10), FR_OK);
		assert_int_equal(approve("tok"), FR_OK);
		step = 0;
		fail_from = from;
		fail_count = 1000;
		remove_it(true, "T1");
		fail_from = 0;
		assert_int_equal(remove_it(true, "T1"), FR_OK);
		assert_true(out.removed);
		assert_int_equal(hold_state_of("T1"), HOLD_REMOVED);
		assert_int_equal(messages("queue.removed"), 1);
		assert_int_equal(open_items(), 0);
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_payment_is_captured_stored_and_owed),
		T(the_same_call_gets_the_same_answer_also_after_the_removal),
		T(a_replay_needs_no_queue),
		T(a_paid_order_is_never_opened_again),
		T(a_caller_of_another_cid_finds_nothing),
		T(gateway_gives_up_an_attempt_for_good),
		T(gateway_cannot_remove_what_is_paid),
		T(a_ready_that_fails_leaves_nothing),
		T(each_answer_of_kakaopay_has_its_meaning),
		T(after_an_unknown_end_no_refusal_proves_anything),
		T(polling_an_unknown_end_does_not_grow_the_chain),
		T(a_declined_attempt_stays_declined),
		T(a_token_of_another_order_is_refused_unsent),
		T(a_wrong_token_never_gets_the_right_ones_answer),
		T(a_step_that_fails_once_loses_nothing),
		T(a_crash_at_any_step_loses_nothing),
		T(a_crash_at_any_step_of_an_unknown_one_loses_nothing),
		T(a_removal_that_breaks_off_is_finished_by_its_repeat),
	};

	log_open("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
