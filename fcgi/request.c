#include "config.h"

#include "fcgi/request.h"

#include <assert.h>
#include <ctype.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/buf.h"
#include "base/hex.h"
#include "base/text.h"
#include "fcgi/digest.h"
#include "fcgi/query.h"
#include "fcgi/schedule.h"
#include "fcgi/url.h"
#include "json/canonical.h"
#include "json/number.h"
#include "json/strict.h"

enum { TOKEN_MAX = 4096, QUANTITY_MAX = 1000000 };

static enum request_verdict
verdict(const struct field_errors *errors)
{
	if (errors->bad)
		return REQUEST_NO_MEMORY;
	return errors->n > 0 ? REQUEST_WRONG_FIELDS : REQUEST_OK;
}

static enum request_verdict
parsed(bool ok, const struct error *err)
{
	if (ok)
		return REQUEST_OK;
	return err->code == ERR_INPUT ? REQUEST_MALFORMED : REQUEST_NO_MEMORY;
}

/* --- checks of one text */

static enum field_code
check_alnum(const char *text, const void *ctx)
{
	(void)ctx;
	for (; *text != '\0'; text++)
		if (!isascii(*text) || !isalnum((unsigned char)*text))
			return FIELD_CHARACTER;
	return FIELD__OK;
}

/* What a caller may call something of its own: as X-Request-Id. */
static enum field_code
check_name(const char *text, const void *ctx)
{
	(void)ctx;
	for (; *text != '\0'; text++)
		if (!isascii(*text) || (!isalnum((unsigned char)*text) && strchr("._-", *text) == NULL))
			return FIELD_CHARACTER;
	return FIELD__OK;
}

static enum field_code
check_graphic(const char *text, const void *ctx)
{
	(void)ctx;
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text >= 0x7f)
			return FIELD_CHARACTER;
	return FIELD__OK;
}

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

static enum field_code
check_room(const char *text, const void *ctx)
{
	char room[ROOM_CAP];

	(void)ctx;
	return schedule_room(text, room) ? FIELD__OK : FIELD_FORMAT;
}

/* --- payReady */

#define PAY_AT(member) offsetof(struct request_ready, rq.ready.member), sizeof(((struct request_ready *)0)->rq.ready.member)
#define PAY_STR(member, required, min, max, check) { #member, FIELD_STR, required, min, max, PAY_AT(member), check }
#define PAY_INT(member, required, min, max) { #member, FIELD_INT, required, min, max, PAY_AT(member), NULL }
#define SUB_AT(type, member) offsetof(struct type, member), sizeof(((struct type *)0)->member)

/* clang-format off */
static const struct field_rule body_rules[] = {
	{ "userInfo",        FIELD_OBJECT, false, 0, 0,   FIELD_AT(request_ready, user_info),        NULL },
	{ "userId",          FIELD_STR,    false, 1, 100, FIELD_AT(request_ready, top_user),         NULL },
	{ "paymentInfo",     FIELD_OBJECT, true,  0, 0,   FIELD_AT(request_ready, payment_info),     NULL },
	{ "reservationInfo", FIELD_OBJECT, true,  0, 0,   FIELD_AT(request_ready, reservation_info), NULL },
};

static const struct field_rule user_rules[] = {
	{ "userId",           FIELD_STR, false, 1, 100, SUB_AT(request_ready, rq.attempt.user_id),  NULL },
	{ "kakaoAccessToken", FIELD_ANY, false, 0, 0,   FIELD_AT(request_ready, token), NULL },
};

