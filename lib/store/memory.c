/* The store in this process, for tests: the same records under the same ids, nothing kept. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/buf.h"
#include "store/backend.h"
#include "store/shape.h"
#include "store/store.h"

struct record {
	UT_hash_handle hh;
	const struct shape *shape;
	char *key; /* "<collection>/<id>" */
	void *rec;
	bool loose; /* it waits for a later put */
};

struct memory {
	struct store base;
	struct record *all; /* uthash keeps the order of insertion */
	enum store_wait wait;
	bool keeps;
};

static struct memory *
of(struct store *s)
{
	return (struct memory *)s;
}

static char *
key_of(const struct shape *sh, const char *id)
{
	struct buf key = BUF_INIT;

	buf_add_str(&key, sh->collection);
	buf_add_char(&key, '/');
	buf_add_str(&key, id);
	return buf_take(&key);
}

static struct record *
find(struct memory *m, const struct shape *sh, const char *id)
{
	struct record *r = NULL;
	char *key = key_of(sh, id);

	if (key != NULL)
		HASH_FIND_STR(m->all, key, r);
	free(key);
	return r;
}

static struct record *
find_same_id(struct memory *m, const struct shape *sh, const void *rec)
{
	struct buf id = BUF_INIT;
	struct record *r;

	sh->id(rec, &id);
	r = find(m, sh, buf_str(&id));
	buf_clear(&id);
	return r;
}

static void
drop(struct record *r)
{
	if (r->rec != NULL)
		shape_clear(r->shape, r->rec);
	free(r->rec);
	free(r->key);
	free(r);
}

static struct record *
record_new(const struct shape *sh, const void *rec)
{
	struct buf id = BUF_INIT;
	struct record *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	sh->id(rec, &id);
	r->shape = sh;
	r->key = key_of(sh, buf_str(&id));
	r->rec = calloc(1, sh->size);
	buf_clear(&id);
	if (r->key != NULL && r->rec != NULL && shape_copy(sh, r->rec, rec))
		return r;
	drop(r);
	return NULL;
}

/* What waited for a put that never came is lost, as it may be with a primary. */
static void
memory_wait(struct store *s, enum store_wait wait)
{
	struct memory *m = of(s);
	struct record *r, *next;

	m->wait = wait;
	HASH_ITER(hh, m->all, r, next) {
		if (wait != STORE_ALONE || !r->loose || m->keeps)
			continue;
		HASH_DEL(m->all, r);
		drop(r);
	}
}

void
store_memory_keeps(struct store *s)
{
	of(s)->keeps = true;
}

static bool
memory_put(struct store *s, const struct shape *sh, const void *rec, enum store_put *how,
    int64_t deadline_boot_ms, struct error *err)
{
	struct memory *m = of(s);
	struct record *r = find_same_id(m, sh, rec);

	(void)deadline_boot_ms;
	*how = r == NULL || sh->same(rec, r->rec) ? STORE_OURS : STORE_TAKEN;
	for (struct record *o = m->all; m->wait != STORE_MORE && o != NULL; o = o->hh.next)
		o->loose = false;
	if (r != NULL)
		return true;
	r = record_new(sh, rec);
	if (r == NULL)
		return error_set(err, ERR_INTERNAL, "no memory");
	r->loose = m->wait == STORE_MORE;
	HASH_ADD_KEYPTR(hh, m->all, r->key, strlen(r->key), r);
	return true;
}

static bool
memory_get(struct store *s, const struct shape *sh, const char *id, void *out, bool *found,
    int64_t deadline_boot_ms, struct error *err)
{
	struct record *r = find(of(s), sh, id);

	(void)deadline_boot_ms;
	*found = r != NULL;
	return r == NULL || shape_copy(sh, out, r->rec) ||
	    error_set(err, ERR_INTERNAL, "no memory");
}

static bool
memory_get_many(struct store *s, const struct shape *sh, const char *const *ids, size_t n_ids,
    void **out, size_t *n, int64_t deadline_boot_ms, struct error *err)
{
	char *list = calloc(n_ids + 1, sh->size);
	bool found;

	*out = list;
	*n = 0;
	if (list == NULL)
		return error_set(err, ERR_INTERNAL, "no memory");
	for (size_t i = 0; i < n_ids; i++) {
		if (!memory_get(s, sh, ids[i], list + *n * sh->size, &found, deadline_boot_ms, err))
			return false;
		*n += found;
	}
	return true;
}

