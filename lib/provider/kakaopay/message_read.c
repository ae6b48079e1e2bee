/* KakaoPay's answers. What is asked of it: message.c. */
#include "config.h"

#include "provider/kakaopay/message.h"

#include <assert.h>
#include <ctype.h>
#include <json-c/json.h>
#include <string.h>

#include "base/clock.h"
#include "json/strict.h"

enum { ANSWER_DEPTH = 16 };
#define WON_MAX \
	INT64_C(9007199254740991) /* 2^53 - 1: what is beyond every reader's integers is no amount \
				   */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* -- answers: members by name; bad sticks, and one check at the end is enough */

struct reader {
	struct json_object *obj; /* NULL: an object that is not there */
	bool bad;
};

static struct json_object *
member(const struct reader *r, const char *name)
{
	struct json_object *v = NULL;

	if (r->obj != NULL)
		json_object_object_get_ex(r->obj, name, &v);
	return v; /* null is as good as absent */
}

/* The text of a member, NULL where it is absent. Another type than a string is bad. */
static const char *
text_of(struct reader *r, const char *name)
{
	struct json_object *v = member(r, name);

	if (v == NULL)
		return NULL;
	if (!json_object_is_type(v, json_type_string)) {
		r->bad = true;
		return NULL;
	}
	return json_object_get_string(v);
}

/* Ids decide whom an answer speaks of: whole or bad. */
static void
read_id(struct reader *r, const char *name, char *out, size_t cap)
{
	const char *text = text_of(r, name);

	if (text == NULL || text[0] == '\0' || strlen(text) >= cap) {
		r->bad = true;
		return;
	}
	memcpy(out, text, strlen(text) + 1);
}

/* What only people read: absent is "", too long is cut at a whole character, a control character
 * becomes a space. */
