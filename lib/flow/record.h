/* What a query writes about its attempt: ledger events, and the work item that stays until
 * everything is done. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "flow/attempt.h"
#include "flow/flow.h"

/* Writes one event of the attempt at order#n, with everything that every event carries. payment and
 * provider may be NULL. */
struct flow_event {
	int64_t n;
	enum ledger_kind kind;
	const char *key;	  /* replay key; NULL: none */
	int64_t deadline_boot_ms; /* approving */
	const struct payment *payment;
	const struct provider_answer *provider;
	const char *reason;
	const struct ledger_refund *refund; /* refunding and its ends; NULL: none */
};
bool flow_put_event(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    const struct flow_event *e, enum store_put *how, struct error *err);
/* The same without writing it. ledger_event_clear by the caller, also after false. */
bool flow_make_event(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    const struct flow_event *what, struct ledger_event *out, struct error *err);
void flow_log_event(const struct ledger_event *e); /* it is written, and ours */

/* Writes the work item for the send under at->n. Must come before that number is taken in the
 * ledger. */
bool flow_put_work(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    struct error *err);
/* The same without writing it. */
void flow_make_work(const struct flow_call *c, const struct flow_attempt *at,
    struct store_work *out);
/* Nothing is left to do for this attempt: deletes the work items of all its sends. */
bool flow_drop_work(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    struct error *err);
/*
 * The courier looks only at the work item of an attempt's newest send. Call it when the one under
 * at->n stands in the ledger and an earlier send has no certain outcome: the item of that send is
 * deleted, so that repeats do not pile them up. If that fails, the courier deletes it.
 */
void flow_drop_earlier_work(struct flow *f, const struct flow_call *c,
    const struct flow_attempt *at);
