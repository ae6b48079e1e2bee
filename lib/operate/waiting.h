/* Money that waits for an end: attempts whose outcome is not known, payments that a person has to
 * look at. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/flow.h"

struct operate_waiting {
	struct subject of;
	/* approving (later than it should be), unknown, review, unbookable, refund_unknown */
	enum attempt_state state;
	int64_t since_ms;	 /* wall: in this state */
	int64_t total;		 /* won that were taken; -1: no payment is recorded */
	int64_t refunded;	 /* won */
	char reason[REASON_CAP]; /* of the event that made it so; "" */
};

/*
 * From the list of open work, the oldest first; each costs the reads of its order's chain. Stops at
 * the limit and at until_boot_ms: *more, not all were looked at. *out: free.
 */
bool operate_list_waiting(struct flow *f, const struct flow_call *c, const char *const *cids,
    size_t n_cids, size_t limit, int64_t until_boot_ms, struct operate_waiting **out, size_t *n,
    bool *more, struct error *err);
/* As an attempt of an order, for explain.h. */
struct flow_order_attempt operate_waiting_attempt(const struct operate_waiting *w);
