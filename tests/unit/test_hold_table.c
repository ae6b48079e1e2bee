/* The rules of the queue, one by one. Times are minutes of the week: "600-720" is Sunday, ten to twelve. */
#include "config.h"

#include "hold_world.h"

#define OUR(w) struct world w; (void)state; world_open(&w)

static const struct { const char *what; enum hold_outcome outcome; } ends[] = {
	{ "declined", HO_DECLINED }, { "refused", HO_REFUSED }, { "restored", HO_RESTORED },
};

/* ---- who gets a time */

static void
of_two_users_the_second_gets_only_what_does_not_overlap(void **state)
{
	static const struct { const char *first, *second; bool fits; const char *conflicts; } rows[] = {
		{ "600-720", "600-720", false, "600-720" },
		{ "600-720", "660-780", false, "660-720" },
		{ "600-720", "540-660", false, "600-660" },
		{ "600-720", "630-640", false, "630-640" },
		{ "600-720", "720-780", true, NULL },		/* half-open */
		{ "600-720", "540-600", true, NULL },
		{ "0-1440", "0-1", false, "0-1" },		/* the first minute of the week */
		{ "0-1440", "1439-1440", false, "1439-1440" },
		{ "0-1440", "1440-2880", true, NULL },
		{ "10079-10080", "10079-10080", false, "10079-10080" },	/* the last one */
		{ "10079-10080", "0-1", true, NULL },		/* the week does not close into a ring */
		{ "600-660,720-780", "660-720", true, NULL },
		{ "600-660,720-780", "650-730", false, "650-660,720-730" },
		{ "600-660,660-720", "600-720", false, "600-720" },	/* neighbours are told as one */
		{ "600-720", "590-660,660-700,710-730", false, "600-700,710-720" },	/* also where they were asked for apart */
		{ "1380-1440,1440-1500", "1400-1440,1440-1460", false, "1400-1440,1440-1460" },	/* but not past midnight */
		{ "600-660", "0-10,650-700,9000-9001", false, "650-660" },
	};
	struct buf text;

	(void)state;
	buf_init(&text, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;

		world_open(&w);
		world_opened(&w, "a", ROOM1, "o1", rows[i].first);
		if (world_hold(&w, "b", ROOM1, "o2", rows[i].second) != (rows[i].fits ? HA_OK : HA_SLOT_HELD))
			fail_msg("row %zu: %s", i, hold_answer_name(w.a.code));
		buf_reset(&text);
		interval_set_format(&w.a.conflicts, &text);
		if (!rows[i].fits)
			assert_string_equal(buf_str(&text), rows[i].conflicts);
		assert_int_equal(w.a.record.len > 0, rows[i].fits);
		assert_int_equal(world_hold(&w, "b", ROOM2, "o2", rows[i].first), rows[i].fits ? HA_IN_PROGRESS : HA_OK);
		world_close(&w);
	}
	buf_clear(&text);
}

static void
sixty_four_intervals_are_held_and_conflict_each_on_its_own(void **state)
{
	struct interval_set all = { .n = 0 };
	struct buf text;

	OUR(w);
	buf_init(&text, 0);
	for (int16_t i = 0; i < INTERVALS_MAX; i++)
		all.iv[all.n++] = (struct interval){ (int16_t)(150 * i), (int16_t)(150 * i + 60) };
	/* 64 * 150 passes midnights: cut those that do */
	for (size_t i = 0; i < all.n; i++)
		if (all.iv[i].start / DAY_MINUTES != (all.iv[i].end - 1) / DAY_MINUTES)
			all.iv[i].end = (int16_t)((all.iv[i].start / DAY_MINUTES + 1) * DAY_MINUTES);
	interval_set_format(&all, &text);
	world_opened(&w, "a", ROOM1, "o1", buf_str(&text));
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-1440,1440-2880,2880-4320,4320-5760,5760-7200,7200-8640,8640-10080"), HA_SLOT_HELD);
	assert_true(interval_set_equal(&w.a.conflicts, &all));
	buf_clear(&text);
	world_close(&w);
}

static void
more_conflicts_than_a_request_has_intervals_are_cut_not_lost(void **state)
{
	OUR(w);
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
a_request_that_is_not_one_is_refused(void **state)
{
	struct hold_request good = { .cid = CID, .order = "o", .user = "u", .room = ROOM1, .set = { .iv = { { 0, 1 } }, .n = 1 }, .fingerprint = "f",
		.attempt = "{}", .ttl_ms = 1000, .call_ms = 1000 };
	char long_name[600];
	struct hold_request bad[9];
	struct error err;

	OUR(w);
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
		if (hold_table_hold(w.t, &bad[i], &w.load, w.now, &w.a, &err) || err.code != ERR_INPUT)
			fail_msg("row %zu", i);
		hold_answer_clear(&w.a);
	}
	assert_true(hold_table_hold(w.t, &good, &w.load, w.now, &w.a, &err));
	world_close(&w);
}

static void
a_command_decides_and_only_its_record_changes_the_table(void **state)
{
	struct hold_request rq = { .cid = CID, .order = "o", .user = "u", .room = ROOM1, .set = { .iv = { { 0, 60 } }, .n = 1 }, .fingerprint = "f",
		.attempt = "{}", .ttl_ms = 1000, .call_ms = 1000 };
	struct hold_answer first, second;
	struct error err;

	OUR(w);
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
	OUR(w);
	world_paid(&w, "a", ROOM1, "paid", "0-60");
	world_opened(&w, "a", ROOM1, "o1", "60-120");
	world_opened(&w, "a", ROOM2, "o2", "0-60");
	world_opened(&w, "a", "cccccccccccccccccccccccc", "o3", "0-60");
	world_opened(&w, "b", "dddddddddddddddddddddddd", "o4", "0-60");
	w.load.calls = w.load.max_ready;	/* busy, and the user has three */
	assert_int_equal(world_hold(&w, "a", "dddddddddddddddddddddddd", "paid", "0-60"), HA_ORDER_PAID);
	assert_int_equal(world_hold(&w, "a", "dddddddddddddddddddddddd", "o4", "0-60"), HA_IN_PROGRESS);
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "60-120"), HA_REPLAY);
	assert_int_equal(world_hold(&w, "a", "dddddddddddddddddddddddd", "o5", "0-60"), HA_SLOT_HELD);
	assert_int_equal(world_hold(&w, "a", "dddddddddddddddddddddddd", "o5", "60-120"), HA_TOO_MANY_HOLDS);
	assert_int_equal(world_hold(&w, "c", "dddddddddddddddddddddddd", "o5", "60-120"), HA_BUSY);
	w.load.calls = 0;
	assert_int_equal(world_hold(&w, "c", "dddddddddddddddddddddddd", "o5", "60-120"), HA_OK);
	world_close(&w);
}

static void
calls_and_waiters_together_make_it_busy(void **state)
{
	OUR(w);
	w.load.calls = 2;
	w.load.waiters = 2;
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_BUSY);
	assert_true(w.a.retry_ms >= SECOND && w.a.retry_ms <= 2 * SECOND);
	w.load.waiters = 1;
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_OK);
	world_close(&w);
}

static void
a_fourth_hold_of_a_user_waits_for_the_first_to_end(void **state)
{
	OUR(w);
	world_opened(&w, "a", ROOM1, "o1", "0-60");
	world_pass(&w, MINUTE);
	world_opened(&w, "a", ROOM2, "o2", "0-60");
	world_held(&w, "a", "cccccccccccccccccccccccc", "o3", "0-60");
	assert_int_equal(world_hold(&w, "a", "dddddddddddddddddddddddd", "o4", "0-60"), HA_TOO_MANY_HOLDS);
	assert_int_equal(w.a.retry_ms, 15 * SECOND);	/* the held one's call and a little */
	/* a replacement adds none */
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "60-120"), HA_OK);
	assert_int_equal(world_hold(&w, "a", "dddddddddddddddddddddddd", "o4", "0-60"), HA_TOO_MANY_HOLDS);
	world_pass(&w, 15 * SECOND);			/* held ones are over */
	assert_int_equal(world_hold(&w, "a", "dddddddddddddddddddddddd", "o4", "0-60"), HA_OK);
	assert_int_equal(world_hold(&w, "a", "eeeeeeeeeeeeeeeeeeeeeeee", "o5", "0-60"), HA_TOO_MANY_HOLDS);
	world_close(&w);
}

static void
an_approved_hold_does_not_count_as_the_users(void **state)
{
	OUR(w);
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
a_taken_time_says_when_it_may_be_free(void **state)
{
	uint64_t id;

	OUR(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	world_pass(&w, 4 * MINUTE);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_SLOT_HELD);
	assert_int_equal(w.a.retry_ms, 6 * MINUTE);
	world_granted(&w, id, 1);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_SLOT_HELD);
	assert_int_equal(w.a.retry_ms, 30 * SECOND);
	world_close(&w);
}

/* ---- the same again, and something else */

static void
the_same_again_is_a_replay_of_the_ready_answer(void **state)
{
	uint64_t id;

	OUR(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_REPLAY);
	assert_int_equal(w.a.hold.id, id);
	assert_string_equal(w.a.hold.answer, "{\"tid\":\"answer\"}");
	assert_string_equal(w.a.hold.tid, "T1");
	assert_int_equal(w.a.hold.expires_boot_ms, w.now.boot_ms + 10 * MINUTE);
	assert_int_equal(w.a.record.len, 0);
	world_restart(&w);
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_REPLAY);
	assert_string_equal(w.a.hold.answer, "{\"tid\":\"answer\"}");
	world_close(&w);
}

