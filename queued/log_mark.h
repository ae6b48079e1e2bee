/*
 * What this machine remembers of a shared log on its own disk: the highest number that it applied,
 * with its nonce (doc/scale-out.md, DISK). File log-mark in [queue] dir; it also locks the
 * directory.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "queue/log/log_frame.h"

struct log_mark {
	int dir, lock, fd;	   /* -1: not open */
	char queue[LOG_QUEUE_CAP]; /* "": nothing is remembered */
	uint64_t n, nonce;
	unsigned slot; /* the next one to write */
	bool dirty;    /* not synced */
	bool failed;   /* the last write */
};

/* Makes the directory if need be, and reads the mark. err: ERR_BUSY: another daemon has it. */
bool log_mark_open(struct log_mark *m, const char *dir, struct error *err)
    __attribute__((warn_unused_result));
/* Written, but not synced: it survives kill -9. */
void log_mark_set(struct log_mark *m, const char *queue, uint64_t n, uint64_t nonce);
/* False: the disk refuses. */
bool log_mark_sync(struct log_mark *m);
void log_mark_close(struct log_mark *m);
