/*
 * An approvePayment on its way. approve.c decides whether KakaoPay may be asked; approval.c asks,
 * and writes down what came of it. Nobody else includes this.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/attempt.h"
#include "flow/flow.h"
#include "flow/story.h"

struct approval {
	struct flow *f;
	const struct flow_call *c;
	struct flow_call early; /* the deadline for all work before KakaoPay is asked */
	const char *user_id, *room_id, *pg_token;
	const char *const *cids;
	size_t n_cids;
	char key[KEY_CAP];
	struct ledger_chain chain;
	struct queue_answer qa;
	struct flow_attempt at;
	bool unsettled;	  /* an earlier send of this tid has no certain outcome */
	bool looked;	  /* whether the hold is a fresh one */
	bool guessed;	  /* the chain is taken for empty: the insert at order#1 will tell */
	int64_t behind_n; /* the number that the queue last refused as too low */
	struct flow_answer *out;
};

/* Answers without a payment. */
enum next approval_done(struct approval *ap, enum flow_result result, enum flow_charged charged,
    int64_t retry_ms);
/* For a call that sent nothing: only an earlier send can leave a doubt. */
enum flow_charged approval_charged_before(const struct approval *ap);

enum next approval_answer_captured(struct approval *ap, const struct flow_attempt *at,
    const struct payment *payment, enum attempt_state state, bool replayed);
enum next approval_answer_declined(struct approval *ap, const char *tid,
    const struct provider_answer *pa, bool replayed);
enum next approval_answer_unknown(struct approval *ap, enum attempt_state state);
/* Nothing was sent under the grant of ap->at: the hold goes back to its former state. */
void approval_return_grant(struct approval *ap, enum hold_outcome how);
/* Captured, but the store is away: the courier writes the rest. */
enum next approval_answer_recording(struct approval *ap, const char *tid, const struct error *err);

/*
 * The queue has granted number n: writes the replay key, the work item and `approving` at order#n,
 * asks KakaoPay, writes the outcome at order#n+1 and does what follows.
 */
enum next approval_send(struct approval *ap, int64_t n);
/* The same, where an earlier send has no certain outcome: asks KakaoPay about that one first. */
enum next approval_settle_first(struct approval *ap, int64_t n);
