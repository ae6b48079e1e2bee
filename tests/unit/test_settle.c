/* What the courier does next about a work item: the rules of time. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "flow/settle_plan.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

static const int64_t wall0 = INT64_C(1700000000000), boot0 = 5 * HOUR;
static struct settle_facts f;
static struct settle_memory m;
static int64_t again;

static int
set_up(void **state)
{
	(void)state;
	f = (struct settle_facts){ .n = 3,
		.at_ms = wall0,
		.deadline_ms = wall0 + 13 * SECOND,
		.chain_n = 3,
		.at = SETTLE_SEND,
		.state = AS_APPROVING,
		.newest = true,
		.window_boot_ms = boot0 + 15 * MINUTE,
		.window_ms = 15 * MINUTE };
	m = (struct settle_memory){ .first_boot_ms = boot0 };
	return 0;
}

static enum settle_step
plan(int64_t after_ms)
{
	return settle_plan(&f, &m, (struct now){ boot0 + after_ms, wall0 + after_ms }, &again);
}

static bool
conclude(enum flow_verdict v, int64_t after_ms, enum ledger_kind *kind)
{
	return settle_conclude(&f, &m, v, (struct now){ boot0 + after_ms, wall0 + after_ms }, kind);
}

static void
a_number_that_is_not_taken_is_abandoned_two_seconds_after_its_deadline(void **state)
{
	(void)state;
	f.chain_n = 2;
	f.at = SETTLE_NOTHING;
	assert_int_equal(plan(14999), SETTLE_WAIT);
	assert_int_equal(again, boot0 + 15 * SECOND);
	assert_int_equal(plan(15000), SETTLE_ABANDON);
	f.chain_n = 1;
	assert_int_equal(plan(15000), SETTLE_BEHIND); /* what the writer had read is missing */
}

static void
inquiries_begin_after_the_deadline_and_grow_apart(void **state)
{
	static const int64_t gaps[] = { 2, 5, 10, 20, 40, 60, 120, 300 };
	int64_t at = 15 * SECOND;
	enum ledger_kind kind;

	(void)state;
	assert_int_equal(plan(at - 1), SETTLE_WAIT);
	for (size_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
		assert_int_equal(plan(at), SETTLE_INQUIRE);
		assert_int_equal(conclude(FV_SILENT, at, &kind), i == 0); /* `unknown` is said once
									   */
		f.state = AS_UNKNOWN;
		f.said_unknown = true;
		at += gaps[i] * SECOND;
		assert_int_equal(plan(at - 1), SETTLE_WAIT);
		assert_int_equal(again, boot0 + at);
	}
}

/* A caller has it sent again and again. */
static void
an_attempt_that_is_sent_again_is_not_inquired_about_at_once_each_time(void **state)
{
	static const int64_t gaps[] = { 0, 2, 5, 5, 5 };
	enum ledger_kind kind;

	(void)state;
	f.state = AS_UNKNOWN;
	f.said_unknown = true;
	for (size_t sends = 0; sends < sizeof(gaps) / sizeof(gaps[0]); sends++) {
		m = (struct settle_memory){ .first_boot_ms = boot0 };
		f.sends_before = (int64_t)sends;
		if (sends > 0)
			assert_int_equal(plan(gaps[sends] * SECOND - 1), SETTLE_WAIT);
		assert_int_equal(plan(gaps[sends] * SECOND), SETTLE_INQUIRE);
	}
	f.sends_before = 3;
	m = (struct settle_memory){ .first_boot_ms = boot0 };
	assert_false(conclude(FV_PENDING, 5 * SECOND, &kind));
	assert_int_equal(plan(15 * SECOND - 1), SETTLE_WAIT);
	assert_int_equal(plan(15 * SECOND), SETTLE_INQUIRE);
}

