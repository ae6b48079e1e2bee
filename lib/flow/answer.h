/* How a query ends for its caller: what a refusal of the queue or a failure of the store means as
 * an answer. No I/O. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "flow/flow.h"

enum {
	FLOW_RETRY_MS = 2000,	      /* Retry-After where nothing better is known */
	FLOW_FULL_RETRY_MS = 3600000, /* where the order's chain is full (order_has_room), which it
					 stays */
};

/* Empties *out. The result is FR_INTERNAL until somebody sets it, so that a forgotten answer shows.
 */
void flow_answer_begin(struct flow_answer *out);
void flow_answer_set(struct flow_answer *out, enum flow_result result, enum flow_charged charged,
    int64_t retry_ms);
/* What a failed call to queue or store means for the caller; err's text goes into detail. */
void flow_answer_queue_error(struct flow_answer *out, enum flow_charged charged,
    const struct error *err);
void flow_answer_store_error(struct flow_answer *out, enum flow_charged charged,
    const struct error *err);
/* The same for a rule's refusal. */
void flow_answer_refusal(struct flow_answer *out, const struct queue_answer *qa,
    enum flow_charged charged);

bool flow_cid_is_one_of(const char *cid, const char *const *cids, size_t n_cids);
