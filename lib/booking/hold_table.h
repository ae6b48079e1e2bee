/*
 * All holds of all rooms, and what is remembered of orders: the rules of the queue (doc/protocol.md, section 1) as one pure module.
 * Commands and time in; answers and records out. No I/O, no clock, no waiting: a caller that must wait gets HA_WAIT and asks
 * again when the hold it waits for has changed (struct hold_changes).
 *
 * A command never changes the table itself. It decides, and where the answer changes anything it gives one *record* (bytes).
 * hold_table_apply(record) changes the table. The daemon's order is: decide -> journal append -> apply -> sync -> answer; a restart
 * applies the journal's records again and gets the same table. Expiry by time is a record too (hold_table_expire).
 * hold_table_snapshot writes the whole table as records.
 *
 * Time: every command looks at deadlines itself. At `now` a held or ready hold whose time is over is expired, and a guard that is over is none, whether
 * hold_table_expire has been called or not; what a record needs of that it carries. So hold_table_expire only frees memory and wakes waiters early.
 * Between a command and the apply of its record another command may be asked only if hold_table_decide_ahead was told of it, and if the two records have
 * nothing in common (booking/hold_touch.h).
 *
 * Structure: per room two sets of disjoint intervals (held by primary holds; held by replacements whose ready call is under way), each
 * a sorted array (booking/week.h says why), so overlap costs O(log n of that room); rooms, holds, users, orders, tids in hash tables; deadlines in heaps.
 * Invariant: in each set intervals are disjoint, because a grant fences every expired hold that it overlaps. So an expired hold that is not fenced can
 * be taken again at once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limit.h"
#include "booking/hold.h"
#include "booking/interval.h"

struct hold_limits {
	int64_t max_per_user;		/* held or ready holds */
	int64_t guard_ms;		/* sold guard after removal of an approved hold */
	int64_t window_ms;		/* KakaoPay's: 15 min from the ready call's begin */
	int64_t max_tries_per_min;	/* grants of one hold to approve: each may inquire, and send once */
	int64_t removed_answer_ms;	/* 10 min: "the last answer again" */
	int64_t gone_memory_ms;		/* how long a fenced, expired or declined hold answers hold-expired rather than no-hold: 24 h; of one
					 * user and room the last 64 that never came to an approve */
	int64_t order_memory_ms;	/* 35 days */
};

/* Provider calls and waiters under way; the daemon counts (connections close), the rules decide. */
struct hold_load {
	int64_t calls;		/* provider calls under way, all kinds */
	int64_t waiters;
	int64_t max_ready;	/* payReady calls and waiters are refused from here on (calls + waiters) */
	int64_t max_all;	/* approvals too */
};

enum hold_answer_code {
	HA_OK,			/* see the command */
	HA_REPLAY,		/* hold: own ready hold, equal business fields */
	HA_WAIT,		/* wait until hold `id` changes, then ask again */
	HA_ORDER_PAID,
	HA_IN_PROGRESS,		/* retry_ms */
	HA_SLOT_HELD,		/* conflicts, retry_ms */
	HA_SLOT_SOLD,		/* conflicts, retry_ms */
	HA_TOO_MANY_HOLDS,	/* retry_ms */
	HA_TOO_MANY_REFUSED,	/* retry_ms */
	HA_BUSY,		/* provider-busy: retry_ms */
	HA_NO_HOLD,
	HA_EXPIRED,
	HA_FENCED,		/* this id/tid was replaced, fenced or removed */
	HA_LEDGER_BEHIND,	/* n <= last_n */
	HA_STALE_TOKEN,		/* an outcome under a fencing token that is not the hold's */
	HA_NOT_READY,		/* the queue is closed: retry_ms */
	HA__MAX
};
const char *hold_answer_name(enum hold_answer_code c);	/* the word on the socket: "ok", "replay", "wait", "order-already-paid", ... */

/*
 * What a command may show of a hold: as it is, but for hold, ready, approve and outcome with HA_OK, which show what it becomes once the record is applied.
 * Strings are borrowed from the table or from the command's arguments, until the table changes.
 */
