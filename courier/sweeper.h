/* The courier's other half, on a thread of its own so that no delivery waits for an inquiry: greets
 * the site, and settles and repairs (lib/flow/settle.h). */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "site/conf.h"
#include "site/limit.h"

struct sweeper;

/* verified is called on the sweeper's thread whenever it has become known that queue and database
 * belong together (queue_id: "" where this courier has no queue), or that they do not (false).
 * Borrows conf. */
struct sweeper *sweeper_start(const struct conf *conf,
    void (*verified)(void *ctx, bool belongs, const char *queue_id), void *ctx, struct error *err);
/* Ends it: at the latest when the step under way is over. */
void sweeper_stop(struct sweeper **s);
