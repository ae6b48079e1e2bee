/*
 * What records have in common. A record touches the rooms, users, orders, tids and holds that it
 * changes, and a rule looks only at what its own record touches. So if two records touch nothing in
 * common, both can be decided on the same table, and applied one after the other: neither decision
 * would have been different with the other record applied first. No I/O.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "booking/hold_table.h"

enum { TOUCH_MAX = 1024 };

struct hold_touch {
	uint64_t key[TOUCH_MAX]; /* keyed hashes: two names that meet by chance only wait */
	size_t n;
	bool all; /* everything: the counters, the gate, or more than fit */
};

void hold_touch_init(struct hold_touch *t);
/* Adds what the record touches. The record must fit the table as it is. */
void hold_touch_add(struct hold_touch *t, const struct hold_table *table, const void *record,
    size_t len);
bool hold_touch_meets(const struct hold_touch *a, const struct hold_touch *b);
/* Adds what b touches to a. */
void hold_touch_join(struct hold_touch *a, const struct hold_touch *b);
