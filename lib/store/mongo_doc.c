#include "config.h"

#include "store/mongo_doc.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "money/ledger.h"

/* Columns of one struct, at any depth. */
struct table {
	const struct column *columns;
	size_t n;
};

static bool
is_there(const struct column *col, const char *base)
{
	bool there = true;

	if (col->flag != 0)
		memcpy(&there, base + col->flag, sizeof(there));
	return there;
}

static int64_t
int_at(const struct column *col, const char *at)
{
	int64_t wide;
	int narrow;

	if (col->cap == sizeof(wide)) {
		memcpy(&wide, at, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, at, sizeof(narrow));
	return narrow;
}

static bool
write_text(const struct column *col, const char *text, bson_t *doc, struct error *err)
{
	if (!text_is_utf8(text))
		return error_set(err, ERR_INTERNAL, "%s is not UTF-8", col->name);
	return bson_append_utf8(doc, col->name, -1, text, -1) ||
	    error_set(err, ERR_INTERNAL, "%s: document too large", col->name);
}

static bool write_table(const struct table *t, const char *base, bson_t *doc, struct error *err);

static bool
write_group(const struct column *col, const char *at, bson_t *doc, struct error *err)
{
	const struct table inner = { col->group, col->n_group };
	bson_t sub = BSON_INITIALIZER;
	bool ok = write_table(&inner, at, &sub, err);

	if (ok && !(col->optional && bson_empty(&sub)))
		ok = bson_append_document(doc, col->name, -1, &sub) ||
		    error_set(err, ERR_INTERNAL, "%s: document too large", col->name);
	bson_destroy(&sub);
	return ok;
}

/* As 32 bits where they are enough, like Mongoose: the site's code finds the types of its schema.
 */
static bool
write_int(bson_t *doc, const char *name, int64_t number)
{
	return number >= INT32_MIN && number <= INT32_MAX
	    ? bson_append_int32(doc, name, -1, (int32_t)number)
	    : bson_append_int64(doc, name, -1, number);
}

static bool
write_column(const struct column *col, const char *base, bson_t *doc, struct error *err)
{
	const char *at = base + col->offset;
	const char *heap;
	int64_t number = 0;
	int kind;
	bool yes;

	switch (col->type) {
	case COLUMN_STR:
		return (col->optional && at[0] == '\0') || write_text(col, at, doc, err);
	case COLUMN_HEAP:
		memcpy(&heap, at, sizeof(heap));
		return heap == NULL || write_text(col, heap, doc, err);
	case COLUMN_INT:
		number = int_at(col, at);
		return (col->optional && number == 0) || write_int(doc, col->name, number);
	case COLUMN_TIME:
		number = int_at(col, at);
		return (col->optional && number == 0) ||
		    bson_append_date_time(doc, col->name, -1, number);
	case COLUMN_BOOL:
		memcpy(&yes, at, sizeof(yes));
		return (col->optional && !yes) || bson_append_bool(doc, col->name, -1, yes);
	case COLUMN_KIND:
		memcpy(&kind, at, sizeof(kind));
		return write_text(col, ledger_kind_name((enum ledger_kind)kind), doc, err);
	case COLUMN_GROUP:
		return !is_there(col, base) || write_group(col, at, doc, err);
	}
	return error_set(err, ERR_INTERNAL, "%s: no such type", col->name);
}

static bool
write_table(const struct table *t, const char *base, bson_t *doc, struct error *err)
{
	for (size_t i = 0; i < t->n; i++)
		if (!write_column(&t->columns[i], base, doc, err))
			return false;
	return true;
}

bool
mongo_doc_id(const struct shape *sh, const char *id, bson_t *doc, struct error *err)
{
	return (text_is_utf8(id) &&
		   bson_append_utf8(doc, sh->key != NULL ? sh->key : "_id", -1, id, -1)) ||
	    error_set(err, ERR_INTERNAL, "the id is not UTF-8");
}

static bool
write_object_id(const struct shape *sh, const void *rec, bson_t *doc, struct error *err)
{
	bson_oid_t oid;
	char hex[25];

	if (!sh->object_id(rec, hex))
		return error_set(err, ERR_INTERNAL, "libcrypto has no memory");
	bson_oid_init_from_string(&oid, hex);
	return bson_append_oid(doc, "_id", 3, &oid) ||
	    error_set(err, ERR_INTERNAL, "the document is too long");
}

void
mongo_doc_add_words(bson_t *doc, const char *member, const char *const *words, size_t n)
{
	bson_t list;
	char index[24];

	bson_append_array_begin(doc, member, -1, &list);
	for (size_t i = 0; i < n; i++) {
		snprintf(index, sizeof(index), "%zu", i);
		bson_append_utf8(&list, index, -1, words[i], -1);
	}
	bson_append_array_end(doc, &list);
}

bool
mongo_doc_write(const struct shape *sh, const void *rec, bson_t *doc, struct error *err)
{
	const struct table all = { sh->columns, sh->n_columns };
	struct buf id = BUF_INIT;
	bool ok;

	if (sh->object_id != NULL) /* the id is one of the columns */
		return write_object_id(sh, rec, doc, err) && write_table(&all, rec, doc, err);
	sh->id(rec, &id);
	ok = mongo_doc_id(sh, buf_str(&id), doc, err) && write_table(&all, rec, doc, err);
	buf_clear(&id);
	return ok;
}

static bool
damaged(const struct column *col, struct error *err)
{
	return error_set(err, ERR_INTERNAL, "%s is missing, too long or of another type",
	    col->name);
}

/*
 * Numbers come back as they were written. Other writers of `payments` (the site's own JavaScript)
 * may have used 32 bits or a double.
 */
static bool
read_int(const bson_iter_t *it, int64_t *out)
{
	double d;

	switch (bson_iter_type(it)) {
	case BSON_TYPE_INT64:
		*out = bson_iter_int64(it);
		return true;
	case BSON_TYPE_INT32:
		*out = bson_iter_int32(it);
		return true;
	case BSON_TYPE_DOUBLE:
		d = bson_iter_double(it);
		if (!(d >= -9007199254740992.0 && d <= 9007199254740992.0))
			return false;
		*out = (int64_t)d;
		return (double)*out == d;
	default:
		return false;
	}
}

static bool
store_int(const struct column *col, int64_t number, char *at)
{
	int narrow = (int)number;

	if (col->cap == sizeof(number))
		memcpy(at, &number, sizeof(number));
	else
		memcpy(at, &narrow, sizeof(narrow));
	return col->cap == sizeof(number) || narrow == number;
}

static bool
read_text(const bson_iter_t *it, const char **text, uint32_t *len)
{
	if (!BSON_ITER_HOLDS_UTF8(it))
		return false;
	*text = bson_iter_utf8(it, len);
	return strlen(*text) == *len;
}

static bool read_table(const struct table *t, const bson_iter_t *doc, char *base,
    struct error *err);

static bool
read_group(const struct column *col, const bson_iter_t *it, char *base, struct error *err)
{
	const struct table inner = { col->group, col->n_group };
	const bool there = true;
	bson_iter_t sub;

	if (!BSON_ITER_HOLDS_DOCUMENT(it) || !bson_iter_recurse(it, &sub))
		return damaged(col, err);
	if (col->flag != 0)
		memcpy(base + col->flag, &there, sizeof(there));
	return read_table(&inner, &sub, base + col->offset, err);
}

static bool
read_column(const struct column *col, const bson_iter_t *it, char *base, struct error *err)
{
	char *at = base + col->offset, *copy;
	const char *text;
	enum ledger_kind kind;
	int64_t number;
	uint32_t len;
	bool yes;

	switch (col->type) {
	case COLUMN_STR:
		if (!read_text(it, &text, &len) || len >= col->cap)
			return damaged(col, err);
		memcpy(at, text, len + 1);
		return true;
	case COLUMN_HEAP:
		if (!read_text(it, &text, &len))
			return damaged(col, err);
		copy = strdup(text);
		memcpy(at, &copy, sizeof(copy));
		return copy != NULL || error_set(err, ERR_INTERNAL, "no memory");
	case COLUMN_INT:
		return (read_int(it, &number) && store_int(col, number, at)) || damaged(col, err);
	case COLUMN_TIME:
		return (BSON_ITER_HOLDS_DATE_TIME(it) &&
			   store_int(col, bson_iter_date_time(it), at)) ||
		    damaged(col, err);
	case COLUMN_BOOL:
		yes = BSON_ITER_HOLDS_BOOL(it) && bson_iter_bool(it);
		memcpy(at, &yes, sizeof(yes));
		return BSON_ITER_HOLDS_BOOL(it) || damaged(col, err);
	case COLUMN_KIND:
		if (!read_text(it, &text, &len) || !ledger_kind_parse(text, &kind))
			return damaged(col, err);
		memcpy(at, &kind, sizeof(kind));
		return true;
	case COLUMN_GROUP:
		return read_group(col, it, base, err);
	}
	return damaged(col, err);
}

/* Which column has this name; t->n: none. Where we wrote the document, it is the one at `next` or
 * soon after. */
static size_t
find_column(const struct table *t, size_t next, const char *name)
{
	for (size_t k = 0; k < t->n; k++) {
		size_t i = next + k < t->n ? next + k : next + k - t->n;

		if (strcmp(t->columns[i].name, name) == 0)
			return i;
	}
	return t->n;
}

/* The next member that is a column, the first of its name; *i: which. False: there is no more.
 * seen: a bit for each column that came. */
static bool
next_member(const struct table *t, bson_iter_t *it, size_t *i, uint64_t *seen)
{
	size_t next = *seen == 0 ? 0 : *i + 1;

	assert(t->n <= 8 * sizeof(*seen));
	while (bson_iter_next(it)) {
		*i = find_column(t, next, bson_iter_key(it));
		if (*i < t->n && (*seen >> *i & 1) == 0) {
			*seen |= (uint64_t)1 << *i;
			return true;
		}
	}
	return false;
}

/* doc: an iterator before the first member */
static bool
read_table(const struct table *t, const bson_iter_t *doc, char *base, struct error *err)
{
	bson_iter_t it = *doc;
	uint64_t seen = 0;
	size_t at = 0;

	while (next_member(t, &it, &at, &seen))
		if (!read_column(&t->columns[at], &it, base, err))
			return false;
	for (size_t i = 0; i < t->n; i++)
		if (!t->columns[i].optional && (seen >> i & 1) == 0)
			return damaged(&t->columns[i], err);
	return true;
}

/* Of another program's document: a member that is absent or of another form stays "" or 0. */
static void
read_what_is_there(const struct table *t, const bson_iter_t *doc, char *base)
{
	bson_iter_t it = *doc, sub;
	uint64_t seen = 0;
	size_t at = 0;

	while (next_member(t, &it, &at, &seen)) {
		const struct column *col = &t->columns[at];
		const struct table inner = { col->group, col->n_group };

		if (col->type != COLUMN_GROUP)
			(void)read_column(col, &it, base, NULL);
		else if (BSON_ITER_HOLDS_DOCUMENT(&it) && bson_iter_recurse(&it, &sub))
			read_what_is_there(&inner, &sub, base + col->offset);
	}
}

/* *rec is clear before, and holds what there is to read after. */
static bool
is_foreign(const struct shape *sh, const bson_t *doc, void *rec)
{
	const struct table all = { sh->columns, sh->n_columns };
	const bool yes = true;
	char hex[25] = "";
	bson_iter_t it;

	if (bson_iter_init(&it, doc))
		read_what_is_there(&all, &it, rec);
	if (bson_iter_init_find(&it, doc, "_id") && BSON_ITER_HOLDS_OID(&it))
		bson_oid_to_string(bson_iter_oid(&it), hex);
	if (sh->is_ours(rec, hex))
		return false;
	memcpy((char *)rec + sh->foreign, &yes, sizeof(yes));
	return true;
}

bool
mongo_doc_read(const struct shape *sh, const bson_t *doc, void *rec, struct error *err)
{
	const struct table all = { sh->columns, sh->n_columns };
	bson_iter_t it;

	memset(rec, 0, sh->size);
	if (sh->is_ours != NULL && is_foreign(sh, doc, rec))
		return true;
	shape_clear(sh, rec);
	if (bson_iter_init(&it, doc) && read_table(&all, &it, rec, err))
		return true;
	shape_clear(sh, rec);
	return false;
}
