#include "config.h"

#include "mongo_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CORES_MAX = 64 };

struct document {
	struct buf records;
	uint64_t nonce;
	int64_t known_us; /* when a majority has it */
};

struct mongo_log {
	struct document *document;
	size_t n, cap;
	uint64_t settled;
};

struct mongo {
	struct clockwork *time;
	struct dice *dice;
	struct costs costs;
	struct mongo_place place;
	struct mongo_log *log;
	int logs, followers, primary, epoch, cycle_epoch;
	int64_t free_us[CORES_MAX]; /* when each processor has done what it was given */
	bool away;
	int64_t away_us;		   /* since then */
	struct mongo_op *waiting;	   /* for a primary */
	struct mongo_op *written, *cycled; /* for the next cycle, and for the one under way */
	struct mongo_counts counts;
};

static int64_t
max_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

struct mongo *
mongo_new(struct clockwork *time, struct dice *dice, const struct costs *costs,
    const struct mongo_place *place, int logs, int followers)
{
	struct mongo *m = calloc(1, sizeof(*m));

	if (m == NULL || (m->log = calloc((size_t)logs, sizeof(*m->log))) == NULL)
		abort();
	m->time = time;
	m->dice = dice;
	m->costs = *costs;
	m->place = *place;
	m->logs = logs;
	m->followers = followers;
	return m;
}

void
mongo_free(struct mongo **m)
{
	for (int i = 0; *m != NULL && i < (*m)->logs; i++) {
		for (size_t k = 0; k < (*m)->log[i].n; k++)
			buf_clear(&(*m)->log[i].document[k].records);
		free((*m)->log[i].document);
	}
	if (*m != NULL)
		free((*m)->log);
	free(*m);
	*m = NULL;
}

/* ---- time and processors */

static double
sample(struct mongo *m, const struct cost_times *t)
{
	static const double at[COST_POINTS] = { .01, .05, .1, .25, .5, .75, .9, .95, .99, .999 };
	double x = dice_unit(m->dice);
	int i = 1;

	if (x <= at[0])
		return t->us[0];
	while (i < COST_POINTS - 1 && x > at[i])
		i++;
	x = x > at[i] ? at[i] : x;
	return t->us[i - 1] + (t->us[i] - t->us[i - 1]) * (x - at[i - 1]) / (at[i] - at[i - 1]);
}

static int64_t
way_us(const struct mongo *m, int region)
{
	return (region == m->primary ? m->place.near_us : m->place.rtt_us) / 2;
}

/* To a member of the majority beside the primary, and back. */
static int64_t
member_us(const struct mongo *m)
{
	return m->place.regions == 1 ? m->place.near_us : m->place.rtt_us;
}

/* When a processor has done this work. */
static int64_t
work(struct mongo *m, double cpu_us)
{
	int64_t *first = &m->free_us[0];

	for (int i = 1; i < m->place.cores; i++)
		if (m->free_us[i] < *first)
			first = &m->free_us[i];
	m->counts.busy += cpu_us / 1e6;
	*first = max_of(*first, clockwork_now_us(m->time)) + (int64_t)cpu_us;
	return *first;
}

/* Work of many small pieces, shared by all processors. */
static void
work_spread(struct mongo *m, double cpu_us)
{
	m->counts.busy += cpu_us / 1e6;
	for (int i = 0; i < m->place.cores; i++)
		m->free_us[i] = max_of(m->free_us[i], clockwork_now_us(m->time)) +
		    (int64_t)(cpu_us / m->place.cores);
}

static const struct cpu_costs *
cpu(const struct mongo *m)
{
	return m->place.one_host ? &m->costs.host : &m->costs.primary;
}

int64_t
mongo_command_us(struct mongo *m)
{
	if (!m->place.one_host)
		return 0;
	return work(m, m->place.cpu_command) - clockwork_now_us(m->time);
}

/* ---- an operation */

static void arrive(void *ctx);

