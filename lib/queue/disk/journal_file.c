#include "config.h"

#include "queue/disk/journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Bytes of the next segment that are written in one turn of the daemon: as many as the records of
 * a busy turn. */
enum { NEXT_PIECE = 64 * 1024 };

bool
journal_fault(struct journal *j, struct error *err, const char *what, const char *name)
{
	return error_sys(err, ERR_INTERNAL, "%s %s/%s", what, j->path, name);
}

bool
journal_write_all(struct journal *j, int fd, const void *data, size_t len, size_t at)
{
	const uint8_t *p = data;

	while (len > 0) {
		ssize_t n = j->io->pwrite(fd, p, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n == 0 ? EIO : errno;
			return false;
		}
		p += n;
		len -= (size_t)n;
		at += (size_t)n;
	}
	return true;
}

bool
journal_sync_dir(struct journal *j, struct error *err)
{
	return j->io->fsync(j->dir) == 0 || journal_fault(j, err, "sync", ".");
}

void
journal_segment_name(uint64_t number, char out[JOURNAL_NAME_CAP])
{
	snprintf(out, JOURNAL_NAME_CAP, "segment-%016llu", (unsigned long long)number);
}

void
journal_snapshot_name(uint64_t number, const char *suffix, char out[JOURNAL_NAME_CAP])
{
	snprintf(out, JOURNAL_NAME_CAP, "snapshot-%016llu%s", (unsigned long long)number, suffix);
}

bool
journal_write_zeros(struct journal *j, int fd, size_t from, size_t to)
{
	static const uint8_t zeros[65536];

	for (size_t at = from; at < to; at += sizeof(zeros))
		if (!journal_write_all(j, fd, zeros,
			to - at < sizeof(zeros) ? to - at : sizeof(zeros), at))
			return false;
	return true;
}

/* ---- the next segment */

void
journal_file_forget_next(struct journal *j)
{
	if (j->next.fd >= 0)
		close(j->next.fd);
	j->next.fd = -1;
	j->next.made = 0;
}

static bool
open_next(struct journal *j, struct error *err)
{
	if (j->next.fd >= 0)
		return true;
	j->next.made = 0;
	j->next.fd =
	    j->io->openat(j->dir, "spare.tmp", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return j->next.fd >= 0 || journal_fault(j, err, "create", "spare.tmp");
}

/* Real zeros, not only reserved blocks: so a sync of records has to write nothing else. The kernel
 * is told to begin with each piece, and only the last one is waited for. */
static bool
make_next(struct journal *j, size_t to, struct error *err)
{
	size_t from = j->next.made;
	bool whole = to == j->segment_size;

	if (!open_next(j, err))
		return false;
	if (from < to &&
	    (!journal_write_zeros(j, j->next.fd, from, to) ||
		(whole && j->io->fdatasync(j->next.fd) != 0))) {
		journal_fault(j, err, "write", "spare.tmp");
		journal_file_forget_next(j);
		j->io->unlink(j->dir, "spare.tmp");
		return false;
	}
	if (from < to && !whole)
		(void)sync_file_range(j->next.fd, (off_t)from, (off_t)(to - from),
		    SYNC_FILE_RANGE_WRITE); /* a hint: the sync of the last piece is what counts */
	j->next.made = to;
	return true;
}

/* It is whole and synced. The name survives a power failure when the directory was synced. */
static bool
name_spare(struct journal *j, struct error *err)
{
	journal_file_forget_next(j);
	if (j->io->rename(j->dir, "spare.tmp", "spare") == 0)
		return true;
	journal_fault(j, err, "rename", "spare.tmp");
	j->io->unlink(j->dir, "spare.tmp");
	return false;
}

bool
journal_file_spare(struct journal *j, struct error *err)
{
	if (!j->has_spare)
		j->has_spare = make_next(j, j->segment_size, err) && name_spare(j, err) &&
		    journal_sync_dir(j, err);
	return j->has_spare;
}

bool
journal_file_prepare(struct journal *j)
{
	size_t to = j->next.made + NEXT_PIECE;

	if (!j->has_spare || j->next.is_hopeless || j->next.made == j->segment_size)
		return false;
	j->next.is_hopeless = !make_next(j, to < j->segment_size ? to : j->segment_size, NULL);
	return !j->next.is_hopeless && j->next.made < j->segment_size;
}

bool
journal_begin_segment(struct journal *j, struct now now, struct error *err)
{
	struct journal_header h = j->header;
	uint8_t bytes[JOURNAL_HEADER];
	char name[JOURNAL_NAME_CAP];
	int fd;

	if (!journal_file_spare(j, err))
		return false;
	h.kind = JOURNAL_SEGMENT;
	h.number++;
	h.first_seq = j->last_seq + 1;
	h.chain = j->chain;
	h.boot_ms = now.boot_ms;
	h.wall_ms = now.wall_ms;
	memcpy(h.boot_id, j->boot_id, sizeof(h.boot_id));
	journal_header_format(&h, bytes);
	journal_segment_name(h.number, name);
	fd = j->io->openat(j->dir, "spare", O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return journal_fault(j, err, "open", "spare");
	j->has_spare = false;
	if (!journal_write_all(j, fd, bytes, sizeof(bytes), 0) || j->io->fdatasync(fd) != 0 ||
	    j->io->rename(j->dir, "spare", name) != 0) {
		journal_fault(j, err, "begin", name);
		close(fd);
		return false;
	}
	if (j->fd >= 0)
		close(j->fd);
	j->fd = fd;
	j->header = h;
	j->offset = JOURNAL_HEADER;
	j->next.is_hopeless = false;
	if (j->next.made == j->segment_size)
		j->has_spare = name_spare(j, NULL);
	return journal_sync_dir(j, err);
}
