/*
 * A room does not open on a day of the week, or at some hours of it: everybody who paid for that
 * time gets the money back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "booking/interval.h"
#include "flow/flow.h"

struct operate_opening {
	char room_id[ROOM_CAP];
	struct interval when;	/* of the week */
	int64_t from_ms, to_ms; /* of payments approved then; 0: not asked for */
	const char *const *cids;
	size_t n_cids;
};

struct operate_hit { /* a payment for some of that time */
	struct payment payment;
	int64_t left; /* won; 0: all of it went back already */
};

/* *out: free; the newest first. Each costs the reads of its order's chain. False: the store. */
bool operate_find_opening(struct flow *f, const struct operate_opening *o, struct operate_hit **out,
    size_t *n, struct error *err);
/*
 * All that is left of it goes back. The refund's id is made of room and day: run again, the same
 * refund is asked for, and nothing is paid twice. Fills *a as flow_refund does.
 */
void operate_refund_opening(struct flow *f, const struct flow_call *c,
    const struct operate_opening *o, const struct operate_hit *hit, const char *reason,
    struct flow_answer *a);
