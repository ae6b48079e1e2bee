/*
 * The store in MongoDB or a server that speaks its protocol. Only keyed inserts decide anything;
 * see doc/ledger.md.
 */
#include "config.h"

#include <mongoc/mongoc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "store/backend.h"
#include "store/mongo_deed.h"
#include "store/mongo_doc.h"
#include "store/mongo_foreign.h"
#include "store/mongo_gather.h"
#include "store/mongo_index.h"
#include "store/mongo_queue_log.h"
#include "store/mongo_link.h"
#include "store/mongo_many.h"
#include "store/mongo_together.h"
#include "store/shape.h"
#include "store/store.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { PAUSE_MS = 50 }; /* between two tries of a write, or two questions to the breaker */
enum { BATCH = 2000 };	/* documents in one answer to a list */

struct mongo {
	struct store base;
	struct mongo_link *link;
	struct mongo_gather *gather; /* NULL: every command is its own */
	struct mongo_together together;
};

struct mongo_link *
mongo_link_of(struct store *s)
{
	return ((struct mongo *)s)->link;
}

struct mongo_gather *
mongo_gather_of(struct store *s)
{
	return ((struct mongo *)s)->gather;
}

void
store_go_through(struct store *s, const struct gather *g)
{
	struct mongo *m = (struct mongo *)s;

	mongo_gather_free(&m->gather);
	m->gather = mongo_gather_new(g); /* without memory it is as without gatherers */
}

/* --- reading */

/* The first document that the filter finds; out may be NULL. */
static bool
find_once(struct mongo_link *l, const struct shape *sh, const bson_t *filter, void *out,
    bool *found, struct error *err)
{
	mongoc_collection_t *coll = mongo_link_collection(l, sh->collection);
	bson_t *opts = BCON_NEW("limit", BCON_INT64(1), "singleBatch", BCON_BOOL(true));
	mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(coll, filter, opts, NULL);
	int64_t began = clock_boot_ms();
	bson_error_t e = { 0 };
	const bson_t *doc;
	bool ok = true;

	*found = mongoc_cursor_next(cursor, &doc);
	if (mongo_link_judge(l, !mongoc_cursor_error(cursor, &e), &e, NULL, began) != MONGO_DONE)
		ok = error_set(err, ERR_UNAVAILABLE, "%s", e.message);
	else if (*found && out != NULL)
		ok = mongo_doc_read(sh, doc, out, err);
	mongoc_cursor_destroy(cursor);
	bson_destroy(opts);
	mongoc_collection_destroy(coll);
	return ok;
}

/*
 * A connection that died while it was idle is no reason to fail: once more with a fresh one, if the
 * server is there.
 */
static bool
find(struct mongo_link *l, const struct shape *sh, const bson_t *filter, void *out, bool *found,
    int64_t deadline_boot_ms, struct error *err)
{
	bool ok = false;

	*found = false;
	for (int tries = 0; tries < 2; tries++) {
		if (clock_boot_ms() >= deadline_boot_ms)
			return error_set(err, ERR_UNAVAILABLE, "no time left");
		if (!mongo_link_reach(l, err))
			return false;
		ok = find_once(l, sh, filter, out, found, err);
		if (!mongo_link_failed_at_once(l))
			break;
	}
	return ok;
}

struct list {
	const struct shape *shape;
	char *recs;
	size_t n;
};

static void
list_clear(struct list *list)
{
	for (size_t i = 0; i < list->n; i++)
		shape_clear(list->shape, list->recs + i * list->shape->size);
	free(list->recs);
	list->recs = NULL;
	list->n = 0;
}

static bool
list_add(struct list *list, const bson_t *doc, struct error *err)
{
	char *more = realloc(list->recs, (list->n + 1) * list->shape->size);

	if (more == NULL)
		return error_set(err, ERR_INTERNAL, "no memory");
	list->recs = more;
	if (!mongo_doc_read(list->shape, doc, more + list->n * list->shape->size, err))
		return false;
	list->n++;
	return true;
}

