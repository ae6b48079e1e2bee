/*
 * Every kind of stored record as a table of columns. From this one description documents are
 * written and read (mongo_doc.c), records are copied (memory.c), and a record is told from another
 * one under the same id (STORE_OURS or STORE_TAKEN). doc/ledger.md describes the records for
 * readers. No I/O.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "site/limit.h"

enum column_type {
	COLUMN_STR,  /* char[cap] */
	COLUMN_HEAP, /* char *, owned; NULL: absent */
	COLUMN_INT,  /* int or (u)int64_t, by cap */
	COLUMN_TIME, /* int64_t, ms since 1970; a date in the store */
	COLUMN_BOOL,
	COLUMN_KIND,  /* enum ledger_kind; its word in the store */
	COLUMN_GROUP, /* a struct in the struct; a document in the document */
};

struct column {
	const char *name; /* member in the store */
	enum column_type type;
	bool optional;		    /* absent in the store if "", 0, false or an empty group */
	size_t offset, cap;	    /* in the struct */
	const struct column *group; /* COLUMN_GROUP */
	size_t n_group;
	size_t flag; /* COLUMN_GROUP: offset of the bool "it is set"; 0: always */
};

struct shape {
	const char *collection;
	size_t size; /* of the struct */
	const struct column *columns;
	size_t n_columns;
	const char *key; /* the member with the id, if that is not _id: it has a unique index */
	/* The _id, where that is an ObjectId; else NULL. False: libcrypto has no memory. */
	bool (*object_id)(const void *rec, char hex[25]);
	/*
	 * Where other programs write as well: did we write this record, which has this _id? NULL:
	 * nobody else does. A record of theirs is read as far as it goes, and *foreign is set.
	 */
	bool (*is_ours)(const void *rec, const char hex[25]);
	size_t foreign; /* offset of the bool */
	size_t at;	/* offset of the time by which lists are ordered */
	bool light;	/* a removal may be lost with the server, and be seen a moment later */
	void (*id)(const void *rec, struct buf *out);
	bool (*same)(const void *mine, const void *stored); /* of two with one id */
};

struct meta {	      /* what a database holds once */
	char key[32]; /* schema, queue, queue#2, ... */
	int64_t at_ms;
	int64_t version;	     /* schema */
	char queue_id[QUEUE_ID_CAP]; /* queue */
	char reason[REASON_CAP];     /* queue: why it was adopted */
	char who[WHO_CAP];	     /* queue: and by whom */
};

enum { SCHEMA_VERSION = 1 };

extern const struct shape shape_ledger, shape_replay, shape_payment, shape_work, shape_outbox,
    shape_try, shape_meta;

/* Ids of records that are looked up. */
void shape_ledger_id(const char *cid, const char *order, int64_t n, struct buf *out);
void shape_work_id(const char *tid, int64_t n, struct buf *out);
void shape_try_id(const char *message_id, int64_t number, struct buf *out);

/* Overwrites dst, which owns copies of everything on the heap. False: no memory, dst is clear. */
bool shape_copy(const struct shape *sh, void *dst, const void *src)
    __attribute__((warn_unused_result));
void shape_clear(const struct shape *sh, void *rec);
