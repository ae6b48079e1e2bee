/* What time alone does to a hold, in one boot of the machine and over a reboot. */
#include "config.h"

#include "hold_world.h"

static void
a_held_hold_is_forgotten_if_its_ready_call_never_returns(void **state)
{
	uint64_t id;

	WORLD(w);
	id = world_held(&w, "a", ROOM1, "o1", "0-60");
	world_pass(&w, 15 * SECOND - 1);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_SLOT_HELD);
	world_pass(&w, 1);
	assert_int_equal(world_find(&w, FIND_PLACE, "a", ROOM1), HA_NO_HOLD);
	assert_int_equal(world_ready(&w, id, "T1"), HA_FENCED);
	assert_int_equal(world_approve(&w, id, 1), HA_NO_HOLD);
	/* with or without a record */
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_OK);
	assert_int_equal(world_ready(&w, id, "T1"), HA_FENCED);
	world_close(&w);
}

static void
a_held_hold_that_is_over_makes_room_for_the_next_one(void **state)
{
	WORLD(w);
	world_opened(&w, "a", ROOM1, "o1", "0-60");
	world_held(&w, "a", ROOM1, "o2", "60-120"); /* replaces, and never comes back */
	world_pass(&w, 15 * SECOND);
	/* the order's ready hold */
	assert_int_equal(world_hold(&w, "a", ROOM2, "o1", "0-60"), HA_OK);
	world_pass(&w, 15 * SECOND);
	assert_int_equal(world_hold(&w, "a", ROOM1, "o2", "60-120"), HA_OK);
	world_pass(&w, 15 * SECOND);
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_REPLAY);
	world_close(&w);
}

static void
a_ready_hold_expires_at_its_ttl_and_not_before(void **state)
{
	for (int told = 0; told < 2; told++) { /* told by hold_table_expire, or not */
		uint64_t id;

		WORLD(w);
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
		/* a new hold, which fences it */
		assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_OK);
		assert_int_equal(world_state(&w, "T1"), HOLD_FENCED);
		world_close(&w);
	}
}

static void
an_expired_hold_is_taken_again_while_its_time_is_free(void **state)
{
	uint64_t id, token;

	WORLD(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	world_pass(&w, 11 * MINUTE);
	world_expire(&w);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "60-120"), HA_OK); /* a neighbour */
	token = world_granted(&w, id, 1);
	assert_int_equal(w.a.hold.before, HOLD_EXPIRED);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o3", "0-60"), HA_IN_PROGRESS);
	assert_int_equal(world_hold(&w, "c", ROOM1, "o3", "0-60"), HA_SLOT_HELD);
	assert_int_equal(world_outcome(&w, id, token, HO_REFUSED, 2), HA_OK);
	assert_int_equal(w.a.hold.state, HOLD_EXPIRED); /* as it was before */
	/* one minute is enough */
	assert_int_equal(world_hold(&w, "c", ROOM1, "o3", "59-60"), HA_OK);
	assert_int_equal(world_approve(&w, id, 3), HA_FENCED);
	assert_int_equal(world_fail(&w, w.a.hold.id, false), HA_OK);
	world_close(&w);
}

