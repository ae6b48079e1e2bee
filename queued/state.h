/* The inside of the commands: what the daemon knows besides its table. Only the files that carry
 * out commands see it (command, rule, batch, callers, look, say). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "booking/hold_table.h"
#include "booking/hold_touch.h"
#include "queue/disk/order_log.h"
#include "queue/wire/inquiry_limit.h"
#include "queue/wire/proto.h"
#include "queue/wire/verb.h"
#include "queued/commit_log.h"
#include "queued/commit_times.h"
#include "queued/peer.h"

enum { RETRY_MS = 1000 }; /* when to come again where no rule knows better */

struct call { /* to KakaoPay, under way: of a granted hold or approve */
	enum verb_call kind;
	uint64_t id;
	struct peer *peer;
	TAILQ_ENTRY(call) all;
};

struct waiter {
	enum verb_id verb;   /* hold, approve, watch */
	enum verb_call kind; /* of the call that it waits for; watch: none */
	uint64_t id;	     /* of the hold; watch: 0 */
	struct peer *peer;
	char tag[PROTO_TAG_CAP];
	int64_t deadline_boot_ms;
	struct buf line; /* the request, to decide it again */
	bool woken;
	TAILQ_ENTRY(waiter) all;
};

/* A request on its way through the rules. */
struct request {
	struct peer *peer; /* NULL: its client is gone or has given up */
	enum verb_id verb;
	const struct proto_message *m;
	bool again; /* its client has been told to wait */
};

/* A request that is not committed yet, on a log that may lose. */
struct work {
	struct request rq;
	struct proto_message m;
	struct buf line; /* texts of m point into it */
	struct hold_answer answer;
	struct buf said;	 /* the answer's line, from when it was decided */
	int64_t give_up_boot_ms; /* then its client is told `unavailable` */
	TAILQ_ENTRY(work) next;
};

TAILQ_HEAD(calls, call);
TAILQ_HEAD(waiters, waiter);
TAILQ_HEAD(works, work);

struct batch {
	struct works works;   /* decided, in the order in which they were staged */
	struct works backlog; /* to be decided when the batch is over */
	bool pending;	      /* committed, but poll has not said yet what became of it */
	bool later;	      /* it waits for this daemon's turn, and may grow until then */
	struct buf expired;   /* a staged record of hold_table_expire; empty: there is none */
	int64_t next_expire_boot_ms; /* not before, after a commit that failed */
	uint64_t n_records;
	size_t bytes;	 /* of the records */
	int64_t n_calls; /* that its grants will begin */
	struct hold_touch touched;
	int64_t began_us; /* when it was to be committed first */
	bool followed;	  /* this step has applied records of others */
};

struct commands {
	struct hold_table *table;
	struct commit_log *log;
	struct order_log *orders;
	struct hold_load load; /* always up to date */
	int64_t n_watchers, n_connections, pokes;
	struct inquiry_limit inquiries;
	struct calls calls;
	struct waiters waiters;
	struct news news;
	struct batch batch; /* on a log that may lose; else always empty */
	bool staged;	    /* on a log with one writer: a commit is due */
	int64_t began_boot_ms;
	struct commit_times times;
	struct buf scratch; /* the line of an answer that needs no batch */
	bool failed;
	struct error why;
};

/* Nothing is decided any more. Of several failures the first is reported. */
void commands_fail(struct commands *c, const struct error *why);
/* Why nothing can be said of the holds now; NULL: it can. */
const char *commands_away(const struct commands *c);
