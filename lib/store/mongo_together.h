/*
 * Puts that wait for the majority together (enum store_wait), on a replica set.
 *
 * All but the last are acknowledged by the primary alone. A primary has one log, in which each
 * write stands behind the one before, and what the majority has of it has no gap. So when the
 * majority has the last one it has all of them, if one primary took them all in one term of office:
 * the electionId in each answer says so. Where that cannot be shown each is put once more, by
 * itself.
 */
#pragma once

#include "store/backend.h"
#include "store/mongo_link.h"

enum { TOGETHER_MAX = 8 };

struct mongo_together {
	enum store_wait wait;
	bson_oid_t election; /* of all of them */
	struct {
		const struct shape *shape;
		void *rec; /* a copy */
	} put[TOGETHER_MAX];
	size_t n;
};

void mongo_together_set(struct mongo_together *t, enum store_wait wait);
void mongo_together_clear(struct mongo_together *t);
/*
 * True: it is ours. False: it is to be put as any other, which finds out what became of it; *sent:
 * it may be stored.
 */
bool mongo_together_put(struct mongo_together *t, struct mongo_link *l, const struct shape *sh,
    const void *rec, const bson_t *doc, int64_t deadline_boot_ms, bool *sent);
/*
 * After the last one was put by itself: puts those that wait for it, by themselves. False:
 * ERR_UNCERTAIN: one that was ours was lost with its primary, and another writer has its key; or as
 * of any put.
 */
bool mongo_together_end(struct mongo_together *t, struct store *s, int64_t deadline_boot_ms,
    struct error *err);
