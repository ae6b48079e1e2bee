/* The courier's store work, in parts: write down how posts ended, look what is owed, claim what is
 * due. Blocking; no network but the store's. Several rounds, each with a connection of its own, may
 * run side by side on whatever threads: what they know of the outbox is one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "site/conf.h"
#include "courier/task.h"
#include "store/store.h"

enum { ROUND_POLL_MS = 5000 };

struct round;

/* by: this courier's own name, unlike that of any other process ever. Borrows conf and store. NULL:
 * no memory. */
struct round *round_new(const struct conf *conf, struct store *store, const char *by);
/* Another round of the same courier, with another connection. */
struct round *round_beside(struct round *other, struct store *store);
void round_free(struct round **r);

/* Nothing is delivered before the database is known to be this site's: another site's messages are
 * not ours. At first it is not. */
void round_allow(struct round *r, bool allowed);

void round_finish(struct round *r, struct task *t); /* its post has ended: written down by the next
						       round, which owns it from here */

/* ROUND_LOOK and ROUND_LOOK_AT_ALL claim what they found, too, as far as there are places. */
enum round_part {
	ROUND_WRITE_ENDS,
	ROUND_CLAIM,	  /* what was found, and had no place */
	ROUND_LOOK,	  /* at what is new */
	ROUND_LOOK_AT_ALL /* one at a time */
};
/* Runs one part to its end. What could not be done is tried again later. False: ends could not be
 * written down. */
bool round_run(struct round *r, enum round_part part, struct now now);

struct task *round_take(struct round *r); /* the next task to post, the caller's; NULL: none */
int64_t round_due_ms(struct round *r);	  /* wall: when to look at all of it again, at the latest */
bool round_has_ends(struct round *r);	  /* some are to be written down */
bool round_may_claim(struct round *r);	  /* something waits, and there is a place for it */
