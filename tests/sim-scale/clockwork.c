#include "config.h"

#include "clockwork.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

struct event {
	int64_t at_us;
	uint64_t order;
	clockwork_fn *fn;
	void *ctx;
};

struct clockwork {
	struct event *heap; /* the first is the next */
	size_t n, cap;
	int64_t now_us;
	uint64_t order;
};

struct clockwork *
clockwork_new(void)
{
	struct clockwork *c = calloc(1, sizeof(*c));

	if (c == NULL)
		abort();
	return c;
}

void
clockwork_free(struct clockwork **c)
{
	if (*c != NULL)
		free((*c)->heap);
	free(*c);
	*c = NULL;
}

int64_t
clockwork_now_us(const struct clockwork *c)
{
	return c->now_us;
}

static bool
is_before(const struct event *a, const struct event *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void
clockwork_at(struct clockwork *c, int64_t at_us, clockwork_fn *fn, void *ctx)
{
	struct event e = { at_us < c->now_us ? c->now_us : at_us, c->order++, fn, ctx };
	size_t i = c->n++;

	if (c->n > c->cap) {
		c->cap = c->cap == 0 ? 1024 : 2 * c->cap;
		c->heap = realloc(c->heap, c->cap * sizeof(*c->heap));
		if (c->heap == NULL)
			abort();
	}
	for (; i > 0 && is_before(&e, &c->heap[(i - 1) / 2]); i = (i - 1) / 2)
		c->heap[i] = c->heap[(i - 1) / 2];
	c->heap[i] = e;
}

static struct event
take_next(struct clockwork *c)
{
	struct event first = c->heap[0], last = c->heap[--c->n];
	size_t i = 0, k;

	while ((k = 2 * i + 1) < c->n) {
		if (k + 1 < c->n && is_before(&c->heap[k + 1], &c->heap[k]))
			k++;
		if (is_before(&last, &c->heap[k]))
			break;
		c->heap[i] = c->heap[k];
		i = k;
	}
	c->heap[i] = last;
	return first;
}

void
clockwork_run(struct clockwork *c, int64_t until_us)
{
	while (c->n > 0 && c->heap[0].at_us <= until_us) {
		struct event e = take_next(c);

		c->now_us = e.at_us;
		e.fn(e.ctx);
	}
	c->now_us = until_us;
}

/* ---- dice: splitmix64 */

uint64_t
dice_roll(struct dice *d)
{
	uint64_t z = d->x += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint64_t
dice_below(struct dice *d, uint64_t n)
{
	return dice_roll(d) % n;
}

double
dice_unit(struct dice *d)
{
	return (double)(dice_roll(d) >> 11) / 9007199254740992.0;
}

int64_t
dice_gap_us(struct dice *d, double a_second)
{
	return (int64_t)(-log(1 - dice_unit(d)) * 1e6 / a_second);
}

/* ---- times */

static int
bucket_of(int64_t us)
{
	int b = us < 1 ? 0 : (int)(log((double)us) * 50);

	return b < TIMES_BUCKETS ? b : TIMES_BUCKETS - 1;
}

void
times_add(struct times *t, int64_t us)
{
	t->n++;
	t->bucket[bucket_of(us)]++;
}

double
times_quantile_ms(const struct times *t, double share)
{
	int64_t want = (int64_t)(share * (double)t->n), seen = 0;

	for (int i = 0; i < TIMES_BUCKETS; i++) {
		seen += t->bucket[i];
		if (seen > want)
			return exp((i + 0.5) / 50) / 1000;
	}
	return 0;
}
