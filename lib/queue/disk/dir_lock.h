/* A queue's directory has one writer: it holds the lock (flock(2)) of the file "lock" in it. */
#pragma once

struct error;

/*
 * dir: the open directory; path: its name, for messages. Returns the lock's descriptor, -1 on an
 * error; closing it gives the lock back. A daemon that was killed may leave a child that is just
 * ending, and holds the lock until then: so a lock that is taken is asked for again, for a second.
 * ERR_BUSY: it is still taken.
 */
int dir_lock(int dir, const char *path, struct error *err);
