#include "config.h"

#include "site_inside.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BOOT_MS = 1000000, NEAR_TRIES = 20 };
static const int64_t WALL_MS = INT64_C(1700000000000);
static const struct hold_limits limits = {
	.max_per_user = 3,
	.guard_ms = 60 * 1000,
	.window_ms = 15 * 60 * 1000,
	.max_tries_per_min = 5,
	.removed_answer_ms = 10 * 60 * 1000,
	.gone_memory_ms = INT64_C(24) * 3600 * 1000,
	.order_memory_ms = INT64_C(35) * 24 * 3600 * 1000,
};

struct now
site_now(const struct site *s)
{
	int64_t ms = clockwork_now_us(s->time) / 1000;

	return (struct now){ BOOT_MS + ms, WALL_MS + ms };
}

bool
site_is_warm(const struct site *s)
{
	return clockwork_now_us(s->time) >= s->plan->warm_us;
}

/* ---- machines */

static int
region_of(const struct site *s, int machine)
{
	return machine % s->plan->place.regions;
}

bool
site_has_machine(const struct site *s, int machine)
{
	return !s->lost_region || region_of(s, machine) != s->lost;
}

static int
any_machine(struct site *s, uint64_t room)
{
	int logs = s->plan->logs, log = (int)(room % (uint64_t)logs), m = s->plan->machines;

	if (!s->plan->by_room)
		return (int)dice_below(&s->dice, (uint64_t)m);
	if (logs >= m)
		return log % m;
	return log + logs * (int)dice_below(&s->dice, (uint64_t)((m - log + logs - 1) / logs));
}

int
site_machine_for(struct site *s, uint64_t room, int near)
{
	int m, at_last = 0;

	for (int i = 0; i < NEAR_TRIES; i++) {
		m = any_machine(s, room);
		if (!site_has_machine(s, m))
			continue;
		at_last = m;
		if (near < 0 || region_of(s, m) == region_of(s, near))
			break;
	}
	return at_last;
}

static void
wake(void *ctx)
{
	desk_turn(ctx);
}

static struct desk *
desk_new(struct site *s, int machine, int log)
{
	const struct hold_load load = { .max_ready = 1000000, .max_all = 1000000 };
	struct desk *d = calloc(1, sizeof(*d));
	uint64_t id = (uint64_t)machine * 1000 + (uint64_t)log + 1;

	if (d == NULL)
		abort();
	d->site = s;
	d->machine = machine;
	d->timer_us = INT64_MAX;
	machine_log_open(&d->log, s->mongo, s->time, &s->dice, log, id);
	d->log.region = region_of(s, machine);
	d->log.own_table = s->plan->own_tables;
	d->log.planted = s->plan->planted;
	d->log.wake = wake;
	d->log.ctx = d;
	d->table = s->plan->own_tables ? hold_table_new(&limits) : s->shared[log];
	d->commands = commands_new(d->table, &d->log.log, s->orders, &load);
	if (d->table == NULL || d->commands == NULL)
		abort();
	return d;
}

struct desk *
site_desk(struct site *s, int machine, uint64_t room)
{
	int log = (int)(room % (uint64_t)s->plan->logs);
	struct desk **d = &s->desk[machine * s->plan->logs + log];

	if (*d == NULL)
		*d = desk_new(s, machine, log);
	return *d;
}

static void
on_timer(void *ctx)
{
	struct desk *d = ctx;

	if (d->timer_us > clockwork_now_us(d->site->time))
		return; /* an earlier turn has made it later */
	d->timer_us = INT64_MAX;
	desk_turn(d);
}

static void
set_timer(struct desk *d, int64_t boot_ms)
{
	int64_t now_us = clockwork_now_us(d->site->time), at_us;

	if (boot_ms == INT64_MAX)
		return;
	at_us = (boot_ms - BOOT_MS) * 1000;
	if (at_us <= now_us)
		at_us = now_us + 1000;
	if (at_us >= d->timer_us)
		return;
	d->timer_us = at_us;
	clockwork_at(d->site->time, at_us, on_timer, d);
}

void
desk_turn(struct desk *d)
{
	struct error err;
	struct peer *p;
	int64_t next_boot_ms;

	if (d->is_broken || !site_has_machine(d->site, d->machine))
		return;
	if (!command_end_turn(d->commands, site_now(d->site), &next_boot_ms, &err)) {
		d->is_broken = true; /* a daemon ends then */
		d->site->out->broken++;
		return;
	}
	while ((p = command_next_news(d->commands)) != NULL)
		visitor_hear(p);
	set_timer(d, next_boot_ms);
}

void
desk_ask(struct desk *d, struct peer *p, char *line, size_t len)
{
	if (machine_log_is_behind(&d->log))
		desk_turn(d);
	if (d->is_broken)
		return;
	if (!command_line(d->commands, p, line, len, site_now(d->site)))
		abort();
	desk_turn(d);
}

