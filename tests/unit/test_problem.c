/* The table of problems is complete in both languages, every end of a flow has its answer, and
 * Accept-Language chooses. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fcgi/problem.h"

/* U+AC00..U+D7A3: three bytes from EA B0 80 to ED 9E A3. */
static bool
has_hangul(const char *s)
{
	for (const unsigned char *p = (const unsigned char *)s; *p != '\0'; p++)
		if (*p >= 0xea && *p <= 0xed)
			return true;
	return false;
}

static bool
is_ascii(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

static void
every_problem_has_a_code_a_status_and_words_in_both_languages(void **state)
{
	(void)state;
	for (int p = 0; p < PROBLEM__MAX; p++) {
		const struct problem_row *r = problem_row((enum problem)p);

		assert_true(r->code[0] != '\0' &&
		    strspn(r->code, "abcdefghijklmnopqrstuvwxyz-") == strlen(r->code));
		assert_in_range(r->status, 400, 503);
		assert_true(has_hangul(r->text[LANGUAGE_KO].title) &&
		    has_hangul(r->text[LANGUAGE_KO].detail));
		assert_true(
		    is_ascii(r->text[LANGUAGE_EN].title) && is_ascii(r->text[LANGUAGE_EN].detail));
		assert_true(r->text[LANGUAGE_EN].title[0] != '\0' &&
		    r->text[LANGUAGE_EN].detail[0] != '\0');
		for (int q = 0; q < p; q++)
			assert_string_not_equal(r->code, problem_row((enum problem)q)->code);
	}
}

static void
the_table_row_by_row(void **state)
{
	static const struct {
		enum problem p;
		int status;
		const char *code;
		bool says_charged, retry;
	} rows[] = {
		{ PROBLEM_MALFORMED_JSON, 400, "malformed-json", false, false },
		{ PROBLEM_UNAUTHENTICATED, 401, "unauthenticated", false, false },
		{ PROBLEM_FORBIDDEN, 403, "forbidden", false, false },
		{ PROBLEM_NO_ROUTE, 404, "no-route", false, false },
		{ PROBLEM_METHOD_NOT_ALLOWED, 405, "method-not-allowed", false, false },
		{ PROBLEM_TOO_LARGE, 413, "too-large", false, false },
		{ PROBLEM_UNSUPPORTED_MEDIA_TYPE, 415, "unsupported-media-type", false, false },
		{ PROBLEM_INVALID_FIELDS, 422, "invalid-fields", false, false },
		{ PROBLEM_UNKNOWN_MERCHANT, 422, "unknown-merchant", false, false },
		{ PROBLEM_SLOT_HELD, 409, "slot-held", false, true },
		{ PROBLEM_SLOT_SOLD, 409, "slot-sold", false, true },
		{ PROBLEM_ORDER_ALREADY_PAID, 409, "order-already-paid", true, false },
		{ PROBLEM_PAYMENT_IN_PROGRESS, 409, "payment-in-progress", true, true },
		{ PROBLEM_PAYMENT_DECLINED, 402, "payment-declined", true, false },
		{ PROBLEM_TOKEN_REFUSED, 409, "token-refused", true, false },
		{ PROBLEM_NO_HOLD, 404, "no-hold", false, false },
		{ PROBLEM_HOLD_EXPIRED, 410, "hold-expired", true, false },
		{ PROBLEM_TOO_MANY_HOLDS, 429, "too-many-holds", false, true },
		{ PROBLEM_TOO_MANY_REQUESTS, 429, "too-many-requests", false, true },
		{ PROBLEM_PROVIDER_UNREACHABLE, 502, "provider-unreachable", true, false },
		{ PROBLEM_PROVIDER_ERROR, 502, "provider-error", true, false },
		{ PROBLEM_PROVIDER_BUSY, 503, "provider-busy", true, true },
		{ PROBLEM_QUEUE_UNAVAILABLE, 503, "queue-unavailable", true, true },
		{ PROBLEM_STORE_UNAVAILABLE, 503, "store-unavailable", true, true },
		{ PROBLEM_NOT_READY, 503, "not-ready", true, true },
		{ PROBLEM_INTERNAL_ERROR, 500, "internal-error", true, false },
		{ PROBLEM_NO_PAYMENT, 404, "no-payment", false, false },
		{ PROBLEM_PAYMENT_IN_REVIEW, 409, "payment-in-review", true, false },
		{ PROBLEM_REFUND_IN_PROGRESS, 409, "refund-in-progress", true, true },
		{ PROBLEM_REFUND_EXCEEDS, 409, "refund-exceeds", true, false },
		{ PROBLEM_REFUND_MISMATCH, 409, "refund-mismatch", true, false },
		{ PROBLEM_REFUND_DECLINED, 402, "refund-declined", true, false },
		{ PROBLEM_CROSS_ORIGIN, 403, "cross-origin", false, false },
		{ PROBLEM_NOT_KNOWN, 404, "not-known", false, false },
		{ PROBLEM_NOT_IN_THIS_STATE, 409, "not-in-this-state", false, false },
		{ PROBLEM_REFUND_REPEATED, 409, "refund-repeated", false, false },
	};

	(void)state;
	assert_int_equal(sizeof(rows) / sizeof(rows[0]), PROBLEM__MAX);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct problem_row *r = problem_row(rows[i].p);

		assert_string_equal(r->code, rows[i].code);
		assert_int_equal(r->status, rows[i].status);
		if (r->says_charged != rows[i].says_charged || (r->retry_ms > 0) != rows[i].retry)
			fail_msg("%s: charged or Retry-After", r->code);
	}
}

