#include "config.h"

#include "sim/message.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "json/write.h"

/* -- refusals */

/* clang-format off */
static const struct {
	int64_t code;
	int status;
	const char *msg;
	const char *method_code, *method_message;	/* of extras; NULL: none */
} refusals[] = {
	{ -1,	400, "internal error", NULL, NULL },
	{ -2,	400, "invalid parameter", NULL, NULL },
	{ -3,	403, "the feature is not enabled for this app", NULL, NULL },
	{ -4,	403, "the account is blocked", NULL, NULL },
	{ -5,	403, "insufficient permission", NULL, NULL },
	{ -6,	403, "not allowed", NULL, NULL },
	{ -7,	400, "under maintenance", NULL, NULL },
	{ -8,	400, "bad request header", NULL, NULL },
	{ -9,	400, "the api does not exist any more", NULL, NULL },
	{ -10,	400, "api limit has been exceeded.", NULL, NULL },
	{ -400,	400, "Authorization is missing", NULL, NULL },
	{ -401,	401, "this access token does not exist", NULL, NULL },
	{ -403,	403, "the api is not registered in the app", NULL, NULL },
	{ -404,	404, "no such api", NULL, NULL },
	{ -429,	429, "api limit has been exceeded.", NULL, NULL },
	{ -500,	500, "internal error", NULL, NULL },
	{ -503,	503, "service is under maintenance", NULL, NULL },
	{ -701,	400, "authentication doesn't complete!", "9999", "결제 실패. 잠시 후 재시도 바랍니다." },
	{ -702,	400, "payment is already done!", NULL, NULL },
	{ -703,	400, "point amount is different!", NULL, NULL },
	{ -704,	400, "total amount is different when you ordered!", NULL, NULL },
	{ -705,	400, "invalid payment method type!", NULL, NULL },
	{ -706,	400, "partner order id is different when you ordered!", NULL, NULL },
	{ -707,	400, "partner user id is different when you ordered!", NULL, NULL },
	{ -708,	400, "pg_token is invalid!", NULL, NULL },
	{ -710,	400, "cancel amount exceeds the cancelable amount!", NULL, NULL },
	{ -721,	400, "tid doesn't exist!", NULL, NULL },
	{ -722,	400, "invalid amount information!", NULL, NULL },
	{ -723,	400, "payment time is over!", NULL, NULL },
	{ -724,	400, "invalid one-time payment amount!", NULL, NULL },
	{ -725,	400, "invalid total amount!", NULL, NULL },
	{ -726,	400, "invalid order information!", NULL, NULL },
	{ -731,	400, "invalid param(cid has invalid value)", NULL, NULL },
	{ -733,	400, "invalid param(cid_secret has invalid value)", NULL, NULL },
	{ -780,	400, "approval failure!", "9999", "결제 실패. 잠시 후 재시도 바랍니다." },
	{ -781,	400, "cancel failure!", "6666", "원거래없음" },
	{ -782,	400, "subscription failure!", "9999", "결제 실패. 잠시 후 재시도 바랍니다." },
	{ -783,	400, "payment can't be approved in this status!", NULL, NULL },
	{ -784,	400, "payment can't be canceled in this status!", NULL, NULL },
	{ -785,	400, "payment is being processed by another request!", NULL, NULL },
	{ -797,	400, "one-time payment limit exceeded!", NULL, NULL },
	{ -798,	400, "ip is not allowed!", NULL, NULL },
	{ -799,	400, "domain is not registered!", NULL, NULL },
	{ -9798, 503, "service is under maintenance", NULL, NULL },
};

static const struct { const char *code, *message; } method_messages[] = {
	{ "USER_LOCKED",	"진행중인 거래가 있습니다. 잠시 후 다시 시도해 주세요." },
	{ "BANK_FIRM_UNKNOWN",	"은행 처리 결과를 확인할 수 없습니다." },
	{ "8326",		"한도초과" },
	{ "6666",		"원거래없음" },
};
/* clang-format on */

int
refusal_status(int64_t code)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (refusals[i].code == code)
			return refusals[i].status;
	return 400;
}

static const char *
method_message(const char *code)
{
	for (size_t i = 0; i < sizeof(method_messages) / sizeof(method_messages[0]); i++)
		if (strcmp(method_messages[i].code, code) == 0)
			return method_messages[i].message;
	return "결제 실패. 잠시 후 재시도 바랍니다.";
}

static void
add_extras(struct buf *out, const char *code, const char *message)
{
	json_add_member(out, "extras");
	buf_add_char(out, '{');
	json_add_str_member(out, "method_result_code", code);
	json_add_str_member(out, "method_result_message", message);
	buf_add_char(out, '}');
}

