#include "config.h"

#include "store/mongo_foreign.h"

#include "base/clock.h"
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
	pipeline = BCON_NEW("pipeline", "[", "{", "$group", "{", "_id", BCON_UTF8("$tid"), "n",
	    "{", "$sum", BCON_INT32(1), "}", "}", "}", "{", "$match", "{", "n", "{", "$gt",
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
