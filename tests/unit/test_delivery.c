/* Signatures of Standard Webhooks 1.0, the schedule of retries, and the messages as they are owed.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "delivery/outbox.h"
#include "delivery/webhook.h"
#include "json/strict.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool
sign(const char *key_text, const char *id, int64_t at_s, const char *body, struct buf *out)
{
	struct secret key = { 0 };
	struct error err;
	bool ok;

	assert_true(secret_set(&key, key_text));
	buf_reset(out);
	ok = webhook_sign(&key, id, at_s, body, out, &err);
	secret_clear(&key);
	return ok;
}

/* Vectors: the specification's own sample, and three made with Python's hmac and base64. */
static void
signatures_are_those_of_others(void **state)
{
	static const struct {
		const char *key, *id;
		int64_t at_s;
		const char *body, *signature;
	} rows[] = {
		{ "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek",
		    1614265330, "{\"test\": 2432232314}",
		    "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" },
		{ "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
		    "payment.approved.T5e6735e51aa00bc4411", 1709601651,
		    "{\"type\":\"payment.approved\",\"timestamp\":\"2024-03-05T01:20:51.000Z\",\"data\":{\"item\":\"스터디룸\"}}",
		    "v1,t4vAvO+0TzsM1KOL7v+hOvTR2MLIX+GRhtF51ZFTWdU=" },
		{ "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", "m", 1, "",
		    "v1,ZsKLSnljbQQhgC8Y22V8C0myV8/bWQyf7Y552jO7Qi0=" }, /* 24 bytes */
		{ "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==",
		    "m", 1, "", "v1,eJFsFBzglZOYuANIKfKygXGfJbQc+zV9woiUXheGfSM=" }, /* 64 */
	};
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_true(sign(rows[i].key, rows[i].id, rows[i].at_s, rows[i].body, &out));
		assert_string_equal(out.data, rows[i].signature);
	}
	buf_clear(&out);
}

