/* The three queries over the memory queue, the memory store and a KakaoPay of this file that keeps the truth: what it took, and how often it was asked. Every
 * write to the store and every word to the queue can fail from a given step on (the linker puts our wrappers before the real functions), which is what a crash
 * at that step leaves behind. And at every step another request can come in between: its whole call runs inside of the first one's step. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "flow/answer.h"
#include "flow/flow.h"
#include "flow/settle.h"

/* ---- KakaoPay, as this file plays it */

enum { TIDS = 16 };

static struct kakao {
	enum provider_outcome answer;	/* what approve says */
	bool commits;			/* and whether it takes the money */
	int64_t code;
	enum provider_outcome ready_answer;
	bool inquiry_silent, strange, wrong_total;
	bool inquiry_lags;		/* what was taken is not seen yet */
	enum provider_status pending_as;	/* what the inquiry says while nothing was taken */
	int readies, approves, inquiries, captures;
	struct provider_approve last;
	bool checks_token;		/* the token of T1 is "T1", any other is refused */
	bool captured[TIDS];		/* by the number in the tid */
	int64_t canceled[TIDS];		/* won */
	int cancels, cancels_done, gone;	/* asked for; carried out of T1 in all, and under the refundId "gone" */
	char order[TIDS][ORDER_CAP];
} kakao;

static void visit(void);		/* here something may come in between */
static bool kakao_is_asked;	/* an approve of the first call is with KakaoPay */
static void check_may_capture(const char *tid);

static size_t
number_of(const char *tid)
{
	size_t n = (size_t)atoi(tid + 1);

	assert_true(tid[0] == 'T' && n > 0 && n < TIDS);
	return n;
}

static void
made_payment(struct payment *p, const char *tid)
{
	memset(p, 0, sizeof(*p));
	strcpy(p->aid, "A1");
	snprintf(p->tid, sizeof(p->tid), "%s", tid);
	strcpy(p->cid, "TC0ONETIME");
	strcpy(p->partner_order_id, kakao.order[number_of(tid)]);
	strcpy(p->partner_user_id, "p-1");
	strcpy(p->item_name, "room");
	strcpy(p->payment_method_type, "MONEY");
	p->quantity = 1;
	p->amount.total = kakao.wrong_total ? 2201 : 2200;
	p->amount.vat = 200;
	p->created_at_ms = 1700000000000;
	p->approved_at_ms = 1700000030000;
}

static bool
kakao_ready(struct provider *k, const struct provider_ready *rq, int64_t deadline_boot_ms, enum provider_outcome *o, struct provider_opened *out,
    struct provider_answer *pa, struct error *err)
{
	(void)k;
	(void)deadline_boot_ms;
	(void)err;
	memset(pa, 0, sizeof(*pa));
	memset(out, 0, sizeof(*out));
	kakao.readies++;
	snprintf(out->tid, sizeof(out->tid), "T%d", kakao.readies);
	snprintf(kakao.order[number_of(out->tid)], sizeof(kakao.order[0]), "%s", rq->partner_order_id);
	strcpy(out->next_redirect_pc_url, "https://pay.example/pc");
	*o = kakao.ready_answer;
	visit();
	return true;
}

static bool
kakao_approve(struct provider *k, const struct provider_approve *rq, int64_t deadline_boot_ms, enum provider_outcome *o, struct payment *out,
    struct provider_answer *pa, struct error *err)
{
	size_t n = number_of(rq->tid);
	struct provider_answer said = { .http = 400, .code = -708 };

	(void)k;
	(void)err;
	visit();
	*o = PO_NOT_SENT;
	*pa = (struct provider_answer){ 0 };
	if (clock_boot_ms() >= deadline_boot_ms || clock_boot_ms() >= rq->window_boot_ms)
		return true;
	kakao.approves++;
	kakao.last = *rq;
	*o = PO_TOKEN_REFUSED;
	if (!kakao.checks_token || strcmp(rq->pg_token, rq->tid) == 0) {
		said = (struct provider_answer){ .http = kakao.answer == PO_OK ? 200 : 400, .code = kakao.code };
		*o = kakao.commits && kakao.captured[n] ? PO_INQUIRE : kakao.answer;	/* KakaoPay itself takes a tid once */
		if (kakao.commits && !kakao.captured[n]) {
			check_may_capture(rq->tid);
			kakao.captures++;
			kakao.captured[n] = true;
		}
	}
	*pa = said;
	made_payment(out, rq->tid);
	kakao_is_asked = true;
	visit();
	kakao_is_asked = false;
	return true;
}

static bool
kakao_order(struct provider *k, const char *cid, const char *tid, int64_t deadline_boot_ms, enum provider_outcome *o, struct provider_order *out,
    struct provider_answer *pa, struct error *err)
{
	(void)k;
	(void)cid;
	(void)deadline_boot_ms;
	(void)err;
	visit();
	kakao.inquiries++;
	memset(pa, 0, sizeof(*pa));
	memset(out, 0, sizeof(*out));
	*o = kakao.inquiry_silent ? PO_UNKNOWN : PO_OK;
	out->status = kakao.strange ? PS_STRANGE : kakao.captured[number_of(tid)] && !kakao.inquiry_lags ? PS_PAID : kakao.pending_as;
	if (out->status == PS_PAID && kakao.canceled[number_of(tid)] > 0)
		out->status = kakao.canceled[number_of(tid)] < 2200 ? PS_PART_CANCELED : PS_CANCELED;
	strcpy(out->status_text, out->status == PS_PART_CANCELED ? "PART_CANCEL_PAYMENT" : out->status == PS_CANCELED ? "CANCEL_PAYMENT" : "SUCCESS_PAYMENT");
	out->has_canceled = true;
	out->canceled = (struct amount){ .total = kakao.canceled[number_of(tid)], .vat = kakao.canceled[number_of(tid)] / 11 };
	made_payment(&out->payment, tid);
	return true;
}

static void check_may_refund(const struct provider_cancel *rq);

static bool
kakao_cancel(struct provider *k, const struct provider_cancel *rq, int64_t deadline_boot_ms, enum provider_outcome *o, struct provider_canceled *said,
    struct provider_answer *pa, struct error *err)
{
	size_t n = number_of(rq->tid);
	int64_t left = 2200 - kakao.canceled[n];

	(void)k;
	(void)err;
	visit();
	memset(said, 0, sizeof(*said));
	*o = PO_NOT_SENT;
	*pa = (struct provider_answer){ 0 };
	if (clock_boot_ms() >= deadline_boot_ms)
		return true;
	kakao.cancels++;
	left = 2200 - kakao.canceled[n];
	*pa = (struct provider_answer){ .http = kakao.answer == PO_OK ? 200 : 400, .code = kakao.code };
	*o = kakao.answer;
	if (!kakao.captured[n] || rq->cancel_amount > left || rq->cancel_available_amount != left) {
		*o = PO_DECLINED;
		pa->code = -722;
	} else if (kakao.commits) {
		check_may_refund(rq);
		kakao.canceled[n] += rq->cancel_amount;
		kakao.cancels_done++;
		kakao.gone += strcmp(rq->payload, "gone") == 0;
	}
	said->status = PS_PART_CANCELED;
	said->canceled.total = kakao.canceled[n];
	kakao_is_asked = true;
	visit();
	kakao_is_asked = false;
	return true;
}

static const struct provider_calls kakao_calls = { kakao_ready, kakao_approve, kakao_order, kakao_cancel, NULL };
static struct provider kakao_provider = { &kakao_calls };

/* ---- steps: from step `fail_from` on, `fail_count` of them fail; before step `intrude_at` somebody else's call runs */

static int step, fail_from, fail_count, intrude_at;
static void (*intrude)(void);
static bool inside;		/* the intruder's own steps are not counted, and do not fail */
static bool first_is_dead;	/* its guard ended it while it stood still */
static bool deaf;		/* the queue hears no outcome and no removal */

static void
visit(void)
{
	if (inside || ++step != intrude_at)
		return;
	inside = true;
	intrude();
	inside = false;
}

static bool
fails(struct error *err)
{
	visit();
	if (!inside && first_is_dead)
		return !error_set(err, ERR_UNAVAILABLE, "dead");
	if (inside || fail_from == 0 || step < fail_from || step >= fail_from + fail_count)
		return false;
	return !error_set(err, ERR_UNAVAILABLE, "step %d fails", step);
}

/* One that stands still between its last look at the clock and the write. */
static bool
goes_on(struct error *err)
{
	visit();
	return inside || !first_is_dead || error_set(err, ERR_UNAVAILABLE, "dead");
}

/* The store begins nothing after the deadline, and the queue grants nothing. What else is said to the queue then is heard, but nobody waits for the answer. */
#define WRAP_AS(name, params, last, ...) \
	bool __real_##name params; \
	bool __wrap_##name params; \
	bool __wrap_##name params { \
		return !fails(err) && (clock_boot_ms() < d || error_set(err, ERR_UNAVAILABLE, "too late")) && (last) && __real_##name(__VA_ARGS__); \
	}
