/* cancelPayment: how much goes back, how often, and what becomes of the reservation. */
#include "config.h"

#include "flow_world.h"

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
	assert_int_equal(out.refund.left, 1200); /* as it was said then */
	assert_int_equal(refund("c", -1), FR_REFUND_EXCEEDS);
	assert_int_equal(kakao.cancels, 2);
	assert_int_equal(messages("payment.refunded"), 4);
	assert_int_equal(approve("tok"), FR_OK); /* the same call gets the same answer for ever */
	assert_int_equal(pay_ready("order-1", 16), FR_ORDER_PAID);
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
	assert_int_equal(reservation_removes("T1"), FR_OK);
	assert_true(out.removed && out.replayed);
	assert_int_equal(out.state, AS_REFUNDED);
	pass_ms(61000); /* the sold guard */
	assert_int_equal(pay_ready_to(&out, "u-2", ROOM_A, "order-2", 10), FR_OK);
}

/* The approve broke off anywhere, and the server kept what it had. The refund frees the hold, and
 * then nobody looks at it again. */
static void
a_payment_that_was_not_stored_is_before_its_hold_goes(void **state)
{
	int refunded = 0;

	for (int from = 1; from <= 20; from++) {
		start_over(state);
		store_memory_keeps(flow.store);
		assert_int_equal(pay_ready("order-1", 10), FR_OK);
		fail_steps(from, FROM_THEN_ON);
		approve("tok");
		fail_no_more();
		if (!has_event(LK_APPROVED) || refund("a", -1) != FR_OK)
			continue;
		refunded++;
		assert_true(is_stored("T1"));
		assert_false(owes_approved());
		assert_int_equal(hold_state_of("T1"), HOLD_REMOVED);
		assert_int_equal(open_items(), 0);
	}
	assert_true(refunded > 2);
}

static void
what_the_reservation_service_has_taken_is_not_withdrawn(void **state)
{
	struct store_try t = {
		.message_id = "payment.approved.T1",
		.number = 1,
		.at_ms = 1,
		.by = "c",
		.ended = true,
		.acknowledged = true,
		.status = 200,
	};

	(void)state;
	pay_order();
	webhook_was_tried(t);
	assert_int_equal(refund("a", -1), FR_OK);
	/* it calls removePaymentInQueue, as ever */
	assert_int_equal(hold_state_of("T1"), HOLD_APPROVED);
	assert_int_equal(messages("queue.removed"), 0);
	assert_int_equal(messages("payment.refunded"), 2);
	assert_int_equal(reservation_removes("T1"), FR_OK);
	assert_int_equal(out.state, AS_REFUNDED);
}

static void
each_refusal_of_a_cancel_has_its_meaning(void **state)
{
	static const struct {
		enum provider_outcome answer;
		bool commits;
		enum flow_result result;
		bool again; /* the same refundId may try again */
	} cases[] = {
		{ PO_NOT_SENT, NOT_TAKEN, FR_PROVIDER_UNREACHABLE, true },
		{ PO_NOT_EXECUTED, NOT_TAKEN, FR_PROVIDER_ERROR, true },
		{ PO_DECLINED, NOT_TAKEN, FR_REFUND_DECLINED, false },
		{ PO_UNKNOWN, TAKEN, FR_OK, false },
		{ PO_INQUIRE, TAKEN, FR_OK, false },
		{ PO_UNKNOWN, NOT_TAKEN, FR_REFUND_UNKNOWN, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		start_over(state);
		pay_order();
		kakao_answers(cases[i].answer, cases[i].commits);
		assert_int_equal(refund("a", 1000), cases[i].result);
		assert_int_equal(out.charged, FC_TRUE);
		kakao_answers(PO_OK, TAKEN);
		assert_int_equal(refund("b", 1000),
		    cases[i].result == FR_REFUND_UNKNOWN ? FR_REFUND_IN_PROGRESS : FR_OK);
		assert_int_equal(refund("a", 1000), cases[i].again ? FR_OK : cases[i].result);
		assert_true(cases[i].again || cases[i].result == FR_REFUND_UNKNOWN || out.replayed);
	}
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
	/* the reservation stands all the same */
	assert_int_equal(reservation_removes("T1"), FR_OK);
	assert_true(out.removed);
}

static void
nothing_is_refunded_that_was_not_paid(void **state)
{
	struct flow_call c = call();
	struct flow_refund_request rq = {
		.tid = "T1",
		.refund_id = "a",
		.asked = { -1, -1 },
		.reason = "a reason",
	};

	(void)state;
	assert_int_equal(refund("a", -1), FR_NO_PAYMENT);
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	assert_int_equal(refund("a", -1), FR_NO_PAYMENT);
	kakao.answer = PO_UNKNOWN;
	kakao.inquiry_silent = true;
	assert_int_equal(approve("tok"), FR_UNKNOWN);
	assert_int_equal(refund("a", -1), FR_IN_PROGRESS);
	kakao.inquiry_silent = false;
	assert_int_equal(approve("tok"), FR_OK);
	kakao.answer = PO_OK;
	flow_refund(&flow, &c, &rq, other_cids, 1, &out);
	assert_int_equal(out.result, FR_NO_PAYMENT);
	flow.gate = FR_NOT_READY;
	assert_int_equal(refund("a", -1), FR_NOT_READY);
	assert_int_equal(kakao.cancels, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_part_and_the_rest_are_refunded_once_each),
		TEST(a_full_refund_before_the_reservation_was_made_withdraws_it),
		TEST(a_payment_that_was_not_stored_is_before_its_hold_goes),
		TEST(what_the_reservation_service_has_taken_is_not_withdrawn),
		TEST(each_refusal_of_a_cancel_has_its_meaning),
		TEST(a_refund_that_the_ledger_does_not_know_of_stops_every_other),
		TEST(nothing_is_refunded_that_was_not_paid),
	};

	log_open("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