static void
the_same_while_the_ready_call_runs_waits_for_it(void **state)
{
	uint64_t id;

	OUR(w);
	id = world_held(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_WAIT);
	assert_int_equal(w.a.hold.id, id);
	w.load.waiters = w.load.max_ready;
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_IN_PROGRESS);	/* a surplus waiter */
	assert_int_equal(w.a.hold.state, HOLD_HELD);
	w.load.waiters = 0;
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "60-120"), HA_IN_PROGRESS);	/* another one */
	assert_true(w.a.retry_ms >= SECOND && w.a.retry_ms <= 2 * SECOND);
	assert_int_equal(world_hold(&w, "a", ROOM2, "o1", "0-60"), HA_IN_PROGRESS);	/* of the same order */
	assert_int_equal(world_ready(&w, id, "T1"), HA_OK);
	assert_int_equal(w.changed.id[0], id);
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_REPLAY);
	world_close(&w);
}

static void
after_a_failed_ready_call_a_waiter_may_try_itself(void **state)
{
	uint64_t id;

	OUR(w);
	id = world_held(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(world_fail(&w, id, false), HA_OK);
	assert_int_equal(w.changed.n, 1);
	assert_int_equal(w.changed.id[0], id);
	assert_int_equal(world_fail(&w, id, false), HA_OK);
	assert_int_equal(world_find(&w, FIND_PLACE, "a", ROOM1), HA_NO_HOLD);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_OK);
	world_close(&w);
}

static void
a_ready_call_that_finds_the_order_paid_says_so_for_good(void **state)
{
	uint64_t id;

	OUR(w);
	id = world_held(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(world_fail(&w, id, true), HA_OK);
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_ORDER_PAID);
	assert_int_equal(world_find_order(&w, CID, "o1"), HA_ORDER_PAID);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_OK);
	world_close(&w);
}

static void
during_a_replacement_both_times_are_held_against_others(void **state)
{
	uint64_t old, new;

	OUR(w);
	old = world_opened(&w, "a", ROOM1, "o1", "0-60");
	new = world_held(&w, "a", ROOM1, "o1", "30-120");	/* may overlap its own old one */
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-30"), HA_SLOT_HELD);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "90-120"), HA_SLOT_HELD);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-120"), HA_SLOT_HELD);
	assert_int_equal(w.a.conflicts.n, 1);
	assert_int_equal(w.a.conflicts.iv[0].end, 120);		/* what both hold is told once */
	assert_int_equal(world_find(&w, FIND_PLACE, "a", ROOM1), HA_OK);
	assert_int_equal(w.a.hold.id, old);			/* an approve means the old one */
	assert_true(w.a.hold.replacing);
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "600-660"), HA_IN_PROGRESS);	/* a second different one */
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_IN_PROGRESS);
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "30-120"), HA_WAIT);
	assert_int_equal(w.a.hold.id, new);
	world_restart(&w);
	assert_int_equal(world_ready(&w, new, "T2"), HA_OK);
	assert_int_equal(w.a.hold.state, HOLD_READY);
	assert_int_equal(world_state(&w, "T1"), HOLD_FENCED);	/* in the same step */
	assert_int_equal(world_approve(&w, old, 1), HA_FENCED);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-30"), HA_OK);
	assert_int_equal(world_hold(&w, "c", ROOM1, "o3", "60-61"), HA_SLOT_HELD);
	assert_int_equal(world_ready(&w, new, "T2"), HA_OK);	/* repeats answer the same */
	world_close(&w);
}

static void
a_replacement_that_fails_leaves_the_old_hold_as_it_was(void **state)
{
	uint64_t old, new;

	OUR(w);
	old = world_opened(&w, "a", ROOM1, "o1", "0-60");
	world_pass(&w, MINUTE);
	new = world_held(&w, "a", ROOM1, "o1", "30-120");
	assert_int_equal(world_fail(&w, new, false), HA_OK);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "60-120"), HA_OK);
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_REPLAY);
	assert_int_equal(w.a.hold.id, old);
	assert_int_equal(w.a.hold.expires_boot_ms, w.now.boot_ms + 9 * MINUTE);
	assert_int_equal(world_approve(&w, old, 1), HA_OK);
	world_close(&w);
}

static void
a_replacement_keeps_the_old_expiry_only_where_it_overlaps(void **state)
{
	static const struct { const char *set; int64_t left; } rows[] = { { "59-120", 7 * MINUTE }, { "0-60,100-110", 7 * MINUTE }, { "60-120", 10 * MINUTE } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;

		world_open(&w);
		world_opened(&w, "a", ROOM1, "o1", "0-60");
		world_pass(&w, 3 * MINUTE);
		world_opened(&w, "a", ROOM1, "o1", rows[i].set);
		assert_int_equal(w.a.hold.expires_boot_ms, w.now.boot_ms + rows[i].left);
		assert_int_equal(w.a.hold.window_boot_ms, w.now.boot_ms + 15 * MINUTE);	/* the tid is new */
		world_close(&w);
	}
}

static void
a_replacement_that_would_be_expired_when_it_is_ready_is_none(void **state)
{
	uint64_t old, new;

	OUR(w);
	old = world_opened(&w, "a", ROOM1, "o1", "0-60");
	world_pass(&w, 10 * MINUTE - SECOND);
	new = world_held(&w, "a", ROOM1, "o1", "30-90");
	world_pass(&w, 2 * SECOND);
	assert_int_equal(world_ready(&w, new, "T2"), HA_FENCED);
	assert_int_equal(world_state(&w, "T1"), HOLD_EXPIRED);
	assert_int_equal(world_approve(&w, old, 1), HA_OK);	/* in the window, and nobody else had it */
	world_close(&w);
}

static void
an_approve_of_the_old_hold_wins_over_its_replacement(void **state)
{
	uint64_t old, new, token;

	OUR(w);
	old = world_opened(&w, "a", ROOM1, "o1", "0-60");
	new = world_held(&w, "a", ROOM1, "o1", "30-120");
	token = world_granted(&w, old, 1);
	assert_int_equal(w.a.hold.before, HOLD_READY);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "60-120"), HA_OK);	/* the new time is free at once */
	assert_int_equal(world_ready(&w, new, "T2"), HA_IN_PROGRESS);
	assert_int_equal(world_ready(&w, new, "T2"), HA_IN_PROGRESS);
	assert_int_equal(world_find_tid(&w, "T2"), HA_NO_HOLD);
	assert_int_equal(world_outcome(&w, old, token, HO_APPROVED, 2), HA_OK);
	assert_int_equal(world_ready(&w, new, "T2"), HA_IN_PROGRESS);
	assert_int_equal(world_find(&w, FIND_PLACE, "a", ROOM1), HA_OK);
	assert_int_equal(w.a.hold.id, old);
	world_close(&w);
}

static void
an_order_may_move_to_another_room_of_the_same_user(void **state)
{
	uint64_t old, new;

	OUR(w);
	old = world_opened(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(world_hold(&w, "b", ROOM2, "o1", "0-60"), HA_IN_PROGRESS);	/* another user may not */
	new = world_held(&w, "a", ROOM2, "o1", "0-60");
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_SLOT_HELD);
	assert_int_equal(world_hold(&w, "b", ROOM2, "o2", "0-60"), HA_SLOT_HELD);
	assert_int_equal(world_ready(&w, new, "T2"), HA_OK);
	assert_int_equal(w.a.hold.expires_boot_ms, w.now.boot_ms + 10 * MINUTE);	/* another room is another time */
	assert_int_equal(world_state(&w, "T1"), HOLD_FENCED);
	assert_int_equal(world_approve(&w, old, 1), HA_FENCED);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_OK);
	world_close(&w);
}

static void
a_hold_may_replace_one_of_its_place_and_one_of_its_order(void **state)
{
	uint64_t a, b, new;

	OUR(w);
	a = world_opened(&w, "a", ROOM1, "o1", "0-60");
	b = world_opened(&w, "a", ROOM2, "o2", "0-60");
	new = world_held(&w, "a", ROOM2, "o1", "30-90");	/* room 2's place, order 1 */
	world_restart(&w);
	assert_int_equal(world_hold(&w, "a", ROOM1, "o3", "0-60"), HA_IN_PROGRESS);	/* a is being replaced */
	assert_int_equal(world_hold(&w, "a", "cccccccccccccccccccccccc", "o2", "0-60"), HA_IN_PROGRESS);
	assert_int_equal(world_ready(&w, new, "T3"), HA_OK);
	assert_int_equal(world_approve(&w, a, 1), HA_FENCED);
	assert_int_equal(world_approve(&w, b, 1), HA_FENCED);
	assert_int_equal(world_approve(&w, new, 1), HA_OK);
	world_close(&w);
}

static void
a_replacement_outlives_the_old_hold(void **state)
{
	uint64_t old, new;

	OUR(w);
	old = world_opened(&w, "a", ROOM1, "o1", "0-60");
	new = world_held(&w, "a", ROOM1, "o1", "30-90");
	assert_int_equal(world_remove(&w, old, false, 0), HA_OK);
	world_restart(&w);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-30"), HA_OK);
	assert_int_equal(world_hold(&w, "c", ROOM1, "o3", "30-60"), HA_SLOT_HELD);
	assert_int_equal(world_ready(&w, new, "T2"), HA_OK);
	assert_int_equal(world_state(&w, "T2"), HOLD_READY);
	world_close(&w);
}