static void
the_item_of_an_earlier_send_goes(void **state)
{
	(void)state;
	f.newest = false;
	assert_int_equal(plan(0), SETTLE_SUPERSEDED);
	f.state = AS_UNKNOWN;
	f.said_unknown = true;
	assert_int_equal(plan(15 * MINUTE + 30 * SECOND), SETTLE_SUPERSEDED);
	f.state = AS_APPROVED; /* it has its end: what follows from it drops all of them */
	assert_int_equal(plan(0), SETTLE_FOLLOW);
}

static void
not_captured_takes_two_readings_after_the_window(void **state)
{
	enum ledger_kind kind;

	(void)state;
	f.state = AS_UNKNOWN;
	assert_false(conclude(FV_PENDING, 15 * MINUTE + 29 * SECOND, &kind));
	assert_int_equal(m.reading_boot_ms, 0); /* too early to count */
	assert_false(conclude(FV_PENDING, 15 * MINUTE + 30 * SECOND, &kind));
	assert_false(conclude(FV_PENDING, 15 * MINUTE + 89 * SECOND, &kind));
	assert_int_equal(plan(15 * MINUTE + 89 * SECOND), SETTLE_WAIT);
	assert_int_equal(again, boot0 + 15 * MINUTE + 90 * SECOND);
	assert_true(conclude(FV_PENDING, 15 * MINUTE + 90 * SECOND, &kind));
	assert_int_equal(kind, LK_DECLINED);
}

static void
silence_between_two_readings_begins_them_anew(void **state)
{
	enum ledger_kind kind;

	(void)state;
	f.state = AS_UNKNOWN;
	assert_false(conclude(FV_PENDING, 15 * MINUTE + 30 * SECOND, &kind));
	assert_false(conclude(FV_SILENT, 15 * MINUTE + 60 * SECOND, &kind));
	assert_false(conclude(FV_PENDING, 15 * MINUTE + 90 * SECOND, &kind));
	assert_false(conclude(FV_PENDING, 15 * MINUTE + 149 * SECOND, &kind));
	assert_true(conclude(FV_PENDING, 15 * MINUTE + 150 * SECOND, &kind));
}

/* The wall clock jumps a day ahead, and the queue does not know the hold: the window is counted
 * from our first sight. */
static void
a_clock_that_jumps_makes_nothing_early(void **state)
{
	enum ledger_kind kind;

	(void)state;
	f.state = AS_UNKNOWN;
	f.window_boot_ms = 0;
	assert_false(settle_conclude(&f, &m, FV_PENDING,
	    (struct now){ boot0 + MINUTE, wall0 + 24 * HOUR }, &kind));
	assert_false(settle_conclude(&f, &m, FV_PENDING,
	    (struct now){ boot0 + 10 * MINUTE, wall0 + 25 * HOUR }, &kind));
	assert_int_equal(m.reading_boot_ms, 0);
}

static void
six_hours_of_silence_are_an_operators(void **state)
{
	(void)state;
	m.asked = 3;
	m.asked_boot_ms = boot0 + 6 * HOUR - MINUTE;
	assert_int_not_equal(plan(6 * HOUR - 1), SETTLE_GIVE_UP);
	assert_int_equal(plan(6 * HOUR), SETTLE_GIVE_UP);
}

static void
what_was_concluded_from_readings_is_looked_at_again_twice(void **state)
{
	enum ledger_kind kind;

	(void)state;
	f.state = AS_DECLINED;
	f.by_readings = true;
	f.state_at_ms = wall0;
	assert_int_equal(plan(0), SETTLE_FOLLOW); /* first of all its end is told */
	m.looks = 1;
	assert_int_equal(plan(10 * MINUTE - 1), SETTLE_WAIT);
	assert_int_equal(plan(10 * MINUTE), SETTLE_INQUIRE);
	assert_false(conclude(FV_PENDING, 10 * MINUTE, &kind));
	assert_true(conclude(FV_CAPTURED, 10 * MINUTE, &kind)); /* a late capture */
	assert_int_equal(kind, LK_APPROVED);
	m.late_looks = 1;
	assert_int_equal(plan(HOUR - 1), SETTLE_WAIT);
	assert_int_equal(plan(HOUR), SETTLE_INQUIRE);
	m.late_looks = SETTLE_LATE_LOOKS;
	assert_int_equal(plan(HOUR), SETTLE_FOLLOW);
}

