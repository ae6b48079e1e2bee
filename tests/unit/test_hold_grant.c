/* payReady: who gets a time, and who does not. Times are minutes of the week: "600-720" is Sunday,
 * ten to twelve. */
#include "config.h"

#include "hold_world.h"

static void
a_second_user_gets_only_intervals_that_do_not_overlap(void **state)
{
	static const struct {
		const char *first, *second;
		bool fits;
		const char *conflicts;
	} rows[] = {
		{ "600-720", "600-720", false, "600-720" },
		{ "600-720", "660-780", false, "660-720" },
		{ "600-720", "540-660", false, "600-660" },
		{ "600-720", "630-640", false, "630-640" },
		{ "600-720", "720-780", true, NULL }, /* half-open */
		{ "600-720", "540-600", true, NULL },
		{ "0-1440", "0-1", false, "0-1" }, /* the first minute of the week */
		{ "0-1440", "1439-1440", false, "1439-1440" },
		{ "0-1440", "1440-2880", true, NULL },
		{ "10079-10080", "10079-10080", false, "10079-10080" }, /* the last one */
		{ "10079-10080", "0-1", true, NULL },			/* the week is not a ring */
		{ "600-660,720-780", "660-720", true, NULL },
		{ "600-660,720-780", "650-730", false, "650-660,720-730" },
		/* intervals that touch are joined */
		{ "600-660,660-720", "600-720", false, "600-720" },
		{ "600-720", "590-660,660-700,710-730", false, "600-700,710-720" },
		{ "1380-1440,1440-1500", "1400-1440,1440-1460", false,
		    "1400-1440,1440-1460" }, /* but not past midnight */
		{ "600-660", "0-10,650-700,9000-9001", false, "650-660" },
	};
	struct buf text;

	(void)state;
	buf_init(&text, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;

		world_open(&w);
		world_opened(&w, "a", ROOM1, "o1", rows[i].first);
		if (world_hold(&w, "b", ROOM1, "o2", rows[i].second) !=
		    (rows[i].fits ? HA_OK : HA_SLOT_HELD))
			fail_msg("row %zu: %s", i, hold_answer_name(w.a.code));
		buf_reset(&text);
		interval_set_format(&w.a.conflicts, &text);
		if (!rows[i].fits)
			assert_string_equal(buf_str(&text), rows[i].conflicts);
		assert_int_equal(w.a.record.len > 0, rows[i].fits);
		assert_int_equal(world_hold(&w, "b", ROOM2, "o2", rows[i].first),
		    rows[i].fits ? HA_IN_PROGRESS : HA_OK);
		world_close(&w);
	}
	buf_clear(&text);
}

static void
sixty_four_intervals_are_held_and_each_conflicts_by_itself(void **state)
{
	struct interval_set all = { .n = 0 };
	struct buf text;

	WORLD(w);
	buf_init(&text, 0);
	for (int16_t i = 0; i < INTERVALS_MAX; i++)
		all.iv[all.n++] = (struct interval){ (int16_t)(150 * i), (int16_t)(150 * i + 60) };
	/* some of them cross midnight: cut those */
	for (size_t i = 0; i < all.n; i++)
		if (all.iv[i].start / DAY_MINUTES != (all.iv[i].end - 1) / DAY_MINUTES)
			all.iv[i].end =
			    (int16_t)((all.iv[i].start / DAY_MINUTES + 1) * DAY_MINUTES);
	interval_set_format(&all, &text);
	world_opened(&w, "a", ROOM1, "o1", buf_str(&text));
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2",
			     "0-1440,1440-2880,2880-4320,4320-5760,5760-7200,7200-8640,8640-10080"),
	    HA_SLOT_HELD);
	assert_true(interval_set_equal(&w.a.conflicts, &all));
	buf_clear(&text);
	world_close(&w);
}

