/*
 * What a person should see before money goes back by hand, and what is asked of them. The refund
 * itself is flow_refund.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "flow/flow.h"

enum { OPERATE_TWIN_MS = 600000, OPERATE_REFUNDS_MAX = 64 };

struct operate_refund_past {
	char id[REFUND_ID_CAP];
	int64_t amount, at_ms;
};

struct operate_refund_plan {
	struct payment payment;
	enum attempt_state state;
	int64_t refunded;	     /* won, so far */
	enum refund_verdict verdict; /* may so much go back? */
	int64_t amount;		     /* of this one */
	bool is_part;		     /* something is left after it */
	bool is_repeat; /* the ledger has this id: the call only tells how it ended, or goes on */
	bool is_twin;	/* another of the same amount in the last ten minutes: *twin */
	struct operate_refund_past twin;
	struct operate_refund_past past[OPERATE_REFUNDS_MAX]; /* carried out, the oldest first */
	size_t n_past;
};

/* ERR_NOT_FOUND: no such payment. */
bool operate_plan_refund(struct flow *f, const struct flow_call *c,
    const struct flow_refund_request *rq, struct operate_refund_plan *out, struct error *err);
/* Would flow_refund refuse it, as far as the ledger tells? FR_OK: it would not. */
enum flow_result operate_refund_refusal(const struct operate_refund_plan *p);
/* Does the ledger have a refund of this tid under this id? What an operator is told to use again
 * must be there. */
bool operate_has_refund(struct flow *f, const struct flow_call *c, const struct payment *p,
    const char *id, bool *has, struct error *err);
