/* The verbs of the queue's protocol: which arguments each has, and what each asks of the hold_table. No
 * I/O, no waiting: the daemon and the queue in memory put these between their two ends. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "booking/hold_table.h"
#include "queue/wire/proto.h"

enum verb_id {
	VERB_HELLO, VERB_HOLD, VERB_READY, VERB_FAIL, VERB_FIND, VERB_FIND_TID, VERB_FIND_ORDER,
	VERB_APPROVE, VERB_OUTCOME, VERB_REMOVE, VERB_OVERDUE, VERB_NEXT, VERB_REMEMBER,
	VERB_TAKE_OVER, VERB_ADMIT, VERB_LIST, VERB_STATS, VERB_POKE, VERB_WATCH, VERB__MAX
};

/* What must still be written down later when a verb is granted. Where the journal runs short of
 * room, the greater promise is refused first. */
enum verb_promise {
	PROMISE_NOTHING,
	PROMISE_OUTCOME,	/* a charge may follow, and its outcome must have room */
	PROMISE_HOLD,		/* everything that becomes of a new hold */
};

/* A call to KakaoPay that a client makes with what it was granted. */
enum verb_call { CALL_NONE, CALL_READY, CALL_APPROVE };

/* What goes into the orders' log, which outlives the holds. */
enum verb_note {
	NOTE_NOTHING,
	NOTE_STATE,		/* the hold as the answer shows it */
	NOTE_NUMBER,		/* the same, with the ledger number that the request names */
	NOTE_TOLD,		/* what the request tells of an attempt */
};

struct verb {
	const char *name;
	uint64_t needs, may;		/* arguments: bits of proto_field */
	bool waits;			/* may be parked: the answer comes by its deadline */
	/* The rule behind it; NULL: not a matter of holds. Changes nothing: out->record does, once
	 * applied. False: nothing was decided. */
	bool (*decide)(struct hold_table *t, const struct proto_message *m,
	    const struct hold_load *load, struct now now, struct hold_answer *out,
	    struct error *err);
	enum verb_promise promises;
	enum verb_call begins;		/* a granted one begins this call */
	enum verb_call ends;		/* the call of the hold `id` has come back */
	bool failed;			/* and came to nothing: its waiters hear `failure` */
	enum verb_note notes;
	bool current;			/* its answer must not come from a table that is behind */
};

const char *verb_name(enum verb_id id);
const char *verb_find_word(enum hold_find_what what);	/* the argument `what` of find */
/* The verb of a request that has all its arguments and no other. False: ERR_INPUT. */
bool verb_check(const struct proto_message *m, enum verb_id *out,
    struct error *err) __attribute__((warn_unused_result));
const struct verb *verb_get(enum verb_id id);

/* A rule's answer as a message; borrows from *a and from conflicts, which must live as long as *m. */
void verb_answer(struct proto_message *m, const char *tag, const struct hold_answer *a,
    struct buf *conflicts);

/* hello's answer but for the queue's own id and age; `m` borrows from the table. fence "": none but "new". */
void verb_hello(struct proto_message *m, const char *tag, const struct hold_table *t, const char *fence);

/* The two looks at the whole table. list: "600-720:ready,..." of the holds of a room with ids above
 * `after`, a page at a time in order of id; *next: the last id of this page, 0: there is no more. stats:
 * "held:1,ready:0,...". */
void verb_list(const struct hold_table *t, const char *room, uint64_t after, struct buf *held,
    uint64_t *next);
void verb_stats(const struct hold_table *t, struct buf *counts);