static void
more_than_64_conflicts_are_refused_with_the_first_64(void **state)
{
	WORLD(w);
	w.limits.max_per_user = 1000;
	hold_table_free(&w.t);
	w.t = world_table(&w);
	for (int i = 0; i < 100; i++) {
		char order[20], user[20], set[30];

		snprintf(order, sizeof(order), "o%d", i);
		snprintf(user, sizeof(user), "u%d", i);
		snprintf(set, sizeof(set), "%d-%d", 10 * i, 10 * i + 1);
		world_opened(&w, user, ROOM1, order, set);
	}
	assert_int_equal(world_hold(&w, "b", ROOM1, "p", "0-1440"), HA_SLOT_HELD);
	assert_int_equal(w.a.conflicts.n, INTERVALS_MAX);
	assert_int_equal(w.a.conflicts.iv[INTERVALS_MAX - 1].start, 630);
	world_close(&w);
}

static void
an_invalid_request_is_refused(void **state)
{
	struct hold_request good = {
		.cid = CID,
		.order = "o",
		.user = "u",
		.room = ROOM1,
		.set = { .iv = { { 0, 1 } }, .n = 1 },
		.fingerprint = "f",
		.attempt = "{}",
		.ttl_ms = 1000,
		.call_ms = 1000,
	};
	char long_name[600];
	struct hold_request bad[9];
	struct error err;

	WORLD(w);
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		bad[i] = good;
	bad[0].cid = "";
	bad[1].order = long_name;
	bad[2].user = NULL;
	bad[3].room = ROOM1 "0";
	bad[4].fingerprint = "";
	bad[5].set.n = 0;
	bad[6].set = (struct interval_set){ .iv = { { 5, 6 }, { 0, 1 } }, .n = 2 };
	bad[7].ttl_ms = 0;
	bad[8].call_ms = -1;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		error_clear(&err);
		if (hold_table_hold(w.t, &bad[i], &w.load, w.now, &w.a, &err) ||
		    err.code != ERR_INPUT)
			fail_msg("row %zu", i);
		hold_answer_clear(&w.a);
	}
	assert_true(hold_table_hold(w.t, &good, &w.load, w.now, &w.a, &err));
	world_close(&w);
}

static void
only_the_record_of_a_command_changes_the_table(void **state)
{
	struct hold_request rq = {
		.cid = CID,
		.order = "o",
		.user = "u",
		.room = ROOM1,
		.set = { .iv = { { 0, 60 } }, .n = 1 },
		.fingerprint = "f",
		.attempt = "{}",
		.ttl_ms = 1000,
		.call_ms = 1000,
	};
	struct hold_answer first, second;
	struct error err;

	WORLD(w);
	assert_true(hold_table_hold(w.t, &rq, &w.load, w.now, &first, &err));
	assert_true(hold_table_hold(w.t, &rq, &w.load, w.now, &second, &err));
	assert_int_equal(first.code, HA_OK);
	assert_int_equal(second.code, HA_OK);
	assert_int_equal(first.hold.id, second.hold.id);
	assert_memory_equal(first.record.data, second.record.data, first.record.len);
	world_apply(&w, &first.record);
	assert_int_equal(w.changed.n, 1);
	assert_int_equal(w.changed.id[0], first.hold.id);
	assert_int_equal(world_hold(&w, "v", ROOM1, "p", "0-60"), HA_SLOT_HELD);
	hold_answer_clear(&first);
	hold_answer_clear(&second);
	world_close(&w);
}

static void
the_order_of_checks_is_paid_progress_replay_slot_limits_busy(void **state)
{
	WORLD(w);
	world_paid(&w, "a", ROOM1, "paid", "0-60");
	world_opened(&w, "a", ROOM1, "o1", "60-120");
	world_opened(&w, "a", ROOM2, "o2", "0-60");
	world_opened(&w, "a", "cccccccccccccccccccccccc", "o3", "0-60");
	world_opened(&w, "b", "dddddddddddddddddddddddd", "o4", "0-60");
	w.load.calls = w.load.max_ready; /* busy, and the user has three */
	assert_int_equal(world_hold(&w, "a", "dddddddddddddddddddddddd", "paid", "0-60"),
	    HA_ORDER_PAID);
	assert_int_equal(world_hold(&w, "a", "dddddddddddddddddddddddd", "o4", "0-60"),
	    HA_IN_PROGRESS);
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "60-120"), HA_REPLAY);
	assert_int_equal(world_hold(&w, "a", "dddddddddddddddddddddddd", "o5", "0-60"),
	    HA_SLOT_HELD);
	assert_int_equal(world_hold(&w, "a", "dddddddddddddddddddddddd", "o5", "60-120"),
	    HA_TOO_MANY_HOLDS);
	assert_int_equal(world_hold(&w, "c", "dddddddddddddddddddddddd", "o5", "60-120"), HA_BUSY);
	w.load.calls = 0;
	assert_int_equal(world_hold(&w, "c", "dddddddddddddddddddddddd", "o5", "60-120"), HA_OK);
	world_close(&w);
}

