/* How much of a payment is given back, and what an order's chain tells of its refunds. Rules; no I/O. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "money/ledger.h"

/* Refunds that no caller asked for: no caller's refundId begins so. */
#define REFUND_OUTSIDE "@outside"		/* found at KakaoPay: made in the merchant's console, or by their customer service */
#define REFUND_UNBOOKABLE "@unbookable"		/* on_unbookable = refund */

struct refund_asked { int64_t amount, tax_free; };	/* won; -1: not said */

enum refund_verdict {
	REFUND_OK,
	REFUND_EXCEEDS,			/* more than is left: of all, of the tax-free part, or of the taxable one */
	REFUND_TAX_FREE_REQUIRED,	/* a part of a payment with a tax-free amount must say its own */
};
/*
 * What to ask of KakaoPay: *out's total, tax_free and vat. Without an amount: all that is left. VAT by KakaoPay's rule (amount_vat), but never more than is left, nor so little
 * that what stays could not carry the rest; the last refund takes the rest.
 */
enum refund_verdict refund_amounts(const struct amount *paid, const struct amount *refunded, const struct refund_asked *asked, struct amount *out);

/* The last `refunding` of this tid under this id; NULL: none. */
const struct ledger_event *refund_find(const struct ledger_chain *c, const char *tid, const char *id);
/* What ended it: refunded, part_refunded, refund_failed or review. NULL: nothing yet. */
const struct ledger_event *refund_end(const struct ledger_chain *c, const struct ledger_event *begun);
/*
 * Refunds of one tid that came to nothing are limited to REFUND_FAILURES_PER_MIN a minute: 0, or so many ms from now_ms (wall) on no cancel may
 * begin. A caller who repeats one that KakaoPay does not carry out would else write two events each time.
 */
enum { REFUND_FAILURES_PER_MIN = 5 };
int64_t refund_wait_ms(const struct ledger_chain *c, const char *tid, int64_t now_ms);
/*
 * Another refund of this tid, under another id or made at KakaoPay, of just this amount, after since_ms,
 * that was carried out or has no end yet: perhaps somebody means that one. NULL: there is none.
 */
const struct ledger_event *refund_twin(const struct ledger_chain *c, const char *tid, const char *id,
	int64_t amount, int64_t since_ms);
/* Is it the refund that this request asks for? */
bool refund_is_same(const struct ledger_refund *r, const struct refund_asked *asked);