static void
read_label(struct reader *r, const char *name, char *out, size_t cap)
{
	const char *text = text_of(r, name);
	size_t len = text == NULL ? 0 : strlen(text);

	if (len >= cap)
		for (len = cap - 1; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
			len--;
	for (size_t i = 0; i < len; i++)
		out[i] = (char)((unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i]);
	out[len] = '\0';
}

static bool
is_provider_id(const char *s)
{
	size_t n = strspn(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

	return n >= 1 && n < TID_CAP && s[n] == '\0';
}

/* tid and aid */
static void
read_provider_id(struct reader *r, const char *name, char out[TID_CAP])
{
	const char *text = text_of(r, name);

	if (text == NULL || !is_provider_id(text)) {
		r->bad = true;
		return;
	}
	memcpy(out, text, strlen(text) + 1);
}

/* absent: -1 is bad, else the value to take */
static void
read_won(struct reader *r, const char *name, int64_t absent, int64_t *out)
{
	struct json_object *v = member(r, name);

	*out = absent;
	if (v != NULL && json_object_is_type(v, json_type_int))
		*out = json_object_get_int64(v); /* what does not fit comes as the largest: refused
						    below */
	else if (v != NULL)
		r->bad = true;
	if (*out < 0 || *out > WON_MAX)
		r->bad = true;
}

/* absent is 0 unless required */
static void
read_kst(struct reader *r, const char *name, bool required, int64_t *out)
{
	const char *text = text_of(r, name);

	*out = 0;
	if (text != NULL ? !clock_parse_kst(text, out) : required)
		r->bad = true;
}

static struct reader
sub_object(struct reader *r, const char *name)
{
	struct reader sub = { .obj = member(r, name) };

	if (sub.obj != NULL && !json_object_is_type(sub.obj, json_type_object)) {
		r->bad = true;
		sub.obj = NULL;
	}
	return sub;
}

/* there: NULL where the object must be there. Only total is never left out. */
static void
read_amount(struct reader *r, const char *name, struct amount *out, bool *there)
{
	struct reader a = sub_object(r, name);

	*out = (struct amount){ 0 };
	if (there != NULL)
		*there = a.obj != NULL;
	if (a.obj == NULL) {
		r->bad |= there == NULL;
		return;
	}
	read_won(&a, "total", -1, &out->total);
	read_won(&a, "tax_free", 0, &out->tax_free);
	r->bad |= a.bad;
	if (a.bad)
		return;
	read_won(&a, "vat",
	    out->tax_free <= out->total ? amount_vat(out->total, out->tax_free) : -1,
	    &out->vat); /* KakaoPay's own default */
	read_won(&a, "point", 0, &out->point);
	read_won(&a, "discount", 0, &out->discount);
	r->bad |= a.bad;
}

static void
expect(struct reader *r, const char *name, const char *want)
{
	const char *text = text_of(r, name);

	if (text == NULL || strcmp(text, want) != 0)
		r->bad = true;
}

static bool
open_answer(struct reader *r, const char *text, size_t len)
{
	struct error err;

	*r = (struct reader){ 0 };
	return strict_parse_object(text, len, ANSWER_DEPTH, &r->obj, &err);
}

static bool
close_answer(struct reader *r)
{
	json_object_put(r->obj);
	return !r->bad;
}

static bool
is_printable(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s <= 0x20 || *s >= 0x7f)
			return false;
	return true;
}

bool
message_is_token(const char *text)
{
	return text[0] != '\0' &&
	    text[strspn(text,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~+/=-")] == '\0';
}

/* Where the user's browser is sent: opaque, but never to another scheme. Absent or empty: "". */
static void
read_redirect(struct reader *r, const char *name, bool loopback, char *out, size_t cap)
{
	const char *text = text_of(r, name);

	out[0] = '\0';
	if (text == NULL || text[0] == '\0')
		return;
	if (strlen(text) >= cap || !is_printable(text) ||
	    (strncmp(text, "https://", 8) != 0 && !(loopback && conf_is_loopback(text))))
		r->bad = true;
	else
		memcpy(out, text, strlen(text) + 1);
}

/* The link that opens the app: a convenience that the newest document no longer names. What is no
 * link is left out. */
static void
read_app_link(struct reader *r, const char *name, char *out, size_t cap)
{
	const char *text = text_of(r, name), *sep = text == NULL ? NULL : strstr(text, "://");
	bool good = sep != NULL && strlen(text) < cap && is_printable(text) &&
	    isalpha((unsigned char)text[0]) &&
	    strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+.-") == (size_t)(sep - text);

	out[0] = '\0';
	if (good)
		memcpy(out, text, strlen(text) + 1);
}

bool
message_ready_parse(const char *text, size_t len, bool loopback, struct provider_opened *out)
{
	struct reader r;

	memset(out, 0, sizeof(*out));
	if (!open_answer(&r, text, len))
		return false;
	read_provider_id(&r, "tid", out->tid);
	read_redirect(&r, "next_redirect_app_url", loopback, out->next_redirect_app_url,
	    sizeof(out->next_redirect_app_url));
	read_redirect(&r, "next_redirect_mobile_url", loopback, out->next_redirect_mobile_url,
	    sizeof(out->next_redirect_mobile_url));
	read_redirect(&r, "next_redirect_pc_url", loopback, out->next_redirect_pc_url,
	    sizeof(out->next_redirect_pc_url));
	read_app_link(&r, "android_app_scheme", out->android_app_scheme,
	    sizeof(out->android_app_scheme));
	read_app_link(&r, "ios_app_scheme", out->ios_app_scheme, sizeof(out->ios_app_scheme));
	read_kst(&r, "created_at", false, &out->created_at_ms);
	if (out->next_redirect_app_url[0] == '\0' && out->next_redirect_mobile_url[0] == '\0' &&
	    out->next_redirect_pc_url[0] == '\0')
		r.bad = true; /* nowhere to send the user */
	return close_answer(&r);
}

/* Members that approve and the inquiry have in common. */
static void
read_payment(struct reader *r, const char *cid, const char *tid, struct payment *p)
{
	expect(r, "cid", cid);
	expect(r, "tid", tid);
	if (r->bad)
		return;
	memcpy(p->cid, cid, strlen(cid) + 1);
	memcpy(p->tid, tid, strlen(tid) + 1);
	read_label(r, "item_name", p->item_name, sizeof(p->item_name));
	read_label(r, "payment_method_type", p->payment_method_type,
	    sizeof(p->payment_method_type));
}

bool
message_approve_parse(const char *text, size_t len, const char *cid, const char *tid,
    struct payment *out)
{
	struct reader r;

	assert(strlen(cid) < sizeof(out->cid) && strlen(tid) < sizeof(out->tid));
	memset(out, 0, sizeof(*out));
	if (!open_answer(&r, text, len))
		return false;
	read_payment(&r, cid, tid, out);
	read_provider_id(&r, "aid", out->aid);
	read_id(&r, "partner_order_id", out->partner_order_id, sizeof(out->partner_order_id));
	read_id(&r, "partner_user_id", out->partner_user_id, sizeof(out->partner_user_id));
	read_won(&r, "quantity", -1, &out->quantity);
	read_amount(&r, "amount", &out->amount, NULL);
	read_kst(&r, "created_at", true, &out->created_at_ms);
	read_kst(&r, "approved_at", true, &out->approved_at_ms);
	return close_answer(&r);
}

static const struct {
	const char *word;
	enum provider_status status;
} statuses[] = {
	{ "READY", PS_PENDING },
	{ "SEND_TMS", PS_PENDING },
	{ "OPEN_PAYMENT", PS_PENDING },
	{ "SELECT_METHOD", PS_PENDING },
	{ "ARS_WAITING", PS_PENDING },
	{ "AUTH_PASSWORD", PS_PENDING },
	{ "ISSUED_SID", PS_ISSUED_SID },
	{ "SUCCESS_PAYMENT", PS_PAID },
	{ "PART_CANCEL_PAYMENT", PS_PART_CANCELED },
	{ "CANCEL_PAYMENT", PS_CANCELED },
	{ "FAIL_AUTH_PASSWORD", PS_FAILED },
	{ "QUIT_PAYMENT", PS_FAILED },
	{ "FAIL_PAYMENT", PS_FAILED },
};

enum provider_status
kakaopay_status_of(const char *word)
{
	for (size_t i = 0; i < COUNT(statuses); i++)
		if (strcmp(statuses[i].word, word) == 0)
			return statuses[i].status;
	return PS_STRANGE;
}

static bool
has_capture(enum provider_status s)
{
	return s == PS_PAID || s == PS_PART_CANCELED || s == PS_CANCELED;
}

/* The first PAYMENT action names the approve's aid, and its time where the order itself does not.
 * Everything in it but its type is optional. */
static void
read_payment_action(struct reader *r, struct payment *p)
{
	struct json_object *list = member(r, "payment_action_details");

	if (!json_object_is_type(list, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct reader a = { .obj = json_object_array_get_idx(list, i) };
		const char *type, *aid;
		int64_t at;

		if (!json_object_is_type(a.obj, json_type_object) ||
		    (type = text_of(&a, "payment_action_type")) == NULL ||
		    strcmp(type, "PAYMENT") != 0)
			continue;
		aid = text_of(&a, "aid");
		if (aid != NULL && is_provider_id(aid))
			memcpy(p->aid, aid, strlen(aid) + 1);
		read_kst(&a, "approved_at", false, &at);
		if (p->approved_at_ms == 0)
			p->approved_at_ms = at;
		return;
	}
}

bool
message_order_parse(const char *text, size_t len, const char *cid, const char *tid,
    struct provider_order *out)
{
	struct payment *p = &out->payment;
	struct reader r;

	assert(strlen(cid) < sizeof(p->cid) && strlen(tid) < sizeof(p->tid));
	memset(out, 0, sizeof(*out));
	if (!open_answer(&r, text, len))
		return false;
	read_payment(&r, cid, tid, p);
	if (text_of(&r, "status") == NULL)
		r.bad = true;
	else
		out->status = kakaopay_status_of(text_of(&r, "status"));
	read_label(&r, "status", out->status_text, sizeof(out->status_text));
	if (has_capture(out->status)) { /* the record of a payment can be made of this answer alone
					 */
		read_id(&r, "partner_order_id", p->partner_order_id, sizeof(p->partner_order_id));
		read_id(&r, "partner_user_id", p->partner_user_id, sizeof(p->partner_user_id));
		read_won(&r, "quantity", -1, &p->quantity);
		read_amount(&r, "amount", &p->amount, NULL);
	}
	read_amount(&r, "canceled_amount", &out->canceled, &out->has_canceled);
	read_amount(&r, "cancel_available_amount", &out->available, &out->has_available);
	read_kst(&r, "created_at", false, &p->created_at_ms);
	read_kst(&r, "approved_at", false, &p->approved_at_ms);
	read_payment_action(&r, p);
	return close_answer(&r);
}

bool
message_cancel_parse(const char *text, size_t len, const char *cid, const char *tid,
    struct provider_canceled *out)
{
	struct reader r;
	bool told;

	memset(out, 0, sizeof(*out));
	if (!open_answer(&r, text, len))
		return false;
	expect(&r, "cid", cid);
	expect(&r, "tid", tid);
	read_provider_id(&r, "aid", out->aid);
	if (text_of(&r, "status") != NULL)
		out->status = kakaopay_status_of(text_of(&r, "status"));
	if (out->status != PS_PART_CANCELED && out->status != PS_CANCELED)
		r.bad = true;
	/* All 0 in answers older than 2021. */
	read_amount(&r, "approved_cancel_amount", &out->approved_cancel, &told);
	read_amount(&r, "canceled_amount", &out->canceled, NULL);
	read_amount(&r, "cancel_available_amount", &out->available, NULL);
	read_kst(&r, "canceled_at", false, &out->canceled_at_ms);
	return close_answer(&r);
}

/* -- refusals */

static bool
read_error(struct reader *r, const char *code_name, const char *message_name,
    struct provider_answer *pa)
{
	struct json_object *code = member(r, code_name), *message = member(r, message_name);
	struct reader extras;

	if (!json_object_is_type(code, json_type_int) || json_object_get_int64(code) >= 0 ||
	    !json_object_is_type(message, json_type_string))
		return false; /* a gateway's {"code":404,"msg":...} is not KakaoPay's: its codes are
				 negative */
	pa->code = json_object_get_int64(code);
	read_label(r, message_name, pa->message, sizeof(pa->message));
	extras = sub_object(r, "extras");
	read_label(&extras, "method_result_code", pa->method_code, sizeof(pa->method_code));
	return true;
}

bool
message_error_parse(const char *text, size_t len, struct provider_answer *pa)
{
	struct reader r;
	bool ours;

	if (!open_answer(&r, text, len))
		return false;
	ours =
	    read_error(&r, "error_code", "error_message", pa) || read_error(&r, "code", "msg", pa);
	json_object_put(r.obj);
	return ours;
}
