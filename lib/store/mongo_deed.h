/*
 * One write to MongoDB and how it is tried, and reads of many: what mongo.c and mongo_many.c share.
 */
#pragma once

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "store/mongo_link.h"
#include "store/record.h"
#include "store/shape.h"

struct store;
struct mongo_link *mongo_link_of(struct store *s);
struct mongo_gather;
struct mongo_gather *mongo_gather_of(struct store *s); /* NULL: it has none */

/* One write: repeated unchanged until its end is known. */
struct mongo_deed {
	const struct shape *shape;
	const void *rec;
	const bson_t *id, *doc; /* the filter for this one; the whole document, NULL: none */
	bool (*once)(mongoc_collection_t *coll, const struct mongo_deed *d, bson_t *reply,
	    bson_error_t *e);
	const bson_t *light; /* mongo_link_light: what is lost is found and done again; NULL:
				majority and journal */
	bool sent;	     /* before: perhaps it is done already */
	int64_t deadline_boot_ms;
};
/*
 * Tries until the end is known. Before anything was sent, a server that is away ends it at once:
 * ERR_UNAVAILABLE, certainly not stored. Once a try may have reached the server the answer must be
 * found: the same document again, when the breaker lets us, until the deadline; then ERR_UNCERTAIN.
 * how: NULL where a duplicate cannot be. reply: initialized, bson_destroy by the caller.
 */
bool mongo_do(struct mongo_link *l, const struct mongo_deed *d, bson_t *reply, enum store_put *how,
    struct error *err);

/* The filter for a record. */
bool mongo_filter_of(const struct shape *sh, const void *rec, bson_t *filter, struct error *err);
/* Appends {member: {$in: words}}. */
void mongo_add_words(bson_t *to, const char *member, const char *const *words, size_t n);
/* Those whose member is one of the words, by the gatherer. False: ask the server. *out as of
 * store_backend.list. */
bool mongo_gathered(struct store *s, const struct shape *sh, const char *member,
    const char *const *words, size_t n_words, void **out, size_t *n);
/* All that a filter finds. *out as of store_backend.list. */
bool mongo_find_all(struct mongo_link *l, const struct shape *sh, const bson_t *filter,
    const bson_t *opts, void **out, size_t *n, int64_t deadline_boot_ms, struct error *err);
