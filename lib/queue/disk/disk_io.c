#include "config.h"

#include "queue/disk/disk_io.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int
sys_openat(int dir, const char *name, int flags, mode_t mode)
{
	return openat(dir, name, flags, mode);
}

static int
sys_rename(int dir, const char *from, const char *to)
{
	return renameat(dir, from, dir, to);
}

static int
sys_unlink(int dir, const char *name)
{
	return unlinkat(dir, name, 0);
}

const struct disk_io disk_system_io = { sys_openat, pwrite, fdatasync, fsync, sys_rename,
	sys_unlink };
