/* payReady: what may be opened, and what a ready call that fails leaves behind. */
#include "config.h"

#include "flow_world.h"

static struct flow_answer other;

static void
a_paid_order_is_never_opened_again(void **state)
{
	(void)state;
	pay_order();
	assert_int_equal(pay_ready("order-1", 16), FR_ORDER_PAID);
	assert_int_equal(out.charged, FC_TRUE);
	assert_int_equal(kakao.readies, 1);
}

static void
an_order_that_only_the_ledger_knows_as_paid_is_not_opened(void **state)
{
	(void)state;
	pay_order();
	queue_forgets_everything();
	assert_int_equal(pay_ready("order-1", 16), FR_ORDER_PAID);
	assert_int_equal(out.charged, FC_TRUE);
	assert_int_equal(kakao.readies, 1);
}

static void
a_ready_that_fails_leaves_nothing(void **state)
{
	(void)state;
	kakao.ready_answer = PO_UNKNOWN;
	assert_int_equal(pay_ready("order-1", 10), FR_PROVIDER_ERROR);
	assert_int_equal(out.charged, FC_FALSE);
	kakao.ready_answer = PO_NOT_SENT;
	assert_int_equal(pay_ready("order-1", 10), FR_PROVIDER_UNREACHABLE);
	kakao.ready_answer = PO_OK;
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	assert_false(out.replayed);
}

static void
approve_the_old_one(void)
{
	assert_int_equal(approve_to(&other, "tok"), FR_OK);
}

static void
a_ready_that_fails_after_the_old_one_was_approved_says_so(void **state)
{
	static const enum provider_outcome ends[] = { PO_NOT_SENT, PO_UNKNOWN, PO_OK };

	for (size_t i = 0; i < 3; i++) {
		start_over(state);
		assert_int_equal(pay_ready("order-1", 10), FR_OK);
		kakao.ready_answer = ends[i];
		/* queue_hold, store_ledger_chain twice, KakaoPay */
		at_step(4, approve_the_old_one);
		pay_ready("order-1", 12);
		assert_int_equal(out.result,
		    ends[i] == PO_OK		 ? FR_IN_PROGRESS
			: ends[i] == PO_NOT_SENT ? FR_PROVIDER_UNREACHABLE
						 : FR_PROVIDER_ERROR);
		assert_int_equal(out.charged, FC_TRUE);
		assert_int_equal(hold_state_of("T1"), HOLD_APPROVED);
		assert_int_equal(kakao.captures, 1);
	}
}

static void
open_the_unknown_order_where_another_is_being_opened(void)
{
	assert_int_equal(pay_ready_to(&other, "u-1", ROOM_B, "order-1", 10), FR_IN_PROGRESS);
	assert_int_equal(other.charged, FC_UNKNOWN);
}

static void
another_orders_hold_in_the_way_tells_nothing_of_this_one(void **state)
{
	(void)state;
	kakao.answer = PO_UNKNOWN;
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	kakao.inquiry_silent = true;
	assert_int_equal(approve("tok"), FR_UNKNOWN); /* captured, in truth */
	at_step(4, open_the_unknown_order_where_another_is_being_opened);
	assert_int_equal(pay_ready_to(&out, "u-1", ROOM_B, "order-2", 10), FR_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_paid_order_is_never_opened_again),
		TEST(an_order_that_only_the_ledger_knows_as_paid_is_not_opened),
		TEST(a_ready_that_fails_leaves_nothing),
		TEST(a_ready_that_fails_after_the_old_one_was_approved_says_so),
		TEST(another_orders_hold_in_the_way_tells_nothing_of_this_one),
	};

	log_open("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
