#include "config.h"

#include "queue/disk/dir_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"

enum { WAIT_MS = 1000, STEP_MS = 20 };

static bool
take(int fd)
{
	for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; waited += STEP_MS) {
		if (errno != EWOULDBLOCK || waited >= WAIT_MS)
			return false;
		poll(NULL, 0, STEP_MS);
	}
	return true;
}

int
dir_lock(int dir, const char *path, struct error *err)
{
	int fd = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0) {
		error_sys(err, ERR_INTERNAL, "open %s/lock", path);
		return -1;
	}
	if (take(fd))
		return fd;
	if (errno == EWOULDBLOCK)
		error_set(err, ERR_BUSY, "%s is in use by another process", path);
	else
		error_sys(err, ERR_INTERNAL, "lock %s", path);
	close(fd);
	return -1;
}
