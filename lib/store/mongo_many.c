#include "config.h"

#include "store/mongo_many.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/mongo_deed.h"
#include "store/mongo_doc.h"
#include "store/mongo_link.h"

bool
mongo_get_many(struct store *s, const struct shape *sh, const char *const *ids, size_t n_ids,
    void **out, size_t *n, int64_t deadline_boot_ms, struct error *err)
{
	bson_t filter = BSON_INITIALIZER, *opts;
	bool ok;

	assert(sh->key == NULL && n_ids > 0);
	if (clock_boot_ms() < deadline_boot_ms && mongo_gathered(s, sh, "_id", ids, n_ids, out, n))
		return true;
	mongo_add_words(&filter, "_id", ids, n_ids);
	opts = BCON_NEW("batchSize", BCON_INT32((int32_t)n_ids + 1));
	ok = mongo_find_all(mongo_link_of(s), sh, &filter, opts, out, n, deadline_boot_ms, err);
	bson_destroy(opts);
	bson_destroy(&filter);
	return ok;
}

/* ---- documents of many records */

struct documents {
	bson_t *docs;
	const bson_t **list; /* to each of them */
	size_t n;
};

static void
documents_clear(struct documents *d)
{
	for (size_t i = 0; i < d->n; i++)
		bson_destroy(&d->docs[i]);
	free(d->docs);
	free(d->list);
}

static bool
documents_make(struct documents *d, const struct shape *sh, const void *const *recs, size_t n,
    struct error *err)
{
	bool ok = true;

	*d = (struct documents){ .docs = calloc(n, sizeof(*d->docs)),
		.list = calloc(n, sizeof(*d->list)) };
	if (d->docs == NULL || d->list == NULL)
		return error_set(err, ERR_INTERNAL, "no memory");
	for (; ok && d->n < n; d->n++) {
		bson_init(&d->docs[d->n]);
		d->list[d->n] = &d->docs[d->n];
		ok = mongo_doc_write(sh, recs[d->n], &d->docs[d->n], err);
	}
	return ok;
}

/* ---- inserts */

/*
 * Of an insert that was not wholly done: the answer names each record that was in the way of one of
 * ours, and nothing else went wrong. Then the others are stored. *hows is told of them.
 */
static bool
only_duplicates(const bson_t *reply, enum store_put *hows, size_t n)
{
	bson_iter_t errors, one, member;
	bool any = false;

	if (bson_has_field(reply, "writeConcernErrors") ||
	    !bson_iter_init_find(&errors, reply, "writeErrors") ||
	    !bson_iter_recurse(&errors, &one))
		return false;
	for (size_t i = 0; i < n; i++)
		hows[i] = STORE_OURS;
	while (bson_iter_next(&one)) {
		int64_t index = -1, code = 0;

		if (bson_iter_recurse(&one, &member) && bson_iter_find(&member, "index"))
			index = bson_iter_as_int64(&member);
		if (bson_iter_recurse(&one, &member) && bson_iter_find(&member, "code"))
			code = bson_iter_as_int64(&member);
		if (code != MONGOC_ERROR_DUPLICATE_KEY || index < 0 || index >= (int64_t)n)
			return false;
		hows[index] = STORE_TAKEN;
		any = true;
	}
	return any;
}

/* One command. True: *hows tells of all: STORE_TAKEN where something is in the way, perhaps our
 * own. */
static bool
insert_all(struct mongo_link *l, const struct shape *sh, const struct documents *d,
    enum store_put *hows)
{
	mongoc_collection_t *coll = mongo_link_collection(l, sh->collection);
	bson_t *opts = BCON_NEW("ordered", BCON_BOOL(false));
	int64_t began = clock_boot_ms();
	bson_error_t e = { 0 };
	bson_t reply;
	bool ok;

	ok = mongoc_collection_insert_many(coll, d->list, d->n, opts, &reply, &e);
	(void)mongo_link_judge(l, ok, &e, &reply, began);
	for (size_t i = 0; ok && i < d->n; i++)
		hows[i] = STORE_OURS;
	ok = ok || only_duplicates(&reply, hows, d->n);
	bson_destroy(&reply);
	bson_destroy(opts);
	mongoc_collection_destroy(coll);
	return ok;
}

