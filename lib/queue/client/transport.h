/* What carries a client's lines: a socket (unix.c), or a hold_table in this process (memory.c).
 * Only lib/queue/client sees it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "site/limit.h"

struct queue;

struct transport {
	/* Sends one request line and appends the answer's line, without LF, to `answer`. waits: the
	 * answer may take until the deadline; else a silent daemon is given up much earlier.
	 * err: ERR_UNAVAILABLE; ERR_CONFLICT: the queue there is not the expected one. */
	bool (*exchange)(struct transport *t, const char *tag, const struct buf *line, bool waits,
	    int64_t deadline_boot_ms, struct buf *answer, struct error *err);
	/* The last answer cannot be trusted: drop the connection and what else it sent. */
	void (*reset)(struct transport *t);
	void (*free)(struct transport **t);
	char expected[QUEUE_ID_CAP]; /* the queue's id; "": any */
	/* Sends a request line whose answer nobody wants; the next exchange passes over it. NULL:
	 * this transport has no such way. */
	bool (*tell)(struct transport *t, const struct buf *line, int64_t deadline_boot_ms,
	    struct error *err);
};

/* A queue over this transport, which it owns from now on. NULL for NULL, or no memory. */
struct queue *queue_over(struct transport *t);
struct transport *client_new(const char *path); /* NULL: no memory */
/* Until when a client listens that asks now: a daemon that is silent for longer hangs. */
int64_t client_listens_until(int64_t deadline_boot_ms);
