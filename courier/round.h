/* One round of the courier's store work: write down how posts ended, look what is owed, claim what
 * is due. Blocking; no network but the store's. One round at a time, on whatever thread; between
 * rounds the loop owns the struct. */
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
void round_free(struct round **r);

/* Nothing is delivered before the database is known to be this site's: another site's messages are
 * not ours. At first it is not. */
void round_allow(struct round *r, bool allowed);

void round_finish(struct round *r, struct task *t); /* its post has ended: written down by the next
						       round, which owns it from here */

/* Writes down ends, then looks what is owed (not at all; at all of it when something is due; at
 * what is new in any case) and claims as much as there are places. Never fails: what could not be
 * done is tried again. */
enum round_look { ROUND_WRITE_ENDS, ROUND_LOOK_WHEN_DUE, ROUND_LOOK };
void round_run(struct round *r, enum round_look look, struct now now);

struct task *round_take(struct round *r);    /* the next task to post, the caller's; NULL: none */
int64_t round_due_ms(const struct round *r); /* wall: when to look again at the latest */
