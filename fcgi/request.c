#include "config.h"

#include "fcgi/request.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "fcgi/check.h"
#include "fcgi/query.h"
#include "json/number.h"
#include "json/strict.h"

#define SUB_AT(type, member) offsetof(struct type, member), sizeof(((struct type *)0)->member)

/* --- approvePayment, removePaymentInQueue, cancelPayment */

struct place { /* the room in the caller's spelling */
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

#define REFUND_AT(member) FIELD_AT(flow_refund_request, member)
static const struct field_rule refund_rules[] = {
	{ "tid",                    FIELD_STR, true,  1, 20,      REFUND_AT(tid), check_alnum },
	{ "refundId",               FIELD_STR, true,  1, 64,      REFUND_AT(refund_id), check_name },
	{ "cancel_amount",          FIELD_INT, false, 1, MAX_WON, REFUND_AT(asked.amount), NULL },
	{ "cancel_tax_free_amount", FIELD_INT, false, 0, MAX_WON, REFUND_AT(asked.tax_free), NULL },
	{ "reason",                 FIELD_STR, true,  1, 100,     REFUND_AT(reason), NULL },
};
/* clang-format on */

enum request_verdict
request_read_flat(const char *body, size_t len, const struct field_rule *rules, size_t n_rules,
    void *form, struct field_errors *errors, struct error *err)
{
	struct json_object *tree = NULL;
	enum request_verdict v =
	    verdict_of_parse(strict_parse_object(body, len, STRICT_DEPTH, &tree, err), err);

	if (v != REQUEST_OK)
		return v;
	field_read(tree, "", rules, n_rules, false, NULL, form, errors);
	json_object_put(tree);
	return verdict_of_fields(errors);
}

enum request_verdict
request_read_approve(const char *body, size_t len, struct request_approve *out,
    struct field_errors *errors, struct error *err)
{
	struct approve_form f = { 0 };
	enum request_verdict v = request_read_flat(body, len, approve_rules,
	    sizeof(approve_rules) / sizeof(approve_rules[0]), &f, errors, err);

	check_read_room(f.place.room, f.rq.room_id);
	*out = f.rq;
	secret_wipe(&f, sizeof(f));
	return v;
}

enum request_verdict
request_read_remove(const char *body, size_t len, struct request_remove *out,
    struct field_errors *errors, struct error *err)
{
	struct remove_form f = { 0 };
	enum request_verdict v = request_read_flat(body, len, remove_rules,
	    sizeof(remove_rules) / sizeof(remove_rules[0]), &f, errors, err);

	check_read_room(f.place.room, f.rq.room_id);
	*out = f.rq;
	return v;
}

/* A tax-free amount needs an amount, and is at most that. */
enum request_verdict
request_read_refund(const char *body, size_t len, struct flow_refund_request *out,
    struct field_errors *errors, struct error *err)
{
	enum request_verdict v;

	*out = (struct flow_refund_request){ .asked = { -1, -1 } };
	v = request_read_flat(body, len, refund_rules,
	    sizeof(refund_rules) / sizeof(refund_rules[0]), out, errors, err);
	if (v != REQUEST_OK || out->asked.tax_free < 0)
		return v;
	if (out->asked.amount < 0)
		field_errors_add(errors, "", "cancel_amount", FIELD_REQUIRED);
	else if (out->asked.tax_free > out->asked.amount)
		field_errors_add(errors, "", "cancel_tax_free_amount", FIELD_OUT_OF_RANGE);
	return verdict_of_fields(errors);
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
	{ "cid",              FIELD_STR, true, 10, 10,  FIELD_AT(request_order, cid), check_alnum },
	{ "partner_order_id", FIELD_STR, true, 1,  100, FIELD_AT(request_order, order), NULL },
};
/* clang-format on */

enum request_verdict
request_read_query(const char *query, const struct field_rule *rules, size_t n_rules, void *form,
    struct field_errors *errors)
{
	struct json_object *tree = NULL;

