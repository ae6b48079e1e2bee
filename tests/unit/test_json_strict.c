/* Strict RFC 8259: the rules that the well-known suites check, with cases of our own, and what we
 * refuse beyond the RFC. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "json/canonical.h"
#include "json/number.h"
#include "json/strict.h"

struct text {
	const char *bytes;
	size_t len;
};
#define T(s) \
	{ \
		s, sizeof(s) - 1 \
	}

static const struct text taken[] = {
	T("{}"),
	T("[]"),
	T(" [] "),
	T("\t\r\n{}\n"),
	T("0"),
	T("-0"),
	T("-1"),
	T("10"),
	T("1.5"),
	T("0.25"),
	T("-0.5e-3"),
	T("1e5"),
	T("1E5"),
	T("1E+5"),
	T("1e-5"),
	T("2.5e+10"),
	T("0e1"),
	T("0e+1"),
	T("-0.0"),
	T("123456789012345678901234567890"),
	T("-987654321098765432109876543210"),
	T("0.000000000000000000000000000000000000000000000000000000000000000001"),
	T("1e400"),
	T("true"),
	T("false"),
	T("null"),
	T("\"\""),
	T("\"a\""),
	T("\" \""),
	T("[null, true,false ,0]"),
	T("[[]   ]"),
	T("[\"\"]"),
	T("[1,null,null,2]"),
	T("[1\n,2]"),
	T("[-2]"),
	T("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
	T("\"\\u0041\\u00e9\\uac00\\uFFFF\""),
	T("\"\\u0001\\u001f\\u007f\""),
	T("\"\\uD834\\uDD1E\""),
	T("\"\\ud834\\udd1e\""),
	T("\"\\uDBFF\\uDFFF\""),
	T("\"\\\\u0000\""),
	T("\"\\\\\\\"\""),
	T("\"a/*b*/c\""),
	T("\"\x7f\""),
	T("\"'\""),
	T("\"\xc2\x80\""),
	T("\"\xdf\xbf\""),
	T("\"\xe0\xa0\x80\""),
	T("\"\xed\x9f\xbf\""),
	T("\"\xee\x80\x80\""),
	T("\"\xef\xbf\xbf\""),
	T("\"\xf0\x90\x80\x80\""),
	T("\"\xf4\x8f\xbf\xbf\""),
	T("\"\xed\x95\x9c\xea\xb8\x80\""),
	T("\"\xe2\x80\xa8\xe2\x80\xa9\""),
	T("\"\xef\xbb\xbf\""),
	T("{\"a\":1}"),
	T("{\"a\":1,\"b\":2}"),
	T("{\"\":0}"),
	T("{\"a\":{\"a\":{\"a\":1}}}"),
	T("{ \"a\" : [ ] }"),
	T("{\"a\":1,\"A\":2}"),
	T("[{\"a\":1},{\"a\":1}]"),
	T("{\"a\":{\"b\":1},\"b\":1}"),
	T("{\"ab\":{\"c\":1},\"c\":{\"ab\":1}}"),
	T("[[[[[[[[]]]]]]]]"),
	T("{\"1\":{\"2\":{\"3\":{\"4\":{\"5\":{\"6\":{\"7\":{}}}}}}}}"),
	T("[[[[[[[0]]]]]]]"),
};

