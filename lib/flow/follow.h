/*
 * What follows an outcome or a removal once the ledger has it: the payment is stored, the queue is
 * told, messages are owed, the work item goes. Every step may be repeated.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "delivery/outbox.h"
#include "flow/attempt.h"
#include "flow/flow.h"

/*
 * Writes the event, and of a capture what must stand before anybody is told: the payment, and the
 * message to the reservation service. *how STORE_TAKEN: another writer has the number. False: the
 * ledger may have the event.
 */
struct flow_event;
bool flow_put_outcome(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    const struct flow_event *e, enum store_put *how, struct error *err);
/*
 * Call it after flow_put_outcome wrote the outcome at order#n. False: the store failed on the way
 * (ERR_UNAVAILABLE, ERR_UNCERTAIN). If the queue cannot be told, that is logged and the work item
 * stays: the ledger is ahead of the queue, and the next call or the courier tells it.
 */
bool flow_tell_outcome(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    int64_t n, enum ledger_kind kind, const struct payment *payment, struct error *err);
/*
 * Payment, message, and flow_tell_outcome: where the ledger had the outcome at order#n before.
 */
bool flow_finish_outcome(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    int64_t n, enum ledger_kind kind, const struct payment *payment, struct error *err);

/* Puts a message into the outbox and wakes the courier. refunded: the event, for payment.refunded;
 * else NULL. */
bool flow_owe(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    enum outbox_kind kind, enum attempt_state state, const struct payment *payment,
    const struct ledger_event *refunded, struct error *err);
/*
 * *owed: the message was certainly in the outbox once, since a delivery of it was tried or
 * withdrawn. n: number of the event, for payment.refunded.
 */
bool flow_is_owed(struct flow *f, const struct flow_call *c, const char *tid, enum outbox_kind kind,
    int64_t n, bool *owed, struct error *err);

/*
 * Repairs what a crash or an outage left undone after a final outcome: the payment not stored, the
 * queue not told, a message not owed. `at` (with its chain) and `st` are of the attempt that has
 * the outcome. hold: as the queue has just shown it; NULL: asks the queue. Does nothing if the hold
 * was removed, since removal comes after all this. False: the store failed again.
 */
bool flow_mend(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    const struct order_state *st, const struct queue_hold *hold, struct error *err);

/*
 * *whole: nothing is to be mended. Approve wrote the capture itself, and told the queue, which it
 * does only after payment and messages stand. The payment is looked for all the same: a database
 * that was put back may lack it. A capture that somebody else wrote down may lack more.
 * False: the store failed.
 */
bool flow_is_whole(struct flow *f, const struct flow_call *c, const struct order_state *st,
    const struct queue_hold *hold, bool *whole, struct error *err);

/* The attempt's state when its hold was removed; its present state if that is still to come. */
enum attempt_state flow_state_at_removal(const struct order_state *st);
/* Writes `removed` and the message to the gateway that says so. *how STORE_TAKEN: another writer
 * has the number. st: before it. */
bool flow_put_removed(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    const struct flow_event *e, const struct order_state *st, enum store_put *how,
    struct error *err);
/*
 * What follows `removed` at order#n: queue.removed is owed to the gateway, the queue drops the hold
 * (NULL: it has none), the work items go. owed: this call's flow_put_removed wrote both. False: the
 * store failed, or with *by_queue the queue.
 */
bool flow_finish_removal(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    const struct queue_hold *hold, const struct order_state *st, int64_t n, bool owed,
    bool *by_queue, struct error *err);
