/*
 * The worker's side of gather.h, and how worker and gatherer speak: one message on a socket that
 * keeps messages whole is one BSON document. A worker waits for one question at a time on each
 *lane; it may have told before what nobody waits for. The answers come in the order of the
 *questions.
 *
 *	{put: [{in: collection, doc: {...}}, ...]}		-> {done: true}
 *	{find: collection, by: member, of: [words]}		-> {done: true, docs: [...]}
 *	{remove: collection, of: [words]}			-> {done: true}
 *	anything that did not wholly succeed			-> {done: false, sent: bool}
 *
 * Each question also says until when it may be begun (boot clock, ms): nobody waits for it after.
 */
#pragma once

#include <bson/bson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/gather.h"

enum {
	GATHER_MESSAGE_MAX = 160 * 1024, /* what a socket's buffer takes at once */
	GATHER_WORDS_MAX = 64		 /* in one question */
};

/* A worker brings the end of its own socket here. Shared by all processes. */
struct gather {
	int bring[GATHER_LANES];		  /* workers' end */
	int take[GATHER_LANES];			  /* the gatherer's */
	_Atomic int64_t busy_since[GATHER_LANES]; /* its command: boot clock, ms; 0: idle */
};
void gather_hang_up(struct gather *g); /* closes this process's ends */

enum gathered {
	GATHERED_NOTHING, /* nothing was sent to the server */
	GATHERED_UNKNOWN, /* perhaps done, perhaps not, perhaps later */
	GATHERED_DONE
};

struct mongo_gather;
struct mongo_gather *mongo_gather_new(const struct gather *g); /* NULL: no memory */
void mongo_gather_free(struct mongo_gather **mg);

/* mg may be NULL: GATHERED_NOTHING. */
/*
 * Each after the one before is stored; the majority has all of them then, from one primary in one
 * term of office (mongo_together.h).
 */
enum gathered mongo_gather_put(struct mongo_gather *mg, const char *const *collections,
    const bson_t *docs, size_t n);
/* Its end may be lost with the server. */
enum gathered mongo_gather_remove(struct mongo_gather *mg, const char *collection, const char *id);
/* The same, and nobody waits for its end. False: nothing was sent. */
bool mongo_gather_tell_remove(struct mongo_gather *mg, const char *collection, const char *id);
/* *docs: a view of the answer, valid until the next question. */
enum gathered mongo_gather_find(struct mongo_gather *mg, const char *collection, const char *member,
    const char *const *words, size_t n, bson_t *docs);
