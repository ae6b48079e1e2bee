/* Which records may share a batch: those that touch nothing in common. */
#include "config.h"

#include "hold_world.h"

#include "booking/hold_touch.h"

/* A command that is decided, but not applied. */
struct step {
	struct hold_answer a;
	struct hold_touch touched;
};

static void
look(const struct world *w, struct step *s)
{
	hold_touch_init(&s->touched);
	if (s->a.record.len > 0)
		hold_touch_add(&s->touched, w->t, s->a.record.data, s->a.record.len);
}

static void
decide_hold(struct world *w, const char *user, const char *room, const char *order, const char *set,
    struct step *s)
{
	struct hold_request rq = {
		.cid = CID,
		.order = order,
		.user = user,
		.room = room,
		.fingerprint = "f",
		.attempt = "{}",
		.ttl_ms = 10 * MINUTE,
		.call_ms = 13 * SECOND,
	};
	struct error err = { 0 };

	assert_true(interval_set_parse(set, &rq.set, &err));
	assert_true(hold_table_hold(w->t, &rq, &w->load, w->now, &s->a, &err));
	look(w, s);
}

static void
clear(struct step *s)
{
	hold_answer_clear(&s->a);
}

static void
holds_meet_in_a_room_a_user_or_an_order(void **state)
{
	static const struct {
		const char *user, *room, *order;
		bool meets;
	} rows[] = {
		{ "u1", "r1", "o1", true }, { "u1", "r2", "o2", true }, { "u2", "r1", "o2", true },
		{ "u2", "r2", "o1", true }, { "u2", "r2", "o2", false },
		{ "r1", "u1", "r1", false }, /* a user with the name of the room */
	};
	struct world w;

	(void)state;
	world_open(&w);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct step a, b;

		decide_hold(&w, "u1", "r1", "o1", "600-720", &a);
		decide_hold(&w, rows[i].user, rows[i].room, rows[i].order, "600-720", &b);
		assert_int_equal(a.a.code, HA_OK);
		assert_int_equal(b.a.code, HA_OK);
		if (hold_touch_meets(&a.touched, &b.touched) != rows[i].meets)
			fail_msg("row %zu", i);
		clear(&a);
		clear(&b);
	}
	world_close(&w);
}

/* An order that moves to another room lets go of its hold in the old room. */
static void
a_replacement_touches_the_room_that_it_leaves(void **state)
{
	struct world w;
	struct step a, b;

	(void)state;
	world_open(&w);
	world_opened(&w, "u1", "r1", "o1", "600-720");
	decide_hold(&w, "u1", "r2", "o1", "600-720", &a);
	decide_hold(&w, "u2", "r1", "o2", "800-900", &b);
	assert_int_equal(a.a.code, HA_OK);
	assert_true(hold_touch_meets(&a.touched, &b.touched));
	clear(&a);
	clear(&b);
	world_close(&w);
}

static void
a_tid_is_touched_by_the_hold_that_gets_it(void **state)
{
	struct world w;
	struct error err = { 0 };
	struct step a, b;
	uint64_t first, second;

	(void)state;
	world_open(&w);
	first = world_held(&w, "u1", "r1", "o1", "600-720");
	second = world_held(&w, "u2", "r2", "o2", "600-720");
	assert_true(hold_table_ready(w.t, first, "T1", "{}", w.now, &a.a, &err));
	assert_true(hold_table_ready(w.t, second, "T1", "{}", w.now, &b.a, &err));
	look(&w, &a);
	look(&w, &b);
	assert_true(hold_touch_meets(&a.touched, &b.touched));
	clear(&a);
	clear(&b);
	world_close(&w);
}

static void
the_gate_and_the_counters_touch_everything(void **state)
{
	struct world w;
	struct error err = { 0 };
	struct hold_touch none;
	struct step a, b, c;

	(void)state;
	world_open(&w);
	assert_true(hold_table_close(w.t, w.now, &a.a, &err));
	look(&w, &a);
	decide_hold(&w, "u1", "r1", "o1", "600-720", &b);
	assert_true(hold_touch_meets(&a.touched, &b.touched));
	assert_true(hold_touch_meets(&b.touched, &a.touched));
	hold_touch_init(&none);
	assert_false(hold_touch_meets(&a.touched, &none)); /* but not an empty batch */
	world_apply(&w, &a.a.record);
	assert_true(hold_table_admit(w.t, false, 9, w.now, &c.a, &err));
	look(&w, &c);
	assert_true(hold_touch_meets(&c.touched, &b.touched));
	clear(&a);
	clear(&b);
	clear(&c);
	world_close(&w);
}

static void
a_set_that_is_full_touches_everything(void **state)
{
	struct world w;
	struct hold_touch all;
	struct step a;
	char user[20], order[20], room[20];

	(void)state;
	world_open(&w);
	hold_touch_init(&all);
	for (int i = 0; !all.all; i++) {
		assert_in_range(i, 0, TOUCH_MAX);
		snprintf(user, sizeof(user), "u%d", i);
		snprintf(order, sizeof(order), "o%d", i);
		snprintf(room, sizeof(room), "r%d", i);
		decide_hold(&w, user, room, order, "600-720", &a);
		assert_false(hold_touch_meets(&all, &a.touched));
		hold_touch_join(&all, &a.touched);
		assert_true(hold_touch_meets(&all, &a.touched));
		clear(&a);
	}
	decide_hold(&w, "u", "r", "o", "600-720", &a);
	assert_true(hold_touch_meets(&all, &a.touched));
	clear(&a);
	world_close(&w);
}

/* ---- what it is for: such records do not change each other's decision */

