/*
 * What is taken in the week of one room: disjoint intervals in order of time, each with its owner.
 * No I/O.
 *
 * It is a sorted array with binary search, not a tree. A week has 10080 minutes, so there are never
 * more than 10080 intervals of 16 bytes. The worst insertion moves 160 kB, and the dozens that a
 * room usually has fit into a few cache lines.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "booking/interval.h"

struct week_slot {
	struct interval iv;
	void *owner;
};

struct week {
	struct week_slot *slot;
	size_t n, cap;
};

/* Adds all intervals or none. False: one of them overlaps what is there, or no memory. */
bool week_add(struct week *w, const struct interval *iv, size_t n, void *owner);
/* Removes those of `iv` that are in the week and belong to `owner`. */
void week_remove(struct week *w, const struct interval *iv, size_t n, const void *owner);
/* The first slot at or after position `from` that overlaps iv, in O(log n); NULL: none. For the
 * next one call again with its position + 1. */
const struct week_slot *week_find(const struct week *w, struct interval iv, size_t from);
void week_clear(struct week *w);
