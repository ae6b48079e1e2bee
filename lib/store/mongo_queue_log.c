#include "config.h"

#include "store/mongo_queue_log.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

enum { ID_CAP = 120 };
static const char last_number[] = "9999999999999999";

struct reading {
	struct mongo_link *link;
	struct store_queue_log *out;
	bool (*each)(void *ctx, const void *record, size_t len, struct error *err);
	void *ctx;
	int64_t nonce; /* of the last number */
	int64_t parts, writer;
};

/* ---- documents */

static int64_t
number_in(const bson_t *doc, const char *name)
{
	bson_iter_t it;

	return bson_iter_init_find(&it, doc, name) ? bson_iter_as_int64(&it) : 0;
}

static bool
give(struct reading *r, const void *record, size_t len, struct error *err)
{
	return r->each == NULL || r->each(r->ctx, record, len, err);
}

/* Each document that a filter finds, which is destroyed here. */
static bool
find(struct reading *r, const char *collection, bson_t *filter, bson_t *opts,
    bool (*take)(struct reading *r, const bson_t *doc, struct error *err), struct error *err)
{
	mongoc_collection_t *coll = mongo_link_collection(r->link, collection);
	mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(coll, filter, opts, NULL);
	int64_t began = clock_boot_ms();
	bson_error_t e = { 0 };
	const bson_t *doc;
	bool ok = true;

	while (ok && mongoc_cursor_next(cursor, &doc))
		ok = take(r, doc, err);
	if (ok &&
	    mongo_link_judge(r->link, !mongoc_cursor_error(cursor, &e), &e, NULL, began) !=
		MONGO_DONE)
		ok = error_set(err, ERR_UNAVAILABLE, "%s", e.message);
	mongoc_cursor_destroy(cursor);
	mongoc_collection_destroy(coll);
	bson_destroy(filter);
	bson_destroy(opts);
	return ok;
}

static bson_t *
above(const struct reading *r, int64_t number)
{
	char from[ID_CAP], to[ID_CAP];

	snprintf(from, sizeof(from), "%s:%016" PRId64, r->out->queue_id, number);
	snprintf(to, sizeof(to), "%s:%s", r->out->queue_id, last_number);
	return BCON_NEW("_id", "{", "$gt", BCON_UTF8(from), "$lte", BCON_UTF8(to), "}");
}

/* ---- which log is the site's */

static bool
take_queue(struct reading *r, const bson_t *doc, struct error *err)
{
	bson_iter_t it;

	(void)err;
	if (bson_iter_init_find(&it, doc, "queue") && BSON_ITER_HOLDS_UTF8(&it))
		text_copy(r->out->queue_id, sizeof(r->out->queue_id), bson_iter_utf8(&it, NULL));
	return true;
}

/* ---- the newest snapshot */

static bool
take_head(struct reading *r, const bson_t *doc, struct error *err)
{
	(void)err;
	r->out->snapshot = r->out->last = number_in(doc, "n");
	r->nonce = number_in(doc, "nonce");
	r->parts = number_in(doc, "parts");
	r->writer = number_in(doc, "writer");
	return true;
}

/* Records, each with its length before it. */
static bool
take_part(struct reading *r, const bson_t *doc, struct error *err)
{
	bson_subtype_t type;
	const uint8_t *p;
	bson_iter_t it;
	uint32_t left, len;

	if (!bson_iter_init_find(&it, doc, "records") || !BSON_ITER_HOLDS_BINARY(&it))
		return error_set(err, ERR_INTERNAL, "a part of the snapshot has no records");
	bson_iter_binary(&it, &type, &left, &p);
	for (; left >= sizeof(len); p += len, left -= len) {
		memcpy(&len, p, sizeof(len));
		len = le32toh(len);
		p += sizeof(len);
		left -= (uint32_t)sizeof(len);
		if (len > left)
			break;
		if (!give(r, p, len, err))
			return false;
	}
	r->parts--;
	return left == 0 || error_set(err, ERR_INTERNAL, "a part of the snapshot is damaged");
}

static bool
read_snapshot(struct reading *r, struct error *err)
{
	int64_t parts;
	char id[ID_CAP];

	if (!find(r, "queue_snapshots", above(r, 0),
		BCON_NEW("sort", "{", "_id", BCON_INT32(-1), "}", "limit", BCON_INT64(1)),
		take_head, err))
		return false;
	parts = r->parts;
	for (int64_t i = 0; i < parts; i++) {
		snprintf(id, sizeof(id), "%s:%016" PRId64 ":%016" PRIx64 ":%06" PRId64,
		    r->out->queue_id, r->out->snapshot, (uint64_t)r->writer, i);
		if (!find(r, "queue_snapshot_parts", BCON_NEW("_id", BCON_UTF8(id)), bson_new(),
			take_part, err))
			return false;
		if (r->parts != parts - i - 1)
			return error_set(err, ERR_INTERNAL,
			    "part %" PRId64 " of snapshot %" PRId64 " is missing", i,
			    r->out->snapshot);
	}
	return true;
}

