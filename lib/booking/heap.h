/* Deadlines, the earliest on top. Timers sit inside of what they are about. No clock, no I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer {
	int64_t due_ms;
	size_t pos;	/* in the heap, from 1; 0: not in it */
};

struct heap {
	struct timer **at;	/* at[1..n] */
	size_t n, cap;
};

/* Puts it in or moves it. INT64_MAX: takes it out. False: no memory, and it is not in. */
bool heap_set(struct heap *h, struct timer *timer, int64_t due_ms);
int64_t heap_next(const struct heap *h);	/* INT64_MAX: empty */
/*
 * Visits what is due at `now_ms`, each after those above it in the heap, without changing anything: O(number of those). False from `each` ends it.
 * Returns the due time of the earliest one that was not visited, INT64_MAX: none.
 */
int64_t heap_each_due(const struct heap *h, int64_t now_ms, bool (*each)(void *ctx, struct timer *timer), void *ctx);
void heap_shift(struct heap *h, int64_t by_ms);	/* all of them alike */
void heap_clear(struct heap *h);
