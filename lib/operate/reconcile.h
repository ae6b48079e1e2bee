/* A day of the ledger against what KakaoPay says of it. Changes nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/flow.h"

enum difference {
	DIFF_EQUAL,
	DIFF_REFUNDED_OUTSIDE, /* KakaoPay gave back more than the ledger knows */
	DIFF_REFUND_NOT_THERE, /* the ledger has a refund that KakaoPay does not */
	DIFF_AMOUNT,	       /* it took another amount than was recorded */
	DIFF_NOT_CAPTURED,     /* recorded as paid, and it says that it is not */
	DIFF_MISSING_PAYMENT,  /* it took money, and the ledger says nothing of it */
	DIFF_STRANGE,	       /* a status that no document names */
	DIFF_SILENT,	       /* it did not answer */
	DIFF__MAX
};
const char *difference_name(enum difference d); /* "equal", "refunded-outside", ... */

struct operate_compared { /* one attempt; strings are borrowed for the call */
	enum difference difference;
	const char *cid, *order, *tid;
	const char *status; /* KakaoPay's word, NULL: no answer */
	bool has_payment, has_canceled;
	int64_t total;	  /* won recorded; where has_payment */
	int64_t refunded; /* by the ledger */
	int64_t canceled; /* by KakaoPay; where has_canceled */
};

struct operate_day {
	const char *const *cids;
	size_t n_cids;
	int64_t from_ms, to_ms; /* from <= approved_at, or begun < to; wall */
	/* After each question to KakaoPay. done and all: how far it is, as far as is known. */
	void (*on_compared)(void *ctx, const struct operate_compared *c, size_t done, size_t all);
	void *ctx;
};
/* c gives each step its own time: each_ms from its begin. counts: by difference. False: err; what
 * was told before says nothing of the day then. */
bool operate_reconcile(struct flow *f, const struct operate_day *day, int64_t each_ms,
    int64_t counts[DIFF__MAX], struct error *err);
