/* What the courier finishes: refunds without an outcome, refunds made elsewhere, and payments that
 * cannot be booked. */
#include "config.h"

#include "flow_world.h"

static void
a_message_under_way_is_waited_for_before_it_is_withdrawn(void **state)
{
	struct store_try t = { .message_id = "payment.approved.T1", .number = 1, .by = "c" };

	(void)state;
	pay_order();
	start_courier();
	t.at_ms = clock_wall_ms();
	webhook_was_tried(t);
	assert_int_equal(refund("a", -1), FR_OK);
	assert_int_equal(hold_state_of("T1"), HOLD_APPROVED);
	assert_int_equal(open_items(), 2);
	courier_goes_on(4, 10000);
	assert_int_equal(hold_state_of("T1"), HOLD_REMOVED);
	assert_false(owes_approved());
	assert_int_equal(open_items(), 0);
}

static void
an_unknown_refund_is_not_executed_only_by_two_readings(void **state)
{
	int readings = 0;

	(void)state;
	pay_order();
	start_courier();
	kakao_answers(PO_UNKNOWN, NOT_TAKEN);
	assert_int_equal(refund("a", 1000), FR_REFUND_UNKNOWN);
	kakao_answers(PO_OK, TAKEN);
	for (int s = 0; s <= 130; s++) { /* the request's deadline is 13 s away */
		courier_sweeps();
		assert_int_equal(refund("a", 1000), FR_REFUND_UNKNOWN);
		pass_ms(1000);
	}
	readings = kakao.inquiries;
	for (int s = 0; s <= 60; s++) {
		courier_sweeps();
		pass_ms(1000);
	}
	assert_true(readings > 3);
	assert_int_equal(last_kind(), LK_REFUND_FAILED);
	assert_int_equal(state_of("T1").state, AS_APPROVED);
	assert_int_equal(open_items(), 1);
	assert_int_equal(refund("a", 1000), FR_OK);
	assert_int_equal(kakao.canceled[1], 1000);
}

static void
what_was_refunded_outside_is_written_down(void **state)
{
	for (int all = 0; all < 2; all++) {
		start_over(state);
		start_courier();
		assert_int_equal(pay_ready("order-1", 10), FR_OK);
		kakao.answer = PO_UNKNOWN;
		kakao.inquiry_silent = true;
		assert_int_equal(approve("tok"), FR_UNKNOWN);
		kakao.inquiry_silent = false;
		kakao.canceled[1] = all ? 2200 : 700;
		courier_goes_on(60, 1000);
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
	struct store_try t = {
		.message_id = "payment.approved.T1",
		.number = 1,
		.at_ms = 1,
		.by = "c",
		.ended = true,
		.status = 409,
	};

	for (int wants = 0; wants < 2; wants++) {
		start_over(state);
		conf.merchants[0].on_unbookable = wants ? UNBOOKABLE_REFUND : UNBOOKABLE_KEEP;
		conf.deadline_ms = 13000;
		start_courier();
		pay_order();
		webhook_was_tried(t);
		courier_goes_on(30, 1000);
		assert_true(has_event(LK_UNBOOKABLE));
		assert_int_equal(kakao.canceled[1], wants ? 2200 : 0);
		assert_int_equal(hold_state_of("T1"), wants ? HOLD_REMOVED : HOLD_APPROVED);
	}
}

/* Its writer died before `approving`, and the queue has forgotten the hold: no attempt is known. */
static void
an_item_that_nobody_else_knows_of_is_abandoned_and_goes(void **state)
{
	struct store_work item = { .of = { .cid = "TC0ONETIME", .order = "order-9", .tid = "T9" },
		.n = 1,
		.at_ms = clock_wall_ms(),
		.deadline_ms = clock_wall_ms(),
		.hold_id = 99 };
	struct error err;

	(void)state;
	start_courier();
	assert_true(store_work_put(flow.store, &item, clock_boot_ms() + 1000, &err));
	courier_goes_on(4, 10000);
	assert_int_equal(last_kind_of("order-9"), LK_ABANDONED);
	assert_int_equal(open_items(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_under_way_is_waited_for_before_it_is_withdrawn),
		TEST(an_unknown_refund_is_not_executed_only_by_two_readings),
		TEST(what_was_refunded_outside_is_written_down),
		TEST(what_cannot_be_booked_is_refunded_where_the_merchant_wants_it),
		TEST(an_item_that_nobody_else_knows_of_is_abandoned_and_goes),
	};

	log_open("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
