/* What the parts of a round share: its state, and what each does for the others. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "base/clock.h"
#include "courier/name_set.h"
#include "courier/task.h"
#include "delivery/outbox.h"

/*
 * A message that was tried before costs a few reads: a look takes LOOKS_MAX of them at most. One
 * that this courier has never seen costs none: its first try is claimed at once, and the claim
 * tells if there was one.
 */
enum {
	STORE_MS = 5000,
	LIST_MS = 60000,
	LIST_MAX = 10000,
	LOOKS_MAX = 64,
	GUESSES_MAX = 256,
	RETRY_STORE_MS = 1000,
	AGAIN_MS = 1000,
	BATCH_MAX = 64,
	PEERS = 2
};
enum { TAIL_MS = 2000 }; /* most messages are in the outbox so long after the time that they bear */

struct known { /* a message that was looked at, and is not due */
	UT_hash_handle hh;
	int64_t due_ms;	  /* wall; INT64_MAX: never again */
	int64_t again_ms; /* as the message says */
	bool listed;
	char id[MESSAGE_ID_CAP];
};

struct round {
	const struct conf *conf;
	struct store *store;
	char by[64];
	bool allowed;		     /* database and queue belong together */
	bool away;		     /* the store, as last logged */
	struct name *posting, *told; /* what is being posted; of what something was said already */
	struct name *lined;	     /* what is in `waiting` */
	struct known *known;
	int looks, guesses; /* of the look under way */
	bool more;	    /* it did not come to the end of the outbox */
	bool news;	    /* it found something that was never seen */
	int64_t whole_ms;   /* wall: of the last look at the whole outbox */
	bool unsure;	    /* the last message looked at is being tried by another courier */
	size_t n_posting[PEERS];
	int64_t seen_ms;      /* wall: the newest message that was listed is owed since then */
	struct task *ended;   /* to be written down */
	struct task *waiting; /* due at the last look, and not claimed: no place yet */
	struct task *claimed; /* to be posted */
	bool held;	      /* at the last look something waited for another message */
	int64_t due_ms;	      /* wall: of the next look at the whole outbox */
};

void task_push(struct task **list, struct task *t);
struct task *task_pop(struct task **list);

struct known *round_known(struct round *r, const char *id);
void round_forget(struct round *r, struct known *k); /* NULL: nothing */
/* It is not due before that. Without memory for it the message is looked at again each time. */
void round_know(struct round *r, const struct store_message *m, int64_t due_ms);

void round_due_at(struct round *r, int64_t wall_ms);
/* A change of the store's state is told once. */
void round_note_store(struct round *r, bool ok, const struct error *err);
size_t round_peer_index(const struct round *r, const struct conf_peer *p);

/* round_end.c: how posts ended. What could not be written stays in r->ended. */
void round_write_ends(struct round *r, struct now now);

/*
 * round_look.c: what is due goes into r->waiting. whole: the whole outbox is looked at, else what
 * is new in it. False: the store.
 */
bool round_look_for_due(struct round *r, bool whole, struct now now, struct error *err);
/* One message, of which the tries are to be read: it is moved out of *m into r->waiting where it is
 * due. */
bool round_look_at(struct round *r, struct store_message *m, struct now now, struct error *err);
