#include "config.h"

#include "store/mongo_foreign.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/mongo_doc.h"
#include "store/shape.h"

enum { TOLD = 3 };

static bool
add_tids(mongoc_cursor_t *cursor, struct buf *out)
{
	const bson_t *doc;
	bson_iter_t it;
	int n = 0;

	for (; mongoc_cursor_next(cursor, &doc); n++)
		if (n == TOLD)
			buf_add_str(out, " and more");
		else if (bson_iter_init_find(&it, doc, "_id") && BSON_ITER_HOLDS_UTF8(&it))
			buf_printf(out, "%s%.20s", n > 0 ? ", " : "", bson_iter_utf8(&it, NULL));
		else
			buf_printf(out, "%s(none)", n > 0 ? ", " : "");
	return n > 0;
}

bool
mongo_foreign_twice(struct mongo_link *l, struct buf *out)
{
	mongoc_collection_t *coll;
	mongoc_cursor_t *cursor;
	bson_error_t e = { 0 };
	bson_t *pipeline;
	int64_t began;
	bool some;

	if (!mongo_link_reach(l, NULL))
		return false;
	pipeline = BCON_NEW("pipeline", "[", "{", "$group", "{", "_id", BCON_UTF8("$tid"), "n", "{",
	    "$sum", BCON_INT32(1), "}", "}", "}", "{", "$match", "{", "n", "{", "$gt",
	    BCON_INT32(1), "}", "}", "}", "{", "$sort", "{", "_id", BCON_INT32(1), "}", "}", "{",
	    "$limit", BCON_INT32(TOLD + 1), "}", "]");
	coll = mongo_link_collection(l, shape_payment.collection);
	began = clock_boot_ms();
	cursor = mongoc_collection_aggregate(coll, MONGOC_QUERY_NONE, pipeline, NULL, NULL);
	some = add_tids(cursor, out);
	mongo_link_judge(l, !mongoc_cursor_error(cursor, &e), &e, NULL, began);
	mongoc_cursor_destroy(cursor);
	mongoc_collection_destroy(coll);
	bson_destroy(pipeline);
	return some;
}

static void
read_foreign(const bson_t *doc, const char *id, struct store_foreign *f)
{
	const char *member;

	memcpy(f->id, id, sizeof(f->id));
	f->inserted_ms = (int64_t)strtoul((char[9]){ id[0], id[1], id[2], id[3], id[4], id[5],
					      id[6], id[7], '\0' },
			     NULL, 16) *
	    1000;
	for (unsigned i = 0; (member = store_foreign_member(i)) != NULL; i++) {
		bson_iter_t it, child;

		if (!bson_iter_init(&it, doc) || !bson_iter_find_descendant(&it, member, &child) ||
		    BSON_ITER_HOLDS_NULL(&child))
			f->lacks |= 1u << i;
	}
}

static bool
read_page(mongoc_cursor_t *cursor, struct store_foreign_page *page, struct error *err)
{
	const bson_t *doc;
	bson_iter_t it;

	while (mongoc_cursor_next(cursor, &doc)) {
		struct store_foreign *f = &page->list[page->n];

		if (!bson_iter_init_find(&it, doc, "_id") || !BSON_ITER_HOLDS_OID(&it))
			return error_set(err, ERR_INTERNAL, "a document without an ObjectId");
		bson_oid_to_string(bson_iter_oid(&it), page->last_id);
		page->seen++;
		memset(f, 0, sizeof(*f));
		if (mongo_doc_read(&shape_payment, doc, &f->payment, NULL) && f->payment.foreign) {
			read_foreign(doc, page->last_id, f);
			page->n++;
		}
	}
	return true;
}

bool
mongo_foreign_page(struct mongo_link *l, size_t limit, struct store_foreign_page *page,
    struct error *err)
{
	mongoc_collection_t *coll;
	mongoc_cursor_t *cursor;
	bson_error_t e = { 0 };
	bson_t *filter, *opts;
	bson_oid_t after;
	int64_t began;
	bool ok;

	if (!mongo_link_reach(l, err))
		return false;
	bson_oid_init_from_string(&after,
	    page->last_id[0] != '\0' ? page->last_id : "000000000000000000000000");
	filter = BCON_NEW("_id", "{", "$gt", BCON_OID(&after), "}");
	opts =
	    BCON_NEW("limit", BCON_INT64((int64_t)limit), "sort", "{", "_id", BCON_INT32(1), "}");
	coll = mongo_link_collection(l, shape_payment.collection);
	began = clock_boot_ms();
	cursor = mongoc_collection_find_with_opts(coll, filter, opts, NULL);
	ok = read_page(cursor, page, err);
	if (mongo_link_judge(l, !mongoc_cursor_error(cursor, &e), &e, NULL, began) != MONGO_DONE)
		ok = error_set(err, ERR_UNAVAILABLE, "%s", e.message);
	mongoc_cursor_destroy(cursor);
	mongoc_collection_destroy(coll);
	bson_destroy(opts);
	bson_destroy(filter);
	return ok;
}

