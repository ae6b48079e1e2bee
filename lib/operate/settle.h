/*
 * What an operator does to a payment whose end the courier could not find, and the words that are
 * kept with it.
 */
#pragma once

#include "flow/flow.h"

enum operate_end { OPERATE_END_FOUND, OPERATE_END_APPROVED, OPERATE_END_DECLINED };

enum operate_settle_no {   /* why it cannot be decided so */
	SETTLE_NO_NOTHING, /* none of these: it can be, or was not looked at */
	SETTLE_NO_CAPTURED,
	SETTLE_NO_WINDOW_OPEN,
	SETTLE_NO_CAPTURE,
	SETTLE_NO_PROOF,
	SETTLE_NO_NEED,
	SETTLE_NO_UNDER_WAY,
	SETTLE_NO_OTHERS_WRITE,
	SETTLE_NO__MAX
};
const char *operate_settle_no_text(enum operate_settle_no no, bool korean);

struct operate_settled {
	enum attempt_state before, after;
	enum operate_settle_no no; /* with ERR_CONFLICT */
	char kakaopay[256];	   /* its word for the state, or why there is none */
};

/*
 * Asks KakaoPay and gives the attempt, open or in review, its end. OPERATE_END_FOUND: only what the
 * inquiry proves. OPERATE_END_APPROVED: a review whose payment is known is taken as it is.
 * OPERATE_END_DECLINED: nothing was taken; refused where KakaoPay says otherwise, and while it may
 * still be. reason: kept in the ledger. dry_run: nothing is written, *out->after says what would
 * be. ERR_NOT_FOUND: no such attempt. ERR_CONFLICT: it cannot be decided so; the message says why.
 */
bool operate_settle(struct flow *f, const struct flow_call *c, const char *cid, const char *order,
    const char *tid, enum operate_end as, const char *reason, bool dry_run,
    struct operate_settled *out, struct error *err);

/*
 * A note in the order's ledger: what an operator did about this attempt and why. A hold that never
 * came so far as an approve has no ledger, and a full one takes no note: *written is false.
 */
bool operate_note(struct flow *f, const struct flow_call *c, const char *cid, const char *order,
    const char *tid, const char *reason, bool *written, struct error *err);
