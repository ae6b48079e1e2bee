/* The inside of a journal: its files, and the segment that comes next. Only journal.c (what is
 * appended), journal_open.c (what is read at start) and journal_file.c see it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "queue/disk/disk_io.h"
#include "queue/disk/journal_format.h"
#include "site/limit.h"

enum { JOURNAL_NAME_CAP = 64 };

struct journal {
	const struct disk_io *io;
	size_t segment_size;
	int dir, lock, fd;	      /* fd: the segment in use */
	char path[512];		      /* of the directory, for messages */
	struct journal_header header; /* of the segment in use */
	uint64_t oldest;	      /* segments are needed from here up to header.number */
	uint64_t removed;      /* segments below are removed; from here to oldest they are to be */
	uint64_t old_snapshot; /* to be removed; 0: none */
	uint64_t snapshot;     /* number of the valid one; 0: none */
	int64_t snapshot_bytes;
	uint64_t begun; /* number of the snapshot under way; 0: none */
	uint64_t last_seq, synced_seq;
	uint32_t chain; /* crc of the last record */
	size_t offset;	/* where the pending bytes will be written */
	struct buf pending;
	bool has_spare, failed;
	struct {		  /* the spare after the spare: spare.tmp */
		int fd;		  /* -1: nothing of it is made */
		size_t made;	  /* bytes; synced when they are all */
		bool is_hopeless; /* it could not be made; not tried again for this segment */
	} next;
	char queue_id[QUEUE_ID_CAP];
	char boot_id[40]; /* of this boot */
};

/* "segment-0000000000000007"; "snapshot-0000000000000007" and the suffix. */
void journal_segment_name(uint64_t number, char out[JOURNAL_NAME_CAP]);
void journal_snapshot_name(uint64_t number, const char *suffix, char out[JOURNAL_NAME_CAP]);

/* Sets err to "WHAT DIR/NAME: strerror(errno)", and returns false. */
bool journal_fault(struct journal *j, struct error *err, const char *what, const char *name);
/* Writes all of it, or returns false and sets errno. */
bool journal_write_all(struct journal *j, int fd, const void *data, size_t len, size_t at);
bool journal_write_zeros(struct journal *j, int fd, size_t from, size_t to);
/* Makes names that were given or removed survive a power failure. */
bool journal_sync_dir(struct journal *j, struct error *err);
/* Makes the spare, the next segment, where there is none. */
bool journal_file_spare(struct journal *j, struct error *err);
/* Makes one more piece of the spare after the spare. False: there is nothing left to do. */
bool journal_file_prepare(struct journal *j);
void journal_file_forget_next(struct journal *j);
/* The spare (made if need be) becomes the segment after the one in use. It gets its header before
 * its name. */
bool journal_begin_segment(struct journal *j, struct now now, struct error *err);
