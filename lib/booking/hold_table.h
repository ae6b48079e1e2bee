/*
 * All holds of all rooms, and what is remembered of orders: the rules of the queue
 * (doc/protocol.md, section 1) as one pure module. Commands and time go in, answers and records
 * come out. There is no I/O, no clock and no waiting: a caller that must wait gets HA_WAIT, and
 * asks again when the hold that it waits for has changed (struct hold_changes).
 *
 * A command never changes the table. It decides, and if its answer changes anything it returns a
 * *record* (bytes). hold_table_apply(record) changes the table. A restart applies the journal's
 * records again and gets the same table. That holds expire is a record, too (hold_table_expire).
 * hold_table_snapshot writes the whole table as records.
 *
 * Time: every command checks deadlines itself. A held or ready hold whose time is over counts as
 * expired, and a sold guard that is over counts as gone, whether hold_table_expire was called or
 * not. The record carries what it needs of that. So hold_table_expire only frees memory, and wakes
 * waiters early.
 *
 * Between a command and the apply of its record no other command may be asked, unless
 * hold_table_decide_ahead was called and the two records have nothing in common
 * (booking/hold_touch.h).
 *
 * Structure: each room has two sets of disjoint intervals. One belongs to holds that stand alone,
 * the other to replacements whose ready call is under way. A set is a sorted array (booking/week.h
 * says why), so a check for overlap costs O(log n) of that room. Rooms, users, orders, holds and
 * tids are in hash tables, deadlines in heaps.
 * Invariant: the intervals of a set are disjoint, because a grant fences every expired hold that
 * it overlaps. So an expired hold that is not fenced can be taken again at once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "booking/hold.h"
#include "booking/interval.h"
#include "site/limit.h"

struct hold_limits {
	int64_t max_per_user;	   /* held or ready holds */
	int64_t guard_ms;	   /* the sold guard, after an approved hold was removed */
	int64_t window_ms;	   /* KakaoPay's: 15 min from the start of the ready call */
	int64_t max_tries_per_min; /* of one hold: each grant may inquire, and send once */
	int64_t removed_answer_ms; /* 10 min: a removal may be repeated so long */
	/* 24 h: how long a fenced, expired or declined hold answers hold-expired instead of
	 * no-hold. Of one user and room only the last 64 that never came to an approve. */
	int64_t gone_memory_ms;
	int64_t order_memory_ms; /* 35 days */
};

/* KakaoPay calls and waiters under way. The daemon counts, because it sees connections close; the
 * rules decide. */
struct hold_load {
	int64_t calls; /* of all kinds */
	int64_t waiters;
	int64_t max_ready; /* payReady is refused once calls + waiters reach this */
	int64_t max_all;   /* and approvals once they reach this */
};

enum hold_answer_code {
	HA_OK,	   /* see the command */
	HA_REPLAY, /* hold: a ready hold with equal business fields is there already */
	HA_WAIT,   /* wait until hold `id` changes, then ask again */
	HA_ORDER_PAID,
	HA_IN_PROGRESS,	     /* retry_ms */
	HA_SLOT_HELD,	     /* conflicts, retry_ms */
	HA_SLOT_SOLD,	     /* conflicts, retry_ms */
	HA_TOO_MANY_HOLDS,   /* retry_ms */
	HA_TOO_MANY_REFUSED, /* retry_ms */
	HA_BUSY,	     /* provider-busy: retry_ms */
	HA_NO_HOLD,
	HA_EXPIRED,
	HA_FENCED,	  /* this id or tid was replaced, fenced or removed */
	HA_LEDGER_BEHIND, /* n <= last_n */
	HA_STALE_TOKEN,	  /* the outcome names a fencing token that is not the hold's */
	HA_NOT_READY,	  /* the queue is closed: retry_ms */
	HA_NOT_FIRST,	  /* what approve_first asks for is not there: find, then approve */
	HA__MAX
};
/* The word on the socket: "ok", "replay", "wait", "order-already-paid", ... */
const char *hold_answer_name(enum hold_answer_code c);

/*
 * What a command may show of a hold: the hold as it is. Only hold, ready, approve and outcome show
 * with HA_OK what it becomes once the record is applied.
 * Strings are borrowed from the table, or from the command's arguments, until the table changes.
 */
struct hold_view {
	uint64_t id;
	enum hold_state state;
	enum hold_state before; /* approving: granted from ready, expired or unknown */
	const char *cid, *order, *user, *room, *tid; /* tid "" before ready */
	const char *attempt;			     /* JSON as given to hold */
	const char *answer;	  /* payReady's answer as given to ready; "": none is kept */
	int64_t expires_boot_ms;  /* ready; held: end of its ready call; else 0 */
	int64_t window_boot_ms;	  /* end of KakaoPay's window */
	uint64_t token;		  /* fencing token of the last approving, 0: none */
	int64_t n;		  /* its ledger number */
	int64_t deadline_boot_ms; /* of the approving */
	int64_t last_n;		  /* last ledger number remembered for the order, 0: none */
	bool replacing;		  /* its replacement has a ready call under way */
};