#define WRAP(name, params, ...) WRAP_AS(name, params, goes_on(err), __VA_ARGS__)
#define WRAP_GRANT(name, params, ...) WRAP_AS(name, params, true, __VA_ARGS__)
#define WRAP_QUEUE(name, params, ...) \
	bool __real_##name params; \
	bool __wrap_##name params; \
	bool __wrap_##name params { \
		if (deaf && (strcmp(#name, "queue_outcome") == 0 || strcmp(#name, "queue_remove") == 0)) \
			return error_set(err, ERR_UNAVAILABLE, "not heard"); \
		return !fails(err) && __real_##name(__VA_ARGS__) && (clock_boot_ms() < d || error_set(err, ERR_UNAVAILABLE, "too late")); \
	}

WRAP(store_ledger_put, (struct store *s, const struct ledger_event *e, enum store_put *how, int64_t d, struct error *err), s, e, how, d, err)
WRAP(store_ledger_chain, (struct store *s, const char *c, const char *o, struct ledger_chain *out, int64_t d, struct error *err), s, c, o, out, d, err)
WRAP(store_replay_put, (struct store *s, const struct store_replay *r, enum store_put *how, int64_t d, struct error *err), s, r, how, d, err)
WRAP(store_replay_get, (struct store *s, const char *k, struct store_replay *r, bool *f, int64_t d, struct error *err), s, k, r, f, d, err)
WRAP(store_payment_put, (struct store *s, const struct payment *p, enum store_put *how, int64_t d, struct error *err), s, p, how, d, err)
WRAP(store_work_put, (struct store *s, const struct store_work *o, int64_t d, struct error *err), s, o, d, err)
WRAP(store_work_delete, (struct store *s, const char *t, int64_t n, int64_t d, struct error *err), s, t, n, d, err)
WRAP(store_outbox_put, (struct store *s, const struct store_message *m, enum store_put *how, int64_t d, struct error *err), s, m, how, d, err)
WRAP(store_outbox_delete, (struct store *s, const char *id, int64_t d, struct error *err), s, id, d, err)
WRAP(store_try_claim, (struct store *s, const struct store_try *t, enum store_put *how, int64_t d, struct error *err), s, t, how, d, err)
WRAP_GRANT(queue_hold, (struct queue *q, const struct hold_request *r, int64_t d, struct queue_answer *a, struct error *err), q, r, d, a, err)
WRAP_QUEUE(queue_ready, (struct queue *q, uint64_t id, const char *t, const char *w, int64_t d, struct queue_answer *a, struct error *err), q, id, t, w, d, a, err)
WRAP_GRANT(queue_approve, (struct queue *q, uint64_t id, int64_t n, const char *k, int64_t d, struct queue_answer *a, struct error *err), q, id, n, k, d, a, err)
WRAP_QUEUE(queue_outcome, (struct queue *q, uint64_t id, uint64_t t, enum hold_outcome o, int64_t n, int64_t d, struct queue_answer *a, struct error *err),
    q, id, t, o, n, d, a, err)
WRAP_QUEUE(queue_remove, (struct queue *q, uint64_t id, bool r, int64_t n, int64_t d, struct queue_answer *a, struct error *err), q, id, r, n, d, a, err)

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
static struct flow flow, courier_flow;
static struct settler *courier;
static struct flow_answer out;

static struct flow_call
call(void)
{
	return (struct flow_call){ "req-1", clock_boot_ms() + 13000, NULL };
}

static int
set_up(void **state)
{
	const struct hold_limits limits = { .max_per_user = 3, .guard_ms = 60000, .window_ms = 900000, .max_tries_per_min = 5, .removed_answer_ms = 600000,
		.gone_memory_ms = 86400000, .order_memory_ms = 35LL * 86400000 };

	(void)state;
	memset(&kakao, 0, sizeof(kakao));
	kakao.commits = true;
	kakao.pending_as = PS_PENDING;
	step = fail_from = fail_count = intrude_at = 0;
	deaf = inside = first_is_dead = false;
	time_shift_ms = 0;
	memset(&conf, 0, sizeof(conf));
	conf.n_merchants = 1;
	strcpy(conf.merchants[0].cid, "TC0ONETIME");
	conf.merchants[0].hold_ttl_ms = 600000;
	if (!secret_set(&conf.replay_key, "an invented key of the tests"))
		return -1;
	flow = (struct flow){ &conf, queue_open_memory(&limits, clock_now), store_open_memory(), &kakao_provider, "test", FR_OK };
	return flow.queue == NULL || flow.store == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	settler_free(&courier);
	queue_free(&flow.queue);
	store_free(&flow.store);
	conf_clear(&conf);
	return 0;
}

static const char *const room_a = "00000000000000000000000a", *const room_b = "00000000000000000000000b";

static enum flow_result
ready_for(struct flow_answer *to, const char *user, const char *room, const char *order, int start)
{
	struct flow_ready_request rq;
	struct flow_call c = call();

	memset(&rq, 0, sizeof(rq));
	strcpy(rq.attempt.cid, "TC0ONETIME");
	strcpy(rq.attempt.partner_order_id, order);
	strcpy(rq.attempt.partner_user_id, "p-1");
	strcpy(rq.attempt.user_id, user);
	strcpy(rq.ready.partner_order_id, order);
	strcpy(rq.attempt.room_id, room);
	strcpy(rq.attempt.item_name, "room");
	rq.attempt.quantity = 1;
	rq.attempt.total_amount = 2200;
	rq.attempt.vat_amount = -1;
	snprintf(rq.attempt.reservation_info, sizeof(rq.attempt.reservation_info), "{\"roomId\":\"%s\"}", room);
	snprintf(rq.fingerprint, sizeof(rq.fingerprint), "%s-%d", order, start);
	assert_true(interval_make(1, start * 60, start * 60 + 120, &rq.set.iv[0]));
	rq.set.n = 1;
	flow_ready(&flow, &c, &rq, to);
	return to->result;
}

static enum flow_result
ready(const char *order, int start)
{
	return ready_for(&out, "u-1", room_a, order, start);
}

static enum flow_result
approve_for(struct flow_answer *to, const char *token)
{
	struct flow_call c = call();

	flow_approve(&flow, &c, "u-1", room_a, token, cids, 1, to);
	return to->result;
}

static enum flow_result
approve(const char *token)
{
	return approve_for(&out, token);
}

static enum flow_result
remove_for(struct flow_answer *to, bool by_reservation, const char *tid)
{
	struct flow_call c = call();

	flow_remove(&flow, &c, by_reservation, "u-1", room_a, tid, cids, 1, to);
	return to->result;
}

static enum flow_result
remove_it(bool by_reservation, const char *tid)
{
	return remove_for(&out, by_reservation, tid);
}

static enum flow_result
refund_for(struct flow_answer *to, const char *id, int64_t amount)
{
	struct flow_call c = call();
	struct flow_refund_request rq = { .tid = "T1", .asked = { amount, -1 }, .reason = "a reason" };

	snprintf(rq.refund_id, sizeof(rq.refund_id), "%s", id);
	flow_refund(&flow, &c, &rq, cids, 1, to);
	return to->result;
}

static enum flow_result
refund(const char *id, int64_t amount)
{
	return refund_for(&out, id, amount);
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

/* The reservation service is to hear of T1. */
static bool
owes_approved(void)
{
	struct store_try *tries = NULL;
	bool withdrawn;
	size_t n = 0;

	assert_true(store_try_list(flow.store, "payment.approved.T1", &tries, &n, clock_boot_ms() + 1000, NULL));
	withdrawn = n > 0 && tries[n - 1].withdrawn;
	free(tries);
	return messages("payment.approved") == 1 && !withdrawn;
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
last_kind_of(const char *order, size_t *n)
{
	struct ledger_chain chain = { 0 };
	enum ledger_kind kind = LK__MAX;
	struct error err;

	error_clear(&err);
	assert_true(__real_store_ledger_chain(flow.store, "TC0ONETIME", order, &chain, clock_boot_ms() + 1000, &err));
	if (chain.n > 0)
		kind = chain.ev[chain.n - 1].kind;
	if (n != NULL)
		*n = chain.n;
	ledger_chain_clear(&chain);
	return kind;
}

static enum ledger_kind
last_kind(size_t *n)
{
	return last_kind_of("order-1", n);
}

static bool
has_event(enum ledger_kind kind)
{
	struct ledger_chain chain = { 0 };
	struct error err;
	bool has = false;

	error_clear(&err);
	assert_true(__real_store_ledger_chain(flow.store, "TC0ONETIME", "order-1", &chain, clock_boot_ms() + 1000, &err));
	for (size_t i = 0; i < chain.n; i++)
		has = has || chain.ev[i].kind == kind;
	ledger_chain_clear(&chain);
	return has;
}

/* Nothing is captured but under a grant, and after it was written down. */
static void
check_may_capture(const char *tid)
{
	if (hold_state_of(tid) != HOLD_APPROVING || last_kind_of(kakao.order[number_of(tid)], NULL) != LK_APPROVING)
		fail_msg("%s is captured while its hold is %s and the ledger says %s", tid, hold_state_name(hold_state_of(tid)),
		    ledger_kind_name(last_kind_of(kakao.order[number_of(tid)], NULL)));
}

static struct order_state
state_of(const char *tid)
{
	struct ledger_chain chain = { 0 };
	struct order_state st;

	assert_true(__real_store_ledger_chain(flow.store, "TC0ONETIME", "order-1", &chain, clock_boot_ms() + 1000, NULL));
	assert_true(order_state(&chain, tid, &st, NULL));
	ledger_chain_clear(&chain);	/* the numbers and words of st stay */
	return st;
}

/* Nothing is given back before it was written down. */
static void
check_may_refund(const struct provider_cancel *rq)
{
	if (state_of(rq->tid).state != AS_REFUND_UNKNOWN)
		fail_msg("%s is refunded while the ledger says %s", rq->tid, attempt_state_name(state_of(rq->tid).state));
}

static size_t
open_items(void)
{
	struct store_work *o = NULL;
	struct error err;
	size_t n = 0;

	error_clear(&err);
	assert_true(store_work_list(flow.store, 100, &o, &n, clock_boot_ms() + 1000, &err));
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
a_replay_that_says_paid_has_stored_it_also_without_the_queue(void **state)
{
	int paid = 0, steps;

	assert_int_equal(ready("order-1", 10), FR_OK);
	step = 0;
	approve("tok");
	steps = step;
	for (int from = 1; from <= steps; from++) {
		tear_down(state);
		assert_int_equal(set_up(state), 0);
		assert_int_equal(ready("order-1", 10), FR_OK);
		step = 0;
		fail_from = from;
		fail_count = 1000;
		approve("tok");
		fail_from = 0;
		flow.gate = FR_QUEUE_UNAVAILABLE;
		if (approve("tok") != FR_OK)
			continue;
		paid++;
		assert_true(stored("T1"));
		assert_int_equal(messages("payment.approved"), 1);
	}
	assert_true(paid > 2);
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
an_order_that_only_the_ledger_knows_as_paid_is_not_opened(void **state)
{
	const struct hold_limits limits = { .max_per_user = 3, .window_ms = 900000, .max_tries_per_min = 5, .removed_answer_ms = 600000, .gone_memory_ms = 86400000,
		.order_memory_ms = 35LL * 86400000 };

	(void)state;
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_OK);
	queue_free(&flow.queue);
	flow.queue = queue_open_memory(&limits, clock_now);	/* one that has forgotten */
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
	kakao.ready_answer = PO_UNKNOWN;
	assert_int_equal(ready("order-1", 10), FR_PROVIDER_ERROR);
	assert_int_equal(out.charged, FC_FALSE);
	kakao.ready_answer = PO_NOT_SENT;
	assert_int_equal(ready("order-1", 10), FR_PROVIDER_UNREACHABLE);
	kakao.ready_answer = PO_OK;
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_false(out.replayed);
}

/* ---- what KakaoPay's answers mean */

static const struct row {
	const char *what;
	enum provider_outcome answer;
	bool commits, silent, strange, wrong_total;
	enum provider_status pending_as;
	int64_t code;
	enum flow_result result;
	enum flow_charged charged;
	enum ledger_kind kind;
	enum hold_state state;
	int inquiries;
} rows[] = {
	{ "captured", PO_OK, true, false, false, false, PS_PENDING, 0, FR_OK, FC_TRUE, LK_APPROVED, HOLD_APPROVED, 0 },
	{ "captured, but another amount", PO_OK, true, false, false, true, PS_PENDING, 0, FR_OK, FC_TRUE, LK_REVIEW, HOLD_REVIEW, 0 },
	{ "not sent", PO_NOT_SENT, false, false, false, false, PS_PENDING, 0, FR_PROVIDER_UNREACHABLE, FC_FALSE, LK_NOT_EXECUTED, HOLD_READY, 0 },
	{ "not executed", PO_NOT_EXECUTED, false, false, false, false, PS_PENDING, -401, FR_PROVIDER_ERROR, FC_FALSE, LK_NOT_EXECUTED, HOLD_READY, 0 },
	{ "token refused", PO_TOKEN_REFUSED, false, false, false, false, PS_PENDING, -708, FR_TOKEN_REFUSED, FC_FALSE, LK_REFUSED, HOLD_READY, 0 },
	{ "declined", PO_DECLINED, false, false, false, false, PS_PENDING, -704, FR_DECLINED, FC_FALSE, LK_DECLINED, HOLD_DECLINED, 0 },
	{ "window over", PO_WINDOW_OVER, false, false, false, false, PS_PENDING, -723, FR_EXPIRED, FC_FALSE, LK_DECLINED, HOLD_DECLINED, 0 },
	{ "no answer, captured", PO_UNKNOWN, true, false, false, false, PS_PENDING, 0, FR_OK, FC_TRUE, LK_APPROVED, HOLD_APPROVED, 1 },
	{ "no answer, captured, no inquiry", PO_UNKNOWN, true, true, false, false, PS_PENDING, 0, FR_UNKNOWN, FC_UNKNOWN, LK_UNKNOWN, HOLD_UNKNOWN, 1 },
	{ "no answer, not captured", PO_UNKNOWN, false, false, false, false, PS_PENDING, 0, FR_UNKNOWN, FC_UNKNOWN, LK_UNKNOWN, HOLD_UNKNOWN, 1 },
	{ "no answer, failed", PO_UNKNOWN, false, false, false, false, PS_FAILED, 0, FR_DECLINED, FC_FALSE, LK_DECLINED, HOLD_DECLINED, 1 },
	{ "already paid, it says", PO_INQUIRE, true, false, false, false, PS_PENDING, -702, FR_OK, FC_TRUE, LK_APPROVED, HOLD_APPROVED, 1 },
	{ "refused by the card", PO_INQUIRE, false, false, false, false, PS_FAILED, -780, FR_DECLINED, FC_FALSE, LK_DECLINED, HOLD_DECLINED, 1 },
	{ "a status that nobody knows", PO_UNKNOWN, true, false, true, false, PS_PENDING, 0, FR_UNKNOWN, FC_UNKNOWN, LK_REVIEW, HOLD_REVIEW, 1 },
	{ "captured otherwise, found by inquiry", PO_UNKNOWN, true, false, false, true, PS_PENDING, 0, FR_OK, FC_TRUE, LK_REVIEW, HOLD_REVIEW, 1 },
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
	static const enum provider_outcome refusals[] = { PO_TOKEN_REFUSED, PO_DECLINED, PO_WINDOW_OVER, PO_NOT_EXECUTED, PO_NOT_SENT };

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		tear_down(state);
		assert_int_equal(set_up(state), 0);
		kakao.answer = PO_UNKNOWN;
		kakao.commits = false;
		assert_int_equal(ready("order-1", 10), FR_OK);
		assert_int_equal(approve("tok"), FR_UNKNOWN);
		kakao.answer = refusals[i];
		assert_int_equal(approve("tok"), FR_UNKNOWN);
		assert_int_equal(out.charged, FC_UNKNOWN);
		assert_int_equal(kakao.approves, 2);
		assert_int_equal(hold_state_of("T1"), HOLD_UNKNOWN);
		/* and when the inquiry at last shows the first send's capture, it is found, not made again */
		kakao.captured[1] = true;
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
	kakao.answer = PO_UNKNOWN;
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

/* The user never finished at KakaoPay, and the first answer was lost: each repeat may inquire and send. */
static void
an_unknown_end_is_tried_five_times_a_minute_and_keeps_one_work_item(void **state)
{
	size_t events, after;
	int inquiries;

	(void)state;
	kakao.answer = PO_UNKNOWN;
	kakao.commits = false;
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_UNKNOWN);
	kakao.answer = PO_TOKEN_REFUSED;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(approve("tok"), FR_UNKNOWN);
		assert_int_equal(open_items(), 1);
	}
	assert_int_equal(kakao.approves, 5);
	assert_int_equal(kakao.inquiries, 5);	/* one before each send but the first, one after that */
	last_kind(&events);
	inquiries = kakao.inquiries;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(approve(i % 2 == 0 ? "tok" : "other"), FR_UNKNOWN);
		assert_int_equal(out.charged, FC_UNKNOWN);
		assert_in_range(out.retry_ms, 1, 60000);
	}
	last_kind(&after);
	assert_int_equal(after, events);
	assert_int_equal(kakao.approves, 5);
	assert_int_equal(kakao.inquiries, inquiries);
	assert_int_equal(open_items(), 1);
	time_shift_ms += 60000;
	kakao.answer = PO_OK;
	kakao.commits = true;
	assert_int_equal(approve("tok"), FR_OK);
	assert_int_equal(kakao.captures, 1);
	assert_int_equal(open_items(), 1);
}

/* For ever, as far as a caller has the patience. */
static void
an_attempt_has_a_last_send_and_an_order_a_last_attempt(void **state)
{
	struct flow_answer *a = &out;
	struct flow_order_answer order;
	struct flow_call c;
	size_t events = 0;
	int i = 0, full = 0;

	(void)state;
	kakao.answer = PO_UNKNOWN;
	kakao.commits = false;
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_UNKNOWN);
	kakao.answer = PO_TOKEN_REFUSED;
	for (; time_shift_ms < 800000; time_shift_ms += 12000)
		assert_int_equal(approve("tok"), FR_UNKNOWN);
	assert_int_equal(kakao.approves, ORDER_SENDS_MAX);
	last_kind(&events);
	assert_int_equal(events, 2 * ORDER_SENDS_MAX);
	assert_int_equal(open_items(), 1);
	kakao.pending_as = PS_FAILED;		/* it still inquires */
	assert_int_equal(approve("tok"), FR_DECLINED);
	for (kakao.readies = 1; a->result != FR_TOO_MANY_REQUESTS && i < 1000; i++) {
		kakao.readies = kakao.readies % 14 + 1;		/* a new tid each time, never T1 */
		if (ready("order-1", 10) != FR_OK)
			break;
		while (approve("wrong") == FR_TOKEN_REFUSED)
			time_shift_ms += 12000;
		assert_int_equal(a->result, FR_TOO_MANY_REQUESTS);
		assert_true(a->charged == FC_ABSENT && a->retry_ms > 0);
		c = call();
		flow_order(&flow, &c, "TC0ONETIME", "order-1", &order);
		assert_int_equal(order.next, a->retry_ms > 60000 ? FN_START_AGAIN : FN_PAY);	/* of the tid, or of the minute */
		full += order.next == FN_START_AGAIN;
		flow_order_clear(&order);
		assert_int_equal(remove_it(false, NULL), FR_OK);
		a->result = FR_OK;
	}
	assert_int_equal(a->result, FR_TOO_MANY_REQUESTS);
	last_kind(&events);
	assert_in_range(events, ORDER_ATTEMPTS_MAX, ORDER_ATTEMPTS_MAX + 1);
	assert_int_equal(open_items(), 0);
	assert_true(full > 0);
}

static void
a_declined_attempt_stays_declined(void **state)
{
	(void)state;
	kakao.answer = PO_DECLINED;
	kakao.commits = false;
	kakao.code = -704;
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_DECLINED);
	kakao.answer = PO_OK;
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
	kakao.answer = PO_TOKEN_REFUSED;
	kakao.commits = false;
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_TOKEN_REFUSED);
	assert_int_equal(ready("order-2", 14), FR_OK);
	kakao.answer = PO_OK;
	assert_int_equal(approve("tok"), FR_TOKEN_REFUSED);
	assert_int_equal(kakao.approves, 1);
}

