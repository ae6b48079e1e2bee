/*
 * The store in the words of the domain. Two implementations: MongoDB (mongo.c and its neighbours;
 *the only files that know bson_t) and memory (memory.c, for tests). The records are in record.h.
 *
 * The arbiter is an insert under a unique key. Every put may be repeated:
 *
 *	STORE_OURS	the record under the key is the one given, written now or by an earlier try.
 *			Its nonce or its content tells.
 *	STORE_TAKEN	somebody else's record is there
 *
 * A put whose end is not known is sent again until it is known. When the deadline comes first, the
 *error is ERR_UNCERTAIN: the record may be stored. ERR_UNAVAILABLE: this call has certainly not
 *stored it (breaker open, no server, nothing sent). A read that fails is ERR_UNAVAILABLE.
 *
 * Writes use w: majority, j: true; reads use readConcern majority. Deadlines are CLOCK_BOOTTIME ms.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "money/ledger.h"
#include "money/payment.h"
#include "store/record.h"

struct store;
/* Makes no connection yet. MongoDB: after fork only. uri may hold a password: it is never logged.
 * ERR_INPUT: not a URI, an option that is not known, TLS without checks, or no name of a database;
 * the message does not quote the uri. */
struct store *store_open_mongo(const char *uri, const char *database, struct error *err);
struct store *store_open_memory(void); /* tests */
/* What waits for a last put that never comes stays there; it is lost without this. */
void store_memory_keeps(struct store *s);
void store_free(struct store **s);

/* Indexes, schema version (ERR_CONFLICT: a version that this program does not know); and the claim
 * of the site's queue: claims it when there is none, ERR_CONFLICT when another queue has it (*out
 * is its claim). Repeatable. */
bool store_prepare(struct store *s, int64_t deadline_boot_ms, struct error *err);
/* The same, and makes every index again that somebody dropped. For roompayctl migrate. */
bool store_migrate(struct store *s, int64_t deadline_boot_ms, struct error *err);
struct store_claim { /* which queue is the site's: a chain in `meta`, queue, queue#2, ...; the last
			one is in force */
	char queue_id[QUEUE_ID_CAP];
	int64_t number; /* 1: the site's first; 0: it has none */
};
bool store_claim_queue(struct store *s, const char *queue_id, struct store_claim *out,
    int64_t deadline_boot_ms, struct error *err);
bool store_claim_get(struct store *s, struct store_claim *out, int64_t deadline_boot_ms,
    struct error *err);
/* This queue in the place of the one that *old names (as store_claim_get gave it). reason and who:
 * kept with it, NULL: none. ERR_CONFLICT: somebody else was first. */
bool store_claim_adopt(struct store *s, const struct store_claim *old, const char *queue_id,
    const char *reason, const char *who, int64_t deadline_boot_ms, struct error *err);
bool store_ping(struct store *s, int64_t deadline_boot_ms, struct error *err); /* a majority write
										*/

/* One of several puts. */
struct store_item {
	enum { STORE_REPLAY, STORE_WORK, STORE_EVENT, STORE_PAYMENT, STORE_MESSAGE } kind;
	const void *rec;
	bool decides; /* whoever has it goes on: nothing is put behind one that is another's */
};
/*
 * Puts one after the other, which wait for the majority together: nothing may rest on one of them
 * before all stand. *how STORE_TAKEN: it stopped at items[*at], which decides and is not ours.
 * False: it failed at items[*at], and what is behind that one was not put; n: any may be stored.
 * What stands may be lost in both cases.
 */
bool store_put_in_order(struct store *s, const struct store_item *items, size_t n, size_t *at,
    enum store_put *how, int64_t deadline_boot_ms, struct error *err);

bool store_ledger_put(struct store *s, const struct ledger_event *e, enum store_put *how,
    int64_t deadline_boot_ms, struct error *err);
bool store_ledger_get(struct store *s, const char *cid, const char *order, int64_t n,
    struct ledger_event *out, bool *found, int64_t deadline_boot_ms, struct error *err);
/* The whole chain, by exact ids 1, 2, ... to the first missing: one command where it has fewer than
 * eight events. */
bool store_ledger_chain(struct store *s, const char *cid, const char *order,
    struct ledger_chain *out, int64_t deadline_boot_ms, struct error *err);

/* Of the events of all orders from from_ms on, the oldest `limit`. For whoever tells a new queue
 * what was. *out: ledger_event_clear each, then free. */
bool store_ledger_since(struct store *s, int64_t from_ms, size_t limit, struct ledger_event **out,
    size_t *n, int64_t deadline_boot_ms, struct error *err);

bool store_replay_put(struct store *s, const struct store_replay *r, enum store_put *how,
    int64_t deadline_boot_ms, struct error *err); /* OURS: also when it was there for the same order
						   */
bool store_replay_get(struct store *s, const char *key, struct store_replay *out, bool *found,
    int64_t deadline_boot_ms, struct error *err);

bool store_payment_put(struct store *s, const struct payment *p, enum store_put *how,
    int64_t deadline_boot_ms, struct error *err);
bool store_payment_get(struct store *s, const char *tid, struct payment *out, bool *found,
    int64_t deadline_boot_ms, struct error *err);

/* The history: payments from the newest on, a page at a time. What is written meanwhile moves no
 * page. By room it is served from the ledger, whose captures carry the room. */
/* *out: free; NULL when there is none. *more: there is another page, behind the last of these. */
bool store_history(struct store *s, const struct store_history *h, struct payment **out, size_t *n,
    bool *more, int64_t deadline_boot_ms, struct error *err);

