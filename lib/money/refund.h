/* How much of a payment is refunded, and what an order's chain tells about its refunds. Rules; no
 * I/O. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "money/ledger.h"

/* Refunds that no caller asked for. No caller's refundId begins with @. */
#define REFUND_OUTSIDE \
	"@outside" /* found at KakaoPay: made in the merchant's console, or by their customer \
		      service */
#define REFUND_UNBOOKABLE "@unbookable" /* on_unbookable = refund */

struct refund_asked {
	int64_t amount, tax_free;
}; /* won; -1: not said */

enum refund_verdict {
	REFUND_OK,
	REFUND_EXCEEDS, /* more than is left: of all, of the tax-free part, or of the taxable one */
	REFUND_TAX_FREE_REQUIRED, /* a part of a payment with a tax-free amount must say its own */
};
/*
 * What to ask of KakaoPay: *out has total, tax_free and vat. Without an amount: all that is left.
 * VAT follows KakaoPay's rule (amount_vat), but is never more than is left, and never so little
 * that the remaining amount could not carry the remaining VAT. The last refund takes the rest.
 */
enum refund_verdict refund_amounts(const struct amount *paid, const struct amount *refunded,
    const struct refund_asked *asked, struct amount *out);

/* The last `refunding` of this tid under this id; NULL: none. */
const struct ledger_event *refund_find(const struct ledger_chain *c, const char *tid,
    const char *id);
/* What ended it: refunded, part_refunded, refund_failed or review. NULL: nothing yet. */
const struct ledger_event *refund_end(const struct ledger_chain *c,
    const struct ledger_event *begun);
/*
 * Rate limit: at most REFUND_FAILURES_PER_MIN failed refunds of one tid a minute. 0: a cancel may
 * start; otherwise how many ms to wait, from now_ms (wall). Without it, a caller who repeats a
 * refund that KakaoPay does not carry out would write two events each time.
 */
enum { REFUND_FAILURES_PER_MIN = 5 };
int64_t refund_wait_ms(const struct ledger_chain *c, const char *tid, int64_t now_ms);
/*
 * Another refund of this tid, under another id or made at KakaoPay, of just this amount, after
 * since_ms, that was carried out or has no end yet: perhaps somebody means that one. NULL: there is
 * none.
 */
const struct ledger_event *refund_twin(const struct ledger_chain *c, const char *tid,
    const char *id, int64_t amount, int64_t since_ms);
/* Is it the refund that this request asks for? */
bool refund_is_same(const struct ledger_refund *r, const struct refund_asked *asked);