static void
a_wrong_token_never_gets_the_right_ones_answer(void **state)
{
	(void)state;
	kakao.answer = PO_TOKEN_REFUSED;
	kakao.commits = false;
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_int_equal(approve("wrong"), FR_TOKEN_REFUSED);
	kakao.answer = PO_UNKNOWN;
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

/* ---- the ledger and the queue do not tell the same */

static struct store *lost;	/* what a restore put away */

static void
restore_an_empty_backup(void)
{
	lost = flow.store;
	flow.store = store_open_memory();
	assert_non_null(flow.store);
}

static void
a_database_older_than_the_queue_proves_nothing(void **state)
{
	for (int removed = 0; removed < 2; removed++) {
		tear_down(state);
		assert_int_equal(set_up(state), 0);
		assert_int_equal(ready("order-1", 10), FR_OK);
		assert_int_equal(approve("tok"), FR_OK);
		if (removed)
			assert_int_equal(remove_it(true, "T1"), FR_OK);
		restore_an_empty_backup();
		assert_int_equal(approve("tok"), FR_STORE_UNAVAILABLE);
		assert_int_equal(out.charged, FC_UNKNOWN);
		assert_int_equal(remove_it(true, "T1"), FR_STORE_UNAVAILABLE);
		assert_int_equal(remove_it(true, NULL), FR_STORE_UNAVAILABLE);
		assert_int_equal(remove_it(false, "T1"), removed ? FR_STORE_UNAVAILABLE : FR_ORDER_PAID);
		store_free(&lost);
	}
}

/* Nothing of our own writes this today; an inquiry long after a declined attempt may. */
static void
an_order_that_is_perhaps_charged_gets_no_second_attempt(void **state)
{
	struct ledger_event review = { .n = 3, .kind = LK_REVIEW, .at_ms = 1, .cid = "TC0ONETIME", .partner_order_id = "order-1", .tid = "T1",
		.nonce = "0123456789abcdef" };
	enum store_put how;
	struct error err;

	(void)state;
	error_clear(&err);
	kakao.answer = PO_DECLINED;
	kakao.commits = false;
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_DECLINED);
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_true(store_ledger_put(flow.store, &review, &how, clock_boot_ms() + 1000, &err));
	kakao.answer = PO_OK;
	kakao.commits = true;
	assert_int_equal(approve("tok2"), FR_IN_PROGRESS);
	assert_int_equal(out.charged, FC_UNKNOWN);
	assert_int_equal(kakao.captures, 0);
	assert_int_equal(ready("order-1", 14), FR_IN_PROGRESS);
	assert_int_equal(out.charged, FC_UNKNOWN);
}

