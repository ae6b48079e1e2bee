/* Do database and queue belong together, and does nothing stand against taking payments? One greeting for all programs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "flow/flow.h"
#include "queue/client/queue.h"
#include "store/store.h"

enum site_fence {
	SITE_OPEN,
	SITE_STORE_AWAY, SITE_QUEUE_AWAY,	/* not known: one of them does not answer */
	SITE_OTHER_QUEUE,	/* the site's claim names another queue: its journal was lost, or this is another site's */
	SITE_ADOPTING,		/* the claim names this queue in the place of a lost one, and the courier is telling it what the ledger knows */
	SITE_OLD_DATABASE,	/* the ledger lacks what the queue was told of: an older copy of the database was put back */
	SITE__MAX
};
/* The reason in a sentence, with the step that lifts it: for readyz, status and the log. */
const char *site_fence_text(enum site_fence f);
enum flow_result site_fence_result(enum site_fence f);	/* what is answered instead of asking the queue */

struct site {
	enum site_fence fence;
	struct queue_greeting hello;	/* where the queue answered */
	struct store_claim claim;	/* where the store answered, and has one */
};

/* Greets the queue, prepares the store, claims the queue for a site that has none and admits it then, looks for the order that it was told of last, and holds the queue's
 * client to it. True: SITE_OPEN; else err says what *out->fence does not. Repeatable at any time. */
bool site_open(struct store *s, struct queue *q, struct site *out, int64_t deadline_boot_ms, struct error *err);
