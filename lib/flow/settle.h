/* Settling and repair: the courier's part of a payment's life. It inquires, writes down what it finds, and sees that everything that follows from an end is done;
 * it never approves. Work: the items in `open`, and the holds that the queue has overdue; nothing else is looked at, so the cost does not grow with history.
 * Every step may be repeated and may be done by two at once: the ledger's keys decide. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "flow/flow.h"

enum { SETTLE_ITEMS_MAX = 10000, SETTLE_POLL_MS = 1000 };

struct settler;

/* Borrows f. f->gate FR_OK: the queue is there and this site's; else it is not asked, and items of which it must still hear stay. NULL: no memory. */
struct settler *settler_new(struct flow *f);
void settler_free(struct settler **s);

/* One look at everything whose time has come: at most SETTLE_ITEMS_MAX items are listed, and each costs its order's chain. stop (may be NULL): ends between two
 * items when true. False: the store cannot be read or written; the rest is for the next sweep. */
bool settler_sweep(struct settler *s, bool (*stop)(void *ctx), void *ctx, struct error *err);
