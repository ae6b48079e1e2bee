/*
 * What roompay-queued and roompay-queue-log say to each other, over a pair of Unix stream sockets
 * (doc/protocol.md, section 12). A frame is
 *
 *	u32 length of what follows, u8 kind, then the fields that the kind has, in this order:
 *	u64 n, u64 nonce, u64 prev, u64 by, i64 boot, i64 wall, i64 diff, text, records
 *
 * All numbers are little-endian. A text is a u32 length and its bytes; records are the rest of the
 * frame, each a u32 length and its bytes. No I/O.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum {
	LOG_FRAME_VERSION = 1,
	LOG_FRAME_HEADER = 5,
	LOG_FRAME_MAX = 12 * 1024 * 1024, /* what follows the length */
	LOG_QUEUE_CAP = 33,		  /* a queue's id in hex */
};

enum log_frame_kind {
	/* from the daemon */
	LOG_OPEN = 1, /* n, nonce: the highest record that this machine remembers; text: its queue;
		       * by: this run of the daemon; prev: LOG_FRAME_VERSION */
	LOG_LOAD,     /* the newest snapshot, please */
	LOG_FOLLOW,   /* n, nonce: the last record that is known; all that come after it, please */
	LOG_APPEND,   /* n, nonce, prev, wall, records */
	LOG_BARRIER,  /* n: the first number that must not be there */

	/* from the helper */
	LOG_OPENED,  /* text: the queue's id */
	LOG_TRYING,  /* text: why the log cannot be opened yet */
	LOG_REFUSED, /* text: why it cannot be used at all. The helper ends */
	LOG_PART,    /* records of the snapshot */
	LOG_LOADED,  /* n, nonce: what the snapshot stands for; 0: there is none */
	LOG_RECORD, /* n, nonce, prev, by, records: a majority has it. Each number once, in order */
	LOG_END,    /* n: the end of the log, after LOG_FOLLOW */
	LOG_ACK, /* n, nonce: the append is kept. LOG_RECORD of its number says so, too, or that it
		  * is lost */
	LOG_CURRENT,   /* n: the barrier's number is not there; else LOG_RECORD of it comes */
	LOG_NO_ANSWER, /* n, text: of the barrier */
	LOG_HEARD,     /* boot: when a question to the database was sent that was answered, in us */
	LOG_CLOCK,     /* boot, wall: one moment here, in ms; diff: how far the database is ahead */
	LOG_SEEN,      /* n: this number is in the log */
	LOG_FLOOR,     /* n: the newest snapshot */
	LOG_REPEATED,  /* an append was sent again */
	LOG_RECONNECTED,
	LOG_BEHIND, /* text: the log lacks what this machine remembers */
	LOG_HOLE,   /* text: this machine stood still for too long and must start again */

	/* on the second pair, which writes snapshots */
	LOG_SNAP_BEGIN, /* n, nonce */
	LOG_SNAP_PART,	/* records */
	LOG_SNAP_END,
	LOG_SNAP_DONE,	 /* n: bytes */
	LOG_SNAP_FAILED, /* text */
	LOG_FRAME__MAX
};

struct log_frame {
	enum log_frame_kind kind;
	uint64_t n, nonce, prev, by;
	int64_t boot, wall, diff;
	const char *text; /* borrowed, not NUL-terminated */
	size_t text_len;
	const char *records; /* borrowed, as they stand in the frame */
	size_t records_len;
};

const char *log_frame_name(enum log_frame_kind kind);
/* Appends the frame. out->bad: no memory, or it is too long. */
void log_frame_format(const struct log_frame *f, struct buf *out);
/* How long the frame at p is, with its header; 0: not all of the header is there. A value above
 * LOG_FRAME_HEADER + LOG_FRAME_MAX is not a frame. */
size_t log_frame_size(const char *p, size_t len);
/* p has a whole frame of that size. False: it is not one. */
bool log_frame_parse(const char *p, size_t size, struct log_frame *out)
    __attribute__((warn_unused_result));

/* Records, one after another. */
void log_records_add(struct buf *out, const void *record, size_t len);
/* Takes the next record from the front of *p. False: the end, or *bad. */
bool log_records_next(const char **p, size_t *left, const void **record, size_t *len, bool *bad);