static bool
memory_put_many(struct store *s, const struct shape *sh, const void *const *recs, size_t n,
    enum store_put *hows, int64_t deadline_boot_ms, struct error *err)
{
	for (size_t i = 0; i < n; i++)
		if (!memory_put(s, sh, recs[i], &hows[i], deadline_boot_ms, err))
			return false;
	return true;
}

static bool
memory_replace(struct store *s, const struct shape *sh, const void *rec, bool *found,
    int64_t deadline_boot_ms, struct error *err)
{
	struct record *r = find_same_id(of(s), sh, rec);

	(void)deadline_boot_ms;
	*found = r != NULL;
	if (r == NULL)
		return true;
	shape_clear(sh, r->rec);
	return shape_copy(sh, r->rec, rec) || error_set(err, ERR_INTERNAL, "no memory");
}

static bool
memory_remove(struct store *s, const struct shape *sh, const char *id, int64_t deadline_boot_ms,
    struct error *err)
{
	struct memory *m = of(s);
	struct record *r = find(m, sh, id);

	(void)deadline_boot_ms;
	(void)err;
	if (r != NULL) {
		HASH_DEL(m->all, r);
		drop(r);
	}
	return true;
}

static bool
memory_replace_many(struct store *s, const struct shape *sh, const void *const *recs, size_t n,
    int64_t deadline_boot_ms, struct error *err)
{
	bool found;

	for (size_t i = 0; i < n; i++)
		if (!memory_replace(s, sh, recs[i], &found, deadline_boot_ms, err))
			return false;
	return true;
}

static bool
memory_remove_many(struct store *s, const struct shape *sh, const char *const *ids, size_t n,
    int64_t deadline_boot_ms, struct error *err)
{
	for (size_t i = 0; i < n; i++)
		memory_remove(s, sh, ids[i], deadline_boot_ms, err);
	return true;
}

static int64_t
time_of(const struct record *r)
{
	int64_t at;

	memcpy(&at, (const char *)r->rec + r->shape->at, sizeof(at));
	return at;
}

static int
by_time(const struct record *a, const struct record *b)
{
	return (time_of(a) > time_of(b)) - (time_of(a) < time_of(b));
}

static bool
memory_list(struct store *s, const struct shape *sh, int64_t from_ms, size_t limit, void **out,
    size_t *n, int64_t deadline_boot_ms, struct error *err)
{
	struct memory *m = of(s);
	size_t all = HASH_COUNT(m->all);
	char *list = all > 0 ? calloc(all, sh->size) : NULL;

	(void)deadline_boot_ms;
	*out = NULL;
	*n = 0;
	if (all > 0 && list == NULL)
		return error_set(err, ERR_INTERNAL, "no memory");
	HASH_SORT(m->all, by_time); /* stable */
	for (struct record *r = m->all; r != NULL && *n < limit; r = r->hh.next)
		if (r->shape == sh && time_of(r) >= from_ms &&
		    shape_copy(sh, list + *n * sh->size, r->rec))
			(*n)++;
	if (*n > 0)
		*out = list;
	else
		free(list);
	return true;
}

static const struct payment *
payment_in(const struct record *r)
{
	const struct ledger_event *e = r->rec;

	if (r->shape == &shape_payment)
		return r->rec;
	return r->shape == &shape_ledger && e->has_payment &&
		(e->kind == LK_APPROVED || e->kind == LK_REVIEW)
	    ? &e->payment
	    : NULL;
}

static bool
is_behind(const struct payment *p, const struct store_mark *after)
{
	return after->tid[0] == '\0' || p->approved_at_ms < after->approved_at_ms ||
	    (p->approved_at_ms == after->approved_at_ms && strcmp(p->tid, after->tid) < 0);
}

