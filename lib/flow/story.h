/* What the stories of approve, remove, refund, order and settle have in common: how they go on, and how they begin. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "flow/answer.h"
#include "flow/flow.h"

/* How a story goes on. DONE: *out is the answer. AGAIN: somebody else moved on, or something was written: look at everything anew. FAILED: the
 * store went away (settle alone, which answers nobody). */
enum next { DONE, AGAIN, FAILED };

/* The answer of a story whose store or queue failed. */
enum next story_store_failed(struct flow_answer *out, enum flow_charged charged, const struct error *err);
enum next story_queue_failed(struct flow_answer *out, enum flow_charged charged, const struct error *err);

/* The order's chain, in the place of the one that was read before. */
bool story_read_chain(struct flow *f, const char *cid, const char *order, struct ledger_chain *chain, int64_t deadline_boot_ms, struct error *err);

/* The queue remembers more of the order (last_n) than its ledger tells: an older database? Then the ledger proves nothing. why: for the log. */
bool story_is_behind(const struct ledger_chain *chain, int64_t last_n, char why[200]);
