/* The queue as its users see it: one connection to roompay-queued, synchronous, every call with a
 * deadline. Tests put a hold_table behind the same functions, without a socket (queue_open_memory).
 * Protocol: doc/protocol.md.
 * Errors: ERR_UNAVAILABLE: not reached, or no answer in time (what was asked may have happened; all verbs are safe to repeat); ERR_INTERNAL. Rules' refusals
 * are answers, not errors. The connection is opened at first use, and again after a failure; a closed connection makes the daemon forget our
 * calls and waiters. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limit.h"
#include "booking/hold_table.h"
#include "queue/wire/order_entry.h"

struct queue_hold {		/* hold_view, owned */
	uint64_t id;
	enum hold_state state, before;
	char cid[CID_CAP], order[ORDER_CAP], user[USER_CAP], room[ROOM_CAP], tid[TID_CAP];
	char attempt[ATTEMPT_MAX];
	char answer[ANSWER_MAX];
	int64_t expires_boot_ms, window_boot_ms, deadline_boot_ms;
	uint64_t token;
	int64_t n, last_n;
};

struct queue_answer {
	enum hold_answer_code code;
	struct queue_hold hold;
	struct interval_set conflicts;
	int64_t retry_ms;
	char failure[ANSWER_MAX];	/* hold as a waiter: how the ready call that we waited for failed (the leader's problem JSON) */
};

struct queue;	/* one per process */
struct queue *queue_open_unix(const char *path);
struct queue *queue_open_memory(const struct hold_limits *limits, struct now (*clock)(void));	/* tests: a hold_table behind the same functions, nobody to wait for */
void queue_free(struct queue **q);

/* deadline_boot_ms: when this program must have its answer. hold and approve wait inside the daemon for an equal call under way, at most that long
 * (then HA_IN_PROGRESS). approve: HA_WAIT is never seen here; instead HA_REPLAY = "an approve of this hold was under way and has ended: start again". */
bool queue_hold(struct queue *q, const struct hold_request *rq, int64_t deadline_boot_ms, struct queue_answer *out, struct error *err);
bool queue_ready(struct queue *q, uint64_t id, const char *tid, const char *answer, int64_t deadline_boot_ms, struct queue_answer *out, struct error *err);
bool queue_fail(struct queue *q, uint64_t id, bool paid, const char *failure, int64_t deadline_boot_ms, struct error *err);
bool queue_find(struct queue *q, enum hold_find_what what, const char *user, const char *room, int64_t deadline_boot_ms, struct queue_answer *out, struct error *err);
bool queue_find_tid(struct queue *q, const char *tid, int64_t deadline_boot_ms, struct queue_answer *out, struct error *err);
bool queue_find_order(struct queue *q, const char *cid, const char *order, int64_t deadline_boot_ms, struct queue_answer *out, struct error *err);
bool queue_approve(struct queue *q, uint64_t id, int64_t n, const char *key, int64_t deadline_boot_ms, struct queue_answer *out, struct error *err);
bool queue_outcome(struct queue *q, uint64_t id, uint64_t token, enum hold_outcome o, int64_t n, int64_t deadline_boot_ms, struct queue_answer *out, struct error *err);
bool queue_remove(struct queue *q, uint64_t id, bool by_reservation, int64_t n, int64_t deadline_boot_ms, struct queue_answer *out, struct error *err);
/* Held intervals of a room without users: JSON array text as the daemon made it. */
bool queue_list(struct queue *q, const char *room, struct buf *json, int64_t deadline_boot_ms, struct error *err);
bool queue_stats(struct queue *q, struct buf *json, int64_t deadline_boot_ms, struct error *err);
/* A delivery was put into the outbox: wakes whoever watches (the courier: first try within 100 ms). */
bool queue_poke(struct queue *q, int64_t deadline_boot_ms, struct error *err);
bool queue_watch(struct queue *q, int64_t wait_ms, bool *poked, struct error *err);
/* What the courier asks. overdue: the first hold with an id above `after` that waits for an outcome alone and whose writer had its time: HA_OK, HA_NO_HOLD. The
 * others: hold_table.h, "A queue whose journal is new". */
bool queue_overdue(struct queue *q, uint64_t after, int64_t deadline_boot_ms, struct queue_answer *out, struct error *err);
bool queue_next(struct queue *q, uint64_t after, int64_t deadline_boot_ms, struct queue_answer *out, struct error *err);	/* the first that has no end yet; for an operator's list */
/* With a tid the rest of the entry goes into the orders' log (order_log.h), so that a queue in the place of a lost one knows what that one kept. */
bool queue_remember(struct queue *q, const struct order_entry *e, bool paid, int64_t deadline_boot_ms, struct queue_answer *out, struct error *err);
bool queue_take_over(struct queue *q, const struct hold_handover *h, int64_t deadline_boot_ms, struct queue_answer *out, struct error *err);
bool queue_admit(struct queue *q, bool adopted, uint64_t token_floor, int64_t deadline_boot_ms, struct queue_answer *out, struct error *err);
/* Who it is. */
struct queue_greeting {
	char id[QUEUE_ID_CAP];
	char fence[64];		/* why it grants nothing: "no-room": the disk is full; "new": nobody has admitted it yet; "": it does */
	char cid[CID_CAP], order[ORDER_CAP];	/* the order that it remembers last, and its last number, which certainly stands in the ledger; 0: none */
	int64_t last_n;
	int64_t up_ms;		/* since its start */
};
bool queue_hello(struct queue *q, struct queue_greeting *out, int64_t deadline_boot_ms, struct error *err);
/* From now on only the queue with this id is talked to (the one that the site's claim names): every new connection asks for the id first, and with
 * another queue behind the socket every call is ERR_CONFLICT and nothing is asked of it. */
void queue_expect(struct queue *q, const char *id);