	if (query_read(query == NULL ? "" : query, &tree, errors))
		field_read(tree, "", rules, n_rules, false, NULL, form, errors);
	json_object_put(tree);
	return verdict_of_fields(errors);
}

enum request_verdict
request_read_room(const char *query, char room_id[ROOM_CAP], struct field_errors *errors)
{
	struct room_form f = { "" };
	enum request_verdict v = request_read_query(query, room_rules,
	    sizeof(room_rules) / sizeof(room_rules[0]), &f, errors);

	check_read_room(f.room, room_id);
	return v;
}

enum request_verdict
request_read_order(const char *query, struct request_order *out, struct field_errors *errors)
{
	memset(out, 0, sizeof(*out));
	return request_read_query(query, order_rules, sizeof(order_rules) / sizeof(order_rules[0]),
	    out, errors);
}

/* The parameters as texts. */
struct history_form {
	struct request_history rq;
	char room[UTF8_CAP(100)], from[40], to[40], limit[40], cursor[TID_CAP + 24];
};

enum field_code
request_check_when(const char *text, const void *ctx)
{
	int64_t ms;

	(void)ctx;
	return clock_parse_when(text, &ms) && ms >= 0 ? FIELD__OK : FIELD_FORMAT;
}

enum field_code
request_check_limit(const char *text, const void *ctx)
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
bool
request_parse_cursor(const char *text, struct store_mark *out)
{
	size_t digits = strspn(text, "0123456789abcdef");

	if (digits < 1 || digits > 12 || text[digits] != '.' || text[digits + 1] == '\0' ||
	    strlen(text + digits + 1) >= sizeof(out->tid) ||
	    check_alnum(text + digits + 1, NULL) != FIELD__OK)
		return false;
	out->approved_at_ms = (int64_t)strtoull(text, NULL, 16);
	strcpy(out->tid, text + digits + 1);
	return true;
}

void
request_cursor(int64_t last_at_ms, const char *last_tid, struct buf *out)
{
	buf_printf(out, "%llx.%s", (unsigned long long)last_at_ms, last_tid);
}

enum field_code
request_check_cursor(const char *text, const void *ctx)
{
	struct store_mark mark;

	(void)ctx;
	return request_parse_cursor(text, &mark) ? FIELD__OK : FIELD_FORMAT;
}

/* clang-format off */
#define HISTORY_AT(member) \
	offsetof(struct history_form, member), sizeof(((struct history_form *)0)->member)
static const struct field_rule history_rules[] = {
	{ "userId",           FIELD_STR, false, 1,  100, HISTORY_AT(rq.h.user_id), NULL },
	{ "partner_order_id", FIELD_STR, false, 1,  100, HISTORY_AT(rq.h.partner_order_id), NULL },
	{ "cid",              FIELD_STR, false, 10, 10,  HISTORY_AT(rq.cid), check_alnum },
	{ "roomId",           FIELD_STR, false, 24, 24,  HISTORY_AT(room), check_room },
	{ "from",             FIELD_STR, false, 10, 39,  HISTORY_AT(from), request_check_when },
	{ "to",               FIELD_STR, false, 10, 39,  HISTORY_AT(to), request_check_when },
	{ "limit",            FIELD_STR, false, 1,  39,  HISTORY_AT(limit), request_check_limit },
	{ "cursor",           FIELD_STR, false, 1,  43,  HISTORY_AT(cursor), request_check_cursor },
};
/* clang-format on */
enum { N_HISTORY_RULES = sizeof(history_rules) / sizeof(history_rules[0]), N_OWNER_RULES = 2 };

enum request_verdict
request_read_history(const char *query, bool needs_owner, bool pages, struct request_history *out,
    struct field_errors *errors)
{
	struct history_form f = { 0 };
	enum request_verdict v;
	int64_t limit;

	f.rq.h.limit = HISTORY_LIMIT;
	v = request_read_query(query, history_rules, pages ? N_HISTORY_RULES : N_OWNER_RULES, &f,
	    errors);
	if (v == REQUEST_OK && needs_owner && f.rq.h.user_id[0] == '\0' &&
	    f.rq.h.partner_order_id[0] == '\0') {
		field_errors_add(errors, "", "userId", FIELD_REQUIRED);
		v = verdict_of_fields(errors);
	}
	if (v != REQUEST_OK)
		return v;
	if (f.room[0] != '\0')
		check_read_room(f.room, f.rq.h.room_id);
	if (f.from[0] != '\0')
		(void)clock_parse_when(f.from, &f.rq.h.from_ms);
	if (f.to[0] != '\0')
		(void)clock_parse_when(f.to, &f.rq.h.to_ms);
	if (f.limit[0] != '\0' && number_parse_text(f.limit, &limit) == NUMBER_INTEGER)
		f.rq.h.limit = (size_t)limit;
	if (f.cursor[0] != '\0')
		(void)request_parse_cursor(f.cursor, &f.rq.h.after);
	if (f.to[0] != '\0' && f.rq.h.to_ms <= f.rq.h.from_ms) {
		field_errors_add(errors, "", "to", FIELD_OUT_OF_RANGE);
		return verdict_of_fields(errors);
	}
	*out = f.rq;
	return REQUEST_OK;
}
