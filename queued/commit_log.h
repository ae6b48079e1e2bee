/*
 * The log behind the daemon: decisions are kept here before anybody hears of them. A restart, or
 * another machine, applies the same records in the same order and gets the same table.
 *
 * The daemon works in batches: it decides, stages the records, commits the batch, and answers.
 *
 *	decide -> stage -> decide -> stage -> ... -> commit
 *	    done     the batch is kept: apply it (unless that is done), answer
 *	    lost     another daemon came first. Its records are applied, the batch is decided again
 *	    failed   the batch is certainly not kept: answer `unavailable`, apply nothing
 *	    broken   nobody knows, or nothing can be kept any more: end without an answer
 *	    pending  poll tells later. Until then no other batch is committed
 *
 * There are two kinds of log, and `may_lose` says which:
 *
 * - A log with one writer (disk_log.h). A commit is done or broken, at once. So each record is
 *   applied when it is staged, later commands see it, and a batch may hold commands that depend
 *   on each other.
 * - A log that several daemons share. A batch may lose the race for its place, so its records are
 *   applied only when it is done. All of a batch is decided on the same table; therefore it holds
 *   only commands that have nothing in common (booking/hold_touch.h). Others wait for the next
 *   batch, as does everything that is to be written while a commit is pending.
 *   A batch without records is a barrier: done says that the table misses nothing that was in the
 *   log when commit was called. Answers that must not come from an old table are held for one.
 *
 * A log decides by itself how often it tries again, when it compacts, and what it does while its
 * store is away. While it cannot tell what became of a batch it says pending; the daemon gives up
 * on the clients in time, and on nothing else.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "queue/wire/verb.h"

enum commit_result { COMMIT_DONE, COMMIT_PENDING, COMMIT_LOST, COMMIT_FAILED, COMMIT_BROKEN };

/* Takes a record that another daemon has committed. False: it does not fit the table (broken). */
typedef bool commit_follow(void *ctx, const void *record, size_t len, struct error *err);

struct commit_log {
	bool may_lose;

	/* Adds a record to the batch; kept only after commit. False: the log is broken. */
	bool (*stage)(struct commit_log *l, const void *record, size_t len, struct error *err);
	/* Commits the batch; what is staged from then on belongs to the next one. err is set with
	 * COMMIT_FAILED and COMMIT_BROKEN. Pending: may_lose only. Never lost: poll says that. */
	enum commit_result (*commit)(struct commit_log *l, struct error *err);
	/*
	 * What became of the pending batch; may_lose only, else NULL. Gives the records of others to
	 * `follow` in the order of the log: before it says done or lost it has given all that precede
	 * the batch's place. Without a pending batch it gives what is new and says pending.
	 * Never called between stage and commit.
	 */
	enum commit_result (*poll)(struct commit_log *l, commit_follow *follow, void *ctx,
	    struct error *err);
	/* A descriptor that is readable when poll has something to tell; -1: never. May be NULL. */
	int (*wake_fd)(const struct commit_log *l);

	/* Is there room for this record and for all that it promises? May try to make some. */
	bool (*has_room)(struct commit_log *l, enum verb_promise promise, struct now now);
	/* Room, compaction, whatever can wait until the answers of a turn have left. *next_boot_ms:
	 * when to call again at the latest, INT64_MAX: no need. False: the log is broken. */
	bool (*tend)(struct commit_log *l, struct now now, int64_t *next_boot_ms, struct error *err);

	const char *(*queue_id)(const struct commit_log *l);	/* 32 hex digits */
	/* Why nothing new is granted, as hello says it: "no-room". "": it is. */
	const char *(*fence)(const struct commit_log *l);
	/* For stats: appends ",name:number" of what is worth knowing. */
	void (*add_counts)(const struct commit_log *l, struct buf *counts);
	void (*close)(struct commit_log **l);	/* what was not committed is lost */
};
