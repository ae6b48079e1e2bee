/*
 * Every kind of record that is stored, as a table of columns: one description from which documents are
 * written and read (mongo_doc.c), records are copied (memory.c) and told apart (STORE_OURS or
 * STORE_TAKEN). doc/ledger.md says the same for readers. No I/O.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "site/limit.h"

enum column_type {
	COLUMN_STR,	/* char[cap] */
	COLUMN_HEAP,	/* char *, owned; NULL: absent */
	COLUMN_INT,	/* int or (u)int64_t, by cap */
	COLUMN_TIME,	/* int64_t, ms since 1970; a date in the store */
	COLUMN_BOOL,
	COLUMN_KIND,	/* enum ledger_kind; its word in the store */
	COLUMN_GROUP,	/* a struct in the struct; a document in the document */
};

struct column {
	const char *name;		/* member in the store */
	enum column_type type;
	bool optional;			/* absent in the store when "", 0, false, or an empty group */
	size_t offset, cap;		/* in the struct */
	const struct column *group;	/* COLUMN_GROUP */
	size_t n_group;
	size_t flag;			/* COLUMN_GROUP: offset of the bool that says whether it is there; 0: always */
};

struct shape {
	const char *collection;
	size_t size;			/* of the struct */
	const struct column *columns;
	size_t n_columns;
	const char *key;		/* the member that holds the id, where that is not _id: it has a unique index */
	/* The _id, where that is an ObjectId; else NULL. False: libcrypto has no memory. */
	bool (*object_id)(const void *rec, char hex[25]);
	size_t at;			/* offset of the time by which lists are ordered */
	void (*id)(const void *rec, struct buf *out);
	bool (*same)(const void *mine, const void *stored);	/* under one id: is it the record that I gave? */
};

struct meta {			/* what stands once in a database */
	char key[32];		/* schema, queue, queue#2, ... */
	int64_t at_ms;
	int64_t version;	/* schema */
	char queue_id[QUEUE_ID_CAP];	/* queue */
	char reason[REASON_CAP];	/* queue: why it was adopted */
};

enum { SCHEMA_VERSION = 1 };

extern const struct shape shape_ledger, shape_replay, shape_payment, shape_work, shape_outbox, shape_try,
    shape_meta;

/* The ids, where a record is looked for and not yet there. */
void shape_ledger_id(const char *cid, const char *order, int64_t n, struct buf *out);
void shape_work_id(const char *tid, int64_t n, struct buf *out);
void shape_try_id(const char *message_id, int64_t number, struct buf *out);

/* dst is overwritten and owns copies of what is on the heap. False: no memory, dst is cleared. */
bool shape_copy(const struct shape *sh, void *dst, const void *src) __attribute__((warn_unused_result));
void shape_clear(const struct shape *sh, void *rec);