static bool
is_asked_for(const struct record *r, const struct payment *p, const struct store_history *h)
{
	bool cid = false;

	for (size_t i = 0; i < h->n_cids; i++)
		cid = cid || strcmp(h->cids[i], p->cid) == 0;
	return cid && is_behind(p, &h->after) && p->approved_at_ms >= h->from_ms &&
	    (h->to_ms == 0 || p->approved_at_ms < h->to_ms) &&
	    (h->user_id[0] == '\0' || strcmp(h->user_id, p->user_id) == 0) &&
	    (h->partner_order_id[0] == '\0' ||
		strcmp(h->partner_order_id, p->partner_order_id) == 0) &&
	    (h->room_id[0] == '\0' ||
		strcmp(h->room_id, ((const struct ledger_event *)r->rec)->room_id) == 0);
}

/* Newest first; what holds no payment last. */
static int
by_approval(const struct record *a, const struct record *b)
{
	const struct payment *p = payment_in(a), *q = payment_in(b);

	if (p == NULL || q == NULL)
		return (p == NULL) - (q == NULL);
	return p->approved_at_ms != q->approved_at_ms
	    ? (p->approved_at_ms < q->approved_at_ms) - (p->approved_at_ms > q->approved_at_ms)
	    : strcmp(q->tid, p->tid);
}

static bool
is_refund(const struct record *r)
{
	const struct ledger_event *e = r->rec;

	return r->shape == &shape_ledger && (e->kind == LK_REFUNDED || e->kind == LK_PART_REFUNDED);
}

/* As much of a payment as is asked about, so that one rule chooses both. */
static struct payment
payment_of_refund(const struct record *r)
{
	const struct ledger_event *e = r->rec;
	struct payment p = { .approved_at_ms = e->at_ms };

	memcpy(p.tid, e->tid, sizeof(p.tid));
	memcpy(p.cid, e->cid, sizeof(p.cid));
	memcpy(p.user_id, e->user_id, sizeof(p.user_id));
	memcpy(p.partner_order_id, e->partner_order_id, sizeof(p.partner_order_id));
	return p;
}

static int
by_refund(const struct record *a, const struct record *b)
{
	const struct ledger_event *e = a->rec, *f = b->rec;

	if (!is_refund(a) || !is_refund(b))
		return is_refund(b) - is_refund(a);
	return e->at_ms != f->at_ms ? (e->at_ms < f->at_ms) - (e->at_ms > f->at_ms)
				    : strcmp(f->tid, e->tid);
}

static bool
memory_history(struct store *s, const struct shape *sh, const struct store_history *h, void **out,
    size_t *n, int64_t deadline_boot_ms, struct error *err)
{
	struct memory *m = of(s);
	char *list = calloc(HASH_COUNT(m->all) + 1, sh->size);

	(void)deadline_boot_ms;
	*out = list;
	*n = 0;
	if (list == NULL)
		return error_set(err, ERR_INTERNAL, "no memory");
	if (h->refunds)
		HASH_SORT(m->all, by_refund);
	else
		HASH_SORT(m->all, by_approval);
	for (struct record *r = m->all; r != NULL && *n < h->limit; r = r->hh.next) {
		const struct payment *p = h->refunds ? NULL : payment_in(r);
		struct payment refund;

		if (r->shape == sh && h->refunds && is_refund(r)) {
			refund = payment_of_refund(r);
			p = &refund;
		}
		if (r->shape == sh && p != NULL && is_asked_for(r, p, h) &&
		    shape_copy(sh, list + *n * sh->size, r->rec))
			(*n)++;
	}
	return true;
}

static bool
memory_nothing_to_do(struct store *s, int64_t deadline_boot_ms, struct error *err)
{
	(void)s;
	(void)deadline_boot_ms;
	(void)err;
	return true;
}

static void
memory_free(struct store *s)
{
	struct memory *m = of(s);
	struct record *r, *next;

	HASH_ITER(hh, m->all, r, next) {
		HASH_DEL(m->all, r);
		drop(r);
	}
	free(m);
}

struct store *
store_open_memory(void)
{
	static const struct store_backend backend = {
		.put = memory_put,
		.wait = memory_wait,
		.get = memory_get,
		.get_many = memory_get_many,
		.put_many = memory_put_many,
		.replace_many = memory_replace_many,
		.remove_many = memory_remove_many,
		.replace = memory_replace,
		.remove = memory_remove,
		.list = memory_list,
		.history = memory_history,
		.make_indexes = memory_nothing_to_do,
		.ping = memory_nothing_to_do,
		.free = memory_free,
	};
	struct memory *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->base.does = &backend;
	return &m->base;
}
