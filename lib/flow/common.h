/* What the stories share: their ledger events, their work after an outcome, and the words in which the queue and the store refuse. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "flow/flow.h"
#include "flow/verdict.h"

enum {
	FLOW_RETRY_MS = 2000,		/* Retry-After where nothing better is known */
	FLOW_SPARE_MS = 1500,		/* of the request's time, kept for writing down what KakaoPay said */
	FLOW_INQUIRY_MS = 5000,		/* one inquiry takes no longer */
	FLOW_INQUIRY_MIN_MS = 1000,	/* ... and is not begun with less than this before the spare time */
	FLOW_FULL_RETRY_MS = 3600000,	/* Retry-After where the order's chain is full (order_has_room), which it stays */
};

/* One attempt on its way: what every event, message and record of it says. */
struct flow_attempt {
	struct attempt a;
	char json[ATTEMPT_MAX];		/* a, as the queue keeps it and the ledger will */
	char tid[TID_CAP];
	uint64_t hold_id, token;	/* 0: the queue has no such hold, or no approving was granted */
	int64_t window_boot_ms;		/* end of KakaoPay's window, 0: not known */
	bool was_unknown;		/* its end is not known, or was not once: the gateway is told when it is */
	const struct ledger_chain *chain;	/* as far as it was read; NULL: not at all */
	bool keeps_work;		/* its items stay, whatever its end */
	int64_t n;			/* number of the event whose send is under way, where the chain does not have it yet; 0: none */
};

/* Everything of *out empty: FR_INTERNAL, so that a way that forgets to answer says so. */
void flow_answer_begin(struct flow_answer *out);
void flow_answer_set(struct flow_answer *out, enum flow_result result, enum flow_charged charged, int64_t retry_ms);
/* What a failed call to queue or store means for the caller; err's text goes into detail. */
void flow_answer_queue_error(struct flow_answer *out, enum flow_charged charged, const struct error *err);
void flow_answer_store_error(struct flow_answer *out, enum flow_charged charged, const struct error *err);
/* The same for a rule's refusal. */
void flow_answer_refusal(struct flow_answer *out, const struct queue_answer *qa, enum flow_charged charged);

bool flow_cid_is_one_of(const char *cid, const char *const *cids, size_t n_cids);

/* From the queue's text of it (attempt_format_short), and what the queue keeps beside. ERR_INTERNAL: it does not parse. */
bool flow_attempt_of_text(const char *text, const char *cid, const char *order, const char *user, const char *room, const char *tid, struct flow_attempt *out,
	struct error *err);
/* From the queue's hold. ERR_INTERNAL: its attempt does not parse. */
bool flow_attempt_of_hold(const struct queue_hold *h, struct flow_attempt *out, struct error *err);
/* From a chain, which it borrows: the attempt under this tid; hold_id and token are 0. ERR_NOT_FOUND, ERR_INTERNAL. */
bool flow_attempt_of_chain(const struct ledger_chain *c, const char *tid, struct flow_attempt *out, struct error *err);

/* True where an earlier send of this tid has no certain end: then no refusal of KakaoPay's proves that nothing was captured. */
bool flow_chain_has_unsettled_send(const struct ledger_chain *c, const char *tid);

/* Puts one event of the attempt at order#n, with everything that every event carries. payment and provider may be NULL. */
struct flow_event {
	int64_t n;
	enum ledger_kind kind;
	const char *key;			/* replay key; NULL: none */
	int64_t deadline_boot_ms;		/* approving */
	const struct payment *payment;
	const struct provider_answer *provider;
	const char *reason;
	const struct ledger_refund *refund;	/* refunding and its ends; NULL: none */
};
bool flow_put_event(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, const struct flow_event *e, enum store_put *how, struct error *err);

/* The work item of what is about to be sent under at->n, before that number is taken. */
bool flow_put_work(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, struct error *err);
/* Nothing is left to do for this attempt: the items of all its sends go. */
bool flow_drop_work(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, struct error *err);

/* After the outcome stands in the ledger at order#n: payments, queue, deliveries, work item; in this order, each repeatable. How far it came is told by false:
 * ERR_UNAVAILABLE or ERR_UNCERTAIN of the store. A queue that cannot be told is logged, and the work item stays: the ledger is ahead of the queue, and whoever
 * comes next tells it. */
bool flow_finish_outcome(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, int64_t n, enum ledger_kind kind,
	const struct payment *payment, struct error *err);

/* Owes a message and wakes the courier. refunded: of payment.refunded the event that says so; else NULL. */
bool flow_owe(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, int kind /* enum outbox_kind */, enum attempt_state state,
	const struct payment *payment, const struct ledger_event *refunded, struct error *err);
/* *owed: the message was put into the outbox for certain, since it was tried, or withdrawn. n: number of the event, of payment.refunded. */
bool flow_is_owed(struct flow *f, const struct flow_call *c, const char *tid, int kind /* enum outbox_kind */, int64_t n, bool *owed, struct error *err);

/*
 * What a crash or an absence left undone after a final outcome: the payment not stored, the queue not told, a message not owed. `at` (with its
 * chain) and `st` are of the attempt that has it. Nothing where its hold was removed: that is done after this. False: the store went away again.
 */
bool flow_mend(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, const struct order_state *st, struct error *err);

/* What the attempt was when its hold was removed, or is now that it will be. */
enum attempt_state flow_state_at_removal(const struct order_state *st);
/* All that follows from `removed` at order#n: gateway is told, the queue drops the hold (NULL: it has none), the items go. False: the store, or (ERR_UNAVAILABLE too) the
 * queue. *by_queue: which of them. */
bool flow_finish_removal(struct flow *f, const struct flow_call *c, const struct flow_attempt *at, const struct queue_hold *hold, const struct order_state *st,
	int64_t n, bool *by_queue, struct error *err);

/* An inquiry may lack the times; the record must not. */
struct payment *flow_payment_times(struct payment *p);

/* Does KakaoPay speak of what was asked? Ids, quantity, total, tax-free and, where it was asked for, VAT. why: the first difference. */
bool flow_payment_matches(const struct flow_attempt *at, const struct payment *p, char why[200]);

/* One inquiry. pa->message: KakaoPay's word for the status. */
enum flow_verdict flow_inquire(struct flow *f, const struct flow_attempt *at, int64_t deadline_boot_ms, struct payment *payment, struct provider_answer *pa,
	char why[200]);