static void
an_expired_old_hold_may_go_to_others_while_its_replacement_is_opened(void **state)
{
	uint64_t old, new;

	OUR(w);
	old = world_opened(&w, "a", ROOM1, "o1", "0-60");
	world_pass(&w, 10 * MINUTE - SECOND);
	new = world_held(&w, "a", ROOM1, "o1", "60-120");
	world_pass(&w, 2 * SECOND);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_OK);	/* fences the old one */
	assert_int_equal(world_approve(&w, old, 1), HA_FENCED);
	assert_int_equal(world_hold(&w, "c", ROOM1, "o3", "60-120"), HA_SLOT_HELD);
	assert_int_equal(world_ready(&w, new, "T2"), HA_OK);
	world_close(&w);
}

static void
an_open_attempt_is_not_replaced(void **state)
{
	static const struct { enum hold_outcome end; enum hold_state s; } rows[] = { { HO_UNKNOWN, HOLD_UNKNOWN }, { HO_REVIEW, HOLD_REVIEW } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;
		uint64_t id, token;

		world_open(&w);
		id = world_opened(&w, "a", ROOM1, "o1", "0-60");
		token = world_granted(&w, id, 1);
		for (int round = 0; round < 2; round++) {
			assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_IN_PROGRESS);	/* the same is no replay */
			assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "60-120"), HA_IN_PROGRESS);
			assert_int_equal(world_hold(&w, "a", ROOM1, "o2", "60-120"), HA_IN_PROGRESS);	/* this place */
			assert_int_equal(world_hold(&w, "a", ROOM2, "o1", "60-120"), HA_IN_PROGRESS);	/* this order */
			assert_int_equal(world_hold(&w, "b", ROOM2, "o1", "60-120"), HA_IN_PROGRESS);
			assert_int_equal(world_outcome(&w, id, token, rows[i].end, 2), HA_OK);
			assert_int_equal(w.a.hold.state, rows[i].s);
		}
		world_close(&w);
	}
}

static void
an_approved_hold_leaves_its_place_but_keeps_its_time(void **state)
{
	OUR(w);
	world_paid(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(world_hold(&w, "a", ROOM1, "o2", "30-90"), HA_SLOT_HELD);	/* also against its owner */
	assert_int_equal(world_hold(&w, "a", ROOM1, "o2", "60-90"), HA_OK);
	world_pass(&w, 30 * DAY);
	world_expire(&w);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o3", "0-60"), HA_SLOT_HELD);
	world_close(&w);
}

/* ---- time */

static void
a_held_hold_whose_call_never_came_back_is_soon_forgotten(void **state)
{
	uint64_t id;

	OUR(w);
	id = world_held(&w, "a", ROOM1, "o1", "0-60");
	world_pass(&w, 15 * SECOND - 1);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_SLOT_HELD);
	world_pass(&w, 1);
	assert_int_equal(world_find(&w, FIND_PLACE, "a", ROOM1), HA_NO_HOLD);
	assert_int_equal(world_ready(&w, id, "T1"), HA_FENCED);
	assert_int_equal(world_approve(&w, id, 1), HA_NO_HOLD);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_OK);	/* whether it was expired by a record or not */
	assert_int_equal(world_ready(&w, id, "T1"), HA_FENCED);
	world_close(&w);
}

static void
a_held_hold_that_is_over_gives_its_seats_to_the_next(void **state)
{
	OUR(w);
	world_opened(&w, "a", ROOM1, "o1", "0-60");
	world_held(&w, "a", ROOM1, "o2", "60-120");		/* replaces, and never comes back */
	world_pass(&w, 15 * SECOND);
	assert_int_equal(world_hold(&w, "a", ROOM2, "o1", "0-60"), HA_OK);	/* the order's ready one, from its other side */
	world_pass(&w, 15 * SECOND);
	assert_int_equal(world_hold(&w, "a", ROOM1, "o2", "60-120"), HA_OK);
	world_pass(&w, 15 * SECOND);
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_REPLAY);
	world_close(&w);
}

static void
a_ready_hold_expires_at_its_ttl_and_not_before(void **state)
{
	for (int told = 0; told < 2; told++) {	/* told: by hold_table_expire; else each command sees it itself */
		uint64_t id;

		OUR(w);
		id = world_opened(&w, "a", ROOM1, "o1", "0-60");
		world_pass(&w, 10 * MINUTE - 1);
		assert_int_equal(world_expire(&w), w.now.boot_ms + 1);
		assert_int_equal(world_state(&w, "T1"), HOLD_READY);
		assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_REPLAY);
		world_pass(&w, 1);
		if (told) {
			assert_int_equal(world_expire(&w), w.now.boot_ms + DAY);
			assert_int_equal(w.changed.n, 1);
			assert_int_equal(w.changed.id[0], id);
		}
		assert_int_equal(world_state(&w, "T1"), HOLD_EXPIRED);
		assert_int_equal(w.a.hold.expires_boot_ms, 0);
		assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_OK);	/* no replay: a new one, which fences it */
		assert_int_equal(world_state(&w, "T1"), HOLD_FENCED);
		world_close(&w);
	}
}

static void
an_expired_hold_is_taken_again_while_its_time_is_free(void **state)
{
	uint64_t id, token;

	OUR(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	world_pass(&w, 11 * MINUTE);
	world_expire(&w);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "60-120"), HA_OK);	/* a neighbour */
	token = world_granted(&w, id, 1);
	assert_int_equal(w.a.hold.before, HOLD_EXPIRED);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o3", "0-60"), HA_IN_PROGRESS);
	assert_int_equal(world_hold(&w, "c", ROOM1, "o3", "0-60"), HA_SLOT_HELD);
	assert_int_equal(world_outcome(&w, id, token, HO_REFUSED, 2), HA_OK);
	assert_int_equal(w.a.hold.state, HOLD_EXPIRED);				/* what it was before */
	assert_int_equal(world_hold(&w, "c", ROOM1, "o3", "59-60"), HA_OK);	/* one minute of it is enough */
	assert_int_equal(world_approve(&w, id, 3), HA_FENCED);
	assert_int_equal(world_fail(&w, w.a.hold.id, false), HA_OK);
	world_close(&w);
}

