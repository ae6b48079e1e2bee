/*
 * Bytes of the journal's files. No I/O. Every number is little-endian. Layout: doc/protocol.md, "The
 * journal".
 *
 * A record can be checked alone (its crc covers all of it but the crc), and tells its place twice: by
 * `seq`, which rises by one, and by `prev`, the crc of the record before it. `behind` says how many of the
 * records before it were not yet known to be on the disk when it was written: so a reader knows which
 * earlier records its writer relied on, and can tell a torn end (nothing that was relied on is missing)
 * from damage.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum {
	JOURNAL_VERSION = 1,
	JOURNAL_HEADER = 512,		/* a sector of its own: no write of records touches it */
	JOURNAL_RECORD_HEADER = 25,
	JOURNAL_RECORD_MAX = 64 * 1024,		/* payload */
	JOURNAL_ALIGN = 8,
};

enum journal_kind { JOURNAL_SEGMENT = 1, JOURNAL_SNAPSHOT = 2 };
enum journal_record_type {
	JOURNAL_RECORD_TABLE = 1,
	JOURNAL_RECORD_END,	/* the last of a snapshot: u64 number of records before it */
};

struct journal_header {
	enum journal_kind kind;
	uint64_t number;	/* of a segment; a snapshot stands for all segments below its number */
	uint64_t first_seq;	/* of the first record in it (snapshot: in the segment of the same number) */
	uint32_t chain;		/* prev of that record */
	uint8_t queue_id[16];
	char boot_id[40];	/* when it was begun; NUL-terminated */
	int64_t boot_ms, wall_ms;
};

struct journal_record {
	uint64_t seq;
	uint32_t crc, prev, behind;
	enum journal_record_type type;
	const uint8_t *payload;	/* borrowed */
	size_t len;
};

void journal_header_format(const struct journal_header *h, uint8_t out[JOURNAL_HEADER]);
bool journal_header_parse(const uint8_t in[JOURNAL_HEADER], struct journal_header *out,
    struct error *err) __attribute__((warn_unused_result));

/* Bytes in the file of a record with a payload of len bytes */
size_t journal_record_size(size_t len);
/* Appends the record, padded; fills r->crc. r->len is 1..JOURNAL_RECORD_MAX. */
void journal_record_format(struct journal_record *r, struct buf *out);
/* A whole and undamaged record at p, with `left` bytes from there to the end of the file. */
bool journal_record_parse(const uint8_t *p, size_t left, struct journal_record *out);

uint64_t get_u64(const uint8_t *p);
void put_u64(uint8_t *p, uint64_t v);
