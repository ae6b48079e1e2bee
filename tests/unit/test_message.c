/* KakaoPay's bodies in both generations, and what its answers and refusals mean. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "provider/answer.h"
#include "provider/kakaopay/message.h"
#include "provider/kakaopay/outcome.h"
#include "tests/unit/sample.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { CREATED_S = 1709601630, APPROVED_S = 1709601651 }; /* 2024-03-05T10:20:30 and :51 KST */
static const char cid[] = "TC0ONETIME", tid[] = "T5e6735e51aa00bc4411";

/* text with its first `from` replaced. */
static char *
changed(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	struct buf b = BUF_INIT;

	if (at == NULL)
		fail_msg("%s is not in the sample", from);
	buf_add(&b, text, (size_t)(at - text));
	buf_add_str(&b, to);
	buf_add_str(&b, at + strlen(from));
	return buf_take(&b);
}

/* -- what an answer means */

static bool
is_in(const int64_t *codes, size_t n, int64_t code)
{
	for (size_t i = 0; i < n; i++)
		if (codes[i] == code)
			return true;
	return false;
}
#define IS_IN(codes, code) is_in((codes), COUNT(codes), (code))

/* The classes of doc/kakaopay.md as sets: a second writing of the table, which has rows. */
static enum provider_outcome
meaning(enum message_call call, int64_t code)
{
	static const int64_t not_executed[] = { -2, -3, -4, -5, -6, -10, -11, -401, -403, -404,
		-429, -730, -731, -732, -733, -798, -799, -9798 };
	static const int64_t unknown[] = { -1, -7, -500, -503 };
	static const int64_t token[] = { -701, -706, -707, -708 };
	static const int64_t refused[] = { -703, -704, -705, -721, -722, -724, -725, -726, -750,
		-751, -752, -753, -761, -797 };

	if (IS_IN(not_executed, code))
		return PO_NOT_EXECUTED;
	if (IS_IN(unknown, code) || call == MC_ORDER)
		return PO_UNKNOWN;
	if (call == MC_READY)
		return PO_DECLINED;
	if (call == MC_CANCEL)
		return IS_IN(token, code) || IS_IN(refused, code) || code == -710 || code == -723
		    ? PO_DECLINED
		    : PO_INQUIRE;
	if (code == -723)
		return PO_WINDOW_OVER;
	return IS_IN(token, code)  ? PO_TOKEN_REFUSED
	    : IS_IN(refused, code) ? PO_DECLINED
				   : PO_INQUIRE;
}

static void
every_code_has_its_meaning_for_each_call(void **state)
{
	(void)state;
	for (int call = 0; call < MC__MAX; call++)
		for (int64_t code = -10000; code < 0; code++)
			if (outcome_of((enum message_call)call, 400, code) !=
			    meaning((enum message_call)call, code))
				fail_msg("%s %lld", message_call_name((enum message_call)call),
				    (long long)code);
}

static void
a_5xx_tells_nothing_whatever_its_body_says(void **state)
{
	(void)state;
	for (int call = 0; call < MC__MAX; call++)
		for (int64_t code = -10000; code <= 0; code++) {
			enum provider_outcome want = code == -9798 ? PO_NOT_EXECUTED : PO_UNKNOWN;

			assert_int_equal(outcome_of((enum message_call)call, 500, code), want);
			assert_int_equal(outcome_of((enum message_call)call, 503, code), want);
		}
}

static void
a_refusing_status_counts_only_with_kakaopays_own_body(void **state)
{
	static const int refusals[] = { 401, 403, 404, 429 };

	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		assert_int_equal(outcome_of(MC_APPROVE, refusals[i], 0), PO_UNKNOWN);
		/* a code in no list */
		assert_int_equal(outcome_of(MC_APPROVE, refusals[i], -999), PO_NOT_EXECUTED);
		/* a listed code goes before the status */
		assert_int_equal(outcome_of(MC_APPROVE, refusals[i], -780), PO_INQUIRE);
	}
	for (int status = 0; status < 600; status++)
		assert_int_equal(outcome_of(MC_APPROVE, status, 0), PO_UNKNOWN);
	for (int status = 200; status < 400; status++)
		assert_int_equal(outcome_of(MC_APPROVE, status, -9798), PO_UNKNOWN);
	assert_int_equal(outcome_of(MC_APPROVE, 400, -999), PO_INQUIRE);
}