void
message_refusal(struct buf *out, bool legacy, const struct refusal *no)
{
	const char *msg = "error", *code = NULL, *message = NULL;

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (refusals[i].code == no->code) {
			msg = refusals[i].msg;
			code = refusals[i].method_code;
			message = refusals[i].method_message;
		}
	if (no->method_code[0] != '\0') {
		code = no->method_code;
		message = method_message(code);
	}
	buf_add_char(out, '{');
	json_add_int_member(out, legacy ? "code" : "error_code", no->code);
	json_add_str_member(out, legacy ? "msg" : "error_message",
	    no->msg[0] != '\0' ? no->msg : msg);
	if (code != NULL)
		add_extras(out, code, message);
	buf_add_char(out, '}');
}

/* -- pieces */

void
message_add_time(struct buf *out, const char *name, int64_t wall_ms)
{
	char text[CLOCK_KST_CAP];

	clock_format_kst(wall_ms, 'T', text);
	json_add_str_member(out, name, text);
}

static void
add_amount(struct buf *out, const char *name, const struct amount *a, enum fault_kind twist)
{
	json_add_member(out, name);
	buf_add_char(out, '{');
	json_add_int_member(out, "total", a->total);
	json_add_int_member(out, "tax_free", a->tax_free);
	json_add_int_member(out, "vat", a->vat);
	json_add_int_member(out, "point", a->point);
	json_add_int_member(out, "discount", a->discount);
	if (twist != FAULT_MISSING_MEMBERS)
		json_add_int_member(out, "green_deposit", a->green_deposit);
	if (twist == FAULT_EXTRA_MEMBERS)
		json_add_int_member(out, "new_deduction", 0);
	buf_add_char(out, '}');
}

static void
add_optional(struct buf *out, const char *name, const char *text, enum fault_kind twist)
{
	if (text != NULL && text[0] != '\0' && twist != FAULT_MISSING_MEMBERS)
		json_add_str_member(out, name, text);
}

static void
add_extra(struct buf *out, enum fault_kind twist)
{
	if (twist == FAULT_EXTRA_MEMBERS)
		json_add_raw_member(out, "new_member",
		    "{\"list\":[1,-2.5,\"셋\",null,true],\"tid\":\"none\"}");
}

/* A copy with one thing changed; it owns nothing. */
static struct order
twisted(const struct order *o, enum fault_kind twist)
{
	static char other_order[] = "other-order", other_user[] = "other-user";
	struct order t = *o;

	switch (twist) {
	case FAULT_WRONG_TOTAL:
		t.amount.total += 100;
		break;
	case FAULT_WRONG_TAX_FREE:
		t.amount.tax_free++;
		break;
	case FAULT_WRONG_VAT:
		t.amount.vat++;
		break;
	case FAULT_WRONG_QUANTITY:
		t.quantity++;
		break;
	case FAULT_WRONG_PARTNER_ORDER_ID:
		t.partner_order_id = other_order;
		break;
	case FAULT_WRONG_PARTNER_USER_ID:
		t.partner_user_id = other_user;
		break;
	case FAULT_WRONG_TID:
		t.tid[SIM_ID_CAP - 2] = t.tid[SIM_ID_CAP - 2] == '0' ? '1' : '0';
		break;
	case FAULT_WRONG_CID:
		memcpy(t.cid, "TC0OTHERID", sizeof("TC0OTHERID"));
		break;
	default:
		break;
	}
	return t;
}

static void
add_ids(struct buf *out, const struct order *o)
{
	json_add_str_member(out, "tid", o->tid);
	json_add_str_member(out, "cid", o->cid);
	json_add_str_member(out, "partner_order_id", o->partner_order_id);
	json_add_str_member(out, "partner_user_id", o->partner_user_id);
}

static void
add_item(struct buf *out, const struct order *o, enum fault_kind twist)
{
	json_add_str_member(out, "item_name", o->item_name);
	add_optional(out, "item_code", o->item_code, twist);
	json_add_int_member(out, "quantity", o->quantity);
}

static bool
is_card(const struct order *o)
{
	return strcmp(o->method, "CARD") == 0;
}

static void
add_card_info(struct buf *out, const struct order *o, bool legacy)
{
	char months[32];

	snprintf(months, sizeof(months), "%02d", (int)o->install_month);
	json_add_member(out, "card_info");
	buf_add_char(out, '{');
	if (legacy) {
		json_add_str_member(out, "purchase_corp", "비씨카드");
		json_add_str_member(out, "purchase_corp_code", "01");
		json_add_str_member(out, "issuer_corp", "수협카드");
		json_add_str_member(out, "issuer_corp_code", "14");
	}
	json_add_str_member(out, "kakaopay_purchase_corp", "비씨카드");
	json_add_str_member(out, "kakaopay_purchase_corp_code", "104");
	json_add_str_member(out, "kakaopay_issuer_corp", "수협은행");
	json_add_str_member(out, "kakaopay_issuer_corp_code", "212");
	json_add_str_member(out, "bin", "621600");
	json_add_str_member(out, "card_type", "체크");
	json_add_str_member(out, "install_month", months);
	json_add_str_member(out, "approved_id", "30011223");
	json_add_str_member(out, "card_mid", "100200300");
	json_add_str_member(out, "interest_free_install", "N");
	json_add_str_member(out, "installment_type", "CARD_INSTALLMENT");
	json_add_str_member(out, "card_item_code", "");
	buf_add_char(out, '}');
}