static const struct text refused[] = {
	/* structure */
	T(""),
	T(" "),
	T("[1"),
	T("[1,"),
	T("[,1]"),
	T("[1,,2]"),
	T("[1,]"),
	T("[,]"),
	T("[1 2]"),
	T("[1:2]"),
	T("[\"a\""),
	T("[\"a\","),
	T("["),
	T("[\"x\"]]"),
	T("1]"),
	T("[1]x"),
	T("[][]"),
	T("[]\0"),
	T("{}\0{}"),
	T("{} {}"),
	T("{"),
	T("}"),
	T("]"),
	T("{]"),
	T("[}"),
	T("{[}"),
	T("[{]"),
	T("{\"a\""),
	T("{\"a\":"),
	T("{\"a\":1"),
	T("{\"a\":1,"),
	T("{\"a\":1,}"),
	T("{\"a\":1,,\"b\":2}"),
	T("{,\"a\":1}"),
	T("{\"a\" 1}"),
	T("{\"a\",1}"),
	T("{\"a\"::1}"),
	T("{\"a\":\"b\":\"c\"}"),
	T("{a:1}"),
	T("{1:1}"),
	T("{'a':1}"),
	T("{null:1}"),
	T("{[]:1}"),
	T("{\"a\":1 \"b\":2}"),
	T("{\"a\":1}#"),
	T("{\"a\":1}/**/"),
	T("{\"a\":1}//"),
	T("/*c*/{}"),
	T("#"),
	T("*"),
	T("[*]"),
	T("<.>"),
	T("[\v1]"),
	T("[\f]"),
	T("[\xc2\xa0]"),
	T("\xef\xbb\xbf{}"),
	T("\xe2\x81\xa0[]"),
	T("{\"a\":1}}"),
	T("[1]]"),
	T("{} x"),
	T("{}\xff"),
	T("a"),
	T("\xc3\xa5"),
	T("[a]"),
	T("[\xc3\xa5]"),
	T(","),
	T(":"),
	T("\""),
	T("[\"\x00\"]"),
	T("\\"),
	T("[\\n]"),
	T("(1)"),
	/* words */
	T("tru"),
	T("True"),
	T("TRUE"),
	T("nul"),
	T("fals"),
	T("truex"),
	T("NaN"),
	T("[NaN]"),
	T("Infinity"),
	T("-Infinity"),
	T("[+Infinity]"),
	T("undefined"),
	T("nan"),
	T("[nulL]"),
	/* numbers */
	T("01"),
	T("-01"),
	T("00"),
	T("+1"),
	T("++1"),
	T("--1"),
	T("-"),
	T("[-]"),
	T("- 1"),
	T("-a"),
	T(".5"),
	T("-.5"),
	T("1."),
	T("-1."),
	T("1.e5"),
	T("1.5.5"),
	T("1e"),
	T("1E"),
	T("1e+"),
	T("1e-"),
	T("1eE2"),
	T("0e"),
	T("0.e1"),
	T("1.0e"),
	T("1.0e+"),
	T("0x1"),
	T("0x"),
	T("0b1"),
	T("1_000"),
	T("1 000"),
	T("1a"),
	T("1.2a"),
	T("1e1.5"),
	T("2.e3"),
	T("9.e+"),
	T("-012"),
	T("-2."),
	T("1ea"),
	T("1+2"),
	T("1-"),
	T("\xef\xbc\x91"),
	T("0.3e"),
	T(".2e-3"),
	T("-1x"),
	T("Inf"),
	T("012"),
	/* strings */
	T("'a'"),
	T("['a']"),
	T("\"a"),
	T("a\""),
	T("\"\n\""),
	T("\"\t\""),
	T("\"\x1f\""),
	T("\"\x01\""),
	T("\"a\0b\""),
	T("\"\\"),
	T("\"\\\""),
	T("\"\\x00\""),
	T("\"\\a\""),
	T("\"\\'\""),
	T("\"\\0\""),
	T("\"\\U0041\""),
	T("\"\\u\""),
	T("\"\\u1\""),
	T("\"\\u12\""),
	T("\"\\u123\""),
	T("\"\\u123"),
	T("\"\\u12G4\""),
	T("\"\\u 123\""),
	T("\"\\u-123\""),
	T("\"\\\xf0\x9f\x8c\x80\""),
	T("\"\\\t\""),
	T("\"\\\0\""),
	T("\"\\u{41}\""),
	T("\"\\ua\xc3\xa9"),
	/* surrogates that stand alone, and NUL */
	T("\"\\uD800\""),
	T("\"\\uDFFF\""),
	T("\"\\uDC00\\uD800\""),
	T("\"\\uD800\\uD800\""),
	T("\"\\uD800a\""),
	T("\"\\uD800\\n\""),
	T("\"\\uD834\\u0041\""),
	T("\"\\uD834\\u\""),
	T("\"\\uD834\\\""),
	T("\"\\uD8\""),
	T("\"\\u0000\""),
	T("{\"a\\u0000b\":1}"),
	T("[\"x\\u0000\"]"),
	/* UTF-8 */
	T("\"\x80\""),
	T("\"\xbf\""),
	T("\"\xc0\x80\""),
	T("\"\xc1\xbf\""),
	T("\"\xc0\xaf\""),
	T("\"\xc2\""),
	T("\"\xc2"),
	T("\"\xc2 \""),
	T("\"\xe0\x80\x80\""),
	T("\"\xe0\x9f\xbf\""),
	T("\"\xe1\x80\""),
	T("\"\xe1\x80"),
	T("\"\xed\xa0\x80\""),
	T("\"\xed\xbf\xbf\""),
	T("\"\xf0\x80\x80\x80\""),
	T("\"\xf0\x8f\xbf\xbf\""),
	T("\"\xf4\x90\x80\x80\""),
	T("\"\xf5\x80\x80\x80\""),
	T("\"\xf8\x88\x80\x80\x80\""),
	T("\"\xfe\""),
	T("\"\xff\""),
	T("\"\xf0\x90\x80\""),
	T("\"\xf0\x90"),
	T("{\"\xff\":1}"),
	T("[\"\xe9\"]"),
	T("\"\xe5\"e"),
	T("\"\xf0\x90\x41\x80\""),
	T("\"\xe1\x80\xc0\""),
	/* members twice */
	T("{\"a\":1,\"a\":1}"),
	T("{\"a\":1,\"b\":2,\"a\":3}"),
	T("{\"a\":1,\"\\u0061\":1}"),
	T("{\"\":1,\"\":2}"),
	T("[{\"x\":{\"a\":1,\"a\":2}}]"),
	T("{\"a\":{\"b\":1},\"a\":2}"),
	T("{\"\xea\xb0\x80\":1,\"\\uac00\":2}"),
	T("{\"\\ud834\\udd1e\":1,\"\xf0\x9d\x84\x9e\":2}"),
	T("{\"\\/\":1,\"/\":2}"),
	T("{\"b\":{\"a\":1},\"a\":1,\"a\":2}"),
	/* depth */
	T("[[[[[[[[[]]]]]]]]]"),
	T("{\"1\":{\"2\":{\"3\":{\"4\":{\"5\":{\"6\":{\"7\":{\"8\":{}}}}}}}}}"),
	T("[[[[[[[[{}]]]]]]]]"),
	T("[[[[[[[[[[[[[[[["),
};

