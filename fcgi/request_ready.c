/*
 * The body of payReady: every member with its limits, and which of them make another payment of it
 * (the fingerprint).
 */
#include "config.h"

#include "fcgi/request.h"

#include <assert.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/hex.h"
#include "base/text.h"
#include "fcgi/check.h"
#include "fcgi/schedule.h"
#include "fcgi/url.h"
#include "json/strict.h"

enum { TOKEN_MAX = 4096, QUANTITY_MAX = 1000000 };

static enum field_code
check_url(const char *text, const void *ctx)
{
	return url_check(text, ctx);
}

static enum field_code
check_scheme_url(const char *text, const void *ctx)
{
	return url_check_scheme(text, ctx);
}

static enum field_code
check_method_type(const char *text, const void *ctx)
{
	(void)ctx;
	return strcmp(text, "CARD") == 0 || strcmp(text, "MONEY") == 0 ? FIELD__OK : FIELD_WORD;
}

static enum field_code
check_yes_no(const char *text, const void *ctx)
{
	(void)ctx;
	return strcmp(text, "Y") == 0 || strcmp(text, "N") == 0 ? FIELD__OK : FIELD_WORD;
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define READY_AT(member) FIELD_AT(request_ready, member)
#define PAY_AT(member) \
	offsetof(struct request_ready, rq.ready.member), \
	    sizeof(((struct request_ready *)0)->rq.ready.member)
#define PAY_STR(member, flags, min, max, check) \
	{ \
#member, FIELD_STR, flags, min, max, PAY_AT(member), check \
	}
#define PAY_INT(member, flags, min, max) \
	{ \
#member, FIELD_INT, flags, min, max, PAY_AT(member), NULL \
	}
#define PAY_URL(member) PAY_STR(member, FIELD_NEEDED | FIELD_NOT_COMPARED, 1, 255, check_url)
#define NOT_COMPARED FIELD_NOT_COMPARED
#define USER_AT offsetof(struct request_ready, rq.attempt.user_id), USER_CAP

/* clang-format off */
static const struct field_rule body_rules[] = {
	/* Of the first two, our members are compared, not the objects: userInfo may have others. */
	{ "userInfo",        FIELD_OBJECT, NOT_COMPARED,                0, 0,   READY_AT(user_info),        NULL },
	{ "paymentInfo",     FIELD_OBJECT, FIELD_NEEDED | NOT_COMPARED, 0, 0,   READY_AT(payment_info),     NULL },
	{ "userId",          FIELD_STR,    NOT_COMPARED,                1, 100, READY_AT(top_user),         NULL },
	{ "reservationInfo", FIELD_OBJECT, FIELD_NEEDED,                0, 0,   READY_AT(reservation_info), NULL },
};

static const struct field_rule user_rules[] = {
	{ "userId",           FIELD_STR, false,        1, 100, USER_AT,         NULL },
	{ "kakaoAccessToken", FIELD_ANY, NOT_COMPARED, 0, 0,   READY_AT(token), NULL },
};

/* Every member is compared, unless its row says NOT_COMPARED.
 * src: KakaoPay's ready reference, request parameters */
static const struct field_rule pay_rules[] = {
	PAY_STR(cid,                   true,  10, 10,  check_alnum),
	PAY_STR(partner_order_id,      true,  1,  100, NULL),
	PAY_STR(partner_user_id,       true,  1,  100, NULL),
	PAY_STR(item_name,             true,  1,  100, NULL),
	PAY_INT(quantity,              true,  1,  QUANTITY_MAX),
	PAY_INT(total_amount,          true,  1,  MAX_WON),
	PAY_INT(tax_free_amount,       true,  0,  MAX_WON),
	PAY_URL(approval_url),
	PAY_URL(cancel_url),
	PAY_URL(fail_url),
	PAY_STR(item_code,             false, 1,  100, NULL),
	PAY_INT(vat_amount,            false, 0,  MAX_WON),
	PAY_INT(green_deposit,         false, 0,  MAX_WON),
	PAY_INT(install_month,         false, 0,  12),
	PAY_STR(payment_method_type,   false, 1,  5,   check_method_type),
	PAY_STR(use_share_installment, false, 1,  1,   check_yes_no),
	PAY_STR(redirect_scheme_url,   false, 1,  255, check_scheme_url),
	{ "available_cards", FIELD_ANY,     false, 0, 0, READY_AT(cards),  NULL },
	{ "custom_json",     FIELD_ANY,     false, 0, 0, READY_AT(custom), NULL },
	/* only from the configuration */
	{ "cid_secret",      FIELD_REFUSED, false, 0, 0, 0, 0, NULL },
};
/* clang-format on */

static const char *const card_codes[] = { "SHINHAN", "KB", "HYUNDAI", "LOTTE", "SAMSUNG", "NH",
	"BC", "HANA", "CITI", "KAKAOBANK", "KAKAOPAY", "WOORI", "WOORI(ONLY)", "GWANGJU", "SUHYUP",
	"SHINHYUP", "JEONBUK", "JEJU", "SC" };
enum { N_CARDS = sizeof(card_codes) / sizeof(card_codes[0]) };

static bool
is_card(const char *text)
{
	for (size_t i = 0; i < N_CARDS; i++)
		if (strcmp(text, card_codes[i]) == 0)
			return true;
	return false;
}

static struct json_object *
item_of(const struct json_object *array, size_t i)
{
	return json_object_array_get_idx(array, i);
}

static void
keep_text(const struct json_object *v, const char *name, char *out, size_t cap,
    struct field_errors *errors)
{
	/* json-c's printer lacks const */
	const char *text = json_object_to_json_string_ext((struct json_object *)(uintptr_t)v,
	    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	if (text == NULL)
		errors->bad = true;
	else if (strlen(text) >= cap)
		field_errors_add(errors, "/paymentInfo", name, FIELD_TOO_LONG);
	else
		memcpy(out, text, strlen(text) + 1);
}

static void
read_cards(struct request_ready *f, struct field_errors *errors)
{
	static const char name[] = "available_cards";
	size_t before = errors->n, n;

	if (!json_object_is_type(f->cards, json_type_array)) {
		field_errors_add(errors, "/paymentInfo", name, FIELD_TYPE);
		return;
	}
	n = json_object_array_length(f->cards);
	if (n < 1 || n > N_CARDS)
		field_errors_add(errors, "/paymentInfo", name,
		    n < 1 ? FIELD_TOO_SHORT : FIELD_TOO_LONG);
	for (size_t i = 0; i < n && n <= N_CARDS; i++) {
		if (!json_object_is_type(item_of(f->cards, i), json_type_string))
			field_errors_add_index(errors, "/paymentInfo", name, i, FIELD_TYPE);
		else if (!is_card(json_object_get_string(item_of(f->cards, i))))
			field_errors_add_index(errors, "/paymentInfo", name, i, FIELD_WORD);
	}
	if (errors->n == before)
		keep_text(f->cards, name, f->rq.ready.available_cards,
		    sizeof(f->rq.ready.available_cards), errors);
}

static void
read_custom(struct request_ready *f, struct field_errors *errors)
{
	static const char name[] = "custom_json";
	struct json_object *custom = (struct json_object *)(uintptr_t)f->custom;
	size_t before = errors->n;

	if (!json_object_is_type(custom, json_type_object)) {
		field_errors_add(errors, "/paymentInfo", name, FIELD_TYPE);
		return;
	}
	json_object_object_foreach(custom, key, value)
	{
		if (!json_object_is_type(value, json_type_string))
			field_errors_add(errors, "/paymentInfo/custom_json", key, FIELD_TYPE);
		else if (text_has_hidden(key) || text_has_hidden(json_object_get_string(value)))
			field_errors_add(errors, "/paymentInfo/custom_json", key, FIELD_CHARACTER);
	}
	if (errors->n == before)
		keep_text(custom, name, f->rq.ready.custom_json, sizeof(f->rq.ready.custom_json),
		    errors);
}

static void
read_payment_info(struct request_ready *f, const struct conf *conf, struct field_errors *errors)
{
	struct provider_ready *p = &f->rq.ready;

	if (f->payment_info == NULL)
		return;
	field_read(f->payment_info, "/paymentInfo", pay_rules, COUNT(pay_rules), false, conf, f,
	    errors);
	if (f->cards != NULL)
		read_cards(f, errors);
	if (f->custom != NULL)
		read_custom(f, errors);
	url_lower_host(p->approval_url);
	url_lower_host(p->cancel_url);
	url_lower_host(p->fail_url);
	url_lower_host(p->redirect_scheme_url);
	if (p->total_amount < 0 || p->tax_free_amount < 0)
		return; /* named already */
	if (p->green_deposit > p->total_amount)
		field_errors_add(errors, "/paymentInfo", "green_deposit", FIELD_OUT_OF_RANGE);
	if (p->tax_free_amount > p->total_amount)
		field_errors_add(errors, "/paymentInfo", "tax_free_amount", FIELD_OUT_OF_RANGE);
	else if (p->vat_amount > p->total_amount - p->tax_free_amount)
		field_errors_add(errors, "/paymentInfo", "vat_amount", FIELD_OUT_OF_RANGE);
}

/* Checked only in the mode that sends it. In the others it is profile data, which is ignored. */
static void
read_user_token(struct request_ready *f, struct field_errors *errors)
{
	static const char allowed[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~+/=-";
	const char *text;

	if (f->token == NULL) {
		field_errors_add(errors, "/userInfo", "kakaoAccessToken", FIELD_REQUIRED);
		return;
	}
	if (!json_object_is_type(f->token, json_type_string)) {
		field_errors_add(errors, "/userInfo", "kakaoAccessToken", FIELD_TYPE);
		return;
	}
	text = json_object_get_string((struct json_object *)(uintptr_t)f->token);
	if (text[0] == '\0')
		field_errors_add(errors, "/userInfo", "kakaoAccessToken", FIELD_TOO_SHORT);
	else if (strlen(text) > TOKEN_MAX)
		field_errors_add(errors, "/userInfo", "kakaoAccessToken", FIELD_TOO_LONG);
	else if (strspn(text, allowed) != strlen(text))
		field_errors_add(errors, "/userInfo", "kakaoAccessToken", FIELD_CHARACTER);
	else
		f->rq.ready.user_token = text;
}

static void
read_user_info(struct request_ready *f, bool has_top_user, const struct conf *conf,
    struct field_errors *errors)
{
	const struct conf_merchant *m = conf_merchant(conf, f->rq.ready.cid);
	bool has_user = false;

	if (f->user_info != NULL) {
		has_user = json_object_object_get_ex(f->user_info, "userId", NULL);
		field_read(f->user_info, "/userInfo", user_rules, COUNT(user_rules), true, NULL, f,
		    errors);
	}
	if (has_user && has_top_user)
		field_errors_add(errors, "", "userId", FIELD_BOTH);
	else if (!has_user && !has_top_user && !field_errors_has(errors, "/userInfo"))
		field_errors_add(errors, "/userInfo", "userId", FIELD_REQUIRED);
	if (m != NULL && m->mode == MODE_USER_TOKEN)
		read_user_token(f, errors);
}

static void
copy_text(char *out, const char *text)
{
	memcpy(out, text, strlen(text) + 1);
}

static void
fill_attempt(struct attempt *a, const struct provider_ready *p)
{
	copy_text(a->cid, p->cid);
	copy_text(a->partner_order_id, p->partner_order_id);
	copy_text(a->partner_user_id, p->partner_user_id);
	copy_text(a->item_name, p->item_name);
	a->quantity = p->quantity;
	a->total_amount = p->total_amount;
	a->tax_free_amount = p->tax_free_amount;
	a->vat_amount = p->vat_amount;
}

/* Texts for the calendar may have several lines, unlike ids. */
static bool
has_hidden_but_lines(const char *text)
{
	for (;;) {
		uint32_t c;

		while (*text >= 0x20 && *text < 0x7f) /* most texts are nothing else */
			text++;
		if (*text == '\0')
			return false;
		c = text_next(&text);
		if (text_is_hidden(c) && c != '\t' && c != '\n' && c != '\r')
			return true;
	}
}

/* No text at any depth, and no name, may mislead whoever reads it. at: the pointer of v; it comes
 * back as it was. */
static void
check_texts(const struct json_object *v, struct buf *at, struct field_errors *errors)
{
	struct json_object *value = (struct json_object *)(uintptr_t)v;
	size_t len = at->len;

	if (json_object_is_type(v, json_type_string) &&
	    has_hidden_but_lines(json_object_get_string(value)) &&
	    !field_errors_has(errors, buf_str(at))) /* roomId has a rule of its own */
		field_errors_add(errors, buf_str(at), NULL, FIELD_CHARACTER);
	if (json_object_is_type(v, json_type_array))
		for (size_t i = 0; i < json_object_array_length(v); i++, buf_cut(at, len)) {
			buf_add_char(at, '/');
			buf_add_int(at, (int64_t)i);
			check_texts(item_of(v, i), at, errors);
		}
	if (!json_object_is_type(v, json_type_object))
		return;
	json_object_object_foreach(value, name, inner)
	{
		if (text_has_hidden(name)) {
			field_errors_add(errors, buf_str(at), name, FIELD_CHARACTER);
			continue;
		}
		field_pointer_add(at, name);
		check_texts(inner, at, errors);
		buf_cut(at, len);
	}
}

static void
check_reservation_texts(const struct json_object *info, struct field_errors *errors)
{
	static struct buf at; /* its memory is kept */

	buf_reset(&at);
	buf_add_str(&at, "/reservationInfo");
	check_texts(info, &at, errors);
	errors->bad = errors->bad || at.bad;
}

/* The calendar gets the object as it was sent. */
static void
keep_reservation_info(struct attempt *a, struct strict_span sent, struct field_errors *errors)
{
	static struct buf text; /* its memory is kept */

	buf_reset(&text);
	strict_add_compact(&text, sent);
	if (text.bad)
		errors->bad = true;
	else if (text.len > RESERVATION_INFO_MAX)
		field_errors_add(errors, "", "reservationInfo", FIELD_TOO_LONG);
	else
		memcpy(a->reservation_info, text.data, text.len + 1);
}

/* Two requests are the same when their compared members have equal values, however these are
 * spelled. The user is compared once, as userInfo.userId, wherever it was sent. */
static bool
make_fingerprint(const struct request_ready *r, char out[KEY_CAP])
{
	unsigned char hash[DIGEST_LEN];
	static struct buf b; /* its memory is kept */

	static_assert((int)DIGEST_HEX_CAP == (int)KEY_CAP, "a fingerprint is a SHA-256 in hex");
	buf_reset(&b);
	buf_add_str(&b, "payReady 2;"); /* the layout's version */
	field_add_compared(body_rules, COUNT(body_rules), r, &b);
	field_add_compared(user_rules, COUNT(user_rules), r, &b);
	field_add_compared(pay_rules, COUNT(pay_rules), r, &b);
	if (b.bad || !digest_sha256(b.data, b.len, hash))
		return false;
	hex_format(hash, sizeof(hash), out);
	return true;
}

/* Only what a body may leave out: the rest is written while reading, or the request is refused. So
 * 16 KiB need no zeroing. */
static void
begin_ready(struct request_ready *r)
{
	field_begin(body_rules, COUNT(body_rules), r);
	field_begin(user_rules, COUNT(user_rules), r);
	field_begin(pay_rules, COUNT(pay_rules), r);
	r->tree = NULL;
	r->rq.ready.available_cards[0] = r->rq.ready.custom_json[0] = '\0';
	r->rq.ready.user_token = NULL;
}

const struct field_rule *
request_ready_rule(size_t i)
{
	return i < COUNT(pay_rules) ? &pay_rules[i] : NULL;
}

enum request_verdict
request_read_ready(const struct conf *conf, const char *body, size_t len, struct request_ready *out,
    struct field_errors *errors, struct error *err)
{
	struct attempt *a = &out->rq.attempt;
	struct strict_span reservation;
	enum request_verdict v;

	begin_ready(out);
	v = verdict_of_parse(strict_parse_object_and_find(body, len, STRICT_DEPTH, &out->tree,
				 "reservationInfo", &reservation, err),
	    err);
	if (v != REQUEST_OK)
		return v;
	field_read(out->tree, "", body_rules, COUNT(body_rules), false, NULL, out, errors);
	read_payment_info(out, conf, errors);
	read_user_info(out, json_object_object_get_ex(out->tree, "userId", NULL), conf, errors);
	if (out->reservation_info != NULL) {
		schedule_read(out->reservation_info, "/reservationInfo", conf, &out->rq.set,
		    a->room_id, errors);
		check_reservation_texts(out->reservation_info, errors);
		keep_reservation_info(a, reservation, errors);
	}
	if (verdict_of_fields(errors) != REQUEST_OK)
		return verdict_of_fields(errors);
	if (a->user_id[0] == '\0')
		copy_text(a->user_id, out->top_user);
	fill_attempt(a, &out->rq.ready);
	return make_fingerprint(out, out->rq.fingerprint) ? REQUEST_OK : REQUEST_NO_MEMORY;
}

void
request_ready_clear(struct request_ready *r)
{
	r->rq.ready.user_token = NULL;
	json_object_put(r->tree);
	r->tree = NULL;
}
