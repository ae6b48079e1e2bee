#include "config.h"

#include "flow/life.h"

#include <stdlib.h>
#include <string.h>

#include "json/write.h"

static bool
read_life(struct store *s, const struct payment *p, struct payment_life *life,
    int64_t deadline_boot_ms, struct error *err)
{
	struct ledger_chain chain = { 0 };
	struct order_state st;
	bool ok =
	    store_ledger_chain(s, p->cid, p->partner_order_id, &chain, deadline_boot_ms, err) &&
	    order_state(&chain, p->tid, &st, err);

	if (ok) {
		life->state = st.state;
		life->refunded = st.refunded.total;
	}
	/* The order that the document names knows of no capture. Before roompay came there was no
	 * ledger. Else KakaoPay answered another order than was asked, or the ledger is older: an
	 * operator has to look. */
	if (ok && st.captured == NULL)
		life->state = p->foreign ? AS_APPROVED : AS_REVIEW;
	for (size_t i = chain.n; ok && i-- > 0 && life->refunded_at_ms == 0;) {
		const struct ledger_event *e = &chain.ev[i];

		if ((e->kind == LK_REFUNDED || e->kind == LK_PART_REFUNDED) &&
		    strcmp(e->tid, p->tid) == 0)
			life->refunded_at_ms = e->at_ms;
	}
	ledger_chain_clear(&chain);
	return ok;
}

bool
payment_lives(struct store *s, const struct payment *list, size_t n, struct payment_life **out,
    int64_t deadline_boot_ms, struct error *err)
{
	*out = calloc(n + 1, sizeof(**out));
	if (*out == NULL)
		return error_set(err, ERR_INTERNAL, "out of memory");
	for (size_t i = 0; i < n; i++)
		if (!read_life(s, &list[i], &(*out)[i], deadline_boot_ms, err)) {
			free(*out);
			*out = NULL;
			return false;
		}
	return true;
}

void
payment_life_format(const struct payment *p, const struct payment_life *life, struct buf *out)
{
	payment_format(p, out);
	if (out->bad)
		return;
	out->len--; /* the brace: there is more */
	json_add_str_member(out, "state", attempt_state_name(life->state));
	json_add_int_member(out, "refunded", life->refunded);
	if (life->refunded_at_ms != 0)
		json_add_time_member(out, "refunded_at", life->refunded_at_ms);
	buf_add_char(out, '}');
}

void
refund_format(const struct ledger_event *e, struct buf *out)
{
	const struct ledger_refund *r = &e->refund;

	buf_add_char(out, '{');
	json_add_str_member(out, "tid", e->tid);
	json_add_str_member(out, "cid", e->cid);
	json_add_str_member(out, "partner_order_id", e->partner_order_id);
	json_add_str_member(out, "userId", e->user_id);
	json_add_str_member(out, "roomId", e->room_id);
	if (r->id[0] != '@')
		json_add_str_member(out, "refundId", r->id);
	json_add_member(out, "amount");
	buf_add_char(out, '{');
	json_add_int_member(out, "total", r->amount);
	json_add_int_member(out, "tax_free", r->tax_free);
	json_add_int_member(out, "vat", r->vat);
	buf_add_char(out, '}');
	json_add_int_member(out, "canceled", r->canceled);
	json_add_str_member(out, "state",
	    attempt_state_name(e->kind == LK_REFUNDED ? AS_REFUNDED : AS_PART_REFUNDED));
	json_add_time_member(out, "refunded_at", e->at_ms);
	buf_add_char(out, '}');
}
