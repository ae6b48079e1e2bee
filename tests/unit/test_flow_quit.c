/* A user who gave up on KakaoPay's page, found by GET /orders: the room is free, nobody is charged,
 * and an approve at the same time wins or is refused. */
#include "config.h"

#include "flow_world.h"

static struct flow_order_answer orders;

static void
expect_order(const char *state, enum flow_charged charged, enum flow_next next, size_t n)
{
	struct flow_call c = call();

	flow_order_clear(&orders);
	flow_order(&flow, &c, "TC0ONETIME", "order-1", &orders);
	if (orders.result != FR_OK || strcmp(orders.state, state) != 0 ||
	    orders.charged != charged || orders.next != next || orders.n != n)
		fail_msg("wanted %s, found %s (result %d, charged %d, next %d, %zu attempts)",
		    state, orders.state, (int)orders.result, (int)orders.charged, (int)orders.next,
		    orders.n);
}

static void
who_gave_up_frees_the_room_and_pays_nothing(void **state)
{
	struct flow_answer other;

	(void)state;
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	kakao.pending_as = PS_FAILED;
	expect_order("removed", FC_FALSE, FN_START_AGAIN, 1);
	assert_int_equal(kakao.inquiries, 1);
	expect_order("removed", FC_FALSE, FN_START_AGAIN, 1);
	assert_int_equal(kakao.inquiries, 1);
	assert_int_equal(pay_ready_to(&other, "u-2", ROOM_A, "order-2", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_EXPIRED);
	assert_int_equal(out.charged, FC_FALSE);
	assert_int_equal(kakao.approves, 0);
	flow_order_clear(&orders);
}

static void
whoever_is_still_paying_is_left_alone(void **state)
{
	static const enum provider_status says[] = { PS_PENDING, PS_STRANGE, PS_PAID,
		PS_ISSUED_SID };

	(void)state;
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	for (size_t i = 0; i < sizeof(says) / sizeof(says[0]); i++) {
		kakao.pending_as = says[i];
		for (int n = 0; n < 10; n++) /* asked once a minute */
			expect_order("ready", FC_FALSE, FN_PAY, 1);
		assert_int_equal(kakao.inquiries, i + 1);
		pass_ms(59000);
		expect_order("ready", FC_FALSE, FN_PAY, 1);
		assert_int_equal(kakao.inquiries, i + 1);
		pass_ms(1001);
	}
	kakao.inquiry_silent = true;
	expect_order("ready", FC_FALSE, FN_PAY, 1);
	assert_int_equal(kakao.inquiries, 5);
	kakao.inquiry_silent = false;
	flow.provider = NULL; /* a program that only looks */
	pass_ms(60001);
	expect_order("ready", FC_FALSE, FN_PAY, 1);
	flow.provider = &kakao_provider;
	kakao.pending_as = PS_PENDING;
	assert_int_equal(approve("tok"), FR_OK);
	assert_int_equal(kakao.inquiries, 5);
	flow_order_clear(&orders);
}

static void
why_an_attempt_ended_stands_in_the_ledger_that_knows_it(void **state)
{
	(void)state;
	kakao.checks_token = true;
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	assert_int_equal(approve("wrong"), FR_TOKEN_REFUSED);
	kakao.pending_as = PS_FAILED;
	expect_order("removed", FC_FALSE, FN_START_AGAIN, 1);
	assert_int_equal(ledger_length(), 3); /* approving, refused, note */
	assert_int_equal(last_kind(), LK_NOTE);
	assert_int_equal(approve("T1"), FR_EXPIRED);
	assert_int_equal(kakao.captures, 0);
	kakao.pending_as = PS_PENDING;
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	assert_int_equal(approve("T2"), FR_OK);
	flow_order_clear(&orders);
}

static struct flow_answer meanwhile;

static void
approve_meanwhile(void)
{
	approve_to(&meanwhile, "tok");
}

static void
ask_for_the_order(void)
{
	struct flow_call c = call();

	flow_order_clear(&orders);
	flow_order(&flow, &c, "TC0ONETIME", "order-1", &orders);
}

/* Either the approve was first, and all of it happened; or the user had given up, and nothing did.
 */
static void
check_one_of_them_won(enum flow_result approved)
{
	no_intruder();
	assert_int_equal(kakao.captures, approved == FR_OK);
	if (approved == FR_OK)
		expect_order("approved", FC_TRUE, FN_NOTHING, 1);
	else
		expect_order("removed", FC_FALSE, FN_START_AGAIN, 1);
	if (approved != FR_OK)
		assert_int_equal(approved, FR_EXPIRED);
	assert_int_equal(hold_state_of("T1"), approved == FR_OK ? HOLD_APPROVED : HOLD_REMOVED);
}

static void
an_approve_that_comes_in_between_wins_or_is_refused(void **state)
{
	int won = 0, lost = 0;
	bool more = true;

	for (int at = 1; more; at++) { /* an approve inside of GET /orders */
		start_over(state);
		assert_int_equal(pay_ready("order-1", 10), FR_OK);
		kakao.pending_as = PS_FAILED;
		at_step(at, approve_meanwhile);
		ask_for_the_order();
		more = steps_count() >= at;
		if (!more)
			approve_meanwhile();
		check_one_of_them_won(meanwhile.result);
		won += meanwhile.result == FR_OK;
		lost += meanwhile.result != FR_OK;
	}
	assert_true(won > 0 && lost > 0);
	won = lost = 0;
	more = true;
	for (int at = 1; more; at++) { /* GET /orders inside of an approve */
		start_over(state);
		assert_int_equal(pay_ready("order-1", 10), FR_OK);
		kakao.pending_as = PS_FAILED;
		at_step(at, ask_for_the_order);
		approve("tok");
		more = steps_count() >= at;
		check_one_of_them_won(out.result);
		won += out.result == FR_OK;
		lost += out.result != FR_OK;
	}
	assert_true(won > 0 && lost > 0);
	flow_order_clear(&orders);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_gave_up_frees_the_room_and_pays_nothing),
		TEST(whoever_is_still_paying_is_left_alone),
		TEST(why_an_attempt_ended_stands_in_the_ledger_that_knows_it),
		TEST(an_approve_that_comes_in_between_wins_or_is_refused),
	};

	log_open("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
