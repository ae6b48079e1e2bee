#include "config.h"

#include "booking/interval.h"

#include <assert.h>
#include <string.h>

bool
interval_make(int day, int start_min, int end_min, struct interval *out)
{
	int midnight;

	if (day < 0 || day > 7 || start_min < 0 || start_min >= end_min || end_min > DAY_MINUTES)
		return false;
	midnight = day % 7 * DAY_MINUTES;
	out->start = (int16_t)(midnight + start_min);
	out->end = (int16_t)(midnight + end_min);
	return true;
}

bool
interval_overlaps(struct interval a, struct interval b)
{
	return a.start < b.end && b.start < a.end;
}

bool
interval_set_normalize(struct interval_set *s, size_t *a, size_t *b)
{
	struct interval_set sorted = { .n = 0 };
	size_t from[INTERVALS_MAX]; /* sorted.iv[i] was at from[i] */
	size_t at;

	assert(s->n <= INTERVALS_MAX);
	for (size_t i = 0; i < s->n; i++) {
		for (at = sorted.n++; at > 0 && sorted.iv[at - 1].start > s->iv[i].start; at--) {
			sorted.iv[at] = sorted.iv[at - 1];
			from[at] = from[at - 1];
		}
		sorted.iv[at] = s->iv[i];
		from[at] = i;
	}
	for (size_t i = 1; i < sorted.n; i++) {
		if (!interval_overlaps(sorted.iv[i - 1], sorted.iv[i]))
			continue;
		*a = from[i - 1];
		*b = from[i];
		return false;
	}
	*s = sorted;
	return true;
}

bool
interval_set_overlaps(const struct interval_set *a, const struct interval_set *b)
{
	size_t i = 0, j = 0;

	while (i < a->n && j < b->n) {
		if (interval_overlaps(a->iv[i], b->iv[j]))
			return true;
		if (a->iv[i].end <= b->iv[j].end)
			i++;
		else
			j++;
	}
	return false;
}

bool
interval_set_equal(const struct interval_set *a, const struct interval_set *b)
{
	return a->n == b->n && memcmp(a->iv, b->iv, a->n * sizeof(a->iv[0])) == 0;
}

void
interval_set_format(const struct interval_set *s, struct buf *out)
{
	for (size_t i = 0; i < s->n; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		buf_add_int(out, s->iv[i].start);
		buf_add_char(out, '-');
		buf_add_int(out, s->iv[i].end);
	}
}

/* A minute of the week as %d writes it: no sign, no space, no leading zero. */
static bool
parse_minute(const char **p, int16_t *out)
{
	const char *digits = *p;
	int v = 0;

	for (; **p >= '0' && **p <= '9' && v <= WEEK_MINUTES; (*p)++)
		v = 10 * v + (**p - '0');
	*out = (int16_t)v;
	return *p > digits && v <= WEEK_MINUTES && (*digits != '0' || *p == digits + 1);
}

static bool
parse_one(const char **p, struct interval *iv)
{
	if (!parse_minute(p, &iv->start) || *(*p)++ != '-' || !parse_minute(p, &iv->end))
		return false;
	return iv->start < iv->end && iv->start / DAY_MINUTES == (iv->end - 1) / DAY_MINUTES;
}

bool
interval_set_parse(const char *text, struct interval_set *out, struct error *err)
{
	struct interval_set s = { .n = 0 };
	const char *p = text;

	for (;;) {
		if (s.n == INTERVALS_MAX)
			return error_set(err, ERR_INPUT, "more than %d intervals", INTERVALS_MAX);
		if (!parse_one(&p, &s.iv[s.n]))
			return error_set(err, ERR_INPUT, "interval %zu is not START-END of one day",
			    s.n);
		if (s.n > 0 && s.iv[s.n].start < s.iv[s.n - 1].end)
			return error_set(err, ERR_INPUT,
			    "interval %zu begins before the end of the one before", s.n);
		s.n++;
		if (*p == '\0')
			break;
		if (*p++ != ',')
			return error_set(err, ERR_INPUT, "a comma is missing after interval %zu",
			    s.n - 1);
	}
	*out = s;
	return true;
}
