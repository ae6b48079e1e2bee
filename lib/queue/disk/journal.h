/*
 * The queue's memory on disk: records appended to segments of fixed size, from time to time replaced by a
 * snapshot. What was synced is there after kill -9 and power loss. What the records mean is the caller's.
 *
 * Files in its directory (doc/protocol.md, "The journal"): lock, segment-N, snapshot-N (stands for all
 * segments below N), spare (the next segment, made ahead, so that a full disk stops new promises before it
 * stops their ends), *.tmp (unfinished, removed at start), *.torn (what was cut off).
 *
 * A failed write or sync leaves the disk in doubt: the journal is unusable from then on and says so
 * (journal_failed); its owner must end without giving the answers that wait. fsync is never tried again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/limit.h"
#include "queue/disk/disk_io.h"
#include "queue/disk/journal_format.h"

struct journal_options {
	const struct disk_io *io;
	size_t segment_size;		/* 0: 4 MiB */
	const char *boot_id;		/* clock_boot_id() */
	struct now now;
};

struct journal_report {			/* what opening found */
	bool is_new;			/* nothing was there: a new queue with a new id */
	bool same_boot;			/* every file was written since this machine came up */
	int64_t records;
	char torn_file[96];		/* "": no torn end; else where what was cut off is kept */
	int64_t torn_bytes;
};

struct journal;

/* Takes the directory's lock, gives every record to `replay` in order, cuts a torn end. The directory
 * exists. ERR_BUSY: another process has the lock. ERR_INTERNAL: damage (file and byte are named), a record
 * that replay refuses, or the system. Where the report says !same_boot && !is_new the caller writes a
 * snapshot before it appends. */
bool journal_open(const char *dir, const struct journal_options *o,
    bool (*replay)(void *ctx, const void *record, size_t len, struct error *err), void *ctx,
    struct journal **out, struct journal_report *report,
    struct error *err) __attribute__((warn_unused_result));
void journal_close(struct journal **j);		/* what was not synced is lost */

const char *journal_queue_id(const struct journal *j);	/* 32 hex digits */

/* Appends 1..JOURNAL_RECORD_MAX bytes; on the disk only after journal_sync. */
bool journal_append(struct journal *j, const void *record, size_t len,
    struct error *err) __attribute__((warn_unused_result));
bool journal_sync(struct journal *j, struct error *err) __attribute__((warn_unused_result));
bool journal_is_dirty(const struct journal *j);		/* something waits for journal_sync */
bool journal_failed(const struct journal *j);

/* The next segment is there: what is promised now can be ended, too. False: promise nothing new. */
bool journal_has_spare(const struct journal *j);
/* Bytes left in the segment in use: what outcomes still have when there is no spare. */
size_t journal_left(const struct journal *j);
/* Tries to make the spare if there is none. False: the disk is full or broken; nothing is lost, try again
 * later. */
bool journal_make_spare(struct journal *j, struct error *err);

/*
 * Compaction in three steps, so that the middle one may run in a forked child:
 * begin: the next segment is begun; the snapshot will stand for everything before it.
 * write: `source` calls emit for each record of the whole state as it was at begin. Touches nothing of the
 * journal but the new file.
 * finish: the snapshot becomes valid, what it replaces is removed.
 * After a failure in write or finish the old files still hold everything; begin anew some time later. A
 * failed begin is a failed journal.
 */
typedef bool journal_emit(void *ctx, const void *record, size_t len);
bool journal_wants_snapshot(const struct journal *j);
bool journal_snapshot_begin(struct journal *j, struct now now, struct error *err);
bool journal_snapshot_write(struct journal *j, bool (*source)(void *from, journal_emit *emit, void *ctx),
    void *from, struct error *err);
bool journal_snapshot_finish(struct journal *j, struct error *err);
void journal_snapshot_abandon(struct journal *j);

struct journal_size { int64_t segments, snapshot_bytes; uint64_t last_seq; };
void journal_size(const struct journal *j, struct journal_size *out);
