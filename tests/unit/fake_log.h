/*
 * Commit logs in memory that delay, lose and fail on command. Several fake_logs on one shared_log
 * are the logs of several daemons: a commit is lost if another daemon has taken its place before.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "queued/commit_log.h"

enum { FAKE_BATCHES = 20000 };

struct shared_log {
	struct buf batch[FAKE_BATCHES]; /* size_t length, record, ... */
	size_t n;
};

struct fake_log {
	struct commit_log log; /* first: a fake_log is a commit_log */
	struct shared_log *shared;
	struct buf staged;
	size_t applied; /* batches that this daemon has applied */
	bool pending, won, has_records;

	/* ---- what it is told to do */
	bool delays;	  /* poll does not say what became of a batch */
	bool deaf;	  /* poll gives no records of others: this daemon is behind */
	bool waits;	  /* it is not this daemon's turn */
	int fails, loses; /* so many of the next commits */
	bool broken;
	bool is_full, is_away;
	int64_t ahead_ms; /* of the log's clock; after fake_log_has_clock */

	/* ---- what it was asked to do */
	int commits, barriers; /* barriers: commits without records */
};

void shared_log_clear(struct shared_log *s);
void fake_log_open(struct fake_log *f, struct shared_log *shared, bool may_lose);
void fake_log_clear(struct fake_log *f);
/* Its records have a clock of their own. */
void fake_log_has_clock(struct fake_log *f, int64_t ahead_ms);
