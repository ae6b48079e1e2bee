#include "config.h"

#include "queue/disk/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/disk/journal_file.h"

enum { WRITE_CHUNK = 1024 * 1024, SNAPSHOT_EVERY = 4 /* segments, at least */ };

/* ---- the segment in use */

bool
journal_make_spare(struct journal *j, struct error *err)
{
	return journal_file_spare(j, err);
}

bool
journal_prepare(struct journal *j)
{
	bool soon = j->offset > j->segment_size / 8 || journal_wants_snapshot(j);

	return soon && journal_file_prepare(j);
}

bool
journal_sync(struct journal *j, struct error *err)
{
	char name[JOURNAL_NAME_CAP];

	if (j->failed)
		return error_set(err, ERR_INTERNAL, "an earlier write of the journal has failed");
	if (j->pending.len == 0)
		return true;
	if (!journal_write_all(j, j->fd, j->pending.data, j->pending.len, j->offset) ||
	    j->io->fdatasync(j->fd) != 0) {
		j->failed = true;
		journal_segment_name(j->header.number, name);
		return journal_fault(j, err, "write", name);
	}
	j->offset += j->pending.len;
	j->synced_seq = j->last_seq;
	buf_reset(&j->pending);
	return true;
}

/* Only the last segment may have a torn end. So the one before is synced first. */
static bool
roll(struct journal *j, struct now now, struct error *err)
{
	if (!journal_sync(j, err))
		return false;
	if (journal_begin_segment(j, now, err))
		return true;
	j->failed = true;
	return false;
}

bool
journal_append(struct journal *j, const void *record, size_t len, struct error *err)
{
	struct journal_record r = { .type = JOURNAL_RECORD_TABLE, .payload = record, .len = len };

	if (j->failed)
		return error_set(err, ERR_INTERNAL, "an earlier write of the journal has failed");
	if (len == 0 || len > JOURNAL_RECORD_MAX) {
		j->failed = true;
		return error_set(err, ERR_INTERNAL,
		    "a record of %zu bytes exceeds the journal's limit", len);
	}
	if (journal_record_size(len) > journal_left(j) && !roll(j, clock_now(), err))
		return false;
	r.seq = ++j->last_seq;
	r.prev = j->chain;
	r.behind = (uint32_t)(r.seq - 1 - j->synced_seq);
	journal_record_format(&r, &j->pending);
	j->chain = r.crc;
	if (j->pending.bad) {
		j->failed = true;
		return error_set(err, ERR_INTERNAL, "out of memory");
	}
	return true;
}

bool
journal_is_dirty(const struct journal *j)
{
	return j->pending.len > 0;
}

bool
journal_failed(const struct journal *j)
{
	return j->failed;
}

bool
journal_has_spare(const struct journal *j)
{
	return j->has_spare;
}

size_t
journal_left(const struct journal *j)
{
	return j->segment_size - j->offset - j->pending.len;
}

const char *
journal_queue_id(const struct journal *j)
{
	return j->queue_id;
}

void
journal_size(const struct journal *j, struct journal_size *out)
{
	out->segments = (int64_t)(j->header.number - j->oldest + 1);
	out->snapshot_bytes = j->snapshot_bytes;
	out->last_seq = j->last_seq;
}

/* ---- snapshot */

bool
journal_wants_snapshot(const struct journal *j)
{
	uint64_t segments = j->header.number - j->oldest + 1;

	return j->begun == 0 && segments > SNAPSHOT_EVERY &&
	    (int64_t)(segments * j->segment_size) > 2 * j->snapshot_bytes;
}

bool
journal_snapshot_begin(struct journal *j, struct now now, struct error *err)
{
	assert(j->begun == 0);
	if (!roll(j, now, err))
		return false;
	j->begun = j->header.number;
	return true;
}

struct writer {
	struct journal *j;
	int fd;
	size_t at;
	struct buf chunk;
	struct journal_record last;
};

/* Synced piece by piece: a sync of the daemon's would wait behind all that is not yet written. */
static bool
flush(struct writer *w)
{
	if (w->chunk.bad || !journal_write_all(w->j, w->fd, w->chunk.data, w->chunk.len, w->at) ||
	    w->j->io->fdatasync(w->fd) != 0)
		return false;
	w->at += w->chunk.len;
	buf_reset(&w->chunk);
	return true;
}

