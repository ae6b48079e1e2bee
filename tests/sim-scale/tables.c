#include "config.h"

#include "tables.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "booking/hold_table.h"
#include "site.h"

enum { SECOND_US = 1000000 };

void
plan_begin(struct plan *p, int machines, int logs)
{
	*p = (struct plan){
		.machines = machines,
		.logs = logs,
		.by_room = logs > 1,
		.place = { .regions = 1, .near_us = 300, .cores = 8 },
		.rooms = 10000000,
		.visitors = machines > 100 ? 16 : 64,
		.warm_us = SECOND_US,
		.measure_us = machines > 100 ? SECOND_US : 3 * SECOND_US,
	};
}

static void
run(const struct plan *p, const struct costs *costs, uint64_t seed, struct result *r)
{
	site_run(p, costs, seed, r);
	if (r->overlaps + r->gaps + r->broken > 0)
		printf("\nVIOLATION: %lld overlaps, %lld gaps, %lld tables broken\n\n",
		    (long long)r->overlaps, (long long)r->gaps, (long long)r->broken);
	fflush(stdout);
}

static double
share(int64_t part, int64_t of)
{
	return of == 0 ? 0 : 100.0 * (double)part / (double)of;
}

static double
rate(const struct result *r, int64_t n)
{
	return (double)n / r->seconds;
}

/* ---- as many holds as it can do */

static void
load_row(int machines, int logs, bool by_room, const struct costs *costs, uint64_t seed)
{
	struct plan p;
	struct result r;

	plan_begin(&p, machines, logs);
	p.by_room = by_room;
	run(&p, costs, seed, &r);
	printf("| %d | %d | %s | %.0f | %.0f | %.0f | %.0f %% | %.0f | %.0f %% | %.0f | %.1f |\n",
	    machines, logs, logs == 1 || !by_room ? "all" : "a group", rate(&r, r.granted),
	    times_quantile_ms(&r.hold, .5), times_quantile_ms(&r.hold, .99),
	    share(r.unavailable, r.unavailable + r.granted),
	    r.won == 0 ? 0 : (double)r.records / (double)r.won, share(r.lost, r.lost + r.won),
	    rate(&r, r.taken), r.busy);
}

