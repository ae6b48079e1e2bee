/*
 * What the courier does next about one work item. Pure rules: what ledger and queue know, what
 * KakaoPay said so far, and both clocks are arguments. No I/O. A clock that jumps, or a courier
 * that was restarted and has forgotten everything, makes a decision late, never early.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "flow/refund.h"
#include "flow/verdict.h"
#include "money/order.h"

enum {
	SETTLE_READING_1_MS = 30000, /* after the window: the first "not yet approved" that counts
				      */
	SETTLE_READING_2_MS = 90000, /* ... and the second */
	SETTLE_READINGS_APART_MS = 60000,
	SETTLE_SILENCE_MS = 6 * 3600 * 1000, /* then an operator decides */
	SETTLE_REFUND_1_MS = 30000,  /* after a refund's deadline: the first "not executed" that
					counts */
	SETTLE_REFUND_2_MS = 120000, /* ... and the second */
	SETTLE_LATE_LOOKS = 2, /* after "not captured" was concluded from readings: 10 min and 1 h
				  later */
};

struct settle_memory { /* of one item, between looks; zeroed when it is seen for the first time */
	int64_t first_boot_ms;
	int64_t next_boot_ms;	 /* when to look again */
	int64_t asked_boot_ms;	 /* the last inquiry */
	int64_t asked;		 /* inquiries so far */
	int64_t reading_boot_ms; /* the first reading that counts, 0: none */
	int64_t late_looks;
	int64_t looks; /* in a row, that found nothing to do */
	bool unknown;  /* its end was not known at the last look */
	unsigned told; /* what the operator was told of it: bits of the settler's */
};

struct settle_facts {
	int64_t n, at_ms, deadline_ms; /* of the item; the times: wall */
	int64_t chain_n;
	/* what stands at order#n */
	enum settle_at {
		SETTLE_NOTHING,
		SETTLE_SEND /* of ours */,
		SETTLE_REFUND /* of ours */,
		SETTLE_ABANDONED,
		SETTLE_OTHER
	} at;
	enum attempt_state state; /* of the tid */
	bool newest;		  /* no later send of the tid */
	int64_t sends_before;	  /* earlier sends of the tid */
	bool said_unknown;	  /* the ledger has `unknown` after this send */
	bool removed;
	bool ended;	     /* SETTLE_REFUND: the refund has its end */
	bool by_readings;    /* declined: concluded from readings */
	int64_t state_at_ms; /* wall: since when it is in this state */
	/* end of KakaoPay's window by the queue's clock; 0: the queue does not know it */
	int64_t window_boot_ms;
	int64_t window_ms; /* its length from order#n on, by the ledger */
};

enum settle_step {
	SETTLE_WAIT,	   /* until *again_boot_ms */
	SETTLE_ABANDON,	   /* take order#n */
	SETTLE_MOOT,	   /* nothing was sent under this item: drop it */
	SETTLE_SUPERSEDED, /* a later send of the tid has its own item: drop this one */
	SETTLE_INQUIRE,
	SETTLE_FOLLOW,	/* it has an outcome: make sure that everything that follows is done */
	SETTLE_GIVE_UP, /* no answer for 6 h: review, and an operator decides */
	SETTLE_BEHIND,	/* the ledger lacks order#n-1: an older backup was restored */
};
enum settle_step settle_plan(const struct settle_facts *f, const struct settle_memory *m,
    struct now now, int64_t *again_boot_ms);

/* What an inquiry's verdict means now. True: write *kind to the ledger. Keeps the readings in *m.
 */
bool settle_conclude(const struct settle_facts *f, struct settle_memory *m, enum flow_verdict v,
    struct now now, enum ledger_kind *kind);
/* The same for a refund whose `refunding` is at order#n. True: *end is its end. "Not executed"
 * takes two equal readings. */
bool settle_conclude_refund(const struct settle_facts *f, struct settle_memory *m,
    enum refund_reading r, struct now now, enum refund_reading *end);
