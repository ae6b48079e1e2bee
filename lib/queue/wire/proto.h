/*
 * The lines on the queue's socket, for both ends: `TAG WORD name=value name=value...\n`. The
 * specification is doc/protocol.md. No I/O.
 *
 * A line is printable ASCII. In a value, space, '%', '=', control characters and all bytes from
 * 0x7f on are escaped as %XX, with capital hex digits, and no other byte is: a text has one
 * spelling. A value is any bytes except NUL; an empty one is not written.
 * A message is a set of known fields. One table has the type and the limits of each field.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum {
	PROTO_VERSION = 1,
	PROTO_LINE_MAX = 65536, /* bytes, the LF included */
	PROTO_TAG_CAP = 17,	/* 1..16 of [0-9A-Za-z] */
	PROTO_WORD_CAP = 33,	/* 1..32 of [a-z-] */
};

/* clang-format off */
enum proto_field {
	/* a hold */
	ARG_ID, ARG_STATE, ARG_BEFORE, ARG_CID, ARG_ORDER, ARG_USER, ARG_ROOM, ARG_TID, ARG_EXPIRES,
	ARG_WINDOW, ARG_TOKEN, ARG_N, ARG_DEADLINE, ARG_LAST_N, ARG_ATTEMPT, ARG_ANSWER,
	/* what only requests have */
	ARG_SET, ARG_FINGERPRINT, ARG_TTL_MS, ARG_CALL_MS, ARG_KEY, ARG_PAID, ARG_WHAT, ARG_OUTCOME,
	ARG_BY, ARG_AFTER, ARG_SEEN, ARG_ADOPTED, ARG_WINDOW_MS, ARG_CIDS, ARG_UNTIL,
	/* what only answers have */
	ARG_CONFLICTS, ARG_RETRY_MS, ARG_FAILURE, ARG_HELD, ARG_NEXT, ARG_COUNTS, ARG_POKES,
	ARG_QUEUE, ARG_FENCE, ARG_UP_MS, ARG_VERSION, ARG_MESSAGE,
	ARG__MAX
};
/* clang-format on */
#define PROTO_BIT(f) (UINT64_C(1) << (f))

struct proto_message {
	char tag[PROTO_TAG_CAP];
	char word[PROTO_WORD_CAP];  /* a request's verb, an answer's word */
	uint64_t has;		    /* PROTO_BIT of each field that is there */
	const char *text[ARG__MAX]; /* borrowed */
	int64_t num[ARG__MAX];
};

/* An empty message. Tag and word come from our own code and must be valid. */
void proto_begin(struct proto_message *m, const char *tag, const char *word);
/* "" leaves the field out. The text is borrowed. */
void proto_set_text(struct proto_message *m, enum proto_field f, const char *value);
void proto_set_num(struct proto_message *m, enum proto_field f, int64_t value);
bool proto_has(const struct proto_message *m, enum proto_field f);
/* "" and 0 if the field is not there. */
const char *proto_text(const struct proto_message *m, enum proto_field f);
int64_t proto_num(const struct proto_message *m, enum proto_field f);
const char *proto_field_name(enum proto_field f);

/* Appends the line with its LF. b->bad: no memory, or the buffer's limit is reached. */
void proto_format(const struct proto_message *m, struct buf *b);

enum proto_result {
	PROTO_OK,
	PROTO_WRONG,   /* it has a tag, but is not valid: may be answered with `error` */
	PROTO_GARBAGE, /* not a line of this protocol: close the connection */
};
/* Parses one line of len bytes without its LF; line[len], where the LF was, is overwritten. Values
 * are decoded in place: texts of *m point into line. err is set unless PROTO_OK; m->tag is set
 * with PROTO_WRONG, too. */
enum proto_result proto_parse(char *line, size_t len, struct proto_message *m, struct error *err);