/* src: KakaoPay's ready reference, request parameters */
static const struct field_rule pay_rules[] = {
	PAY_STR(cid,                   true,  10, 10,  check_alnum),
	PAY_STR(partner_order_id,      true,  1,  100, NULL),
	PAY_STR(partner_user_id,       true,  1,  100, NULL),
	PAY_STR(item_name,             true,  1,  100, NULL),
	PAY_INT(quantity,              true,  1,  QUANTITY_MAX),
	PAY_INT(total_amount,          true,  1,  MAX_WON),
	PAY_INT(tax_free_amount,       true,  0,  MAX_WON),
	PAY_STR(approval_url,          true,  1,  255, check_url),
	PAY_STR(cancel_url,            true,  1,  255, check_url),
	PAY_STR(fail_url,              true,  1,  255, check_url),
	PAY_STR(item_code,             false, 1,  100, NULL),
	PAY_INT(vat_amount,            false, 0,  MAX_WON),
	PAY_INT(green_deposit,         false, 0,  MAX_WON),
	PAY_INT(install_month,         false, 0,  12),
	PAY_STR(payment_method_type,   false, 1,  5,   check_method_type),
	PAY_STR(use_share_installment, false, 1,  1,   check_yes_no),
	PAY_STR(redirect_scheme_url,   false, 1,  255, check_scheme_url),
	{ "available_cards", FIELD_ANY,     false, 0, 0, FIELD_AT(request_ready, cards),  NULL },
	{ "custom_json",     FIELD_ANY,     false, 0, 0, FIELD_AT(request_ready, custom), NULL },
	{ "cid_secret",      FIELD_REFUSED, false, 0, 0, 0, 0, NULL },	/* the configuration's alone */
};
/* clang-format on */

