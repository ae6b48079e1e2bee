/* What is written of a payment and of an attempt, and what comes back. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "json/strict.h"
#include "money/attempt.h"
#include "money/payment.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- amounts and payments */

static void
vat_is_an_eleventh_of_what_is_taxed_rounded_half_up(void **state)
{
	static const struct {
		int64_t total, tax_free, vat;
	} rows[] = {
		{ 2200, 0, 200 },
		{ 5900, 0, 536 },
		{ 270600, 0, 24600 },
		{ 2100, 100, 182 },
		{ 0, 0, 0 },
		{ 1, 0, 0 },
		{ 5, 0, 0 },
		{ 6, 0, 1 },
		{ 16, 0, 1 },
		{ 17, 0, 2 },
		{ 100, 100, 0 },
		{ 106, 100, 1 },
		{ MAX_WON, 0, 90909091 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(amount_vat(rows[i].total, rows[i].tax_free), rows[i].vat);
}

static struct payment
a_payment(void)
{
	return (struct payment){ .aid = "A5e6737334aa00bc441a",
		.tid = "T5e6735e51aa00bc4411",
		.cid = "TC0ONETIME",
		.partner_order_id = "ord-1001",
		.partner_user_id = "u-77",
		.user_id = "u \"77\"",
		.item_name = "\xec\xbb\xa4\xed\x94\xbc",
		.payment_method_type = "MONEY",
		.quantity = 1,
		.amount = { .total = 2200, .vat = 200, .point = 7, .discount = 8 },
		.created_at_ms = 1709601630000,
		.approved_at_ms = 1709601651000 };
}

static void
a_payment_has_the_sites_members_in_the_sites_order(void **state)
{
	struct payment p = a_payment();
	struct buf b = BUF_INIT;

	(void)state;
	payment_format(&p, &b);
	assert_string_equal(buf_str(&b),
	    "{\"aid\":\"A5e6737334aa00bc441a\","
	    "\"amount\":{\"total\":2200,\"tax_free\":0,\"vat\":200,\"point\":7,\"discount\":8},"
	    "\"approved_at\":\"2024-03-05T01:20:51.000Z\",\"cid\":\"TC0ONETIME\","
	    "\"created_at\":\"2024-03-05T01:20:30.000Z\","
	    "\"item_name\":\"\xec\xbb\xa4\xed\x94\xbc\",\"partner_order_id\":\"ord-1001\","
	    "\"partner_user_id\":\"u-77\","
	    "\"payment_method_type\":\"MONEY\",\"quantity\":1,"
	    "\"tid\":\"T5e6735e51aa00bc4411\",\"userId\":\"u \\\"77\\\"\"}");
	buf_clear(&b);
}

static void
a_payment_without_an_aid_does_not_say_one(void **state)
{
	struct payment p = a_payment();
	struct buf b = BUF_INIT;

	(void)state;
	p.aid[0] = '\0';
	payment_format(&p, &b);
	assert_memory_equal(buf_str(&b), "{\"amount\":", 10);
	assert_true(strict_check(b.data, b.len, STRICT_DEPTH, NULL));
	buf_clear(&b);
}

/* --- attempts */

static void
fill(char *out, size_t cap, const char *piece, size_t times)
{
	size_t len = strlen(piece);

	assert_true(len * times < cap);
	for (size_t i = 0; i < times; i++)
		memcpy(out + i * len, piece, len);
	out[len * times] = '\0';
}

static struct attempt
an_attempt(void)
{
	return (struct attempt){ .cid = "TC0ONETIME",
		.partner_order_id = "o",
		.partner_user_id = "p",
		.user_id = "u",
		.room_id = "5f0000000000000000000001",
		.item_name = "i",
		.quantity = 1,
		.total_amount = 2200,
		.tax_free_amount = 0,
		.vat_amount = -1,
		.reservation_info = "{\"day\":[1,1],\"startTime\":[9.50,13e0],\"endTime\":[10,14],"
				    "\"roomId\":\"5f0000000000000000000001\",\"x\":{}}" };
}

/* As large as each member may be; every character escaped where it can be. */
static struct attempt
a_full_attempt(void)
{
	struct attempt a = { .quantity = 1000000,
		.total_amount = MAX_WON,
		.tax_free_amount = MAX_WON,
		.vat_amount = 0 };
	size_t len = sizeof(a.reservation_info) - 1;

	fill(a.cid, sizeof(a.cid), "\xf0\x9f\x8d\xb5", 10);
	fill(a.partner_order_id, sizeof(a.partner_order_id), "\xf0\x9f\x8d\xb5", 100);
	fill(a.partner_user_id, sizeof(a.partner_user_id), "\"", 100);
	fill(a.user_id, sizeof(a.user_id), "\xea\xb0\x80", 100);
	fill(a.room_id, sizeof(a.room_id), "f", 24);
	fill(a.item_name, sizeof(a.item_name), "\\", 100);
	memset(a.reservation_info, 'x', len);
	memcpy(a.reservation_info, "{\"memo\":\"", 9);
	memcpy(a.reservation_info + len - 2, "\"}", 2);
	return a;
}

static void
assert_comes_back(const struct attempt *a)
{
	struct buf b = BUF_INIT;
	struct error err = { 0 };
	struct attempt back;

	attempt_format(a, &b);
	assert_false(b.bad);
	assert_true(b.len <= ATTEMPT_MAX);
	assert_true(strict_check(b.data, b.len, STRICT_DEPTH, NULL));
	if (!attempt_parse(buf_str(&b), &back, &err))
		fail_msg("%s", err.msg);
	assert_string_equal(back.cid, a->cid);
	assert_string_equal(back.partner_order_id, a->partner_order_id);
	assert_string_equal(back.partner_user_id, a->partner_user_id);
	assert_string_equal(back.user_id, a->user_id);
	assert_string_equal(back.room_id, a->room_id);
	assert_string_equal(back.item_name, a->item_name);
	assert_int_equal(back.quantity, a->quantity);
	assert_int_equal(back.total_amount, a->total_amount);
	assert_int_equal(back.tax_free_amount, a->tax_free_amount);
	assert_int_equal(back.vat_amount, a->vat_amount);
	assert_string_equal(back.reservation_info,
	    a->reservation_info[0] != '\0' ? a->reservation_info : "{}");
	buf_clear(&b);
}

static void
an_attempt_comes_back_as_it_was(void **state)
{
	struct attempt plain = an_attempt(), full = a_full_attempt(), empty = { .vat_amount = 5 };

	(void)state;
	assert_comes_back(&plain);
	assert_comes_back(&full);
	assert_comes_back(&empty);
}

static void
the_short_form_leaves_out_what_the_queue_keeps(void **state)
{
	struct attempt a = a_full_attempt(), back;
	struct buf b = BUF_INIT;

	(void)state;
	attempt_format_short(&a, a.intervals, &b);
	assert_true(attempt_parse(buf_str(&b), &back, NULL));
	assert_string_equal(back.cid, "");
	assert_string_equal(back.partner_order_id, "");
	assert_string_equal(back.user_id, "");
	assert_string_equal(back.room_id, "");
	memcpy(back.cid, a.cid, sizeof(a.cid));
	memcpy(back.partner_order_id, a.partner_order_id, sizeof(a.partner_order_id));
	memcpy(back.user_id, a.user_id, sizeof(a.user_id));
	memcpy(back.room_id, a.room_id, sizeof(a.room_id));
	assert_string_equal(back.partner_user_id, a.partner_user_id);
	assert_string_equal(back.reservation_info, a.reservation_info);
	assert_int_equal(back.total_amount, a.total_amount);
	buf_clear(&b);
}

static void
what_is_not_our_writing_is_no_attempt(void **state)
{
#define REST \
	"\"partner_order_id\":\"o\",\"partner_user_id\":\"p\",\"user_id\":\"u\",\"room_id\":\"r\"," \
	"\"item_name\":\"i\",\"quantity\":1," \
	"\"total_amount\":1,\"tax_free_amount\":0"
	static const struct {
		const char *text;
		bool ok;
	} rows[] = {
		{ "{\"cid\":\"c\"," REST ",\"reservation_info\":{}}", true },
		{ "{\"cid\":\"c\"," REST ",\"reservation_info\":{},\"vat_amount\":0}", true },
		{ "{\"cid\":\"c\"," REST ",\"reservation_info\":{},\"vat_amount\":0,\"key\":\"k\"}",
		    false },
		{ "{\"cid\":\"c\"," REST "}", false },
		{ "{\"cid\":\"c\"," REST ",\"reservation_info\":[]}", false },
		{ "{\"cid\":\"c\"," REST ",\"reservation_info\":\"{}\"}", false },
		{ "{\"cid\":\"c\"," REST ",\"reservation_info\":{},\"vat_amount\":-1}", false },
		{ "{\"cid\":\"c\"," REST ",\"reservation_info\":{},\"more\":1}", false },
		{ "{\"cid\":\"12345678901\"," REST ",\"reservation_info\":{}}", false },
		{ "{\"cid\":1," REST ",\"reservation_info\":{}}", false },
		{ "{" REST ",\"reservation_info\":{}}", true }, /* the short form */
		{ "{\"cid\":\"c\",\"cid\":\"c\"," REST ",\"reservation_info\":{}}", false },
		{ "[]", false },
		{ "", false },
		{ "{", false },
		{ "null", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct error err = { 0 };
		struct attempt a;

		if (attempt_parse(rows[i].text, &a, &err) != rows[i].ok)
			fail_msg("%s: %s", rows[i].text, err.msg);
		assert_int_equal(err.code, rows[i].ok ? ERR_NONE : ERR_INTERNAL);
	}
}

static void
a_reservation_info_longer_than_its_room_is_refused(void **state)
{
	struct attempt a = a_full_attempt(), back;
	struct buf b = BUF_INIT;
	struct error err = { 0 };
	char *at;

	(void)state;
	attempt_format(&a, &b);
	buf_add_char(&b, ' '); /* room for one more x */
	at = strstr(b.data, "xxx");
	memmove(at + 1, at, strlen(at) - 1);
	assert_false(attempt_parse(b.data, &back, &err));
	assert_int_equal(err.code, ERR_INTERNAL);
	buf_clear(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vat_is_an_eleventh_of_what_is_taxed_rounded_half_up),
		cmocka_unit_test(a_payment_has_the_sites_members_in_the_sites_order),
		cmocka_unit_test(a_payment_without_an_aid_does_not_say_one),
		cmocka_unit_test(an_attempt_comes_back_as_it_was),
		cmocka_unit_test(the_short_form_leaves_out_what_the_queue_keeps),
		cmocka_unit_test(what_is_not_our_writing_is_no_attempt),
		cmocka_unit_test(a_reservation_info_longer_than_its_room_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
