/* GET /orders: the state of an order as its caller sees it. */
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
an_order_tells_what_became_of_it(void **state)
{
	struct flow_call c = call();

	(void)state;
	expect_order("none", FC_FALSE, FN_START_AGAIN, 0);
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	expect_order("ready", FC_FALSE, FN_PAY, 1);
	assert_true(orders.attempts[0].expires_ms > clock_wall_ms());
	assert_string_equal(orders.attempts[0].user_id, "u-1");
	pass_ms(600000);
	expect_order("expired", FC_FALSE, FN_PAY, 1);
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	kakao_answers(PO_DECLINED, NOT_TAKEN);
	assert_int_equal(approve("tok"), FR_DECLINED);
	expect_order("declined", FC_FALSE, FN_START_AGAIN, 1);
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	expect_order("ready", FC_FALSE, FN_PAY, 2);
	kakao_answers(PO_UNKNOWN, TAKEN);
	kakao.inquiry_silent = true;
	assert_int_equal(approve("tok2"), FR_UNKNOWN);
	expect_order("unknown", FC_UNKNOWN, FN_WAIT, 2);
	kakao.inquiry_silent = false;
	assert_int_equal(approve("tok2"), FR_OK);
	expect_order("approved", FC_TRUE, FN_NOTHING, 2);
	assert_string_equal(orders.attempts[1].tid, "T3");
	assert_int_equal(orders.attempts[1].approved_ms, 1700000030000);
	assert_int_equal(orders.attempts[0].charged, FC_FALSE);
	flow.gate = FR_QUEUE_UNAVAILABLE; /* a capture in the ledger is one */
	expect_order("approved", FC_TRUE, FN_NOTHING, 2);
	flow.gate = FR_OK;
	restore_an_empty_backup();
	flow_order_clear(&orders);
	flow_order(&flow, &c, "TC0ONETIME", "order-1", &orders);
	assert_int_equal(orders.result, FR_STORE_UNAVAILABLE);
	assert_int_equal(orders.charged, FC_UNKNOWN);
	flow_order_clear(&orders);
	drop_the_lost_database();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_order_tells_what_became_of_it),
	};

	log_open("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