struct hold_view {
	uint64_t id;
	enum hold_state state;
	enum hold_state before;		/* approving: what it was before (ready, expired, unknown) */
	const char *cid, *order, *user, *room, *tid;	/* tid "" before ready */
	const char *attempt;		/* JSON as given to hold */
	const char *answer;		/* payReady's answer as given to ready, "" before or when no longer kept */
	int64_t expires_boot_ms;	/* ready; held: of its ready call; 0 otherwise */
	int64_t window_boot_ms;		/* end of KakaoPay's window */
	uint64_t token;			/* fencing token of the last approving, 0: none */
	int64_t n;			/* its ledger number */
	int64_t deadline_boot_ms;	/* of the approving */
	int64_t last_n;			/* last ledger number remembered for the order, 0: none */
	bool replacing;			/* a replacement of this hold has its ready call under way */
};

struct hold_answer {
	enum hold_answer_code code;
	struct hold_view hold;		/* where code says so */
	struct interval_set conflicts;	/* the overlapping parts only */
	int64_t retry_ms;
	struct buf record;		/* empty: nothing changes */
};
void hold_answer_clear(struct hold_answer *a);

struct hold_table;
struct hold_table *hold_table_new(const struct hold_limits *limits);	/* NULL: no memory */
/* Key of the hash tables, random bytes: then who chooses user and order ids cannot make them collide. Only while the table is empty. Changes no answer. */
enum { HOLD_SEED_LEN = 16 };
void hold_table_seed(struct hold_table *t, const uint8_t key[HOLD_SEED_LEN]);
void hold_table_free(struct hold_table **t);

/* n records are decided and will be applied, in this order, before what is decided from now on: ids and tokens are given beyond theirs. 0: none. */
void hold_table_decide_ahead(struct hold_table *t, uint64_t n);

/* payReady. fingerprint: hash of the business fields. Order of checks: order paid, in progress, replay, slot, limits, busy. */
struct hold_request {
	const char *cid, *order, *user, *room;
	struct interval_set set;
	const char *fingerprint;	/* hex */
	const char *attempt;		/* JSON, opaque */
	int64_t ttl_ms;
	int64_t call_ms;		/* the ready call must be back by now + this; a little later the held hold expires */
};
/*
 * HA_OK: granted (state held, replacing an own hold or not); HA_REPLAY; HA_WAIT (equal request under way); HA_ORDER_PAID; HA_IN_PROGRESS (the hold in the
 * way is shown); HA_SLOT_HELD; HA_SLOT_SOLD; HA_TOO_MANY_HOLDS; HA_BUSY. ERR_INPUT: a text is empty or too long, or the intervals are not normalized.
 */
bool hold_table_hold(struct hold_table *t, const struct hold_request *rq, const struct hold_load *load, struct now now,
	struct hold_answer *out, struct error *err);

/*
 * The ready call succeeded: HA_OK (ready; a replaced hold is fenced in the same record), HA_IN_PROGRESS (an approve of the replaced one won, or the order was
 * paid), HA_FENCED (expired or removed meanwhile). Repeats answer the same. answer: payReady's JSON, kept for replays. ERR_CONFLICT: another hold's tid.
 */
bool hold_table_ready(struct hold_table *t, uint64_t id, const char *tid, const char *answer, struct now now,
	struct hold_answer *out, struct error *err);
/* It failed: the hold is gone, a replaced one is as it was. HA_OK also when already gone or ready. paid: the ledger has a capture of the order; then its other
 * holds are fenced too. */
bool hold_table_fail(struct hold_table *t, uint64_t id, bool paid, struct now now, struct hold_answer *out, struct error *err);

/*
 * Looking. What approvePayment means by (user, room): held-or-later hold of that place (of a ready one that is being replaced and its replacement: the ready
 * one), else the one that went last. HA_OK (any state, look at hold.state), HA_NO_HOLD. By order: its open hold, else the one that changed last; where no
 * hold is remembered, HA_ORDER_PAID or HA_NO_HOLD with hold.last_n. Never changes anything.
 */
