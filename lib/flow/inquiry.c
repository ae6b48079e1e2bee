#include "config.h"

#include "flow/inquiry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

struct payment *
flow_payment_times(struct payment *p)
{
	if (p->approved_at_ms == 0)
		p->approved_at_ms = clock_wall_ms();
	if (p->created_at_ms == 0)
		p->created_at_ms = p->approved_at_ms;
	return p;
}

bool
flow_payment_matches(const struct flow_attempt *at, const struct payment *p, char why[200])
{
	const struct {
		const char *what, *asked, *told;
	} texts[] = {
		{ "tid", at->of.tid, p->tid },
		{ "cid", at->of.cid, p->cid },
		{ "partner_order_id", at->of.order, p->partner_order_id },
		{ "partner_user_id", at->a.partner_user_id, p->partner_user_id },
	};
	const struct {
		const char *what;
		int64_t asked, told;
	} numbers[] = {
		{ "quantity", at->a.quantity, p->quantity },
		{ "total", at->a.total_amount, p->amount.total },
		{ "tax_free", at->a.tax_free_amount, p->amount.tax_free },
		{ "vat", at->a.vat_amount < 0 ? p->amount.vat : at->a.vat_amount, p->amount.vat },
	};

	why[0] = '\0';
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(texts[i].asked, texts[i].told) != 0) {
			snprintf(why, 200, "KakaoPay answered another %s than was asked",
			    texts[i].what);
			return false;
		}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i].asked != numbers[i].told) {
			snprintf(why, 200, "KakaoPay answered %s %" PRId64 ", asked was %" PRId64,
			    numbers[i].what, numbers[i].told, numbers[i].asked);
			return false;
		}
	return true;
}

enum flow_verdict
flow_inquire(struct flow *f, const struct flow_attempt *at, int64_t deadline_boot_ms,
    struct payment *payment, struct provider_answer *pa, char why[200])
{
	int64_t limit = clock_boot_ms() + FLOW_INQUIRY_MS;
	struct provider_order order;
	enum provider_outcome o;
	struct error err;

	error_clear(&err);
	why[0] = '\0';
	if (!provider_order(f->provider, at->of.cid, at->of.tid,
		deadline_boot_ms < limit ? deadline_boot_ms : limit, &o, &order, pa, &err)) {
		snprintf(why, 200, "inquiry: %.180s", err.msg);
		return FV_SILENT;
	}
	if (o != PO_OK) {
		snprintf(why, 200, "inquiry: %s", provider_outcome_name(o));
		return FV_SILENT;
	}
	*payment = order.payment;
	text_copy(payment->user_id, sizeof(payment->user_id), at->of.user);
	text_copy(pa->message, sizeof(pa->message), order.status_text);
	text_copy(pa->status, sizeof(pa->status), provider_status_name(order.status));
	switch (order.status) {
	case PS_PAID:
		return flow_payment_matches(at, payment, why) ? FV_CAPTURED : FV_CAPTURED_OTHERWISE;
	case PS_CANCELED:
	case PS_PART_CANCELED:
		snprintf(why, 200, "KakaoPay says %s: refunded outside of roompay",
		    order.status_text);
		return FV_CANCELED;
	case PS_FAILED:
		snprintf(why, 200, "KakaoPay says %s", order.status_text);
		return FV_FAILED;
	case PS_PENDING:
		snprintf(why, 200, "KakaoPay says %s: not yet approved", order.status_text);
		return FV_PENDING;
	case PS_ISSUED_SID:
	case PS_STRANGE:
	case PS__MAX:
		break;
	}
	snprintf(why, 200, "KakaoPay says %s, which no document names", order.status_text);
	return FV_STRANGE;
}