static void
lose_region(void *ctx)
{
	struct site *s = ctx;

	s->lost_region = true;
	s->lost = mongo_region(s->mongo);
	mongo_lose_primary(s->mongo);
	visitors_flee(s);
}

/* ---- counting */

static void
count_desks(const struct site *s, struct machine_counts *sum)
{
	*sum = (struct machine_counts){ 0 };
	for (int i = 0; i < s->plan->machines * s->plan->logs; i++) {
		const struct machine_counts *c =
		    s->desk[i] == NULL ? NULL : &s->desk[i]->log.counts;

		if (c == NULL)
			continue;
		sum->won += c->won;
		sum->lost += c->lost;
		sum->records += c->records;
		sum->barriers += c->barriers;
		if (c->worst > sum->worst)
			sum->worst = c->worst;
	}
}

static void
measure(struct site *s)
{
	struct machine_counts before, after;
	struct result *out = s->out;
	struct mongo_counts mongo;

	clockwork_run(s->time, s->plan->warm_us);
	count_desks(s, &before);
	mongo = mongo_counts(s->mongo);
	s->last_grant_us = s->plan->warm_us;
	clockwork_run(s->time, s->plan->warm_us + s->plan->measure_us);
	count_desks(s, &after);
	out->seconds = (double)s->plan->measure_us / 1e6;
	out->won = after.won - before.won;
	out->lost = after.lost - before.lost;
	out->records = after.records - before.records;
	out->barriers = after.barriers - before.barriers;
	out->worst = after.worst;
	out->busy = (mongo_counts(s->mongo).busy - mongo.busy) / out->seconds;
	out->taken = mongo_counts(s->mongo).taken - mongo.taken;
	out->overlaps = judge_overlaps(s->judge);
	out->gaps = mongo_counts(s->mongo).gaps;
}

/* ---- the whole */

/* Nobody restores anything here. */
static ssize_t
write_nothing(int fd, const void *data, size_t len, off_t at)
{
	(void)fd;
	(void)data;
	(void)at;
	return (ssize_t)len;
}

static void
open_orders(struct site *s)
{
	static struct disk_io io;

	io = disk_system_io;
	io.pwrite = write_nothing;
	strcpy(s->dir, "/tmp/sim-scale-XXXXXX");
	if (mkdtemp(s->dir) == NULL)
		abort();
	s->orders = order_log_open(s->dir, &io, limits.order_memory_ms, site_now(s), NULL);
	if (s->orders == NULL)
		abort();
}

static void
close_orders(struct site *s)
{
	char path[80];

	order_log_close(&s->orders);
	snprintf(path, sizeof(path), "%s/orders-%016d", s->dir, 1);
	unlink(path);
	rmdir(s->dir);
}

static void
site_open(struct site *s, const struct costs *costs)
{
	const struct plan *p = s->plan;
	int followers = p->by_room && p->logs > 1 ? p->machines / p->logs : p->machines;

	s->time = clockwork_new();
	s->mongo =
	    mongo_new(s->time, &s->dice, costs, &p->place, p->logs, followers > 0 ? followers : 1);
	s->judge = judge_new();
	s->desk = calloc((size_t)(p->machines * p->logs), sizeof(*s->desk));
	s->shared = calloc((size_t)p->logs, sizeof(*s->shared));
	if (s->desk == NULL || s->shared == NULL)
		abort();
	for (int i = 0; !p->own_tables && i < p->logs; i++)
		s->shared[i] = hold_table_new(&limits);
	open_orders(s);
}

static void
site_close(struct site *s)
{
	visitors_free(s);
	for (int i = 0; i < s->plan->machines * s->plan->logs; i++) {
		struct desk *d = s->desk[i];

		if (d == NULL)
			continue;
		commands_free(&d->commands);
		machine_log_close(&d->log);
		if (s->plan->own_tables)
			hold_table_free(&d->table);
		free(d);
	}
	for (int i = 0; i < s->plan->logs; i++)
		hold_table_free(&s->shared[i]);
	free(s->desk);
	free(s->shared);
	close_orders(s);
	judge_free(&s->judge);
	mongo_free(&s->mongo);
	clockwork_free(&s->time);
}

void
site_run(const struct plan *p, const struct costs *costs, uint64_t seed, struct result *out)
{
	struct site s = { .plan = p, .dice = { seed }, .out = out };

	memset(out, 0, sizeof(*out));
	site_open(&s, costs);
	visitors_come(&s);
	if (p->lose_at_us > 0)
		clockwork_at(s.time, p->warm_us + p->lose_at_us, lose_region, &s);
	measure(&s);
	site_close(&s);
}