enum hold_find_what { FIND_PLACE, FIND_APPROVED_OLDEST, FIND_REMOVED_LAST };
void hold_table_find(struct hold_table *t, enum hold_find_what what, const char *user, const char *room, struct now now, struct hold_answer *out);
void hold_table_find_tid(struct hold_table *t, const char *tid, struct now now, struct hold_answer *out);
void hold_table_find_order(struct hold_table *t, const char *cid, const char *order, struct now now, struct hold_answer *out);

/*
 * approvePayment. n: number after the end of the order's chain; key: replay key hex; deadline_ms: from now.
 * HA_OK: granted, hold.token, hold.before: ready, expired = taken again in one step, unknown, approving = its deadline passed 2 s ago. With the last two only
 * an inquiry may come first, so they are granted after the window too.
 * HA_WAIT: an approve runs, ask again from the start when it changed; HA_IN_PROGRESS (as HA_WAIT, but past max_all; in review; only a first ready call under
 * way: one that replaces loses to approve); HA_LEDGER_BEHIND: n is not above last_n; HA_EXPIRED: the window is over; HA_FENCED (also removed and declined
 * ones); HA_ORDER_PAID; HA_TOO_MANY_REFUSED (max_tries_per_min grants in the last minute); HA_BUSY (past max_all); HA_NO_HOLD.
 * Every grant counts, but for one of a ready or expired hold that came back as `restored` with n = 0: nothing was written or sent.
 * A grant remembers n - 1, which the caller has read, and not n: whoever writes nothing must be able to use n again.
 */
bool hold_table_approve(struct hold_table *t, uint64_t id, int64_t n, const char *key, int64_t deadline_ms, const struct hold_load *load,
	struct now now, struct hold_answer *out, struct error *err);

/*
 * How it ended. n: the ledger number of the outcome (0: none was written, as for `restored`). HA_OK (also for a repeat, and for what comes after something
 * final was said: look at hold.state), HA_STALE_TOKEN, HA_NO_HOLD.
 * Restored and refused lead to what it was before: ready, or expired if its time is over; unknown. Where it was granted over an approving one that vanished,
 * that is unknown as long as nothing stands in the ledger (n = 0), and else what the vanished one was granted from.
 * Approved is taken whatever was said before. A hold that had lost its time gets it back if it is free; else only the order is paid and the hold stays as it
 * is. The order's other holds are fenced.
 */
enum hold_outcome { HO_APPROVED, HO_DECLINED, HO_UNKNOWN, HO_REVIEW, HO_REFUSED /* token */, HO_RESTORED /* not executed, abandoned */, HO__MAX };
bool hold_outcome_parse(const char *name, enum hold_outcome *out);
const char *hold_outcome_name(enum hold_outcome o);
bool hold_table_outcome(struct hold_table *t, uint64_t id, uint64_t token, enum hold_outcome o, int64_t n, struct now now,
	struct hold_answer *out, struct error *err);

/*
 * removePaymentInQueue. by_reservation: only approved -> HA_OK with the hold as it was; a repeat HA_REPLAY; another state HA_NO_HOLD. Else (gateway): held and
 * ready -> removed, expired -> fenced; HA_REPLAY where that is already so; approving, unknown and review HA_IN_PROGRESS, approved HA_ORDER_PAID. HA_NO_HOLD.
 * n: ledger number of the removal (0 for uncharged ones). A replacement under way is a hold of its own and stays.
 */
bool hold_table_remove(struct hold_table *t, uint64_t id, bool by_reservation, int64_t n, struct now now, struct hold_answer *out, struct error *err);

/* Time passes. One record for all that expire now (empty: none), but for what does not fit into a record; next_ms: when to call again (in the past where some
 * did not fit), boot clock, INT64_MAX: never. The record is the caller's (buf_clear). */
bool hold_table_expire(struct hold_table *t, struct now now, struct buf *record, int64_t *next_boot_ms, struct error *err);

