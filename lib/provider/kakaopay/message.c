#include "config.h"

#include "provider/kakaopay/message.h"

#include <assert.h>
#include <string.h>

#include "base/form.h"
#include "json/write.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const call_names[] = {
	[MC_READY] = "ready",
	[MC_APPROVE] = "approve",
	[MC_ORDER] = "order",
	[MC_CANCEL] = "cancel",
};
static_assert(COUNT(call_names) == MC__MAX, "a name for each call");

const char *
message_call_name(enum message_call call)
{
	assert(call < MC__MAX);
	return call_names[call];
}

const char *
message_path(enum conf_mode mode, enum message_call call)
{
	static const char *const paths[2][MC__MAX] = {
		{ "/v1/payment/ready", "/v1/payment/approve", "/v1/payment/order",
		    "/v1/payment/cancel" },
		{ "/online/v1/payment/ready", "/online/v1/payment/approve",
		    "/online/v1/payment/order", "/online/v1/payment/cancel" },
	};

	assert(call < MC__MAX);
	return paths[mode == MODE_SECRET_KEY][call];
}

const char *
message_content_type(enum conf_mode mode)
{
	return mode == MODE_SECRET_KEY ? "application/json"
				       : "application/x-www-form-urlencoded;charset=utf-8";
}

/* -- requests: the same members in both encodings */

struct writer {
	struct buf *out;
	bool json;
	bool first;
};

static struct writer
begin(enum conf_mode mode, struct buf *out)
{
	struct writer w = { .out = out, .json = mode == MODE_SECRET_KEY, .first = true };

	if (w.json)
		buf_add_char(out, '{');
	return w;
}

static void
finish(struct writer *w)
{
	if (w->json)
		buf_add_char(w->out, '}');
}

static void
add_form_name(struct writer *w, const char *name)
{
	if (!w->first)
		buf_add_char(w->out, '&');
	w->first = false;
	buf_add_str(w->out, name);
	buf_add_char(w->out, '=');
}

static void
add_form_text(struct writer *w, const char *name, const char *text)
{
	add_form_name(w, name);
	form_encode(w->out, text);
}

static void
add_str(struct writer *w, const char *name, const char *text)
{
	if (w->json)
		json_add_str_member(w->out, name, text);
	else
		add_form_text(w, name, text);
}

static void
add_optional_str(struct writer *w, const char *name, const char *text)
{
	if (text != NULL && text[0] != '\0')
		add_str(w, name, text);
}

/* JSON text: a value of its own in JSON, text in one field of a form. src: doc/kakaopay.md,
 * available_cards */
static void
add_optional_json(struct writer *w, const char *name, const char *text)
{
	if (text[0] == '\0')
		return;
	if (w->json)
		json_add_raw_member(w->out, name, text);
	else
		add_form_text(w, name, text);
}

static void
add_int(struct writer *w, const char *name, int64_t n)
{
	if (w->json) {
		json_add_int_member(w->out, name, n);
		return;
	}
	add_form_name(w, name);
	buf_add_int(w->out, n);
}

static void
add_optional_int(struct writer *w, const char *name, int64_t n)
{
	if (n >= 0)
		add_int(w, name, n);
}

void
message_ready_format(enum conf_mode mode, const struct provider_ready *rq, const char *cid_secret,
    struct buf *body)
{
	struct writer w = begin(mode, body);

	add_str(&w, "cid", rq->cid);
	add_optional_str(&w, "cid_secret", cid_secret);
	add_str(&w, "partner_order_id", rq->partner_order_id);
	add_str(&w, "partner_user_id", rq->partner_user_id);
	add_str(&w, "item_name", rq->item_name);
	add_optional_str(&w, "item_code", rq->item_code);
	add_int(&w, "quantity", rq->quantity);
	add_int(&w, "total_amount", rq->total_amount);
	add_int(&w, "tax_free_amount", rq->tax_free_amount);
	add_optional_int(&w, "vat_amount", rq->vat_amount);
	add_optional_int(&w, "green_deposit", rq->green_deposit);
	add_str(&w, "approval_url", rq->approval_url);
	add_str(&w, "cancel_url", rq->cancel_url);
	add_str(&w, "fail_url", rq->fail_url);
	add_optional_json(&w, "available_cards", rq->available_cards);
	add_optional_str(&w, "payment_method_type", rq->payment_method_type);
	add_optional_int(&w, "install_month", rq->install_month);
	add_optional_str(&w, "use_share_installment", rq->use_share_installment);
	add_optional_json(&w, "custom_json", rq->custom_json);
	add_optional_str(&w, "redirect_scheme_url", rq->redirect_scheme_url);
	finish(&w);
}

void
message_approve_format(enum conf_mode mode, const struct provider_approve *rq,
    const char *cid_secret, struct buf *body)
{
	struct writer w = begin(mode, body);

	add_str(&w, "cid", rq->cid);
	add_optional_str(&w, "cid_secret", cid_secret);
	add_str(&w, "tid", rq->tid);
	add_str(&w, "partner_order_id", rq->partner_order_id);
	add_str(&w, "partner_user_id", rq->partner_user_id);
	add_str(&w, "pg_token", rq->pg_token);
	add_optional_str(&w, "payload", rq->payload);
	add_int(&w, "total_amount", rq->total_amount);
	finish(&w);
}

void
message_order_format(enum conf_mode mode, const char *cid, const char *tid, const char *cid_secret,
    struct buf *body)
{
	struct writer w = begin(mode, body);

	add_str(&w, "cid", cid);
	add_optional_str(&w, "cid_secret", cid_secret);
	add_str(&w, "tid", tid);
	finish(&w);
}

void
message_cancel_format(enum conf_mode mode, const struct provider_cancel *rq, const char *cid_secret,
    struct buf *body)
{
	struct writer w = begin(mode, body);

	add_str(&w, "cid", rq->cid);
	add_optional_str(&w, "cid_secret", cid_secret);
	add_str(&w, "tid", rq->tid);
	add_int(&w, "cancel_amount", rq->cancel_amount);
	add_int(&w, "cancel_tax_free_amount", rq->cancel_tax_free_amount);
	add_optional_int(&w, "cancel_vat_amount", rq->cancel_vat_amount);
	/* KakaoPay's own guard against a second cancel: always sent. */
	add_int(&w, "cancel_available_amount", rq->cancel_available_amount);
	add_optional_str(&w, "payload", rq->payload);
	finish(&w);
}