bool
mongo_gathered(struct store *s, const struct shape *sh, const char *member,
    const char *const *words, size_t n_words, void **out, size_t *n)
{
	struct list list = { .shape = sh };
	const uint8_t *data;
	bson_t docs, doc;
	uint32_t len;
	bson_iter_t it;
	bool ok;

	ok = mongo_gather_find(mongo_gather_of(s), sh->collection, member, words, n_words, &docs) ==
		GATHERED_DONE &&
	    bson_iter_init(&it, &docs);
	while (ok && bson_iter_next(&it)) {
		bson_iter_document(&it, &len, &data);
		ok = bson_init_static(&doc, data, len) && list_add(&list, &doc, NULL);
	}
	if (!ok)
		list_clear(&list);
	*out = list.recs;
	*n = list.n;
	return ok;
}

static bool
list_once(struct mongo_link *l, const bson_t *filter, const bson_t *opts, struct list *list,
    struct error *err)
{
	mongoc_collection_t *coll = mongo_link_collection(l, list->shape->collection);
	int64_t began = clock_boot_ms();
	mongoc_cursor_t *cursor;
	bson_error_t e = { 0 };
	const bson_t *doc;
	bool ok = true;

	cursor = mongoc_collection_find_with_opts(coll, filter, opts, NULL);
	while (ok && mongoc_cursor_next(cursor, &doc))
		ok = list_add(list, doc, err);
	if (ok &&
	    mongo_link_judge(l, !mongoc_cursor_error(cursor, &e), &e, NULL, began) != MONGO_DONE)
		ok = error_set(err, ERR_UNAVAILABLE, "%s", e.message);
	mongoc_cursor_destroy(cursor);
	mongoc_collection_destroy(coll);
	return ok;
}

bool
mongo_find_all(struct mongo_link *l, const struct shape *sh, const bson_t *filter,
    const bson_t *opts, void **out, size_t *n, int64_t deadline_boot_ms, struct error *err)
{
	struct list list = { .shape = sh };
	bool ok = false;

	*out = NULL;
	*n = 0;
	for (int tries = 0; !ok && tries < 2; tries++) {
		list_clear(&list);
		if (clock_boot_ms() >= deadline_boot_ms)
			return error_set(err, ERR_UNAVAILABLE, "no time left");
		if (!mongo_link_reach(l, err))
			return false;
		ok = list_once(l, filter, opts, &list, err);
		if (!mongo_link_failed_at_once(l))
			break;
	}
	if (!ok)
		list_clear(&list);
	*out = list.recs;
	*n = list.n;
	return ok;
}

/* By the gatherer: *found tells. False: ask the server. */
static bool
get_gathered(struct store *s, const struct shape *sh, const char *id, void *out, bool *found)
{
	void *list;
	size_t n;

	if (!text_is_utf8(id) ||
	    !mongo_gathered(s, sh, sh->key != NULL ? sh->key : "_id", &id, 1, &list, &n))
		return false;
	*found = n > 0;
	if (n > 0)
		memcpy(out, list, sh->size);
	for (size_t i = 1; i < n; i++) /* of a unique key there are not two */
		shape_clear(sh, (char *)list + i * sh->size);
	free(list);
	return true;
}

static bool
mongo_get(struct store *s, const struct shape *sh, const char *id, void *out, bool *found,
    int64_t deadline_boot_ms, struct error *err)
{
	bson_t filter = BSON_INITIALIZER;
	bool ok;

	if (clock_boot_ms() < deadline_boot_ms && get_gathered(s, sh, id, out, found))
		return true;
	ok = mongo_doc_id(sh, id, &filter, err) &&
	    find(mongo_link_of(s), sh, &filter, out, found, deadline_boot_ms, err);
	bson_destroy(&filter);
	return ok;
}

static bool
mongo_list(struct store *s, const struct shape *sh, int64_t from_ms, size_t limit, void **out,
    size_t *n, int64_t deadline_boot_ms, struct error *err)
{
	bson_t filter = BSON_INITIALIZER, *opts;
	bool ok;

	*out = NULL;
	*n = 0;
	if (limit == 0)
		return true;
	opts = BCON_NEW("limit", BCON_INT64((int64_t)limit), "batchSize",
	    BCON_INT32(limit < BATCH ? (int32_t)limit : BATCH), "sort", "{", "at", BCON_INT32(1),
	    "}");
	if (from_ms > 0)
		BCON_APPEND(&filter, "at", "{", "$gte", BCON_DATE_TIME(from_ms), "}");
	ok = mongo_find_all(mongo_link_of(s), sh, &filter, opts, out, n, deadline_boot_ms, err);
	bson_destroy(opts);
	bson_destroy(&filter);
	return ok;
}

