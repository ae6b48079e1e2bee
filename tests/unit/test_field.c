/* Rules of fields: boundaries in characters and numbers, types, pointers, and all errors at once.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "json/field.h"
#include "json/strict.h"

struct item {
	char name[UTF8_CAP(3)];
	char word[8];
	int64_t count;
	const struct json_object *inner, *any;
};

static enum field_code
check_word(const char *text, const void *ctx)
{
	return strcmp(text, ctx) == 0 ? FIELD__OK : FIELD_WORD;
}

static const struct field_rule rules[] = {
	STR_FIELD(item, name, true, 1, 3, NULL),
	STR_FIELD(item, word, false, 0, 7, check_word),
	INT_FIELD(item, count, true, 0, 10),
	{ "inner", FIELD_OBJECT, false, 0, 0, FIELD_AT(item, inner), NULL },
	{ "any", FIELD_ANY, false, 0, 0, FIELD_AT(item, any), NULL },
	{ "secret", FIELD_REFUSED, false, 0, 0, 0, 0, NULL },
};

/* "pointer code, pointer code" of reading text; "" when nothing was wrong. */
static char *
errors_of(const char *text, bool open, struct item *out)
{
	static char all[2000];
	struct field_errors errors = { 0 };
	struct json_object *o = NULL;

	assert_true(strict_parse_object(text, strlen(text), STRICT_DEPTH, &o, NULL));
	field_read(o, "", rules, sizeof(rules) / sizeof(rules[0]), open, "yes", out, &errors);
	all[0] = '\0';
	for (size_t i = 0; i < errors.n; i++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s %s", i > 0 ? ", " : "",
		    errors.e[i].pointer, field_code_name(errors.e[i].code));
	field_errors_clear(&errors);
	json_object_put(o);
	return all;
}

static void
rows(void **state)
{
	static const struct row {
		const char *text, *errors;
	} all[] = {
		{ "{\"name\":\"abc\",\"count\":10}", "" },
		{ "{\"name\":\"a\",\"count\":0,\"word\":\"yes\",\"inner\":{\"x\":1},\"any\":[1]}",
		    "" },
		/* three Korean characters, nine bytes */
		{ "{\"name\":\"\xea\xb0\x80\xeb\x82\x98\xeb\x8b\xa4\",\"count\":0}", "" },
		{ "{\"name\":\"\xf0\x9f\x8d\xb5\xf0\x9f\x8d\xb5\xf0\x9f\x8d\xb5\",\"count\":0}",
		    "" },
		{ "{\"name\":\"\xea\xb0\x80\xeb\x82\x98\xeb\x8b\xa4\xeb\x9d\xbc\",\"count\":0}",
		    "/name too-long" },
		{ "{\"name\":\"abcd\",\"count\":0}", "/name too-long" },
		{ "{\"name\":\"\",\"count\":0}", "/name too-short" },
		{ "{\"name\":\"a\\nb\",\"count\":0}", "/name character" },
		{ "{\"name\":\"a\\u007f\",\"count\":0}", "/name character" },
		{ "{\"name\":1,\"count\":\"1\"}", "/name type, /count type" },
		{ "{\"name\":null,\"count\":null}", "/name type, /count type" },
		{ "{\"name\":[\"a\"],\"count\":true}", "/name type, /count type" },
		{ "{\"name\":\"a\",\"count\":1.0}", "" },
		{ "{\"name\":\"a\",\"count\":1e0}", "" },
		{ "{\"name\":\"a\",\"count\":-0}", "" },
		{ "{\"name\":\"a\",\"count\":1.5}", "/count type" },
		{ "{\"name\":\"a\",\"count\":1e-400}", "/count type" },
		{ "{\"name\":\"a\",\"count\":1e400}", "/count out-of-range" },
		{ "{\"name\":\"a\",\"count\":1.1e1}", "/count out-of-range" },
		{ "{\"name\":\"   \",\"count\":0}", "/name blank" },
		{ "{\"name\":\"\\u3000\\u00a0\",\"count\":0}", "/name blank" },
		{ "{\"name\":\"\\u200d\\ufe0f\",\"count\":0}", "/name blank" },
		{ "{\"name\":\" a \",\"count\":0}", "" },
		{ "{\"name\":\"a\\u202e\",\"count\":0}", "/name character" },
		{ "{\"name\":\"\\u3164\",\"count\":0}", "/name character" },
		{ "{\"name\":\"a\",\"count\":-1}", "/count out-of-range" },
		{ "{\"name\":\"a\",\"count\":11}", "/count out-of-range" },
		{ "{\"name\":\"a\",\"count\":18446744073709551615}", "/count out-of-range" },
		{ "{\"name\":\"a\",\"count\":18446744073709551616}", "/count out-of-range" },
		{ "{\"name\":\"a\",\"count\":99999999999999999999999999}", "/count out-of-range" },
		{ "{\"name\":\"a\",\"count\":-99999999999999999999999999}", "/count out-of-range" },
		{ "{\"name\":\"a\",\"count\":4294967296}", "/count out-of-range" },
		{ "{\"name\":\"a\",\"count\":1,\"word\":\"no\"}", "/word unknown-word" },
		{ "{\"name\":\"a\",\"count\":1,\"inner\":[]}", "/inner type" },
		{ "{\"name\":\"a\",\"count\":1,\"secret\":\"\"}", "/secret not-allowed" },
		{ "{\"secret\":null,\"any\":null,\"inner\":{},\"count\":11,\"more\":0,\"word\":\"no\",\"name\":\"\"}", /* as late as can be */
		    "/name too-short, /word unknown-word, /count out-of-range, /secret not-allowed, /more unknown-member" },
		{ "{}", "/name required, /count required" },
		{ "{\"x\":1,\"name\":\"abcd\",\"count\":11,\"a/b~c\":2,\"\":3}",
		    "/name too-long, /count out-of-range, /x unknown-member, /a~1b~0c unknown-member, / unknown-member" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct item it = { .count = -7 };

		if (strcmp(errors_of(all[i].text, false, &it), all[i].errors) != 0)
			fail_msg("%s gave \"%s\", not \"%s\"", all[i].text,
			    errors_of(all[i].text, false, &it), all[i].errors);
	}
}

static void
values(void **state)
{
	struct item it = { .word = "unset" };

	(void)state;
	assert_string_equal(errors_of("{\"name\":\"\xed\x95\x9c\",\"count\":7,\"more\":1}", true,
				&it),
	    "");
	assert_string_equal(it.name, "\xed\x95\x9c");
	assert_int_equal(it.count, 7);
	assert_string_equal(it.word, "unset");
	assert_null(it.inner);
}

static void
below(void **state)
{
	struct field_errors errors = { 0 };

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		field_errors_add_index(&errors, "/a", "b/c", i, FIELD_TYPE);
	field_errors_add(&errors, "", NULL, FIELD_TYPE);
	assert_int_equal(errors.n, 1001);
	assert_string_equal(errors.e[999].pointer, "/a/b~1c/999");
	assert_string_equal(errors.e[1000].pointer, "");
	assert_true(field_errors_has(&errors, "/a/b~1c/0"));
	assert_false(field_errors_has(&errors, "/a"));
	field_errors_clear(&errors);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		{ "each rule at its boundaries, and every error of an object at once", rows, NULL,
		    NULL, NULL },
		{ "values arrive; what is absent keeps its value; an open object may have more",
		    values, NULL, NULL, NULL },
		{ "pointers are escaped and a thousand errors are kept", below, NULL, NULL, NULL },
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("fields", tests, NULL, NULL);
}
