/*
 * What happened to a payment, whether the customer is charged, what to do next: in plain Korean or
 * English. Tables; no I/O.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "flow/flow.h"

enum { EXPLAIN_COMMANDS = 2 };

struct explanation {
	const char *happened, *next;
	/* What to paste, with %s for the tid: "payment settle %s --reason '...'"; NULL: none. */
	const char *commands[EXPLAIN_COMMANDS];
};

/* state: a word of struct flow_order_attempt. A word that nobody knows gets one that says so. */
const struct explanation *explain_state(const char *state, bool korean);
/* One event of the ledger, in a sentence. */
const char *explain_event(enum ledger_kind k, bool korean);
/*
 * What is true for the customer, in a sentence or two. total: won that were taken, -1 where no
 * payment is recorded.
 */
void explain_charged(struct buf *out, const struct flow_order_attempt *t, int64_t total,
    bool korean);
/* The command i of an explanation, ready to paste. False: there is none. */
bool explain_command(struct buf *out, const struct explanation *e, int i, const char *tid);