static void
taken_all(void **state)
{
	struct error err = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		if (!strict_check(taken[i].bytes, taken[i].len, STRICT_DEPTH, &err))
			fail_msg("row %zu (%s): %s", i, taken[i].bytes, err.msg);
		if (taken[i].bytes[0] == '{') {
			struct json_object *o = NULL;

			if (!strict_parse_object(taken[i].bytes, taken[i].len, STRICT_DEPTH, &o,
				&err))
				fail_msg("row %zu (%s): %s", i, taken[i].bytes, err.msg);
			json_object_put(o);
		}
	}
}

static void
refused_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct error err = { 0 };
		/* a copy of exactly that length, so that reading beyond it is seen by the
		 * sanitizers */
		char *copy = malloc(refused[i].len + 1);

		assert_non_null(copy);
		memmove(copy + 1, refused[i].bytes, refused[i].len);
		if (strict_check(copy + 1, refused[i].len, STRICT_DEPTH, &err))
			fail_msg("row %zu was taken: %s", i, refused[i].bytes);
		assert_int_equal(err.code, ERR_INPUT);
		free(copy);
	}
}

/* Cutting a text anywhere, or damaging any byte, never reads beyond it; a cut object is never
 * complete. */
static void
cut_anywhere(void **state)
{
	static const char text[] =
	    "{\"a\\n\xed\x95\x9c\":[1.5e-3,true,null,\"\\ud834\\udd1e\"],\"b\":{\"c\":-0}}";

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		char *copy = malloc(len + 1);

		assert_non_null(copy);
		memcpy(copy + 1, text, len);
		assert_false(strict_check(copy + 1, len, STRICT_DEPTH, NULL));
		for (size_t at = 1; at <= len; at++)
			for (int bit = 0; bit < 8; bit++) {
				copy[at] = (char)(copy[at] ^ (1 << bit));
				assert_false(strict_check(copy + 1, len, STRICT_DEPTH, NULL));
				copy[at] = (char)(copy[at] ^ (1 << bit));
			}
		free(copy);
	}
}

static void
deep_is_cheap(void **state)
{
	enum { DEEP = 100000 };
	char *text = malloc(DEEP);
	struct error err = { 0 };

	(void)state;
	assert_non_null(text);
	memset(text, '[', DEEP);
	assert_false(strict_check(text, DEEP, 64, &err));
	assert_non_null(strstr(err.msg, "deep"));
	for (size_t i = 0; i + 5 <= DEEP; i += 5)
		memcpy(text + i, "{\"\":x", 5);
	assert_false(strict_check(text, DEEP, 64, NULL));
	free(text);
}

