/* How the whole site is: who answers, what is owed, what stands against taking payments. Changes
 * nothing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "flow/flow.h"
#include "flow/site.h"
#include "operate/courier.h"

enum operate_site { /* may payments be taken? */
	OPERATE_OPEN,
	OPERATE_FIRST_QUEUE, /* the site has no queue yet; the first program that serves takes the
				running one */
	OPERATE_NO_ROOM,     /* the queue's disk is full */
	OPERATE_FENCED,	     /* see fence */
};

struct operate_status {
	enum operate_site site;
	enum site_fence fence; /* OPERATE_FENCED */
	bool store, queue;     /* they answer */
	struct error store_err, queue_err;
	struct store_claim claim; /* number 0: none */
	struct queue_greeting hello;
	enum operate_courier courier; /* of this machine */
	int64_t courier_looked_ms;    /* wall; 0: never, or nothing is counted */
	bool has_owed;		      /* these are known */
	int64_t owed, owed_since_ms;  /* messages; of the oldest, 0: none */
	bool owed_more;		      /* there are more than were counted */
	int64_t open, open_since_ms;  /* attempts without an end, and payments whose hold is not
					 removed */
	bool has_holds;
	int64_t holds[HOLD__MAX];
	int64_t members; /* machines that write to the queue's log; 0: it is not shared */
	/* Of a shared log: how this machine stands to it. */
	bool has_log;
	int64_t log_number, log_behind, log_heard_ms, log_clock_ms;
};
void operate_status(struct flow *f, struct operate_status *out);
/* May payments be taken, and if not, what to do? A sentence. */
const char *operate_status_text(const struct operate_status *s, bool korean);
