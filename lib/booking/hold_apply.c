/* From records to a hold_table, and from a hold_table to records. */
#include "config.h"

#include "booking/hold_index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct hold_table *
hold_table_new(const struct hold_limits *limits)
{
	struct hold_table *t = calloc(1, sizeof(*t));

	if (t != NULL)
		t->limits = *limits;
	return t;
}

void
hold_table_seed(struct hold_table *t, const uint8_t key[HOLD_SEED_LEN])
{
	static_assert(sizeof(t->hash_key) == HOLD_SEED_LEN, "the seed is the key of the hash");
	assert(t->all == NULL && t->remembered == NULL);
	memcpy(t->hash_key, key, sizeof(t->hash_key));
}

void
hold_table_decide_ahead(struct hold_table *t, uint64_t n)
{
	t->ahead = n;
}

void
hold_table_free(struct hold_table **t)
{
	if (*t == NULL)
		return;
	hold_index_clear(*t);
	free(*t);
	*t = NULL;
}

/* ---- reading */

static bool
apply_change(const struct hold_apply *a, const struct change *c)
{
	struct hold_table *t = a->t;
	struct order *o;
	struct hold *h;

	switch (c->kind) {
	case CHANGE_HOLD:
		return hold_index_add(a, c);
	case CHANGE_LIFE:
		h = hold_index_find(t, c->id);
		return h != NULL && hold_index_change(a, h, c);
	case CHANGE_DROP:
		h = hold_index_find(t, c->id);
		return h != NULL && hold_index_drop(a, h);
	case CHANGE_ORDER:
		return hold_index_remember(t, c);
	case CHANGE_FORGET:
		o = hold_index_order(t, c->cid, c->order);
		return o != NULL && hold_index_forget(t, o);
	case CHANGE_COUNTERS:
		if (c->last_id < t->last_id || c->last_token < t->last_token ||
		    c->last_seq < t->last_seq)
			return false;
		t->last_id = c->last_id;
		t->last_token = c->last_token;
		t->last_seq = c->last_seq;
		return true;
	case CHANGE_GATE:
		t->closed = c->closed;
		return true;
	}
	return false;
}

bool
hold_table_apply(struct hold_table *t, const void *record, size_t len, struct hold_changes *changed,
    struct error *err)
{
	struct hold_changes unwanted;
	struct hold_apply a = { .t = t, .changed = changed != NULL ? changed : &unwanted };
	struct record_reader r;
	struct change c;
	size_t i = 0;

	a.changed->n = 0;
	a.changed->all = false;
	if (t->broken)
		return error_set(err, ERR_INTERNAL, "the table is broken by an earlier record");
	if (!record_open(&r, record, len)) {
		t->broken = true;
		return error_set(err, ERR_INTERNAL, "not a record of version %d", RECORD_VERSION);
	}
	a.boot_ms = r.now.boot_ms;
	for (; record_next(&r, &c); i++) {
		if (apply_change(&a, &c))
			continue;
		t->broken = true;
		return error_set(err, ERR_INTERNAL, "change %zu of a record does not fit the table",
		    i);
	}
	if (r.bad) {
		t->broken = true;
		return error_set(err, ERR_INTERNAL, "change %zu of a record is malformed", i);
	}
	t->last = r.now;
	return true;
}

/* ---- writing */

static bool
emit_change(const struct hold_table *t, const struct change *c,
    bool (*emit)(void *ctx, const void *record, size_t len), void *ctx)
{
	struct buf record;
	bool ok;

	record_begin(&record, t->last);
	record_add(&record, c);
	ok = !record.bad && emit(ctx, record.data, record.len);
	buf_clear(&record);
	return ok;
}

static void
describe_hold(const struct hold *h, struct change *c)
{
	*c = (struct change){
		.kind = CHANGE_HOLD,
		.id = h->id,
		.seq = h->seq,
		.cid = order_cid(h->order),
		.order = order_name(h->order),
		.user = h->place->user->name,
		.room = h->place->room->name,
		.fingerprint = h->fingerprint,
		.attempt = h->attempt,
		.tid = h->tid[0] == '\0' ? NULL : h->tid,
		.answer = h->answer,
		.key = h->key,
		.life = h->life,
		.tries = h->tries,
	};
	hold_get_set(h, &c->set);
}

bool
hold_table_snapshot(const struct hold_table *t,
    bool (*emit)(void *ctx, const void *record, size_t len), void *ctx)
{
	struct change c;

	for (const struct order *o = t->remembered; o != NULL; o = o->following) {
		c = (struct change){
			.kind = CHANGE_ORDER,
			.cid = order_cid(o),
			.order = order_name(o),
			.last_n = o->last_n,
			.paid = o->paid,
			.until_ms = o->timer.due_ms,
		};
		if (!emit_change(t, &c, emit, ctx))
			return false;
	}
	/* In order of id, so that a replaced hold comes before its replacement. */
	for (const struct hold *h = t->all; h != NULL; h = h->following) {
		describe_hold(h, &c);
		if (!emit_change(t, &c, emit, ctx))
			return false;
	}
	c = (struct change){ .kind = CHANGE_GATE, .closed = true };
	if (t->closed && !emit_change(t, &c, emit, ctx))
		return false;
	c = (struct change){
		.kind = CHANGE_COUNTERS,
		.last_id = t->last_id,
		.last_token = t->last_token,
		.last_seq = t->last_seq,
	};
	return emit_change(t, &c, emit, ctx);
}

/* ---- another boot */

static void
shift(int64_t *ms, int64_t by_ms)
{
	if (*ms != INT64_MAX)
		*ms += by_ms;
}

void
hold_table_rebase(struct hold_table *t, bool same_boot, struct now now)
{
	int64_t elapsed_ms = now.wall_ms - t->last.wall_ms;
	int64_t by_ms;

	if (same_boot || t->broken)
		return;
	/* A wall clock that went back hides how long the daemon was down. Then no time has passed,
	 * and everything ends late rather than early. */
	if (elapsed_ms < 0)
		elapsed_ms = 0;
	by_ms = now.boot_ms - t->last.boot_ms - elapsed_ms;
	for (struct hold *h = t->all; h != NULL; h = h->following) {
		shift(&h->life.since_ms, by_ms);
		shift(&h->life.due_ms, by_ms);
		shift(&h->life.expires_ms, by_ms);
		shift(&h->life.window_ms, by_ms);
		shift(&h->life.deadline_ms, by_ms);
		for (size_t i = 0; h->tries != NULL && i < h->tries->n; i++)
			shift(&h->tries->ms[i], by_ms);
	}
	heap_shift(&t->holds_due, by_ms);
	heap_shift(&t->orders_due, by_ms);
	t->last = now;
}
