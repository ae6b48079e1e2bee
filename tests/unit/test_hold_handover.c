/* A queue with a new journal: closed, told what the queue before it knew, and admitted. */
#include "config.h"

#include "hold_world.h"

#define OUR(w) \
	struct world w; \
	struct error err = { 0 }; \
	(void)state; \
	(void)err; \
	world_open(&w)

static enum hold_answer_code
close_gate(struct world *w, struct error *err)
{
	hold_answer_clear(&w->a);
	return world_done(w, hold_table_close(w->t, w->now, &w->a, err), err);
}

static enum hold_answer_code
admit(struct world *w, bool adopted, uint64_t floor, struct error *err)
{
	hold_answer_clear(&w->a);
	return world_done(w, hold_table_admit(w->t, adopted, floor, w->now, &w->a, err), err);
}

static enum hold_answer_code
remember(struct world *w, const char *order, int64_t n, bool paid, struct error *err)
{
	hold_answer_clear(&w->a);
	return world_done(w, hold_table_remember(w->t, CID, order, n, paid, w->now, &w->a, err),
	    err);
}

static struct hold_handover
handover(const char *user, const char *order, const char *tid, const char *set,
    enum hold_state state)
{
	struct hold_handover h = {
		.cid = CID,
		.order = order,
		.user = user,
		.room = ROOM1,
		.tid = tid,
		.attempt = "{}",
		.key = "ab",
		.state = state,
		.token = 7,
		.n = 1,
		.last_n = 2,
		.window_ms = 5 * MINUTE,
	};

	assert_true(interval_set_parse(set, &h.set, NULL));
	return h;
}

static enum hold_answer_code
take_over(struct world *w, const struct hold_handover *h, struct error *err)
{
	hold_answer_clear(&w->a);
	return world_done(w, hold_table_take_over(w->t, h, w->now, &w->a, err), err);
}

static void
a_closed_queue_grants_nothing_until_it_is_admitted(void **state)
{
	OUR(w);
	assert_int_equal(close_gate(&w, &err), HA_OK);
	assert_true(hold_table_is_closed(w.t));
	world_restart(&w);
	assert_true(hold_table_is_closed(w.t));
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "600-720"), HA_NOT_READY);
	assert_int_equal(admit(&w, false, 0, &err), HA_OK);
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "600-720"), HA_OK);
	assert_int_equal(admit(&w, true, 99, &err), HA_OK); /* it is open: nothing changes */
	assert_int_equal(w.a.record.len, 0);
	world_close(&w);
}

static void
an_adopted_queue_waits_for_what_the_old_one_granted(void **state)
{
	OUR(w);
	close_gate(&w, &err);
	hold_table_stay_quiet(w.t, w.now.boot_ms + 75 * SECOND);
	assert_int_equal(admit(&w, true, 1000, &err), HA_IN_PROGRESS);
	assert_int_equal(w.a.retry_ms, 75 * SECOND);
	w.now.boot_ms += 75 * SECOND;
	assert_int_equal(admit(&w, true, 1000, &err), HA_OK);
	assert_int_equal(world_opened(&w, "a", ROOM1, "o1", "600-720"), 1);
	assert_int_equal(world_approve(&w, 1, 1), HA_OK);
	assert_int_equal(w.a.hold.token, 1001); /* above all of the old queue */
	world_close(&w);
}

static void
a_hold_that_is_handed_over_keeps_its_time_and_its_order(void **state)
{
	struct hold_handover unknown = handover("a", "o1", "T1", "600-720", HOLD_UNKNOWN),
			     paid = handover("a", "o2", "T2", "800-900", HOLD_APPROVED);

	OUR(w);
	close_gate(&w, &err);
	assert_int_equal(take_over(&w, &unknown, &err), HA_OK);
	assert_int_equal(take_over(&w, &unknown, &err), HA_REPLAY); /* a second courier */
	assert_int_equal(w.a.record.len, 0);
	assert_int_equal(take_over(&w, &paid, &err), HA_OK);
	world_restart(&w);
	world_find_tid(&w, "T1");
	assert_int_equal(w.a.hold.state, HOLD_UNKNOWN);
	assert_int_equal(w.a.hold.window_boot_ms, w.now.boot_ms + 5 * MINUTE);
	assert_int_equal(world_approve(&w, 1, 3), HA_NOT_READY);
	admit(&w, false, 0, &err);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o3", "700-810"), HA_SLOT_HELD);
	assert_int_equal(w.a.conflicts.n, 2);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "100-110"), HA_ORDER_PAID);
	assert_int_equal(world_approve(&w, 1, 2), HA_LEDGER_BEHIND);
	assert_int_equal(world_approve(&w, 1, 3), HA_OK);
	assert_int_equal(w.a.hold.before, HOLD_UNKNOWN);
	assert_int_equal(w.a.hold.token, 8);
	/* an earlier send is unknown still */
	assert_int_equal(world_outcome(&w, 1, 8, HO_RESTORED, 4), HA_OK);
	world_find_tid(&w, "T1");
	assert_int_equal(w.a.hold.state, HOLD_UNKNOWN);
	assert_int_equal(world_remove(&w, 2, true, 3), HA_OK);
	world_close(&w);
}