static void
both_shapes_of_an_error_are_read(void **state)
{
	char *text = sample("error"), *legacy = sample("error-legacy");
	struct provider_answer pa = { .http = 400 };

	(void)state;
	assert_true(message_error_parse(text, strlen(text), &pa));
	assert_int_equal(pa.code, -780);
	assert_int_equal(pa.http, 400);
	assert_string_equal(pa.message, "approval failure!");
	assert_string_equal(pa.method_code, "USER_LOCKED");
	assert_true(message_error_parse(legacy, strlen(legacy), &pa));
	assert_int_equal(pa.code, -701);
	assert_string_equal(pa.message, "authentication doesn't complete!");
	assert_string_equal(pa.method_code, "9999");
	free(text);
	free(legacy);
}

static void
what_is_not_kakaopays_error_is_told_apart(void **state)
{
	static const char *const rows[] = {
		"",
		"<html>502 Bad Gateway</html>",
		"[]",
		"{}",
		"null",
		"{\"code\":-701}",
		"{\"msg\":\"x\"}",
		"{\"error_code\":-701,\"msg\":\"x\"}", /* half of each shape */
		"{\"code\":404,\"msg\":\"not found\"}",
		"{\"code\":0,\"msg\":\"\"}", /* a gateway's: KakaoPay's codes are negative */
		"{\"code\":\"-701\",\"msg\":\"x\"}",
		"{\"code\":-701.5,\"msg\":\"x\"}",
		"{\"code\":-701,\"msg\":null}",
		"{\"code\":-701,\"msg\":\"x\"",
		"{\"code\":-701,\"code\":-702,\"msg\":\"x\"}",
		"{'code':-701,'msg':'x'}",
	};
	struct provider_answer pa = { .http = 400 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (message_error_parse(rows[i], strlen(rows[i]), &pa) || pa.code != 0)
			fail_msg("taken for KakaoPay's: %s", rows[i]);
}

static void
a_long_message_is_cut_at_a_whole_character(void **state)
{
	struct provider_answer pa = { 0 };
	struct buf b = BUF_INIT;

	(void)state;
	buf_add_str(&b, "{\"code\":-2,\"msg\":\"");
	for (int i = 0; i < 200; i++)
		buf_add_str(&b, "\xea\xb0\x80"); /* 3 bytes each; 255 is 85 of them */
	buf_add_str(&b, "\\n\",\"extras\":[]}"); /* extras of another type: passed over */
	assert_true(message_error_parse(b.data, b.len, &pa));
	assert_int_equal(strlen(pa.message), 255);
	assert_string_equal(pa.method_code, "");
	buf_clear(&b);
	buf_add_str(&b, "{\"code\":-2,\"msg\":\"two\\nlines\"}");
	assert_true(message_error_parse(b.data, b.len, &pa));
	assert_string_equal(pa.message, "two lines");
	buf_clear(&b);
}

static void
status_words_have_their_class_and_a_new_one_is_strange(void **state)
{
	static const struct {
		const char *word;
		enum provider_status status;
	} words[] = {
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
		{ "FAIL_SOMETHING", PS_STRANGE },
		{ "", PS_STRANGE },
		{ "success_payment", PS_STRANGE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(words); i++)
		assert_int_equal(kakaopay_status_of(words[i].word), words[i].status);
}

/* The ledger keeps the status as a word of ours; events of older versions have KakaoPay's word
 * alone, as the message. */
static void
a_kept_answer_tells_its_status_and_whether_it_came_too_late(void **state)
{
	static const struct {
		struct provider_answer pa;
		enum provider_status status;
		bool late;
	} rows[] = {
		{ { .status = "canceled", .message = "another language" }, PS_CANCELED, false },
		{ { .status = "paid", .message = "CANCEL_PAYMENT" }, PS_PAID, false },
		{ { .message = "CANCEL_PAYMENT" }, PS_CANCELED, false },
		{ { .message = "PART_CANCEL_PAYMENT" }, PS_PART_CANCELED, false },
		{ { .status = "what nobody wrote", .message = "" }, PS_STRANGE, false },
		{ { .code = -723, .message = "late" }, PS_STRANGE, true },
		{ { .code = -722 }, PS_STRANGE, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(provider_answer_status(&rows[i].pa), rows[i].status);
		assert_int_equal(provider_answer_is_window_over(&rows[i].pa), rows[i].late);
	}
	for (int s = 0; s < PS__MAX; s++) {
		struct provider_answer pa = { 0 };

		assert_true(
		    snprintf(pa.status, sizeof(pa.status), "%s",
			provider_status_name((enum provider_status)s)) < (int)sizeof(pa.status));
		assert_int_equal(provider_answer_status(&pa), s);
	}
}

/* -- answers */

static void
ready_is_read_in_both_generations(void **state)
{
	char *text = sample("ready"), *legacy = sample("ready-legacy");
	struct provider_opened o;

	(void)state;
	assert_true(message_ready_parse(text, strlen(text), false, &o));
	assert_string_equal(o.tid, "T7c7a6de620aa00bc441");
	assert_int_equal(o.created_at_ms, 1741137630000);
	assert_memory_equal(o.next_redirect_pc_url, "https://online-payment.", 23);
	assert_memory_equal(o.android_app_scheme, "kakaotalk://", 12);
	assert_true(message_ready_parse(legacy, strlen(legacy), false, &o));
	assert_string_equal(o.tid, tid);
	assert_string_equal(o.ios_app_scheme, "");
	free(text);
	free(legacy);
}

static void
a_ready_answer_is_refused_where_it_cannot_be_used(void **state)
{
	static const struct {
		const char *from, *to;
		bool loopback, ok;
	} rows[] = {
		{ "T5e6735e51aa00bc4411", "T", false, true }, /* 1 character */
		{ "T5e6735e51aa00bc4411", "", false, false },
		{ "T5e6735e51aa00bc4411", "T5e6735e51aa00bc44110", false, false }, /* 21 */
		{ "T5e6735e51aa00bc4411", "T5e6735e51aa00bc-411", false, false },
		{ "\"tid\":\"T5e6735e51aa00bc4411\",", "", false, false },
		{ "\"next_redirect_pc_url\":\"https:", "\"next_redirect_pc_url\":\"javascript:",
		    false, false },
		{ "\"next_redirect_pc_url\":\"https://online-pay.kakao.example",
		    "\"next_redirect_pc_url\":\"http://127.0.0.1:81", false, false },
		{ "\"next_redirect_pc_url\":\"https://online-pay.kakao.example",
		    "\"next_redirect_pc_url\":\"http://127.0.0.1:81", true, true },
		{ "\"next_redirect_pc_url\":\"https://online-pay.kakao.example",
		    "\"next_redirect_pc_url\":\"http://10.0.0.1", true, false },
		{ "/info", "/in fo", false, false },
		{ "\"created_at\":\"2024-03-05T10:20:30\"", "\"created_at\":\"today\"", false,
		    false },
		{ ",\"created_at\":\"2024-03-05T10:20:30\"", "", false, true },
		{ "\"tms_result\":false", "\"tms_result\":{\"new\":[1,{}]}", false, true },
		{ "}", ",\"android_app_scheme\":7}", false, false },
		{ "}", ",\"android_app_scheme\":\"no link\"}", false, true },
		{ "}", "", false, false },
		{ "}", ",\"tid\":\"T2\"}", false, false },
	};
	char *legacy = sample("ready-legacy");
	struct provider_opened o;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *text = changed(legacy, rows[i].from, rows[i].to);

		if (message_ready_parse(text, strlen(text), rows[i].loopback, &o) != rows[i].ok)
			fail_msg("row %zu: %s -> %s", i, rows[i].from, rows[i].to);
		if (rows[i].ok)
			assert_string_equal(o.android_app_scheme, "");
		free(text);
	}
	free(legacy);
}

static void
approve_is_read_as_kakaopay_said_it(void **state)
{
	char *money = sample("approve-money"), *card = sample("approve-card");
	struct payment p;

	(void)state;
	assert_true(message_approve_parse(money, strlen(money), cid, tid, &p));
	assert_string_equal(p.aid, "A5e6737334aa00bc441a");
	assert_string_equal(p.tid, tid);
	assert_string_equal(p.cid, cid);
	assert_string_equal(p.partner_order_id, "ord-1001");
	assert_string_equal(p.partner_user_id, "u-77");
	assert_string_equal(p.user_id, "");
	assert_string_equal(p.item_name, "스터디룸 2시간");
	assert_string_equal(p.payment_method_type, "MONEY");
	assert_int_equal(p.quantity, 1);
	assert_int_equal(p.amount.total, 2200);
	assert_int_equal(p.amount.tax_free, 100);
	assert_int_equal(p.amount.vat, 191);
	assert_int_equal(p.amount.point, 50);
	assert_int_equal(p.amount.discount, 20);
	assert_int_equal(p.created_at_ms, CREATED_S * INT64_C(1000));
	assert_int_equal(p.approved_at_ms, APPROVED_S * INT64_C(1000));
	assert_true(message_approve_parse(card, strlen(card), cid, tid, &p));
	assert_string_equal(p.payment_method_type, "CARD");
	assert_int_equal(p.amount.discount, 0);
	free(money);
	free(card);
}

static void
an_approve_answer_is_no_answer_where_it_cannot_be_trusted(void **state)
{
	static const struct {
		const char *from, *to;
		bool ok;
	} rows[] = {
		{ "T5e6735e51aa00bc4411", "T5e6735e51aa00bc4412", false }, /* another payment */
		{ "TC0ONETIME", "TCSUBSCRIP", false },
		{ "\"tid\"", "\"Tid\"", false },
		{ "A5e6737334aa00bc441a", "", false },
		{ "\"total\":2200", "\"total\":\"2200\"", false },
		{ "\"total\":2200", "\"total\":2200.5", false },
		{ "\"total\":2200", "\"total\":2200.0", true },
		{ "\"total\":2200", "\"total\":22e2", true },
		{ "\"total\":2200", "\"total\":-1", false },
		{ "\"total\":2200", "\"total\":9007199254740991", true },
		{ "\"total\":2200", "\"total\":9007199254740992", false },
		{ "\"total\":2200", "\"total\":99999999999999999999", false },
		{ "\"total\":2200,", "", false },
		{ "\"vat\":191,", "", true },
		{ "\"point\":50,\"discount\":20,", "", true },
		{ "\"tax_free\":100,", "", true },
		{ "\"quantity\":1,", "", false },
		{ "\"quantity\":1,", "\"quantity\":true,", false },
		{ "\"item_name\":\"스터디룸 2시간\",", "", true },
		{ "\"payment_method_type\":\"MONEY\",", "\"payment_method_type\":null,", true },
		{ "\"partner_order_id\":\"ord-1001\",", "", false },
		{ "\"partner_order_id\":\"ord-1001\",", "\"partner_order_id\":\"another\",",
		    true }, /* the comparison is not made here */
		{ "\"approved_at\":\"2024-03-05T10:20:51\"",
		    "\"approved_at\":\"2024-02-30T10:20:51\"", false },
		{ "\"payload\":\"n-1\"", "\"new_member\":{\"a\":[{}]}", true },
		/* 16 with the object */
		{ "\"payload\":\"n-1\"", "\"deep\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]", true },
		{ "\"payload\":\"n-1\"", "\"deep\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]", false },
		{ "\"payload\":\"n-1\"", "\"tid\":\"T5e6735e51aa00bc4411\"", false }, /* twice */
		{ "{\"aid\"", "[{\"aid\"", false },
	};
	char *money = sample("approve-money");
	struct payment p;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *text = changed(money, rows[i].from, rows[i].to);

		if (message_approve_parse(text, strlen(text), cid, tid, &p) != rows[i].ok)
			fail_msg("row %zu: %s -> %s", i, rows[i].from, rows[i].to);
		free(text);
	}
	for (size_t len = 0; len + 2 < strlen(money); len++) /* cut anywhere; the file ends with a
								newline */
		assert_false(message_approve_parse(money, len, cid, tid, &p));
	free(money);
}

static void
vat_that_is_left_out_follows_kakaopays_rule(void **state)
{
	char *money = sample("approve-money"), *text = changed(money, "\"vat\":191,", "");
	struct payment p;

	(void)state;
	assert_true(message_approve_parse(text, strlen(text), cid, tid, &p));
	assert_int_equal(p.amount.vat, 191); /* (2200 - 100) / 11 */
	free(money);
	free(text);
}

static void
an_order_names_its_payment_among_its_actions(void **state)
{
	char *text = sample("order"), *sparse = sample("order-sparse");
	struct provider_order o;

	(void)state;
	assert_true(message_order_parse(text, strlen(text), cid, tid, &o));
	assert_int_equal(o.status, PS_PART_CANCELED);
	assert_string_equal(o.payment.aid, "A5e6737334aa00bc441a"); /* not the cancel's */
	assert_true(o.has_canceled && o.has_available);
	assert_int_equal(o.canceled.total, 1100);
	assert_int_equal(o.available.total, 1100);
	assert_int_equal(o.payment.amount.total, 2200);
	assert_true(message_order_parse(sparse, strlen(sparse), cid, tid, &o));
	assert_int_equal(o.status, PS_PAID);
	assert_string_equal(o.payment.aid, "A5e6737334aa00bc441a");
	assert_int_equal(o.payment.approved_at_ms, APPROVED_S * INT64_C(1000));
	assert_string_equal(o.payment.payment_method_type, "");
	assert_false(o.has_canceled || o.has_available);
	free(text);
	free(sparse);
}

static void
an_order_that_is_not_paid_needs_no_amounts(void **state)
{
	char *text = sample("order-pending"), *strange = changed(text, "AUTH_PASSWORD", "NEW_WORD"),
	     *paid = changed(text, "AUTH_PASSWORD", "SUCCESS_PAYMENT"),
	     *other = changed(text, "T5e6735e51aa00bc4411", "T5e6735e51aa00bc4412"),
	     *none = changed(text, "\"status\":\"AUTH_PASSWORD\",", "");
	struct provider_order o;

	(void)state;
	assert_true(message_order_parse(text, strlen(text), cid, tid, &o));
	assert_int_equal(o.status, PS_PENDING);
	assert_string_equal(o.status_text, "AUTH_PASSWORD");
	assert_int_equal(o.payment.approved_at_ms, 0);
	assert_true(message_order_parse(strange, strlen(strange), cid, tid, &o));
	assert_int_equal(o.status, PS_STRANGE);
	assert_string_equal(o.status_text, "NEW_WORD");
	assert_false(message_order_parse(paid, strlen(paid), cid, tid, &o)); /* paid, but no amount:
										no reading */
	assert_false(message_order_parse(other, strlen(other), cid, tid, &o));
	assert_false(message_order_parse(none, strlen(none), cid, tid, &o));
	free(text);
	free(strange);
	free(paid);
	free(other);
	free(none);
}

static void
a_cancel_tells_what_is_left(void **state)
{
	char *text = sample("cancel"),
	     *wrong = changed(text, "PART_CANCEL_PAYMENT", "SUCCESS_PAYMENT");
	struct provider_canceled c;

	(void)state;
	assert_true(message_cancel_parse(text, strlen(text), cid, tid, &c));
	assert_string_equal(c.aid, "A5e675d634aa00bc441b");
	assert_int_equal(c.status, PS_PART_CANCELED);
	assert_int_equal(c.approved_cancel.total, 700);
	assert_int_equal(c.canceled.total, 1100);
	assert_int_equal(c.available.total, 1100);
	assert_int_equal(c.canceled_at_ms, (CREATED_S + 632) * INT64_C(1000));
	assert_false(message_cancel_parse(wrong, strlen(wrong), cid, tid, &c));
	assert_false(message_cancel_parse(text, strlen(text), "TCSUBSCRIP", tid, &c));
	free(text);
	free(wrong);
}

/* -- requests */

static struct provider_ready
some_ready(void)
{
	struct provider_ready r = { .quantity = 1,
		.total_amount = 2200,
		.tax_free_amount = 0,
		.vat_amount = -1,
		.green_deposit = -1,
		.install_month = -1 };

	strcpy(r.cid, cid);
	strcpy(r.partner_order_id, "ord-1001");
	strcpy(r.partner_user_id, "u-77");
	strcpy(r.item_name, "\"커피\" & a+b");
	strcpy(r.approval_url, "https://site.example/ok?o=1");
	strcpy(r.cancel_url, "https://site.example/cancel");
	strcpy(r.fail_url, "https://site.example/fail");
	return r;
}

static void
ready_is_written_in_both_generations(void **state)
{
	struct provider_ready r = some_ready();
	struct buf b = BUF_INIT;

	(void)state;
	message_ready_format(MODE_SECRET_KEY, &r, NULL, &b);
	assert_string_equal(b.data,
	    "{\"cid\":\"TC0ONETIME\",\"partner_order_id\":\"ord-1001\",\"partner_user_id\":\"u-77\",\"item_name\":\"\\\"커피\\\" & a+b\","
	    "\"quantity\":1,\"total_amount\":2200,\"tax_free_amount\":0,\"approval_url\":\"https://site.example/ok?o=1\","
	    "\"cancel_url\":\"https://site.example/cancel\",\"fail_url\":\"https://site.example/fail\"}");
	buf_reset(&b);
	message_ready_format(MODE_USER_TOKEN, &r, NULL, &b);
	assert_string_equal(b.data,
	    "cid=TC0ONETIME&partner_order_id=ord-1001&partner_user_id=u-77&item_name=%22%EC%BB%A4%ED%94%BC%22%20%26%20a%2Bb"
	    "&quantity=1&total_amount=2200&tax_free_amount=0&approval_url=https%3A%2F%2Fsite.example%2Fok%3Fo%3D1"
	    "&cancel_url=https%3A%2F%2Fsite.example%2Fcancel&fail_url=https%3A%2F%2Fsite.example%2Ffail");
	buf_clear(&b);
}

static void
optional_parameters_are_sent_only_when_they_are_there(void **state)
{
	struct provider_ready r = some_ready();
	struct buf b = BUF_INIT;

	(void)state;
	r.vat_amount = 0; /* 0 is said, not absent */
	r.green_deposit = 5;
	r.install_month = 12;
	strcpy(r.item_code, "c");
	strcpy(r.payment_method_type, "CARD");
	strcpy(r.use_share_installment, "N");
	strcpy(r.redirect_scheme_url, "app://x");
	strcpy(r.available_cards, "[\"HANA\",\"BC\"]");
	strcpy(r.custom_json, "{\"a\":\"b\"}");
	message_ready_format(MODE_SECRET_KEY, &r, "0123456789abcdefghij0123", &b);
	static const char *const json[] = { "\"cid_secret\":\"0123456789abcdefghij0123\",",
		"\"item_code\":\"c\",", "\"vat_amount\":0,", "\"green_deposit\":5,",
		"\"available_cards\":[\"HANA\",\"BC\"],", "\"payment_method_type\":\"CARD\",",
		"\"install_month\":12,", "\"use_share_installment\":\"N\",",
		"\"custom_json\":{\"a\":\"b\"},", "\"redirect_scheme_url\":\"app://x\"}" };
	for (size_t i = 0; i < COUNT(json); i++)
		if (strstr(b.data, json[i]) == NULL)
			fail_msg("%s is not in %s", json[i], b.data);
	buf_reset(&b);
	message_ready_format(MODE_ADMIN_KEY, &r, NULL, &b);
	assert_non_null(strstr(b.data, "&vat_amount=0&"));
	assert_non_null(strstr(b.data, "&available_cards=%5B%22HANA%22%2C%22BC%22%5D&"));
	assert_null(strstr(b.data, "cid_secret"));
	buf_clear(&b);
}

static void
the_longest_request_fits(void **state)
{
	struct provider_ready r = { 0 };
	struct buf b = BUF_INIT;

	(void)state;
#define FULL(member) memset(r.member, 0xf0, sizeof(r.member) - 1)
	FULL(cid);
	FULL(partner_order_id);
	FULL(partner_user_id);
	FULL(item_name);
	FULL(approval_url);
	FULL(cancel_url);
	FULL(fail_url);
	FULL(item_code);
	FULL(payment_method_type);
	FULL(use_share_installment);
	FULL(redirect_scheme_url);
	FULL(available_cards);
	FULL(custom_json);
	r.quantity = r.total_amount = r.tax_free_amount = r.vat_amount = r.green_deposit =
	    r.install_month = INT64_MAX;
	message_ready_format(MODE_ADMIN_KEY, &r, "0123456789abcdefghij0123", &b);
	assert_in_range(b.len, 20000, MESSAGE_BODY_MAX);
	buf_clear(&b);
}

static void
approve_order_and_cancel_are_written(void **state)
{
	struct provider_approve a = { .cid = "TC0ONETIME",
		.tid = "T1",
		.partner_order_id = "o",
		.partner_user_id = "u",
		.pg_token = "tok",
		.payload = "n-1",
		.total_amount = 2200 };
	struct provider_cancel c = { .cid = "TC0ONETIME",
		.tid = "T1",
		.cancel_amount = 700,
		.cancel_tax_free_amount = 0,
		.cancel_vat_amount = -1,
		.cancel_available_amount = 1800,
		.payload = "r-1" };
	struct buf b = BUF_INIT;

	(void)state;
	message_approve_format(MODE_SECRET_KEY, &a, NULL, &b);
	assert_string_equal(b.data,
	    "{\"cid\":\"TC0ONETIME\",\"tid\":\"T1\",\"partner_order_id\":\"o\",\"partner_user_id\":\"u\",\"pg_token\":\"tok\","
	    "\"payload\":\"n-1\",\"total_amount\":2200}");
	buf_reset(&b);
	message_order_format(MODE_ADMIN_KEY, cid, "T1", "s", &b);
	assert_string_equal(b.data, "cid=TC0ONETIME&cid_secret=s&tid=T1");
	buf_reset(&b);
	message_cancel_format(MODE_SECRET_KEY, &c, NULL, &b);
	assert_string_equal(b.data,
	    "{\"cid\":\"TC0ONETIME\",\"tid\":\"T1\",\"cancel_amount\":700,\"cancel_tax_free_amount\":0,\"cancel_available_amount\":1800,"
	    "\"payload\":\"r-1\"}");
	buf_clear(&b);
}

static void
plain_http_goes_to_loopback_only(void **state)
{
	static const struct {
		const char *url;
		bool ok;
	} rows[] = {
		{ "http://127.0.0.1", true },
		{ "http://127.0.0.1:8080/x", true },
		{ "http://127.255.255.254", true },
		{ "http://localhost:1", true },
		{ "http://[::1]:80/", true },
		{ "http://[::1]", true },
		{ "https://127.0.0.1", false },
		{ "http://128.0.0.1", false },
		{ "http://127.evil.example", false },
		{ "http://127.0.0.1.evil.example", false },
		{ "http://localhost.evil.example", false },
		{ "http://localhos", false },
		{ "http://[::1", false },
		{ "http://[::2]", false },
		{ "http://127.0.0.1@evil.example", false },
		{ "http://127.0.0.1:80@evil.example", false },
		{ "http://127.0.0.1\\@evil.example", false },
		{ "http://", false },
		{ "", false },
		{ "ftp://127.0.0.1", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (conf_is_loopback(rows[i].url) != rows[i].ok)
			fail_msg("%s", rows[i].url);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_its_meaning_for_each_call),
		cmocka_unit_test(a_5xx_tells_nothing_whatever_its_body_says),
		cmocka_unit_test(a_refusing_status_counts_only_with_kakaopays_own_body),
		cmocka_unit_test(both_shapes_of_an_error_are_read),
		cmocka_unit_test(what_is_not_kakaopays_error_is_told_apart),
		cmocka_unit_test(a_long_message_is_cut_at_a_whole_character),
		cmocka_unit_test(status_words_have_their_class_and_a_new_one_is_strange),
		cmocka_unit_test(a_kept_answer_tells_its_status_and_whether_it_came_too_late),
		cmocka_unit_test(ready_is_read_in_both_generations),
		cmocka_unit_test(a_ready_answer_is_refused_where_it_cannot_be_used),
		cmocka_unit_test(approve_is_read_as_kakaopay_said_it),
		cmocka_unit_test(an_approve_answer_is_no_answer_where_it_cannot_be_trusted),
		cmocka_unit_test(vat_that_is_left_out_follows_kakaopays_rule),
		cmocka_unit_test(an_order_names_its_payment_among_its_actions),
		cmocka_unit_test(an_order_that_is_not_paid_needs_no_amounts),
		cmocka_unit_test(a_cancel_tells_what_is_left),
		cmocka_unit_test(ready_is_written_in_both_generations),
		cmocka_unit_test(optional_parameters_are_sent_only_when_they_are_there),
		cmocka_unit_test(the_longest_request_fits),
		cmocka_unit_test(approve_order_and_cancel_are_written),
		cmocka_unit_test(plain_http_goes_to_loopback_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