void
mongo_add_words(bson_t *to, const char *member, const char *const *words, size_t n)
{
	bson_t in;

	bson_append_document_begin(to, member, -1, &in);
	mongo_doc_add_words(&in, "$in", words, n);
	bson_append_document_end(to, &in);
}

/* Then a payment of another program is told, too, if it lacks its date. */
static bool
is_all_of_an_order(const struct shape *sh, const struct store_history *h)
{
	return sh == &shape_payment && h->partner_order_id[0] != '\0' && h->from_ms == 0 &&
	    h->to_ms == 0 && h->after.tid[0] == '\0';
}

/* `at`: the name of approved_at in this shape. A range of dates finds dates alone: no event without
 * a payment. */
static void
history_filter(const struct shape *sh, const char *at, const struct store_history *h,
    bson_t *filter)
{
	const char *const captures[] = { ledger_kind_name(LK_APPROVED),
		ledger_kind_name(LK_REVIEW) };
	const char *const refunds[] = { ledger_kind_name(LK_REFUNDED),
		ledger_kind_name(LK_PART_REFUNDED) };
	int64_t last_ms = h->to_ms > 0 ? h->to_ms - 1 : INT64_MAX;

	if (sh == &shape_ledger)
		mongo_add_words(filter, "kind", h->refunds ? refunds : captures, COUNT(captures));
	if (h->room_id[0] != '\0')
		BCON_APPEND(filter, "roomId", BCON_UTF8(h->room_id));
	if (h->user_id[0] != '\0')
		BCON_APPEND(filter, "userId", BCON_UTF8(h->user_id));
	if (h->partner_order_id[0] != '\0')
		BCON_APPEND(filter, "partner_order_id", BCON_UTF8(h->partner_order_id));
	mongo_add_words(filter, "cid", h->cids, h->n_cids);
	if (h->after.tid[0] != '\0' && h->after.approved_at_ms < last_ms)
		last_ms = h->after.approved_at_ms;
	if (!is_all_of_an_order(sh, h))
		BCON_APPEND(filter, at, "{", "$gte", BCON_DATE_TIME(h->from_ms), "$lte",
		    BCON_DATE_TIME(last_ms), "}");
	if (h->after.tid[0] != '\0')
		BCON_APPEND(filter, "$or", "[", "{", at, "{", "$lt",
		    BCON_DATE_TIME(h->after.approved_at_ms), "}", "}", "{", at,
		    BCON_DATE_TIME(h->after.approved_at_ms), "tid", "{", "$lt",
		    BCON_UTF8(h->after.tid), "}", "}", "]");
}

static bool
mongo_history(struct store *s, const struct shape *sh, const struct store_history *h, void **out,
    size_t *n, int64_t deadline_boot_ms, struct error *err)
{
	const char *at = h->refunds ? "at"
	    : sh == &shape_ledger   ? "payment.approved_at"
				    : "approved_at";
	bson_t filter = BSON_INITIALIZER, *opts;
	bool ok;

	history_filter(sh, at, h, &filter);
	opts = BCON_NEW("limit", BCON_INT64((int64_t)h->limit), "sort", "{", at, BCON_INT32(-1),
	    "tid", BCON_INT32(-1), "}");
	ok = mongo_find_all(mongo_link_of(s), sh, &filter, opts, out, n, deadline_boot_ms, err);
	bson_destroy(opts);
	bson_destroy(&filter);
	return ok;
}

/* --- writing */

static bool
insert_once(mongoc_collection_t *coll, const struct mongo_deed *d, bson_t *reply, bson_error_t *e)
{
	return mongoc_collection_insert_one(coll, d->doc, NULL, reply, e);
}