static unsigned seed;
static uint64_t last_id, last_token;

static unsigned
pick(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

struct asked {
	unsigned kind, user, room, order, set, id, outcome;
	int64_t n, token;
};

static struct asked
random_command(void)
{
	return (struct asked){
		.kind = pick(9),
		.user = pick(6),
		.room = pick(5),
		.order = pick(9),
		.set = pick(4),
		.id = last_id < 8 ? 1 + pick(8) : (unsigned)last_id - pick(8),
		.outcome = pick(HO__MAX),
		.n = pick(4),
		.token = (int64_t)last_token - pick(3),
	};
}

static void
decide(struct world *w, const struct asked *c, struct step *s)
{
	static const char *const users[] = { "u1", "u2", "u3", "u4", "u5", "u6" };
	static const char *const rooms[] = { "r1", "r2", "r3", "r4", "r5" };
	static const char *const orders[] = { "o1", "o2", "o3", "o4", "o5", "o6", "o7", "o8",
		"o9" };
	static const char *const sets[] = { "600-720", "660-780", "720-800", "600-601" };
	struct error err = { 0 };
	char tid[TID_CAP];
	bool ok = true;

	memset(&s->a, 0, sizeof(s->a));
	snprintf(tid, sizeof(tid), "T%u", c->id % 7 == 0 ? 1 : c->id);
	switch (c->kind) {
	case 0:
	case 1:
		decide_hold(w, users[c->user], rooms[c->room], orders[c->order], sets[c->set], s);
		return;
	case 2:
	case 3:
		ok = hold_table_ready(w->t, c->id, tid, "{}", w->now, &s->a, &err);
		break;
	case 4:
		ok = hold_table_fail(w->t, c->id, c->n == 3, w->now, &s->a, &err);
		break;
	case 5:
		ok = hold_table_approve(w->t, c->id, c->n + 1, "00", 1000, &w->load, w->now, &s->a,
		    &err);
		break;
	case 6:
		ok = hold_table_outcome(w->t, c->id, (uint64_t)c->token,
		    (enum hold_outcome)c->outcome, c->n, w->now, &s->a, &err);
		break;
	case 7:
		ok = hold_table_remove(w->t, c->id, c->n > 1, c->n, w->now, &s->a, &err);
		break;
	default:
		ok = hold_table_remember(w->t, CID, orders[c->order], c->n + 1, c->set == 0, w->now,
		    &s->a, &err);
		break;
	}
	if (!ok) /* one tid for two holds: nothing was decided */
		hold_answer_clear(&s->a);
	look(w, s);
}

static bool
is_same(const struct step *x, const struct step *y)
{
	return x->a.code == y->a.code && x->a.record.len == y->a.record.len &&
	    memcmp(x->a.record.data, y->a.record.data, x->a.record.len) == 0;
}

static void
apply(struct world *w, struct step *s)
{
	if (s->a.code == HA_OK && s->a.hold.id > last_id)
		last_id = s->a.hold.id;
	if (s->a.code == HA_OK && s->a.hold.token > last_token)
		last_token = s->a.hold.token;
	world_apply(w, &s->a.record);
}

/* Decides b again, now that a is applied. In a batch, ids and tokens that a did not use stay
 * unused. So here they may have to be skipped, too. */
static bool
stays_the_same(struct world *w, const struct asked *b, struct step *a, const struct step *ahead)
{
	bool same = false;

	apply(w, a);
	for (uint64_t unused = 0; unused < 2 && !same; unused++) {
		struct step after;

		hold_table_decide_ahead(w->t, unused);
		decide(w, b, &after);
		same = is_same(&after, ahead);
		clear(&after);
	}
	hold_table_decide_ahead(w->t, 0);
	return same;
}

static void
records_with_nothing_in_common_do_not_change_each_others_decision(void **state)
{
	int apart = 0, together = 0;

	(void)state;
	for (unsigned round = 1; round <= 300; round++) {
		struct world w;

		seed = round;
		last_id = last_token = 0;
		world_open(&w);
		for (int i = 0; i < 400; i++) {
			struct asked first = random_command(), second = random_command();
			struct step a, ahead;

			decide(&w, &first, &a);
			hold_table_decide_ahead(w.t, 1);
			decide(&w, &second, &ahead);
			hold_table_decide_ahead(w.t, 0);
			if (a.a.record.len == 0 || ahead.a.record.len == 0 ||
			    hold_touch_meets(&a.touched, &ahead.touched)) {
				together += a.a.record.len > 0 && ahead.a.record.len > 0;
				apply(&w, &a);
			} else {
				apart++;
				if (!stays_the_same(&w, &second, &a, &ahead))
					fail_msg("round %u, step %d: kinds %u and %u", round, i,
					    first.kind, second.kind);
				apply(&w, &ahead);
			}
			clear(&a);
			clear(&ahead);
			world_pass(&w, pick(60) == 0 ? 20 * MINUTE : pick(5000));
			if (pick(20) == 0)
				world_expire(&w);
		}
		world_close(&w);
	}
	assert_in_range(apart, 1500, 100000);
	assert_in_range(together, 500, 100000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_meet_in_a_room_a_user_or_an_order),
		cmocka_unit_test(a_replacement_touches_the_room_that_it_leaves),
		cmocka_unit_test(a_tid_is_touched_by_the_hold_that_gets_it),
		cmocka_unit_test(the_gate_and_the_counters_touch_everything),
		cmocka_unit_test(a_set_that_is_full_touches_everything),
		cmocka_unit_test(records_with_nothing_in_common_do_not_change_each_others_decision),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
