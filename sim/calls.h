/* A log of the last API calls and their answers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "sim/fault.h"

enum { CALLS_MAX = 200000 };

struct call_record {
	uint64_t n; /* 1, 2, ... */
	enum call call;
	bool legacy;
	char tid[SIM_ID_CAP]; /* as sent; of ready: the new one */
	char cid[CID_CAP];
	char *partner_order_id; /* as sent, or the tid's; NULL: none */
	int64_t at_ms;		/* received, by the simulated clock */
	enum fault_kind fault;
	bool is_answered;
	int status;   /* HTTP; 0: closed without an answer */
	int64_t code; /* KakaoPay's error code; 0: none */
};

struct calls {
	struct call_record *ring;
	size_t cap;
	uint64_t last;
};

/* Copies *r and returns the number that it gets, n; 0: no memory. */
uint64_t calls_add(struct calls *c, const struct call_record *r);
struct call_record *calls_find(struct calls *c, uint64_t n); /* NULL: not there any more */
void calls_clear(struct calls *c);

struct calls_filter {	/* NULL: any */
	uint64_t since; /* only those with n above it */
	const char *partner_order_id, *tid, *call;
};
/* {"calls":[...],"last":n} */
void calls_write(struct calls *c, const struct calls_filter *f, struct buf *out);