/* Changes the table. A record that does not parse or does not fit: ERR_INTERNAL, and so is every later call that returns bool. changed (may be NULL): ids whose
 * state changed or that are gone, for waiters; all: there were more. */
struct hold_changes { uint64_t id[2 * INTERVALS_MAX + 8]; size_t n; bool all; };
bool hold_table_apply(struct hold_table *t, const void *record, size_t len, struct hold_changes *changed, struct error *err);
/* The whole table as records, one emit call each; false from emit ends it. Applied to a new table they give an equal one. */
bool hold_table_snapshot(const struct hold_table *t, bool (*emit)(void *ctx, const void *record, size_t len), void *ctx);

/*
 * A queue whose journal is new may stand in the place of one that was lost. It is *closed*: hold and approve answer HA_NOT_READY, everything else goes on;
 * until it is admitted. A table is open until a record says otherwise. (hold_handover.c)
 * admit: HA_OK (also when it is open). adopted: another queue was before it: HA_IN_PROGRESS while calls that the old one granted, or times that it guarded,
 * may not be over (hold_table_stay_quiet; no record tells of it). token_floor: the highest fencing token that was ever given.
 */
bool hold_table_is_closed(const struct hold_table *t);
void hold_table_stay_quiet(struct hold_table *t, int64_t until_boot_ms);
bool hold_table_close(struct hold_table *t, struct now now, struct hold_answer *out, struct error *err);
bool hold_table_admit(struct hold_table *t, bool adopted, uint64_t token_floor, struct now now, struct hold_answer *out, struct error *err);
/* What the ledger tells of an order: its chain reaches to last_n at least; it is paid. Never takes anything back. HA_OK. ERR_INPUT. */
bool hold_table_remember(struct hold_table *t, const char *cid, const char *order, int64_t last_n, bool paid, struct now now, struct hold_answer *out,
	struct error *err);
/* An open or paid attempt, from the ledger; only into a closed table. HA_OK; HA_REPLAY: its tid is known; HA_SLOT_HELD, HA_IN_PROGRESS: another one has its
 * time or its place, or the table is open. ERR_INPUT. */
struct hold_handover {
	const char *cid, *order, *user, *room, *tid, *attempt;
	const char *key;		/* replay key of the approving; NULL: none */
	struct interval_set set;
	enum hold_state state;		/* unknown, review, approved */
	uint64_t token;
	int64_t n, last_n;		/* number of its approving, of the end of the chain */
	int64_t window_ms;		/* until the end of KakaoPay's window; may be over */
};
bool hold_table_take_over(struct hold_table *t, const struct hold_handover *h, struct now now, struct hold_answer *out, struct error *err);
/* The order that was remembered last; *last_n 0: none. Certainly in the ledger, so a ledger that lacks it is older than this table. */
void hold_table_newest(const struct hold_table *t, const char **cid, const char **order, int64_t *last_n);
/* The first hold with an id above `after` that only an outcome ends, and whose writer had its time: approving with its deadline 2 s ago, unknown, review.
 * HA_OK, HA_NO_HOLD. */
void hold_table_overdue(struct hold_table *t, uint64_t after, struct now now, struct hold_answer *out);
/* The first hold with an id above `after` that has no end yet: HA_OK, HA_NO_HOLD. For an operator's list. */
void hold_table_next(struct hold_table *t, uint64_t after, struct now now, struct hold_answer *out);

/*
 * After a restart, once all records are applied: under another boot every deadline is mapped to this one by the wall clock, rather late than early. The old
 * records do not know of it: write a snapshot before anything is appended. Without another boot nothing happens.
 */
void hold_table_rebase(struct hold_table *t, bool same_boot, struct now now);

/* GET /queue and the operator: every live hold of a room (NULL: of all), in order of id. */
bool hold_table_each(const struct hold_table *t, const char *room, bool (*fn)(void *ctx, const struct hold_view *h, const struct interval_set *set), void *ctx);

struct hold_stats { int64_t by_state[HOLD__MAX]; int64_t guards; int64_t orders; int64_t refused_slot; };
void hold_table_stats(const struct hold_table *t, struct hold_stats *out);