static void
a_hold_that_cannot_be_handed_over_is_refused_with_the_reason(void **state)
{
	struct hold_handover h = handover("a", "o1", "T1", "600-720", HOLD_APPROVED),
			     other = handover("b", "o2", "T2", "700-710", HOLD_APPROVED),
			     first = handover("c", "o3", "T3", "10-20", HOLD_UNKNOWN),
			     second = handover("c", "o4", "T4", "20-30", HOLD_REVIEW);

	OUR(w);
	/* an open queue takes nothing over */
	assert_int_equal(take_over(&w, &h, &err), HA_IN_PROGRESS);
	close_gate(&w, &err);
	assert_int_equal(take_over(&w, &h, &err), HA_OK);
	assert_int_equal(take_over(&w, &other, &err), HA_SLOT_HELD);
	assert_int_equal(take_over(&w, &first, &err), HA_OK);
	/* one open attempt a user and room */
	assert_int_equal(take_over(&w, &second, &err), HA_IN_PROGRESS);
	other.state = HOLD_READY;
	hold_answer_clear(&w.a);
	assert_false(hold_table_take_over(w.t, &other, w.now, &w.a, &err));
	assert_int_equal(err.code, ERR_INPUT);
	world_close(&w);
}

static void
the_memory_of_an_order_only_grows(void **state)
{
	const char *cid, *order;
	int64_t n;

	OUR(w);
	assert_int_equal(remember(&w, "o1", 4, false, &err), HA_OK);
	assert_int_equal(remember(&w, "o1", 3, false, &err), HA_OK);
	assert_int_equal(w.a.record.len, 0);
	assert_int_equal(remember(&w, "o2", 2, true, &err), HA_OK);
	assert_int_equal(remember(&w, "o1", 1, true, &err), HA_OK);
	hold_table_newest(w.t, &cid, &order, &n);
	assert_string_equal(order, "o1");
	assert_int_equal(n, 4);
	world_restart(&w);
	hold_table_newest(w.t, &cid, &order, &n);
	assert_string_equal(order, "o1");
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "1-2"), HA_ORDER_PAID);
	world_close(&w);
}

static void
a_ready_hold_of_an_order_that_turns_out_to_be_paid_is_fenced(void **state)
{
	OUR(w);
	world_opened(&w, "a", ROOM1, "o1", "600-720");
	remember(&w, "o1", 2, true, &err);
	world_find(&w, FIND_PLACE, "a", ROOM1);
	assert_int_equal(w.a.hold.state, HOLD_FENCED);
	world_close(&w);
}

static void
overdue_are_the_holds_that_only_an_outcome_ends(void **state)
{
	OUR(w);
	world_opened(&w, "a", ROOM1, "o1", "10-20");
	world_opened(&w, "b", ROOM1, "o2", "20-30");
	world_opened(&w, "c", ROOM1, "o3", "30-40");
	assert_int_equal(world_approve(&w, 1, 1), HA_OK);
	assert_int_equal(world_approve(&w, 2, 1), HA_OK);
	assert_int_equal(world_outcome(&w, 2, w.a.hold.token, HO_UNKNOWN, 2), HA_OK);
	hold_answer_clear(&w.a);
	hold_table_overdue(w.t, 0, w.now, &w.a);
	assert_int_equal(w.a.hold.id, 2);
	world_find_tid(&w, "T1");
	w.now.boot_ms = w.a.hold.deadline_boot_ms + 2 * SECOND;
	hold_answer_clear(&w.a);
	hold_table_overdue(w.t, 0, w.now, &w.a);
	assert_int_equal(w.a.hold.id, 1);
	hold_answer_clear(&w.a);
	hold_table_overdue(w.t, 1, w.now, &w.a);
	assert_int_equal(w.a.hold.id, 2);
	hold_answer_clear(&w.a);
	hold_table_overdue(w.t, 2, w.now, &w.a);
	assert_int_equal(w.a.code, HA_NO_HOLD);
	world_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_closed_queue_grants_nothing_until_it_is_admitted),
		cmocka_unit_test(an_adopted_queue_waits_for_what_the_old_one_granted),
		cmocka_unit_test(a_hold_that_is_handed_over_keeps_its_time_and_its_order),
		cmocka_unit_test(a_hold_that_cannot_be_handed_over_is_refused_with_the_reason),
		cmocka_unit_test(the_memory_of_an_order_only_grows),
		cmocka_unit_test(a_ready_hold_of_an_order_that_turns_out_to_be_paid_is_fenced),
		cmocka_unit_test(overdue_are_the_holds_that_only_an_outcome_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
