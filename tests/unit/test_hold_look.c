/* What is found and listed, the words of answers, and the sizes of texts. */
#include "config.h"

#include "hold_world.h"

static void
a_user_and_room_mean_their_open_hold_or_else_the_last_that_ended(void **state)
{
	uint64_t id;

	WORLD(w);
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
	assert_int_equal(w.a.hold.state, HOLD_REMOVED); /* it ended last, although it is older */
	assert_int_equal(w.a.hold.id, id);
	world_close(&w);
}

static void
the_reservation_service_finds_the_oldest_paid_hold_then_the_last_removed(void **state)
{
	uint64_t one, two;

	WORLD(w);
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
	world_remove(&w, w.a.hold.id, false, 0); /* unpaid: never the answer */
	world_restart(&w);
	world_pass(&w, 10 * MINUTE - 1);
	world_expire(&w); /* the guard ends, the answer stays */
	assert_int_equal(world_find(&w, FIND_REMOVED_LAST, "a", ROOM1), HA_OK);
	assert_int_equal(w.a.hold.id, two);
	world_pass(&w, 1);
	assert_int_equal(world_find(&w, FIND_REMOVED_LAST, "a", ROOM1), HA_NO_HOLD);
	assert_int_equal(world_find_tid(&w, "T2"), HA_OK);
	world_close(&w);
}

static void
the_hold_that_ended_last_is_known_after_a_restart(void **state)
{
	uint64_t one, two, token;

	WORLD(w);
	one = world_opened(&w, "a", ROOM1, "o1", "0-60");
	token = world_granted(&w, one, 1);
	assert_int_equal(world_outcome(&w, one, token, HO_DECLINED, 2), HA_OK);
	two = world_paid(&w, "a", ROOM1, "o2", "60-120");
	/* late, after the younger hold */
	assert_int_equal(world_outcome(&w, one, token, HO_APPROVED, 3), HA_OK);
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

	WORLD(w);
	a = world_paid(&w, "a", ROOM1, "o1", "600-660,700-710");
	b = world_opened(&w, "b", ROOM1, "o2", "300-360");
	c = world_opened(&w, "c", ROOM2, "o3", "0-60");
	world_remove(&w, world_opened(&w, "d", ROOM1, "o4", "0-60"), false, 0);
	d = world_held(&w, "b", ROOM1, "o2", "100-160,310-320");
	assert_true(hold_table_each(w.t, ROOM1, w.now, list_one, &l));
	assert_int_equal(l.n, 3);
	assert_int_equal(l.id[0], a);
	assert_int_equal(l.id[1], b);
	assert_int_equal(l.id[2], d);
	l.n = 0;
	assert_true(hold_table_each(w.t, NULL, w.now, list_one, &l));
	assert_int_equal(l.n, 4);
	assert_int_equal(l.id[2], c);
	l = (struct listed){ .stop = 2 };
	assert_false(hold_table_each(w.t, NULL, w.now, list_one, &l));
	assert_int_equal(l.n, 2);
	assert_true(hold_table_each(w.t, "ffffffffffffffffffffffff", w.now, list_one, &l));
	world_close(&w);
}

static void
an_order_means_its_open_hold_or_else_its_last_one(void **state)
{
	uint64_t one, two;

	WORLD(w);
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
	static char attempt[ATTEMPT_MAX + 2], given[ANSWER_MAX + 2], order[ORDER_CAP],
	    user[USER_CAP];
	struct hold_request rq = {
		.cid = CID,
		.order = order,
		.user = user,
		.room = ROOM1,
		.set = { .iv = { { 0, 60 } }, .n = 1 },
		.fingerprint = "f",
		.attempt = attempt,
		.ttl_ms = MINUTE,
		.call_ms = SECOND,
	};
	struct error err;
	uint64_t id;

	WORLD(w);
	memset(order, 'o', sizeof(order) - 1);
	memset(user, 'u', sizeof(user) - 1);
	memset(attempt, 'a', ATTEMPT_MAX + 1);
	memset(given, 'g', ANSWER_MAX + 1);
	assert_false(hold_table_hold(w.t, &rq, &w.load, w.now, &w.a, &err));
	assert_int_equal(err.code, ERR_INPUT);
	attempt[ATTEMPT_MAX] = '\0';
	assert_int_equal(world_done(&w, hold_table_hold(w.t, &rq, &w.load, w.now, &w.a, &err),
			     &err),
	    HA_OK);
	id = w.a.hold.id;
	hold_answer_clear(&w.a);
	assert_false(hold_table_ready(w.t, id, "T1", given, w.now, &w.a, &err));
	assert_int_equal(err.code, ERR_INPUT);
	assert_false(hold_table_ready(w.t, id, "123456789012345678901", "{}", w.now, &w.a, &err));
	given[ANSWER_MAX] = '\0';
	assert_int_equal(world_done(&w,
			     hold_table_ready(w.t, id, "12345678901234567890", given, w.now, &w.a,
				 &err),
			     &err),
	    HA_OK);
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

	WORLD(w);
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
		cmocka_unit_test(a_user_and_room_mean_their_open_hold_or_else_the_last_that_ended),
		cmocka_unit_test(
		    the_reservation_service_finds_the_oldest_paid_hold_then_the_last_removed),
		cmocka_unit_test(the_hold_that_ended_last_is_known_after_a_restart),
		cmocka_unit_test(live_holds_are_listed_once_each_in_order_of_id),
		cmocka_unit_test(an_order_means_its_open_hold_or_else_its_last_one),
		cmocka_unit_test(answers_and_outcomes_have_one_word_each),
		cmocka_unit_test(the_largest_texts_fit_into_a_record_and_one_byte_more_is_refused),
		cmocka_unit_test(a_tid_belongs_to_one_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