static bool
replace_once(mongoc_collection_t *coll, const struct mongo_deed *d, bson_t *reply, bson_error_t *e)
{
	return mongoc_collection_replace_one(coll, d->id, d->doc, NULL, reply, e);
}

static bool
delete_once(mongoc_collection_t *coll, const struct mongo_deed *d, bson_t *reply, bson_error_t *e)
{
	return mongoc_collection_delete_one(coll, d->id, d->light, reply, e);
}

static void
pause_until(int64_t wait_ms, int64_t deadline_boot_ms)
{
	int64_t left = deadline_boot_ms - clock_boot_ms();
	struct timespec ts;

	if (wait_ms > left)
		wait_ms = left;
	if (wait_ms <= 0)
		return;
	ts = (struct timespec){ .tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000 };
	nanosleep(&ts, NULL); /* a signal ends it early: then the loop looks at the clock */
}

static enum mongo_end
try_once(struct mongo_link *l, const struct mongo_deed *d, bson_t *reply, struct error *err)
{
	mongoc_collection_t *coll = mongo_link_collection(l, d->shape->collection);
	int64_t began = clock_boot_ms();
	bson_error_t e = { 0 };
	enum mongo_end end;
	bool ok;

	ok = d->once(coll, d, reply, &e);
	end = mongo_link_judge(l, ok, &e, d->light == NULL ? reply : NULL, began);
	if (end != MONGO_DONE)
		error_set(err, ERR_UNAVAILABLE, "%s", e.message);
	mongoc_collection_destroy(coll);
	return end;
}

/*
 * Whose is the record that is in the way of ours? *known: it was found; a majority read may not see
 * it yet, or it was deleted meanwhile. A record that is not in our form was written by another
 * program.
 */
static bool
look_at_other(struct mongo_link *l, const struct mongo_deed *d, bool *known, enum store_put *how,
    struct error *err)
{
	void *there = calloc(1, d->shape->size);
	bool ok;

	if (there == NULL)
		return error_set(err, ERR_INTERNAL, "no memory");
	ok = find(l, d->shape, d->id, there, known, d->deadline_boot_ms, err);
	if (ok && *known) {
		*how = d->shape->same(d->rec, there) ? STORE_OURS : STORE_TAKEN;
		shape_clear(d->shape, there);
	} else if (*known && d->shape->key != NULL) {
		*how = STORE_TAKEN;
		ok = true;
	}
	free(there);
	return ok;
}

bool
mongo_do(struct mongo_link *l, const struct mongo_deed *d, bson_t *reply, enum store_put *how,
    struct error *err)
{
	bool sent = d->sent, known = false;

	error_set(err, ERR_UNAVAILABLE, "no time left");
	while (clock_boot_ms() < d->deadline_boot_ms) {
		enum mongo_end end = MONGO_NOT_SENT;

		if (mongo_link_reach(l, err)) {
			bson_destroy(reply); /* each try makes a new one */
			end = try_once(l, d, reply, err);
		}
		if (end == MONGO_DUPLICATE && how != NULL &&
		    look_at_other(l, d, &known, how, err) && known)
			return true;
		if (end == MONGO_DONE) {
			if (how != NULL)
				*how = STORE_OURS;
			return true;
		}
		if (!sent && (end == MONGO_NOT_SENT || end == MONGO_NOT_DONE))
			return false;
		sent = sent || end != MONGO_NOT_SENT;
		pause_until(PAUSE_MS, d->deadline_boot_ms);
	}
	if (sent && err != NULL)
		err->code = ERR_UNCERTAIN;
	return false;
}

bool
mongo_filter_of(const struct shape *sh, const void *rec, bson_t *filter, struct error *err)
{
	struct buf id = BUF_INIT;
	bool ok;

	sh->id(rec, &id);
	ok = mongo_doc_id(sh, buf_str(&id), filter, err);
	buf_clear(&id);
	return ok;
}

static bool
put_gathered(struct store *s, const char *const *collections, const bson_t *docs, size_t n,
    bool *sent)
{
	enum gathered end = mongo_gather_put(mongo_gather_of(s), collections, docs, n);

	*sent = *sent || end != GATHERED_NOTHING;
	return end == GATHERED_DONE;
}

