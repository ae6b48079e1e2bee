#include "config.h"

#include "store/mongo_together.h"

#include <stdlib.h>

#include "base/clock.h"
#include "store/mongo_insert.h"

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

bool
mongo_together_put(struct mongo_together *t, struct mongo_link *l, const struct shape *sh,
    const void *rec, const bson_t *doc, int64_t deadline_boot_ms, bool *sent)
{
	bool last = t->wait != STORE_MORE, stored = false;
	bson_oid_t election;
	enum mongo_end end;
	struct error err;

	*sent = false;
	if ((last && t->n == 0) || t->n == TOGETHER_MAX || clock_boot_ms() >= deadline_boot_ms ||
	    !mongo_link_reach(l, &err) || !mongo_link_is_of_set(l))
		return false;
	end = mongo_insert(l, sh->collection, &doc, 1, last, &stored, &election);
	*sent = end == MONGO_DONE || end == MONGO_UNKNOWN;
	if (end != MONGO_DONE || !stored)
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
