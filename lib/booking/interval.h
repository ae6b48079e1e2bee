/* Weekly intervals, half open, in minutes of the week: Sunday 00:00 is 0, the week ends at 10080.
 * No I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "site/limit.h"

enum { DAY_MINUTES = 24 * 60, WEEK_MINUTES = 7 * DAY_MINUTES };

struct interval {
	int16_t start; /* 0..10079 */
	int16_t end;   /* start+1..10080; never past its day's midnight */
};

struct interval_set { /* of one request: disjoint, sorted by start once normalized */
	struct interval iv[INTERVALS_MAX];
	size_t n;
};

/* day: 0..7, both 0 and 7 are Sunday. Minutes of that day: 0 <= start < end <= 1440. False: one of
 * them is out of range. */
bool interval_make(int day, int start_min, int end_min, struct interval *out);
/* Intervals that only touch (600-720, 720-780) do not overlap. */
bool interval_overlaps(struct interval a, struct interval b);
/* Sorts by start. False: two of them overlap; *a, *b: their positions before sorting. */
bool interval_set_normalize(struct interval_set *s, size_t *a, size_t *b);
bool interval_set_overlaps(const struct interval_set *a, const struct interval_set *b);
bool interval_set_equal(const struct interval_set *a, const struct interval_set *b);
/* The text on the queue's socket, "1980-2100,3420-3480", with at least one interval. Parse accepts
 * only what format would write. */
void interval_set_format(const struct interval_set *s, struct buf *out);
bool interval_set_parse(const char *text, struct interval_set *out, struct error *err)
    __attribute__((warn_unused_result));