/* Done once: whoever repeats it after an error finds what is left to do. */
static bool
judge(struct mongo_link *l, bool ok, const bson_error_t *e, const bson_t *reply, int64_t began,
    struct error *err)
{
	return mongo_link_judge(l, ok, e, reply, began) == MONGO_DONE ||
	    error_set(err, ERR_UNCERTAIN, "%s", e->message);
}

/* The old date is part of the filter: no document is shifted twice, whoever else does it. */
bool
mongo_foreign_shift(struct mongo_link *l, const struct store_foreign *of, int64_t by_ms,
    struct error *err)
{
	const struct payment *p = &of->payment;
	mongoc_collection_t *coll;
	bson_t *filter, change = BSON_INITIALIZER, set, reply;
	bson_error_t e = { 0 };
	bson_oid_t oid;
	int64_t began;
	bool ok;

	if (!mongo_link_reach(l, err))
		return false;
	bson_oid_init_from_string(&oid, of->id);
	filter = BCON_NEW("_id", BCON_OID(&oid), "approved_at", BCON_DATE_TIME(p->approved_at_ms));
	bson_append_document_begin(&change, "$set", -1, &set);
	bson_append_date_time(&set, "approved_at", -1, p->approved_at_ms + by_ms);
	if (p->created_at_ms != 0)
		bson_append_date_time(&set, "created_at", -1, p->created_at_ms + by_ms);
	bson_append_document_end(&change, &set);
	coll = mongo_link_collection(l, shape_payment.collection);
	began = clock_boot_ms();
	ok = mongoc_collection_update_one(coll, filter, &change, NULL, &reply, &e);
	ok = judge(l, ok, &e, &reply, began, err);
	bson_destroy(&reply);
	mongoc_collection_destroy(coll);
	bson_destroy(&change);
	bson_destroy(filter);
	return ok;
}

/* The whole document, as it is. *found: it is there. */
static bool
copy_to(struct mongo_link *l, const bson_t *filter, const char *to, bool *found, struct error *err)
{
	mongoc_collection_t *from = mongo_link_collection(l, shape_payment.collection);
	mongoc_collection_t *aside = mongo_link_collection(l, to);
	mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(from, filter, NULL, NULL);
	int64_t began = clock_boot_ms();
	bson_error_t e = { 0 };
	const bson_t *doc;
	enum mongo_end end;
	bson_t reply;
	bool ok;

	*found = mongoc_cursor_next(cursor, &doc);
	if (*found) {
		ok = mongoc_collection_insert_one(aside, doc, NULL, &reply, &e);
		end = mongo_link_judge(l, ok, &e, &reply, began);
		bson_destroy(&reply);
	} else {
		end = mongo_link_judge(l, !mongoc_cursor_error(cursor, &e), &e, NULL, began);
	}
	mongoc_cursor_destroy(cursor);
	mongoc_collection_destroy(aside);
	mongoc_collection_destroy(from);
	return end == MONGO_DONE || end == MONGO_DUPLICATE ||
	    error_set(err, ERR_UNCERTAIN, "%s", e.message);
}

bool
mongo_foreign_set_aside(struct mongo_link *l, const struct store_foreign *of, struct error *err)
{
	mongoc_collection_t *coll;
	bson_error_t e = { 0 };
	bson_t *filter, reply;
	bson_oid_t oid;
	bool ok, found;
	int64_t began;

	if (!mongo_link_reach(l, err))
		return false;
	bson_oid_init_from_string(&oid, of->id);
	filter = BCON_NEW("_id", BCON_OID(&oid));
	ok = copy_to(l, filter, STORE_SET_ASIDE, &found, err);
	if (ok && found) {
		coll = mongo_link_collection(l, shape_payment.collection);
		began = clock_boot_ms();
		ok = mongoc_collection_delete_one(coll, filter, NULL, &reply, &e);
		ok = judge(l, ok, &e, &reply, began, err);
		bson_destroy(&reply);
		mongoc_collection_destroy(coll);
	}
	bson_destroy(filter);
	return ok;
}
