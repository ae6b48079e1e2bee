/* What follows from an outcome or a removal once it stands in the ledger: payments, queue, deliveries, work item. Each step may be repeated. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "delivery/outbox.h"
#include "flow/attempt.h"
#include "flow/flow.h"

/* After the outcome stands in the ledger at order#n. How far it came is told by false: ERR_UNAVAILABLE or ERR_UNCERTAIN of the store. A queue that
 * cannot be told is logged, and the work item stays: the ledger is ahead of the queue, and whoever comes next tells it. */
bool flow_finish_outcome(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, int64_t n, enum ledger_kind kind,
	const struct payment *payment, struct error *err);

/* Owes a message and wakes the courier. refunded: of payment.refunded the event that says so; else NULL. */
bool flow_owe(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, enum outbox_kind kind, enum attempt_state state,
	const struct payment *payment, const struct ledger_event *refunded, struct error *err);
/* *owed: the message was put into the outbox for certain, since it was tried, or withdrawn. n: number of the event, of payment.refunded. */
bool flow_is_owed(struct flow *f, const struct flow_call *c, const char *tid, enum outbox_kind kind, int64_t n, bool *owed, struct error *err);

/*
 * What a crash or an absence left undone after a final outcome: the payment not stored, the queue not told, a message not owed. `at` (with its
 * chain) and `st` are of the attempt that has it; hold: as the queue has just shown it, NULL: the queue is asked. Nothing where its hold was
 * removed: that is done after this. False: the store went away again.
 */
bool flow_mend(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, const struct order_state *st, const struct queue_hold *hold,
	struct error *err);

/* What the attempt was when its hold was removed, or is now that it will be. */
enum attempt_state flow_state_at_removal(const struct order_state *st);
/* All that follows from `removed` at order#n: gateway is told, the queue drops the hold (NULL: it has none), the items go. False: the store, or
 * (ERR_UNAVAILABLE too) the queue. *by_queue: which of them. */
bool flow_finish_removal(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, const struct queue_hold *hold,
	const struct order_state *st, int64_t n, bool *by_queue, struct error *err);
