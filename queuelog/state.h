/*
 * What the threads of the helper share: how far the log was given to the daemon, what this machine
 * remembers, when they last looked at the newest snapshot; and the socket to the daemon.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "queue/log/log_frame.h"
#include "queue/log/log_turn.h"
#include "queuelog/db.h"

struct floor {		   /* the newest snapshot */
	uint64_t n, nonce; /* what it stands for; 0: there is none */
	uint64_t optime;   /* of the look at it */
};

struct state {
	struct db_site site;
	int64_t keep_s; /* a record outlives its snapshot by so long */
	char host[65];

	pthread_mutex_t lock;
	pthread_cond_t changed;
	int fd;			     /* to the daemon */
	uint64_t n, nonce;	     /* given to the daemon */
	uint64_t mark_n, mark_nonce; /* the highest record that this machine remembers */
	struct floor floor;	     /* the last look at which it was not ahead of n */
	uint64_t looks;		     /* at mark_n: how many connections began to verify it */
	uint64_t newest;	     /* snapshot that we know of */
	struct log_turn turn;	     /* its `me` is this run of the daemon */
	bool follows;
	bool stopped; /* BEHIND or HOLE: nothing goes on */
};

void state_init(struct state *s, int fd);
/* Ends the program if the daemon is gone. */
void state_tell(struct state *s, const struct log_frame *f);
void state_tell_text(struct state *s, enum log_frame_kind kind, uint64_t n, const char *text);
/*
 * VERIFY holds for all connections together: what one of them has read or was told counts only if
 * no other one began to verify the mark meanwhile. Else an older database may be there since then,
 * and that one would append to it what follows a record that it never saw. state_looks is asked
 * before a command is sent; if it was another one when the reply is used, the command is sent
 * again.
 */
uint64_t state_looks(struct state *s);
/* A connection begins to verify: what this machine remembers. */
void state_begin_look(struct state *s, uint64_t *mark_n, uint64_t *mark_nonce);
/* Gives the daemon a record that a majority has. False: it is not the next one, or must be read
 * again. */
bool state_deliver(struct state *s, const struct log_frame *record, uint64_t looks);
/* Our append is kept, after so long. Nothing is said if the daemon has read it already. False: it
 * must be sent again. */
bool state_ack(struct state *s, uint64_t n, uint64_t nonce, int64_t took_us, uint64_t looks);
/* The log begins at n: a snapshot was loaded. */
void state_begin(struct state *s, uint64_t n, uint64_t nonce);
/* The snapshot that the log begins with was the newest at this time: a look that counts. */
void state_note_floor(struct state *s, const struct floor *look);
uint64_t state_last(struct state *s);
/* True: record n was given to the daemon within so long. */
bool state_wait_for(struct state *s, uint64_t n, int64_t wait_us);
/* How long news may wait, since it is not this daemon's turn for some time. */
int64_t state_rest_us(struct state *s);
bool state_is_stopped(struct state *s);
/* Says it once, and stops everything. */
void state_stop(struct state *s, enum log_frame_kind kind, const char *text);

/* ---- what every thread does over its own connection */

/* Looks at the newest snapshot. */
enum db_end log_look_at_floor(struct state *s, struct db *d, struct floor *out, struct error *err);
/*
 * Is the highest record that this machine remembers still there (VERIFY, DISK)? Connects if need
 * be. True: commands may be sent. False: not now, or everything has stopped.
 */
bool log_verify(struct state *s, struct db *d, struct error *err);
/*
 * A record n was read or acknowledged over d, whose last reply has the time d->optime. It counts
 * only near a look at the newest snapshot that was not ahead of it (CLUSTER_TIME). False: it is not
 * known now, or this machine stood still for too long.
 */
bool log_is_genuine(struct state *s, struct db *d, uint64_t n, struct error *err);
/* Reads what comes after the last record that the daemon has, and gives it. *empty: there was
 * nothing. */
bool log_read_next(struct state *s, struct db *d, bool *empty, struct error *err);
/* Gives the daemon one document of the log. False: a gap, or it must be read again. */
bool log_deliver_document(struct state *s, const bson_t *doc, uint64_t looks);

/* Is this still the site's log, and has no machine fenced it? Stops everything if not. False: that,
 * or not known now. level: of the read. */
bool log_check_site(struct state *s, struct db *d, const char *level, struct error *err);

/* Finds what stands in `collection` above number n, of a majority: the lowest numbers first (order
 * 1) or the highest (-1). */
bson_t *log_find_above(const struct state *s, const char *collection, uint64_t n, int order,
    int limit);
/* The lowest (order 1) or highest (-1) number above n that the log has; 0: there is none. */
bool log_find_number(const struct state *s, struct db *d, uint64_t n, int order, uint64_t *found,
    struct error *err);
/* An insert that a majority has to have. */
bson_t *log_insert(const char *collection, const bson_t *doc);

#define LOG_RECORDS "queue_log"
#define LOG_SNAPSHOTS "queue_snapshots"
#define LOG_PARTS "queue_snapshot_parts"