/* -- ready and approve */

static void
add_url(struct buf *out, const char *name, const char *before, const char *base_url,
    const char *path, const char *page_id, const char *after)
{
	json_add_member(out, name);
	buf_printf(out, "\"%s%s%s%s%s\"", before, base_url, path, page_id, after);
}

#define BRIDGE(device) "/mockup/bridge/" device "/pg/one-time/payment/"

void
message_ready(struct buf *out, const struct order *o, const char *base_url, enum fault_kind twist)
{
	static const char scheme[] = "kakaotalk://kakaopay/pg?url=";
	const char *old = "/mockup/v1/";

	buf_add_char(out, '{');
	json_add_str_member(out, "tid", o->tid);
	if (o->legacy && twist != FAULT_MISSING_MEMBERS)
		json_add_bool_member(out, "tms_result", false);
	add_url(out, "next_redirect_app_url", "", base_url, o->legacy ? old : BRIDGE("mobile-app"),
	    o->page_id, o->legacy ? "/aInfo" : "");
	add_url(out, "next_redirect_mobile_url", "", base_url,
	    o->legacy ? old : BRIDGE("mobile-web"), o->page_id, o->legacy ? "/mInfo" : "");
	add_url(out, "next_redirect_pc_url", "", base_url, o->legacy ? old : BRIDGE("pc"),
	    o->page_id, o->legacy ? "/info" : "");
	if (twist != FAULT_MISSING_MEMBERS) {
		add_url(out, "android_app_scheme", scheme, base_url, "/pay/mockup/", o->page_id,
		    "");
		add_url(out, "ios_app_scheme", scheme, base_url, "/pay/mockup/", o->page_id, "");
	}
	message_add_time(out, "created_at", o->created_ms);
	add_extra(out, twist);
	buf_add_char(out, '}');
}

void
message_approve(struct buf *out, const struct order *real, bool legacy, enum fault_kind twist)
{
	struct order o = twisted(real, twist);

	buf_add_char(out, '{');
	json_add_str_member(out, "aid", o.aid);
	add_ids(out, &o);
	if (o.sid[0] != '\0')
		json_add_str_member(out, "sid", o.sid);
	json_add_str_member(out, "payment_method_type", o.method);
	add_item(out, &o, twist);
	add_amount(out, "amount", &o.amount, twist);
	if (is_card(&o) && twist != FAULT_MISSING_MEMBERS)
		add_card_info(out, &o, legacy);
	message_add_time(out, "created_at", o.created_ms);
	message_add_time(out, "approved_at", o.approved_ms);
	add_optional(out, "payload", o.payload, twist);
	add_extra(out, twist);
	buf_add_char(out, '}');
}

/* -- cancel and order */

#define UNKNOWN_STATUS "PAYMENT_ON_REVIEW"

void
message_cancel(struct buf *out, const struct order *real, const char *payload,
    enum fault_kind twist)
{
	const struct cancel *c = &real->cancels[real->n_cancels - 1];
	struct order o = twisted(real, twist);
	struct order_view v;

	order_view_now(real, &v);
	buf_add_char(out, '{');
	json_add_str_member(out, "aid", c->aid);
	add_ids(out, &o);
	json_add_str_member(out, "status",
	    twist == FAULT_UNKNOWN_STATUS ? UNKNOWN_STATUS : status_name(v.status));
	json_add_str_member(out, "payment_method_type", o.method);
	add_item(out, &o, twist);
	add_amount(out, "amount", &o.amount, twist);
	add_amount(out, "approved_cancel_amount", &c->amount, twist);
	add_amount(out, "canceled_amount", &v.canceled, twist);
	add_amount(out, "cancel_available_amount", &v.left, twist);
	message_add_time(out, "created_at", o.created_ms);
	message_add_time(out, "approved_at", o.approved_ms);
	message_add_time(out, "canceled_at", c->at_ms);
	add_optional(out, "payload", payload, twist);
	add_extra(out, twist);
	buf_add_char(out, '}');
}

