/* A hold_table driven as the daemon does it: decide, keep the record, apply. At the end the records
 * must make an equal table, and so must a snapshot. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "booking/hold_table.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define ROOM1 "aaaaaaaaaaaaaaaaaaaaaaaa"
#define ROOM2 "bbbbbbbbbbbbbbbbbbbbbbbb"
#define CID "TC0ONETIME"

struct world {
	struct hold_limits limits;
	struct hold_load load;
	struct now now;
	struct hold_table *t;
	struct buf journal;	     /* size_t length, record, ... */
	struct hold_answer a;	     /* the last one */
	struct hold_changes changed; /* what the last record changed */
	int tids;
};

static inline struct hold_table *
world_table(const struct world *w)
{
	static const uint8_t seed[HOLD_SEED_LEN] = "not quite random";
	struct hold_table *t = hold_table_new(&w->limits);

	assert_non_null(t);
	hold_table_seed(t, seed);
	return t;
}

static inline void
world_open(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->limits = (struct hold_limits){
		.max_per_user = 3,
		.guard_ms = MINUTE,
		.window_ms = 15 * MINUTE,
		.max_tries_per_min = 5,
		.removed_answer_ms = 10 * MINUTE,
		.gone_memory_ms = DAY,
		.order_memory_ms = 35 * DAY,
	};
	w->load = (struct hold_load){ .max_ready = 4, .max_all = 6 };
	w->now = (struct now){ 5 * HOUR, INT64_C(1700000000000) };
	w->t = world_table(w);
}

static inline bool
world_emit(void *ctx, const void *record, size_t len)
{
	buf_add(ctx, &len, sizeof(len));
	buf_add(ctx, record, len);
	return true;
}

static inline struct buf
world_snapshot(const struct hold_table *t)
{
	struct buf b;

	buf_init(&b, 0);
	assert_true(hold_table_snapshot(t, world_emit, &b));
	return b;
}

/* A new table from records that world_emit wrote. */
static inline struct hold_table *
world_replay(const struct world *w, const struct buf *records)
{
	struct hold_table *t = world_table(w);
	struct error err = { 0 };
	size_t len;

	for (size_t at = 0; at < records->len; at += len) {
		memcpy(&len, records->data + at, sizeof(len));
		at += sizeof(len);
		if (!hold_table_apply(t, records->data + at, len, NULL, &err))
			fail_msg("%s", err.msg);
	}
	return t;
}

static inline void
world_assert_equal(const struct hold_table *a, const struct hold_table *b)
{
	struct buf x = world_snapshot(a), y = world_snapshot(b);
	struct hold_stats s, r;

	assert_int_equal(x.len, y.len);
	assert_memory_equal(x.data, y.data, x.len);
	hold_table_stats(a, &s);
	hold_table_stats(b, &r);
	r.refused_slot = s.refused_slot; /* it counts answers, not changes */
	assert_memory_equal(&s, &r, sizeof(s));
	buf_clear(&x);
	buf_clear(&y);
}

/* Restarts from the journal and from a snapshot. The world goes on with the table of the
 * snapshot. */
static inline void
world_restart(struct world *w)
{
	struct buf snapshot = world_snapshot(w->t);
	struct hold_table *replayed = world_replay(w, &w->journal),
			  *restored = world_replay(w, &snapshot);

	world_assert_equal(w->t, replayed);
	world_assert_equal(w->t, restored);
	hold_table_free(&replayed);
	hold_table_free(&w->t);
	w->t = restored;
	buf_clear(&w->journal);
	w->journal = snapshot;
}

/* Another boot of the machine. As in the daemon, a snapshot replaces the old records. */
static inline void
world_reboot(struct world *w, struct now now)
{
	w->now = now;
	hold_table_rebase(w->t, false, now);
	buf_clear(&w->journal);
	w->journal = world_snapshot(w->t);
}

static inline void
world_close(struct world *w)
{
	world_restart(w);
	hold_answer_clear(&w->a);
	buf_clear(&w->journal);
	hold_table_free(&w->t);
	assert_null(w->t);
}

static inline void
world_apply(struct world *w, struct buf *record)
{
	struct error err = { 0 };

	memset(&w->changed, 0, sizeof(w->changed));
	assert_true(record->len < 65536);
	if (record->len == 0)
		return;
	world_emit(&w->journal, record->data, record->len);
	if (!hold_table_apply(w->t, record->data, record->len, &w->changed, &err))
		fail_msg("%s", err.msg);
}

static inline void
world_pass(struct world *w, int64_t ms)
{
	w->now.boot_ms += ms;
	w->now.wall_ms += ms;
}

static inline int64_t
world_expire(struct world *w)
{
	struct error err = { 0 };
	struct buf record;
	int64_t next;

	if (!hold_table_expire(w->t, w->now, &record, &next, &err))
		fail_msg("%s", err.msg);
	world_apply(w, &record);
	buf_clear(&record);
	return next;
}

/* ---- commands: each applies its record and leaves its answer in w->a */

static inline enum hold_answer_code
world_done(struct world *w, bool ok, const struct error *err)
{
	if (!ok)
		fail_msg("%s", err->msg);
	world_apply(w, &w->a.record);
	return w->a.code;
}