void
mongo_submit(struct mongo *m, struct mongo_op *op)
{
	op->m = m;
	op->epoch = m->epoch;
	if (m->away) {
		op->next = m->waiting;
		m->waiting = op;
		return;
	}
	clockwork_at(m->time,
	    clockwork_now_us(m->time) + way_us(m, op->region) + (int64_t)sample(m, &m->costs.noise),
	    arrive, op);
}

/* The primary to which it was sent is gone. Nobody knows what became of it. */
static bool
is_lost(struct mongo_op *op)
{
	if (op->epoch == op->m->epoch)
		return false;
	mongo_submit(op->m, op);
	return true;
}

static void
answer(void *ctx)
{
	struct mongo_op *op = ctx;

	if (!is_lost(op))
		op->done(op->ctx);
}

static void
answer_at(struct mongo_op *op, int64_t at_us)
{
	clockwork_at(op->m->time, at_us + way_us(op->m, op->region), answer, op);
}

static uint64_t
known_end(const struct mongo *m, int log, int64_t at_us, uint64_t from)
{
	const struct mongo_log *l = &m->log[log];

	while (from < l->n && l->document[from].known_us <= at_us)
		from++;
	return from;
}

static void
grow(struct mongo_log *l)
{
	if (l->n < l->cap)
		return;
	l->cap = l->cap == 0 ? 1024 : 2 * l->cap;
	l->document = realloc(l->document, l->cap * sizeof(*l->document));
	if (l->document == NULL)
		abort();
}

/* ---- cycles: a majority gets on disk what was written */

static void
push(struct mongo_op **list, struct mongo_op *op)
{
	op->next = *list;
	*list = op;
}

static void begin_cycle(struct mongo *m);

static void
end_cycle(void *ctx)
{
	struct mongo *m = ctx;
	struct mongo_op *op, *next;
	int64_t known_us = clockwork_now_us(m->time) + member_us(m);

	if (m->cycled == NULL || m->cycle_epoch != m->epoch)
		return; /* the primary was lost meanwhile */
	op = m->cycled;
	m->cycled = NULL;
	for (; op != NULL; op = next) {
		next = op->next;
		if (op->kind == MONGO_APPEND && op->is_ours) {
			m->log[op->log].document[op->number - 1].known_us = known_us;
			work_spread(m, m->followers * cpu(m)->event);
		}
		answer_at(op, known_us);
	}
	if (m->written != NULL)
		begin_cycle(m);
}

static void
begin_cycle(struct mongo *m)
{
	double wait_us = sample(m, &m->costs.insert) - cpu(m)->write, kb = 0;
	int64_t end_us;

	m->cycled = m->written;
	m->written = NULL;
	m->cycle_epoch = m->epoch;
	for (const struct mongo_op *op = m->cycled; op != NULL; op = op->next)
		if (op->kind == MONGO_APPEND && op->is_ours)
			kb += (double)mongo_records(m, op->log, op->number)->len / 1024;
	work_spread(m, cpu(m)->cycle + kb * cpu(m)->cycle_kb);
	end_us = clockwork_now_us(m->time) + (int64_t)(wait_us + kb * m->costs.wait_kb);
	if (m->place.one_host)
		for (int i = 0; i < m->place.cores; i++)
			end_us = max_of(end_us, m->free_us[i]);
	clockwork_at(m->time, end_us, end_cycle, m);
}

static void
await_majority(struct mongo *m, struct mongo_op *op)
{
	push(&m->written, op);
	if (m->cycled == NULL)
		begin_cycle(m);
}

static void
append(struct mongo *m, struct mongo_op *op)
{
	struct mongo_log *l = &m->log[op->log];
	struct document *d;

	grow(l);
	d = &l->document[l->n++];
	*d = (struct document){ BUF_INIT, op->nonce, INT64_MAX };
	buf_add(&d->records, op->records.data, op->records.len); /* it may be sent again */
	op->is_ours = true;
	m->counts.appended++;
	await_majority(m, op);
}