struct hold_answer {
	enum hold_answer_code code;
	struct hold_view hold;	       /* where code says so */
	struct interval_set conflicts; /* the overlapping parts only */
	int64_t retry_ms;
	struct buf record; /* empty: nothing changes */
};
void hold_answer_clear(struct hold_answer *a);

struct hold_table;
struct hold_table *hold_table_new(const struct hold_limits *limits); /* NULL: no memory */
void hold_table_free(struct hold_table **t);
/* The key of the hash tables: random bytes, so that nobody can choose user or order ids that
 * collide. Only while the table is empty. It changes no answer. */
enum { HOLD_SEED_LEN = 16 };
void hold_table_seed(struct hold_table *t, const uint8_t key[HOLD_SEED_LEN]);

/* n records are decided, and will be applied in that order before what is decided from now on.
 * Ids and tokens are given beyond theirs. 0: there are none. */
void hold_table_decide_ahead(struct hold_table *t, uint64_t n);

/* ---- payReady (hold_grant.c) */

struct hold_request {
	const char *cid, *order, *user, *room;
	struct interval_set set;
	const char *fingerprint; /* hash of the business fields, hex */
	const char *attempt;	 /* JSON, opaque */
	int64_t ttl_ms;
	/* The ready call will be back by then. A little later the held hold expires. */
	int64_t call_ms;
};
/*
 * Wants these intervals. Checked in this order: order paid, in progress, replay, slot, limits,
 * busy.
 * HA_OK		granted: state held, replacing a hold of the same user or none
 * HA_REPLAY		an equal request has a ready hold
 * HA_WAIT		an equal request has its ready call under way
 * HA_IN_PROGRESS	another attempt is in the way; it is shown
 * HA_ORDER_PAID, HA_SLOT_HELD, HA_SLOT_SOLD, HA_TOO_MANY_HOLDS, HA_BUSY, HA_NOT_READY err:
 * ERR_INPUT: a text is empty or too long, or the intervals are not normalized.
 */
bool hold_table_hold(struct hold_table *t, const struct hold_request *rq,
    const struct hold_load *load, struct now now, struct hold_answer *out, struct error *err);

/*
 * The ready call succeeded. answer: payReady's JSON, kept for replays. A repeat is answered alike.
 * HA_OK		ready; the same record fences the hold that it replaces
 * HA_IN_PROGRESS	an approve of the replaced hold came first, or the order was paid
 * HA_FENCED		it expired or was removed meanwhile
 * err: ERR_CONFLICT: the tid belongs to another hold.
 */
bool hold_table_ready(struct hold_table *t, uint64_t id, const char *tid, const char *answer,
    struct now now, struct hold_answer *out, struct error *err);
/* The ready call failed: the hold is dropped, the one that it was to replace is as before. paid:
 * the ledger has a capture of the order; then the order's other holds are fenced, too. HA_OK, also
 * if the hold is gone or ready already. */
bool hold_table_fail(struct hold_table *t, uint64_t id, bool paid, struct now now,
    struct hold_answer *out, struct error *err);

/* ---- looking (hold_look.c, hold_handover.c): nothing changes */

/*
 * FIND_PLACE: what approvePayment means by a user and room. Their open hold (of a ready hold and
 * its replacement: the ready one), else the hold that ended most recently.
 * HA_OK: look at hold.state, it may be any. HA_NO_HOLD.
 */
enum hold_find_what { FIND_PLACE, FIND_APPROVED_OLDEST, FIND_REMOVED_LAST };
void hold_table_find(struct hold_table *t, enum hold_find_what what, const char *user,
    const char *room, struct now now, struct hold_answer *out);
void hold_table_find_tid(struct hold_table *t, const char *tid, struct now now,
    struct hold_answer *out);
/* The order's open hold, else the one that changed last. If no hold is remembered: HA_ORDER_PAID or
 * HA_NO_HOLD, both with hold.last_n. */
void hold_table_find_order(struct hold_table *t, const char *cid, const char *order, struct now now,
    struct hold_answer *out);
/* The first hold with an id above `after` that has no end yet, for an operator's list. HA_OK,
 * HA_NO_HOLD. */
void hold_table_next(struct hold_table *t, uint64_t after, struct now now, struct hold_answer *out);
/* The first such hold that only an outcome can end, and whose caller has had its time: approving
 * with a deadline that passed 2 s ago, unknown, or review. */