static void
two_keys_sign_while_a_receiver_changes_over(void **state)
{
	struct secret key = { 0 }, old = { 0 }, none = { 0 };
	struct buf one = BUF_INIT, other = BUF_INIT, both = BUF_INIT, alone = BUF_INIT;
	struct error err;
	char want[400];

	(void)state;
	assert_true(secret_set(&key, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
	assert_true(secret_set(&old, "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"));
	assert_true(webhook_sign(&key, "m", 1, "{}", &one, &err) &&
	    webhook_sign(&old, "m", 1, "{}", &other, &err));
	assert_true(webhook_sign_header(&key, &old, "m", 1, "{}", &both, &err));
	assert_true(webhook_sign_header(&key, &none, "m", 1, "{}", &alone, &err));
	snprintf(want, sizeof(want), "%s %s", buf_str(&one), buf_str(&other));
	assert_string_equal(buf_str(&both), want);
	assert_string_equal(buf_str(&alone), buf_str(&one));
	assert_string_not_equal(buf_str(&one), buf_str(&other));
	secret_clear(&old);
	assert_true(secret_set(&old, "no key"));
	assert_false(webhook_sign_header(&key, &old, "m", 1, "{}", &both, &err));
	secret_clear(&key);
	secret_clear(&old);
	buf_clear(&one);
	buf_clear(&other);
	buf_clear(&both);
	buf_clear(&alone);
}

static void
a_key_that_is_not_one_is_refused_and_not_told(void **state)
{
	static const char *const bad[] = {
		"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRY=", /* 23 bytes */
		"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0A=", /* 65 */
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
		"whsec_",
		"whsec",
		"WHSEC_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
		"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
		"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh=8",
		"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd====",
		"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFR-_",
		"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRY\n",
	};
	struct buf out = BUF_INIT;
	struct secret unset = { 0 };
	struct error err = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (sign(bad[i], "m", 1, "", &out))
			fail_msg("accepted %s", bad[i]);
	assert_false(webhook_sign(&unset, "m", 1, "", &out, &err));
	assert_int_equal(err.code, ERR_INPUT);
	assert_int_equal(out.len, 0);
	buf_clear(&out);
}

/* Tries made when each is due to the moment, from the first on. */
static void
the_schedule_row_by_row(void **state)
{
	static const int64_t s = 1000, min = 60 * s, h = 60 * min;
	const int64_t steps[] = { 5 * s, 30 * s, 2 * min, 10 * min, 30 * min, h, 3 * h, 6 * h,
		6 * h, 6 * h, 6 * h, 6 * h, 6 * h, 6 * h, 6 * h, 6 * h, 6 * h, 6 * h };
	int64_t age = 0, tries = 1;

	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++) {
		assert_int_equal(webhook_retry_after_ms(tries++, age), steps[i]);
		age += steps[i];
	}
	assert_true(age > 66 * h && age <= 72 * h);
	assert_int_equal(webhook_retry_after_ms(tries, age), -1);
	assert_int_equal(webhook_retry_after_ms(9, 66 * h), 6 * h); /* 72 h to the millisecond is
								       still in */
	assert_int_equal(webhook_retry_after_ms(9, 66 * h + 1), -1);
	assert_int_equal(webhook_retry_after_ms(1, 72 * h - 5 * s), 5 * s);
	assert_int_equal(webhook_retry_after_ms(1, 72 * h), -1);
	assert_int_equal(webhook_retry_after_ms(INT64_MAX, 0), 6 * h);
}

static void
what_a_receiver_means_by_retry_after(void **state)
{
	static const int64_t now = 1709601630500, s = 1000, h = 3600 * 1000; /* Tue, 05 Mar 2024
										01:20:30.500 */
	static const struct {
		const char *value;
		int64_t ms;
	} rows[] = {
		{ "120", now + 120 * s },
		{ " 120 \r\n", now + 120 * s },
		{ "\t7\t", now + 7 * s },
		{ "1", now + 1 * s },
		{ "0007", now + 7 * s },
		{ "21600", now + 6 * h },
		{ "21601", now + 6 * h },
		{ "4294967296", now + 6 * h },
		{ "9223372036854775808", now + 6 * h },
		{ "99999999999999999999999999999999999999999999999999999999999999999999999999999999",
		    now + 6 * h },
		{ " Tue, 05 Mar 2024 01:25:30 GMT\r\n", now + 299500 },
		{ "Tuesday, 05-Mar-24 01:25:30 GMT", now + 299500 },
		{ "Tue Mar  5 01:25:30 2024", now + 299500 },
		{ "Tue, 05 Mar 2024 01:20:31 GMT", now + 500 },
		{ "Tue, 05 Mar 2024 07:20:31 GMT", now + 6 * h },
		{ "Fri, 31 Dec 9999 23:59:59 GMT", now + 6 * h },
		{ "0", 0 },
		{ "", 0 },
		{ "  ", 0 },
		{ "-5", 0 },
		{ "+5", 0 },
		{ "1.5", 0 },
		{ "1e3", 0 },
		{ "0x10", 0 },
		{ "5 s", 0 },
		{ "60, 120", 0 },
		{ "soon", 0 },
		{ "Tue, 05 Mar 2024 01:20:30 GMT", 0 },
		{ "Mon, 04 Mar 2024 01:25:30 GMT", 0 },
		{ "Sun Nov  6 08:49:37 1994", 0 },
		{ "Tue, 05 Mar 2024 01:25:30 KST", 0 },
		{ "Tue, 05 Mar 2024 01:25:30 GMT and much more that no date has behind it", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (webhook_not_before_ms(rows[i].value, now) != rows[i].ms)
			fail_msg("Retry-After: %s is %lld ms from now", rows[i].value,
			    (long long)(webhook_not_before_ms(rows[i].value, now) - now));
	assert_true(webhook_may_put_off(429) && webhook_may_put_off(503));
	assert_false(webhook_may_put_off(500) || webhook_may_put_off(502) ||
	    webhook_may_put_off(202) || webhook_may_put_off(301) || webhook_may_put_off(0));
}

static void
which_answers_are_for_an_operator(void **state)
{
	static const struct {
		const char *type;
		int64_t status;
		bool unbookable, gone;
	} rows[] = { { "payment.approved", 410, true, false },
		{ "payment.approved", 409, true, false }, { "payment.approved", 422, true, false },
		{ "payment.approved", 404, false, false }, { "queue.removed", 410, false, true },
		{ "payment.resolved", 410, false, true }, { "payment.refunded", 410, false, true },
		{ "queue.removed", 409, false, false }, { "queue.removed", 503, false, false },
		{ "queue.removed", 200, false, false }, { "queue.removed", 0, false, false } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (outbox_is_unbookable(rows[i].type, rows[i].status) != rows[i].unbookable ||
		    outbox_is_gone(rows[i].type, rows[i].status) != rows[i].gone)
			fail_msg("%s, %lld", rows[i].type, (long long)rows[i].status);
}

static const struct payment paid = { .aid = "A1",
	.tid = "T1",
	.cid = "TC0ONETIME",
	.partner_order_id = "o-1",
	.partner_user_id = "p-1",
	.user_id = "u-1",
	.item_name = "방",
	.payment_method_type = "MONEY",
	.quantity = 1,
	.amount = { 2200, 0, 200, 0, 0 },
	.created_at_ms = 1709601630000,
	.approved_at_ms = 1709601651000 };
#define PAYMENT_JSON \
	"{\"aid\":\"A1\",\"amount\":{\"total\":2200,\"tax_free\":0,\"vat\":200,\"point\":0,\"discount\":0}," \
	"\"approved_at\":\"2024-03-05T01:20:51.000Z\",\"cid\":\"TC0ONETIME\",\"created_at\":\"2024-03-05T01:20:30.000Z\",\"item_name\":\"방\"," \
	"\"partner_order_id\":\"o-1\",\"partner_user_id\":\"p-1\",\"payment_method_type\":\"MONEY\",\"quantity\":1,\"tid\":\"T1\",\"userId\":\"u-1\"}"
#define INFO_JSON "{\"day\":[1],\"startTime\":[9.50],\"endTime\":[12],\"roomId\":\"r\"}"
#define HEAD(type) \
	"{\"type\":\"" type \
	"\",\"timestamp\":\"2024-03-05T01:20:51.000Z\",\"data\":{\"userId\":\"u \\\"1\\\"\",\"roomId\":\"r\",\"tid\":\"T1\""

static void
each_kind_has_its_members_peer_and_id(void **state)
{
	static const struct {
		enum outbox_kind kind;
		bool captured;
		const char *id, *type, *peer, *body;
	} rows[] = {
		{ OUTBOX_PAYMENT_APPROVED, true, "payment.approved.T1", "payment.approved",
		    "reservation",
		    HEAD("payment.approved") ",\"reservationInfo\":" INFO_JSON
					     ",\"payment\":" PAYMENT_JSON "}}" },
		{ OUTBOX_QUEUE_REMOVED, true, "queue.removed.T1", "queue.removed", "gateway",
		    HEAD(
			"queue.removed") ",\"partner_order_id\":\"o-1\",\"state\":\"approved\",\"reservationInfo\":" INFO_JSON
					 ",\"payment\":" PAYMENT_JSON "}}" },
		{ OUTBOX_QUEUE_REMOVED, false, "queue.removed.T1", "queue.removed", "gateway",
		    HEAD(
			"queue.removed") ",\"partner_order_id\":\"o-1\",\"state\":\"approved\",\"reservationInfo\":" INFO_JSON
					 "}}" },
		{ OUTBOX_PAYMENT_RESOLVED, true, "payment.resolved.T1", "payment.resolved",
		    "gateway",
		    HEAD(
			"payment.resolved") ",\"partner_order_id\":\"o-1\",\"state\":\"approved\",\"charged\":true,\"payment\":" PAYMENT_JSON
					    "}}" },
		{ OUTBOX_PAYMENT_RESOLVED, false, "payment.resolved.T1", "payment.resolved",
		    "gateway",
		    HEAD(
			"payment.resolved") ",\"partner_order_id\":\"o-1\",\"state\":\"approved\",\"charged\":false}}" },
		{ OUTBOX_REFUNDED_TO_GATEWAY, true, "payment.refunded.T1.5.gateway",
		    "payment.refunded", "gateway",
		    HEAD(
			"payment.refunded") ",\"partner_order_id\":\"o-1\",\"state\":\"approved\",\"refundId\":\"r-1\","
					    "\"amount\":{\"total\":1000,\"tax_free\":0,\"vat\":91},\"canceled\":1500,\"left\":700,\"payment\":" PAYMENT_JSON
					    "}}" },
		{ OUTBOX_REFUNDED_TO_RESERVATION, true, "payment.refunded.T1.5.reservation",
		    "payment.refunded", "reservation",
		    HEAD(
			"payment.refunded") ",\"partner_order_id\":\"o-1\",\"state\":\"approved\",\"refundId\":\"r-1\","
					    "\"amount\":{\"total\":1000,\"tax_free\":0,\"vat\":91},\"canceled\":1500,\"left\":700,\"payment\":" PAYMENT_JSON
					    "}}" },
	};
	static const struct ledger_event refunded = { .n = 5,
		.kind = LK_PART_REFUNDED,
		.has_refund = true,
		.refund = { .id = "r-1", .amount = 1000, .vat = 91, .canceled = 1500 } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct outbox_facts f = { "u \"1\"", "r", "T1", "o-1", "approved", INFO_JSON,
			rows[i].captured ? &paid : NULL,
			rows[i].kind >= OUTBOX_REFUNDED_TO_RESERVATION ? &refunded : NULL };
		struct store_message m;
		struct error err;

		assert_true(outbox_message(rows[i].kind, &f, 1709601651000, &m, &err));
		assert_string_equal(m.id, rows[i].id);
		assert_string_equal(m.type, rows[i].type);
		assert_string_equal(m.peer, rows[i].peer);
		assert_string_equal(m.tid, "T1");
		assert_string_equal(m.body, rows[i].body);
		assert_true(strict_check(m.body, strlen(m.body), 8, &err));
		assert_int_equal(m.at_ms, 1709601651000);
		assert_int_equal(m.tries, 0);
		assert_int_equal(m.last_try_ms, 0);
		free(m.body);
	}
}

static void
an_id_says_what_it_is_of(void **state)
{
	static const char *const bad[] = { "", "payment.approved", "payment.approved.",
		"payment.approved.T1.2", "payment.refunded.T1", "payment.refunded.T1.5",
		"payment.refunded.T1.0.gateway", "payment.refunded.T1.5.nobody",
		"payment.refunded.T1.x.gateway", "payment.refunded.T1.-5.gateway",
		"roompay.test.abc", "payment.approvedT1",
		"payment.approved.T2345678901234567890123456789" };
	enum outbox_kind kind;
	char id[MESSAGE_ID_CAP], tid[TID_CAP];
	int64_t n;

	(void)state;
	for (int k = 0; k < OUTBOX__MAX; k++) {
		bool refund =
		    k == OUTBOX_REFUNDED_TO_GATEWAY || k == OUTBOX_REFUNDED_TO_RESERVATION;

		outbox_id((enum outbox_kind)k, "T1", 17, id);
		assert_true(outbox_parse_id(id, &kind, tid, &n));
		assert_int_equal(kind, k);
		assert_string_equal(tid, "T1");
		assert_int_equal(n, refund ? 17 : 0);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		if (outbox_parse_id(bad[i], &kind, tid, &n))
			fail_msg("%s is no id", bad[i]);
}

static struct store_message
message(const char *type, const char *tid, const char *rest, const char *peer)
{
	struct store_message m = { 0 };

	snprintf(m.type, sizeof(m.type), "%s", type);
	snprintf(m.tid, sizeof(m.tid), "%s", tid);
	snprintf(m.peer, sizeof(m.peer), "%s", peer);
	snprintf(m.id, sizeof(m.id), "%s.%s%s", type, tid, rest);
	return m;
}

static void
refunds_are_told_in_their_order(void **state)
{
	const struct store_message nine =
				       message("payment.refunded", "T1", ".9.gateway", "gateway"),
				   ten =
				       message("payment.refunded", "T1", ".10.gateway", "gateway"),
				   other_peer = message("payment.refunded", "T1", ".9.reservation",
				       "reservation"),
				   other_tid =
				       message("payment.refunded", "T2", ".9.gateway", "gateway"),
				   approved = message("payment.approved", "T1", "", "reservation");

	(void)state;
	assert_true(outbox_waits_for(&ten, &nine));
	assert_false(outbox_waits_for(&nine, &ten));
	assert_false(outbox_waits_for(&ten, &ten));
	assert_false(outbox_waits_for(&ten, &other_peer));
	assert_false(outbox_waits_for(&ten, &other_tid));
	assert_true(outbox_compare(&nine, &ten) < 0 && outbox_compare(&ten, &nine) > 0 &&
	    outbox_compare(&ten, &ten) == 0);
	assert_true(outbox_compare(&ten, &other_peer) < 0 && outbox_compare(&ten, &other_tid) < 0);
	assert_true(outbox_follows_approved(&nine));
	assert_false(outbox_follows_approved(&approved));
}

static void
payment_approved_was_heard_when_nothing_of_it_will_be_sent_any_more(void **state)
{
	static const struct {
		struct store_try last;
		bool heard;
	} rows[] = {
		{ { .number = 1 }, false },
		{ { .number = 1, .ended = true, .status = 500 }, false },
		{ { .number = 1, .ended = true, .acknowledged = true, .status = 200 }, true },
		{ { .number = 1, .ended = true, .withdrawn = true }, true },
		{ { .number = 1, .ended = true, .status = 409 }, true },
		{ { .number = 1, .ended = true, .status = 404 }, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(outbox_was_heard(&rows[i].last), rows[i].heard);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signatures_are_those_of_others),
		cmocka_unit_test(two_keys_sign_while_a_receiver_changes_over),
		cmocka_unit_test(a_key_that_is_not_one_is_refused_and_not_told),
		cmocka_unit_test(the_schedule_row_by_row),
		cmocka_unit_test(what_a_receiver_means_by_retry_after),
		cmocka_unit_test(which_answers_are_for_an_operator),
		cmocka_unit_test(each_kind_has_its_members_peer_and_id),
		cmocka_unit_test(an_id_says_what_it_is_of),
		cmocka_unit_test(refunds_are_told_in_their_order),
		cmocka_unit_test(
		    payment_approved_was_heard_when_nothing_of_it_will_be_sent_any_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
