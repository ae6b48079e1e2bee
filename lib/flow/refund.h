/* What cancelPayment shares with the courier: how a refund went at KakaoPay, and what follows it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "flow/attempt.h"
#include "flow/flow.h"

/* What KakaoPay's total of cancelled won says about a refund that was started. */
enum refund_reading {
	RR_EXECUTED,	 /* it rose by exactly this refund */
	RR_NOT_EXECUTED, /* it has not changed: proves nothing while the cancel may still be under
			    way */
	RR_OTHERWISE,	 /* neither: an operator decides */
	RR_SILENT,	 /* no answer, or none of use */
};
enum refund_reading flow_read_refund(struct flow *f, const struct flow_attempt *at,
    const struct order_state *st, const struct ledger_event *begun, int64_t deadline_boot_ms,
    struct provider_answer *pa, char why[200]);

/*
 * Writes the end of the refund `begun` at order#n: refunded or part_refunded (EXECUTED),
 * refund_failed (NOT_EXECUTED; declined: KakaoPay refused it for good), review with an alert
 * (OTHERWISE), refund_unknown (SILENT).
 */
bool flow_put_refund_end(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    const struct order_state *st, const struct ledger_event *begun, int64_t n,
    enum refund_reading r, bool declined, const struct provider_answer *pa, const char *why,
    enum store_put *how, struct error *err);

/*
 * What follows once the ledger has the end of the refund that took order#n. payment.refunded is
 * owed, in the order of the refunds. After a full refund, payment.approved is withdrawn unless the
 * reservation service has taken it, and the hold is freed. The work item goes last. Every step may
 * be repeated. *done false: try again later, since a delivery of payment.approved is under way or
 * another writer was first. False: the store failed.
 */
bool flow_finish_refund(struct flow *f, const struct flow_call *c, const char *cid,
    const char *order, const char *tid, int64_t n, bool *done, struct error *err);

/*
 * For a payment that was refunded outside of roompay before its capture was seen: asks KakaoPay how
 * much, and writes that to the ledger. *done: it is written. False: the store failed.
 */
bool flow_note_outside(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    const struct order_state *st, bool *done, struct error *err);
