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

struct operate_reconcile {
	const char *const *cids;
	size_t n_cids;
	int64_t from_ms, to_ms; /* from <= approved_at, or begun < to; wall */
	/* After each question to KakaoPay. done and all: how far it is, as far as is known. */
	void (*on_compared)(void *ctx, const struct operate_compared *c, size_t done, size_t all);
	void *ctx;
};

/* How far it is; zeroed: the beginning. */
struct operate_reconcile_mark {
	enum { RECONCILE_COUNT, RECONCILE_PAYMENTS, RECONCILE_EVENTS, RECONCILE_END } part;
	size_t done, all;	 /* all: as far as is known */
	struct store_mark after; /* the payment that was compared last */
	int64_t at_ms;		 /* of the events: those before are done, */
	size_t passed;		 /* and so many of this millisecond */
};

/* What to do about it, in a sentence. */
const char *difference_advice(enum difference d, bool korean);

/*
 * A piece of it: goes on from the mark until until_boot_ms, at least by one question or one page.
 * each_ms: how long one step at the store may take. counts, by difference, are added to: the caller
 * has zeroed them.
 */
bool operate_reconcile_step(struct flow *f, const struct operate_reconcile *day, int64_t each_ms,
    int64_t until_boot_ms, struct operate_reconcile_mark *mark, int64_t counts[DIFF__MAX],
    struct error *err);
/* The whole day. False: err; what was told before says nothing of the day then. */
bool operate_reconcile(struct flow *f, const struct operate_reconcile *day, int64_t each_ms,
    int64_t counts[DIFF__MAX], struct error *err);
