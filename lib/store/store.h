/*
 * What is stored, in the words of the domain. Two implementations: MongoDB (mongo.c, the only place of bson_t) and memory (memory.c, for tests).
 * Arbiter: an insert under a key. Every put is repeatable: STORE_OURS when the document under the key is the one given (this call or an earlier try,
 * told by nonce or content), STORE_TAKEN when another's is there. A put whose end is not known is sent again until it is known or the deadline is over:
 * then ERR_UNCERTAIN (may be stored). ERR_UNAVAILABLE: certainly not stored by this call (breaker open, no server, nothing sent). Reads: ERR_UNAVAILABLE.
 * Writes w:majority, j:true; reads readConcern majority by exact _id. Deadlines are CLOCK_BOOTTIME ms.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "money/ledger.h"
#include "money/payment.h"
#include "money/subject.h"
#include "site/limit.h"

enum store_put { STORE_OURS, STORE_TAKEN };
enum { MESSAGE_ID_CAP = 160 };

struct store_work {		/* work item: _id = "<tid>#<n>": work of whoever takes order#n is no other's, and its id never comes again */
	struct subject of;
	int64_t n;		/* ledger number that its writer is about to take */
	int64_t at_ms;
	int64_t deadline_ms;	/* wall: by then its writer has taken the number, and given up what it sent */
	uint64_t hold_id;
};

struct store_message {		/* outbox: _id = the webhook-id, "<type>.<tid>[.<more>]": the same message has the same id for ever */
	char id[MESSAGE_ID_CAP];
	char type[33];		/* payment.approved, queue.removed, payment.resolved, payment.refunded */
	char peer[17];		/* reservation, gateway */
	char tid[TID_CAP];
	int64_t at_ms;		/* wall: owed since */
	char *body;		/* JSON {type, timestamp, data}; heap */
	int64_t again_ms;	/* wall: an operator wants one more try, whatever the schedule says; 0: nobody does */
	int64_t tries;		/* filled by store_outbox_tries: those in `deliveries` */
	int64_t last_try_ms;	/* wall, 0: none */
	int64_t not_before_ms;	/* as of the last try */
};
void store_message_clear(struct store_message *m);

struct store_try {		/* deliveries: _id = "<message id>#<try>" */
	char message_id[MESSAGE_ID_CAP];
	int64_t number;		/* 1.. */
	int64_t at_ms;
	char by[64];		/* courier's own id, for claims */
	bool ended, acknowledged;
	bool withdrawn;		/* no try: the message is owed no more, and whoever wanted this number sends nothing */
	int64_t status;		/* HTTP, 0: no answer */
	int64_t not_before_ms;	/* wall: the receiver's Retry-After; 0: it did not say */
	char error[200];
};

struct store;
/* Makes no connection yet. MongoDB: after fork only. uri may hold a password: it is never logged. ERR_INPUT: not a URI, an option that is not known,
 * TLS without checks, or no name of a database; the message does not quote the uri. */
struct store *store_open_mongo(const char *uri, const char *database, struct error *err);
struct store *store_open_memory(void);	/* tests */
void store_free(struct store **s);

/* Indexes, schema version (ERR_CONFLICT: a version that this program does not know); and the claim of the site's queue: claims it when there is none,
 * ERR_CONFLICT when another queue has it (*out is its claim). Repeatable. */
bool store_prepare(struct store *s, int64_t deadline_boot_ms, struct error *err);
/* The same, and makes every index again that somebody dropped. For roompayctl migrate. */
bool store_migrate(struct store *s, int64_t deadline_boot_ms, struct error *err);
struct store_claim {		/* which queue is the site's: a chain in `meta`, queue, queue#2, ...; the last one is in force */
	char queue_id[QUEUE_ID_CAP];
	int64_t number;		/* 1: the site's first; 0: it has none */
};
bool store_claim_queue(struct store *s, const char *queue_id, struct store_claim *out, int64_t deadline_boot_ms, struct error *err);
bool store_claim_get(struct store *s, struct store_claim *out, int64_t deadline_boot_ms, struct error *err);
/* This queue in the place of the one that *old names (as store_claim_get gave it). reason: kept with it, NULL: none. ERR_CONFLICT: somebody else was first. */
bool store_claim_adopt(struct store *s, const struct store_claim *old, const char *queue_id, const char *reason, int64_t deadline_boot_ms, struct error *err);
bool store_ping(struct store *s, int64_t deadline_boot_ms, struct error *err);	/* a majority write */

bool store_ledger_put(struct store *s, const struct ledger_event *e, enum store_put *how, int64_t deadline_boot_ms, struct error *err);
bool store_ledger_get(struct store *s, const char *cid, const char *order, int64_t n, struct ledger_event *out, bool *found, int64_t deadline_boot_ms, struct error *err);
/* The whole chain, by exact ids 1, 2, ... to the first missing: one command where it has fewer than eight events. */
bool store_ledger_chain(struct store *s, const char *cid, const char *order, struct ledger_chain *out, int64_t deadline_boot_ms, struct error *err);

/* Of the events of all orders from from_ms on, the oldest `limit`. For whoever tells a new queue what was. *out: ledger_event_clear each, then free. */
bool store_ledger_since(struct store *s, int64_t from_ms, size_t limit, struct ledger_event **out, size_t *n, int64_t deadline_boot_ms, struct error *err);

struct store_replay { char key[KEY_CAP], cid[CID_CAP], partner_order_id[ORDER_CAP]; int64_t n; };
bool store_replay_put(struct store *s, const struct store_replay *r, enum store_put *how, int64_t deadline_boot_ms, struct error *err);	/* OURS: also when it was there for the same order */
bool store_replay_get(struct store *s, const char *key, struct store_replay *out, bool *found, int64_t deadline_boot_ms, struct error *err);

