/* What refunds share with the courier: reading one at KakaoPay, and all that follows from one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "flow/attempt.h"
#include "flow/flow.h"

/* What KakaoPay's sum of cancelled won says of a refund that was begun. */
enum refund_reading {
	RR_EXECUTED,		/* it rose by exactly this refund */
	RR_NOT_EXECUTED,	/* it is what it was before: proves nothing while the cancel may be under way */
	RR_OTHERWISE,		/* neither: an operator decides */
	RR_SILENT,		/* no answer, or none of use */
};
enum refund_reading flow_read_refund(struct flow *f, const struct flow_attempt *at, const struct order_state *st, const struct ledger_event *begun,
	int64_t deadline_boot_ms, struct provider_answer *pa, char why[200]);

/* Puts how the refund `begun` ended at order#n: refunded or part_refunded (EXECUTED), refund_failed (NOT_EXECUTED; declined: for certain and for good), review with an
 * alert (OTHERWISE), refund_unknown (SILENT). */
bool flow_put_refund_end(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, const struct order_state *st, const struct ledger_event *begun,
	int64_t n, enum refund_reading r, bool declined, const struct provider_answer *pa, const char *why, enum store_put *how, struct error *err);

/*
 * All that follows once the refund that took order#n has its end in this chain: payment.refunded owed, in the order of the refunds; after a full one payment.approved
 * withdrawn where the reservation service has not taken it, and the hold freed; the work item, last. Each step may be repeated. *done false: a try of payment.approved
 * is under way, or somebody else wrote into the chain: later. False: the store.
 */
bool flow_finish_refund(struct flow *f, const struct flow_call *c, const char *cid, const char *order, const char *tid, int64_t n, bool *done, struct error *err);

/* The payment was captured, and KakaoPay said then that it had been given back since: asks how much, and writes it down. *done: it is written. False: the store. */
bool flow_note_outside(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, const struct order_state *st, bool *done, struct error *err);
