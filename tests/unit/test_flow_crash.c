/* A crash at any step, and a queue and a ledger that tell different things: nothing is lost, and
 * nothing is said that is not known. */
#include "config.h"

#include "flow_world.h"

/* What the store had not yet promised is lost with the crash, or it stays. */
static void
try_steps(void **state, int count, bool commits, enum provider_outcome answer, bool keeps)
{
	int steps;

	start_over(state);
	steps = steps_of_approve();
	assert_true(steps >= 9);
	for (int from = 1; from <= steps; from++) {
		start_over(state);
		if (keeps)
			store_memory_keeps(flow.store);
		kakao_answers(answer, commits);
		assert_int_equal(pay_ready("order-1", 10), FR_OK);
		fail_steps(from, count);
		approve("tok");
		fail_no_more();
		if (out.charged == FC_TRUE)
			assert_int_equal(kakao.captures, 1);
		if (out.charged == FC_FALSE)
			assert_int_equal(kakao.captures, 0);
		/* all is well again and the call's deadline is over: the caller repeats it */
		pass_ms(20000);
		kakao_answers(PO_OK, TAKEN);
		for (int i = 0; i < 3 && approve("tok") != FR_OK; i++)
			pass_ms(20000);
		if (out.result != FR_OK || kakao.captures != 1 || !is_stored("T1") ||
		    hold_state_of("T1") != HOLD_APPROVED)
			fail_msg(
			    "step %d of %d fails: result %d (%s), %d captures, stored %d, hold %s",
			    from, steps, (int)out.result, out.detail, kakao.captures,
			    is_stored("T1"), hold_state_name(hold_state_of("T1")));
		assert_int_equal(out.charged, FC_TRUE);
		assert_int_equal(messages("payment.approved"), 1);
		if (has_event(LK_UNKNOWN))
			assert_int_equal(messages("payment.resolved"), 1);
	}
}

static void
try_every_step(void **state, int count, bool commits, enum provider_outcome answer)
{
	try_steps(state, count, commits, answer, false);
	try_steps(state, count, commits, answer, true);
}

static void
a_step_that_fails_once_loses_nothing(void **state)
{
	try_every_step(state, ONCE, TAKEN, PO_OK);
}

static void
a_crash_at_any_step_loses_nothing(void **state)
{
	try_every_step(state, FROM_THEN_ON, TAKEN, PO_OK);
}

static void
a_crash_at_any_step_of_an_unknown_one_loses_nothing(void **state)
{
	try_every_step(state, FROM_THEN_ON, TAKEN, PO_UNKNOWN);
}

static void
a_database_older_than_the_queue_proves_nothing(void **state)
{
	for (int removed = 0; removed < 2; removed++) {
		start_over(state);
		pay_order();
		if (removed)
			assert_int_equal(reservation_removes("T1"), FR_OK);
		restore_an_empty_backup();
		assert_int_equal(approve("tok"), FR_STORE_UNAVAILABLE);
		assert_int_equal(out.charged, FC_UNKNOWN);
		assert_int_equal(reservation_removes("T1"), FR_STORE_UNAVAILABLE);
		assert_int_equal(reservation_removes(NULL), FR_STORE_UNAVAILABLE);
		assert_int_equal(gateway_removes("T1"),
		    removed ? FR_STORE_UNAVAILABLE : FR_ORDER_PAID);
		drop_the_lost_database();
	}
}

/* The queue hears nothing of how it ended. */
static void
an_end_that_the_queue_did_not_hear_is_told_later(void **state)
{
	static const char *const tokens[] = { "tok", "another" };

	for (size_t i = 0; i < 2; i++) {
		start_over(state);
		kakao_answers(PO_DECLINED, NOT_TAKEN);
		assert_int_equal(pay_ready("order-1", 10), FR_OK);
		queue_is_deaf = true;
		assert_int_equal(approve("tok"), FR_DECLINED);
		queue_is_deaf = false;
		assert_int_equal(hold_state_of("T1"), HOLD_APPROVING);
		/* so that the courier tells it even if no call comes */
		assert_int_equal(open_items(), 1);
		assert_int_equal(approve(tokens[i]), FR_DECLINED);
		assert_int_equal(hold_state_of("T1"), HOLD_DECLINED);
		assert_int_equal(open_items(), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_step_that_fails_once_loses_nothing),
		TEST(a_crash_at_any_step_loses_nothing),
		TEST(a_crash_at_any_step_of_an_unknown_one_loses_nothing),
		TEST(a_database_older_than_the_queue_proves_nothing),
		TEST(an_end_that_the_queue_did_not_hear_is_told_later),
	};

	log_open("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