/* The queue hears nothing of how it ended. */
static void
an_end_that_the_queue_did_not_hear_is_told_later(void **state)
{
	static const char *const tokens[] = { "tok", "another" };

	for (size_t i = 0; i < 2; i++) {
		tear_down(state);
		assert_int_equal(set_up(state), 0);
		kakao.answer = PO_DECLINED;
		kakao.commits = false;
		assert_int_equal(ready("order-1", 10), FR_OK);
		deaf = true;
		assert_int_equal(approve("tok"), FR_DECLINED);
		deaf = false;
		assert_int_equal(hold_state_of("T1"), HOLD_APPROVING);
		assert_int_equal(open_items(), 1);	/* so that somebody knows, also if no call comes */
		assert_int_equal(approve(tokens[i]), FR_DECLINED);
		assert_int_equal(hold_state_of("T1"), HOLD_DECLINED);
		assert_int_equal(open_items(), 0);
	}
}

static void
a_removal_that_the_queue_did_not_hear_leaves_its_work_item(void **state)
{
	(void)state;
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_OK);
	deaf = true;
	assert_int_equal(remove_it(true, "T1"), FR_QUEUE_UNAVAILABLE);
	deaf = false;
	assert_int_equal(last_kind(NULL), LK_REMOVED);
	assert_int_equal(hold_state_of("T1"), HOLD_APPROVED);
	assert_int_equal(open_items(), 1);
	assert_int_equal(remove_it(true, "T1"), FR_OK);
	assert_int_equal(open_items(), 0);
}

static void
another_queue_does_not_end_the_work_on_this_ones_hold(void **state)
{
	(void)state;
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_OK);
	deaf = true;
	assert_int_equal(remove_it(true, "T1"), FR_QUEUE_UNAVAILABLE);
	deaf = false;
	queue_expect(flow.queue, "ffffffffffffffffffffffffffffffff");
	assert_int_equal(remove_it(true, "T1"), FR_OK);	/* the ledger alone tells */
	assert_true(out.removed && out.replayed);
	assert_int_equal(open_items(), 1);
}

static void
a_token_used_for_another_order_leaves_no_work(void **state)
{
	(void)state;
	kakao.answer = PO_TOKEN_REFUSED;
	kakao.commits = false;
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_TOKEN_REFUSED);
	assert_int_equal(ready("order-2", 14), FR_OK);
	assert_int_equal(approve("tok"), FR_TOKEN_REFUSED);
	assert_int_equal(open_items(), 0);
}

static void
an_approve_under_way_hides_no_earlier_removal(void **state)
{
	(void)state;
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_OK);
	assert_int_equal(remove_it(true, NULL), FR_OK);
	assert_string_equal(out.tid, "T1");
	kakao.answer = PO_UNKNOWN;
	kakao.commits = false;
	assert_int_equal(ready("order-2", 14), FR_OK);
	assert_int_equal(approve("tok2"), FR_UNKNOWN);
	assert_int_equal(remove_it(true, NULL), FR_OK);
	assert_true(out.removed && out.replayed);
	assert_string_equal(out.tid, "T1");
}

static void
fail_the_ready_call(void)
{
	struct error err;

	error_clear(&err);
	assert_true(queue_fail(flow.queue, 1, false, "", clock_boot_ms() + 1000, &err));
}

static void
a_hold_that_goes_before_its_removal_was_never_there(void **state)
{
	struct hold_request rq = { .cid = "TC0ONETIME", .order = "order-1", .user = "u-1", .room = room_a, .fingerprint = "f", .ttl_ms = 600000,
		.call_ms = 10000, .attempt = "{\"cid\":\"TC0ONETIME\",\"partner_order_id\":\"order-1\",\"partner_user_id\":\"p\",\"user_id\":\"u-1\","
		"\"room_id\":\"00000000000000000000000a\",\"item_name\":\"i\",\"quantity\":1,\"total_amount\":1,\"tax_free_amount\":0,"
		"\"reservation_info\":{}}" };
	struct queue_answer qa;
	struct error err;

	(void)state;
	error_clear(&err);
	assert_true(interval_make(1, 600, 720, &rq.set.iv[0]));
	rq.set.n = 1;
	assert_true(queue_hold(flow.queue, &rq, clock_boot_ms() + 1000, &qa, &err));
	assert_int_equal(qa.code, HA_OK);
	step = 0;
	intrude_at = 1;		/* before queue_remove */
	intrude = fail_the_ready_call;
	assert_int_equal(remove_it(false, NULL), FR_OK);
	assert_false(out.removed);
}

/* ---- two at once */

static void
take_the_first_number(void)
{
	struct ledger_event abandoned = { .n = 1, .kind = LK_ABANDONED, .at_ms = 1, .cid = "TC0ONETIME", .partner_order_id = "order-1", .tid = "T1",
		.nonce = "0123456789abcdef" };
	enum store_put how;
	struct error err;

	error_clear(&err);
	assert_true(__real_store_ledger_put(flow.store, &abandoned, &how, clock_boot_ms() + 1000, &err));
}

static void
who_finds_its_number_taken_sends_nothing(void **state)
{
	(void)state;
	assert_int_equal(ready("order-1", 10), FR_OK);
	step = 0;
	intrude_at = 8;		/* replay and chain read twice, queue, replay key twice, work item */
	intrude = take_the_first_number;
	assert_int_equal(approve("tok"), FR_IN_PROGRESS);
	assert_int_equal(out.charged, FC_UNKNOWN);
	assert_true(out.retry_ms > 0);
	assert_int_equal(kakao.approves, 0);
	assert_int_equal(approve("tok"), FR_IN_PROGRESS);	/* the other has the grant until its deadline */
	time_shift_ms += 20000;
	assert_int_equal(approve("tok"), FR_OK);
	assert_int_equal(kakao.captures, 1);
}

static void
a_grant_under_which_nothing_is_sent_is_given_back_at_once(void **state)
{
	for (int from = 6; from <= 10; from += 2) {	/* the replay key, the work item, `approving` */
		tear_down(state);
		assert_int_equal(set_up(state), 0);
		assert_int_equal(ready("order-1", 10), FR_OK);
		step = 0;
		fail_from = from;
		fail_count = 1;
		assert_int_equal(approve("tok"), FR_STORE_UNAVAILABLE);
		fail_from = 0;
		assert_int_equal(out.charged, FC_FALSE);
		assert_int_equal(hold_state_of("T1"), HOLD_READY);
		assert_int_equal(approve("tok"), FR_OK);
	}
}

static struct flow_answer other;

