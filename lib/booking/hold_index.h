/*
 * The inside of a hold_table: every hold, and the lists that it is in. Only the .c files of a
 * hold_table see it.
 *
 *	room ---------------- week "primary", week "replacing": holds by time
 *	user ---------------- held and ready holds
 *	place (user, room) -- cur, next, and the holds that have ended
 *	order (cid, order) -- cur, next, and all its holds
 *	id, tid ------------- hold
 *
 * `cur` is the hold that an approve would mean: ready, approving, unknown, review, or expired (it
 * may be taken again). `next` is held: its ready call is under way. While `next` replaces `cur`,
 * its time is in the week `replacing`, because it may overlap that of `cur`. Once `cur` is gone,
 * the time of `next` moves to `primary`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "booking/hash.h"
#include "booking/heap.h"
#include "booking/hold_record.h"
#include "booking/hold_table.h"
#include "booking/week.h"
#include "site/limit.h"

struct room {
	struct hash_node node; /* first, as in user, place, order: a node is its owner */
	struct week primary;   /* live and expired holds, guarded times */
	struct week replacing;
	size_t places;
	char name[ROOM_CAP];
};

struct user {
	struct hash_node node;
	struct hold *open; /* held and ready holds: user_prev, user_next */
	size_t places;
	char name[];
};

struct place {
	struct hash_node node;
	struct user *user;
	struct room *room;
	struct hold *cur, *next;
	/* Each a list by place_prev, place_next. The latest change is last. */
	struct hold *approved, *removed, *gone;
	size_t holds;
};

struct order {
	struct hash_node node;
	struct timer timer; /* when it is forgotten */
	struct hold *cur, *next;
	struct hold *all;		/* order_prev, order_next; the latest change is last */
	struct order *prev, *following; /* remembered orders; the latest change is last */
	int64_t last_n;
	bool paid;
	size_t order_at; /* in name */
	char name[];	 /* cid NUL order NUL */
};

struct hold {
	struct timer timer; /* first: a timer is its hold */
	struct hash_node by_id, by_tid;
	uint64_t id;
	uint64_t seq; /* of its last change */
	struct place *place;
	struct order *order;
	struct hold *prev, *following; /* all holds, in order of id */
	struct hold *place_prev, *place_next, *order_prev, *order_next, *user_prev, *user_next;
	struct hold *replaced_by; /* a held hold that fences this one when it becomes ready */
	struct hold_life life;
	char *answer, *key;		   /* NULL: none */
	struct try_times *tries;	   /* NULL: none */
	const char *fingerprint, *attempt; /* they never change: kept behind iv */
	size_t n_iv;
	char tid[TID_CAP]; /* "" before ready */
	struct interval iv[];
};

struct hold_table {
	struct hold_limits limits;
	uint8_t hash_key[HASH_KEY_LEN];
	struct hash rooms, users, places, orders, by_id, by_tid;
	struct heap holds_due, orders_due;
	struct hold *all;
	struct order *remembered;
	uint64_t last_id, last_token, last_seq;
	struct now last;	/* when the last record was decided */
	bool broken;		/* a record did not fit */
	bool closed;		/* a new queue, not admitted yet */
	uint64_t ahead;		/* records that are decided and not applied yet */
	int64_t quiet_until_ms; /* an adopted queue is not opened before */
	struct hold_stats stats;
};

/* ---- hold_keys.c: from a name to what is known of it. NULL: nothing is. */

struct hold *hold_index_find(const struct hold_table *t, uint64_t id);
struct hold *hold_index_find_tid(const struct hold_table *t, const char *tid);
struct room *hold_index_room(const struct hold_table *t, const char *room);
struct user *hold_index_user(const struct hold_table *t, const char *user);
struct place *hold_index_place(const struct hold_table *t, const char *user, const char *room);
struct order *hold_index_order(const struct hold_table *t, const char *cid, const char *order);
const char *order_cid(const struct order *o);
const char *order_name(const struct order *o);
bool order_is_remembered(const struct order *o);
/* get: makes it at first use; NULL: no memory. put: frees it if nothing is left of it; NULL is
 * nothing to free. */
struct place *hold_index_get_place(struct hold_table *t, const char *user, const char *room);
void hold_index_put_place(struct hold_table *t, struct place *p);
struct order *hold_index_get_order(struct hold_table *t, const char *cid, const char *order);
void hold_index_put_order(struct hold_table *t, struct order *o);
/* False: no memory. */
bool hold_index_put_id(struct hold_table *t, struct hold *h);
bool hold_index_put_tid(struct hold_table *t, struct hold *h);

/* ---- hold_index.c: holds and their lists */

/* The state at this time, whether hold_table_expire was called or not. A held hold whose time is
 * over is HOLD_EXPIRED, too: it is as good as forgotten. */
enum hold_state hold_state_at(const struct hold *h, int64_t boot_ms);
/* Nobody else gets its time now: it is live, or its guard is not over. */
bool hold_guards_at(const struct hold *h, int64_t boot_ms);
/* It is held, and fences another hold when it becomes ready. */
bool hold_is_replacing(const struct hold *h);
void hold_get_set(const struct hold *h, struct interval_set *out);

/* The record that is applied: when it was decided, and what it has changed so far. */
struct hold_apply {
	struct hold_table *t;
	int64_t boot_ms;
	struct hold_changes *changed;
};

/* False: the change does not fit, or there is no memory. Then the table must not be used any
 * more. */
bool hold_index_add(const struct hold_apply *a, const struct change *c);
bool hold_index_change(const struct hold_apply *a, struct hold *h, const struct change *c);
bool hold_index_drop(const struct hold_apply *a, struct hold *h);
bool hold_index_remember(struct hold_table *t, const struct change *c);
bool hold_index_forget(struct hold_table *t, struct order *o);
void hold_index_clear(struct hold_table *t);