/* The number is taken: by this operation itself, if its answer was lost. */
static void
append_again(struct mongo *m, struct mongo_op *op)
{
	const struct document *d = &m->log[op->log].document[op->number - 1];

	op->is_ours = d->nonce == op->nonce;
	m->counts.taken += !op->is_ours;
	if (m->written != NULL)
		push(&m->written, op);
	else if (m->cycled != NULL)
		push(&m->cycled, op);
	else
		answer_at(op, max_of(clockwork_now_us(m->time), d->known_us));
}

static void
serve(void *ctx)
{
	struct mongo_op *op = ctx;
	struct mongo *m = op->m;
	struct mongo_log *l = &m->log[op->log];

	if (is_lost(op))
		return;
	if (op->kind == MONGO_READ) {
		m->counts.read++;
		op->end = known_end(m, op->log, clockwork_now_us(m->time), op->number - 1);
		answer_at(op, clockwork_now_us(m->time));
	} else if (op->kind == MONGO_BARRIER) {
		op->end = l->n;
		await_majority(m, op);
	} else if (op->number == l->n + 1) {
		append(m, op);
	} else if (op->number <= l->n) {
		append_again(m, op);
	} else {
		m->counts.gaps++;
		abort();
	}
}

static void
arrive(void *ctx)
{
	struct mongo_op *op = ctx;

	if (!is_lost(op))
		clockwork_at(op->m->time,
		    work(op->m, op->kind == MONGO_READ ? cpu(op->m)->read : cpu(op->m)->write),
		    serve, op);
}

/* ---- reading */

uint64_t
mongo_heard(const struct mongo *m, int log, int region, uint64_t from)
{
	int64_t lag_us = (int64_t)m->costs.lag + way_us(m, region);

	return m->away ? from : known_end(m, log, clockwork_now_us(m->time) - lag_us, from);
}

const struct buf *
mongo_records(const struct mongo *m, int log, uint64_t number)
{
	return &m->log[log].document[number - 1].records;
}

uint64_t
mongo_writer(const struct mongo *m, int log, uint64_t number)
{
	return m->log[log].document[number - 1].nonce;
}

void
mongo_settle(struct mongo *m, int log, uint64_t number)
{
	m->log[log].settled = number;
}

uint64_t
mongo_settled(const struct mongo *m, int log)
{
	return m->log[log].settled;
}

/* ---- losing the primary */

static void
elect(void *ctx)
{
	struct mongo *m = ctx;
	struct mongo_op *op, *next;

	m->away = false;
	m->primary = m->place.regions == 1 ? 0 : 1;
	for (op = m->waiting, m->waiting = NULL; op != NULL; op = next) {
		next = op->next;
		mongo_submit(m, op);
	}
}

/* They are sent again to the next primary. */
static void
set_back(struct mongo *m, struct mongo_op **list)
{
	struct mongo_op *op, *next;

	for (op = *list, *list = NULL; op != NULL; op = next) {
		next = op->next;
		mongo_submit(m, op);
	}
}

void
mongo_lose_primary(struct mongo *m)
{
	int64_t now_us = clockwork_now_us(m->time), end_us = now_us + (int64_t)m->costs.election;

	m->epoch++;
	m->away = true;
	m->away_us = now_us;
	set_back(m, &m->written);
	set_back(m, &m->cycled);
	for (int i = 0; i < m->logs; i++) {
		struct mongo_log *l = &m->log[i];

		if (l->n == 0 || l->document[l->n - 1].known_us <= now_us)
			continue;
		if (dice_below(m->dice, 2) == 0)
			l->document[l->n - 1].known_us = end_us; /* one more member had it */
		else
			buf_clear(&l->document[--l->n].records);
	}
	clockwork_at(m->time, end_us, elect, m);
}

bool
mongo_is_away(const struct mongo *m, int64_t us)
{
	return m->away && clockwork_now_us(m->time) - m->away_us >= us;
}

int
mongo_region(const struct mongo *m)
{
	return m->primary;
}

struct mongo_counts
mongo_counts(const struct mongo *m)
{
	return m->counts;
}