static bool
emit_typed(struct writer *w, enum journal_record_type type, const void *payload, size_t len)
{
	if (len == 0 || len > JOURNAL_RECORD_MAX) {
		errno = EMSGSIZE;
		return false;
	}
	w->last = (struct journal_record){
		.seq = w->last.seq + 1,
		.prev = w->last.crc,
		.type = type,
		.payload = payload,
		.len = len,
	};
	journal_record_format(&w->last, &w->chunk);
	return w->chunk.len < WRITE_CHUNK || flush(w);
}

static bool
emit_record(void *ctx, const void *record, size_t len)
{
	return emit_typed(ctx, JOURNAL_RECORD_TABLE, record, len);
}

static bool
write_snapshot(struct writer *w, bool (*source)(void *from, journal_emit *emit, void *ctx),
    void *from)
{
	struct journal_header h = w->j->header;
	uint8_t bytes[JOURNAL_HEADER], count[8];

	h.kind = JOURNAL_SNAPSHOT;
	h.number = w->j->begun;
	journal_header_format(&h, bytes);
	buf_add(&w->chunk, bytes, sizeof(bytes));
	if (!source(from, emit_record, w))
		return false;
	put_u64(count, w->last.seq);
	return emit_typed(w, JOURNAL_RECORD_END, count, sizeof(count)) && flush(w);
}

bool
journal_snapshot_write(struct journal *j, bool (*source)(void *from, journal_emit *emit, void *ctx),
    void *from, struct error *err)
{
	struct writer w = { .j = j };
	char name[JOURNAL_NAME_CAP];
	bool done;

	assert(j->begun != 0);
	journal_snapshot_name(j->begun, ".tmp", name);
	w.fd = j->io->openat(j->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (w.fd < 0)
		return journal_fault(j, err, "create", name);
	errno = 0;
	done = write_snapshot(&w, source, from) || journal_fault(j, err, "write", name);
	close(w.fd);
	buf_clear(&w.chunk);
	return done;
}

void
journal_snapshot_abandon(struct journal *j)
{
	char name[JOURNAL_NAME_CAP];

	journal_snapshot_name(j->begun, ".tmp", name);
	j->io->unlink(j->dir, name);
	j->begun = 0;
}

bool
journal_remove_old(struct journal *j)
{
	char name[JOURNAL_NAME_CAP];

	if (j->removed < j->oldest) {
		journal_segment_name(j->removed++, name);
	} else if (j->old_snapshot != 0) {
		journal_snapshot_name(j->old_snapshot, "", name);
		j->old_snapshot = 0;
	} else {
		return false;
	}
	j->io->unlink(j->dir, name);
	return true;
}

bool
journal_snapshot_finish(struct journal *j, struct error *err)
{
	char from[JOURNAL_NAME_CAP], to[JOURNAL_NAME_CAP];
	uint64_t old = j->snapshot;
	struct stat st;

	assert(j->begun != 0);
	journal_snapshot_name(j->begun, ".tmp", from);
	journal_snapshot_name(j->begun, "", to);
	if (fstatat(j->dir, from, &st, 0) != 0 || j->io->rename(j->dir, from, to) != 0) {
		journal_fault(j, err, "rename", from);
		journal_snapshot_abandon(j);
		return false;
	}
	j->snapshot = j->begun;
	j->snapshot_bytes = st.st_size;
	j->begun = 0;
	if (!journal_sync_dir(j, err))
		return false;	      /* old and new files exist: the next start finds everything */
	while (journal_remove_old(j)) /* of the snapshot before */
		;
	j->oldest = j->snapshot;
	j->old_snapshot = old;
	return true;
}

/* ---- end */

void
journal_close(struct journal **j)
{
	if (*j == NULL)
		return;
	journal_file_forget_next(*j);
	if ((*j)->fd >= 0)
		close((*j)->fd);
	if ((*j)->lock >= 0)
		close((*j)->lock);
	if ((*j)->dir >= 0)
		close((*j)->dir);
	buf_clear(&(*j)->pending);
	free(*j);
	*j = NULL;
}