static void
a_fenced_hold_is_never_approved_again(void **state)
{
	uint64_t id, other;

	WORLD(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60,120-180");
	world_pass(&w, 10 * MINUTE);
	other = world_held(&w, "b", ROOM1, "o2", "170-200");
	assert_int_equal(w.changed.n, 2);
	assert_int_equal(world_fail(&w, other, false), HA_OK); /* free again, but granted once */
	assert_int_equal(world_approve(&w, id, 1), HA_FENCED);
	world_restart(&w);
	assert_int_equal(world_approve(&w, id, 1), HA_FENCED);
	world_close(&w);
}

static void
a_grant_fences_every_expired_hold_that_it_overlaps(void **state)
{
	uint64_t scattered, last, new;

	WORLD(w);
	scattered = world_opened(&w, "b", ROOM1, "o2", "10-20,120-130");
	last = world_opened(&w, "c", ROOM1, "o3", "150-160");
	world_pass(&w, 10 * MINUTE);
	world_opened(&w, "a", ROOM1, "o1", "100-110");
	new = world_held(&w, "a", ROOM1, "o1", "90-200"); /* overlaps three */
	assert_int_equal(world_approve(&w, scattered, 1), HA_FENCED);
	assert_int_equal(world_approve(&w, last, 1), HA_FENCED);
	assert_int_equal(world_ready(&w, new, "X1"), HA_OK);
	assert_int_equal(world_hold(&w, "d", ROOM1, "o4", "10-20"), HA_OK);
	world_close(&w);
}

static void
nothing_is_approved_after_kakaopays_window(void **state)
{
	uint64_t id;

	WORLD(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(w.a.hold.window_boot_ms, w.now.boot_ms + 15 * MINUTE);
	world_pass(&w, 15 * MINUTE);
	assert_int_equal(world_approve(&w, id, 1), HA_EXPIRED);
	w.now.boot_ms--;
	assert_int_equal(world_approve(&w, id, 1), HA_OK);
	world_close(&w);
}

static void
a_hold_that_may_be_charged_never_expires(void **state)
{
	static const struct {
		enum hold_outcome end;
		enum hold_state s;
	} rows[] = { { HO__MAX, HOLD_APPROVING }, { HO_UNKNOWN, HOLD_UNKNOWN },
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
an_ended_hold_is_remembered_for_a_day(void **state)
{
	uint64_t id;

	WORLD(w);
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

	WORLD(w);
	id = world_paid(&w, "a", ROOM1, "o1", "0-60");
	world_pass(&w, 40 * DAY);
	world_expire(&w); /* the order is kept while it has a hold */
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
thousands_of_holds_that_expire_at_once_take_several_records(void **state)
{
	struct hold_stats s;
	int64_t next;
	int records = 0;

	WORLD(w);
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
	/* a single grant fences all of them */
	assert_int_equal(world_hold(&w, "z", ROOM1, "z", "0-1440,1440-2880,2880-4320"), HA_OK);
	assert_true(w.changed.all);
	hold_table_stats(w.t, &s);
	assert_int_equal(s.by_state[HOLD_FENCED], 3000);
	world_close(&w);
}

static void
after_a_reboot_deadlines_follow_the_wall_clock(void **state)
{
	uint64_t paid;

	WORLD(w);
	world_opened(&w, "a", ROOM1, "o1", "0-60");
	paid = world_paid(&w, "b", ROOM1, "o2", "60-120");
	assert_int_equal(world_remove(&w, paid, true, 3), HA_OK);
	world_restart(&w);
	/* the same boot */
	hold_table_rebase(w.t, true, (struct now){ w.now.boot_ms + 5, w.now.wall_ms - HOUR });
	world_pass(&w, 20 * SECOND);
	/* another boot, 20 s later */
	world_reboot(&w, (struct now){ 7 * SECOND, w.now.wall_ms });
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
	WORLD(w);
	world_opened(&w, "a", ROOM1, "o1", "0-60");
	world_pass(&w, 9 * MINUTE);
	world_reboot(&w, (struct now){ 7 * SECOND, w.now.wall_ms - 300 * DAY });
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_SLOT_HELD);
	assert_int_equal(w.a.retry_ms, 10 * MINUTE);
	world_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_held_hold_is_forgotten_if_its_ready_call_never_returns),
		cmocka_unit_test(a_held_hold_that_is_over_makes_room_for_the_next_one),
		cmocka_unit_test(a_ready_hold_expires_at_its_ttl_and_not_before),
		cmocka_unit_test(an_expired_hold_is_taken_again_while_its_time_is_free),
		cmocka_unit_test(a_fenced_hold_is_never_approved_again),
		cmocka_unit_test(a_grant_fences_every_expired_hold_that_it_overlaps),
		cmocka_unit_test(nothing_is_approved_after_kakaopays_window),
		cmocka_unit_test(a_hold_that_may_be_charged_never_expires),
		cmocka_unit_test(an_ended_hold_is_remembered_for_a_day),
		cmocka_unit_test(an_order_that_reached_approving_is_remembered_for_five_weeks),
		cmocka_unit_test(thousands_of_holds_that_expire_at_once_take_several_records),
		cmocka_unit_test(after_a_reboot_deadlines_follow_the_wall_clock),
		cmocka_unit_test(a_wall_clock_that_went_back_ends_nothing_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