static void
only_objects(void **state)
{
	static const char *const others[] = { "[]", "1", "\"a\"", "null", "true" };
	static const char text[] = "{\"a\":[1,{\"b\":\"\xed\x95\x9c\"}]}";
	struct json_object *o = NULL;
	struct error err = { 0 };

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		assert_false(
		    strict_parse_object(others[i], strlen(others[i]), STRICT_DEPTH, &o, &err));
		assert_int_equal(err.code, ERR_INPUT);
	}
	assert_true(strict_parse_object(text, strlen(text), STRICT_DEPTH, &o, &err));
	assert_string_equal(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN), text);
	json_object_put(o);
}

/* What becomes of each value, as json-c writes it and as its getters give it. */
static void
values_of_the_tree(void **state)
{
	static const struct {
		const char *text, *written;
		int64_t number;
	} rows[] = {
		{ "0", "0", 0 },
		{ "-0", "0", 0 },
		{ "-1", "-1", -1 },
		{ "9223372036854775807", "9223372036854775807", INT64_MAX },
		{ "9223372036854775808", "9223372036854775808", INT64_MAX },
		{ "18446744073709551616", "18446744073709551616", INT64_MAX },
		{ "99999999999999999999999", "99999999999999999999999", INT64_MAX },
		{ "1e400", "1e400", INT64_MAX },
		{ "-9223372036854775808", "-9223372036854775808", INT64_MIN },
		{ "-9223372036854775809", "-9223372036854775809", INT64_MIN },
		{ "-99999999999999999999999", "-99999999999999999999999", INT64_MIN },
		{ "1.50", "1.50", 1 },
		{ "-25e-1", "-25e-1", -2 },
		{ "1E2", "100", 100 },
		{ "true", "true", 1 },
		{ "false", "false", 0 },
		{ "null", "null", 0 },
		{ "\"\"", "\"\"", 0 },
		{ "\"a b\"", "\"a b\"", 0 },
		{ "\"\\u0041\\n\\\\\\\"b\"", "\"A\\n\\\\\\\"b\"", 0 },
		{ "\"x\\ud834\\udd1e\"", "\"x\xf0\x9d\x84\x9e\"", 0 },
		{ "\"\\u00e9\\uac00z\"", "\"\xc3\xa9\xea\xb0\x80z\"", 0 },
		{ " [ ] ", "[]", 0 },
		{ "[null,[1,{}],\"a\"]", "[null,[1,{}],\"a\"]", 0 },
		{ "{\"b\":{\"\\u0063\":[{\"d\":null}],\"e\\\"\":2},\"a\":3}",
		    "{\"b\":{\"c\":[{\"d\":null}],\"e\\\"\":2},\"a\":3}", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct json_object *o = NULL;

		assert_true(
		    strict_parse(rows[i].text, strlen(rows[i].text), STRICT_DEPTH, &o, NULL));
		assert_string_equal(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
		    rows[i].written);
		assert_int_equal(json_object_get_int64(o), rows[i].number);
		json_object_put(o);
	}
}

enum {
	TYPE_INT = NUMBER_INTEGER,
	TYPE_LARGE = NUMBER_TOO_LARGE,
	TYPE_FRACTION = NUMBER_FRACTION,
	TYPE_NONE = NUMBER_NONE
};

/* Every spelling of a number, exactly: no double is between the text and the value. */
static void
numbers(void **state)
{
	static const struct {
		const char *text;
		int kind;
		int64_t value;
		const char *canonical;
	} rows[] = {
		{ "11000", TYPE_INT, 11000, "11e3" },
		{ "11000.0", TYPE_INT, 11000, "11e3" },
		{ "1.1e4", TYPE_INT, 11000, "11e3" },
		{ "1.1E+4", TYPE_INT, 11000, "11e3" },
		{ "11000000e-3", TYPE_INT, 11000, "11e3" },
		{ "0.11e5", TYPE_INT, 11000, "11e3" },
		{ "0.000011e9", TYPE_INT, 11000, "11e3" },
		{ "1E3", TYPE_INT, 1000, "1e3" },
		{ "0.1e1", TYPE_INT, 1, "1" },
		{ "10e-1", TYPE_INT, 1, "1" },
		{ "1.000000000000000000000000000000000", TYPE_INT, 1, "1" },
		{ "0", TYPE_INT, 0, "0" },
		{ "-0", TYPE_INT, 0, "0" },
		{ "-0.000", TYPE_INT, 0, "0" },
		{ "0e999999999999999999999999999", TYPE_INT, 0, "0" },
		{ "-1.5e1", TYPE_INT, -15, "-15" },
		{ "-0.1e1", TYPE_INT, -1, "-1" },
		{ "1.5", TYPE_FRACTION, 0, "15e-1" },
		{ "1e-1", TYPE_FRACTION, 0, "1e-1" },
		{ "95e-1", TYPE_FRACTION, 0, "95e-1" },
		{ "0.5", TYPE_FRACTION, 0, "5e-1" },
		{ "1.0000000000000000000000000000000001", TYPE_FRACTION, 0,
		    "10000000000000000000000000000000001e-34" }, /* no double tells it from 1 */
		{ "9007199254740993.0", TYPE_INT, INT64_C(9007199254740993),
		    "9007199254740993" }, /* nor this from 9007199254740992 */
		{ "9223372036854775807", TYPE_INT, INT64_MAX, "9223372036854775807" },
		{ "922337203685477580.7e1", TYPE_INT, INT64_MAX, "9223372036854775807" },
		{ "9223372036854775808", TYPE_LARGE, 0, "9223372036854775808" },
		{ "-9223372036854775808.0", TYPE_INT, INT64_MIN, "-9223372036854775808" },
		{ "-9223372036854775809", TYPE_LARGE, 0, "-9223372036854775809" },
		{ "1e18", TYPE_INT, INT64_C(1000000000000000000), "1e18" },
		{ "1e19", TYPE_LARGE, 0, "1e19" },
		{ "1e400", TYPE_LARGE, 0, "1e400" },
		{ "-1e400", TYPE_LARGE, 0, "-1e400" },
		{ "1e-400", TYPE_FRACTION, 0, "1e-400" },
		{ "1e99999999999999999999", TYPE_LARGE, 0, "1e999999999999999" },
		{ "1e-99999999999999999999", TYPE_FRACTION, 0, "1e-999999999999999" },
		{ "1e0000000000000000000000000001", TYPE_INT, 10, "1e1" },
		{ "", TYPE_NONE, 0, NULL },
		{ "01", TYPE_NONE, 0, NULL },
		{ "1.", TYPE_NONE, 0, NULL },
		{ "1 ", TYPE_NONE, 0, NULL },
		{ "+1", TYPE_NONE, 0, NULL },
		{ "1x", TYPE_NONE, 0, NULL },
		{ ".5", TYPE_NONE, 0, NULL },
		{ "1e", TYPE_NONE, 0, NULL },
		{ "-", TYPE_NONE, 0, NULL },
		{ "NaN", TYPE_NONE, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b = BUF_INIT;
		int64_t n = -7;
		int kind = (int)number_parse_text(rows[i].text, &n);

		if (kind != rows[i].kind || n != rows[i].value)
			fail_msg("%s is of kind %d, %lld", rows[i].text, kind, (long long)n);
		if (rows[i].canonical != NULL) {
			number_add_canonical(&b, rows[i].text, strlen(rows[i].text));
			assert_string_equal(buf_str(&b), rows[i].canonical);
			buf_clear(&b);
		}
	}
}

/* A megabyte of digits or exponent costs what reading it costs: no arithmetic grows with the value.
 */
static void
numbers_are_cheap(void **state)
{
	enum { LONG = 1000000, ROUNDS = 20 };
	char *text = malloc(LONG + 1);
	clock_t begin = clock();
	int64_t n;

	(void)state;
	assert_non_null(text);
	memset(text, '9', LONG);
	text[LONG] = '\0';
	for (int i = 0; i < ROUNDS; i++) {
		memset(text, '9', 10);
		assert_int_equal(number_parse_text(text, &n), NUMBER_TOO_LARGE);
		memcpy(text, "1e", 2);
		assert_int_equal(number_parse_text(text, &n), NUMBER_TOO_LARGE);
		memcpy(text, "1e-", 3);
		assert_int_equal(number_parse_text(text, &n), NUMBER_FRACTION);
		memcpy(text, "0.9", 3);
		assert_int_equal(number_parse_text(text, &n), NUMBER_FRACTION);
	}
	assert_true(clock() - begin < 5 * CLOCKS_PER_SEC); /* 80 MB: some 0.2 s where nothing
							      disturbs */
	free(text);
}

static void
canonical_texts(void **state)
{
	static const struct {
		const char *text, *canonical;
	} rows[] = {
		{ "{\"b\":1.0,\"a\":\"\\u0041\\/\"}", "{\"a\":\"A/\",\"b\":1}" },
		{ "{\"a\":\"A/\",\"b\":1}", "{\"a\":\"A/\",\"b\":1}" },
		{ " [ 1E1 , 95e-1 , 9.50, null,true,false,{} , [ ] ] ",
		    "[1e1,95e-1,95e-1,null,true,false,{},[]]" },
		{ "{\"x\":{\"z\":[{\"d\":1,\"c\":2}],\"y\":-0}}",
		    "{\"x\":{\"y\":0,\"z\":[{\"c\":2,\"d\":1}]}}" },
		{ "[-9223372036854775808,9223372036854775807,-120]",
		    "[-9223372036854775808,9223372036854775807,-12e1]" },
		{ "[2,1]", "[2,1]" },
		{ "12345678901234567890", "1234567890123456789e1" },
		/* NFC and NFD stay what they are */
		{ "\"\\uac00\\u1100\\u1161\"", "\"\xea\xb0\x80\xe1\x84\x80\xe1\x85\xa1\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct json_object *o = NULL;
		struct buf b = BUF_INIT;

		assert_true(
		    strict_parse(rows[i].text, strlen(rows[i].text), STRICT_DEPTH, &o, NULL));
		json_add_canonical(&b, o);
		assert_string_equal(buf_str(&b), rows[i].canonical);
		buf_clear(&b);
		json_object_put(o);
	}
}

/* False: there is no such member. */
static bool
find_member(const char *text, const char *name, struct buf *out)
{
	struct json_object *o = NULL;
	struct strict_span found;

	assert_true(
	    strict_parse_object_and_find(text, strlen(text), STRICT_DEPTH, &o, name, &found, NULL));
	json_object_put(o);
	buf_reset(out);
	if (found.at != NULL)
		strict_add_compact(out, found);
	return found.at != NULL;
}

static void
member_as_sent(void **state)
{
	static const char text[] =
	    "{ \"x\": {\"r\": 1}, \"\\u0072\" : { \"a b\" : [ 1.50 ,\t-0e1, \"\\u0041 \\\" \\\\\" ] ,\n\"z\":null } , \"s\": 2 }";
	struct buf b = BUF_INIT;
	struct json_object *o = NULL;
	struct strict_span found;

	(void)state;
	assert_true(find_member(text, "r", &b));
	assert_string_equal(buf_str(&b), "{\"a b\":[1.50,-0e1,\"\\u0041 \\\" \\\\\"],\"z\":null}");
	assert_true(find_member(text, "s", &b));
	assert_string_equal(buf_str(&b), "2");
	assert_true(find_member(text, "x", &b));
	assert_string_equal(buf_str(&b), "{\"r\":1}");
	assert_false(find_member(text, "a b", &b));
	assert_false(find_member(text, "y", &b));
	assert_false(strict_parse_object_and_find(text, strlen(text) - 1, STRICT_DEPTH, &o, "r",
	    &found, NULL));
	buf_clear(&b);
}

static void
many_members(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_add_str(&b, "{");
	for (int i = 0; i < 3000; i++)
		buf_printf(&b, "\"k%d\":{\"k%d\":0},", i, i);
	buf_add_str(&b, "\"last\":0}");
	assert_true(strict_check(b.data, b.len, STRICT_DEPTH, NULL));
	b.len -= strlen("\"last\":0}");
	buf_add_str(&b, "\"k77\":0}");
	assert_false(strict_check(b.data, b.len, STRICT_DEPTH, NULL));
	buf_clear(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		{ "every text that RFC 8259 allows is taken", taken_all, NULL, NULL, NULL },
		{ "every text that it does not allow, and what we refuse beyond it, is refused",
		    refused_all, NULL, NULL, NULL },
		{ "a text that was cut or damaged anywhere is refused and never read beyond its end",
		    cut_anywhere, NULL, NULL, NULL },
		{ "a hundred thousand brackets end at the allowed depth", deep_is_cheap, NULL, NULL,
		    NULL },
		{ "parsing takes objects only", only_objects, NULL, NULL, NULL },
		{ "a number's value counts, not how it is written, and no rounding is between",
		    numbers, NULL, NULL, NULL },
		{ "digits and exponents without end cost no more than their reading",
		    numbers_are_cheap, NULL, NULL, NULL },
		{ "equal values have equal canonical texts", canonical_texts, NULL, NULL, NULL },
		{ "every value is in the tree as it was meant, integers as far as they fit",
		    values_of_the_tree, NULL, NULL, NULL },
		{ "a member's text comes as it was sent, without white space between tokens",
		    member_as_sent, NULL, NULL, NULL },
		{ "the one repeated name among thousands is found", many_members, NULL, NULL,
		    NULL },
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("strict JSON", tests, NULL, NULL);
}