static bool
mongo_put_at_once(struct store *s, const struct shape *const *shapes, const void *const *recs,
    size_t n, bool *sent, int64_t deadline_boot_ms)
{
	const char *collections[STORE_ITEMS_MAX];
	bson_t docs[STORE_ITEMS_MAX];
	struct error err;
	bool ok = mongo_gather_of(s) != NULL && clock_boot_ms() < deadline_boot_ms;

	for (size_t i = 0; i < n; i++) {
		bson_init(&docs[i]);
		collections[i] = shapes[i]->collection;
		ok = ok && mongo_doc_write(shapes[i], recs[i], &docs[i], &err);
	}
	ok = ok && put_gathered(s, collections, docs, n, sent);
	for (size_t i = 0; i < n; i++)
		bson_destroy(&docs[i]);
	return ok;
}

static bool
mongo_put(struct store *s, const struct shape *sh, const void *rec, enum store_put *how,
    int64_t deadline_boot_ms, struct error *err)
{
	bson_t id = BSON_INITIALIZER, doc = BSON_INITIALIZER, reply = BSON_INITIALIZER;
	struct mongo_deed d = { .shape = sh,
		.rec = rec,
		.id = &id,
		.doc = &doc,
		.once = insert_once,
		.deadline_boot_ms = deadline_boot_ms };
	struct mongo_together *t = &((struct mongo *)s)->together;
	bool ok;

	ok = mongo_doc_write(sh, rec, &doc, err) && mongo_filter_of(sh, rec, &id, err);
	if (ok &&
	    (mongo_together_put(t, mongo_link_of(s), sh, rec, &doc, deadline_boot_ms, &d.sent) ||
		(t->wait == STORE_ALONE && put_gathered(s, &sh->collection, &doc, 1, &d.sent))))
		*how = STORE_OURS;
	else
		ok = ok && mongo_do(mongo_link_of(s), &d, &reply, how, err) &&
		    mongo_together_end(t, s, deadline_boot_ms, err);
	bson_destroy(&reply);
	bson_destroy(&doc);
	bson_destroy(&id);
	return ok;
}

static void
mongo_wait(struct store *s, enum store_wait wait)
{
	mongo_together_set(&((struct mongo *)s)->together, wait);
}

/*
 * An update is read, changed and written back on some servers; that is well only because a record
 * has one writer, who may repeat it.
 */
static bool
mongo_replace(struct store *s, const struct shape *sh, const void *rec, bool *found,
    int64_t deadline_boot_ms, struct error *err)
{
	bson_t id = BSON_INITIALIZER, doc = BSON_INITIALIZER, reply = BSON_INITIALIZER;
	struct mongo_deed d = { .shape = sh,
		.rec = rec,
		.id = &id,
		.doc = &doc,
		.once = replace_once,
		.deadline_boot_ms = deadline_boot_ms };
	bson_iter_t it;
	bool ok;

	ok = mongo_doc_write(sh, rec, &doc, err) && mongo_filter_of(sh, rec, &id, err) &&
	    mongo_do(mongo_link_of(s), &d, &reply, NULL, err);
	*found =
	    ok && bson_iter_init_find(&it, &reply, "matchedCount") && bson_iter_as_int64(&it) > 0;
	bson_destroy(&reply);
	bson_destroy(&doc);
	bson_destroy(&id);
	return ok;
}

static bool
mongo_remove(struct store *s, const struct shape *sh, const char *id_text, int64_t deadline_boot_ms,
    struct error *err)
{
	bson_t id = BSON_INITIALIZER, reply = BSON_INITIALIZER;
	struct mongo_deed d = { .shape = sh,
		.id = &id,
		.once = delete_once,
		.light = sh->light ? mongo_link_light(mongo_link_of(s)) : NULL,
		.deadline_boot_ms = deadline_boot_ms };
	bool ok;

	if (sh->light && clock_boot_ms() < deadline_boot_ms &&
	    mongo_gather_remove(mongo_gather_of(s), sh->collection, id_text) == GATHERED_DONE)
		return true;
	ok = mongo_doc_id(sh, id_text, &id, err) &&
	    mongo_do(mongo_link_of(s), &d, &reply, NULL, err);
	bson_destroy(&reply);
	bson_destroy(&id);
	return ok;
}

