/* The system calls with which the journal and the log of orders change the disk. Tests put failing
 * ones in their place. */
#pragma once

#include <sys/types.h>

/* Each as in POSIX. */
struct disk_io {
	int (*openat)(int dir, const char *name, int flags, mode_t mode);
	ssize_t (*pwrite)(int fd, const void *data, size_t len, off_t at);
	int (*fdatasync)(int fd);
	int (*fsync)(int fd); /* of a directory */
	int (*rename)(int dir, const char *from, const char *to);
	int (*unlink)(int dir, const char *name);
};

extern const struct disk_io disk_system_io;
