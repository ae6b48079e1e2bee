/*
 * Settling and repair: the courier's part of a payment's life. It inquires about attempts without
 * an outcome, writes what it finds, and finishes what a request left undone. It never approves. Its
 * work is the items in `open` and the queue's overdue holds; it looks at nothing else, so its cost
 * does not grow with history. Every step may be repeated, also by two couriers at once: the
 * ledger's keys decide.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "flow/flow.h"

enum { SETTLE_ITEMS_MAX = 10000, SETTLE_POLL_MS = 1000, SETTLE_REST_MS = 3000 };

struct settler;

/*
 * Borrows f. Unless f->gate is FR_OK the queue is not asked, and items of which it must still hear
 * stay. NULL: no memory.
 */
struct settler *settler_new(struct flow *f);
void settler_free(struct settler **s);

/*
 * Looks once at every item that is due. Lists at most SETTLE_ITEMS_MAX items; each costs a read of
 * its order's chain. stop (may be NULL): true ends the sweep between two items. False: the store
 * failed; the next sweep does the rest.
 */
bool settler_sweep(struct settler *s, bool (*stop)(void *ctx), void *ctx, struct error *err);
