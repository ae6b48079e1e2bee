#include "config.h"

#include "store/mongo_together.h"

#include <stdlib.h>

#include "base/clock.h"

void
mongo_together_clear(struct mongo_together *t)
{
	for (size_t i = 0; i < t->n; i++) {
		shape_clear(t->put[i].shape, t->put[i].rec);
		free(t->put[i].rec);
	}
	t->n = 0;
}

void
mongo_together_set(struct mongo_together *t, enum store_wait wait)
{
	if (wait == STORE_ALONE)
		mongo_together_clear(t);
	t->wait = wait;
}

/* A copy, for the case that it must be put again. */
static bool
keep(struct mongo_together *t, const struct shape *sh, const void *rec)
{
	void *copy = calloc(1, sh->size);

	if (copy == NULL || !shape_copy(sh, copy, rec)) {
		free(copy);
		return false;
	}
	t->put[t->n].shape = sh;
	t->put[t->n++].rec = copy;
	return true;
}

/* Whole success, of a primary that says in which election it was chosen. */
static bool
read_reply(const bson_t *reply, bson_oid_t *election)
{
	bson_iter_t it;

	if (bson_has_field(reply, "writeErrors") || bson_has_field(reply, "writeConcernError") ||
	    !bson_iter_init_find(&it, reply, "n") || bson_iter_as_int64(&it) != 1 ||
	    !bson_iter_init_find(&it, reply, "electionId") || !BSON_ITER_HOLDS_OID(&it))
		return false;
	bson_oid_copy(bson_iter_oid(&it), election);
	return true;
}

/* The server's own answer, which libmongoc's insert does not pass on. */
static bool
insert(struct mongo_link *l, const struct shape *sh, const bson_t *doc, bool waits,
    bson_oid_t *election)
{
	mongoc_collection_t *coll = mongo_link_collection(l, sh->collection);
	const bson_t *opts = waits ? mongo_link_heavy(l) : mongo_link_light(l);
	bson_t command = BSON_INITIALIZER, list, reply;
	int64_t began = clock_boot_ms();
	bson_error_t e = { 0 };
	bool ok;

	bson_append_utf8(&command, "insert", -1, sh->collection, -1);
	bson_append_array_begin(&command, "documents", -1, &list);
	bson_append_document(&list, "0", -1, doc);
	bson_append_array_end(&command, &list);
	ok = mongoc_collection_write_command_with_opts(coll, &command, opts, &reply, &e);
	(void)mongo_link_judge(l, ok, &e, waits ? &reply : NULL, began);
	ok = ok && read_reply(&reply, election);
	bson_destroy(&reply);
	bson_destroy(&command);
	mongoc_collection_destroy(coll);
	return ok;
}

bool
mongo_together_put(struct mongo_together *t, struct mongo_link *l, const struct shape *sh,
    const void *rec, const bson_t *doc, int64_t deadline_boot_ms)
{
	bool last = t->wait != STORE_MORE;
	bson_oid_t election;
	struct error err;

	if ((last && t->n == 0) || t->n == TOGETHER_MAX || clock_boot_ms() >= deadline_boot_ms ||
	    !mongo_link_reach(l, &err) || !mongo_link_is_of_set(l) ||
	    !insert(l, sh, doc, last, &election))
		return false;
	if (t->n > 0 && !bson_oid_equal(&election, &t->election))
		return false;
	bson_oid_copy(&election, &t->election);
	if (!last)
		return keep(t, sh, rec);
	mongo_together_clear(t);
	return true;
}

bool
mongo_together_end(struct mongo_together *t, struct store *s, int64_t deadline_boot_ms,
    struct error *err)
{
	struct mongo_together late = *t;
	bool ok = true;

	if (t->wait == STORE_MORE)
		return true;
	t->n = 0; /* puts as any other */
	for (size_t i = 0; ok && i < late.n; i++) {
		enum store_put how;

		ok = s->does->put(s, late.put[i].shape, late.put[i].rec, &how, deadline_boot_ms,
		    err);
		if (ok && how == STORE_TAKEN)
			ok = error_set(err, ERR_UNCERTAIN, "%s: what was written was lost",
			    late.put[i].shape->collection);
	}
	mongo_together_clear(&late);
	return ok;
}
