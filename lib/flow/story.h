/* What approve, remove, refund, order and settle have in common: how a query begins, and how it
 * goes on. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "flow/answer.h"
#include "flow/flow.h"

/*
 * How a query goes on. DONE: *out is the answer. AGAIN: the state has changed, by this call or by
 * another one: read everything again. FAILED: the store failed (settle alone, which has nobody to
 * answer).
 */
enum next { DONE, AGAIN, FAILED };

/* Answers a query whose store or queue failed. */
enum next story_store_failed(struct flow_answer *out, enum flow_charged charged,
    const struct error *err);
enum next story_queue_failed(struct flow_answer *out, enum flow_charged charged,
    const struct error *err);

/* Reads the order's chain, in the place of the one that was read before. */
bool story_read_chain(struct flow *f, const char *cid, const char *order,
    struct ledger_chain *chain, int64_t deadline_boot_ms, struct error *err);

/*
 * True if the queue remembers a higher ledger number (last_n) than the chain has: an older copy of
 * the database may have been restored, and the ledger proves nothing. why: for the log.
 */
bool story_is_behind(const struct ledger_chain *chain, int64_t last_n, char why[200]);