/* ---- the numbers above it */

static bool
take_number(struct reading *r, const bson_t *doc, struct error *err)
{
	int64_t n = number_in(doc, "n");
	bson_subtype_t type;
	const uint8_t *data;
	bson_iter_t it, each;
	uint32_t len;

	if (n != r->out->last + 1 || number_in(doc, "prev") != r->nonce)
		return error_set(err, ERR_INTERNAL,
		    "number %" PRId64 " of the log does not follow number %" PRId64
		    ": the log is damaged",
		    n, r->out->last);
	r->out->last = n;
	r->out->documents++;
	r->nonce = number_in(doc, "nonce");
	if (!bson_iter_init_find(&it, doc, "records") || !bson_iter_recurse(&it, &each))
		return error_set(err, ERR_INTERNAL, "number %" PRId64 " has no records", n);
	while (bson_iter_next(&each)) {
		if (!BSON_ITER_HOLDS_BINARY(&each))
			return error_set(err, ERR_INTERNAL, "number %" PRId64 " is damaged", n);
		bson_iter_binary(&each, &type, &len, &data);
		if (!give(r, data, len, err))
			return false;
	}
	return true;
}

static bool
find_queue(struct reading *r, struct error *err)
{
	if (!mongo_link_reach(r->link, err) ||
	    !find(r, "meta", BCON_NEW("_id", BCON_UTF8("queue_log")), bson_new(), take_queue, err))
		return false;
	return r->out->queue_id[0] != '\0' ||
	    error_set(err, ERR_NOT_FOUND, "this database has no log of a queue");
}

bool
mongo_queue_log_find(struct mongo_link *l, char queue_id[QUEUE_ID_CAP], struct error *err)
{
	struct store_queue_log out = { 0 };
	struct reading r = { .link = l, .out = &out };
	bool ok = find_queue(&r, err);

	memcpy(queue_id, out.queue_id, QUEUE_ID_CAP);
	return ok;
}

/* Only over the log that was looked at: of two who do this at once, one does it. */
bool
mongo_queue_log_renew(struct mongo_link *l, const char *old_id, const char *new_id,
    const char *reason, struct error *err)
{
	bson_t *filter = BCON_NEW("_id", BCON_UTF8("queue_log"), "queue", BCON_UTF8(old_id));
	int64_t now_ms = clock_wall_ms(), began = clock_boot_ms();
	bson_t *update = BCON_NEW("$set", "{", "queue", BCON_UTF8(new_id), "made",
	    BCON_DATE_TIME(now_ms), "reason", BCON_UTF8(reason), "}", "$push", "{", "before", "{",
	    "queue", BCON_UTF8(old_id), "until", BCON_DATE_TIME(now_ms), "}", "}");
	bson_error_t e = { 0 };
	mongoc_collection_t *coll;
	bson_t reply;
	bool ok = false;

	if (mongo_link_reach(l, err)) {
		coll = mongo_link_collection(l, "meta");
		ok = mongoc_collection_update_one(coll, filter, update, NULL, &reply, &e);
		ok = mongo_link_judge(l, ok, &e, &reply, began) == MONGO_DONE ||
		    error_set(err, ERR_UNCERTAIN, "%s", e.message);
		ok = ok &&
		    (number_in(&reply, "matchedCount") == 1 ||
			error_set(err, ERR_CONFLICT, "another log was begun at the same time"));
		bson_destroy(&reply);
		mongoc_collection_destroy(coll);
	}
	bson_destroy(filter);
	bson_destroy(update);
	return ok;
}

bool
mongo_queue_log_read(struct mongo_link *l, struct store_queue_log *out,
    bool (*each)(void *ctx, const void *record, size_t len, struct error *err), void *ctx,
    struct error *err)
{
	struct reading r = { .link = l, .out = out, .each = each, .ctx = ctx };

	memset(out, 0, sizeof(*out));
	return find_queue(&r, err) && read_snapshot(&r, err) &&
	    find(&r, "queue_log", above(&r, out->snapshot),
		BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}"), take_number, err);
}
