/* What the parts of a round share: its state, and what each does for the others. */
#pragma once

#include <pthread.h>
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
	SETTLED_MS = 10000, /* a look does not take longer */
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

/* What a courier knows of the outbox: all its rounds share it. */
struct backlog {
	pthread_mutex_t mutex; /* over everything below; not held while the store works */
	size_t rounds;
	const struct conf *conf;
	char by[64];
	bool allowed;		     /* database and queue belong together */
	bool away;		     /* the store, as last logged */
	struct name *posting, *told; /* what is being posted, until its end is written down; of what
					something was said already */
	struct name *lined;	     /* what is in `waiting`, or is being claimed */
	struct known *known;
	int64_t whole_ms;	 /* wall: of the last look at the whole outbox */
	int64_t looks;		 /* so many were begun */
	size_t n_posting[PEERS]; /* claimed or being claimed, and not ended */
	int64_t seen_ms;	 /* wall: the newest message that was listed is owed since then */
	struct task *ended;	 /* to be written down */
	struct task *waiting;	 /* due at the last look, and not claimed: no place yet */
	struct task *claimed;	 /* to be posted */
	bool held;		 /* at the last look something waited for another message */
	int64_t due_ms;		 /* wall: of the next look at the whole outbox */
};

struct round {
	struct backlog *b;
	struct store *store;
	int looks, guesses; /* of the look under way */
	bool more;	    /* it did not come to the end of the outbox */
	bool news;	    /* it found something that was never seen */
	bool unsure;	    /* the last message looked at is being tried by another courier */
};

/*
 * Rounds run side by side. Each holds the mutex, and lets go of it for as long as the store works:
 * what it has read of the backlog before that may be out of date after it.
 */
void round_lock(struct round *r);
void round_unlock(struct round *r);
bool round_lock_after(struct round *r, bool done); /* returns `done` */
#define UNLOCKED(r, call) (round_unlock(r), round_lock_after(r, call))

void task_push(struct task **list, struct task *t);
struct task *task_pop(struct task **list);

struct known *round_known(struct round *r, const char *id);
void round_forget(struct round *r, struct known *k); /* NULL: nothing */
/* It is being posted, or is about to be. */
bool round_is_under_way(const struct round *r, const struct store_message *m);
/* It is not due before that. Without memory for it the message is looked at again each time. */
void round_know(struct round *r, const struct store_message *m, int64_t due_ms);

void round_due_at(struct round *r, int64_t wall_ms);
/* A change of the store's state is told once. */
void round_note_store(struct round *r, bool ok, const struct error *err);
size_t round_peer_index(const struct round *r, const struct conf_peer *p);

/* round_end.c: how posts ended. False: the store; what could not be written stays in `ended`. */
bool round_write_ends(struct round *r, struct now now);

/*
 * round_look.c: what is due goes into `waiting`. whole: the whole outbox is looked at, else what
 * is new in it. False: the store.
 */
bool round_look_for_due(struct round *r, bool whole, struct now now, struct error *err);
/* One message, of which the tries are to be read: it is moved out of *m into `waiting` where it is
 * due. */
bool round_look_at(struct round *r, struct store_message *m, struct now now, struct error *err);
