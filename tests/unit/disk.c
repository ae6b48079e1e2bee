#include "config.h"

#include "tests/unit/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512, PENDING_MAX = 4096 };

/* A change that is not synced yet. Changes are undone in reverse order. */
struct pending {
	enum { WRITTEN, CREATED, RENAMED, UNLINKED } what;
	ino_t ino; /* written: of the file */
	int fd;	   /* written: a descriptor of our own for it */
	off_t at;
	size_t len;
	uint8_t *old;
	char from[96], to[96]; /* created, unlinked: from */
};

struct disk disk;
static struct pending pending[PENDING_MAX];
static size_t n_pending;
static int n_hidden;

static void
forget(size_t i)
{
	if (pending[i].what == WRITTEN)
		close(pending[i].fd);
	free(pending[i].old);
	memmove(&pending[i], &pending[i + 1], (n_pending - i - 1) * sizeof(pending[0]));
	n_pending--;
}

void
disk_reset(void)
{
	while (n_pending > 0)
		forget(n_pending - 1);
	memset(&disk, 0, sizeof(disk));
}

static struct pending *
note(int what, const char *from, const char *to)
{
	struct pending *p = &pending[n_pending++];

	if (n_pending == PENDING_MAX)
		abort();
	memset(p, 0, sizeof(*p));
	p->what = what;
	snprintf(p->from, sizeof(p->from), "%s", from);
	snprintf(p->to, sizeof(p->to), "%s", to);
	return p;
}

static bool
is_dead(void)
{
	disk.calls++;
	errno = EIO;
	return disk.dies_at != 0 && disk.calls >= disk.dies_at;
}

static int
t_openat(int dir, const char *name, int flags, mode_t mode)
{
	struct stat st;

	if (is_dead())
		return -1;
	if (disk.is_full && (flags & O_CREAT) != 0) {
		errno = ENOSPC;
		return -1;
	}
	if ((flags & O_CREAT) != 0 && fstatat(dir, name, &st, 0) != 0)
		note(CREATED, name, "");
	return openat(dir, name, flags, mode);
}

static ssize_t
t_pwrite(int fd, const void *data, size_t len, off_t at)
{
	struct pending *p;
	struct stat st;
	char path[64];

	if (is_dead() || disk.write_fails)
		return -1;
	if (disk.short_writes && len > 1000)
		len = 1000;
	fstat(fd, &st);
	p = note(WRITTEN, "", "");
	p->ino = st.st_ino;
	p->at = at;
	p->len = len;
	p->old = calloc(1, len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd); /* ours may be write-only */
	p->fd = open(path, O_RDWR | O_CLOEXEC);
	if (p->fd < 0 || p->old == NULL || pread(p->fd, p->old, len, at) < 0)
		abort();
	return pwrite(fd, data, len, at);
}

static int
t_fdatasync(int fd)
{
	struct stat st;

	disk.syncs++;
	if (is_dead() || disk.sync_fails)
		return -1;
	fstat(fd, &st);
	for (size_t i = n_pending; i-- > 0;)
		if (pending[i].what == WRITTEN && pending[i].ino == st.st_ino)
			forget(i);
	return 0;
}

static int
t_fsync(int dir)
{
	if (is_dead())
		return -1;
	for (size_t i = n_pending; i-- > 0;) {
		if (pending[i].what == WRITTEN)
			continue;
		if (pending[i].what == UNLINKED)
			unlinkat(dir, pending[i].to, 0);
		forget(i);
	}
	return 0;
}

static int
t_rename(int dir, const char *from, const char *to)
{
	if (is_dead())
		return -1;
	note(RENAMED, from, to);
	return renameat(dir, from, dir, to);
}

/* The old name is kept in a hidden one until the directory is synced. */
static int
t_unlink(int dir, const char *name)
{
	char hidden[32];

	if (is_dead() || disk.unlink_fails)
		return -1;
	snprintf(hidden, sizeof(hidden), ".gone-%d", n_hidden++);
	if (renameat(dir, name, dir, hidden) != 0)
		return -1;
	note(UNLINKED, name, hidden);
	return 0;
}

const struct disk_io disk_io = { t_openat, t_pwrite, t_fdatasync, t_fsync, t_rename, t_unlink };

static uint32_t
draw(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 16;
}

static void
undo_write(const struct pending *p, enum disk_loss loss, uint32_t *seed)
{
	for (size_t from = 0, n; from < p->len; from += n) {
		n = SECTOR - ((size_t)p->at + from) % SECTOR;
		if (n > p->len - from)
			n = p->len - from;
		if ((loss == LOSE_ALL || draw(seed) % 2 == 0) &&
		    pwrite(p->fd, p->old + from, n, p->at + (off_t)from) < 0)
			abort();
	}
}

/* A change of the directory is lost by itself, but with it every later change of the same names. */
static bool
is_lost(const bool *lost, size_t i, enum disk_loss loss, uint32_t *seed)
{
	if (loss != LOSE_SOME)
		return loss == LOSE_ALL;
	for (size_t k = 0; k < i; k++)
		if (lost[k] && pending[k].what != WRITTEN &&
		    (strcmp(pending[k].from, pending[i].from) == 0 ||
			strcmp(pending[k].to, pending[i].from) == 0 ||
			strcmp(pending[k].from, pending[i].to) == 0))
			return true;
	return draw(seed) % 2 == 0;
}

void
disk_lose(const char *dir, enum disk_loss loss, uint32_t seed)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	static bool lost[PENDING_MAX];

	for (size_t i = 0; i < n_pending; i++)
		lost[i] = pending[i].what != WRITTEN && is_lost(lost, i, loss, &seed);
	for (; n_pending > 0; forget(n_pending - 1)) {
		struct pending *p = &pending[n_pending - 1];

		if (p->what == WRITTEN && loss != LOSE_NOTHING)
			undo_write(p, loss, &seed);
		else if (p->what == CREATED && lost[n_pending - 1])
			unlinkat(fd, p->from, 0);
		else if (p->what != WRITTEN && lost[n_pending - 1])
			renameat(fd, p->to, fd, p->from);
	}
	close(fd);
}
