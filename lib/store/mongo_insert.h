/* Inserts in one command, and the server's own answer, which libmongoc's insert does not pass on.
 */
#pragma once

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stddef.h>

#include "store/mongo_link.h"

/*
 * After mongo_link_reach; each document as if it were alone. waits: for the majority and the
 * journal, else for the primary alone. MONGO_DONE: stored[i] says of each whether it is stored now,
 * by a primary that says in which election it was chosen (*election). MONGO_NOT_SENT,
 * MONGO_NOT_DONE: none of them. MONGO_UNKNOWN: any of them.
 */
enum mongo_end mongo_insert(struct mongo_link *l, const char *collection, const bson_t *const *docs,
    size_t n, bool waits, bool *stored, bson_oid_t *election);