static bool
mongo_hand_over_removal(struct store *s, const struct shape *sh, const char *id,
    int64_t deadline_boot_ms)
{
	return sh->light && clock_boot_ms() < deadline_boot_ms &&
	    mongo_gather_tell_remove(mongo_gather_of(s), sh->collection, id);
}

/* --- the rest */

static bool
mongo_foreign_list(struct store *s, size_t limit, struct store_foreign_page *page,
    struct error *err)
{
	return mongo_foreign_page(mongo_link_of(s), limit, page, err);
}

static bool
mongo_queue_log(struct store *s, struct store_queue_log *out,
    bool (*each)(void *ctx, const void *record, size_t len, struct error *err), void *ctx,
    struct error *err)
{
	return mongo_queue_log_read(mongo_link_of(s), out, each, ctx, err);
}

static bool
mongo_find_log(struct store *s, char *queue_id, struct error *err)
{
	return mongo_queue_log_find(mongo_link_of(s), queue_id, err);
}

static bool
mongo_renew_log(struct store *s, const char *old_id, const char *new_id, const char *reason,
    struct error *err)
{
	return mongo_queue_log_renew(mongo_link_of(s), old_id, new_id, reason, err);
}

static bool
mongo_shift(struct store *s, const struct store_foreign *of, int64_t by_ms, struct error *err)
{
	return mongo_foreign_shift(mongo_link_of(s), of, by_ms, err);
}

static bool
mongo_set_aside(struct store *s, const struct store_foreign *of, struct error *err)
{
	return mongo_foreign_set_aside(mongo_link_of(s), of, err);
}

static bool
mongo_make_indexes(struct store *s, int64_t deadline_boot_ms, struct error *err)
{
	return mongo_index_make(mongo_link_of(s), deadline_boot_ms, err);
}

static bool
mongo_ping(struct store *s, int64_t deadline_boot_ms, struct error *err)
{
	if (clock_boot_ms() >= deadline_boot_ms)
		return error_set(err, ERR_UNAVAILABLE, "no time left");
	return mongo_link_ping(mongo_link_of(s), err);
}

static void
mongo_free(struct store *s)
{
	struct mongo *m = (struct mongo *)s;

	mongo_together_clear(&m->together);
	mongo_gather_free(&m->gather);
	mongo_link_free(&m->link);
	free(m);
}

static bool
is_database_name(const char *name)
{
	size_t len = strlen(name);

	return len >= 1 && len <= 63 && strcspn(name, "/\\. \"$*<>:|?") == len;
}

struct store *
store_open_mongo(const char *uri, const char *database, struct error *err)
{
	static const struct store_backend backend = {
		.put = mongo_put,
		.wait = mongo_wait,
		.put_at_once = mongo_put_at_once,
		.get = mongo_get,
		.get_many = mongo_get_many,
		.put_many = mongo_put_many,
		.replace_many = mongo_replace_many,
		.remove_many = mongo_remove_many,
		.replace = mongo_replace,
		.remove = mongo_remove,
		.hand_over_removal = mongo_hand_over_removal,
		.list = mongo_list,
		.history = mongo_history,
		.queue_log = mongo_queue_log,
		.queue_log_find = mongo_find_log,
		.queue_log_renew = mongo_renew_log,
		.foreign_page = mongo_foreign_list,
		.foreign_shift = mongo_shift,
		.foreign_set_aside = mongo_set_aside,
		.make_indexes = mongo_make_indexes,
		.ping = mongo_ping,
		.free = mongo_free,
	};
	struct mongo *m;

	if (!is_database_name(database)) {
		error_set(err, ERR_INPUT, "'%s' is not the name of a database", database);
		return NULL;
	}
	m = calloc(1, sizeof(*m));
	if (m == NULL) {
		error_set(err, ERR_INTERNAL, "no memory");
		return NULL;
	}
	m->base.does = &backend;
	m->link = mongo_link_open(uri, database, err);
	if (m->link == NULL) {
		free(m);
		return NULL;
	}
	return &m->base;
}
