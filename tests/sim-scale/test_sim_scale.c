/* Is the simulation true? What is known must come out of it: what was measured, what follows from
 * the rules, and what a planted mistake does. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "site.h"
#include "tables.h"

#define MEASURED "/tests/sim-scale/measured.txt"

static struct costs costs;

static struct result
run(const struct plan *p, uint64_t seed)
{
	struct result r;

	site_run(p, &costs, seed, &r);
	assert_int_equal(r.gaps, 0);
	return r;
}

static struct result
run_sound(const struct plan *p, uint64_t seed)
{
	struct result r = run(p, seed);

	assert_int_equal(r.overlaps, 0);
	assert_int_equal(r.broken, 0);
	assert_true(r.granted > 0);
	return r;
}

static struct plan
plan(int machines, int logs)
{
	struct plan p;

	plan_begin(&p, machines, logs);
	p.measure_us = 1000000;
	p.visitors = 16;
	return p;
}

static void
assert_near(double x, double want, double share)
{
	if (x < want * (1 - share) || x > want * (1 + share))
		fail_msg("%g is not within %g %% of %g", x, 100 * share, want);
}

/* ---- against measurements: writers that do nothing else, all on one host of two cores */

struct writer {
	struct mongo_op op;
	struct mongo *mongo;
	uint64_t *newest;
	int64_t *done;
};

static void
write_next(struct writer *w)
{
	w->op.number = *w->newest + 1;
	w->op.nonce += 1000;
	mongo_submit(w->mongo, &w->op);
}

static void
on_written(void *ctx)
{
	struct writer *w = ctx;

	*w->done += w->op.is_ours;
	if (*w->newest < w->op.number)
		*w->newest = w->op.number;
	write_next(w);
}

static double
writes_a_second(int n)
{
	enum { SECONDS = 3 };
	const struct mongo_place place = { .regions = 1, .cores = 2, .one_host = true };
	struct clockwork *time = clockwork_new();
	struct dice dice = { 1 };
	struct mongo *m = mongo_new(time, &dice, &costs, &place, n, 0);
	struct writer *w = calloc((size_t)n, sizeof(*w));
	uint64_t *newest = calloc((size_t)n, sizeof(*newest));
	int64_t done = 0;

	for (int i = 0; i < n; i++) {
		w[i] = (struct writer){ .mongo = m, .newest = &newest[i], .done = &done };
		w[i].op = (struct mongo_op){ .kind = MONGO_APPEND,
			.log = i,
			.nonce = (uint64_t)i,
			.done = on_written,
			.ctx = &w[i] };
		write_next(&w[i]);
	}
	clockwork_run(time, SECONDS * 1000000);
	mongo_free(&m);
	clockwork_free(&time);
	free(newest);
	free(w);
	return (double)done / SECONDS;
}

static void
writers_do_what_was_measured(void **state)
{
	(void)state;
	assert_near(writes_a_second(1), costs.measured.by_1, 0.1);
	assert_near(writes_a_second(8), costs.measured.by_8, 0.2);
	assert_near(writes_a_second(32), costs.measured.by_32, 0.35);
}

/* ---- what follows from the rules */

static void
one_machine_loses_no_race(void **state)
{
	struct plan p = plan(1, 1);
	struct result r = run_sound(&p, 1);

	(void)state;
	assert_int_equal(r.lost, 0);
	assert_int_equal(r.taken, 0);
	assert_int_equal(r.unavailable, 0);
}

static void
one_visitor_waits_for_one_append(void **state)
{
	struct plan p = plan(1, 1);
	struct result r;

	(void)state;
	p.visits_a_second = 3; /* so that they do not meet, and nobody is in a hurry */
	p.measure_us = 30000000;
	r = run_sound(&p, 1);
	/* the median of an insert, and the way to the primary and to a member */
	assert_near(times_quantile_ms(&r.hold, .5), (costs.insert.us[4] + 600) / 1000, 0.1);
}

static void
equal_seeds_give_equal_results(void **state)
{
	struct plan p = plan(3, 4);
	struct result a, b, c;

	(void)state;
	p.visits_a_second = 300;
	a = run_sound(&p, 7);
	b = run_sound(&p, 7);
	c = run_sound(&p, 8);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_not_equal(a.granted, c.granted);
}

static void
a_shared_table_tells_what_own_tables_tell(void **state)
{
	struct plan p = plan(5, 1);
	struct result own, shared;

	(void)state;
	shared = run_sound(&p, 3);
	p.own_tables = true;
	own = run_sound(&p, 3);
	assert_near((double)shared.granted, (double)own.granted, 0.02);
	assert_near(times_quantile_ms(&shared.hold, .99), times_quantile_ms(&own.hold, .99), 0.1);
}

static void
a_hot_hour_is_granted_once_and_its_refusals_cost_no_write(void **state)
{
	struct plan p = plan(3, 1);
	struct result r;

	(void)state;
	p.own_tables = true;
	p.hot_share = 1;
	p.warm_us = 0;
	r = run(&p, 1);
	assert_int_equal(r.overlaps, 0);
	assert_int_equal(r.granted, 1);
	assert_true(r.refused > 300);
	/* only those who came before the first grant was known */
	assert_true(r.won + r.lost <= 8);
}

/* ---- failures */

static void
live_holds_never_overlap(void **state)
{
	struct plan p = plan(4, 1);

	(void)state;
	p.own_tables = true;
	p.visits_a_second = 500;
	p.rooms = 20; /* so that they meet */
	run_sound(&p, 1);
	run_sound(&p, 2);
}

/* Who lost does not decide again, but goes on. The judge must see what that does. */
static void
the_judge_finds_a_planted_mistake(void **state)
{
	struct plan p = plan(4, 1);
	struct result r;

	(void)state;
	p.own_tables = true;
	p.rooms = 1;
	p.planted = true;
	r = run(&p, 1);
	assert_true(r.overlaps > 0);
}

static void
a_lost_region_costs_an_election(void **state)
{
	struct plan p = plan(3, 1);
	struct result r;

	(void)state;
	p.own_tables = true;
	p.place.regions = 3;
	p.place.rtt_us = 1000;
	p.visits_a_second = 50;
	p.lose_at_us = 1000000;
	p.measure_us = 20000000;
	r = run_sound(&p, 1);
	assert_true(r.pause_us > (int64_t)costs.election);
	assert_true(r.pause_us < (int64_t)costs.election + 2000000);
	assert_true(r.paid > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writers_do_what_was_measured),
		cmocka_unit_test(one_machine_loses_no_race),
		cmocka_unit_test(one_visitor_waits_for_one_append),
		cmocka_unit_test(equal_seeds_give_equal_results),
		cmocka_unit_test(a_shared_table_tells_what_own_tables_tell),
		cmocka_unit_test(a_hot_hour_is_granted_once_and_its_refusals_cost_no_write),
		cmocka_unit_test(live_holds_never_overlap),
		cmocka_unit_test(the_judge_finds_a_planted_mistake),
		cmocka_unit_test(a_lost_region_costs_an_election),
	};
	const char *dir = getenv("srcdir");
	char path[4096];

	snprintf(path, sizeof(path), "%s" MEASURED, dir == NULL ? "." : dir);
	costs_read(&costs, path);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