static void
approve_the_old_one(void)
{
	assert_int_equal(approve_for(&other, "tok"), FR_OK);
}

static void
a_ready_that_fails_after_the_old_one_was_approved_says_so(void **state)
{
	static const enum provider_outcome ends[] = { PO_NOT_SENT, PO_UNKNOWN, PO_OK };

	for (size_t i = 0; i < 3; i++) {
		tear_down(state);
		assert_int_equal(set_up(state), 0);
		assert_int_equal(ready("order-1", 10), FR_OK);
		kakao.ready_answer = ends[i];
		step = 0;
		intrude_at = 4;		/* queue_hold, store_ledger_chain twice, KakaoPay */
		intrude = approve_the_old_one;
		ready("order-1", 12);
		assert_int_equal(out.result, ends[i] == PO_OK ? FR_IN_PROGRESS : ends[i] == PO_NOT_SENT ? FR_PROVIDER_UNREACHABLE : FR_PROVIDER_ERROR);
		assert_int_equal(out.charged, FC_TRUE);
		assert_int_equal(hold_state_of("T1"), HOLD_APPROVED);
		assert_int_equal(kakao.captures, 1);
	}
}

static void
open_the_unknown_order_where_another_is_being_opened(void)
{
	assert_int_equal(ready_for(&other, "u-1", room_b, "order-1", 10), FR_IN_PROGRESS);
	assert_int_equal(other.charged, FC_UNKNOWN);
}

static void
another_orders_hold_in_the_way_tells_nothing_of_this_one(void **state)
{
	(void)state;
	kakao.answer = PO_UNKNOWN;
	assert_int_equal(ready("order-1", 10), FR_OK);
	kakao.inquiry_silent = true;
	assert_int_equal(approve("tok"), FR_UNKNOWN);	/* captured, in truth */
	step = 0;
	intrude_at = 4;
	intrude = open_the_unknown_order_where_another_is_being_opened;
	assert_int_equal(ready_for(&out, "u-1", room_b, "order-2", 10), FR_OK);
}

static void
approve_meanwhile_until_late(void)
{
	assert_int_equal(approve_for(&other, "tok"), FR_OK);
	time_shift_ms += 11500;
}

static void
a_double_click_that_waited_long_still_gets_the_answer(void **state)
{
	(void)state;
	assert_int_equal(ready("order-1", 10), FR_OK);
	step = 0;
	intrude_at = 5;		/* store_replay_get and store_ledger_chain twice, queue_approve */
	intrude = approve_meanwhile_until_late;
	assert_int_equal(approve("tok"), FR_OK);
	assert_true(out.replayed);
	assert_int_equal(kakao.approves, 1);
}

/* ---- every step fails, once or for the rest of the call */

static void
try_every_step(void **state, int count, bool commits, enum provider_outcome answer)
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
		kakao.answer = PO_OK;
		kakao.commits = true;
		for (int i = 0; i < 3 && approve("tok") != FR_OK; i++)
			time_shift_ms += 20000;
		if (out.result != FR_OK || kakao.captures != 1 || !stored("T1") || hold_state_of("T1") != HOLD_APPROVED)
			fail_msg("step %d of %d fails: result %d (%s), %d captures, stored %d, hold %s", from, steps, (int)out.result, out.detail,
			    kakao.captures, stored("T1"), hold_state_name(hold_state_of("T1")));
		assert_int_equal(out.charged, FC_TRUE);
		assert_int_equal(messages("payment.approved"), 1);
		if (has_event(LK_UNKNOWN))
			assert_int_equal(messages("payment.resolved"), 1);
	}
}

static void
a_step_that_fails_once_loses_nothing(void **state)
{
	try_every_step(state, 1, true, PO_OK);
}

static void
a_crash_at_any_step_loses_nothing(void **state)
{
	try_every_step(state, 1000, true, PO_OK);
}

static void
a_crash_at_any_step_of_an_unknown_one_loses_nothing(void **state)
{
	try_every_step(state, 1000, true, PO_UNKNOWN);
}

