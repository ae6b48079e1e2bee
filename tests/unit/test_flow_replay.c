/* The same approvePayment again: it gets the same answer, from whatever still stands. */
#include "config.h"

#include "flow/answer.h"
#include "flow_world.h"

static struct flow_answer other;

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

static void
the_same_call_gets_the_same_answer_also_after_the_removal(void **state)
{
	struct payment first;

	(void)state;
	pay_order();
	first = out.payment;
	assert_int_equal(approve("tok"), FR_OK);
	assert_true(out.replayed);
	assert_memory_equal(&out.payment, &first, sizeof(first));
	assert_int_equal(reservation_removes("T1"), FR_OK);
	assert_true(out.removed);
	assert_int_equal(open_items(), 0);
	assert_int_equal(messages("queue.removed"), 1);
	assert_int_equal(hold_state_of("T1"), HOLD_REMOVED);
	assert_int_equal(approve("tok"), FR_OK);
	assert_true(out.replayed);
	assert_int_equal(approve("another"), FR_ORDER_PAID);
	assert_int_equal(out.charged, FC_TRUE);
	assert_int_equal(reservation_removes("T1"), FR_OK);
	assert_true(out.removed && out.replayed);
	assert_int_equal(kakao.approves, 1);
}

static void
a_replay_needs_no_queue(void **state)
{
	(void)state;
	pay_order();
	flow.gate = FR_QUEUE_UNAVAILABLE;
	assert_int_equal(approve("tok"), FR_OK);
	assert_true(out.replayed);
	assert_int_equal(approve("other"), FR_QUEUE_UNAVAILABLE);
	assert_int_equal(out.charged, FC_UNKNOWN);
	assert_int_equal(pay_ready("order-2", 14), FR_QUEUE_UNAVAILABLE);
}

static void
a_replay_that_says_paid_has_stored_it_also_without_the_queue(void **state)
{
	int paid = 0, steps = steps_of_approve();

	for (int from = 1; from <= steps; from++) {
		start_over(state);
		store_memory_keeps(flow.store);
		assert_int_equal(pay_ready("order-1", 10), FR_OK);
		fail_steps(from, FROM_THEN_ON);
		approve("tok");
		fail_no_more();
		flow.gate = FR_QUEUE_UNAVAILABLE;
		if (approve("tok") != FR_OK)
			continue;
		paid++;
		assert_true(is_stored("T1"));
		assert_int_equal(messages("payment.approved"), 1);
	}
	assert_true(paid > 2);
}

static void
approve_meanwhile_until_late(void)
{
	assert_int_equal(approve_to(&other, "tok"), FR_OK);
	pass_ms(11500);
}

static void
a_double_click_that_waited_long_still_gets_the_answer(void **state)
{
	(void)state;
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	at_step(1, approve_meanwhile_until_late); /* before queue_approve_first */
	assert_int_equal(approve("tok"), FR_OK);
	assert_true(out.replayed);
	assert_int_equal(kakao.approves, 1);
}

/* What a fresh hold leaves out is not left out where it would have told something. */
static void
an_old_call_gets_its_answer_where_a_fresh_hold_waits(void **state)
{
	(void)state;
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_OK);
	assert_int_equal(reservation_removes("T1"), FR_OK);
	assert_int_equal(pay_ready("order-2", 12), FR_OK);
	assert_int_equal(approve("tok"), FR_OK);
	assert_true(out.replayed);
	assert_string_equal(out.tid, "T1");
	assert_int_equal(kakao.approves, 1);
	assert_int_equal(hold_state_of("T2"), HOLD_READY);
	assert_int_equal(approve("tok2"), FR_OK);
	assert_false(out.replayed);
	assert_string_equal(out.tid, "T2");
	assert_int_equal(kakao.captures, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_begins_empty_whatever_stood_there),
		TEST(the_same_call_gets_the_same_answer_also_after_the_removal),
		TEST(a_replay_needs_no_queue),
		TEST(a_replay_that_says_paid_has_stored_it_also_without_the_queue),
		TEST(a_double_click_that_waited_long_still_gets_the_answer),
		TEST(an_old_call_gets_its_answer_where_a_fresh_hold_waits),
	};

	log_open("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
