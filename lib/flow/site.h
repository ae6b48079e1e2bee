/* Checks at start that the database and the queue belong together and that no fence stops payments.
 * All programs use it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "flow/flow.h"
#include "queue/client/queue.h"
#include "store/store.h"

enum site_fence {
	SITE_OPEN,
	SITE_STORE_AWAY,
	SITE_QUEUE_AWAY,  /* one of them does not answer, so it is not known */
	SITE_OTHER_QUEUE, /* the site's claim names another queue: its journal was lost, or this is
			     another site's */
	SITE_ADOPTING, /* this queue replaces a lost one, and the courier still copies the ledger's
			  knowledge to it */
	SITE_OLD_DATABASE, /* the ledger lacks events that the queue knows: an older backup was
			      restored */
	/* Of a log that several machines share. The daemon of this machine serves nothing. */
	SITE_LOG_AWAY,	/* it has not heard of the database for a second */
	SITE_CLOCK_OFF, /* its clock is not the database's */
	SITE_OLD_LOG,	/* the log is older than what this machine has read: an older backup was
			   restored */
	SITE__MAX
};
/* What a word of the daemon's greeting means for the whole site; SITE_OPEN: nothing. */
enum site_fence site_fence_of_word(const char *word);
/* The reason in a sentence, with the step that lifts it: for readyz, status and the log. */
const char *site_fence_text(enum site_fence f);
enum flow_result site_fence_result(enum site_fence f); /* what is answered instead of asking the
							  queue */

struct site {
	enum site_fence fence;
	struct queue_greeting hello; /* where the queue answered */
	struct store_claim claim;    /* where the store answered, and has one */
};

/*
 * Greets the queue and prepares the store. A site without a queue claims this one and admits it.
 * Checks that the ledger has the newest order that the queue knows, and binds the queue's client to
 * this queue. True: SITE_OPEN; otherwise *out has the fence and err the details. May be repeated at
 * any time.
 */
bool site_open(struct store *s, struct queue *q, struct site *out, int64_t deadline_boot_ms,
    struct error *err);
