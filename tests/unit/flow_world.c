#include "config.h"

#include "flow_world.h"

#include "flow/settle.h"

struct conf conf;
struct flow flow;
struct flow_answer out;
const char *const our_cids[1] = { "TC0ONETIME" }, *const other_cids[1] = { "TCSUBSCRIP" };

static struct flow courier_flow;
static struct settler *courier;
static struct store *lost; /* what a restore put away */

/* The store without steps. */
bool __real_store_ledger_put(struct store *s, const struct ledger_event *e, enum store_put *how,
    int64_t deadline_boot_ms, struct error *err);
bool __real_store_ledger_chain(struct store *s, const char *cid, const char *order,
    struct ledger_chain *to, int64_t deadline_boot_ms, struct error *err);
bool __real_store_try_claim(struct store *s, const struct store_try *t, enum store_put *how,
    int64_t deadline_boot_ms, struct error *err);

static int64_t
soon(void)
{
	return clock_boot_ms() + 1000;
}

static struct queue *
open_queue(int64_t guard_ms)
{
	const struct hold_limits limits = {
		.max_per_user = 3,
		.guard_ms = guard_ms,
		.window_ms = 900000,
		.max_tries_per_min = 5,
		.removed_answer_ms = 600000,
		.gone_memory_ms = 86400000,
		.order_memory_ms = 35LL * 86400000,
	};

	return queue_open_memory(&limits, clock_now);
}

/* Nothing is captured but under a grant, and after it was written down. */
static void
check_may_capture(const char *tid)
{
	enum ledger_kind kind = last_kind_of(kakao.order[atoi(tid + 1)]);

	if (hold_state_of(tid) != HOLD_APPROVING || kind != LK_APPROVING)
		fail_msg("%s is captured while its hold is %s and the ledger says %s", tid,
		    hold_state_name(hold_state_of(tid)), ledger_kind_name(kind));
}

/* Nothing is given back before it was written down. */
static void
check_may_refund(const char *tid)
{
	if (state_of(tid).state != AS_REFUND_UNKNOWN)
		fail_msg("%s is refunded while the ledger says %s", tid,
		    attempt_state_name(state_of(tid).state));
}

int
set_up(void **state)
{
	(void)state;
	steps_reset();
	kakao_reset();
	kakao.before_capture = check_may_capture;
	kakao.before_cancel = check_may_refund;
	memset(&conf, 0, sizeof(conf));
	conf.n_merchants = 1;
	strcpy(conf.merchants[0].cid, "TC0ONETIME");
	conf.merchants[0].hold_ttl_ms = 600000;
	if (!secret_set(&conf.replay_key, "an invented key of the tests"))
		return -1;
	flow = (struct flow){ &conf, open_queue(60000), steps_open_store(), &kakao_provider, "test",
		FR_OK };
	return flow.queue == NULL || flow.store == NULL ? -1 : 0;
}

int
tear_down(void **state)
{
	(void)state;
	settler_free(&courier);
	queue_free(&flow.queue);
	store_free(&flow.store);
	conf_clear(&conf);
	return 0;
}

void
start_over(void **state)
{
	tear_down(state);
	assert_int_equal(set_up(state), 0);
}

/* ---- the queries */

struct flow_call
call(void)
{
	return (struct flow_call){ "req-1", clock_boot_ms() + 13000, NULL };
}

enum flow_result
pay_ready_to(struct flow_answer *to, const char *user, const char *room, const char *order,
    int hour)
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
	snprintf(rq.attempt.reservation_info, sizeof(rq.attempt.reservation_info),
	    "{\"roomId\":\"%s\"}", room);
	snprintf(rq.fingerprint, sizeof(rq.fingerprint), "%s-%d", order, hour);
	assert_true(interval_make(1, hour * 60, hour * 60 + 120, &rq.set.iv[0]));
	rq.set.n = 1;
	flow_ready(&flow, &c, &rq, to);
	return to->result;
}

enum flow_result
pay_ready(const char *order, int hour)
{
	return pay_ready_to(&out, "u-1", ROOM_A, order, hour);
}

enum flow_result
approve_to(struct flow_answer *to, const char *token)
{
	struct flow_call c = call();

	flow_approve(&flow, &c, "u-1", ROOM_A, token, our_cids, 1, to);
	return to->result;
}

enum flow_result
approve(const char *token)
{
	return approve_to(&out, token);
}

enum flow_result
remove_to(struct flow_answer *to, bool by_reservation, const char *tid)
{
	struct flow_call c = call();

	flow_remove(&flow, &c, by_reservation, "u-1", ROOM_A, tid, our_cids, 1, to);
	return to->result;
}

enum flow_result
reservation_removes(const char *tid)
{
	return remove_to(&out, true, tid);
}

enum flow_result
gateway_removes(const char *tid)
{
	return remove_to(&out, false, tid);
}

