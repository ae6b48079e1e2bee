/* The verbs of the queue's protocol: the arguments of each, its rule in the hold_table, and what
 * follows from its answer. No I/O, no waiting: the daemon and the queue in memory use the same
 * table. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "booking/hold_table.h"
#include "queue/wire/proto.h"

/* clang-format off */
enum verb_id {
	VERB_HELLO, VERB_HOLD, VERB_READY, VERB_FAIL, VERB_FIND, VERB_FIND_TID, VERB_FIND_ORDER,
	VERB_APPROVE, VERB_APPROVE_FIRST, VERB_OUTCOME, VERB_REMOVE, VERB_OVERDUE, VERB_NEXT,
	VERB_REMEMBER, VERB_TAKE_OVER, VERB_ADMIT, VERB_LIST, VERB_STATS, VERB_INQUIRE,
	VERB_POKE, VERB_WATCH, VERB__MAX
};
/* clang-format on */

/* What must still be written down later when a verb is granted. Where the journal runs short of
 * room, the greater promise is refused first. */
enum verb_promise {
	PROMISE_NOTHING,
	PROMISE_OUTCOME, /* a charge may follow, and its outcome must have room */
	PROMISE_HOLD,	 /* everything that becomes of a new hold */
};

/* A call to KakaoPay that a client makes with what it was granted. */
enum verb_call { CALL_NONE, CALL_READY, CALL_APPROVE };

/* What goes into the log of orders, which is kept longer than the holds. */
enum verb_note {
	NOTE_NOTHING,
	NOTE_STATE,  /* the hold as the answer shows it */
	NOTE_NUMBER, /* the same, with the ledger number that the request names */
	NOTE_TOLD,   /* what the request tells of an attempt */
};

struct verb {
	const char *name;
	uint64_t needs, may; /* arguments: bits of proto_field */
	bool waits;	     /* may take until its deadline, and acts on nothing after it */
	/* Its rule; NULL: it has nothing to do with holds. Changes nothing: out->record does, once
	 * it is applied. False: nothing was decided. */
	bool (*decide)(struct hold_table *t, const struct proto_message *m,
	    const struct hold_load *load, struct now now, struct hold_answer *out,
	    struct error *err);
	enum verb_promise promises;
	enum verb_call begins; /* a granted one begins this call */
	enum verb_call ends;   /* this call of hold `id` has come back */
	bool failed;	       /* with a failure, which its waiters hear */
	enum verb_note notes;
	bool current; /* every answer needs an up-to-date table */
};

const char *verb_name(enum verb_id id);
const char *verb_find_word(enum hold_find_what what); /* the argument `what` of find */
/* Finds the verb of a request, and checks that the request has all its arguments and no other. err:
 * ERR_INPUT. */
bool verb_check(const struct proto_message *m, enum verb_id *out, struct error *err)
    __attribute__((warn_unused_result));
const struct verb *verb_get(enum verb_id id);

/* A rule's answer as a message. It borrows from *a and from conflicts, which must outlive *m. */
void verb_answer(struct proto_message *m, const char *tag, const struct hold_answer *a,
    struct buf *conflicts);

/* The answer of hello, without the queue's id and age. It borrows from the table. fence: why
 * nothing is granted; a closed table says "new" instead. */
void verb_hello(struct proto_message *m, const char *tag, const struct hold_table *t,
    const char *fence);

/* "600-720:ready,...": the holds of a room that are live at this time, with ids above `after`, in
 * order of id, a page at a time. *next: the last id of this page; 0: there is no other page. */
void verb_list(const struct hold_table *t, const char *room, uint64_t after, struct now now,
    struct buf *held, uint64_t *next);
/* "held:1,ready:0,...". */
void verb_stats(const struct hold_table *t, struct buf *counts);
