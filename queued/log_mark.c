#include "config.h"

#include "queued/log_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "queue/disk/crc32c.h"
#include "queue/disk/dir_lock.h"

/* Two slots, written in turns, so that a torn write leaves the other one. A slot is a line: queue,
 * number, nonce, CRC of what comes before it. */
enum { SLOTS = 2, SLOT_BYTES = 128 };

static bool
read_slot(int fd, unsigned slot, struct log_mark *out)
{
	char line[SLOT_BYTES + 1], queue[LOG_QUEUE_CAP];
	uint64_t n, nonce;
	uint32_t crc;
	int end = 0;

	if (pread(fd, line, SLOT_BYTES, (off_t)slot * SLOT_BYTES) != SLOT_BYTES)
		return false;
	line[SLOT_BYTES] = '\0';
	if (sscanf(line, "%32[0-9a-f] %" SCNu64 " %16" SCNx64 "%n %8" SCNx32, queue, &n, &nonce,
		&end, &crc) != 4 ||
	    crc32c(0, line, (size_t)end) != crc)
		return false;
	if (out->queue[0] != '\0' && strcmp(out->queue, queue) == 0 && n <= out->n)
		return true;
	memcpy(out->queue, queue, sizeof(queue));
	out->n = n;
	out->nonce = nonce;
	out->slot = (slot + 1) % SLOTS;
	return true;
}

bool
log_mark_open(struct log_mark *m, const char *dir, struct error *err)
{
	*m = (struct log_mark){ .dir = -1, .lock = -1, .fd = -1 };
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return error_sys(err, ERR_INTERNAL, "make %s", dir);
	m->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m->dir < 0)
		return error_sys(err, ERR_INTERNAL, "open %s", dir);
	m->lock = dir_lock(m->dir, dir, err);
	if (m->lock < 0)
		return false;
	m->fd = openat(m->dir, "log-mark", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (m->fd < 0)
		return error_sys(err, ERR_INTERNAL, "open %s/log-mark", dir);
	for (unsigned i = 0; i < SLOTS; i++)
		read_slot(m->fd, i, m);
	return true;
}

static void
write_slot(struct log_mark *m, const char *queue, uint64_t n, uint64_t nonce)
{
	char line[SLOT_BYTES + 1];
	int len = snprintf(line, sizeof(line), "%s %" PRIu64 " %016" PRIx64, queue, n, nonce);

	len += snprintf(line + len, sizeof(line) - (size_t)len, " %08" PRIx32,
	    crc32c(0, line, (size_t)len));
	memset(line + len, ' ', (size_t)(SLOT_BYTES - len));
	line[SLOT_BYTES - 1] = '\n';
	m->failed = pwrite(m->fd, line, SLOT_BYTES, (off_t)m->slot * SLOT_BYTES) != SLOT_BYTES;
	m->slot = (m->slot + 1) % SLOTS;
}

void
log_mark_set(struct log_mark *m, const char *queue, uint64_t n, uint64_t nonce)
{
	write_slot(m, queue, n, nonce);
	/* a mark of a log that was given up must not be taken for the newer one */
	if (m->queue[0] != '\0' && strcmp(m->queue, queue) != 0)
		write_slot(m, queue, n, nonce);
	m->n = n;
	m->nonce = nonce;
	text_copy(m->queue, sizeof(m->queue), queue);
	m->dirty = true;
}

bool
log_mark_sync(struct log_mark *m)
{
	if (m->dirty && fdatasync(m->fd) != 0)
		m->failed = true;
	m->dirty = false;
	return !m->failed;
}

void
log_mark_close(struct log_mark *m)
{
	if (m->fd >= 0) {
		log_mark_sync(m);
		close(m->fd);
	}
	if (m->lock >= 0)
		close(m->lock);
	if (m->dir >= 0)
		close(m->dir);
	m->fd = m->lock = m->dir = -1;
}
