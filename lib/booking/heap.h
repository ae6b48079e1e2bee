/* A heap of deadlines, the earliest on top. A timer is a member of the thing that it ends. No
 * clock, no I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer {
	int64_t due_ms;
	size_t pos; /* in the heap, from 1; 0: not in it */
};

struct heap {
	struct timer **at; /* at[1..n] */
	size_t n, cap;
};

/* Adds the timer or moves it. INT64_MAX removes it. False: no memory, and the timer is not in. */
bool heap_set(struct heap *h, struct timer *timer, int64_t due_ms);
int64_t heap_next(const struct heap *h); /* INT64_MAX: empty */
/*
 * Visits every timer that is due at `now_ms`, a parent before its children, in O(number of those).
 * Changes nothing. `each` ends the visit by false.
 * Returns the due time of the earliest timer that was not visited; INT64_MAX: there is none.
 */
int64_t heap_each_due(const struct heap *h, int64_t now_ms,
    bool (*each)(void *ctx, struct timer *timer), void *ctx);
void heap_shift(struct heap *h, int64_t by_ms); /* moves every deadline alike */
void heap_clear(struct heap *h);