static void
each_verdict_has_its_event(void **state)
{
	static const struct {
		enum flow_verdict v;
		enum ledger_kind kind;
	} rows[] = {
		{ FV_CAPTURED, LK_APPROVED },
		{ FV_CAPTURED_OTHERWISE, LK_REVIEW },
		{ FV_CANCELED, LK_APPROVED },
		{ FV_FAILED, LK_DECLINED },
		{ FV_STRANGE, LK_REVIEW },
	};
	enum ledger_kind kind;

	(void)state;
	f.state = AS_UNKNOWN;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(conclude(rows[i].v, MINUTE, &kind));
		assert_int_equal(kind, rows[i].kind);
	}
}

static void
a_refund_is_not_executed_by_two_readings_after_its_deadline(void **state)
{
	enum refund_reading end;

#define READ(r, after_ms) \
	settle_conclude_refund(&f, &m, r, (struct now){ boot0 + (after_ms), wall0 + (after_ms) }, \
	    &end)
	(void)state;
	f.at = SETTLE_REFUND;
	f.state = AS_REFUND_UNKNOWN;
	assert_int_equal(plan(14 * SECOND), SETTLE_WAIT);
	assert_int_equal(plan(15 * SECOND), SETTLE_INQUIRE);
	assert_false(READ(RR_NOT_EXECUTED, 15 * SECOND));
	assert_false(READ(RR_NOT_EXECUTED, 43 * SECOND - 1)); /* 13 s + 30 s */
	assert_false(READ(RR_NOT_EXECUTED, 43 * SECOND));
	assert_int_equal(plan(133 * SECOND - 1), SETTLE_WAIT);
	assert_int_equal(again, boot0 + 133 * SECOND);
	assert_false(READ(RR_NOT_EXECUTED, 133 * SECOND - 1));
	assert_false(READ(RR_SILENT, 133 * SECOND)); /* begins them anew */
	assert_false(READ(RR_NOT_EXECUTED, 140 * SECOND));
	assert_false(READ(RR_NOT_EXECUTED, 230 * SECOND - 1));
	assert_true(READ(RR_NOT_EXECUTED, 230 * SECOND));
	assert_int_equal(end, RR_NOT_EXECUTED);
	assert_true(READ(RR_EXECUTED, SECOND) && end == RR_EXECUTED);
	assert_true(READ(RR_OTHERWISE, SECOND) && end == RR_OTHERWISE);
	f.ended = true;
	assert_int_equal(plan(0), SETTLE_FOLLOW);
	f.ended = false;
	assert_int_equal(plan(6 * HOUR), SETTLE_GIVE_UP);
}

int
main(void)
{
#define T(test) cmocka_unit_test_setup(test, set_up)
	const struct CMUnitTest tests[] = {
		T(a_number_that_is_not_taken_is_abandoned_two_seconds_after_its_deadline),
		T(inquiries_begin_after_the_deadline_and_grow_apart),
		T(an_attempt_that_is_sent_again_is_not_inquired_about_at_once_each_time),
		T(the_item_of_an_earlier_send_goes),
		T(not_captured_takes_two_readings_after_the_window),
		T(silence_between_two_readings_begins_them_anew),
		T(a_clock_that_jumps_makes_nothing_early),
		T(six_hours_of_silence_are_an_operators),
		T(what_was_concluded_from_readings_is_looked_at_again_twice),
		T(each_verdict_has_its_event),
		T(a_refund_is_not_executed_by_two_readings_after_its_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
