#include "config.h"

#include "money/payment.h"

#include <assert.h>

#include "json/write.h"

int64_t
amount_vat(int64_t total, int64_t tax_free)
{
	assert(tax_free >= 0 && total >= tax_free);
	return (total - tax_free + 5) / 11; /* half up: 5/11 is the last below a half */
}

static void
add_amount(struct buf *out, const struct amount *a)
{
	json_add_member(out, "amount");
	buf_add_char(out, '{');
	json_add_int_member(out, "total", a->total);
	json_add_int_member(out, "tax_free", a->tax_free);
	json_add_int_member(out, "vat", a->vat);
	json_add_int_member(out, "point", a->point);
	json_add_int_member(out, "discount", a->discount);
	buf_add_char(out, '}');
}

void
payment_format(const struct payment *p, struct buf *out)
{
	buf_add_char(out, '{');
	if (p->aid[0] != '\0')
		json_add_str_member(out, "aid", p->aid);
	add_amount(out, &p->amount);
	json_add_time_member(out, "approved_at", p->approved_at_ms);
	json_add_str_member(out, "cid", p->cid);
	json_add_time_member(out, "created_at", p->created_at_ms);
	json_add_str_member(out, "item_name", p->item_name);
	json_add_str_member(out, "partner_order_id", p->partner_order_id);
	json_add_str_member(out, "partner_user_id", p->partner_user_id);
	json_add_str_member(out, "payment_method_type", p->payment_method_type);
	json_add_int_member(out, "quantity", p->quantity);
	json_add_str_member(out, "tid", p->tid);
	json_add_str_member(out, "userId", p->user_id);
	buf_add_char(out, '}');
}
