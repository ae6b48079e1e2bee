#include "config.h"

#include "queue/disk/journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

bool
journal_file_spare(struct journal *j, struct error *err)
{
	int fd;
	bool done;

	if (j->has_spare)
		return true;
	fd = j->io->openat(j->dir, "spare.tmp", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return journal_fault(j, err, "create", "spare.tmp");
	/* real zeros, not only reserved blocks: so a sync of records has to write nothing else */
	done = journal_write_zeros(j, fd, 0, j->segment_size) && j->io->fdatasync(fd) == 0;
	done = done || journal_fault(j, err, "write", "spare.tmp");
	close(fd);
	if (done && j->io->rename(j->dir, "spare.tmp", "spare") != 0)
		done = journal_fault(j, err, "rename", "spare.tmp");
	done = done && journal_sync_dir(j, err);
	if (!done)
		j->io->unlink(j->dir, "spare.tmp");
	j->has_spare = done;
	return done;
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
	return journal_sync_dir(j, err);
}
