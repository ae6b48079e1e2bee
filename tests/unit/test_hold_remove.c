/* removePaymentInQueue: by the reservation service, and by the gateway. */
#include "config.h"

#include "hold_world.h"

static void
the_reservation_service_removes_paid_holds_only(void **state)
{
	uint64_t id, other;

	WORLD(w);
	assert_int_equal(world_remove(&w, 1, true, 1), HA_NO_HOLD);
	other = world_opened(&w, "b", ROOM1, "o2", "60-120");
	assert_int_equal(world_remove(&w, other, true, 1), HA_NO_HOLD);
	assert_int_equal(world_state(&w, "T1"), HOLD_READY);
	id = world_paid(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(world_remove(&w, id, true, 3), HA_OK);
	assert_int_equal(w.a.hold.state, HOLD_APPROVED); /* as it was */
	assert_string_equal(w.a.hold.attempt, "{\"order\":1}");
	assert_int_equal(world_remove(&w, id, true, 3), HA_REPLAY);
	assert_int_equal(w.a.hold.state, HOLD_REMOVED);
	assert_string_equal(w.a.hold.attempt, "{\"order\":1}");
	assert_string_equal(w.a.hold.answer, "");
	assert_int_equal(w.a.hold.last_n, 3);
	world_close(&w);
}

static void
a_paid_time_is_guarded_for_a_minute_after_its_removal(void **state)
{
	for (int told = 0; told < 2; told++) {
		struct hold_stats s;
		uint64_t id;

		WORLD(w);
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
		/* held is checked before sold */
		assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "30-90"), HA_SLOT_HELD);
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

	WORLD(w);
	w.limits.guard_ms = 0;
	hold_table_free(&w.t);
	w.t = world_table(&w);
	id = world_paid(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(world_remove(&w, id, true, 3), HA_OK);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_OK);
	world_close(&w);
}

static void
the_gateway_removes_unpaid_holds_only(void **state)
{
	uint64_t id, token;

	WORLD(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(world_remove(&w, id, false, 0), HA_OK);
	assert_int_equal(w.a.hold.state, HOLD_READY); /* as it was */
	assert_int_equal(world_state(&w, "T1"), HOLD_REMOVED);
	assert_int_equal(world_remove(&w, id, false, 0), HA_REPLAY);
	assert_int_equal(world_remove(&w, id, true, 0), HA_NO_HOLD);
	assert_int_equal(world_approve(&w, id, 1), HA_FENCED);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	world_pass(&w, 10 * MINUTE); /* expired */
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

static void
of_a_user_who_opens_and_cancels_repeatedly_64_holds_are_remembered(void **state)
{
	uint64_t id, declined;
	struct hold_stats s;

	WORLD(w);
	declined = world_opened(&w, "a", ROOM1, "o0", "0-60");
	assert_int_equal(world_outcome(&w, declined, world_granted(&w, declined, 1), HO_DECLINED,
			     2),
	    HA_OK);
	for (int i = 0; i < 300; i++) {
		id = world_opened(&w, "a", ROOM1, "o1", "0-60");
		assert_int_equal(world_remove(&w, id, false, 0), HA_OK);
		hold_table_stats(w.t, &s);
		assert_in_range(s.by_state[HOLD_REMOVED], i < 63 ? i + 1 : 63, i < 63 ? i + 1 : 63);
	}
	assert_int_equal(s.by_state[HOLD_DECLINED], 1); /* an approve was granted: kept for a day */
	assert_int_equal(world_find(&w, FIND_PLACE, "a", ROOM1), HA_OK);
	assert_int_equal(w.a.hold.id, id);
	assert_int_equal(world_remove(&w, id, false, 0), HA_REPLAY);
	world_restart(&w);
	world_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reservation_service_removes_paid_holds_only),
		cmocka_unit_test(a_paid_time_is_guarded_for_a_minute_after_its_removal),
		cmocka_unit_test(without_a_guard_a_removed_time_is_free_at_once),
		cmocka_unit_test(the_gateway_removes_unpaid_holds_only),
		cmocka_unit_test(
		    of_a_user_who_opens_and_cancels_repeatedly_64_holds_are_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