/* Refunds that were carried out, the newest first: the events `refunded` and `part_refunded`, asked
 * for as payments are; their `at` is the time that counts. *out: ledger_event_clear each, then
 * free. */
bool store_refunds(struct store *s, const struct store_history *h, struct ledger_event **out,
    size_t *n, bool *more, int64_t deadline_boot_ms, struct error *err);

/*
 * Documents in `payments` that another program wrote before roompay came, by _id. Only roompayctl
 * import check changes them, and never one of ours.
 */
bool store_foreign_next(struct store *s, struct store_foreign_page *page, struct error *err);
bool store_foreign_shift(struct store *s, const struct store_foreign *of, int64_t by_ms,
    struct error *err); /* both dates */
bool store_foreign_set_aside(struct store *s, const struct store_foreign *of,
    struct error *err); /* into STORE_SET_ASIDE */
/* Keeps in `meta` that and why they are about to be changed: import#1, import#2, ... */
bool store_foreign_note(struct store *s, const char *reason, int64_t deadline_boot_ms,
    struct error *err);

/*
 * The queue's log, where the daemons of several machines share it (doc/scale-out.md): the records
 * of its newest snapshot and all that come after it, in order, as they make the table. Changes
 * nothing. ERR_NOT_FOUND: the site has none. ERR_INTERNAL: it is damaged, or `each` has failed.
 */
struct store_queue_log {
	char queue_id[QUEUE_ID_CAP];
	int64_t snapshot;  /* its number; 0: there is none */
	int64_t last;	   /* number */
	int64_t documents; /* above the snapshot */
};
bool store_queue_log_read(struct store *s, struct store_queue_log *out,
    bool (*each)(void *ctx, const void *record, size_t len, struct error *err), void *ctx,
    struct error *err);
/* Which log it is. ERR_NOT_FOUND: the site has none. */
bool store_queue_log_find(struct store *s, char queue_id[QUEUE_ID_CAP], struct error *err);
/* A new log, empty, in the place of this one. The daemons of the old one notice it and end. err:
 * ERR_CONFLICT: old_id is not the site's log any more. */
bool store_queue_log_renew(struct store *s, const char *old_id, const char *new_id,
    const char *reason, struct error *err);

bool store_work_put(struct store *s, const struct store_work *o, int64_t deadline_boot_ms,
    struct error *err);
/* A crash of the server, or another primary, may bring it back: then whoever looks at it deletes it
 * again. */
bool store_work_delete(struct store *s, const char *tid, int64_t n, int64_t deadline_boot_ms,
    struct error *err);
/* The same, where a longer stay harms nobody: through gatherers it is handed over, and true says no
 * more than that. Not where an item with this id may be put again. */
bool store_work_drop(struct store *s, const char *tid, int64_t n, int64_t deadline_boot_ms,
    struct error *err);
/* Lists: the oldest first. *out: free; NULL when there is none. */
bool store_work_list(struct store *s, size_t limit, struct store_work **out, size_t *n,
    int64_t deadline_boot_ms, struct error *err);

bool store_outbox_put(struct store *s, const struct store_message *m, enum store_put *how,
    int64_t deadline_boot_ms, struct error *err);
/* *out: store_message_clear when found. */
bool store_outbox_get(struct store *s, const char *id, struct store_message *out, bool *found,
    int64_t deadline_boot_ms, struct error *err);
/* Asks for one more try. ERR_NOT_FOUND: it is not owed any more. */
bool store_outbox_again(struct store *s, const struct store_message *m, int64_t at_ms,
    int64_t deadline_boot_ms, struct error *err);
bool store_outbox_delete(struct store *s, const char *id, int64_t deadline_boot_ms,
    struct error *err);
bool store_outbox_delete_many(struct store *s, const char *const *ids, size_t n,
    int64_t deadline_boot_ms, struct error *err); /* one command */
/* *out: store_message_clear each, then free. */
bool store_outbox_list(struct store *s, size_t limit, struct store_message **out, size_t *n,
    int64_t deadline_boot_ms, struct error *err);
/* Those that are owed since from_ms or later. */
bool store_outbox_since(struct store *s, int64_t from_ms, size_t limit, struct store_message **out,
    size_t *n, int64_t deadline_boot_ms, struct error *err);
/* How often it was tried, when last, and when the receiver wants the next one. One command where it
 * was tried less than eight times. */
bool store_outbox_tries(struct store *s, struct store_message *m, int64_t deadline_boot_ms,
    struct error *err);
/* A try is claimed under the number after the last one (1, 2, ... without gaps), then finished by
 * who claimed it (ERR_NOT_FOUND: never claimed). */
bool store_try_claim(struct store *s, const struct store_try *t, enum store_put *how,
    int64_t deadline_boot_ms, struct error *err);
bool store_try_finish(struct store *s, const struct store_try *t, int64_t deadline_boot_ms,
    struct error *err);
bool store_try_list(struct store *s, const char *message_id, struct store_try **out, size_t *n,
    int64_t deadline_boot_ms, struct error *err);
/* Many in one command. hows[i]: as of store_try_claim. False: of each it is open whether it is
 * claimed. */
bool store_try_claim_many(struct store *s, const struct store_try *const *tries, size_t n,
    enum store_put *hows, int64_t deadline_boot_ms, struct error *err);
/* Those that were never claimed are left out. */
bool store_try_finish_many(struct store *s, const struct store_try *const *tries, size_t n,
    int64_t deadline_boot_ms, struct error *err);
