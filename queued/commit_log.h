/*
 * The log behind the daemon: it keeps every decision before anybody hears of it. A restart, or
 * another machine, applies the same records in the same order and gets the same table.
 *
 * The daemon works in batches: it decides, stages the records, commits the batch, and answers
 * (group commit).
 *
 *	decide -> stage -> decide -> stage -> ... -> commit
 *	    done     the batch is kept: apply it (if that is not done already) and answer
 *	    lost     another daemon came first: apply its records, then decide the batch again
 *	    failed   the batch is certainly not kept: apply nothing, answer `unavailable`
 *	    broken   nobody knows, or nothing can be kept any more: end without an answer
 *	    pending  poll will tell; until then no other batch is committed
 *	    later    it is another daemon's turn; the batch may grow until it is committed again
 *
 * There are two kinds of log, and `may_lose` says which:
 *
 * - A log with one writer (disk_log.h). A commit is done or broken, at once. So each record is
 *   applied when it is staged, later commands see it, and a batch may have commands that depend on
 *   each other.
 * - A log that several daemons share. A batch may lose the race for its place in the log, so its
 *   records are applied only when it is done. The whole batch is decided on one table; therefore
 *   its commands must have nothing in common (booking/hold_touch.h). Other commands wait for the
 *   next batch. So does everything that would write while a commit is pending.
 *   A batch without records is a barrier: done says that the table has everything that was in the
 *   log when commit was called. Answers that need an up-to-date table wait for one.
 *
 * A log decides by itself how often it retries, when it compacts, and what it does while its store
 * is away. While it does not know what became of a batch, it says pending. The daemon then answers
 * `unavailable` to clients that cannot wait longer, but the batch stays as it is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "queue/wire/verb.h"

enum commit_result {
	COMMIT_DONE,
	COMMIT_PENDING,
	COMMIT_LATER,
	COMMIT_LOST,
	COMMIT_FAILED,
	COMMIT_BROKEN,
};

/* Takes a record that another daemon has committed. False: it does not fit the table (broken). */
typedef bool commit_follow(void *ctx, const void *record, size_t len, struct error *err);

/* clang-format off */
struct commit_log {
	bool may_lose;

	/* Adds a record to the batch. It is kept only after commit. False: the log is broken. */
	bool (*stage)(struct commit_log *l, const void *record, size_t len, struct error *err);
	/* Commits the batch. What is staged afterwards belongs to the next one; after `later` it
	 * belongs to this one. Pending and later: only if may_lose. Never lost: poll says that. err
	 * is set with COMMIT_FAILED and COMMIT_BROKEN. */
	enum commit_result (*commit)(struct commit_log *l, struct error *err);
	/*
	 * What became of the batch that is pending, or that waits for its turn. Only if may_lose,
	 * else NULL. Gives the records of other daemons to `follow`, in the order of the log:
	 * before it says done or lost, it has given all that come before the batch's place.
	 * Without a batch it gives what is new, and says pending. It is never called between stage
	 * and commit.
	 */
	enum commit_result (*poll)(struct commit_log *l, commit_follow *follow, void *ctx,
	    struct error *err);
	/* Why nothing can be decided now, in a few words: it has not heard of its store for so long
	 * that the table may be far behind. Then every request with a rule is answered
	 * `unavailable`. It returns NULL when all is well. May be NULL: always. */
	const char *(*away)(const struct commit_log *l);
	/* The time by which the table counts and records are written, from this machine's: always
	 * so many milliseconds later, as long as the clocks go alike. May be NULL: the same. */
	struct now (*time)(const struct commit_log *l, struct now now);
	/* A file descriptor that is readable when poll has news; -1: never. May be NULL. */
	int (*wake_fd)(const struct commit_log *l);

	/* Is there room for a record with this promise, and for all that it promises? May make
	 * room. */
	bool (*has_room)(struct commit_log *l, enum verb_promise promise, struct now now);
	/* Makes room, compacts, and does whatever can wait until the answers of a turn have left.
	 * *next_boot_ms: when to call again at the latest; INT64_MAX: no need. False: it is
	 * broken. */
	bool (*tend)(struct commit_log *l, struct now now, int64_t *next_boot_ms,
	    struct error *err);

	const char *(*queue_id)(const struct commit_log *l); /* 32 hex digits */
	/* Why nothing new is granted, as hello says it: "no-room"; "": everything is. */
	const char *(*fence)(const struct commit_log *l);
	/* Appends its counts for stats: ",name:number". */
	void (*add_counts)(const struct commit_log *l, struct buf *counts);
	void (*close)(struct commit_log **l); /* what was not committed is lost */
};
/* clang-format on */