static void
a_removal_that_breaks_off_is_finished_by_its_repeat(void **state)
{
	for (int from = 1; from <= 12; from++) {
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

/* ---- every step of one call, with every other call in between */

enum deed { APPROVE, APPROVE_WRONGLY, REFUND_ALL, REFUND_PART, OPEN_AGAIN, OPEN_ANOTHER_TIME, OPEN_ANOTHER_ORDER, OPEN_BY_ANOTHER_USER, GIVE_UP, REMOVE_OLDEST, REMOVE_TID, SETTLE, DEED__MAX };

static const char *const deed_names[] = { "approve", "approve wrongly", "refund all", "refund a part", "open again", "open another time", "open another order", "open by another user", "give up",
	"remove the oldest", "remove by tid", "settle" };

struct scene {
	enum deed first, second;
	int before;			/* 0: opened; 1: unknown and captured; 2: unknown and not; 3: paid; 4: paid and removed */
	enum provider_outcome answer;
	bool commits, silent, lags;
	bool courier_ends;		/* nobody asks again: the courier alone brings everything to its end */
	int pause_ms;			/* the first stands still so long, then the second comes */
	int at;				/* the step */
	int fail_from, fail_count;	/* steps of the first that fail */
};

static struct scene scene;
static bool said_never;		/* somebody was told 402 or 410 for T1 */
static bool under_way;		/* the first approve was granted when the second call came */
static bool said_false;		/* somebody was told then that order-1 is not charged */
static char story[400];

static int
captures_of(const char *order)
{
	int n = 0;

	for (size_t i = 1; i < TIDS; i++)
		n += kakao.captured[i] && strcmp(kakao.order[i], order) == 0;
	return n;
}

/* In its user's place: then an approve is about this order. */
static bool
is_open(const char *order)
{
	static struct queue_answer qa;

	return queue_find(flow.queue, FIND_PLACE, "u-1", room_a, clock_boot_ms() + 1000, &qa, NULL) && qa.code == HA_OK && strcmp(qa.hold.order, order) == 0;
}

static bool
is_refund(enum deed d)
{
	return d == REFUND_ALL || d == REFUND_PART;
}

/* Everything went back before the reservation was made: nobody needs to hear of it. */
static bool
is_withdrawn(void)
{
	return kakao.canceled[1] == 2200 && state_of("T1").removed != NULL && state_of("T1").removed_as == AS_REFUNDED;
}

static void
wrong(const char *what, const struct flow_answer *a)
{
	fail_msg("%s: %s (result %d, charged %d, %s)", story, what, a == NULL ? -1 : (int)a->result, a == NULL ? -1 : (int)a->charged,
	    a == NULL ? "" : a->detail);
}

static void
settle(void)
{
	struct error err;

	(void)settler_sweep(courier, NULL, NULL, &err);
}

/* Two and a half hours pass, and only the courier is there. */
static void
let_the_courier_end(void)
{
	static const struct { int times, seconds; } steps[] = { { 12, 10 }, { 30, 60 }, { 12, 600 } };

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		for (int n = 0; n < steps[i].times; n++) {
			time_shift_ms += steps[i].seconds * 1000;
			settle();
		}
	if (hold_state_of("T1") == HOLD_APPROVING || hold_state_of("T1") == HOLD_UNKNOWN)
		wrong("the courier leaves a hold without an end", NULL);
	if (kakao.captured[1] && (!stored("T1") || (!owes_approved() && !is_withdrawn())))
		wrong("the courier leaves a capture that is not stored or owed", NULL);
	if (state_of("T1").state == AS_REFUND_UNKNOWN || state_of("T1").refunded.total != kakao.canceled[1])
		wrong("the ledger tells of other refunds than KakaoPay", NULL);
	if (messages("payment.refunded") != 2 * (size_t)kakao.cancels_done)
		wrong("a refund of which nobody hears", NULL);
	if (kakao.captured[1] && hold_state_of("T1") != HOLD_APPROVED && hold_state_of("T1") != HOLD_REMOVED)
		wrong("the courier leaves a capture without its hold", NULL);
	if ((open_items() > 0) != (kakao.captured[1] && hold_state_of("T1") != HOLD_REMOVED))
		wrong("the courier leaves work", NULL);
}

static void
do_deed(enum deed d, struct flow_answer *a)
{
	static const struct flow_answer nothing;
	const char *order = d == OPEN_ANOTHER_ORDER ? "order-2" : d == OPEN_BY_ANOTHER_USER ? "order-3" : "order-1";
	bool is_approve = d == APPROVE || d == APPROVE_WRONGLY;

	*a = nothing;
	switch (d) {
	case APPROVE: approve_for(a, "T1"); break;
	case APPROVE_WRONGLY: approve_for(a, "wrong"); break;
	case REFUND_ALL: refund_for(a, "gone", -1); break;
	case REFUND_PART: refund_for(a, "part", 1000); break;
	case OPEN_AGAIN: ready_for(a, "u-1", room_a, order, 10); break;
	case OPEN_ANOTHER_TIME: ready_for(a, "u-1", room_a, order, 11); break;
	case OPEN_ANOTHER_ORDER: ready_for(a, "u-1", room_a, order, 14); break;
	case OPEN_BY_ANOTHER_USER: ready_for(a, "u-2", room_a, order, 10); break;
	case GIVE_UP: remove_for(a, false, NULL); break;
	case REMOVE_OLDEST: remove_for(a, true, NULL); break;
	case REMOVE_TID: remove_for(a, true, "T1"); break;
	case SETTLE: settle(); a->result = FR_OK; a->charged = FC_ABSENT; break;
	case DEED__MAX: break;
	}
	if (first_is_dead && !inside)
		return;		/* nobody hears it */
	if (is_refund(d) && a->result == FR_OK && kakao.canceled[1] < a->refund.amount)
		wrong("refunded, and it is not", a);
	if (a->result == FR_INTERNAL)
		wrong("an internal error", a);
	if (a->charged == FC_TRUE && captures_of(order) == 0)
		wrong("charged is true without a capture", a);
	if (a->charged == FC_FALSE && captures_of(order) > 0 && !(is_approve && is_open("order-2")))
		wrong("charged is false after a capture", a);
	if (is_approve && a->result == FR_OK && (a->charged != FC_TRUE || !stored("T1")))
		wrong("approved, and not stored", a);
	if (d == APPROVE_WRONGLY && a->result == FR_OK && !has_event(LK_UNKNOWN))
		wrong("the wrong token has the right one's answer", a);
	if (a->charged == FC_FALSE && inside && under_way && strcmp(order, "order-1") == 0)
		said_false = true;
	if (is_approve && (a->result == FR_DECLINED || a->result == FR_EXPIRED) && strcmp(a->tid, "") != 0)
		said_never = strcmp(a->tid, "T1") == 0;
	if (d >= GIVE_UP && a->result == FR_OK && a->removed && a->has_payment && captures_of("order-1") == 0)
		wrong("a payment is removed that there is not", a);
}

static void
second_comes(void)
{
	static struct flow_answer a;

	time_shift_ms += scene.pause_ms;
	/* KakaoPay's answer was waited for when it stood still so long: the guard's timer has gone off */
	first_is_dead = scene.pause_ms >= 14000 && kakao_is_asked;
	under_way = hold_state_of("T1") == HOLD_APPROVING;
	do_deed(scene.second, &a);
}

/* The world after both: what any later call finds. */
static void
check_end(void)
{
	static struct flow_answer a;
	size_t n;

	if (captures_of("order-1") > 1 || captures_of("order-2") > 0 || captures_of("order-3") > 0)
		wrong("captured more than once, or the wrong order", NULL);
	time_shift_ms += 20000;
	kakao.inquiry_silent = kakao.inquiry_lags = false;
	if (kakao.gone > 1 || kakao.canceled[1] > 2200)
		wrong("refunded twice", NULL);
	if (scene.courier_ends)
		let_the_courier_end();
	kakao.answer = PO_OK;
	kakao.commits = true;
	for (int i = 0; i < 3; i++) {
		do_deed(APPROVE, &a);
		if (a.result == FR_OK || a.result == FR_DECLINED || a.result == FR_EXPIRED)
			break;
		time_shift_ms += 20000;
	}
	if (said_never && kakao.captured[1])
		wrong("captured after a final refusal", NULL);
	if (captures_of("order-1") > 1)
		wrong("captured twice in the end", &a);
	if (!kakao.captured[1])
		return;
	if (!stored("T1") || (!owes_approved() && !is_withdrawn()) || (a.result != FR_OK && a.result != FR_ORDER_PAID))
		wrong("a capture that is not stored, owed or answered", &a);
	if (hold_state_of("T1") != HOLD_APPROVED && hold_state_of("T1") != HOLD_REMOVED)
		wrong(hold_state_name(hold_state_of("T1")), NULL);
	if (remove_for(&a, true, "T1") != FR_OK || !a.removed || remove_for(&a, true, "T1") != FR_OK || !a.removed || !a.replayed)
		wrong("cannot be removed", &a);
	if (hold_state_of("T1") != HOLD_REMOVED || messages("queue.removed") != 1 || open_items() > 1)
		wrong("not removed", &a);
	last_kind(&n);
	if (n > 40)
		wrong("a long chain", NULL);
}

static void
begin_scene(void **state)
{
	tear_down(state);
	assert_int_equal(set_up(state), 0);
	settler_free(&courier);
	courier_flow = flow;
	courier_flow.program = "courier";
	courier = settler_new(&courier_flow);
	first_is_dead = said_never = said_false = false;
	kakao.checks_token = true;
	assert_int_equal(ready("order-1", 10), FR_OK);
	if (scene.before == 1 || scene.before == 2) {
		kakao.answer = PO_UNKNOWN;
		kakao.commits = scene.before == 1;
		kakao.inquiry_silent = true;
		assert_int_equal(approve("T1"), FR_UNKNOWN);
		kakao.inquiry_silent = false;
	}
	if (scene.before >= 3)
		assert_int_equal(approve("T1"), FR_OK);
	if (scene.before == 4)
		assert_int_equal(remove_it(true, "T1"), FR_OK);
	kakao.answer = scene.answer;
	kakao.commits = scene.commits;
	kakao.inquiry_silent = scene.silent;
	kakao.inquiry_lags = scene.lags;
	kakao_is_asked = false;
	step = 0;
}

/* False: the first has no such step. */
static bool
play(void **state)
{
	static struct flow_answer a;
	bool reached;
	int before;

	snprintf(story, sizeof(story), "%s, before step %d: %d ms, %s; begun %d, KakaoPay %d/%d/%d/%d, from step %d on %d fail", deed_names[scene.first], scene.at,
	    scene.pause_ms, deed_names[scene.second], scene.before, (int)scene.answer, scene.commits, scene.silent, scene.lags, scene.fail_from, scene.fail_count);
	begin_scene(state);
	before = kakao.captures;
	intrude_at = scene.at;
	intrude = second_comes;
	fail_from = scene.fail_from;
	fail_count = scene.fail_count;
	do_deed(scene.first, &a);
	reached = step >= scene.at;
	intrude_at = fail_from = 0;
	first_is_dead = false;
	if (said_false && kakao.captures > before && captures_of("order-1") > 0 && scene.second != APPROVE)
		wrong("told that nothing is charged, and then an approve that was under way captured", NULL);
	check_end();
	return reached;
}

static const struct { enum provider_outcome answer; bool commits, silent, lags; } ends[] = {
	{ PO_OK, true, false, false }, { PO_UNKNOWN, true, true, false }, { PO_UNKNOWN, false, true, false }, { PO_UNKNOWN, true, false, false },
	{ PO_UNKNOWN, true, false, true }, { PO_DECLINED, false, false, false }, { PO_NOT_EXECUTED, false, false, false }, { PO_NOT_SENT, false, false, false },
};
static const int pauses[] = { 0, 20000, 9000, 700000 };

enum { ENDS = sizeof(ends) / sizeof(ends[0]), PAUSES = sizeof(pauses) / sizeof(pauses[0]), BEFORE = 5 };

static void
set_scene(enum deed first, enum deed second, int before, int end, int pause)
{
	scene = (struct scene){ .first = first, .second = second, .before = before, .answer = ends[end].answer, .commits = ends[end].commits,
		.silent = ends[end].silent, .lags = ends[end].lags, .courier_ends = (first + second + before + end) % 2 == 0 || is_refund(first) || is_refund(second), .pause_ms = pauses[pause], .at = 1 };
}

/* $ROOMPAY_SCENES: all of them, and so many by chance; else a part of them, for a second under valgrind is long. */
static int
scenes_wanted(void)
{
	const char *times = getenv("ROOMPAY_SCENES");

	return times == NULL ? 0 : atoi(times);
}

/* Those pairs of which one approves; the others move no money. */
static void
at_every_step_every_other_call_may_come_in_between(void **state)
{
	int scenes = 0, stride = scenes_wanted() > 0 ? 1 : 29;	/* has no divisor in common with any of the numbers */

	for (int i = 0; i < DEED__MAX * DEED__MAX * BEFORE * ENDS * 2; i += stride) {
		enum deed first = (enum deed)(i % DEED__MAX), second = (enum deed)(i / DEED__MAX % DEED__MAX);

		if (first > REFUND_PART && second > REFUND_PART && first != SETTLE && second != SETTLE)
			continue;
		set_scene(first, second, i / DEED__MAX / DEED__MAX % BEFORE, i / DEED__MAX / DEED__MAX / BEFORE % ENDS,
		    i / DEED__MAX / DEED__MAX / BEFORE / ENDS);
		for (; play(state); scene.at++)
			scenes++;
	}
	print_message("scenes: %d\n", scenes);
	assert_true(scenes > 500);
}

static unsigned
roll(unsigned sides)
{
	static uint64_t seed = 20240305;

	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % sides;
}

static void
steps_may_fail_at_the_same_time(void **state)
{
	for (int i = scenes_wanted() > 0 ? scenes_wanted() : 300; i > 0; i--) {
		set_scene((enum deed)roll(DEED__MAX), (enum deed)roll(DEED__MAX), (int)roll(BEFORE), (int)roll(ENDS), (int)roll(PAUSES));
		scene.at = 1 + (int)roll(26);
		scene.fail_from = 1 + (int)roll(26);
		scene.fail_count = roll(2) == 0 ? 1 : 1000;
		play(state);
	}
}

/* ---- refunds */

static void
sweep(void)
{
	struct error err;

	if (!settler_sweep(courier, NULL, NULL, &err))
		fail_msg("%s", err.msg);
}

static void
pay_order(void)
{
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_OK);
}

static void
a_part_and_the_rest_are_refunded_once_each(void **state)
{
	(void)state;
	pay_order();
	assert_int_equal(refund("a", 1000), FR_OK);
	assert_int_equal(out.state, AS_PART_REFUNDED);
	assert_int_equal(out.refund.amount, 1000);
	assert_int_equal(out.refund.canceled, 1000);
	assert_int_equal(out.refund.left, 1200);
	assert_int_equal(refund("a", 1000), FR_OK);
	assert_true(out.replayed);
	assert_int_equal(refund("a", 900), FR_REFUND_MISMATCH);
	assert_int_equal(refund("a", -1), FR_REFUND_MISMATCH);
	assert_int_equal(refund("b", 1201), FR_REFUND_EXCEEDS);
	assert_int_equal(kakao.cancels, 1);
	assert_true(owes_approved());
	assert_int_equal(messages("payment.refunded"), 2);
	assert_int_equal(hold_state_of("T1"), HOLD_APPROVED);
	assert_int_equal(refund("b", -1), FR_OK);
	assert_int_equal(out.state, AS_REFUNDED);
	assert_int_equal(out.refund.amount, 1200);
	assert_int_equal(out.refund.left, 0);
	assert_int_equal(refund("b", -1), FR_OK);
	assert_true(out.replayed);
	assert_int_equal(refund("a", 1000), FR_OK);
	assert_int_equal(out.refund.left, 1200);	/* as it was said then */
	assert_int_equal(refund("c", -1), FR_REFUND_EXCEEDS);
	assert_int_equal(kakao.cancels, 2);
	assert_int_equal(messages("payment.refunded"), 4);
	assert_int_equal(approve("tok"), FR_OK);	/* the same call gets the same answer for ever */
	assert_int_equal(ready("order-1", 16), FR_ORDER_PAID);
}

static void
a_full_refund_before_the_reservation_was_made_withdraws_it(void **state)
{
	(void)state;
	pay_order();
	assert_int_equal(refund("a", -1), FR_OK);
	assert_false(owes_approved());
	assert_int_equal(messages("payment.approved"), 0);
	assert_int_equal(messages("queue.removed"), 1);
	assert_int_equal(hold_state_of("T1"), HOLD_REMOVED);
	assert_int_equal(open_items(), 0);
	assert_int_equal(remove_it(true, "T1"), FR_OK);
	assert_true(out.removed && out.replayed);
	assert_int_equal(out.state, AS_REFUNDED);
	time_shift_ms += 61000;		/* the sold guard */
	assert_int_equal(ready_for(&out, "u-2", room_a, "order-2", 10), FR_OK);
}

/* The approve broke off anywhere; the refund frees the hold, and then nobody looks at it again. */
static void
a_payment_that_was_not_stored_is_before_its_hold_goes(void **state)
{
	int refunded = 0;

	for (int from = 1; from <= 20; from++) {
		tear_down(state);
		assert_int_equal(set_up(state), 0);
		assert_int_equal(ready("order-1", 10), FR_OK);
		step = 0;
		fail_from = from;
		fail_count = 1000;
		approve("tok");
		fail_from = 0;
		if (!has_event(LK_APPROVED) || refund("a", -1) != FR_OK)
			continue;
		refunded++;
		assert_true(stored("T1"));
		assert_false(owes_approved());
		assert_int_equal(hold_state_of("T1"), HOLD_REMOVED);
		assert_int_equal(open_items(), 0);
	}
	assert_true(refunded > 2);
}

static void
what_the_reservation_service_has_taken_is_not_withdrawn(void **state)
{
	struct store_try t = { .message_id = "payment.approved.T1", .number = 1, .at_ms = 1, .by = "c", .ended = true, .acknowledged = true, .status = 200 };
	enum store_put how;

	(void)state;
	pay_order();
	assert_true(__real_store_try_claim(flow.store, &t, &how, clock_boot_ms() + 1000, NULL));
	assert_int_equal(refund("a", -1), FR_OK);
	assert_int_equal(hold_state_of("T1"), HOLD_APPROVED);	/* it calls removePaymentInQueue, as ever */
	assert_int_equal(messages("queue.removed"), 0);
	assert_int_equal(messages("payment.refunded"), 2);
	assert_int_equal(remove_it(true, "T1"), FR_OK);
	assert_int_equal(out.state, AS_REFUNDED);
}

static void
a_message_under_way_is_waited_for_before_it_is_withdrawn(void **state)
{
	struct store_try t = { .message_id = "payment.approved.T1", .number = 1, .by = "c" };
	enum store_put how;

	(void)state;
	pay_order();
	courier_flow = flow;
	courier = settler_new(&courier_flow);
	t.at_ms = clock_wall_ms();
	assert_true(__real_store_try_claim(flow.store, &t, &how, clock_boot_ms() + 1000, NULL));
	assert_int_equal(refund("a", -1), FR_OK);
	assert_int_equal(hold_state_of("T1"), HOLD_APPROVED);
	assert_int_equal(open_items(), 2);
	for (int i = 0; i < 4; i++) {
		time_shift_ms += 10000;
		sweep();
	}
	assert_int_equal(hold_state_of("T1"), HOLD_REMOVED);
	assert_false(owes_approved());
	assert_int_equal(open_items(), 0);
}

static void
each_refusal_of_a_cancel_has_its_meaning(void **state)
{
	static const struct { enum provider_outcome answer; bool commits; enum flow_result result; bool again; } cases[] = {
		{ PO_NOT_SENT, false, FR_PROVIDER_UNREACHABLE, true }, { PO_NOT_EXECUTED, false, FR_PROVIDER_ERROR, true }, { PO_DECLINED, false, FR_REFUND_DECLINED, false },
		{ PO_UNKNOWN, true, FR_OK, false }, { PO_INQUIRE, true, FR_OK, false }, { PO_UNKNOWN, false, FR_REFUND_UNKNOWN, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		tear_down(state);
		assert_int_equal(set_up(state), 0);
		pay_order();
		kakao.answer = cases[i].answer;
		kakao.commits = cases[i].commits;
		assert_int_equal(refund("a", 1000), cases[i].result);
		assert_int_equal(out.charged, FC_TRUE);
		kakao.answer = PO_OK;
		kakao.commits = true;
		assert_int_equal(refund("b", 1000), cases[i].result == FR_REFUND_UNKNOWN ? FR_REFUND_IN_PROGRESS : FR_OK);
		assert_int_equal(refund("a", 1000), cases[i].again ? FR_OK : cases[i].result);
		assert_true(cases[i].again || cases[i].result == FR_REFUND_UNKNOWN || out.replayed);
	}
}

static void
a_refund_that_is_not_carried_out_is_tried_five_times_a_minute(void **state)
{
	size_t events, after;

	(void)state;
	pay_order();
	kakao.answer = PO_NOT_EXECUTED;
	kakao.commits = false;
	for (int i = 0; i < REFUND_FAILURES_PER_MIN; i++)
		assert_int_equal(refund("a", 1000), FR_PROVIDER_ERROR);
	last_kind(&events);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(refund(i % 2 == 0 ? "a" : "b", 1000), FR_TOO_MANY_REQUESTS);
		assert_in_range(out.retry_ms, 1, 60000);
	}
	last_kind(&after);
	assert_int_equal(after, events);
	assert_int_equal(kakao.cancels, REFUND_FAILURES_PER_MIN);
	for (int i = 0; i < 500 && after < ORDER_REFUNDS_MAX + 2 && out.retry_ms != FLOW_FULL_RETRY_MS; i++) {
		refund("a", 1000);
		last_kind(&after);
		time_shift_ms += 12000;
	}
	assert_in_range(after, ORDER_REFUNDS_MAX, ORDER_REFUNDS_MAX + 1);
	assert_int_equal(out.result, FR_TOO_MANY_REQUESTS);
	assert_int_equal(kakao.canceled[1], 0);
}

static void
an_unknown_refund_is_not_executed_only_by_two_readings(void **state)
{
	int readings = 0;

	(void)state;
	pay_order();
	courier_flow = flow;
	courier = settler_new(&courier_flow);
	kakao.answer = PO_UNKNOWN;
	kakao.commits = false;
	assert_int_equal(refund("a", 1000), FR_REFUND_UNKNOWN);
	kakao.answer = PO_OK;
	kakao.commits = true;
	for (int s = 0; s <= 130; s++) {	/* the request's deadline is 13 s away */
		sweep();
		assert_int_equal(refund("a", 1000), FR_REFUND_UNKNOWN);
		time_shift_ms += 1000;
	}
	readings = kakao.inquiries;
	for (int s = 0; s <= 60; s++) {
		sweep();
		time_shift_ms += 1000;
	}
	assert_true(readings > 3);
	assert_int_equal(last_kind(NULL), LK_REFUND_FAILED);
	assert_int_equal(state_of("T1").state, AS_APPROVED);
	assert_int_equal(open_items(), 1);
	assert_int_equal(refund("a", 1000), FR_OK);
	assert_int_equal(kakao.canceled[1], 1000);
}

static void
a_refund_that_the_ledger_does_not_know_of_stops_every_other(void **state)
{
	(void)state;
	pay_order();
	kakao.canceled[1] = 500;
	assert_int_equal(refund("a", 1000), FR_IN_REVIEW);
	assert_int_equal(refund("a", 1000), FR_IN_REVIEW);
	assert_int_equal(kakao.cancels, 0);
	assert_int_equal(state_of("T1").state, AS_REVIEW);
	assert_int_equal(remove_it(true, "T1"), FR_OK);		/* the reservation stands all the same */
	assert_true(out.removed);
}

static void
what_was_refunded_outside_is_written_down(void **state)
{
	for (int all = 0; all < 2; all++) {
		tear_down(state);
		assert_int_equal(set_up(state), 0);
		courier_flow = flow;
		courier = settler_new(&courier_flow);
		assert_int_equal(ready("order-1", 10), FR_OK);
		kakao.answer = PO_UNKNOWN;
		kakao.inquiry_silent = true;
		assert_int_equal(approve("tok"), FR_UNKNOWN);
		kakao.inquiry_silent = false;
		kakao.canceled[1] = all ? 2200 : 700;
		for (int s = 0; s < 60; s++) {
			time_shift_ms += 1000;
			sweep();
		}
		assert_int_equal(state_of("T1").state, all ? AS_REFUNDED : AS_PART_REFUNDED);
		assert_int_equal(state_of("T1").refunded.total, kakao.canceled[1]);
		assert_int_equal(messages("payment.refunded"), 2);
		assert_int_equal(owes_approved(), !all);
		assert_int_equal(hold_state_of("T1"), all ? HOLD_REMOVED : HOLD_APPROVED);
		assert_int_equal(open_items(), all ? 0 : 1);
	}
}

static void
what_cannot_be_booked_is_refunded_where_the_merchant_wants_it(void **state)
{
	struct store_try t = { .message_id = "payment.approved.T1", .number = 1, .at_ms = 1, .by = "c", .ended = true, .status = 409 };
	enum store_put how;

	for (int wants = 0; wants < 2; wants++) {
		tear_down(state);
		assert_int_equal(set_up(state), 0);
		conf.merchants[0].on_unbookable = wants ? UNBOOKABLE_REFUND : UNBOOKABLE_KEEP;
		conf.deadline_ms = 13000;
		courier_flow = flow;
		courier = settler_new(&courier_flow);
		pay_order();
		assert_true(__real_store_try_claim(flow.store, &t, &how, clock_boot_ms() + 1000, NULL));
		for (int s = 0; s < 30; s++) {
			time_shift_ms += 1000;
			sweep();
		}
		assert_true(has_event(LK_UNBOOKABLE));
		assert_int_equal(kakao.canceled[1], wants ? 2200 : 0);
		assert_int_equal(hold_state_of("T1"), wants ? HOLD_REMOVED : HOLD_APPROVED);
	}
}

static void
nothing_is_refunded_that_was_not_paid(void **state)
{
	static const char *const others[] = { "TCSUBSCRIP" };
	struct flow_call c = call();
	struct flow_refund_request rq = { .tid = "T1", .refund_id = "a", .asked = { -1, -1 }, .reason = "a reason" };

	(void)state;
	assert_int_equal(refund("a", -1), FR_NO_PAYMENT);
	assert_int_equal(ready("order-1", 10), FR_OK);
	assert_int_equal(refund("a", -1), FR_NO_PAYMENT);
	kakao.answer = PO_UNKNOWN;
	kakao.inquiry_silent = true;
	assert_int_equal(approve("tok"), FR_UNKNOWN);
	assert_int_equal(refund("a", -1), FR_IN_PROGRESS);
	kakao.inquiry_silent = false;
	assert_int_equal(approve("tok"), FR_OK);
	kakao.answer = PO_OK;
	flow_refund(&flow, &c, &rq, others, 1, &out);
	assert_int_equal(out.result, FR_NO_PAYMENT);
	flow.gate = FR_NOT_READY;
	assert_int_equal(refund("a", -1), FR_NOT_READY);
	assert_int_equal(kakao.cancels, 0);
}

/* ---- GET /orders */

static struct flow_order_answer orders;

static void
expect_order(const char *state, enum flow_charged charged, enum flow_next next, size_t n)
{
	struct flow_call c = call();

	flow_order_clear(&orders);
	flow_order(&flow, &c, "TC0ONETIME", "order-1", &orders);
	if (orders.result != FR_OK || strcmp(orders.state, state) != 0 || orders.charged != charged || orders.next != next || orders.n != n)
		fail_msg("wanted %s, found %s (result %d, charged %d, next %d, %zu attempts)", state, orders.state, (int)orders.result, (int)orders.charged,
		    (int)orders.next, orders.n);
}

static void
an_order_tells_what_became_of_it(void **state)
{
	struct flow_call c = call();

	(void)state;
	expect_order("none", FC_FALSE, FN_START_AGAIN, 0);
	assert_int_equal(ready("order-1", 10), FR_OK);
	expect_order("ready", FC_FALSE, FN_PAY, 1);
	assert_true(orders.attempts[0].expires_ms > clock_wall_ms());
	assert_string_equal(orders.attempts[0].user_id, "u-1");
	time_shift_ms += 600000;
	expect_order("expired", FC_FALSE, FN_PAY, 1);
	assert_int_equal(ready("order-1", 10), FR_OK);
	kakao.answer = PO_DECLINED;
	kakao.commits = false;
	assert_int_equal(approve("tok"), FR_DECLINED);
	expect_order("declined", FC_FALSE, FN_START_AGAIN, 1);
	assert_int_equal(ready("order-1", 10), FR_OK);
	expect_order("ready", FC_FALSE, FN_PAY, 2);
	kakao.answer = PO_UNKNOWN;
	kakao.commits = true;
	kakao.inquiry_silent = true;
	assert_int_equal(approve("tok2"), FR_UNKNOWN);
	expect_order("unknown", FC_UNKNOWN, FN_WAIT, 2);
	kakao.inquiry_silent = false;
	assert_int_equal(approve("tok2"), FR_OK);
	expect_order("approved", FC_TRUE, FN_NOTHING, 2);
	assert_string_equal(orders.attempts[1].tid, "T3");
	assert_int_equal(orders.attempts[1].approved_ms, 1700000030000);
	assert_int_equal(orders.attempts[0].charged, FC_FALSE);
	flow.gate = FR_QUEUE_UNAVAILABLE;	/* a capture in the ledger is one */
	expect_order("approved", FC_TRUE, FN_NOTHING, 2);
	flow.gate = FR_OK;
	restore_an_empty_backup();
	flow_order_clear(&orders);
	flow_order(&flow, &c, "TC0ONETIME", "order-1", &orders);
	assert_int_equal(orders.result, FR_STORE_UNAVAILABLE);
	assert_int_equal(orders.charged, FC_UNKNOWN);
	flow_order_clear(&orders);
	store_free(&lost);
}

static void
an_answer_begins_empty_whatever_stood_there(void **state)
{
	(void)state;
	memset(&out, 0xa5, sizeof(out));
	flow_answer_begin(&out);
	assert_int_equal(out.result, FR_INTERNAL);
	assert_int_equal(out.charged, FC_UNKNOWN);
	assert_int_equal(out.replayed, false);
	assert_int_equal(out.has_provider, false);
	assert_int_equal(out.removed, false);
	assert_int_equal(out.has_payment, false);
	assert_int_equal(out.retry_ms, 0);
	assert_int_equal(out.conflicts.n, 0);
	assert_int_equal(out.provider.http, 0);
	assert_int_equal(out.state, AS_NONE);
	assert_string_equal(out.tid, "");
	assert_string_equal(out.reservation_info, "");
	assert_string_equal(out.detail, "");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(an_answer_begins_empty_whatever_stood_there),
		T(a_payment_is_captured_stored_and_owed),
		T(the_same_call_gets_the_same_answer_also_after_the_removal),
		T(a_replay_needs_no_queue),
		T(a_replay_that_says_paid_has_stored_it_also_without_the_queue),
		T(a_paid_order_is_never_opened_again),
		T(an_order_that_only_the_ledger_knows_as_paid_is_not_opened),
		T(a_caller_of_another_cid_finds_nothing),
		T(gateway_gives_up_an_attempt_for_good),
		T(gateway_cannot_remove_what_is_paid),
		T(a_ready_that_fails_leaves_nothing),
		T(each_answer_of_kakaopay_has_its_meaning),
		T(after_an_unknown_end_no_refusal_proves_anything),
		T(an_unknown_end_is_tried_five_times_a_minute_and_keeps_one_work_item),
		T(an_attempt_has_a_last_send_and_an_order_a_last_attempt),
		T(a_refund_that_is_not_carried_out_is_tried_five_times_a_minute),
		T(polling_an_unknown_end_does_not_grow_the_chain),
		T(a_declined_attempt_stays_declined),
		T(a_token_of_another_order_is_refused_unsent),
		T(a_wrong_token_never_gets_the_right_ones_answer),
		T(a_database_older_than_the_queue_proves_nothing),
		T(an_order_that_is_perhaps_charged_gets_no_second_attempt),
		T(an_end_that_the_queue_did_not_hear_is_told_later),
		T(a_removal_that_the_queue_did_not_hear_leaves_its_work_item),
		T(another_queue_does_not_end_the_work_on_this_ones_hold),
		T(a_token_used_for_another_order_leaves_no_work),
		T(an_approve_under_way_hides_no_earlier_removal),
		T(a_hold_that_goes_before_its_removal_was_never_there),
		T(who_finds_its_number_taken_sends_nothing),
		T(a_grant_under_which_nothing_is_sent_is_given_back_at_once),
		T(a_ready_that_fails_after_the_old_one_was_approved_says_so),
		T(another_orders_hold_in_the_way_tells_nothing_of_this_one),
		T(a_double_click_that_waited_long_still_gets_the_answer),
		T(a_step_that_fails_once_loses_nothing),
		T(a_crash_at_any_step_loses_nothing),
		T(a_crash_at_any_step_of_an_unknown_one_loses_nothing),
		T(a_removal_that_breaks_off_is_finished_by_its_repeat),
		T(a_part_and_the_rest_are_refunded_once_each),
		T(a_full_refund_before_the_reservation_was_made_withdraws_it),
		T(a_payment_that_was_not_stored_is_before_its_hold_goes),
		T(what_the_reservation_service_has_taken_is_not_withdrawn),
		T(a_message_under_way_is_waited_for_before_it_is_withdrawn),
		T(each_refusal_of_a_cancel_has_its_meaning),
		T(an_unknown_refund_is_not_executed_only_by_two_readings),
		T(a_refund_that_the_ledger_does_not_know_of_stops_every_other),
		T(what_was_refunded_outside_is_written_down),
		T(what_cannot_be_booked_is_refunded_where_the_merchant_wants_it),
		T(nothing_is_refunded_that_was_not_paid),
		T(an_order_tells_what_became_of_it),
		T(at_every_step_every_other_call_may_come_in_between),
		T(steps_may_fail_at_the_same_time),
	};

	log_open("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