void hold_table_overdue(struct hold_table *t, uint64_t after, struct now now,
    struct hold_answer *out);
/* Every hold of a room (NULL: of all rooms) that is live at this time, in order of id. A hold whose
 * time is over is not, though no record says so yet; HOLD_AS_RECORDED: it is. */
#define HOLD_AS_RECORDED ((struct now){ .boot_ms = INT64_MIN, .wall_ms = INT64_MIN })
bool hold_table_each(const struct hold_table *t, const char *room, struct now now,
    bool (*fn)(void *ctx, const struct hold_view *h, const struct interval_set *set), void *ctx);
/* A hold as it was last recorded. False: there is none with this id. */
bool hold_table_show(const struct hold_table *t, uint64_t id, struct hold_view *out);
/* This time; or when the last record that was applied was decided, if that is later. */
struct now hold_table_time(const struct hold_table *t, struct now now);
/* The order whose memory changed last; *last_n 0: none. That event certainly is in the ledger, so a
 * ledger without it is older than this table. */
void hold_table_newest(const struct hold_table *t, const char **cid, const char **order,
    int64_t *last_n);

struct hold_stats {
	int64_t by_state[HOLD__MAX];
	int64_t guards, orders, refused_slot;
};
void hold_table_stats(const struct hold_table *t, struct hold_stats *out);

/* ---- approvePayment, its outcome, removePaymentInQueue (hold_end.c) */

/*
 * Wants to charge. n: the number after the end of the order's chain; key: replay key, hex;
 * deadline_ms: from now.
 * HA_OK		granted: hold.token. hold.before says from what: ready; expired, taken again
 *			in this step; unknown; approving, if its deadline passed 2 s ago. The last
 *			two begin with an inquiry, so they are granted after the window, too
 * HA_WAIT		an approve is under way: start again when it has changed
 * HA_IN_PROGRESS	the same, but max_all is reached; or review; or a ready call is under way
 *			(unless it replaces a hold: then it loses to an approve of that hold)
 * HA_LEDGER_BEHIND	n is not above last_n
 * HA_EXPIRED		KakaoPay's window is over
 * HA_FENCED		also removed and declined holds
 * HA_TOO_MANY_REFUSED	max_tries_per_min grants in the last minute
 * HA_BUSY		max_all is reached
 * HA_ORDER_PAID, HA_NO_HOLD, HA_NOT_READY
 *
 * Every grant counts as a try, except one of a ready or expired hold that came back as `restored`
 * with n = 0: nothing was written or sent under it.
 * A grant remembers n - 1, which the caller has read, and not n: whoever writes nothing must be
 * able to use n again.
 */
bool hold_table_approve(struct hold_table *t, uint64_t id, int64_t n, const char *key,
    int64_t deadline_ms, const struct hold_load *load, struct now now, struct hold_answer *out,
    struct error *err);

/*
 * The first approve of a hold, in one step: find with FIND_PLACE, then approve with n = 1. `cids`:
 * the merchants that the caller may see, with commas. Answers as approve does, and shows the hold,
 * if the found one is ready, belongs to one of `cids`, has never been granted an approve, and
 * nothing is remembered of its order's ledger. Else HA_NOT_FIRST or HA_NO_HOLD: nothing changes,
 * nothing is shown, and only find tells more. Never HA_WAIT.
 */
struct hold_first {
	const char *user, *room, *cids, *key;
	int64_t deadline_ms; /* from now */
};
bool hold_table_approve_first(struct hold_table *t, const struct hold_first *rq,
    const struct hold_load *load, struct now now, struct hold_answer *out, struct error *err);

/*
 * How the approve ended. n: ledger number of the outcome, 0: none was written (as for `restored`).
 * HA_OK: also for a repeat, and for what comes after something final: look at hold.state.
 * HA_STALE_TOKEN, HA_NO_HOLD.
 *
 * Restored and refused lead back to what the hold was before: unknown, ready, or expired if its
 * time is over. If it was granted over an approving hold whose caller vanished, that is unknown as
 * long as nothing is in the ledger (n = 0), else what the vanished caller was granted from.
 * Approved is accepted whatever was said before, for KakaoPay has the money. A hold that had lost
 * its time gets it back if it is free; if not, the order is paid and the hold stays as it is. The
 * order's other holds are fenced.
 */