/*
 * What has something in its way, or an end that is not known, is put again alone, which settles it:
 * the same document under the same id.
 */
bool
mongo_put_many(struct store *s, const struct shape *sh, const void *const *recs, size_t n,
    enum store_put *hows, int64_t deadline_boot_ms, struct error *err)
{
	struct documents d;
	bool ok, known = false;

	ok = documents_make(&d, sh, recs, n, err) &&
	    (clock_boot_ms() < deadline_boot_ms ||
		error_set(err, ERR_UNAVAILABLE, "no time left")) &&
	    mongo_link_reach(mongo_link_of(s), err);
	if (ok && n > 1)
		known = insert_all(mongo_link_of(s), sh, &d, hows);
	for (size_t i = 0; ok && i < n; i++)
		if (!known || hows[i] == STORE_TAKEN)
			ok = s->does->put(s, sh, recs[i], &hows[i], deadline_boot_ms, err);
	documents_clear(&d);
	return ok;
}

/* ---- updates and deletes */

struct many {
	struct mongo_deed deed;
	const void *const *recs;
	const struct documents *docs;
};

static bool
replace_all_once(mongoc_collection_t *coll, const struct mongo_deed *d, bson_t *reply,
    bson_error_t *e)
{
	const struct many *m = (const struct many *)d;
	bson_t *opts = BCON_NEW("ordered", BCON_BOOL(false));
	mongoc_bulk_operation_t *bulk;
	struct error err = { 0 };
	bool ok = true;

	bulk = mongoc_collection_create_bulk_operation_with_opts(coll, opts);
	for (size_t i = 0; ok && i < m->docs->n; i++) {
		bson_t id = BSON_INITIALIZER;

		ok = mongo_filter_of(d->shape, m->recs[i], &id, &err) &&
		    mongoc_bulk_operation_replace_one_with_opts(bulk, &id, m->docs->list[i], NULL,
			e);
		bson_destroy(&id);
	}
	if (ok)
		ok = mongoc_bulk_operation_execute(bulk, reply, e) != 0;
	else
		bson_init(reply);
	mongoc_bulk_operation_destroy(bulk);
	bson_destroy(opts);
	return ok;
}

bool
mongo_replace_many(struct store *s, const struct shape *sh, const void *const *recs, size_t n,
    int64_t deadline_boot_ms, struct error *err)
{
	bson_t reply = BSON_INITIALIZER;
	struct documents docs;
	struct many m = { .deed = { .shape = sh,
			      .once = replace_all_once,
			      .deadline_boot_ms = deadline_boot_ms },
		.recs = recs,
		.docs = &docs };
	bool ok;

	ok = documents_make(&docs, sh, recs, n, err) &&
	    mongo_do(mongo_link_of(s), &m.deed, &reply, NULL, err);
	bson_destroy(&reply);
	documents_clear(&docs);
	return ok;
}

static bool
delete_all_once(mongoc_collection_t *coll, const struct mongo_deed *d, bson_t *reply,
    bson_error_t *e)
{
	return mongoc_collection_delete_many(coll, d->id, NULL, reply, e);
}

bool
mongo_remove_many(struct store *s, const struct shape *sh, const char *const *ids, size_t n,
    int64_t deadline_boot_ms, struct error *err)
{
	bson_t filter = BSON_INITIALIZER, reply = BSON_INITIALIZER;
	struct mongo_deed d = { .shape = sh,
		.id = &filter,
		.once = delete_all_once,
		.deadline_boot_ms = deadline_boot_ms };
	bool ok;

	assert(sh->key == NULL);
	mongo_add_words(&filter, "_id", ids, n);
	ok = mongo_do(mongo_link_of(s), &d, &reply, NULL, err);
	bson_destroy(&reply);
	bson_destroy(&filter);
	return ok;
}
