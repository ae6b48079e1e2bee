/* What carries a queue's lines: a socket (unix.c), or nothing but a hold_table in this process
 * (memory.c). Seen inside lib/queue alone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/limit.h"

struct queue;

struct transport {
	/* Sends one request line and appends the answer's line (without LF) to `answer`. waits: the answer
	 * may take until the deadline, else a daemon that says nothing is given up much earlier. False:
	 * ERR_UNAVAILABLE; ERR_CONFLICT: another queue than `expected` is there. */
	bool (*exchange)(struct transport *t, const char *tag, const struct buf *line, bool waits,
	    int64_t deadline_boot_ms, struct buf *answer, struct error *err);
	void (*reset)(struct transport *t);	/* what came cannot be trusted: begin anew */
	void (*free)(struct transport **t);
	char expected[QUEUE_ID_CAP];		/* "": any */
};

/* Takes the transport over, NULL included (then NULL). */
struct queue *queue_over(struct transport *t);
struct transport *client_new(const char *path);	/* NULL: no memory */