static void
table_load(const struct costs *costs, uint64_t seed)
{
	static const int alone[] = { 1, 3, 10, 30, 100, 1000 };
	static const int logs[] = { 4, 16, 64 };

	printf(
	    "| machines | logs | a log is served by | holds/s | p50 ms | p99 ms | unavailable |"
	    " holds in a batch | numbers lost | of them by a try, /s | processors of the primary |\n"
	    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
	for (size_t i = 0; i < sizeof(alone) / sizeof(alone[0]); i++)
		load_row(alone[i], 1, false, costs, seed);
	for (int i = 0; i < 3; i++)
		load_row(100, logs[i], false, costs, seed);
	for (int m = 10; m <= 1000; m *= 10)
		for (int i = 0; i < 3; i++)
			load_row(m, logs[i], true, costs, seed);
}

/* ---- a site with so many visits a second */

static void
visits_row(int machines, int logs, double a_second, const struct costs *costs, uint64_t seed)
{
	struct plan p;
	struct result r;

	plan_begin(&p, machines, logs);
	p.visits_a_second = a_second;
	p.warm_us = 3 * SECOND_US;
	run(&p, costs, seed, &r);
	printf("| %.0f | %d | %d | %.0f | %.0f | %.0f | %.1f %% | %.1f | %.0f %% | %.1f |\n",
	    a_second, machines, logs, rate(&r, r.granted), times_quantile_ms(&r.hold, .5),
	    times_quantile_ms(&r.hold, .99), share(r.unavailable, r.unavailable + r.granted),
	    r.won == 0 ? 0 : (double)r.records / (double)r.won, share(r.lost, r.lost + r.won),
	    r.busy);
}

static void
table_visits(const struct costs *costs, uint64_t seed)
{
	printf(
	    "| visits/s | machines | logs | holds/s | p50 ms | p99 ms | unavailable | records in a batch |"
	    " numbers lost | processors of the primary |\n"
	    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
	visits_row(3, 1, 10, costs, seed);
	visits_row(3, 1, 100, costs, seed);
	visits_row(3, 1, 1000, costs, seed);
	visits_row(10, 1, 100, costs, seed);
	visits_row(10, 1, 1000, costs, seed);
	visits_row(30, 1, 1000, costs, seed);
	visits_row(100, 1, 1000, costs, seed);
	visits_row(10, 4, 1000, costs, seed);
	visits_row(30, 4, 1000, costs, seed);
	visits_row(100, 16, 1000, costs, seed);
	visits_row(100, 16, 10000, costs, seed);
	visits_row(1000, 64, 10000, costs, seed);
}

/* ---- three regions */

static void
regions_row(int machines, int64_t rtt_us, double a_second, const struct costs *costs, uint64_t seed)
{
	struct plan p;
	struct result r;

	plan_begin(&p, machines, 1);
	p.own_tables = true;
	p.place.regions = rtt_us == 0 ? 1 : 3;
	p.place.rtt_us = rtt_us;
	p.visits_a_second = a_second;
	p.warm_us = 4 * SECOND_US;
	p.measure_us = 5 * SECOND_US;
	run(&p, costs, seed, &r);
	printf("| %d | %g | %s | %.0f | %.0f | %.0f | %.1f %% | %.1f |\n", machines,
	    (double)(rtt_us == 0 ? p.place.near_us : rtt_us) / 1000,
	    a_second > 0 ? "100 visits/s" : "as much as it can", rate(&r, r.granted),
	    times_quantile_ms(&r.hold, .5), times_quantile_ms(&r.hold, .99),
	    share(r.unavailable, r.unavailable + r.granted),
	    r.won == 0 ? 0 : (double)r.records / (double)r.won);
}

static void
table_regions(const struct costs *costs, uint64_t seed)
{
	static const int64_t rtt_us[] = { 0, 1000, 10000, 80000 };

	printf("| machines | ms between regions | load | holds/s | p50 ms | p99 ms | unavailable |"
	       " records in a batch |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n");
	for (int machines = 3; machines <= 9; machines += 6)
		for (int i = 0; i < 4; i++)
			regions_row(machines, rtt_us[i], 100, costs, seed);
	for (int machines = 3; machines <= 9; machines += 6)
		for (int i = 0; i < 4; i++)
			regions_row(machines, rtt_us[i], 0, costs, seed);
}

/* ---- a room that everybody wants */

static void
hot_row(int machines, int visitors, double hot_share, const struct costs *costs, uint64_t seed)
{
	struct plan p;
	struct result r;

	plan_begin(&p, machines, 1);
	p.own_tables = true;
	p.visitors = visitors / machines;
	p.hot_share = hot_share;
	run(&p, costs, seed, &r);
	printf("| %d | %d | %.0f %% | %.0f | %.0f | %.1f | %.0f | %.0f |\n", machines, visitors,
	    100 * hot_share, rate(&r, r.granted), rate(&r, r.refused), rate(&r, r.won + r.lost),
	    times_quantile_ms(&r.hold, .5), times_quantile_ms(&r.hold, .99));
}

static void
table_hot(const struct costs *costs, uint64_t seed)
{
	printf(
	    "| machines | visitors | want the same hour | holds/s | refusals/s | appends/s, won and lost |"
	    " p50 ms | p99 ms |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n");
	hot_row(3, 1000, 1, costs, seed);
	hot_row(3, 1000, 0.5, costs, seed);
	hot_row(3, 1000, 0, costs, seed);
	hot_row(10, 1000, 1, costs, seed);
}

/* ---- the region of the primary is lost */

static void
lost_row(int machines, int64_t rtt_us, const struct costs *costs, uint64_t seed)
{
	struct plan p;
	struct result before, after;

	plan_begin(&p, machines, 1);
	p.own_tables = true;
	p.place.regions = 3;
	p.place.rtt_us = rtt_us;
	p.visits_a_second = 100;
	p.warm_us = 4 * SECOND_US;
	run(&p, costs, seed, &before);
	p.lose_at_us = SECOND_US;
	p.measure_us = 25 * SECOND_US;
	run(&p, costs, seed, &after);
	printf("| %d | %g | %.0f | %.0f | %.1f | %.0f | %.0f | %.0f |\n", machines,
	    (double)rtt_us / 1000, times_quantile_ms(&before.hold, .5),
	    times_quantile_ms(&before.hold, .99), (double)after.pause_us / SECOND_US,
	    times_quantile_ms(&after.hold, .5), times_quantile_ms(&after.hold, .99),
	    rate(&after, after.paid));
}

static void
table_lost(const struct costs *costs, uint64_t seed)
{
	printf(
	    "| machines | ms between regions | p50 ms before | p99 ms before | no hold for s | p50 ms |"
	    " p99 ms | payments/s |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n");
	lost_row(3, 1000, costs, seed);
	lost_row(9, 10000, costs, seed);
	lost_row(9, 80000, costs, seed);
}

/* ---- all on the host that was measured: to hold against the real thing (tests/bench) */

enum { COMMAND_US = 60 }; /* processor time of a command in daemon, pipe and client */

static void
host_row(int machines, int visitors, const struct costs *costs, uint64_t seed)
{
	struct plan p;
	struct result r;

	plan_begin(&p, machines, 1);
	p.own_tables = true;
	p.visitors = (visitors + machines - 1) / machines;
	p.place = (struct mongo_place){ .regions = 1,
		.cores = 2,
		.one_host = true,
		.cpu_command = COMMAND_US };
	run(&p, costs, seed, &r);
	printf("| %d | %d | %.0f | %.1f | %.1f | %.1f | %.2f |\n", machines, visitors,
	    rate(&r, r.granted), times_quantile_ms(&r.hold, .5), times_quantile_ms(&r.hold, .99),
	    r.won == 0 ? 0 : (double)r.records / (double)r.won,
	    r.won == 0 ? 0 : (double)r.lost / (double)r.won);
}

static void
table_host(const struct costs *costs, uint64_t seed)
{
	printf(
	    "| machines | clients in all | holds/s | p50 ms | p99 ms | holds in a batch | lost for each won |\n"
	    "| --- | --- | --- | --- | --- | --- | --- |\n");
	host_row(1, 1, costs, seed);
	host_row(1, 64, costs, seed);
	host_row(3, 64, costs, seed);
	host_row(10, 40, costs, seed);
}

/* ---- the slowest command in a thousand, in bare inserts one after another */

static void
tail_row(int machines, int visitors, bool one_host, const struct costs *costs, uint64_t seed)
{
	double bare_ms;
	struct plan p;
	struct result r;

	plan_begin(&p, machines, 1);
	p.visitors = visitors;
	if (one_host)
		p.place = (struct mongo_place){ .regions = 1,
			.cores = 2,
			.one_host = true,
			.cpu_command = COMMAND_US };
	bare_ms = (costs->insert.us[4] + (double)(p.place.near_us + p.place.near_us)) / 1000;
	p.measure_us = 10 * SECOND_US;
	run(&p, costs, seed, &r);
	printf("| %d | %d | %s | %.0f | %.1f | %.1f | %.1f | %.1f | %.2f |\n", machines, visitors,
	    one_host ? "one host of 2" : "of their own", rate(&r, r.granted),
	    times_quantile_ms(&r.hold, .5) / bare_ms, times_quantile_ms(&r.hold, .99) / bare_ms,
	    times_quantile_ms(&r.hold, .999) / bare_ms,
	    r.won == 0 ? 0 : (double)r.records / (double)r.won,
	    r.won == 0 ? 0 : (double)r.taken / (double)r.won);
}

static void
table_tail(const struct costs *costs, uint64_t seed)
{
	static const int machines[] = { 3, 10, 30 };

	printf(
	    "| machines | clients of each | processors | holds/s | p50 in appends | p99 | p99.9 |"
	    " holds in a batch | lost by a try for each won |\n"
	    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
	for (int i = 0; i < 3; i++) {
		tail_row(machines[i], 1, false, costs, seed);
		tail_row(machines[i], 4, false, costs, seed);
		tail_row(machines[i], 64, false, costs, seed);
		tail_row(machines[i], 4, true, costs, seed);
	}
}

/* ---- memory of a table: every machine has it */

static const struct hold_limits limits = {
	.max_per_user = 3,
	.guard_ms = 60000,
	.window_ms = 900000,
	.max_tries_per_min = 5,
	.removed_answer_ms = 600000,
	.gone_memory_ms = 86400000,
	.order_memory_ms = INT64_C(35) * 86400000,
};

static void
apply(struct hold_table *t, struct hold_answer *a, size_t *bytes)
{
	struct error err;

	*bytes += a->record.len;
	if (!hold_table_apply(t, a->record.data, a->record.len, NULL, &err))
		abort();
	hold_answer_clear(a);
}

static void
hold_one(struct hold_table *t, int i, size_t *bytes)
{
	const struct hold_load load = { .max_ready = INT64_MAX, .max_all = INT64_MAX };
	const struct now now = { 1000, 1700000000000 };
	char order[40], user[40], room[40];
	struct hold_request rq = { .cid = "TC0ONETIME",
		.order = order,
		.user = user,
		.room = room,
		.set = { .n = 1, .iv = { { 600, 720 } } },
		.fingerprint = "0123456789abcdef0123456789abcdef",
		.attempt =
		    "{\"partner_user_id\":\"p-0123456789\",\"item_name\":\"room\",\"quantity\":1,"
		    "\"total_amount\":2200,\"tax_free_amount\":0,\"intervals\":\"600-720\"}",
		.ttl_ms = 600000,
		.call_ms = 13000 };
	struct hold_answer a;
	struct error err;

	snprintf(order, sizeof(order), "order-%018d", i);
	snprintf(user, sizeof(user), "user--%018d", i);
	snprintf(room, sizeof(room), "room--%018d", i);
	if (!hold_table_hold(t, &rq, &load, now, &a, &err))
		abort();
	apply(t, &a, bytes);
}

static void
remember_one(struct hold_table *t, int i, size_t *bytes)
{
	const struct now now = { 1000, 1700000000000 };
	char order[40];
	struct hold_answer a;
	struct error err;

	snprintf(order, sizeof(order), "order-%018d", i);
	if (!hold_table_remember(t, "TC0ONETIME", order, 2, true, now, &a, &err))
		abort();
	apply(t, &a, bytes);
}

static void
memory_row(const char *what, void (*add)(struct hold_table *t, int i, size_t *bytes))
{
	enum { N = 200000 };
	size_t before = mallinfo2().uordblks, bytes = 0, used;
	struct hold_table *t = hold_table_new(&limits);

	if (t == NULL)
		abort();
	for (int i = 0; i < N; i++)
		add(t, i, &bytes);
	used = mallinfo2().uordblks - before;
	printf("| %s | %zu | %zu | %.1f |\n", what, used / N, bytes / N,
	    (double)used / N * 10e6 / 1e9);
	hold_table_free(&t);
}

static void
table_memory(const struct costs *costs, uint64_t seed)
{
	(void)costs;
	(void)seed;
	printf(
	    "| what each machine remembers | bytes in memory | bytes of its record | GB for 10 million |\n"
	    "| --- | --- | --- | --- |\n");
	memory_row("a hold", hold_one);
	memory_row("an order of the last 35 days, without its hold", remember_one);
}

/* ---- all */

const char *const tables_names[] = { "load", "visits", "regions", "hot", "lost", "host", "tail",
	"memory", NULL };

bool
tables_print(const char *name, const struct costs *costs, uint64_t seed)
{
	static void (*const tables[])(const struct costs *costs, uint64_t seed) = { table_load,
		table_visits, table_regions, table_hot, table_lost, table_host, table_tail,
		table_memory };

	for (size_t i = 0; tables_names[i] != NULL; i++) {
		if (strcmp(name, tables_names[i]) != 0)
			continue;
		printf("\n%s\n\n", name);
		tables[i](costs, seed);
		fflush(stdout);
		return true;
	}
	return false;
}
