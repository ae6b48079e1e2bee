/* What an operator does to a payment whose end the courier could not find, and the words that are kept with it. roompayctl's part of the story. */
#pragma once

#include "flow/flow.h"

enum decide_as { DECIDE_AS_FOUND, DECIDE_AS_APPROVED, DECIDE_AS_DECLINED };

struct decision_report {
	enum attempt_state before, after;
	char kakaopay[256];		/* its word for the state, or why there is none */
};

/*
 * Asks KakaoPay and gives the attempt, open or in review, its end. DECIDE_AS_FOUND: only what the inquiry proves. DECIDE_AS_APPROVED: a review whose payment is known is taken as it
 * is. DECIDE_AS_DECLINED: nothing was taken; refused where KakaoPay says otherwise, and while it may still be. reason: kept in the ledger. dry_run: nothing is written, *out->after
 * says what would be. ERR_NOT_FOUND: no such attempt. ERR_CONFLICT: it cannot be decided so; the message says why.
 */
bool flow_decide(struct flow *f, const struct flow_call *c, const char *cid, const char *order, const char *tid, enum decide_as as, const char *reason, bool dry_run,
	struct decision_report *out, struct error *err);

/* A note in the order's ledger: what an operator did about this attempt and why. A hold that never came so far as an approve has no ledger, and a
 * full one takes no note: *written is false. */
bool flow_note(struct flow *f, const struct flow_call *c, const char *cid, const char *order, const char *tid, const char *reason, bool *written, struct error *err);
