/*
 * The bytes of the journal's files. Every number is little-endian. Layout: doc/protocol.md,
 * section 8. No I/O.
 *
 * A record can be checked alone: its crc covers everything except itself. It names its place
 * twice: by seq, which rises by one, and by prev, the crc of the record before it. `behind` says
 * how many records before it were not synced yet when it was written. So a reader knows which
 * records its writer relied on, and can tell a torn end, where none of those is missing, from
 * damage.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum {
	JOURNAL_VERSION = 1,
	JOURNAL_HEADER = 512, /* a sector of its own: no write of a record touches it */
	JOURNAL_RECORD_HEADER = 25,
	JOURNAL_RECORD_MAX = 64 * 1024, /* payload */
	JOURNAL_ALIGN = 8,
};

enum journal_kind { JOURNAL_SEGMENT = 1, JOURNAL_SNAPSHOT = 2 };
enum journal_record_type {
	JOURNAL_RECORD_TABLE = 1,
	JOURNAL_RECORD_END, /* ends a snapshot: u64 number of records before it */
};

struct journal_header {
	enum journal_kind kind;
	uint64_t number;    /* a snapshot replaces all segments below its number */
	uint64_t first_seq; /* of the first record in the segment of that number */
	uint32_t chain;	    /* prev of that record */
	uint8_t queue_id[16];
	char boot_id[40];	  /* of the machine when the file was begun; NUL-terminated */
	int64_t boot_ms, wall_ms; /* the same moment */
};

struct journal_record {
	uint64_t seq;
	uint32_t crc, prev, behind;
	enum journal_record_type type;
	const uint8_t *payload; /* borrowed */
	size_t len;
};

void journal_header_format(const struct journal_header *h, uint8_t out[JOURNAL_HEADER]);
/* err: ERR_INTERNAL. The message continues the file's name: "is not a file of a journal". */
bool journal_header_parse(const uint8_t in[JOURNAL_HEADER], struct journal_header *out,
    struct error *err) __attribute__((warn_unused_result));

/* How many bytes of a file a record with this payload takes. */
size_t journal_record_size(size_t len);
/* Appends the padded record, and fills r->crc. r->len is 1..JOURNAL_RECORD_MAX. */
void journal_record_format(struct journal_record *r, struct buf *out);
/* True: there is a whole and undamaged record at p. left: bytes from there to the end of the
 * file. */
bool journal_record_parse(const uint8_t *p, size_t left, struct journal_record *out);

uint64_t get_u64(const uint8_t *p);
void put_u64(uint8_t *p, uint64_t v);
