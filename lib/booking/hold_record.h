/*
 * Records: the bytes that change a hold_table. Little-endian, field by field:
 *	u8 version; i64 boot, i64 wall: when it was decided; then changes until the end, each a u8
 *	kind and its fields.
 * A text is its u16 length, its bytes and a NUL. A new format gets a new version, and the reader of
 * the old one stays. No I/O.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "booking/hold.h"
#include "booking/interval.h"

enum { RECORD_VERSION = 1, RECORD_MAX = 65535, TRIES_MAX = 1000 };

/* What changes in the life of a hold. Times are of the boot clock. */
struct hold_life {
	enum hold_state state;
	enum hold_state before; /* approving: the state that it was granted from */
	/* An approve was sent and its outcome is not known. So a later grant that is given back
	 * does not make the hold ready again. */
	bool doubt;
	bool paid;	      /* it was approved once */
	bool guarded;	      /* removed, but its time is guarded still */
	uint64_t replaces[2]; /* held: fenced when this one becomes ready; 0: none */
	uint64_t token;	      /* of the last approving */
	int64_t n;	      /* its ledger number */
	int64_t since_ms;     /* start of this state */
	int64_t due_ms;	      /* when time alone changes it next; INT64_MAX: never */
	int64_t expires_ms;   /* end of the hold's ttl */
	int64_t window_ms;    /* end of KakaoPay's window */
	int64_t deadline_ms;  /* of the last approving */
};

/* When a hold was granted to an approve, oldest first. In records of older versions these are the
 * times of refused tokens. */
struct try_times {
	size_t n;
	int64_t ms[TRIES_MAX];
};

enum change_kind {
	CHANGE_HOLD = 1, /* a whole hold */
	CHANGE_LIFE,	 /* a hold's life, and the texts that are not NULL */
	CHANGE_DROP,	 /* a hold is forgotten */
	CHANGE_ORDER,	 /* what is remembered of an order */
	CHANGE_FORGET,	 /* an order is forgotten */
	CHANGE_COUNTERS, /* the end of a snapshot; an admission */
	CHANGE_GATE	 /* a new queue is closed, or admitted */
};

/* One change. Texts are borrowed: from the hold while writing, from the record while reading. */
struct change {
	enum change_kind kind;
	uint64_t id;					 /* hold, life, drop */
	uint64_t seq;					 /* hold: 0: the next one */
	const char *cid, *order;			 /* hold, order, forget */
	const char *user, *room, *fingerprint, *attempt; /* hold */
	const char *tid, *answer, *key;			 /* hold, life; NULL: it stays as it is */
	struct interval_set set;			 /* hold */
	struct hold_life life;				 /* hold, life */
	bool grant;		       /* hold, life: expired holds that it overlaps are fenced */
	int64_t fenced_until_ms;       /* grant: until when those are remembered */
	const struct try_times *tries; /* hold, life; NULL: as they are */
	int64_t last_n, until_ms;      /* order */
	bool paid;		       /* order */
	uint64_t last_id, last_token, last_seq; /* counters */
	bool closed;				/* gate */
};

void record_begin(struct buf *record, struct now now);
/* record->bad afterwards: no memory, or more than RECORD_MAX bytes. */
void record_add(struct buf *record, const struct change *c);

struct record_reader {
	const uint8_t *p, *end;
	bool bad; /* it stays set; whatever is read after the first fault is 0 */
	struct now now;
	struct try_times tries;
};
/* False: not a record of a version that we know. */
bool record_open(struct record_reader *r, const void *record, size_t len);
/* Checks that every field is in its range and every text within its limit. False: the end, or
 * r->bad. */
bool record_next(struct record_reader *r, struct change *c);