static void
add_action(struct buf *out, const struct order *o, const char *type, const char *aid,
    const struct amount *a, int64_t at_ms, const char *payload, enum fault_kind twist)
{
	if (out->data[out->len - 1] != '[')
		buf_add_char(out, ',');
	buf_add_char(out, '{');
	json_add_str_member(out, "aid", aid);
	json_add_str_member(out, "payment_action_type", type);
	add_optional(out, "payment_method_type", o->method, twist);
	if (twist != FAULT_MISSING_MEMBERS)
		json_add_int_member(out, "amount", a->total);
	json_add_int_member(out, "point_amount", a->point);
	json_add_int_member(out, "discount_amount", a->discount);
	message_add_time(out, "approved_at", at_ms);
	if (twist != FAULT_MISSING_MEMBERS)
		json_add_int_member(out, "green_deposit", a->green_deposit);
	add_optional(out, "payload", payload, twist);
	buf_add_char(out, '}');
}

static void
add_actions(struct buf *out, const struct order *o, const struct order_view *v,
    enum fault_kind twist)
{
	json_add_member(out, "payment_action_details");
	buf_add_char(out, '[');
	if (v->is_captured)
		add_action(out, o, "PAYMENT", o->aid, &o->amount, o->approved_ms, o->payload,
		    twist);
	for (size_t i = 0; i < v->n_cancels; i++)
		add_action(out, o, "CANCEL", o->cancels[i].aid, &o->cancels[i].amount,
		    o->cancels[i].at_ms, o->cancels[i].payload, twist);
	buf_add_char(out, ']');
}

static void
add_selected_card(struct buf *out, const struct order *o)
{
	json_add_member(out, "selected_card_info");
	buf_add_char(out, '{');
	json_add_str_member(out, "card_bin", "621600");
	json_add_int_member(out, "install_month", o->install_month);
	json_add_str_member(out, "card_corp_name", "수협은행");
	json_add_str_member(out, "interest_free_install", "N");
	buf_add_char(out, '}');
}

void
message_order(struct buf *out, const struct order *real, int64_t real_ms, enum fault_kind twist)
{
	struct order o = twisted(real, twist);
	struct order_view v;
	bool has_method;

	order_view_at(real, real_ms, &v);
	has_method = o.method_fixed || v.is_captured ||
	    (o.method[0] != '\0' && v.status >= STATUS_SELECT_METHOD);
	buf_add_char(out, '{');
	add_ids(out, &o);
	json_add_str_member(out, "status",
	    twist == FAULT_UNKNOWN_STATUS ? UNKNOWN_STATUS : status_name(v.status));
	if (has_method)
		json_add_str_member(out, "payment_method_type", o.method);
	add_item(out, &o, twist);
	add_amount(out, "amount", &o.amount, twist);
	add_amount(out, "canceled_amount", &v.canceled, twist);
	add_amount(out, "cancel_available_amount", &v.left, twist);
	message_add_time(out, "created_at", o.created_ms);
	if (v.is_captured && twist != FAULT_MISSING_MEMBERS)
		message_add_time(out, "approved_at", o.approved_ms);
	if (v.n_cancels > 0 && twist != FAULT_MISSING_MEMBERS)
		message_add_time(out, "canceled_at", o.cancels[v.n_cancels - 1].at_ms);
	if (has_method && is_card(&o) && v.status >= STATUS_SELECT_METHOD &&
	    twist != FAULT_MISSING_MEMBERS)
		add_selected_card(out, &o);
	add_actions(out, &o, &v, twist);
	add_extra(out, twist);
	buf_add_char(out, '}');
}

/* -- for the control side */

void
message_capture(struct buf *out, const struct order *o)
{
	struct order_view v;

	order_view_now(o, &v);
	buf_add_char(out, '{');
	add_ids(out, o);
	json_add_str_member(out, "aid", o->aid);
	json_add_str_member(out, "status", status_name(o->status));
	json_add_str_member(out, "payment_method_type", o->method);
	json_add_str_member(out, "item_name", o->item_name);
	json_add_int_member(out, "quantity", o->quantity);
	json_add_str_member(out, "payload", o->payload == NULL ? "" : o->payload);
	add_amount(out, "amount", &o->amount, FAULT_NONE);
	add_amount(out, "canceled_amount", &v.canceled, FAULT_NONE);
	message_add_time(out, "created_at", o->created_ms);
	message_add_time(out, "approved_at", o->approved_ms);
	buf_add_char(out, '}');
}

void
message_cancel_record(struct buf *out, const struct order *o, const struct cancel *c)
{
	buf_add_char(out, '{');
	add_ids(out, o);
	json_add_str_member(out, "aid", c->aid);
	json_add_str_member(out, "payload", c->payload == NULL ? "" : c->payload);
	add_amount(out, "amount", &c->amount, FAULT_NONE);
	message_add_time(out, "canceled_at", c->at_ms);
	buf_add_char(out, '}');
}