enum hold_outcome {
	HO_APPROVED,
	HO_DECLINED,
	HO_UNKNOWN,
	HO_REVIEW,
	HO_REFUSED,  /* KakaoPay did not take the token */
	HO_RESTORED, /* not executed, or abandoned */
	HO__MAX
};
bool hold_outcome_parse(const char *name, enum hold_outcome *out);
const char *hold_outcome_name(enum hold_outcome o);
bool hold_table_outcome(struct hold_table *t, uint64_t id, uint64_t token, enum hold_outcome o,
    int64_t n, struct now now, struct hold_answer *out, struct error *err);

/*
 * Removes. n: ledger number of the removal, 0 if nothing was charged. A replacement whose ready
 * call is under way is a hold of its own and stays.
 * by_reservation: HA_OK for an approved hold, shown as it was; HA_REPLAY for a repeat; else
 * HA_NO_HOLD. By the gateway: HA_OK for held and ready (then removed) and for expired (then
 * fenced); HA_REPLAY if that has happened already; HA_IN_PROGRESS for approving, unknown and
 * review; HA_ORDER_PAID for approved; HA_NO_HOLD.
 */
bool hold_table_remove(struct hold_table *t, uint64_t id, bool by_reservation, int64_t n,
    struct now now, struct hold_answer *out, struct error *err);

/* ---- time (hold_time.c) */

/* One record for all that expires now, as far as it fits; empty: nothing does. *next_boot_ms: when
 * to call again; in the past if not all of it fitted; INT64_MAX: never. The record is the
 * caller's. */
bool hold_table_expire(struct hold_table *t, struct now now, struct buf *record,
    int64_t *next_boot_ms, struct error *err);

/* ---- records (hold_apply.c) */

/* The ids of holds that have changed state or are gone, for waiters. all: there were more. */
struct hold_changes {
	uint64_t id[2 * INTERVALS_MAX + 8];
	size_t n;
	bool all;
};
/* Changes the table. ERR_INTERNAL: the record cannot be parsed, or does not fit the table; from
 * then on every call that returns bool fails. changed may be NULL. */
bool hold_table_apply(struct hold_table *t, const void *record, size_t len,
    struct hold_changes *changed, struct error *err);
/* The whole table as records, one call of emit each; emit ends it by false. Applied to a new table
 * they make an equal one. */
bool hold_table_snapshot(const struct hold_table *t,
    bool (*emit)(void *ctx, const void *record, size_t len), void *ctx);
/*
 * After a restart, once all records are applied. If they are of another boot, every deadline is
 * mapped to this one by the wall clock, rather late than early. The old records know nothing of it:
 * write a snapshot before anything is appended. In the same boot nothing happens.
 */
void hold_table_rebase(struct hold_table *t, bool same_boot, struct now now);

/* ---- in the place of a lost queue (hold_handover.c) */

/*
 * A queue with a new journal may stand in the place of one that was lost. So it is *closed*: hold
 * and approve answer HA_NOT_READY, everything else goes on. It is open once it is admitted. A table
 * is open until a record closes it.
 */
bool hold_table_is_closed(const struct hold_table *t);
bool hold_table_close(struct hold_table *t, struct now now, struct hold_answer *out,
    struct error *err);
/* Opens it; HA_OK also if it is open. adopted: another queue was before it. Then HA_IN_PROGRESS
 * while calls that the old queue granted, or times that it guarded, may not be over
 * (hold_table_stay_quiet). token_floor: the highest fencing token that was ever given. */
bool hold_table_admit(struct hold_table *t, bool adopted, uint64_t token_floor, struct now now,
    struct hold_answer *out, struct error *err);
/* Until when an adopted queue is not opened. This makes no record. */
void hold_table_stay_quiet(struct hold_table *t, int64_t until_boot_ms);
/* What the ledger tells of an order: its chain reaches to last_n at least; it is paid. Takes
 * nothing back. HA_OK. err: ERR_INPUT. */
bool hold_table_remember(struct hold_table *t, const char *cid, const char *order, int64_t last_n,
    bool paid, struct now now, struct hold_answer *out, struct error *err);
struct hold_handover {
	const char *cid, *order, *user, *room, *tid, *attempt;
	const char *key; /* replay key of the approving; NULL: none */
	struct interval_set set;
	enum hold_state state; /* unknown, review, approved */
	uint64_t token;
	int64_t n, last_n; /* number of its approving, of the end of the chain */
	int64_t window_ms; /* until the end of KakaoPay's window; may be over */
};
/*
 * An open or paid attempt from the ledger, into a closed table.
 * HA_OK; HA_REPLAY: its tid is known; HA_SLOT_HELD, HA_IN_PROGRESS: another attempt has its time,
 * or its user and room, or its order; or the table is open. err: ERR_INPUT.
 */
bool hold_table_take_over(struct hold_table *t, const struct hold_handover *h, struct now now,
    struct hold_answer *out, struct error *err);
