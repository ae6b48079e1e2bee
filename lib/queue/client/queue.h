/*
 * The queue as its users see it: one connection to roompay-queued, one request at a time, every
 * call with a deadline. Tests put a hold_table behind the same functions, without a socket
 * (queue_open_memory). Protocol: doc/protocol.md.
 *
 * The connection is opened at first use, and again after a failure. When it closes, the daemon
 * forgets the calls and waiters of this client.
 * err: ERR_UNAVAILABLE: the daemon was not reached, or did not answer in time. The request may
 * have been carried out; every verb may be repeated. ERR_CONFLICT: another queue than
 * queue_expect. ERR_INTERNAL. A refusal by a rule is an answer, not an error.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "booking/hold_table.h"
#include "queue/wire/order_entry.h"
#include "site/limit.h"

struct queue_hold { /* struct hold_view with texts of its own */
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
	/* queue_hold that waited for an equal request: the text that the other one gave to
	 * queue_fail. */
	char failure[ANSWER_MAX];
};

struct queue;					 /* one per process */
struct queue *queue_open_unix(const char *path); /* NULL: no memory */
struct queue *queue_open_memory(const struct hold_limits *limits, struct now (*clock)(void));
void queue_free(struct queue **q);
/* From now on only the queue with this id is asked, which the site's claim names. Every new
 * connection asks for the id first. With another queue behind the socket every call is
 * ERR_CONFLICT. */
void queue_expect(struct queue *q, const char *id);

/*
 * What each verb does: hold_table.h. deadline_boot_ms: when this program must have its answer.
 * hold and approve wait inside the daemon for an equal call that is under way, at most that long;
 * then they answer HA_IN_PROGRESS. HA_WAIT is never seen here. approve answers HA_REPLAY instead:
 * an approve of this hold was under way and has ended, so start again.
 */
bool queue_hold(struct queue *q, const struct hold_request *rq, int64_t deadline_boot_ms,
    struct queue_answer *out, struct error *err);
bool queue_ready(struct queue *q, uint64_t id, const char *tid, const char *answer,
    int64_t deadline_boot_ms, struct queue_answer *out, struct error *err);
/* failure: what waiters of an equal request hear; NULL: nothing. */
bool queue_fail(struct queue *q, uint64_t id, bool paid, const char *failure,
    int64_t deadline_boot_ms, struct error *err);
bool queue_find(struct queue *q, enum hold_find_what what, const char *user, const char *room,
    int64_t deadline_boot_ms, struct queue_answer *out, struct error *err);
bool queue_find_tid(struct queue *q, const char *tid, int64_t deadline_boot_ms,
    struct queue_answer *out, struct error *err);
bool queue_find_order(struct queue *q, const char *cid, const char *order, int64_t deadline_boot_ms,
    struct queue_answer *out, struct error *err);
bool queue_approve(struct queue *q, uint64_t id, int64_t n, const char *key,
    int64_t deadline_boot_ms, struct queue_answer *out, struct error *err);
/* cids: the merchants that the caller may see. HA_OK: granted with n = 1; else HA_NOT_FIRST,
 * HA_NO_HOLD or a refusal of approve, and nothing has changed. */
bool queue_approve_first(struct queue *q, const char *user, const char *room,
    const char *const *cids, size_t n_cids, const char *key, int64_t deadline_boot_ms,
    struct queue_answer *out, struct error *err);
/* out NULL: does not wait for the daemon; true says that it was sent. */
bool queue_outcome(struct queue *q, uint64_t id, uint64_t token, enum hold_outcome o, int64_t n,
    int64_t deadline_boot_ms, struct queue_answer *out, struct error *err);
bool queue_remove(struct queue *q, uint64_t id, bool by_reservation, int64_t n,
    int64_t deadline_boot_ms, struct queue_answer *out, struct error *err);

/* The held intervals of a room, without users, as a JSON array; the daemon's counts as an
 * object. */
bool queue_list(struct queue *q, const char *room, struct buf *json, int64_t deadline_boot_ms,
    struct error *err);
bool queue_stats(struct queue *q, struct buf *json, int64_t deadline_boot_ms, struct error *err);

/* May KakaoPay be asked now whether the user of this hold gave up? At most once a minute for a
 * hold, and once a second in all: the daemon remembers when it said yes. */
bool queue_inquire(struct queue *q, uint64_t id, int64_t deadline_boot_ms, bool *granted,
    struct error *err);

/* Something was put into the outbox: wakes whoever watches, so that the courier's first try follows
 * within 100 ms. Does not wait for the daemon: true says that it was sent. *poked: there was a poke
 * since the last call. */
bool queue_poke(struct queue *q, int64_t deadline_boot_ms, struct error *err);
bool queue_watch(struct queue *q, int64_t wait_ms, bool *poked, struct error *err);

/* ---- for the courier and the operator; rules: hold_table.h, "in the place of a lost queue" */

bool queue_overdue(struct queue *q, uint64_t after, int64_t deadline_boot_ms,
    struct queue_answer *out, struct error *err);
bool queue_next(struct queue *q, uint64_t after, int64_t deadline_boot_ms, struct queue_answer *out,
    struct error *err);
/* With a tid the rest of the entry goes into the log of orders (order_log.h). So a queue in the
 * place of a lost one knows what that one kept. */
bool queue_remember(struct queue *q, const struct order_entry *e, bool paid,
    int64_t deadline_boot_ms, struct queue_answer *out, struct error *err);
bool queue_take_over(struct queue *q, const struct hold_handover *h, int64_t deadline_boot_ms,
    struct queue_answer *out, struct error *err);
bool queue_admit(struct queue *q, bool adopted, uint64_t token_floor, int64_t deadline_boot_ms,
    struct queue_answer *out, struct error *err);

struct queue_greeting {
	char id[QUEUE_ID_CAP];
	/* Why it grants nothing. "no-room": the disk is full; "new": nobody has admitted it yet;
	 * "": it grants. */
	char fence[64];
	/* The order that it remembers last, and that order's last number, which certainly is in the
	 * ledger; 0: none. */
	char cid[CID_CAP], order[ORDER_CAP];
	int64_t last_n;
	int64_t up_ms; /* since the daemon's start */
};
bool queue_hello(struct queue *q, struct queue_greeting *out, int64_t deadline_boot_ms,
    struct error *err);
