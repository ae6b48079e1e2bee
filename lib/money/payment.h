/* The stored record of a capture: exactly the members of the site's PaymentSchema. No I/O. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "site/limit.h"

struct amount { /* KRW */
	int64_t total, tax_free, vat, point, discount;
};

struct payment {
	char aid[TID_CAP]; /* "": an inquiry did not tell it; then the member is absent */
	char tid[TID_CAP];
	char cid[CID_CAP];
	char partner_order_id[ORDER_CAP];
	char partner_user_id[USER_CAP];
	char user_id[USER_CAP]; /* userId: ours, not KakaoPay's */
	char item_name[UTF8_CAP(100)];
	char payment_method_type[33];
	int64_t quantity;
	struct amount amount;
	int64_t created_at_ms, approved_at_ms; /* UTC */
	bool foreign; /* read: another program wrote it, what it lacks is "" and 0; not stored */
};

/* round half up of (total - tax_free) / 11. src: KakaoPay's default of vat_amount */
int64_t amount_vat(int64_t total, int64_t tax_free);

/* The JSON object of answers and messages: the members of the site's PaymentSchema, times RFC 3339
 * UTC; aid left out where it is not known. */
void payment_format(const struct payment *p, struct buf *out);
