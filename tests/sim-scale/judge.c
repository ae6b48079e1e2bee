#include "config.h"

#include "judge.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 1 << 18 };

struct grant {
	uint64_t room;
	int hour;
	int64_t until_us;
	size_t next; /* of its bucket; 0: none */
};

struct judge {
	struct grant *grant; /* the first is not used */
	size_t n, cap;
	size_t bucket[BUCKETS];
	int64_t overlaps;
};

struct judge *
judge_new(void)
{
	struct judge *j = calloc(1, sizeof(*j));

	if (j == NULL)
		abort();
	j->n = 1;
	return j;
}

void
judge_free(struct judge **j)
{
	if (*j != NULL)
		free((*j)->grant);
	free(*j);
	*j = NULL;
}

size_t
judge_grant(struct judge *j, uint64_t room, int hour, int64_t now_us, int64_t until_us)
{
	size_t *bucket = &j->bucket[(room * 0x9e3779b97f4a7c15) >> 46];

	for (size_t i = *bucket; i != 0; i = j->grant[i].next) {
		const struct grant *g = &j->grant[i];

		j->overlaps += g->room == room && g->hour == hour && g->until_us > now_us;
	}
	if (j->n >= j->cap) {
		j->cap = j->cap == 0 ? 4096 : 2 * j->cap;
		j->grant = realloc(j->grant, j->cap * sizeof(*j->grant));
		if (j->grant == NULL)
			abort();
	}
	j->grant[j->n] = (struct grant){ room, hour, until_us, *bucket };
	*bucket = j->n;
	return j->n++;
}

void
judge_move_end(struct judge *j, size_t grant, int64_t until_us)
{
	j->grant[grant].until_us = until_us;
}

int64_t
judge_overlaps(const struct judge *j)
{
	return j->overlaps;
}
