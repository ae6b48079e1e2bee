#include "config.h"

#include "money/attempt.h"

#include <json-c/json.h>
#include <string.h>

#include "json/field.h"
#include "json/strict.h"
#include "json/write.h"

/*
 * What is checked here is only that we read our own writing: the rules of requests were applied
 * before it was written.
 */
static const struct field_rule rules[] = {
	STR_FIELD(attempt, cid, false, 0, 10, NULL),
	STR_FIELD(attempt, partner_order_id, false, 0, 100, NULL),
	STR_FIELD(attempt, partner_user_id, true, 0, 100, NULL),
	STR_FIELD(attempt, user_id, false, 0, 100, NULL),
	STR_FIELD(attempt, room_id, false, 0, ROOM_CAP - 1, NULL),
	STR_FIELD(attempt, item_name, true, 0, 100, NULL),
	INT_FIELD(attempt, quantity, true, 0, MAX_WON),
	INT_FIELD(attempt, total_amount, true, 0, MAX_WON),
	INT_FIELD(attempt, tax_free_amount, true, 0, MAX_WON),
	INT_FIELD(attempt, vat_amount, false, 0, MAX_WON),
	STR_FIELD(attempt, intervals, false, 0, INTERVALS_CAP - 1, NULL),
};

static void
add_rest(const struct attempt *a, const char *intervals, struct buf *out)
{
	json_add_str_member(out, "partner_user_id", a->partner_user_id);
	json_add_str_member(out, "item_name", a->item_name);
	json_add_int_member(out, "quantity", a->quantity);
	json_add_int_member(out, "total_amount", a->total_amount);
	json_add_int_member(out, "tax_free_amount", a->tax_free_amount);
	if (a->vat_amount >= 0)
		json_add_int_member(out, "vat_amount", a->vat_amount);
	if (intervals[0] != '\0')
		json_add_str_member(out, "intervals", intervals);
	json_add_raw_member(out, "reservation_info",
	    a->reservation_info[0] != '\0' ? a->reservation_info : "{}");
	buf_add_char(out, '}');
}

void
attempt_format(const struct attempt *a, struct buf *out)
{
	buf_add_char(out, '{');
	json_add_str_member(out, "cid", a->cid);
	json_add_str_member(out, "partner_order_id", a->partner_order_id);
	json_add_str_member(out, "user_id", a->user_id);
	json_add_str_member(out, "room_id", a->room_id);
	add_rest(a, a->intervals, out);
}

void
attempt_format_short(const struct attempt *a, const char *intervals, struct buf *out)
{
	buf_add_char(out, '{');
	add_rest(a, intervals, out);
}

/*
 * Moves reservation_info out of the tree as its text: the calendar gets the bytes that the gateway
 * sent, not json-c's idea of them. span: where it stands.
 */
static bool
take_reservation_info(struct strict_span span, struct json_object *o, struct attempt *out)
{
	struct buf text = { .limit = sizeof(out->reservation_info) - 1 };
	bool ok =
	    json_object_is_type(json_object_object_get(o, "reservation_info"), json_type_object);

	if (ok) {
		strict_add_compact(&text, span);
		ok = !text.bad;
	}
	if (ok)
		memcpy(out->reservation_info, text.data, text.len + 1);
	buf_clear(&text);
	json_object_object_del(o, "reservation_info");
	return ok;
}

bool
attempt_parse(const char *json, struct attempt *out, struct error *err)
{
	struct field_errors errors = { 0 };
	struct json_object *o = NULL;
	struct strict_span info;
	bool ok;

	memset(out, 0, sizeof(*out));
	out->vat_amount = -1;
	if (!strict_parse_object_and_find(json, strlen(json), STRICT_DEPTH, &o, "reservation_info",
		&info, NULL))
		return error_set(err, ERR_INTERNAL, "attempt: not a JSON object");
	ok = take_reservation_info(info, o, out) ||
	    error_set(err, ERR_INTERNAL, "attempt: no reservation_info");
	if (ok) {
		field_read(o, "", rules, sizeof(rules) / sizeof(rules[0]), false, NULL, out,
		    &errors);
		ok = (errors.n == 0 && !errors.bad) ||
		    error_set(err, ERR_INTERNAL, "attempt: %s is wrong (%s)",
			errors.n > 0 ? errors.e[0].pointer : "?",
			errors.n > 0 ? field_code_name(errors.e[0].code) : "no memory");
	}
	field_errors_clear(&errors);
	json_object_put(o);
	return ok;
}
