/*
 * The inside of a hold_table: every hold and where it stands. Only the .c files of a hold_table see it.
 *
 *	room ---------------- week "primary", week "replacing": holds by time
 *	user ---------------- held and ready holds
 *	place (user, room) -- cur, next, and the gone ones
 *	order (cid, order) -- cur, next, and all of them
 *	id, tid ------------- hold
 *
 * `cur` is the one that an approve would mean: ready, approving, unknown, review, or expired and perhaps to be had again. `next` is held: its ready call
 * is under way. While a next one replaces a cur one, its time stands in `replacing`, for it may overlap the cur one's; once that is gone, in `primary`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limit.h"
#include "booking/hash.h"
#include "booking/heap.h"
#include "booking/hold_record.h"
#include "booking/hold_table.h"
#include "booking/week.h"

struct room {
	struct hash_node node;		/* first, as in user, place and order: a node is its owner */
	struct week primary;		/* live holds, expired ones, guarded times */
	struct week replacing;
	size_t places;
	char name[ROOM_CAP];
};

struct user {
	struct hash_node node;
	struct hold *open;		/* held and ready: user_prev, user_next */
	size_t places;
	char name[];
};

struct place {
	struct hash_node node;
	struct user *user;
	struct room *room;
	struct hold *cur, *next;
	struct hold *approved, *removed, *gone;	/* place_prev, place_next; the latest change stands last */
	size_t holds;
};

struct order {
	struct hash_node node;
	struct timer timer;		/* end of the memory */
	struct hold *cur, *next;
	struct hold *all;		/* order_prev, order_next; the latest change stands last */
	struct order *prev, *following;	/* remembered ones; the latest change stands last */
	int64_t last_n;
	bool paid;
	size_t order_at;		/* in name */
	char name[];			/* cid NUL order NUL */
};

struct hold {
	struct timer timer;		/* first: a timer is its hold */
	struct hash_node by_id, by_tid;
	uint64_t id;
	uint64_t seq;			/* of its last change */
	struct place *place;
	struct order *order;
	struct hold *prev, *following;	/* all, in order of id */
	struct hold *place_prev, *place_next, *order_prev, *order_next, *user_prev, *user_next;
	struct hold *replaced_by;	/* the held one that fences this one when it becomes ready */
	struct hold_life life;
	char *answer, *key;		/* NULL where there is none */
	struct try_times *tries;	/* NULL: none */
	const char *fingerprint, *attempt;	/* in the same memory, after iv: they never change */
	size_t n_iv;
	char tid[TID_CAP];		/* "" before ready */
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
	struct now last;		/* when the last record was decided */
	bool broken;			/* a record did not fit */
	bool closed;			/* a new queue that was not admitted yet */
	uint64_t ahead;			/* records that are decided and not applied yet */
	int64_t quiet_until_ms;		/* not before, where another one was before it */
	struct hold_stats stats;
};

/* ---- hold_keys.c. NULL: not there. */
struct hold *hold_index_find(const struct hold_table *t, uint64_t id);
struct hold *hold_index_find_tid(const struct hold_table *t, const char *tid);
struct room *hold_index_room(const struct hold_table *t, const char *room);
struct user *hold_index_user(const struct hold_table *t, const char *user);
struct place *hold_index_place(const struct hold_table *t, const char *user, const char *room);
struct order *hold_index_order(const struct hold_table *t, const char *cid, const char *order);
const char *order_cid(const struct order *o);
const char *order_name(const struct order *o);
bool order_is_remembered(const struct order *o);
/* Makes it at first use; NULL: no memory. put: frees it where nothing is left of it (NULL: nothing to do). */
struct place *hold_index_get_place(struct hold_table *t, const char *user, const char *room);
void hold_index_put_place(struct hold_table *t, struct place *p);
struct order *hold_index_get_order(struct hold_table *t, const char *cid, const char *order);
void hold_index_put_order(struct hold_table *t, struct order *o);
/* False: no memory. */
bool hold_index_put_id(struct hold_table *t, struct hold *h);
bool hold_index_put_tid(struct hold_table *t, struct hold *h);

/* ---- hold_index.c. The state at this time, whether hold_table_expire has said so or not. A held one that is over is HOLD_EXPIRED too; it is as good as
 * forgotten. */
enum hold_state hold_state_at(const struct hold *h, int64_t boot_ms);
/* Nobody else gets its time now: a live state, or a guard that is not over. */
bool hold_guards_at(const struct hold *h, int64_t boot_ms);
/* Held, and fences another one when it becomes ready. */
bool hold_is_replacing(const struct hold *h);
void hold_get_set(const struct hold *h, struct interval_set *out);

/* What one record does, and when it was decided. */
struct hold_apply {
	struct hold_table *t;
	int64_t boot_ms;
	struct hold_changes *changed;
};

/* Changes. False: it does not fit, or no memory; then the table must not be used any more. */
bool hold_index_add(const struct hold_apply *a, const struct change *c);
bool hold_index_change(const struct hold_apply *a, struct hold *h, const struct change *c);
bool hold_index_drop(const struct hold_apply *a, struct hold *h);
bool hold_index_remember(struct hold_table *t, const struct change *c);
bool hold_index_forget(struct hold_table *t, struct order *o);
void hold_index_clear(struct hold_table *t);