enum flow_result
refund_to(struct flow_answer *to, const char *refund_id, int64_t amount)
{
	struct flow_call c = call();
	struct flow_refund_request rq = {
		.tid = "T1",
		.asked = { amount, -1 },
		.reason = "a reason",
	};

	snprintf(rq.refund_id, sizeof(rq.refund_id), "%s", refund_id);
	flow_refund(&flow, &c, &rq, our_cids, 1, to);
	return to->result;
}

enum flow_result
refund(const char *refund_id, int64_t amount)
{
	return refund_to(&out, refund_id, amount);
}

void
pay_order(void)
{
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_OK);
}

int
steps_of_approve(void)
{
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	steps_begin();
	approve("tok");
	return steps_count();
}

/* ---- the courier */

void
start_courier(void)
{
	settler_free(&courier);
	courier_flow = flow;
	courier_flow.program = "courier";
	courier = settler_new(&courier_flow);
}

void
courier_sweeps(void)
{
	struct error err;

	if (!settler_sweep(courier, NULL, NULL, &err))
		fail_msg("%s", err.msg);
}

void
courier_tries(void)
{
	struct error err;

	(void)settler_sweep(courier, NULL, NULL, &err);
}

void
courier_goes_on(int times, int64_t apart_ms)
{
	for (int i = 0; i < times; i++) {
		pass_ms(apart_ms);
		courier_sweeps();
	}
}

/* ---- what stands where */

enum hold_state
hold_state_of(const char *tid)
{
	static struct queue_answer qa;
	struct error err;

	error_clear(&err);
	assert_true(queue_find_tid(flow.queue, tid, soon(), &qa, &err));
	return qa.code == HA_OK ? qa.hold.state : HOLD__MAX;
}

size_t
messages(const char *type)
{
	struct store_message *m = NULL;
	size_t n = 0, found = 0;
	struct error err;

	error_clear(&err);
	assert_true(store_outbox_list(flow.store, 100, &m, &n, soon(), &err));
	for (size_t i = 0; i < n; i++) {
		found += strcmp(m[i].type, type) == 0;
		store_message_clear(&m[i]);
	}
	free(m);
	return found;
}

bool
owes_approved(void)
{
	struct store_try *tries = NULL;
	bool withdrawn;
	size_t n = 0;

	assert_true(store_try_list(flow.store, "payment.approved.T1", &tries, &n, soon(), NULL));
	withdrawn = n > 0 && tries[n - 1].withdrawn;
	free(tries);
	return messages("payment.approved") == 1 && !withdrawn;
}

bool
is_stored(const char *tid)
{
	struct payment p;
	struct error err;
	bool found = false;

	error_clear(&err);
	assert_true(store_payment_get(flow.store, tid, &p, &found, soon(), &err));
	return found;
}

size_t
open_items(void)
{
	struct store_work *o = NULL;
	struct error err;
	size_t n = 0;

	error_clear(&err);
	assert_true(store_work_list(flow.store, 100, &o, &n, soon(), &err));
	free(o);
	return n;
}

static struct ledger_chain
chain_of(const char *order)
{
	struct ledger_chain chain = { 0 };
	struct error err;

	error_clear(&err);
	assert_true(
	    __real_store_ledger_chain(flow.store, "TC0ONETIME", order, &chain, soon(), &err));
	return chain;
}

enum ledger_kind
last_kind_of(const char *order)
{
	struct ledger_chain chain = chain_of(order);
	enum ledger_kind kind = chain.n > 0 ? chain.ev[chain.n - 1].kind : LK__MAX;

	ledger_chain_clear(&chain);
	return kind;
}

enum ledger_kind
last_kind(void)
{
	return last_kind_of("order-1");
}

size_t
ledger_length(void)
{
	struct ledger_chain chain = chain_of("order-1");
	size_t n = chain.n;

	ledger_chain_clear(&chain);
	return n;
}

bool
has_event(enum ledger_kind kind)
{
	struct ledger_chain chain = chain_of("order-1");
	bool has = false;

	for (size_t i = 0; i < chain.n; i++)
		has = has || chain.ev[i].kind == kind;
	ledger_chain_clear(&chain);
	return has;
}

struct order_state
state_of(const char *tid)
{
	struct ledger_chain chain = chain_of("order-1");
	struct order_state st;

	assert_true(order_state(&chain, tid, &st, NULL));
	ledger_chain_clear(&chain);
	return st;
}

/* ---- what others do to it */

void
write_event(struct ledger_event e)
{
	enum store_put how;

	assert_true(__real_store_ledger_put(flow.store, &e, &how, soon(), NULL));
}

void
webhook_was_tried(struct store_try t)
{
	enum store_put how;

	assert_true(__real_store_try_claim(flow.store, &t, &how, soon(), NULL));
}

void
restore_an_empty_backup(void)
{
	lost = flow.store;
	flow.store = steps_open_store();
	assert_non_null(flow.store);
}

void
drop_the_lost_database(void)
{
	store_free(&lost);
}

void
queue_forgets_everything(void)
{
	queue_free(&flow.queue);
	flow.queue = open_queue(0);
	assert_non_null(flow.queue);
}
