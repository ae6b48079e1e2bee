/* Whose turn it is to append to a shared log. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "queue/log/log_turn.h"

enum { APPEND_US = 2000 };

static void
alone_nobody_waits(void **state)
{
	struct log_turn t;

	(void)state;
	log_turn_init(&t, 1);
	assert_int_equal(log_turn_when(&t, 5000), 5000);
	log_turn_note(&t, 1, 5000);
	assert_int_equal(log_turn_when(&t, 5001), 5001);
}

static void
the_last_winner_waits_for_the_others(void **state)
{
	struct log_turn t;

	(void)state;
	log_turn_init(&t, 1);
	log_turn_note(&t, 2, 1000);
	log_turn_note(&t, 3, 2000);
	assert_int_equal(log_turn_when(&t, 2001), 2001); /* not in the line */
	log_turn_note(&t, 1, 3000);
	/* 2 is the first, then 3, then we */
	assert_int_equal(log_turn_when(&t, 3001), 3000 + 2 * APPEND_US * 3 / 2);
	log_turn_note(&t, 2, 4000);
	assert_int_equal(log_turn_when(&t, 4001), 4000 + APPEND_US * 3 / 2);
	log_turn_note(&t, 3, 5000);
	assert_int_equal(log_turn_when(&t, 5001), 5001); /* our turn */
}

static void
who_is_passed_over_leaves_the_line(void **state)
{
	struct log_turn t;

	(void)state;
	log_turn_init(&t, 1);
	log_turn_note(&t, 2, 1000);
	log_turn_note(&t, 3, 2000);
	log_turn_note(&t, 1, 3000);
	log_turn_note(&t, 3, 9000); /* 2 had nothing */
	assert_int_equal(log_turn_when(&t, 9001), 9001);
}

static void
who_won_nothing_lately_is_not_waited_for(void **state)
{
	struct log_turn t;

	(void)state;
	log_turn_init(&t, 1);
	log_turn_note(&t, 2, 1000);
	log_turn_note(&t, 1, 2000);
	assert_in_range(log_turn_when(&t, 2001), 2002, 20000);
	assert_int_equal(log_turn_when(&t, 5000000), 5000000);
}

static void
who_wins_alone_rests_now_and_then(void **state)
{
	struct log_turn t;
	unsigned rests = 0;

	(void)state;
	log_turn_init(&t, 1);
	for (int64_t us = 0; us < 8 * 3000; us += 3000) {
		log_turn_note(&t, 1, us);
		if (log_turn_when(&t, us) > us) {
			assert_int_equal(log_turn_when(&t, us), us + APPEND_US);
			rests++;
		}
	}
	assert_int_equal(rests, 2);
}

static void
where_appends_differ_much_the_others_get_more_time(void **state)
{
	struct log_turn t;

	(void)state;
	log_turn_init(&t, 1);
	log_turn_note(&t, 2, 1000);
	log_turn_note(&t, 1, 2000);
	for (int i = 0; i < 100; i++)
		log_turn_took(&t, 4000);
	assert_in_range(log_turn_when(&t, 2001), 2000 + 5500, 2000 + 6500);
	for (int i = 0; i < 100; i++)
		log_turn_took(&t, i % 2 == 0 ? 1000 : 7000);
	assert_in_range(log_turn_when(&t, 2001), 2000 + 9000, 2000 + 11000);
}

static void
news_may_wait_until_two_are_left_before_us(void **state)
{
	struct log_turn t;

	(void)state;
	log_turn_init(&t, 1);
	for (int i = 0; i < 100; i++)
		log_turn_took(&t, APPEND_US);
	assert_int_equal(log_turn_rest(&t, 500), 500);
	for (uint64_t by = 2; by <= 6; by++)
		log_turn_note(&t, by, 1000);
	assert_int_equal(log_turn_rest(&t, 1001), 1001); /* not in the line */
	log_turn_note(&t, 1, 2000);
	/* five have their turn before us; after three and a half of them it begins to matter */
	assert_int_equal(log_turn_rest(&t, 2001), 2000 + APPEND_US * 7 / 2);
	for (uint64_t by = 2; by <= 3; by++)
		log_turn_note(&t, by, 8000);
	assert_int_equal(log_turn_rest(&t, 8001), 8000 + APPEND_US * 3 / 2);
	log_turn_note(&t, 4, 10000);
	assert_int_equal(log_turn_rest(&t, 10001), 10001);
}

static void
news_never_wait_long(void **state)
{
	struct log_turn t;

	(void)state;
	log_turn_init(&t, 1);
	for (int i = 0; i < 100; i++)
		log_turn_took(&t, 100000);
	for (uint64_t by = 9; by >= 1; by--)
		log_turn_note(&t, by, 1000);
	assert_int_equal(log_turn_rest(&t, 1001), 1000 + 20000);
}

static void
members_are_those_of_the_last_minute(void **state)
{
	struct log_turn t;

	(void)state;
	log_turn_init(&t, 1);
	assert_int_equal(log_turn_members(&t, 0), 1);
	log_turn_note(&t, 2, 1000);
	log_turn_note(&t, 3, 2000);
	log_turn_note(&t, 1, 3000);
	log_turn_note(&t, 2, 30000000);
	assert_int_equal(log_turn_members(&t, 30000001), 3);
	assert_int_equal(log_turn_members(&t, 61000000), 2);
}

static void
more_daemons_than_fit_are_no_harm(void **state)
{
	struct log_turn t;

	(void)state;
	log_turn_init(&t, 1);
	for (uint64_t by = 1; by <= 3 * TURN_MAX; by++)
		log_turn_note(&t, by, (int64_t)by);
	assert_int_equal(t.n, TURN_MAX);
	assert_int_equal(t.line[0].by, 3 * TURN_MAX);
	assert_int_equal(log_turn_when(&t, 500), 500);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alone_nobody_waits),
		cmocka_unit_test(the_last_winner_waits_for_the_others),
		cmocka_unit_test(who_is_passed_over_leaves_the_line),
		cmocka_unit_test(who_won_nothing_lately_is_not_waited_for),
		cmocka_unit_test(who_wins_alone_rests_now_and_then),
		cmocka_unit_test(where_appends_differ_much_the_others_get_more_time),
		cmocka_unit_test(news_may_wait_until_two_are_left_before_us),
		cmocka_unit_test(news_never_wait_long),
		cmocka_unit_test(members_are_those_of_the_last_minute),
		cmocka_unit_test(more_daemons_than_fit_are_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