static inline enum hold_answer_code
world_hold_as(struct world *w, const char *user, const char *room, const char *order,
    const char *set, const char *fingerprint)
{
	struct hold_request rq = {
		.cid = CID,
		.order = order,
		.user = user,
		.room = room,
		.fingerprint = fingerprint,
		.attempt = "{\"order\":1}",
		.ttl_ms = 10 * MINUTE,
		.call_ms = 13 * SECOND,
	};
	struct error err = { 0 };

	hold_answer_clear(&w->a);
	if (!interval_set_parse(set, &rq.set, &err))
		fail_msg("%s", err.msg);
	return world_done(w, hold_table_hold(w->t, &rq, &w->load, w->now, &w->a, &err), &err);
}

/* Equal arguments have an equal fingerprint. */
static inline enum hold_answer_code
world_hold(struct world *w, const char *user, const char *room, const char *order, const char *set)
{
	char fingerprint[KEY_CAP];

	snprintf(fingerprint, sizeof(fingerprint), "%.8s/%.8s/%.8s/%.30s", user, room, order, set);
	return world_hold_as(w, user, room, order, set, fingerprint);
}

static inline enum hold_answer_code
world_ready(struct world *w, uint64_t id, const char *tid)
{
	struct error err = { 0 };

	hold_answer_clear(&w->a);
	return world_done(w,
	    hold_table_ready(w->t, id, tid, "{\"tid\":\"answer\"}", w->now, &w->a, &err), &err);
}

static inline enum hold_answer_code
world_fail(struct world *w, uint64_t id, bool paid)
{
	struct error err = { 0 };

	hold_answer_clear(&w->a);
	return world_done(w, hold_table_fail(w->t, id, paid, w->now, &w->a, &err), &err);
}

static inline enum hold_answer_code
world_approve(struct world *w, uint64_t id, int64_t n)
{
	struct error err = { 0 };

	hold_answer_clear(&w->a);
	return world_done(w,
	    hold_table_approve(w->t, id, n, "00ff", 11 * SECOND, &w->load, w->now, &w->a, &err),
	    &err);
}

static inline enum hold_answer_code
world_approve_first(struct world *w, const char *user, const char *room, const char *cids)
{
	struct hold_first rq = { user, room, cids, "00ff", 11 * SECOND };
	struct error err = { 0 };

	hold_answer_clear(&w->a);
	return world_done(w, hold_table_approve_first(w->t, &rq, &w->load, w->now, &w->a, &err),
	    &err);
}

static inline enum hold_answer_code
world_outcome(struct world *w, uint64_t id, uint64_t token, enum hold_outcome o, int64_t n)
{
	struct error err = { 0 };

	hold_answer_clear(&w->a);
	return world_done(w, hold_table_outcome(w->t, id, token, o, n, w->now, &w->a, &err), &err);
}

static inline enum hold_answer_code
world_remove(struct world *w, uint64_t id, bool by_reservation, int64_t n)
{
	struct error err = { 0 };

	hold_answer_clear(&w->a);
	return world_done(w, hold_table_remove(w->t, id, by_reservation, n, w->now, &w->a, &err),
	    &err);
}

static inline enum hold_answer_code
world_find(struct world *w, enum hold_find_what what, const char *user, const char *room)
{
	hold_answer_clear(&w->a);
	hold_table_find(w->t, what, user, room, w->now, &w->a);
	return w->a.code;
}

static inline enum hold_answer_code
world_find_tid(struct world *w, const char *tid)
{
	hold_answer_clear(&w->a);
	hold_table_find_tid(w->t, tid, w->now, &w->a);
	return w->a.code;
}

static inline enum hold_answer_code
world_find_order(struct world *w, const char *cid, const char *order)
{
	hold_answer_clear(&w->a);
	hold_table_find_order(w->t, cid, order, w->now, &w->a);
	return w->a.code;
}

/* ---- several steps at once, for tests about what follows */

static inline uint64_t
world_held(struct world *w, const char *user, const char *room, const char *order, const char *set)
{
	enum hold_answer_code c = world_hold(w, user, room, order, set);

	if (c != HA_OK)
		fail_msg("hold: %s", hold_answer_name(c));
	return w->a.hold.id;
}

static inline uint64_t
world_opened(struct world *w, const char *user, const char *room, const char *order,
    const char *set)
{
	uint64_t id = world_held(w, user, room, order, set);
	char tid[TID_CAP];

	snprintf(tid, sizeof(tid), "T%d", ++w->tids);
	assert_int_equal(world_ready(w, id, tid), HA_OK);
	return id;
}

static inline uint64_t
world_granted(struct world *w, uint64_t id, int64_t n)
{
	enum hold_answer_code c = world_approve(w, id, n);

	if (c != HA_OK)
		fail_msg("approve: %s", hold_answer_name(c));
	return w->a.hold.token;
}

static inline uint64_t
world_paid(struct world *w, const char *user, const char *room, const char *order, const char *set)
{
	uint64_t id = world_opened(w, user, room, order, set);

	assert_int_equal(world_outcome(w, id, world_granted(w, id, 1), HO_APPROVED, 2), HA_OK);
	return id;
}

static inline enum hold_state
world_state(struct world *w, const char *tid)
{
	assert_int_equal(world_find_tid(w, tid), HA_OK);
	return w->a.hold.state;
}

/* Begins a test that has one world. */
#define WORLD(w) \
	struct world w; \
	(void)state; \
	world_open(&w)