static void
a_fence_is_for_ever(void **state)
{
	uint64_t id, other;

	OUR(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60,120-180");
	world_pass(&w, 10 * MINUTE);
	other = world_held(&w, "b", ROOM1, "o2", "170-200");
	assert_int_equal(w.changed.n, 2);
	assert_int_equal(world_fail(&w, other, false), HA_OK);	/* free again, but it was granted once */
	assert_int_equal(world_approve(&w, id, 1), HA_FENCED);
	world_restart(&w);
	assert_int_equal(world_approve(&w, id, 1), HA_FENCED);
	world_close(&w);
}

static void
a_grant_fences_every_expired_hold_that_it_overlaps(void **state)
{
	uint64_t scattered, last, new;

	OUR(w);
	scattered = world_opened(&w, "b", ROOM1, "o2", "10-20,120-130");
	last = world_opened(&w, "c", ROOM1, "o3", "150-160");
	world_pass(&w, 10 * MINUTE);
	world_opened(&w, "a", ROOM1, "o1", "100-110");
	new = world_held(&w, "a", ROOM1, "o1", "90-200");	/* over its own, half of the one and all of the other */
	assert_int_equal(world_approve(&w, scattered, 1), HA_FENCED);
	assert_int_equal(world_approve(&w, last, 1), HA_FENCED);
	assert_int_equal(world_ready(&w, new, "X1"), HA_OK);
	assert_int_equal(world_hold(&w, "d", ROOM1, "o4", "10-20"), HA_OK);
	world_close(&w);
}

static void
after_the_window_nothing_is_approved(void **state)
{
	uint64_t id;

	OUR(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(w.a.hold.window_boot_ms, w.now.boot_ms + 15 * MINUTE);
	world_pass(&w, 15 * MINUTE);
	assert_int_equal(world_approve(&w, id, 1), HA_EXPIRED);
	w.now.boot_ms--;
	assert_int_equal(world_approve(&w, id, 1), HA_OK);
	world_close(&w);
}

static void
a_charge_that_may_exist_is_ended_by_no_clock(void **state)
{
	static const struct { enum hold_outcome end; enum hold_state s; } rows[] = { { HO__MAX, HOLD_APPROVING }, { HO_UNKNOWN, HOLD_UNKNOWN },
		{ HO_REVIEW, HOLD_REVIEW }, { HO_APPROVED, HOLD_APPROVED } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;
		uint64_t id, token;

		world_open(&w);
		id = world_opened(&w, "a", ROOM1, "o1", "0-60");
		token = world_granted(&w, id, 1);
		if (rows[i].end != HO__MAX)
			assert_int_equal(world_outcome(&w, id, token, rows[i].end, 2), HA_OK);
		world_pass(&w, 300 * DAY);
		world_expire(&w);
		world_expire(&w);
		assert_int_equal(world_state(&w, "T1"), rows[i].s);
		assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_SLOT_HELD);
		assert_int_equal(world_outcome(&w, id, token, HO_APPROVED, 3), HA_OK);
		world_close(&w);
	}
}

static void
what_is_gone_is_remembered_for_a_day(void **state)
{
	uint64_t id;

	OUR(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(world_remove(&w, id, false, 0), HA_OK);
	world_pass(&w, DAY - 1);
	world_expire(&w);
	assert_int_equal(world_state(&w, "T1"), HOLD_REMOVED);
	world_pass(&w, 1);
	assert_int_equal(world_expire(&w), INT64_MAX);
	assert_int_equal(world_find_tid(&w, "T1"), HA_NO_HOLD);
	assert_int_equal(world_approve(&w, id, 1), HA_NO_HOLD);
	assert_int_equal(world_find(&w, FIND_PLACE, "a", ROOM1), HA_NO_HOLD);
	world_close(&w);
}

static void
an_order_that_reached_approving_is_remembered_for_five_weeks(void **state)
{
	uint64_t id;

	OUR(w);
	id = world_paid(&w, "a", ROOM1, "o1", "0-60");
	world_pass(&w, 40 * DAY);
	world_expire(&w);	/* not while it has a hold */
	assert_int_equal(world_hold(&w, "a", ROOM2, "o1", "0-60"), HA_ORDER_PAID);
	assert_int_equal(world_remove(&w, id, true, 3), HA_OK);
	world_pass(&w, MINUTE);
	world_expire(&w);
	world_pass(&w, 35 * DAY - MINUTE - 1);
	world_expire(&w);
	assert_int_equal(world_hold(&w, "a", ROOM2, "o1", "0-60"), HA_ORDER_PAID);
	assert_int_equal(world_find_order(&w, CID, "o1"), HA_ORDER_PAID);
	assert_int_equal(w.a.hold.last_n, 3);
	world_pass(&w, 1);
	assert_int_equal(world_expire(&w), INT64_MAX);
	assert_int_equal(world_hold(&w, "a", ROOM2, "o1", "0-60"), HA_OK);
	world_close(&w);
}

static void
thousands_that_expire_at_once_fit_into_several_records(void **state)
{
	struct hold_stats s;
	int64_t next;
	int records = 0;

	OUR(w);
	for (int i = 0; i < 3000; i++) {
		char order[20], user[20], set[30];

		snprintf(order, sizeof(order), "o%d", i);
		snprintf(user, sizeof(user), "u%d", i);
		snprintf(set, sizeof(set), "%d-%d", i, i + 1);
		world_opened(&w, user, ROOM1, order, set);
	}
	world_pass(&w, 10 * MINUTE);
	do {
		next = world_expire(&w);
		records++;
	} while (next <= w.now.boot_ms);
	hold_table_stats(w.t, &s);
	assert_int_equal(s.by_state[HOLD_EXPIRED], 3000);
	assert_true(records > 1 && records < 20);
	assert_true(w.changed.all || w.changed.n > 0);
	/* one grant fences them all */
	assert_int_equal(world_hold(&w, "z", ROOM1, "z", "0-1440,1440-2880,2880-4320"), HA_OK);
	assert_true(w.changed.all);
	hold_table_stats(w.t, &s);
	assert_int_equal(s.by_state[HOLD_FENCED], 3000);
	world_close(&w);
}

/* ---- approve and its outcome */

static void
a_token_only_grows_also_over_restarts(void **state)
{
	uint64_t id, last = 0;

	OUR(w);
	for (int i = 0; i < 4; i++) {
		char order[20];

		snprintf(order, sizeof(order), "o%d", i);
		id = world_opened(&w, "a", ROOM1, order, "0-60");
		for (int round = 0; round < 3; round++) {
			uint64_t token = world_granted(&w, id, 2 * round + 1);

			assert_true(token > last);
			last = token;
			assert_int_equal(world_outcome(&w, id, token, HO_RESTORED, 2 * round + 2), HA_OK);
		}
		assert_int_equal(world_remove(&w, id, false, 0), HA_OK);
		world_pass(&w, 2 * DAY);
		world_expire(&w);	/* nothing of it is left */
		world_restart(&w);
	}
	world_close(&w);
}

static void
a_number_that_the_queue_has_seen_is_not_granted_again(void **state)
{
	uint64_t id, token;

	OUR(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	token = world_granted(&w, id, 5);
	assert_int_equal(world_outcome(&w, id, token, HO_REFUSED, 6), HA_OK);
	assert_int_equal(world_approve(&w, id, 5), HA_LEDGER_BEHIND);
	assert_int_equal(world_approve(&w, id, 6), HA_LEDGER_BEHIND);
	assert_int_equal(w.a.hold.last_n, 6);
	assert_int_equal(world_remove(&w, id, false, 0), HA_OK);
	id = world_opened(&w, "b", ROOM2, "o1", "0-60");	/* another attempt of this order */
	assert_int_equal(world_approve(&w, id, 6), HA_LEDGER_BEHIND);
	assert_int_equal(world_approve(&w, id, 7), HA_OK);
	world_close(&w);
}

static void
a_number_under_which_nothing_was_written_may_be_used_again(void **state)
{
	uint64_t id, token;

	OUR(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	token = world_granted(&w, id, 3);
	assert_int_equal(world_outcome(&w, id, token, HO_RESTORED, 0), HA_OK);
	assert_int_equal(world_approve(&w, id, 2), HA_LEDGER_BEHIND);	/* the chain had reached 2 */
	assert_int_equal(world_approve(&w, id, 3), HA_OK);
	world_close(&w);
}

static void
a_second_approve_waits_for_the_first_until_its_deadline(void **state)
{
	uint64_t id, token;

	OUR(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	token = world_granted(&w, id, 1);
	assert_int_equal(w.a.hold.deadline_boot_ms, w.now.boot_ms + 11 * SECOND);
	assert_int_equal(world_approve(&w, id, 1), HA_WAIT);
	assert_int_equal(w.a.hold.id, id);
	w.load.waiters = w.load.max_all;
	assert_int_equal(world_approve(&w, id, 1), HA_IN_PROGRESS);
	w.load.waiters = w.load.max_all - 1;
	assert_int_equal(world_approve(&w, id, 1), HA_WAIT);
	world_pass(&w, 13 * SECOND - 1);
	assert_int_equal(world_approve(&w, id, 1), HA_WAIT);
	world_pass(&w, 1);
	assert_int_equal(world_approve(&w, id, 1), HA_OK);	/* nobody who kept to the deadline can still send */
	assert_int_equal(w.a.hold.before, HOLD_APPROVING);
	assert_true(w.a.hold.token > token);
	assert_int_equal(world_outcome(&w, id, token, HO_APPROVED, 2), HA_STALE_TOKEN);
	assert_int_equal(world_outcome(&w, id, 0, HO_APPROVED, 2), HA_STALE_TOKEN);
	world_close(&w);
}

static void
approvals_go_on_when_ready_calls_no_longer_do(void **state)
{
	uint64_t id;

	OUR(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	w.load.calls = w.load.max_all;
	assert_int_equal(world_approve(&w, id, 1), HA_BUSY);
	w.load.calls = w.load.max_all - 1;
	assert_int_equal(world_hold(&w, "b", ROOM2, "o2", "0-60"), HA_BUSY);
	assert_int_equal(world_approve(&w, id, 1), HA_OK);
	world_close(&w);
}

static void
every_state_answers_approve_in_its_way(void **state)
{
	uint64_t id, token;

	OUR(w);
	assert_int_equal(world_approve(&w, 1, 1), HA_NO_HOLD);
	id = world_held(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(world_approve(&w, id, 1), HA_IN_PROGRESS);	/* held */
	assert_int_equal(world_ready(&w, id, "X1"), HA_OK);
	token = world_granted(&w, id, 1);				/* ready */
	assert_int_equal(w.a.hold.before, HOLD_READY);
	assert_int_equal(world_outcome(&w, id, token, HO_UNKNOWN, 2), HA_OK);
	token = world_granted(&w, id, 3);				/* unknown */
	assert_int_equal(w.a.hold.before, HOLD_UNKNOWN);
	assert_int_equal(world_outcome(&w, id, token, HO_REVIEW, 4), HA_OK);
	assert_int_equal(world_approve(&w, id, 5), HA_IN_PROGRESS);	/* review */
	assert_int_equal(world_outcome(&w, id, token, HO_APPROVED, 5), HA_OK);
	assert_int_equal(world_approve(&w, id, 6), HA_ORDER_PAID);	/* approved */
	assert_int_equal(world_remove(&w, id, true, 6), HA_OK);
	assert_int_equal(world_approve(&w, id, 7), HA_ORDER_PAID);	/* removed, paid */
	id = world_opened(&w, "a", ROOM1, "o2", "60-120");
	assert_int_equal(world_outcome(&w, id, world_granted(&w, id, 1), HO_DECLINED, 2), HA_OK);
	assert_int_equal(world_approve(&w, id, 3), HA_FENCED);		/* declined */
	id = world_opened(&w, "a", ROOM1, "o3", "60-120");
	assert_int_equal(world_remove(&w, id, false, 0), HA_OK);
	assert_int_equal(world_approve(&w, id, 1), HA_FENCED);		/* removed, not paid */
	world_close(&w);
}

static void
an_unknown_charge_is_inquired_also_after_the_window(void **state)
{
	uint64_t id, token;

	OUR(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	token = world_granted(&w, id, 1);
	world_pass(&w, HOUR);
	token = world_granted(&w, id, 2);
	assert_int_equal(w.a.hold.before, HOLD_APPROVING);
	assert_int_equal(world_outcome(&w, id, token, HO_UNKNOWN, 3), HA_OK);
	token = world_granted(&w, id, 4);
	assert_int_equal(w.a.hold.before, HOLD_UNKNOWN);
	world_close(&w);
}

static void
a_refused_token_and_a_restored_attempt_leave_the_hold_as_it_was(void **state)
{
	(void)state;
	for (size_t i = 1; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct world w;
		uint64_t id, token;

		world_open(&w);
		id = world_opened(&w, "a", ROOM1, "o1", "0-60");
		world_pass(&w, MINUTE);
		token = world_granted(&w, id, 1);
		assert_int_equal(world_outcome(&w, id, token, ends[i].outcome, 2), HA_OK);
		assert_int_equal(w.a.hold.state, HOLD_READY);
		assert_int_equal(w.a.hold.expires_boot_ms, w.now.boot_ms + 9 * MINUTE);	/* its old expiry */
		assert_int_equal(world_outcome(&w, id, token, ends[i].outcome, 2), HA_OK);	/* a repeat */
		assert_int_equal(w.a.record.len, 0);
		assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_REPLAY);
		assert_string_equal(w.a.hold.answer, "{\"tid\":\"answer\"}");
		/* approved while it was ready, given back when that time was over */
		token = world_granted(&w, id, 3);
		world_pass(&w, 9 * MINUTE);
		assert_int_equal(world_outcome(&w, id, token, ends[i].outcome, 4), HA_OK);
		assert_int_equal(w.a.hold.state, HOLD_EXPIRED);
		assert_int_equal(world_state(&w, "T1"), HOLD_EXPIRED);
		world_close(&w);
	}
}

static void
a_grant_given_back_does_not_make_an_unknown_charge_certain(void **state)
{
	static const int64_t numbers[] = { 0, 4 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct world w;
		uint64_t id, token;

		world_open(&w);
		id = world_opened(&w, "a", ROOM1, "o1", "0-60");
		assert_int_equal(world_outcome(&w, id, world_granted(&w, id, 1), HO_UNKNOWN, 2), HA_OK);
		token = world_granted(&w, id, 3);
		assert_int_equal(world_outcome(&w, id, token, i == 0 ? HO_RESTORED : HO_REFUSED, numbers[i]), HA_OK);
		assert_int_equal(w.a.hold.state, HOLD_UNKNOWN);
		assert_int_equal(world_state(&w, "T1"), HOLD_UNKNOWN);
		assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_SLOT_HELD);
		world_close(&w);
	}
}

static void
of_a_worker_that_vanished_only_the_ledger_can_say_that_it_sent_nothing(void **state)
{
	uint64_t id, token;

	OUR(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	world_granted(&w, id, 1);			/* and vanishes */
	world_pass(&w, 13 * SECOND);
	token = world_granted(&w, id, 1);
	assert_int_equal(world_outcome(&w, id, token, HO_RESTORED, 0), HA_OK);
	assert_int_equal(w.a.hold.state, HOLD_UNKNOWN);	/* the first one may have sent */
	assert_int_equal(world_outcome(&w, id, token, HO_RESTORED, 1), HA_OK);	/* `abandoned` stands at order#1 */
	assert_int_equal(w.a.hold.state, HOLD_READY);
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_REPLAY);
	assert_string_equal(w.a.hold.answer, "{\"tid\":\"answer\"}");
	world_granted(&w, id, 2);
	world_pass(&w, 13 * SECOND);
	token = world_granted(&w, id, 2);
	assert_int_equal(world_outcome(&w, id, token, HO_REFUSED, 3), HA_OK);	/* said in the ledger at once */
	assert_int_equal(w.a.hold.state, HOLD_READY);
	world_close(&w);
}

static void
five_refused_tokens_a_minute_are_enough(void **state)
{
	uint64_t id;

	OUR(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	for (int i = 0; i < 5; i++) {
		uint64_t token = world_granted(&w, id, 2 * i + 1);

		assert_int_equal(world_outcome(&w, id, token, HO_REFUSED, 2 * i + 2), HA_OK);
		assert_int_equal(world_outcome(&w, id, token, HO_REFUSED, 2 * i + 2), HA_OK);	/* a repeat counts once */
		world_pass(&w, 10 * SECOND);
	}
	assert_int_equal(world_approve(&w, id, 11), HA_TOO_MANY_REFUSED);
	assert_int_equal(w.a.retry_ms, 10 * SECOND);
	world_restart(&w);
	world_pass(&w, 10 * SECOND - 1);
	assert_int_equal(world_approve(&w, id, 11), HA_TOO_MANY_REFUSED);
	world_pass(&w, 1);
	assert_int_equal(world_outcome(&w, id, world_granted(&w, id, 11), HO_REFUSED, 12), HA_OK);
	assert_int_equal(world_approve(&w, id, 13), HA_TOO_MANY_REFUSED);	/* the second one is still within the minute */
	assert_int_equal(w.a.retry_ms, 10 * SECOND);
	world_close(&w);
}

/* Whoever repeats an approve whose end nobody knows inquires and sends no more often than one with a wrong token; nor does one whose workers die. */
static void
five_grants_a_minute_are_enough_however_they_end(void **state)
{
	static const struct { const char *what; enum hold_outcome how; int64_t n; bool dies; } ways[] = {
		{ "its end is not known, and the ledger says so", HO_UNKNOWN, 2, false }, { "its end is not known, and nothing is written", HO_UNKNOWN, 0, false },
		{ "not executed", HO_RESTORED, 2, false }, { "the worker dies", HO__MAX, 0, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct world w;
		uint64_t id;
		int64_t n = 1;

		world_open(&w);
		w.limits.max_tries_per_min = 3;
		world_restart(&w);
		id = world_opened(&w, "a", ROOM1, "o1", "0-60");
		for (int k = 0; k < 3; k++, n += 2) {
			uint64_t token = world_granted(&w, id, n);

			if (ways[i].dies)
				world_pass(&w, 13 * SECOND);
			else
				assert_int_equal(world_outcome(&w, id, token, ways[i].how, ways[i].n == 0 ? 0 : n + 1), HA_OK);
		}
		world_restart(&w);
		if (world_approve(&w, id, n) != HA_TOO_MANY_REFUSED)
			fail_msg("%s: a fourth grant within the minute", ways[i].what);
		assert_int_equal(w.a.record.len, 0);
		assert_true(w.a.retry_ms > 0 && w.a.retry_ms <= MINUTE);
		world_pass(&w, w.a.retry_ms);
		assert_int_equal(world_approve(&w, id, n), HA_OK);
		world_close(&w);
	}
}

/* The store went away before anything was written: the user tries again as often as it takes. */
static void
a_grant_given_back_unused_does_not_count(void **state)
{
	uint64_t id, token;

	OUR(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	for (int k = 0; k < 20; k++)
		assert_int_equal(world_outcome(&w, id, world_granted(&w, id, 1), HO_RESTORED, 0), HA_OK);
	for (int k = 0; k < 5; k++) {	/* one whose end is not known was inquired about first: it counts all the same */
		token = world_granted(&w, id, 2 * k + 1);
		assert_int_equal(world_outcome(&w, id, token, k == 0 ? HO_UNKNOWN : HO_RESTORED, k == 0 ? 2 : 0), HA_OK);
	}
	assert_int_equal(world_approve(&w, id, 11), HA_TOO_MANY_REFUSED);
	world_close(&w);
}

static void
who_opens_and_cancels_again_and_again_is_not_remembered_each_time(void **state)
{
	uint64_t id, declined;
	struct hold_stats s;

	OUR(w);
	declined = world_opened(&w, "a", ROOM1, "o0", "0-60");
	assert_int_equal(world_outcome(&w, declined, world_granted(&w, declined, 1), HO_DECLINED, 2), HA_OK);
	for (int i = 0; i < 300; i++) {
		id = world_opened(&w, "a", ROOM1, "o1", "0-60");
		assert_int_equal(world_remove(&w, id, false, 0), HA_OK);
		hold_table_stats(w.t, &s);
		assert_in_range(s.by_state[HOLD_REMOVED], i < 63 ? i + 1 : 63, i < 63 ? i + 1 : 63);
	}
	assert_int_equal(s.by_state[HOLD_DECLINED], 1);		/* money may have been about to move: for its whole time */
	assert_int_equal(world_find(&w, FIND_PLACE, "a", ROOM1), HA_OK);
	assert_int_equal(w.a.hold.id, id);
	assert_int_equal(world_remove(&w, id, false, 0), HA_REPLAY);
	world_restart(&w);
	world_close(&w);
}

static void
an_outcome_is_told_once_and_repeats_change_nothing(void **state)
{
	static const struct { enum hold_outcome first, then; enum hold_state s; } rows[] = {
		{ HO_APPROVED, HO_APPROVED, HOLD_APPROVED }, { HO_APPROVED, HO_DECLINED, HOLD_APPROVED }, { HO_APPROVED, HO_UNKNOWN, HOLD_APPROVED },
		{ HO_APPROVED, HO_REVIEW, HOLD_APPROVED }, { HO_APPROVED, HO_RESTORED, HOLD_APPROVED }, { HO_DECLINED, HO_DECLINED, HOLD_DECLINED },
		{ HO_DECLINED, HO_UNKNOWN, HOLD_DECLINED }, { HO_DECLINED, HO_RESTORED, HOLD_DECLINED }, { HO_DECLINED, HO_REVIEW, HOLD_DECLINED },
		{ HO_DECLINED, HO_APPROVED, HOLD_APPROVED }, { HO_UNKNOWN, HO_UNKNOWN, HOLD_UNKNOWN }, { HO_UNKNOWN, HO_RESTORED, HOLD_UNKNOWN },
		{ HO_UNKNOWN, HO_REFUSED, HOLD_UNKNOWN }, { HO_UNKNOWN, HO_DECLINED, HOLD_DECLINED }, { HO_UNKNOWN, HO_REVIEW, HOLD_REVIEW },
		{ HO_UNKNOWN, HO_APPROVED, HOLD_APPROVED }, { HO_REVIEW, HO_REVIEW, HOLD_REVIEW }, { HO_REVIEW, HO_UNKNOWN, HOLD_REVIEW },
		{ HO_REVIEW, HO_RESTORED, HOLD_REVIEW }, { HO_REVIEW, HO_DECLINED, HOLD_DECLINED }, { HO_REVIEW, HO_APPROVED, HOLD_APPROVED },
		{ HO_REFUSED, HO_APPROVED, HOLD_APPROVED }, { HO_RESTORED, HO_APPROVED, HOLD_APPROVED }, { HO_RESTORED, HO_DECLINED, HOLD_READY },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;
		uint64_t id, token;

		world_open(&w);
		id = world_opened(&w, "a", ROOM1, "o1", "0-60");
		token = world_granted(&w, id, 1);
		assert_int_equal(world_outcome(&w, id, token, rows[i].first, 2), HA_OK);
		assert_int_equal(world_outcome(&w, id, token, rows[i].then, 2), HA_OK);
		if (world_state(&w, "T1") != rows[i].s)
			fail_msg("row %zu: %s", i, hold_state_name(w.a.hold.state));
		assert_int_equal(world_hold(&w, "a", ROOM2, "o1", "0-60") == HA_ORDER_PAID, rows[i].s == HOLD_APPROVED);
		world_close(&w);
	}
}

static void
a_declined_payment_frees_its_time_and_its_order(void **state)
{
	uint64_t id;

	OUR(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(world_outcome(&w, id, world_granted(&w, id, 1), HO_DECLINED, 2), HA_OK);
	assert_int_equal(w.changed.id[0], id);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_OK);
	assert_int_equal(world_hold(&w, "a", ROOM2, "o1", "0-60"), HA_OK);
	assert_int_equal(w.a.hold.last_n, 2);
	world_close(&w);
}

static void
a_late_capture_takes_its_time_again_if_it_is_free(void **state)
{
	for (int taken = 0; taken < 2; taken++) {
		uint64_t id, token;

		OUR(w);
		id = world_opened(&w, "a", ROOM1, "o1", "0-60");
		token = world_granted(&w, id, 1);
		assert_int_equal(world_outcome(&w, id, token, HO_DECLINED, 2), HA_OK);
		if (taken)
			world_opened(&w, "b", ROOM1, "o2", "30-90");
		assert_int_equal(world_outcome(&w, id, token, HO_APPROVED, 3), HA_OK);
		assert_int_equal(world_state(&w, "T1"), taken ? HOLD_DECLINED : HOLD_APPROVED);
		assert_int_equal(world_hold(&w, "a", ROOM2, "o1", "0-60"), HA_ORDER_PAID);	/* in any case */
		assert_int_equal(world_hold(&w, "c", ROOM1, "o3", "0-30"), taken ? HA_OK : HA_SLOT_HELD);
		assert_int_equal(world_outcome(&w, id, token, HO_APPROVED, 3), HA_OK);
		if (!taken)
			assert_int_equal(w.a.record.len, 0);
		world_close(&w);
	}
}

static void
a_late_capture_ends_the_orders_other_attempts(void **state)
{
	uint64_t first, second, third, token;

	OUR(w);
	first = world_opened(&w, "a", ROOM1, "o1", "0-60");
	token = world_granted(&w, first, 1);
	assert_int_equal(world_outcome(&w, first, token, HO_DECLINED, 2), HA_OK);
	second = world_opened(&w, "a", ROOM2, "o1", "0-60");
	third = world_held(&w, "a", ROOM2, "o1", "60-120");
	assert_int_equal(world_outcome(&w, first, token, HO_APPROVED, 3), HA_OK);
	assert_int_equal(world_approve(&w, second, 4), HA_ORDER_PAID);
	assert_int_equal(world_ready(&w, third, "T3"), HA_IN_PROGRESS);
	assert_int_equal(world_hold(&w, "b", ROOM2, "o2", "0-120"), HA_OK);
	world_close(&w);
}

static void
a_capture_during_a_replacement_ends_the_replacement(void **state)
{
	uint64_t old, new, token;

	OUR(w);
	old = world_opened(&w, "a", ROOM1, "o1", "0-60");
	token = world_granted(&w, old, 1);
	assert_int_equal(world_outcome(&w, old, token, HO_RESTORED, 0), HA_OK);
	new = world_held(&w, "a", ROOM1, "o2", "30-90");	/* another order */
	assert_int_equal(world_outcome(&w, old, token, HO_APPROVED, 2), HA_OK);
	assert_int_equal(world_state(&w, "T1"), HOLD_APPROVED);
	assert_int_equal(world_ready(&w, new, "T2"), HA_IN_PROGRESS);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o3", "60-90"), HA_OK);
	world_close(&w);
}

/* ---- removal */

static void
reservation_removes_what_is_paid_and_nothing_else(void **state)
{
	uint64_t id, other;

	OUR(w);
	assert_int_equal(world_remove(&w, 1, true, 1), HA_NO_HOLD);
	other = world_opened(&w, "b", ROOM1, "o2", "60-120");
	assert_int_equal(world_remove(&w, other, true, 1), HA_NO_HOLD);
	assert_int_equal(world_state(&w, "T1"), HOLD_READY);
	id = world_paid(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(world_remove(&w, id, true, 3), HA_OK);
	assert_int_equal(w.a.hold.state, HOLD_APPROVED);	/* as it was */
	assert_string_equal(w.a.hold.attempt, "{\"order\":1}");
	assert_int_equal(world_remove(&w, id, true, 3), HA_REPLAY);
	assert_int_equal(w.a.hold.state, HOLD_REMOVED);
	assert_string_equal(w.a.hold.attempt, "{\"order\":1}");
	assert_string_equal(w.a.hold.answer, "");
	assert_int_equal(w.a.hold.last_n, 3);
	world_close(&w);
}

static void
a_paid_time_stays_guarded_for_a_minute_after_its_removal(void **state)
{
	for (int told = 0; told < 2; told++) {
		struct hold_stats s;
		uint64_t id;

		OUR(w);
		id = world_paid(&w, "a", ROOM1, "o1", "0-60");
		assert_int_equal(world_remove(&w, id, true, 3), HA_OK);
		world_restart(&w);
		world_pass(&w, 20 * SECOND);
		assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "30-90"), HA_SLOT_SOLD);
		assert_int_equal(w.a.retry_ms, 40 * SECOND);
		assert_int_equal(w.a.conflicts.n, 1);
		assert_int_equal(w.a.conflicts.iv[0].start, 30);
		assert_int_equal(w.a.conflicts.iv[0].end, 60);
		world_opened(&w, "c", ROOM1, "o3", "60-70");
		assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "30-90"), HA_SLOT_HELD);	/* held comes before sold */
		assert_int_equal(w.a.conflicts.n, 1);
		assert_int_equal(w.a.conflicts.iv[0].start, 60);
		hold_table_stats(w.t, &s);
		assert_int_equal(s.guards, 1);
		world_pass(&w, 40 * SECOND - 1);
		assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "30-60"), HA_SLOT_SOLD);
		world_pass(&w, 1);
		if (told)
			world_expire(&w);
		assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "30-60"), HA_OK);
		hold_table_stats(w.t, &s);
		assert_int_equal(s.guards, 0);
		assert_int_equal(world_remove(&w, id, true, 3), HA_REPLAY);
		world_close(&w);
	}
}

static void
without_a_guard_a_removed_time_is_free_at_once(void **state)
{
	uint64_t id;

	OUR(w);
	w.limits.guard_ms = 0;
	hold_table_free(&w.t);
	w.t = world_table(&w);
	id = world_paid(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(world_remove(&w, id, true, 3), HA_OK);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_OK);
	world_close(&w);
}

static void
the_gateway_removes_what_is_not_paid(void **state)
{
	uint64_t id, token;

	OUR(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(world_remove(&w, id, false, 0), HA_OK);
	assert_int_equal(w.a.hold.state, HOLD_READY);		/* as it was */
	assert_int_equal(world_state(&w, "T1"), HOLD_REMOVED);
	assert_int_equal(world_remove(&w, id, false, 0), HA_REPLAY);
	assert_int_equal(world_remove(&w, id, true, 0), HA_NO_HOLD);
	assert_int_equal(world_approve(&w, id, 1), HA_FENCED);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	world_pass(&w, 10 * MINUTE);				/* expired */
	assert_int_equal(world_remove(&w, id, false, 0), HA_OK);
	assert_int_equal(w.a.hold.state, HOLD_EXPIRED);
	assert_int_equal(world_state(&w, "T2"), HOLD_FENCED);
	assert_int_equal(world_approve(&w, id, 1), HA_FENCED);
	assert_int_equal(world_remove(&w, id, false, 0), HA_REPLAY);
	id = world_held(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(world_remove(&w, id, false, 0), HA_OK);
	assert_int_equal(world_ready(&w, id, "T3"), HA_FENCED);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	token = world_granted(&w, id, 1);
	assert_int_equal(world_remove(&w, id, false, 0), HA_IN_PROGRESS);
	assert_int_equal(world_outcome(&w, id, token, HO_UNKNOWN, 2), HA_OK);
	assert_int_equal(world_remove(&w, id, false, 0), HA_IN_PROGRESS);
	assert_int_equal(world_outcome(&w, id, token, HO_REVIEW, 3), HA_OK);
	assert_int_equal(world_remove(&w, id, false, 0), HA_IN_PROGRESS);
	assert_int_equal(world_outcome(&w, id, token, HO_APPROVED, 4), HA_OK);
	assert_int_equal(world_remove(&w, id, false, 0), HA_ORDER_PAID);
	assert_int_equal(world_remove(&w, id, true, 5), HA_OK);
	assert_int_equal(world_remove(&w, id, false, 0), HA_ORDER_PAID);
	assert_int_equal(world_remove(&w, 999, false, 0), HA_NO_HOLD);
	world_close(&w);
}

/* ---- looking */

static void
a_place_means_its_open_hold_and_else_the_one_that_went_last(void **state)
{
	uint64_t id;

	OUR(w);
	assert_int_equal(world_find(&w, FIND_PLACE, "a", ROOM1), HA_NO_HOLD);
	id = world_held(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(world_find(&w, FIND_PLACE, "a", ROOM1), HA_OK);
	assert_int_equal(w.a.hold.state, HOLD_HELD);
	assert_int_equal(world_ready(&w, id, "X1"), HA_OK);
	assert_int_equal(world_remove(&w, id, false, 0), HA_OK);
	world_pass(&w, SECOND);
	world_find(&w, FIND_PLACE, "a", ROOM1);
	assert_int_equal(w.a.hold.state, HOLD_REMOVED);
	id = world_opened(&w, "a", ROOM1, "o2", "0-60");
	assert_int_equal(world_outcome(&w, id, world_granted(&w, id, 1), HO_DECLINED, 2), HA_OK);
	world_find(&w, FIND_PLACE, "a", ROOM1);
	assert_int_equal(w.a.hold.state, HOLD_DECLINED);
	id = world_paid(&w, "a", ROOM1, "o3", "0-60");
	world_find(&w, FIND_PLACE, "a", ROOM1);
	assert_int_equal(w.a.hold.state, HOLD_APPROVED);
	world_opened(&w, "a", ROOM1, "o4", "60-120");
	world_find(&w, FIND_PLACE, "a", ROOM1);
	assert_string_equal(w.a.hold.order, "o4");
	world_pass(&w, 10 * MINUTE);
	world_find(&w, FIND_PLACE, "a", ROOM1);
	assert_int_equal(w.a.hold.state, HOLD_EXPIRED);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o5", "60-120"), HA_OK);
	world_find(&w, FIND_PLACE, "a", ROOM1);
	assert_int_equal(w.a.hold.state, HOLD_FENCED);
	assert_int_equal(world_remove(&w, id, true, 3), HA_OK);
	world_restart(&w);
	world_find(&w, FIND_PLACE, "a", ROOM1);
	assert_int_equal(w.a.hold.state, HOLD_REMOVED);	/* it went last, though it is older */
	assert_int_equal(w.a.hold.id, id);
	world_close(&w);
}

static void
reservation_finds_the_oldest_paid_one_and_then_the_last_removed(void **state)
{
	uint64_t one, two;

	OUR(w);
	one = world_paid(&w, "a", ROOM1, "o1", "0-60");
	two = world_paid(&w, "a", ROOM1, "o2", "60-120");
	assert_int_equal(world_find(&w, FIND_REMOVED_LAST, "a", ROOM1), HA_NO_HOLD);
	world_find(&w, FIND_APPROVED_OLDEST, "a", ROOM1);
	assert_int_equal(w.a.hold.id, one);
	assert_int_equal(world_remove(&w, one, true, 3), HA_OK);
	world_find(&w, FIND_APPROVED_OLDEST, "a", ROOM1);
	assert_int_equal(w.a.hold.id, two);
	assert_int_equal(world_remove(&w, two, true, 3), HA_OK);
	assert_int_equal(world_find(&w, FIND_APPROVED_OLDEST, "a", ROOM1), HA_NO_HOLD);
	world_opened(&w, "a", ROOM1, "o3", "600-660");
	world_remove(&w, w.a.hold.id, false, 0);		/* not paid: not the answer */
	world_restart(&w);
	world_pass(&w, 10 * MINUTE - 1);
	world_expire(&w);					/* the guard ends; the answer does not */
	assert_int_equal(world_find(&w, FIND_REMOVED_LAST, "a", ROOM1), HA_OK);
	assert_int_equal(w.a.hold.id, two);
	world_pass(&w, 1);
	assert_int_equal(world_find(&w, FIND_REMOVED_LAST, "a", ROOM1), HA_NO_HOLD);
	assert_int_equal(world_find_tid(&w, "T2"), HA_OK);
	world_close(&w);
}

static void
what_went_last_is_known_after_a_restart_too(void **state)
{
	uint64_t one, two, token;

	OUR(w);
	one = world_opened(&w, "a", ROOM1, "o1", "0-60");
	token = world_granted(&w, one, 1);
	assert_int_equal(world_outcome(&w, one, token, HO_DECLINED, 2), HA_OK);
	two = world_paid(&w, "a", ROOM1, "o2", "60-120");
	assert_int_equal(world_outcome(&w, one, token, HO_APPROVED, 3), HA_OK);	/* late: paid after the younger one */
	world_restart(&w);
	world_find(&w, FIND_APPROVED_OLDEST, "a", ROOM1);
	assert_int_equal(w.a.hold.id, two);
	world_find(&w, FIND_PLACE, "a", ROOM1);
	assert_int_equal(w.a.hold.id, one);
	assert_int_equal(world_remove(&w, two, true, 3), HA_OK);
	assert_int_equal(world_remove(&w, one, true, 4), HA_OK);
	world_restart(&w);
	world_find(&w, FIND_REMOVED_LAST, "a", ROOM1);
	assert_int_equal(w.a.hold.id, one);
	world_close(&w);
}

struct listed {
	uint64_t id[10];
	size_t n, stop;
};

static bool
list_one(void *ctx, const struct hold_view *h, const struct interval_set *set)
{
	struct listed *l = ctx;

	assert_true(hold_state_is_live(h->state) && set->n > 0);
	if (l->n == l->stop)
		return false;
	l->id[l->n++] = h->id;
	return true;
}

static void
live_holds_are_listed_once_each_in_order_of_id(void **state)
{
	struct listed l = { .stop = 10 };
	uint64_t a, b, c, d;

	OUR(w);
	a = world_paid(&w, "a", ROOM1, "o1", "600-660,700-710");
	b = world_opened(&w, "b", ROOM1, "o2", "300-360");
	c = world_opened(&w, "c", ROOM2, "o3", "0-60");
	world_remove(&w, world_opened(&w, "d", ROOM1, "o4", "0-60"), false, 0);
	d = world_held(&w, "b", ROOM1, "o2", "100-160,310-320");
	assert_true(hold_table_each(w.t, ROOM1, list_one, &l));
	assert_int_equal(l.n, 3);
	assert_int_equal(l.id[0], a);
	assert_int_equal(l.id[1], b);
	assert_int_equal(l.id[2], d);
	l.n = 0;
	assert_true(hold_table_each(w.t, NULL, list_one, &l));
	assert_int_equal(l.n, 4);
	assert_int_equal(l.id[2], c);
	l = (struct listed){ .stop = 2 };
	assert_false(hold_table_each(w.t, NULL, list_one, &l));
	assert_int_equal(l.n, 2);
	assert_true(hold_table_each(w.t, "ffffffffffffffffffffffff", list_one, &l));
	world_close(&w);
}

static void
an_order_means_its_open_hold_and_else_its_last_one(void **state)
{
	uint64_t one, two;

	OUR(w);
	assert_int_equal(world_find_order(&w, CID, "o1"), HA_NO_HOLD);
	one = world_opened(&w, "a", ROOM1, "o1", "0-60");
	two = world_opened(&w, "a", ROOM2, "o1", "0-60");
	assert_int_equal(world_find_order(&w, CID, "o1"), HA_OK);
	assert_int_equal(w.a.hold.id, two);
	assert_true(one < two);
	assert_int_equal(world_remove(&w, two, false, 0), HA_OK);
	assert_int_equal(world_find_order(&w, CID, "o1"), HA_OK);
	assert_int_equal(w.a.hold.state, HOLD_REMOVED);
	assert_int_equal(world_find_order(&w, "OTHER", "o1"), HA_NO_HOLD);
	world_close(&w);
}

/* ---- another boot */

static void
deadlines_outlive_a_reboot_by_the_wall_clock(void **state)
{
	uint64_t paid;

	OUR(w);
	world_opened(&w, "a", ROOM1, "o1", "0-60");
	paid = world_paid(&w, "b", ROOM1, "o2", "60-120");
	assert_int_equal(world_remove(&w, paid, true, 3), HA_OK);
	world_restart(&w);
	hold_table_rebase(w.t, true, (struct now){ w.now.boot_ms + 5, w.now.wall_ms - HOUR });	/* the same boot: nothing to do */
	world_pass(&w, 20 * SECOND);
	world_reboot(&w, (struct now){ 7 * SECOND, w.now.wall_ms });	/* a new one, 20 s later */
	assert_int_equal(world_hold(&w, "c", ROOM1, "o3", "60-120"), HA_SLOT_SOLD);
	assert_int_equal(w.a.retry_ms, 40 * SECOND);
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_REPLAY);
	assert_int_equal(w.a.hold.expires_boot_ms, w.now.boot_ms + 10 * MINUTE - 20 * SECOND);
	assert_int_equal(world_expire(&w), w.now.boot_ms + 40 * SECOND);
	world_close(&w);
}

static void
a_wall_clock_that_went_back_ends_nothing_early(void **state)
{
	OUR(w);
	world_opened(&w, "a", ROOM1, "o1", "0-60");
	world_pass(&w, 9 * MINUTE);
	world_reboot(&w, (struct now){ 7 * SECOND, w.now.wall_ms - 300 * DAY });
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_SLOT_HELD);
	assert_int_equal(w.a.retry_ms, 10 * MINUTE);
	world_close(&w);
}

/* ---- words and sizes */

static void
answers_and_outcomes_have_one_word_each(void **state)
{
	enum hold_outcome o;

	(void)state;
	for (enum hold_answer_code c = 0; c < HA__MAX; c++)
		for (enum hold_answer_code other = 0; other < c; other++)
			assert_string_not_equal(hold_answer_name(c), hold_answer_name(other));
	for (enum hold_outcome i = 0; i < HO__MAX; i++) {
		assert_true(hold_outcome_parse(hold_outcome_name(i), &o));
		assert_int_equal(o, i);
	}
	assert_false(hold_outcome_parse("Approved", &o));
	assert_false(hold_outcome_parse("", &o));
}

static void
the_largest_texts_fit_into_a_record_and_one_byte_more_is_refused(void **state)
{
	static char attempt[ATTEMPT_MAX + 2], given[ANSWER_MAX + 2], order[ORDER_CAP], user[USER_CAP];
	struct hold_request rq = { .cid = CID, .order = order, .user = user, .room = ROOM1, .set = { .iv = { { 0, 60 } }, .n = 1 }, .fingerprint = "f",
		.attempt = attempt, .ttl_ms = MINUTE, .call_ms = SECOND };
	struct error err;
	uint64_t id;

	OUR(w);
	memset(order, 'o', sizeof(order) - 1);
	memset(user, 'u', sizeof(user) - 1);
	memset(attempt, 'a', ATTEMPT_MAX + 1);
	memset(given, 'g', ANSWER_MAX + 1);
	assert_false(hold_table_hold(w.t, &rq, &w.load, w.now, &w.a, &err));
	assert_int_equal(err.code, ERR_INPUT);
	attempt[ATTEMPT_MAX] = '\0';
	assert_int_equal(world_done(&w, hold_table_hold(w.t, &rq, &w.load, w.now, &w.a, &err), &err), HA_OK);
	id = w.a.hold.id;
	hold_answer_clear(&w.a);
	assert_false(hold_table_ready(w.t, id, "T1", given, w.now, &w.a, &err));
	assert_int_equal(err.code, ERR_INPUT);
	assert_false(hold_table_ready(w.t, id, "123456789012345678901", "{}", w.now, &w.a, &err));
	given[ANSWER_MAX] = '\0';
	assert_int_equal(world_done(&w, hold_table_ready(w.t, id, "12345678901234567890", given, w.now, &w.a, &err), &err), HA_OK);
	world_restart(&w);
	assert_int_equal(world_find_tid(&w, "12345678901234567890"), HA_OK);
	assert_int_equal(strlen(w.a.hold.attempt), ATTEMPT_MAX);
	assert_int_equal(strlen(w.a.hold.answer), ANSWER_MAX);
	world_close(&w);
}

static void
a_tid_belongs_to_one_hold(void **state)
{
	struct error err = { 0 };
	uint64_t id;

	OUR(w);
	world_opened(&w, "a", ROOM1, "o1", "0-60");
	id = world_held(&w, "b", ROOM1, "o2", "60-120");
	hold_answer_clear(&w.a);
	assert_false(hold_table_ready(w.t, id, "T1", "{}", w.now, &w.a, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	world_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_two_users_the_second_gets_only_what_does_not_overlap),
		cmocka_unit_test(sixty_four_intervals_are_held_and_conflict_each_on_its_own),
		cmocka_unit_test(more_conflicts_than_a_request_has_intervals_are_cut_not_lost),
		cmocka_unit_test(a_request_that_is_not_one_is_refused),
		cmocka_unit_test(a_command_decides_and_only_its_record_changes_the_table),
		cmocka_unit_test(the_order_of_checks_is_paid_progress_replay_slot_limits_busy),
		cmocka_unit_test(calls_and_waiters_together_make_it_busy),
		cmocka_unit_test(a_fourth_hold_of_a_user_waits_for_the_first_to_end),
		cmocka_unit_test(an_approved_hold_does_not_count_as_the_users),
		cmocka_unit_test(a_taken_time_says_when_it_may_be_free),
		cmocka_unit_test(the_same_again_is_a_replay_of_the_ready_answer),
		cmocka_unit_test(the_same_while_the_ready_call_runs_waits_for_it),
		cmocka_unit_test(after_a_failed_ready_call_a_waiter_may_try_itself),
		cmocka_unit_test(a_ready_call_that_finds_the_order_paid_says_so_for_good),
		cmocka_unit_test(during_a_replacement_both_times_are_held_against_others),
		cmocka_unit_test(a_replacement_that_fails_leaves_the_old_hold_as_it_was),
		cmocka_unit_test(a_replacement_keeps_the_old_expiry_only_where_it_overlaps),
		cmocka_unit_test(a_replacement_that_would_be_expired_when_it_is_ready_is_none),
		cmocka_unit_test(an_approve_of_the_old_hold_wins_over_its_replacement),
		cmocka_unit_test(an_order_may_move_to_another_room_of_the_same_user),
		cmocka_unit_test(a_hold_may_replace_one_of_its_place_and_one_of_its_order),
		cmocka_unit_test(a_replacement_outlives_the_old_hold),
		cmocka_unit_test(an_expired_old_hold_may_go_to_others_while_its_replacement_is_opened),
		cmocka_unit_test(an_open_attempt_is_not_replaced),
		cmocka_unit_test(an_approved_hold_leaves_its_place_but_keeps_its_time),
		cmocka_unit_test(a_held_hold_whose_call_never_came_back_is_soon_forgotten),
		cmocka_unit_test(a_held_hold_that_is_over_gives_its_seats_to_the_next),
		cmocka_unit_test(a_ready_hold_expires_at_its_ttl_and_not_before),
		cmocka_unit_test(an_expired_hold_is_taken_again_while_its_time_is_free),
		cmocka_unit_test(a_fence_is_for_ever),
		cmocka_unit_test(a_grant_fences_every_expired_hold_that_it_overlaps),
		cmocka_unit_test(after_the_window_nothing_is_approved),
		cmocka_unit_test(a_charge_that_may_exist_is_ended_by_no_clock),
		cmocka_unit_test(what_is_gone_is_remembered_for_a_day),
		cmocka_unit_test(an_order_that_reached_approving_is_remembered_for_five_weeks),
		cmocka_unit_test(thousands_that_expire_at_once_fit_into_several_records),
		cmocka_unit_test(a_token_only_grows_also_over_restarts),
		cmocka_unit_test(a_number_that_the_queue_has_seen_is_not_granted_again),
		cmocka_unit_test(a_number_under_which_nothing_was_written_may_be_used_again),
		cmocka_unit_test(a_second_approve_waits_for_the_first_until_its_deadline),
		cmocka_unit_test(approvals_go_on_when_ready_calls_no_longer_do),
		cmocka_unit_test(every_state_answers_approve_in_its_way),
		cmocka_unit_test(an_unknown_charge_is_inquired_also_after_the_window),
		cmocka_unit_test(a_refused_token_and_a_restored_attempt_leave_the_hold_as_it_was),
		cmocka_unit_test(a_grant_given_back_does_not_make_an_unknown_charge_certain),
		cmocka_unit_test(of_a_worker_that_vanished_only_the_ledger_can_say_that_it_sent_nothing),
		cmocka_unit_test(five_refused_tokens_a_minute_are_enough),
		cmocka_unit_test(five_grants_a_minute_are_enough_however_they_end),
		cmocka_unit_test(a_grant_given_back_unused_does_not_count),
		cmocka_unit_test(who_opens_and_cancels_again_and_again_is_not_remembered_each_time),
		cmocka_unit_test(an_outcome_is_told_once_and_repeats_change_nothing),
		cmocka_unit_test(a_declined_payment_frees_its_time_and_its_order),
		cmocka_unit_test(a_late_capture_takes_its_time_again_if_it_is_free),
		cmocka_unit_test(a_late_capture_ends_the_orders_other_attempts),
		cmocka_unit_test(a_capture_during_a_replacement_ends_the_replacement),
		cmocka_unit_test(reservation_removes_what_is_paid_and_nothing_else),
		cmocka_unit_test(a_paid_time_stays_guarded_for_a_minute_after_its_removal),
		cmocka_unit_test(without_a_guard_a_removed_time_is_free_at_once),
		cmocka_unit_test(the_gateway_removes_what_is_not_paid),
		cmocka_unit_test(a_place_means_its_open_hold_and_else_the_one_that_went_last),
		cmocka_unit_test(reservation_finds_the_oldest_paid_one_and_then_the_last_removed),
		cmocka_unit_test(what_went_last_is_known_after_a_restart_too),
		cmocka_unit_test(live_holds_are_listed_once_each_in_order_of_id),
		cmocka_unit_test(an_order_means_its_open_hold_and_else_its_last_one),
		cmocka_unit_test(deadlines_outlive_a_reboot_by_the_wall_clock),
		cmocka_unit_test(a_wall_clock_that_went_back_ends_nothing_early),
		cmocka_unit_test(answers_and_outcomes_have_one_word_each),
		cmocka_unit_test(the_largest_texts_fit_into_a_record_and_one_byte_more_is_refused),
		cmocka_unit_test(a_tid_belongs_to_one_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
