/*
 * One work item: what queue, ledger and KakaoPay know of it, and what the courier does about it
 * now. When and what: settle_plan.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "flow/flow.h"
#include "flow/settle_plan.h"

enum { SETTLE_STORE_MS = 5000 }; /* for the store, at each step */

/* False: the store; what is wrong with this order alone is told, and the item rests. */
bool settle_item(struct flow *f, const struct store_work *item, struct settle_memory *m,
    struct error *err);
