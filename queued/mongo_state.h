/* The inside of a mongo_log: mongo_log.c (batches and records), mongo_join.c (start),
 * mongo_health.c (away, clocks, snapshots). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "booking/hold_table.h"
#include "queue/disk/order_log.h"
#include "queued/commit_log.h"
#include "queued/log_helper.h"
#include "queued/log_mark.h"
#include "queue/log/log_turn.h"

enum mongo_pending {
	MONGO_IDLE, /* what is staged waits for this daemon's turn */
	MONGO_SENT,
	MONGO_BARRIER,
};

struct mongo_counts {
	uint64_t appends, append_us, records, lost, repeats, followed, barriers, reconnects;
};

struct mongo_log {
	struct commit_log log; /* first: a mongo_log is a commit_log */
	struct hold_table *table;
	struct order_log *orders;
	struct log_helper helper;
	struct log_mark mark;
	struct log_turn turn;
	struct mongo_counts counts;
	char queue[LOG_QUEUE_CAP];
	uint64_t n, nonce; /* the last record that is in the table */
	uint64_t seen;	   /* the highest number that is known to be in the log */
	int wake_fd, timer_fd;
	bool is_timed; /* the timer is set, for the turn of what is staged */

	/* the batch */
	struct buf staged;
	uint64_t n_staged, pending_nonce;
	enum mongo_pending pending;
	int64_t sent_us; /* when it was sent */

	/* health */
	int64_t heard_us; /* a question to the database that was answered was sent then */
	int64_t wall_minus_boot_ms, clock_diff_ms;
	bool clock_known; /* wall_minus_boot_ms is */
	bool clock_off, behind;
	char broken[160]; /* why nothing goes on; "": it does */
	const char *told; /* the fence that the log of the program knows */
	int64_t next_sync_ms;

	/* snapshots */
	uint64_t floor, snapshot_every;
	pid_t child;
	int64_t snapshot_at_ms; /* when to write one; 0: none is wanted */
	uint64_t snapshot_n;
};

static inline struct mongo_log *
mongo_of(struct commit_log *l)
{
	return (struct mongo_log *)(void *)l;
}

static inline const struct mongo_log *
mongo_of_const(const struct commit_log *l)
{
	return (const struct mongo_log *)(const void *)l;
}

/* ---- mongo_log.c */

/* Record f is the next one, in the table's order. False: the chain is broken. */
bool mongo_fits(const struct mongo_log *m, const struct log_frame *f, struct error *err);
/* The table has it. */
void mongo_advance(struct mongo_log *m, uint64_t n, uint64_t nonce, uint64_t by);
bool mongo_each_record(const struct log_frame *f, commit_follow *fn, void *ctx, struct error *err);
void mongo_send_batch(struct mongo_log *m, const struct buf *records, uint64_t nonce);

/* ---- mongo_join.c */

bool mongo_join(struct mongo_log *m, int64_t quiet_ms, struct error *err);

/* ---- mongo_health.c */

/* What the helper says of the database's health. False: the frame is about something else. */
bool mongo_note_health(struct mongo_log *m, const struct log_frame *f);
/* "": all is well. */
const char *mongo_fence(const struct commit_log *l);
const char *mongo_away(const struct commit_log *l);
struct now mongo_time(const struct commit_log *l, struct now now);
bool mongo_tend(struct commit_log *l, struct now now, int64_t *next_boot_ms, struct error *err);
void mongo_add_counts(const struct commit_log *l, struct buf *counts);