static void
every_end_of_a_flow_has_its_answer(void **state)
{
	static const struct {
		enum flow_result r;
		enum problem p;
	} rows[] = {
		{ FR_OK, PROBLEM__MAX },
		{ FR_UNKNOWN, PROBLEM__MAX },
		{ FR_RECORDING, PROBLEM__MAX },
		{ FR_SLOT_HELD, PROBLEM_SLOT_HELD },
		{ FR_SLOT_SOLD, PROBLEM_SLOT_SOLD },
		{ FR_ORDER_PAID, PROBLEM_ORDER_ALREADY_PAID },
		{ FR_IN_PROGRESS, PROBLEM_PAYMENT_IN_PROGRESS },
		{ FR_DECLINED, PROBLEM_PAYMENT_DECLINED },
		{ FR_TOKEN_REFUSED, PROBLEM_TOKEN_REFUSED },
		{ FR_NO_HOLD, PROBLEM_NO_HOLD },
		{ FR_EXPIRED, PROBLEM_HOLD_EXPIRED },
		{ FR_TOO_MANY_HOLDS, PROBLEM_TOO_MANY_HOLDS },
		{ FR_TOO_MANY_REQUESTS, PROBLEM_TOO_MANY_REQUESTS },
		{ FR_PROVIDER_UNREACHABLE, PROBLEM_PROVIDER_UNREACHABLE },
		{ FR_PROVIDER_ERROR, PROBLEM_PROVIDER_ERROR },
		{ FR_PROVIDER_BUSY, PROBLEM_PROVIDER_BUSY },
		{ FR_QUEUE_UNAVAILABLE, PROBLEM_QUEUE_UNAVAILABLE },
		{ FR_STORE_UNAVAILABLE, PROBLEM_STORE_UNAVAILABLE },
		{ FR_NOT_READY, PROBLEM_NOT_READY },
		{ FR_INTERNAL, PROBLEM_INTERNAL_ERROR },
		{ FR_NO_PAYMENT, PROBLEM_NO_PAYMENT },
		{ FR_IN_REVIEW, PROBLEM_PAYMENT_IN_REVIEW },
		{ FR_REFUND_UNKNOWN, PROBLEM__MAX },
		{ FR_REFUND_IN_PROGRESS, PROBLEM_REFUND_IN_PROGRESS },
		{ FR_REFUND_EXCEEDS, PROBLEM_REFUND_EXCEEDS },
		{ FR_REFUND_MISMATCH, PROBLEM_REFUND_MISMATCH },
		{ FR_REFUND_DECLINED, PROBLEM_REFUND_DECLINED },
		{ FR_TAX_FREE_REQUIRED, PROBLEM_INVALID_FIELDS },
	};

	(void)state;
	assert_int_equal(sizeof(rows) / sizeof(rows[0]), FR__MAX);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(problem_of_result(rows[i].r), rows[i].p);
	assert_int_equal(problem_of_result(FR__MAX), PROBLEM_INTERNAL_ERROR);
}

static void
every_wrong_field_has_words_in_both_languages(void **state)
{
	(void)state;
	for (int c = 0; c < FIELD__OK; c++) {
		assert_true(has_hangul(problem_field_text((enum field_code)c, LANGUAGE_KO)));
		assert_true(is_ascii(problem_field_text((enum field_code)c, LANGUAGE_EN)));
		assert_true(strlen(problem_field_text((enum field_code)c, LANGUAGE_EN)) > 10);
	}
	assert_non_null(strstr(problem_field_text(FIELD_ORDER, LANGUAGE_KO), "24"));
	assert_non_null(strstr(problem_field_text(FIELD_ORDER, LANGUAGE_EN), "24"));
}

static void
the_language_that_the_header_likes_best(void **state)
{
	static const struct {
		const char *header;
		enum language l;
	} rows[] = {
		{ NULL, LANGUAGE_KO },
		{ "", LANGUAGE_KO },
		{ "en", LANGUAGE_EN },
		{ "EN", LANGUAGE_EN },
		{ "ko", LANGUAGE_KO },
		{ "en-US,en;q=0.9,ko;q=0.1", LANGUAGE_EN },
		{ "ko-KR,ko;q=0.9,en;q=0.5", LANGUAGE_KO },
		{ "en;q=0.5,ko;q=0.6", LANGUAGE_KO },
		{ "ko;q=0.4 , en;q=0.401", LANGUAGE_EN },
		{ "en, ko", LANGUAGE_KO }, /* both equally: the site's own */
		{ "fr", LANGUAGE_KO },
		{ "fr, en;q=0.1", LANGUAGE_EN },
		{ "*", LANGUAGE_KO },
		{ "ko;q=0, *", LANGUAGE_EN },
		{ "ko;q=0.2,*;q=0.5", LANGUAGE_EN },
		{ "enm", LANGUAGE_KO }, /* Middle English is not English */
		{ "en;q=0", LANGUAGE_KO },
		{ "en;q=9", LANGUAGE_EN },
		{ "en ; q=0.7, ko ; q=0.3", LANGUAGE_EN },
		{ ";;;q=,,,=*", LANGUAGE_KO },
		{ "en;q=0.12345", LANGUAGE_EN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (language_choose(rows[i].header) != rows[i].l)
			fail_msg("\"%s\" gave %s", rows[i].header,
			    language_tag(language_choose(rows[i].header)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_problem_has_a_code_a_status_and_words_in_both_languages),
		cmocka_unit_test(the_table_row_by_row),
		cmocka_unit_test(every_end_of_a_flow_has_its_answer),
		cmocka_unit_test(every_wrong_field_has_words_in_both_languages),
		cmocka_unit_test(the_language_that_the_header_likes_best),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
