/* payReady of a user who has a hold already: the same request again, or another one in its
 * place. */
#include "config.h"

#include "hold_world.h"

static void
an_equal_request_replays_the_ready_answer(void **state)
{
	uint64_t id;

	WORLD(w);
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
an_equal_request_waits_while_the_ready_call_is_under_way(void **state)
{
	uint64_t id;

	WORLD(w);
	id = world_held(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_WAIT);
	assert_int_equal(w.a.hold.id, id);
	w.load.waiters = w.load.max_ready;
	/* a surplus waiter */
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_IN_PROGRESS);
	assert_int_equal(w.a.hold.state, HOLD_HELD);
	w.load.waiters = 0;
	/* another one */
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "60-120"), HA_IN_PROGRESS);
	assert_true(w.a.retry_ms >= SECOND && w.a.retry_ms <= 2 * SECOND);
	/* of the same order */
	assert_int_equal(world_hold(&w, "a", ROOM2, "o1", "0-60"), HA_IN_PROGRESS);
	assert_int_equal(world_ready(&w, id, "T1"), HA_OK);
	assert_int_equal(w.changed.id[0], id);
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_REPLAY);
	world_close(&w);
}

static void
after_a_failed_ready_call_a_waiter_may_ask_itself(void **state)
{
	uint64_t id;

	WORLD(w);
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
a_ready_call_that_finds_the_order_paid_marks_it_paid_for_good(void **state)
{
	uint64_t id;

	WORLD(w);
	id = world_held(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(world_fail(&w, id, true), HA_OK);
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_ORDER_PAID);
	assert_int_equal(world_find_order(&w, CID, "o1"), HA_ORDER_PAID);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_OK);
	world_close(&w);
}

static void
during_a_replacement_both_times_are_kept_from_others(void **state)
{
	uint64_t old, new;

	WORLD(w);
	old = world_opened(&w, "a", ROOM1, "o1", "0-60");
	new = world_held(&w, "a", ROOM1, "o1", "30-120"); /* it may overlap the old one */
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-30"), HA_SLOT_HELD);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "90-120"), HA_SLOT_HELD);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-120"), HA_SLOT_HELD);
	assert_int_equal(w.a.conflicts.n, 1);
	assert_int_equal(w.a.conflicts.iv[0].end, 120); /* a part that both have is told once */
	assert_int_equal(world_find(&w, FIND_PLACE, "a", ROOM1), HA_OK);
	assert_int_equal(w.a.hold.id, old); /* an approve means the old hold */
	assert_true(w.a.hold.replacing);
	/* a second different one */
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "600-660"), HA_IN_PROGRESS);
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_IN_PROGRESS);
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "30-120"), HA_WAIT);
	assert_int_equal(w.a.hold.id, new);
	world_restart(&w);
	assert_int_equal(world_ready(&w, new, "T2"), HA_OK);
	assert_int_equal(w.a.hold.state, HOLD_READY);
	assert_int_equal(world_state(&w, "T1"), HOLD_FENCED); /* in the same step */
	assert_int_equal(world_approve(&w, old, 1), HA_FENCED);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-30"), HA_OK);
	assert_int_equal(world_hold(&w, "c", ROOM1, "o3", "60-61"), HA_SLOT_HELD);
	assert_int_equal(world_ready(&w, new, "T2"), HA_OK); /* repeats answer the same */
	world_close(&w);
}

static void
a_replacement_that_fails_leaves_the_old_hold_as_it_was(void **state)
{
	uint64_t old, new;

	WORLD(w);
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
	static const struct {
		const char *set;
		int64_t left;
	} rows[] = { { "59-120", 7 * MINUTE }, { "0-60,100-110", 7 * MINUTE },
		{ "60-120", 10 * MINUTE } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;

		world_open(&w);
		world_opened(&w, "a", ROOM1, "o1", "0-60");
		world_pass(&w, 3 * MINUTE);
		world_opened(&w, "a", ROOM1, "o1", rows[i].set);
		assert_int_equal(w.a.hold.expires_boot_ms, w.now.boot_ms + rows[i].left);
		/* the tid is new */
		assert_int_equal(w.a.hold.window_boot_ms, w.now.boot_ms + 15 * MINUTE);
		world_close(&w);
	}
}

static void
a_replacement_that_expires_before_it_is_ready_is_fenced(void **state)
{
	uint64_t old, new;

	WORLD(w);
	old = world_opened(&w, "a", ROOM1, "o1", "0-60");
	world_pass(&w, 10 * MINUTE - SECOND);
	new = world_held(&w, "a", ROOM1, "o1", "30-90");
	world_pass(&w, 2 * SECOND);
	assert_int_equal(world_ready(&w, new, "T2"), HA_FENCED);
	assert_int_equal(world_state(&w, "T1"), HOLD_EXPIRED);
	/* its time is free, and the window open */
	assert_int_equal(world_approve(&w, old, 1), HA_OK);
	world_close(&w);
}