static void
calls_and_waiters_together_reach_the_limit_of_calls(void **state)
{
	WORLD(w);
	w.load.calls = 2;
	w.load.waiters = 2;
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_BUSY);
	assert_true(w.a.retry_ms >= SECOND && w.a.retry_ms <= 2 * SECOND);
	w.load.waiters = 1;
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_OK);
	world_close(&w);
}

static void
a_fourth_hold_of_a_user_is_refused_until_one_ends(void **state)
{
	WORLD(w);
	world_opened(&w, "a", ROOM1, "o1", "0-60");
	world_pass(&w, MINUTE);
	world_opened(&w, "a", ROOM2, "o2", "0-60");
	world_held(&w, "a", "cccccccccccccccccccccccc", "o3", "0-60");
	assert_int_equal(world_hold(&w, "a", "dddddddddddddddddddddddd", "o4", "0-60"),
	    HA_TOO_MANY_HOLDS);
	assert_int_equal(w.a.retry_ms, 15 * SECOND); /* until its ready call must be back */
	/* a replacement is not a fourth hold */
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "60-120"), HA_OK);
	assert_int_equal(world_hold(&w, "a", "dddddddddddddddddddddddd", "o4", "0-60"),
	    HA_TOO_MANY_HOLDS);
	world_pass(&w, 15 * SECOND); /* held ones are over */
	assert_int_equal(world_hold(&w, "a", "dddddddddddddddddddddddd", "o4", "0-60"), HA_OK);
	assert_int_equal(world_hold(&w, "a", "eeeeeeeeeeeeeeeeeeeeeeee", "o5", "0-60"),
	    HA_TOO_MANY_HOLDS);
	world_close(&w);
}

static void
an_approved_hold_does_not_count_for_the_limit_of_its_user(void **state)
{
	WORLD(w);
	for (int i = 0; i < 5; i++) {
		char order[20], set[30];

		snprintf(order, sizeof(order), "o%d", i);
		snprintf(set, sizeof(set), "%d-%d", 60 * i, 60 * i + 60);
		world_paid(&w, "a", ROOM1, order, set);
	}
	assert_int_equal(world_hold(&w, "a", ROOM1, "more", "600-660"), HA_OK);
	world_close(&w);
}

static void
a_refusal_says_when_the_time_may_be_free(void **state)
{
	uint64_t id;

	WORLD(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	world_pass(&w, 4 * MINUTE);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_SLOT_HELD);
	assert_int_equal(w.a.retry_ms, 6 * MINUTE);
	world_granted(&w, id, 1);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_SLOT_HELD);
	assert_int_equal(w.a.retry_ms, 30 * SECOND);
	world_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_user_gets_only_intervals_that_do_not_overlap),
		cmocka_unit_test(sixty_four_intervals_are_held_and_each_conflicts_by_itself),
		cmocka_unit_test(more_than_64_conflicts_are_refused_with_the_first_64),
		cmocka_unit_test(an_invalid_request_is_refused),
		cmocka_unit_test(only_the_record_of_a_command_changes_the_table),
		cmocka_unit_test(the_order_of_checks_is_paid_progress_replay_slot_limits_busy),
		cmocka_unit_test(calls_and_waiters_together_reach_the_limit_of_calls),
		cmocka_unit_test(a_fourth_hold_of_a_user_is_refused_until_one_ends),
		cmocka_unit_test(an_approved_hold_does_not_count_for_the_limit_of_its_user),
		cmocka_unit_test(a_refusal_says_when_the_time_may_be_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
