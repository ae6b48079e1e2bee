/* What a caller who repeats a call for hours may grow: sends, ledger events, work items. */
#include "config.h"

#include "flow/answer.h"
#include "flow_world.h"

static void
polling_an_unknown_end_does_not_grow_the_chain(void **state)
{
	size_t before, after;

	(void)state;
	kakao.answer = PO_UNKNOWN;
	kakao.inquiry_silent = true;
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_UNKNOWN);
	before = ledger_length();
	for (int i = 0; i < 5; i++)
		assert_int_equal(approve("tok"), FR_UNKNOWN);
	after = ledger_length();
	assert_int_equal(before, after);
	assert_int_equal(kakao.approves, 1);
	assert_int_equal(pay_ready("order-1", 16), FR_IN_PROGRESS);
	assert_int_equal(gateway_removes(NULL), FR_IN_PROGRESS);
}

/* The user never finished at KakaoPay and the first answer was lost. Each repeat may inquire and
 * send. */
static void
an_unknown_end_is_tried_five_times_a_minute_and_keeps_one_work_item(void **state)
{
	size_t events, after;
	int inquiries;

	(void)state;
	kakao_answers(PO_UNKNOWN, NOT_TAKEN);
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_UNKNOWN);
	kakao.answer = PO_TOKEN_REFUSED;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(approve("tok"), FR_UNKNOWN);
		assert_int_equal(open_items(), 1);
	}
	assert_int_equal(kakao.approves, 5);
	/* one before each send but the first, one after that */
	assert_int_equal(kakao.inquiries, 5);
	events = ledger_length();
	inquiries = kakao.inquiries;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(approve(i % 2 == 0 ? "tok" : "other"), FR_UNKNOWN);
		assert_int_equal(out.charged, FC_UNKNOWN);
		assert_in_range(out.retry_ms, 1, 60000);
	}
	after = ledger_length();
	assert_int_equal(after, events);
	assert_int_equal(kakao.approves, 5);
	assert_int_equal(kakao.inquiries, inquiries);
	assert_int_equal(open_items(), 1);
	pass_ms(60000);
	kakao_answers(PO_OK, TAKEN);
	assert_int_equal(approve("tok"), FR_OK);
	assert_int_equal(kakao.captures, 1);
	assert_int_equal(open_items(), 1);
}

/* However patient the caller is. */
static void
an_attempt_has_a_last_send_and_an_order_a_last_attempt(void **state)
{
	struct flow_answer *a = &out;
	struct flow_order_answer order;
	struct flow_call c;
	size_t events = 0;
	int i = 0, full = 0;

	(void)state;
	kakao_answers(PO_UNKNOWN, NOT_TAKEN);
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_UNKNOWN);
	kakao.answer = PO_TOKEN_REFUSED;
	for (; passed_ms() < 800000; pass_ms(12000))
		assert_int_equal(approve("tok"), FR_UNKNOWN);
	assert_int_equal(kakao.approves, ORDER_SENDS_MAX);
	events = ledger_length();
	assert_int_equal(events, 2 * ORDER_SENDS_MAX);
	assert_int_equal(open_items(), 1);
	kakao.pending_as = PS_FAILED; /* it still inquires */
	assert_int_equal(approve("tok"), FR_DECLINED);
	for (kakao.readies = 1; a->result != FR_TOO_MANY_REQUESTS && i < 1000; i++) {
		kakao.readies = kakao.readies % 14 + 1; /* a new tid each time, never T1 */
		if (pay_ready("order-1", 10) != FR_OK)
			break;
		while (approve("wrong") == FR_TOKEN_REFUSED)
			pass_ms(12000);
		assert_int_equal(a->result, FR_TOO_MANY_REQUESTS);
		assert_true(a->charged == FC_ABSENT && a->retry_ms > 0);
		c = call();
		flow_order(&flow, &c, "TC0ONETIME", "order-1", &order);
		/* the limit of the tid, or of the minute */
		assert_int_equal(order.next, a->retry_ms > 60000 ? FN_START_AGAIN : FN_PAY);
		full += order.next == FN_START_AGAIN;
		flow_order_clear(&order);
		assert_int_equal(gateway_removes(NULL), FR_OK);
		a->result = FR_OK;
	}
	assert_int_equal(a->result, FR_TOO_MANY_REQUESTS);
	events = ledger_length();
	assert_in_range(events, ORDER_ATTEMPTS_MAX, ORDER_ATTEMPTS_MAX + 1);
	assert_int_equal(open_items(), 0);
	assert_true(full > 0);
}

static void
a_refund_that_is_not_carried_out_is_tried_five_times_a_minute(void **state)
{
	size_t events, after;

	(void)state;
	pay_order();
	kakao_answers(PO_NOT_EXECUTED, NOT_TAKEN);
	for (int i = 0; i < REFUND_FAILURES_PER_MIN; i++)
		assert_int_equal(refund("a", 1000), FR_PROVIDER_ERROR);
	events = ledger_length();
	for (int i = 0; i < 20; i++) {
		assert_int_equal(refund(i % 2 == 0 ? "a" : "b", 1000), FR_TOO_MANY_REQUESTS);
		assert_in_range(out.retry_ms, 1, 60000);
	}
	after = ledger_length();
	assert_int_equal(after, events);
	assert_int_equal(kakao.cancels, REFUND_FAILURES_PER_MIN);
	for (int i = 0;
	     i < 500 && after < ORDER_REFUNDS_MAX + 2 && out.retry_ms != FLOW_FULL_RETRY_MS; i++) {
		refund("a", 1000);
		after = ledger_length();
		pass_ms(12000);
	}
	assert_in_range(after, ORDER_REFUNDS_MAX, ORDER_REFUNDS_MAX + 1);
	assert_int_equal(out.result, FR_TOO_MANY_REQUESTS);
	assert_int_equal(kakao.canceled[1], 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(polling_an_unknown_end_does_not_grow_the_chain),
		TEST(an_unknown_end_is_tried_five_times_a_minute_and_keeps_one_work_item),
		TEST(an_attempt_has_a_last_send_and_an_order_a_last_attempt),
		TEST(a_refund_that_is_not_carried_out_is_tried_five_times_a_minute),
	};

	log_open("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