static void
an_approve_of_the_old_hold_beats_its_replacement(void **state)
{
	uint64_t old, new, token;

	WORLD(w);
	old = world_opened(&w, "a", ROOM1, "o1", "0-60");
	new = world_held(&w, "a", ROOM1, "o1", "30-120");
	token = world_granted(&w, old, 1);
	assert_int_equal(w.a.hold.before, HOLD_READY);
	/* the new time is free at once */
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "60-120"), HA_OK);
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

	WORLD(w);
	old = world_opened(&w, "a", ROOM1, "o1", "0-60");
	/* another user may not */
	assert_int_equal(world_hold(&w, "b", ROOM2, "o1", "0-60"), HA_IN_PROGRESS);
	new = world_held(&w, "a", ROOM2, "o1", "0-60");
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_SLOT_HELD);
	assert_int_equal(world_hold(&w, "b", ROOM2, "o2", "0-60"), HA_SLOT_HELD);
	assert_int_equal(world_ready(&w, new, "T2"), HA_OK);
	/* another room is another time */
	assert_int_equal(w.a.hold.expires_boot_ms, w.now.boot_ms + 10 * MINUTE);
	assert_int_equal(world_state(&w, "T1"), HOLD_FENCED);
	assert_int_equal(world_approve(&w, old, 1), HA_FENCED);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_OK);
	world_close(&w);
}

static void
a_hold_may_replace_one_of_its_room_and_one_of_its_order_at_once(void **state)
{
	uint64_t a, b, new;

	WORLD(w);
	a = world_opened(&w, "a", ROOM1, "o1", "0-60");
	b = world_opened(&w, "a", ROOM2, "o2", "0-60");
	new = world_held(&w, "a", ROOM2, "o1", "30-90"); /* in room 2, for order 1 */
	world_restart(&w);
	/* that hold is being replaced */
	assert_int_equal(world_hold(&w, "a", ROOM1, "o3", "0-60"), HA_IN_PROGRESS);
	assert_int_equal(world_hold(&w, "a", "cccccccccccccccccccccccc", "o2", "0-60"),
	    HA_IN_PROGRESS);
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

	WORLD(w);
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

	WORLD(w);
	old = world_opened(&w, "a", ROOM1, "o1", "0-60");
	world_pass(&w, 10 * MINUTE - SECOND);
	new = world_held(&w, "a", ROOM1, "o1", "60-120");
	world_pass(&w, 2 * SECOND);
	/* fences the old hold */
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_OK);
	assert_int_equal(world_approve(&w, old, 1), HA_FENCED);
	assert_int_equal(world_hold(&w, "c", ROOM1, "o3", "60-120"), HA_SLOT_HELD);
	assert_int_equal(world_ready(&w, new, "T2"), HA_OK);
	world_close(&w);
}

static void
an_open_attempt_is_not_replaced(void **state)
{
	static const struct {
		enum hold_outcome end;
		enum hold_state s;
	} rows[] = { { HO_UNKNOWN, HOLD_UNKNOWN }, { HO_REVIEW, HOLD_REVIEW } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;
		uint64_t id, token;

		world_open(&w);
		id = world_opened(&w, "a", ROOM1, "o1", "0-60");
		token = world_granted(&w, id, 1);
		for (int round = 0; round < 2; round++) {
			/* even the same request */
			assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_IN_PROGRESS);
			assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "60-120"),
			    HA_IN_PROGRESS);
			assert_int_equal(world_hold(&w, "a", ROOM1, "o2", "60-120"),
			    HA_IN_PROGRESS); /* this place */
			assert_int_equal(world_hold(&w, "a", ROOM2, "o1", "60-120"),
			    HA_IN_PROGRESS); /* this order */
			assert_int_equal(world_hold(&w, "b", ROOM2, "o1", "60-120"),
			    HA_IN_PROGRESS);
			assert_int_equal(world_outcome(&w, id, token, rows[i].end, 2), HA_OK);
			assert_int_equal(w.a.hold.state, rows[i].s);
		}
		world_close(&w);
	}
}

static void
after_an_approved_hold_its_user_may_hold_another_time_there(void **state)
{
	WORLD(w);
	world_paid(&w, "a", ROOM1, "o1", "0-60");
	/* even for its owner */
	assert_int_equal(world_hold(&w, "a", ROOM1, "o2", "30-90"), HA_SLOT_HELD);
	assert_int_equal(world_hold(&w, "a", ROOM1, "o2", "60-90"), HA_OK);
	world_pass(&w, 30 * DAY);
	world_expire(&w);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o3", "0-60"), HA_SLOT_HELD);
	world_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_equal_request_replays_the_ready_answer),
		cmocka_unit_test(an_equal_request_waits_while_the_ready_call_is_under_way),
		cmocka_unit_test(after_a_failed_ready_call_a_waiter_may_ask_itself),
		cmocka_unit_test(a_ready_call_that_finds_the_order_paid_marks_it_paid_for_good),
		cmocka_unit_test(during_a_replacement_both_times_are_kept_from_others),
		cmocka_unit_test(a_replacement_that_fails_leaves_the_old_hold_as_it_was),
		cmocka_unit_test(a_replacement_keeps_the_old_expiry_only_where_it_overlaps),
		cmocka_unit_test(a_replacement_that_expires_before_it_is_ready_is_fenced),
		cmocka_unit_test(an_approve_of_the_old_hold_beats_its_replacement),
		cmocka_unit_test(an_order_may_move_to_another_room_of_the_same_user),
		cmocka_unit_test(a_hold_may_replace_one_of_its_room_and_one_of_its_order_at_once),
		cmocka_unit_test(a_replacement_outlives_the_old_hold),
		cmocka_unit_test(
		    an_expired_old_hold_may_go_to_others_while_its_replacement_is_opened),
		cmocka_unit_test(an_open_attempt_is_not_replaced),
		cmocka_unit_test(after_an_approved_hold_its_user_may_hold_another_time_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