bool store_payment_put(struct store *s, const struct payment *p, enum store_put *how, int64_t deadline_boot_ms, struct error *err);
bool store_payment_get(struct store *s, const char *tid, struct payment *out, bool *found, int64_t deadline_boot_ms, struct error *err);

/* The history: payments from the newest on, a page at a time; what is written meanwhile moves no page. By room it is served from the ledger, whose captures carry it. */
struct store_mark { int64_t approved_at_ms; char tid[TID_CAP]; };
struct store_history {		/* "" and 0: not asked for */
	char user_id[USER_CAP], partner_order_id[ORDER_CAP], room_id[ROOM_CAP];
	const char *const *cids;	/* of one of these; borrowed */
	size_t n_cids;
	int64_t from_ms, to_ms;		/* from <= approved_at < to */
	struct store_mark after;	/* behind this payment; tid "": from the newest */
	size_t limit;			/* 1.. */
	bool refunds;			/* store_refunds sets it */
};
/* *out: free; NULL when there is none. *more: there is another page, behind the last of these. */
bool store_history(struct store *s, const struct store_history *h, struct payment **out, size_t *n, bool *more, int64_t deadline_boot_ms, struct error *err);

/* Refunds that were carried out, the newest first: the events `refunded` and `part_refunded`, asked for as payments are; their `at` is the time that counts.
 * *out: ledger_event_clear each, then free. */
bool store_refunds(struct store *s, const struct store_history *h, struct ledger_event **out, size_t *n, bool *more, int64_t deadline_boot_ms, struct error *err);

/*
 * Documents in `payments` that another program wrote before roompay came, by _id. Only roompayctl import check changes them, and never
 * one of ours.
 */
#define STORE_SET_ASIDE "payments_twice"
struct store_foreign {
	char id[25];		/* _id, in hex */
	int64_t inserted_ms;	/* as it says */
	uint32_t lacks;		/* bits: store_foreign_member */
	struct payment payment;
};
struct store_foreign_page {
	struct store_foreign *list;	/* free */
	size_t n, seen;		/* seen: with ours; 0: it is the end */
	char last_id[25];	/* "" before the first page */
};
const char *store_foreign_member(unsigned bit);	/* "amount.point"; NULL: after the last */
bool store_foreign_next(struct store *s, struct store_foreign_page *page, struct error *err);
bool store_foreign_shift(struct store *s, const struct store_foreign *of, int64_t by_ms, struct error *err);	/* both dates */
bool store_foreign_set_aside(struct store *s, const struct store_foreign *of, struct error *err);	/* into STORE_SET_ASIDE */
/* Keeps in `meta` that and why they are about to be changed: import#1, import#2, ... */
bool store_foreign_note(struct store *s, const char *reason, int64_t deadline_boot_ms, struct error *err);

bool store_work_put(struct store *s, const struct store_work *o, int64_t deadline_boot_ms, struct error *err);
/* A crash of the server, or another primary, may bring it back: then whoever looks at it deletes it again. */
bool store_work_delete(struct store *s, const char *tid, int64_t n, int64_t deadline_boot_ms, struct error *err);
/* Lists: the oldest first. *out: free; NULL when there is none. */
bool store_work_list(struct store *s, size_t limit, struct store_work **out, size_t *n, int64_t deadline_boot_ms, struct error *err);

bool store_outbox_put(struct store *s, const struct store_message *m, enum store_put *how, int64_t deadline_boot_ms, struct error *err);
/* *out: store_message_clear when found. */
bool store_outbox_get(struct store *s, const char *id, struct store_message *out, bool *found, int64_t deadline_boot_ms, struct error *err);
/* Asks for one more try. ERR_NOT_FOUND: it is not owed any more. */
bool store_outbox_again(struct store *s, const struct store_message *m, int64_t at_ms, int64_t deadline_boot_ms, struct error *err);
bool store_outbox_delete(struct store *s, const char *id, int64_t deadline_boot_ms, struct error *err);
bool store_outbox_delete_many(struct store *s, const char *const *ids, size_t n, int64_t deadline_boot_ms, struct error *err);	/* one command */
/* *out: store_message_clear each, then free. */
bool store_outbox_list(struct store *s, size_t limit, struct store_message **out, size_t *n, int64_t deadline_boot_ms, struct error *err);
/* Those that are owed since from_ms or later. */
bool store_outbox_since(struct store *s, int64_t from_ms, size_t limit, struct store_message **out, size_t *n, int64_t deadline_boot_ms, struct error *err);
/* How often it was tried, when last, and when the receiver wants the next one. One command where it was tried less than eight times. */
bool store_outbox_tries(struct store *s, struct store_message *m, int64_t deadline_boot_ms, struct error *err);
/* A try is claimed under the number after the last one (1, 2, ... without gaps), then finished by who claimed it (ERR_NOT_FOUND: never claimed). */
bool store_try_claim(struct store *s, const struct store_try *t, enum store_put *how, int64_t deadline_boot_ms, struct error *err);
bool store_try_finish(struct store *s, const struct store_try *t, int64_t deadline_boot_ms, struct error *err);
bool store_try_list(struct store *s, const char *message_id, struct store_try **out, size_t *n, int64_t deadline_boot_ms, struct error *err);
/* Many in one command. hows[i]: as of store_try_claim. False: of each it is open whether it is claimed. */
bool store_try_claim_many(struct store *s, const struct store_try *const *tries, size_t n, enum store_put *hows,
	int64_t deadline_boot_ms, struct error *err);
/* Those that were never claimed are left out. */
bool store_try_finish_many(struct store *s, const struct store_try *const *tries, size_t n, int64_t deadline_boot_ms, struct error *err);
