/*
 * What is taken in the week of one room: disjoint intervals in order of time, each with its owner. No I/O.
 * A sorted array with binary search, not a tree: a week has 10080 minutes, so never more than 10080 intervals of 16 bytes. The longest move of an insertion is
 * 160 kB, and a room's usual dozens fit into a few cache lines.
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

/* All intervals or none. False: one of them overlaps what is there, or no memory. */
bool week_add(struct week *w, const struct interval *iv, size_t n, void *owner);
/* Takes out those of `iv` that are there and `owner`'s. */
void week_remove(struct week *w, const struct interval *iv, size_t n, const void *owner);
/* The first slot at or after position `from` that overlaps iv, or NULL; O(log n). The next one: from = its position + 1. */
const struct week_slot *week_find(const struct week *w, struct interval iv, size_t from);
void week_clear(struct week *w);