static const char *const card_codes[] = { "SHINHAN", "KB", "HYUNDAI", "LOTTE", "SAMSUNG", "NH", "BC", "HANA", "CITI", "KAKAOBANK", "KAKAOPAY", "WOORI",
	"WOORI(ONLY)", "GWANGJU", "SUHYUP", "SHINHYUP", "JEONBUK", "JEJU", "SC" };
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
keep_text(const struct json_object *v, const char *name, char *out, size_t cap, struct field_errors *errors)
{
	/* json-c's printer lacks const */
	const char *text = json_object_to_json_string_ext((struct json_object *)(uintptr_t)v, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

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
		field_errors_add(errors, "/paymentInfo", name, n < 1 ? FIELD_TOO_SHORT : FIELD_TOO_LONG);
	for (size_t i = 0; i < n && n <= N_CARDS; i++) {
		if (!json_object_is_type(item_of(f->cards, i), json_type_string))
			field_errors_add_index(errors, "/paymentInfo", name, i, FIELD_TYPE);
		else if (!is_card(json_object_get_string(item_of(f->cards, i))))
			field_errors_add_index(errors, "/paymentInfo", name, i, FIELD_WORD);
	}
	if (errors->n == before)
		keep_text(f->cards, name, f->rq.ready.available_cards, sizeof(f->rq.ready.available_cards), errors);
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
	json_object_object_foreach(custom, key, value) {
		if (!json_object_is_type(value, json_type_string))
			field_errors_add(errors, "/paymentInfo/custom_json", key, FIELD_TYPE);
		else if (text_has_hidden(key) || text_has_hidden(json_object_get_string(value)))
			field_errors_add(errors, "/paymentInfo/custom_json", key, FIELD_CHARACTER);
	}
	if (errors->n == before)
		keep_text(custom, name, f->rq.ready.custom_json, sizeof(f->rq.ready.custom_json), errors);
}

static void
read_payment_info(struct request_ready *f, const struct conf *conf, struct field_errors *errors)
{
	struct kakaopay_ready *p = &f->rq.ready;

	if (f->payment_info == NULL)
		return;
	field_read(f->payment_info, "/paymentInfo", pay_rules, sizeof(pay_rules) / sizeof(pay_rules[0]), false, conf, f, errors);
	if (f->cards != NULL)
		read_cards(f, errors);
	if (f->custom != NULL)
		read_custom(f, errors);
	url_lower_host(p->approval_url);
	url_lower_host(p->cancel_url);
	url_lower_host(p->fail_url);
	url_lower_host(p->redirect_scheme_url);
	if (p->total_amount < 0 || p->tax_free_amount < 0)
		return;		/* named already */
	if (p->green_deposit > p->total_amount)
		field_errors_add(errors, "/paymentInfo", "green_deposit", FIELD_OUT_OF_RANGE);
	if (p->tax_free_amount > p->total_amount)
		field_errors_add(errors, "/paymentInfo", "tax_free_amount", FIELD_OUT_OF_RANGE);
	else if (p->vat_amount > p->total_amount - p->tax_free_amount)
		field_errors_add(errors, "/paymentInfo", "vat_amount", FIELD_OUT_OF_RANGE);
}

/* Only the mode that sends it looks at it: elsewhere it is profile data. */
static void
read_user_token(struct request_ready *f, struct field_errors *errors)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~+/=-";
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
read_user_info(struct request_ready *f, bool has_top_user, const struct conf *conf, struct field_errors *errors)
{
	const struct conf_merchant *m = conf_merchant(conf, f->rq.ready.cid);
	bool has_user = false;

	if (f->user_info != NULL) {
		has_user = json_object_object_get_ex(f->user_info, "userId", NULL);
		field_read(f->user_info, "/userInfo", user_rules, sizeof(user_rules) / sizeof(user_rules[0]), true, NULL, f, errors);
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
fill_attempt(struct attempt *a, const struct kakaopay_ready *p)
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

/* Texts for the calendar may have lines and may be empty. */
static bool
has_hidden_but_lines(const char *text)
{
	while (*text != '\0') {
		uint32_t c = text_next(&text);

		if (text_is_hidden(c) && c != '\t' && c != '\n' && c != '\r')
			return true;
	}
	return false;
}

static void check_texts(const struct json_object *v, const char *at, struct field_errors *errors);

static void
check_text_below(const struct json_object *v, const char *at, const char *name, struct field_errors *errors)
{
	struct buf below = BUF_INIT;

	buf_add_str(&below, at);
	field_pointer_add(&below, name);
	errors->bad = errors->bad || below.bad;
	check_texts(v, buf_str(&below), errors);
	buf_clear(&below);
}

/* No text at any depth, and no member's name, may attack whoever reads it. */
static void
check_texts(const struct json_object *v, const char *at, struct field_errors *errors)
{
	struct json_object *value = (struct json_object *)(uintptr_t)v;
	char index[24];

	if (json_object_is_type(v, json_type_string) && has_hidden_but_lines(json_object_get_string(value)))
		field_errors_add(errors, at, NULL, FIELD_CHARACTER);
	if (json_object_is_type(v, json_type_array))
		for (size_t i = 0; i < json_object_array_length(v); i++) {
			snprintf(index, sizeof(index), "%zu", i);
			check_text_below(item_of(v, i), at, index, errors);
		}
	if (!json_object_is_type(v, json_type_object))
		return;
	json_object_object_foreach(value, name, inner) {
		if (text_has_hidden(name))
			field_errors_add(errors, at, name, FIELD_CHARACTER);
		else
			check_text_below(inner, at, name, errors);
	}
}

/* What the calendar needs goes through as it was sent. */
static void
keep_reservation_info(struct attempt *a, struct strict_span sent, struct field_errors *errors)
{
	static struct buf text;	/* its memory is kept */

	buf_reset(&text);
	strict_add_compact(&text, sent);
	if (text.bad)
		errors->bad = true;
	else if (text.len > RESERVATION_INFO_MAX)
		field_errors_add(errors, "", "reservationInfo", FIELD_TOO_LONG);
	else
		memcpy(a->reservation_info, text.data, text.len + 1);
}

static void
add_number(struct buf *b, int64_t n)
{
	unsigned char bytes[8];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)((uint64_t)n >> 8 * i);
	buf_add(b, bytes, sizeof(bytes));
}

static void
add_text(struct buf *b, const char *text)
{
	size_t len = strlen(text);

	add_number(b, (int64_t)len);	/* the length in front: no text can look like the next member */
	buf_add(b, text, len);
}

static void
add_value(struct buf *b, const struct json_object *value)
{
	static struct buf text;	/* its memory is kept */

	buf_reset(&text);
	if (value != NULL)
		json_add_canonical(&text, value);
	b->bad = b->bad || text.bad;
	add_text(b, buf_str(&text));
}

/* SHA-256 over every business field in a fixed order, by value: how a number or a string is spelled makes no difference. Neither the redirect URLs nor the
 * user's token are among them. */
static bool
make_fingerprint(const struct request_ready *r, char out[KEY_CAP])
{
	const struct flow_ready_request *rq = &r->rq;
	const struct kakaopay_ready *p = &rq->ready;
	const char *const texts[] = { "payReady 2", p->cid, p->partner_order_id, p->partner_user_id, rq->attempt.user_id, p->item_name, p->item_code,
		p->payment_method_type, p->use_share_installment, p->redirect_scheme_url };
	const int64_t numbers[] = { p->quantity, p->total_amount, p->tax_free_amount, p->vat_amount, p->green_deposit, p->install_month };
	unsigned char hash[DIGEST_LEN];
	static struct buf b;	/* its memory is kept */

	static_assert((int)DIGEST_HEX_CAP == (int)KEY_CAP, "a fingerprint is a SHA-256 in hex");
	buf_reset(&b);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		add_text(&b, texts[i]);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		add_number(&b, numbers[i]);
	add_value(&b, r->cards);
	add_value(&b, r->custom);
	add_value(&b, r->reservation_info);
	if (b.bad || !digest_sha256(b.data, b.len, hash))
		return false;
	hex_format(hash, sizeof(hash), out);
	return true;
}

/* What a body may leave out. The rest is written by reading, or the request is refused; nobody zeroes 16 KiB for each. */
static void
begin_ready(struct request_ready *r)
{
	struct kakaopay_ready *p = &r->rq.ready;

	r->tree = NULL;
	r->user_info = r->payment_info = r->reservation_info = r->cards = r->custom = r->token = NULL;
	r->top_user[0] = r->rq.attempt.user_id[0] = p->cid[0] = '\0';
	p->item_code[0] = p->payment_method_type[0] = p->use_share_installment[0] = p->redirect_scheme_url[0] = '\0';
	p->available_cards[0] = p->custom_json[0] = '\0';
	p->quantity = p->total_amount = p->tax_free_amount = p->vat_amount = p->green_deposit = p->install_month = -1;
	p->user_token = NULL;
}

enum request_verdict
request_read_ready(const struct conf *conf, const char *body, size_t len, struct request_ready *out, struct field_errors *errors, struct error *err)
{
	struct attempt *a = &out->rq.attempt;
	struct strict_span reservation;
	enum request_verdict v;

	begin_ready(out);
	v = parsed(strict_parse_object_and_find(body, len, STRICT_DEPTH, &out->tree, "reservationInfo", &reservation, err), err);
	if (v != REQUEST_OK)
		return v;
	field_read(out->tree, "", body_rules, sizeof(body_rules) / sizeof(body_rules[0]), false, NULL, out, errors);
	read_payment_info(out, conf, errors);
	read_user_info(out, json_object_object_get_ex(out->tree, "userId", NULL), conf, errors);
	if (out->reservation_info != NULL) {
		schedule_read(out->reservation_info, "/reservationInfo", conf, &out->rq.set, a->room_id, errors);
		if (!field_errors_has(errors, "/reservationInfo/roomId"))	/* else it is named already */
			check_texts(out->reservation_info, "/reservationInfo", errors);
		keep_reservation_info(a, reservation, errors);
	}
	if (verdict(errors) != REQUEST_OK)
		return verdict(errors);
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

/* --- approvePayment, removePaymentInQueue, cancelPayment */

struct place {			/* a room as it was written */
	char room[UTF8_CAP(24)];
};

struct approve_form {
	struct request_approve rq;
	struct place place;
};

struct remove_form {
	struct request_remove rq;
	struct place place;
};

/* clang-format off */
static const struct field_rule approve_rules[] = {
	{ "pg_token", FIELD_STR, true, 1,  100, SUB_AT(approve_form, rq.pg_token), check_graphic },
	{ "userId",   FIELD_STR, true, 1,  100, SUB_AT(approve_form, rq.user_id),  NULL },
	{ "roomId",   FIELD_STR, true, 24, 24,  SUB_AT(approve_form, place.room),  check_room },
};

static const struct field_rule remove_rules[] = {
	{ "userId", FIELD_STR, true,  1,  100, SUB_AT(remove_form, rq.user_id), NULL },
	{ "roomId", FIELD_STR, true,  24, 24,  SUB_AT(remove_form, place.room), check_room },
	{ "tid",    FIELD_STR, false, 1,  20,  SUB_AT(remove_form, rq.tid),     check_alnum },
};

static const struct field_rule refund_rules[] = {
	{ "tid",                    FIELD_STR, true,  1, 20,      FIELD_AT(flow_refund_request, tid),            check_alnum },
	{ "refundId",               FIELD_STR, true,  1, 64,      FIELD_AT(flow_refund_request, refund_id),      check_name },
	{ "cancel_amount",          FIELD_INT, false, 1, MAX_WON, FIELD_AT(flow_refund_request, asked.amount),   NULL },
	{ "cancel_tax_free_amount", FIELD_INT, false, 0, MAX_WON, FIELD_AT(flow_refund_request, asked.tax_free), NULL },
	{ "reason",                 FIELD_STR, true,  1, 100,     FIELD_AT(flow_refund_request, reason),         NULL },
};
/* clang-format on */

static enum request_verdict
read_flat(const char *body, size_t len, const struct field_rule *rules, size_t n_rules, void *form, struct field_errors *errors, struct error *err)
{
	struct json_object *tree = NULL;
	enum request_verdict v = parsed(strict_parse_object(body, len, STRICT_DEPTH, &tree, err), err);

	if (v != REQUEST_OK)
		return v;
	field_read(tree, "", rules, n_rules, false, NULL, form, errors);
	json_object_put(tree);
	return verdict(errors);
}

enum request_verdict
request_read_approve(const char *body, size_t len, struct request_approve *out, struct field_errors *errors, struct error *err)
{
	struct approve_form f = { 0 };
	enum request_verdict v = read_flat(body, len, approve_rules, sizeof(approve_rules) / sizeof(approve_rules[0]), &f, errors, err);

	schedule_room(f.place.room, f.rq.room_id);
	*out = f.rq;
	secret_wipe(&f, sizeof(f));
	return v;
}

enum request_verdict
request_read_remove(const char *body, size_t len, struct request_remove *out, struct field_errors *errors, struct error *err)
{
	struct remove_form f = { 0 };
	enum request_verdict v = read_flat(body, len, remove_rules, sizeof(remove_rules) / sizeof(remove_rules[0]), &f, errors, err);

	schedule_room(f.place.room, f.rq.room_id);
	*out = f.rq;
	return v;
}

/* A tax-free part has no meaning without the whole, and is not more than it. */
enum request_verdict
request_read_refund(const char *body, size_t len, struct flow_refund_request *out, struct field_errors *errors, struct error *err)
{
	enum request_verdict v;

	*out = (struct flow_refund_request){ .asked = { -1, -1 } };
	v = read_flat(body, len, refund_rules, sizeof(refund_rules) / sizeof(refund_rules[0]), out, errors, err);
	if (v != REQUEST_OK || out->asked.tax_free < 0)
		return v;
	if (out->asked.amount < 0)
		field_errors_add(errors, "", "cancel_amount", FIELD_REQUIRED);
	else if (out->asked.tax_free > out->asked.amount)
		field_errors_add(errors, "", "cancel_tax_free_amount", FIELD_OUT_OF_RANGE);
	return verdict(errors);
}

/* --- queries */

struct room_form {
	char room[UTF8_CAP(100)];
};

/* clang-format off */
static const struct field_rule room_rules[] = {
	{ "roomId", FIELD_STR, true, 0, 100, FIELD_AT(room_form, room), check_room },
};

static const struct field_rule order_rules[] = {
	{ "cid",              FIELD_STR, true, 10, 10,  FIELD_AT(request_order, cid),   check_alnum },
	{ "partner_order_id", FIELD_STR, true, 1,  100, FIELD_AT(request_order, order), NULL },
};
/* clang-format on */

static enum request_verdict
read_query(const char *query, const struct field_rule *rules, size_t n_rules, void *form, struct field_errors *errors)
{
	struct json_object *tree = NULL;

	if (query_read(query == NULL ? "" : query, &tree, errors))
		field_read(tree, "", rules, n_rules, false, NULL, form, errors);
	json_object_put(tree);
	return verdict(errors);
}

enum request_verdict
request_read_room(const char *query, char room_id[ROOM_CAP], struct field_errors *errors)
{
	struct room_form f = { "" };
	enum request_verdict v = read_query(query, room_rules, sizeof(room_rules) / sizeof(room_rules[0]), &f, errors);

	schedule_room(f.room, room_id);
	return v;
}

enum request_verdict
request_read_order(const char *query, struct request_order *out, struct field_errors *errors)
{
	memset(out, 0, sizeof(*out));
	return read_query(query, order_rules, sizeof(order_rules) / sizeof(order_rules[0]), out, errors);
}

/* Texts of the query, before they are what they mean. */
struct history_form {
	struct request_history rq;
	char room[UTF8_CAP(100)], from[40], to[40], limit[40], cursor[TID_CAP + 24];
};

static enum field_code
check_when(const char *text, const void *ctx)
{
	int64_t ms;

	(void)ctx;
	return clock_parse_when(text, &ms) && ms >= 0 ? FIELD__OK : FIELD_FORMAT;
}

static enum field_code
check_limit(const char *text, const void *ctx)
{
	enum number_kind kind;
	int64_t n;

	(void)ctx;
	kind = number_parse_text(text, &n);
	if (kind == NUMBER_NONE || kind == NUMBER_FRACTION)
		return FIELD_TYPE;
	return n >= 1 && n <= HISTORY_LIMIT_MAX ? FIELD__OK : FIELD_OUT_OF_RANGE;
}

/* "<approved_at in hex>.<tid>" */
static bool
parse_cursor(const char *text, struct store_mark *out)
{
	size_t digits = strspn(text, "0123456789abcdef");

	if (digits < 1 || digits > 12 || text[digits] != '.' || text[digits + 1] == '\0' || strlen(text + digits + 1) >= sizeof(out->tid) ||
	    check_alnum(text + digits + 1, NULL) != FIELD__OK)
		return false;
	out->approved_at_ms = (int64_t)strtoull(text, NULL, 16);
	strcpy(out->tid, text + digits + 1);
	return true;
}

void
request_cursor(const struct payment *last, struct buf *out)
{
	buf_printf(out, "%llx.%s", (unsigned long long)last->approved_at_ms, last->tid);
}

static enum field_code
check_cursor(const char *text, const void *ctx)
{
	struct store_mark mark;

	(void)ctx;
	return parse_cursor(text, &mark) ? FIELD__OK : FIELD_FORMAT;
}

/* clang-format off */
#define HISTORY_AT(member) offsetof(struct history_form, member), sizeof(((struct history_form *)0)->member)
static const struct field_rule history_rules[] = {
	{ "userId",           FIELD_STR, false, 1,  100, HISTORY_AT(rq.h.user_id),          NULL },
	{ "partner_order_id", FIELD_STR, false, 1,  100, HISTORY_AT(rq.h.partner_order_id), NULL },
	{ "cid",              FIELD_STR, false, 10, 10,  HISTORY_AT(rq.cid),                check_alnum },
	{ "roomId",           FIELD_STR, false, 24, 24,  HISTORY_AT(room),                  check_room },
	{ "from",             FIELD_STR, false, 10, 39,  HISTORY_AT(from),                  check_when },
	{ "to",               FIELD_STR, false, 10, 39,  HISTORY_AT(to),                    check_when },
	{ "limit",            FIELD_STR, false, 1,  39,  HISTORY_AT(limit),                 check_limit },
	{ "cursor",           FIELD_STR, false, 1,  43,  HISTORY_AT(cursor),                check_cursor },
};
/* clang-format on */
enum { N_HISTORY_RULES = sizeof(history_rules) / sizeof(history_rules[0]), N_OWNER_RULES = 2 };

enum request_verdict
request_read_history(const char *query, bool needs_owner, bool pages, struct request_history *out, struct field_errors *errors)
{
	struct history_form f = { 0 };
	enum request_verdict v;
	int64_t limit;

	f.rq.h.limit = HISTORY_LIMIT;
	v = read_query(query, history_rules, pages ? N_HISTORY_RULES : N_OWNER_RULES, &f, errors);
	if (v == REQUEST_OK && needs_owner && f.rq.h.user_id[0] == '\0' && f.rq.h.partner_order_id[0] == '\0') {
		field_errors_add(errors, "", "userId", FIELD_REQUIRED);
		v = verdict(errors);
	}
	if (v != REQUEST_OK)
		return v;
	if (f.room[0] != '\0')
		schedule_room(f.room, f.rq.h.room_id);
	if (f.from[0] != '\0')
		(void)clock_parse_when(f.from, &f.rq.h.from_ms);
	if (f.to[0] != '\0')
		(void)clock_parse_when(f.to, &f.rq.h.to_ms);
	if (f.limit[0] != '\0' && number_parse_text(f.limit, &limit) == NUMBER_INTEGER)
		f.rq.h.limit = (size_t)limit;
	if (f.cursor[0] != '\0')
		(void)parse_cursor(f.cursor, &f.rq.h.after);
	if (f.to[0] != '\0' && f.rq.h.to_ms <= f.rq.h.from_ms) {
		field_errors_add(errors, "", "to", FIELD_OUT_OF_RANGE);
		return verdict(errors);
	}
	*out = f.rq;
	return REQUEST_OK;
}
