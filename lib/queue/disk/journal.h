/*
 * The journal: records appended to segments of a fixed size, replaced by a snapshot from time to
 * time. What was synced survives kill -9 and power loss. The journal does not know what its
 * records mean.
 *
 * Files in its directory (doc/protocol.md, section 8): lock; segment-N; snapshot-N, which replaces
 * all segments below N; spare, the next segment, made ahead, so that a full disk stops new
 * promises before it stops their ends; *.tmp, unfinished and removed at start; *.torn, what was
 * cut off.
 *
 * After a failed write or sync nobody knows what is on the disk. The journal is unusable from then
 * on (journal_failed), and its owner must end without giving the answers that wait. fsync is never
 * repeated: the kernel may report success although the data is lost.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "queue/disk/disk_io.h"
#include "queue/disk/journal_format.h"
#include "site/limit.h"

struct journal_options {
	const struct disk_io *io;
	size_t segment_size; /* 0: 4 MiB */
	const char *boot_id; /* clock_boot_id() */
	struct now now;
};

struct journal_report { /* what opening found */
	bool is_new;	/* there was no journal: a new queue with a new id */
	bool same_boot; /* every file was begun in this boot of the machine */
	int64_t records;
	char torn_file[96]; /* has what was cut off a torn end; "": nothing was */
	int64_t torn_bytes;
};

struct journal;

/*
 * Locks the directory, which exists, gives every record to `replay` in order, and cuts off a torn
 * end. If the report says !same_boot && !is_new, the caller must write a snapshot before it
 * appends. err: ERR_BUSY: another process has the lock. ERR_INTERNAL: damage (the message names
 * file and byte), a record that replay refuses, or the system.
 */
bool journal_open(const char *dir, const struct journal_options *o,
    bool (*replay)(void *ctx, const void *record, size_t len, struct error *err), void *ctx,
    struct journal **out, struct journal_report *report, struct error *err)
    __attribute__((warn_unused_result));
/* What was not synced is lost. */
void journal_close(struct journal **j);

const char *journal_queue_id(const struct journal *j); /* 32 hex digits */

/* Appends 1..JOURNAL_RECORD_MAX bytes. They are on the disk only after journal_sync. */
bool journal_append(struct journal *j, const void *record, size_t len, struct error *err)
    __attribute__((warn_unused_result));
bool journal_sync(struct journal *j, struct error *err) __attribute__((warn_unused_result));
bool journal_is_dirty(const struct journal *j); /* appended, and not synced yet */
bool journal_failed(const struct journal *j);

/* The next segment exists, so what is promised now can be ended, too. False: promise nothing
 * new. */
bool journal_has_spare(const struct journal *j);
/* Bytes left in the segment in use. Without a spare, outcomes have no more room than that. */
size_t journal_left(const struct journal *j);
/* Makes the spare if there is none. False: the disk is full or broken. Nothing is lost; try again
 * later. */
bool journal_make_spare(struct journal *j, struct error *err);
/* Makes the segment after the spare, too, a piece with each call, so that nobody waits for a whole
 * one when the spare is used up. It begins when an eighth of the segment in use is full, or a
 * snapshot is wanted. False: nothing is left to do; it is made, or the disk has no room for it. */
bool journal_prepare(struct journal *j);

/*
 * Compaction, in three steps, so that the second one may run in a forked child:
 * begin	begins the next segment; the snapshot will replace everything before it
 * write	`source` calls emit for each record of the whole state, as it was at begin; nothing
 *		but the new file is touched
 * finish	the snapshot becomes valid; journal_remove_old removes what it replaces
 * If write or finish fails, the old files still have everything: begin again some time later. If
 * begin fails, the journal has failed.
 */
typedef bool journal_emit(void *ctx, const void *record, size_t len);
/* There are enough segments for a snapshot to be worth its while. */
bool journal_wants_snapshot(const struct journal *j);
bool journal_snapshot_begin(struct journal *j, struct now now, struct error *err);
bool journal_snapshot_write(struct journal *j,
    bool (*source)(void *from, journal_emit *emit, void *ctx), void *from, struct error *err);
bool journal_snapshot_finish(struct journal *j, struct error *err);
/* Removes one file that a valid snapshot has replaced: to free its blocks can take milliseconds.
 * False: there is none. What is not removed is removed at the next start. */
bool journal_remove_old(struct journal *j);
/* Instead of finish: removes the new file. */
void journal_snapshot_abandon(struct journal *j);

struct journal_size {
	int64_t segments, snapshot_bytes;
	uint64_t last_seq;
};
void journal_size(const struct journal *j, struct journal_size *out);
