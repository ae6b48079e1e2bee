/* Which characters are taken and shown, and which host names are this machine's. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/loopback.h"
#include "base/text.h"

/* The UTF-8 of c, a NUL behind it. */
static const char *
utf8(uint32_t c)
{
	static char s[5];
	int n = 0;

	memset(s, 0, sizeof(s));
	if (c < 0x80)
		s[n++] = (char)c;
	else if (c < 0x800)
		s[n++] = (char)(0xc0 | c >> 6);
	else if (c < 0x10000)
		s[n++] = (char)(0xe0 | c >> 12);
	else
		s[n++] = (char)(0xf0 | c >> 18);
	if (c >= 0x10000)
		s[n++] = (char)(0x80 | (c >> 12 & 0x3f));
	if (c >= 0x800)
		s[n++] = (char)(0x80 | (c >> 6 & 0x3f));
	if (c >= 0x80)
		s[n++] = (char)(0x80 | (c & 0x3f));
	return s;
}

static void
hidden_characters(void **state)
{
	static const struct {
		uint32_t first, last;
	} rows[] = {
		{ 0x01, 0x1f },
		{ 0x7f, 0x9f },
		{ 0xad, 0xad },
		{ 0x34f, 0x34f },
		{ 0x61c, 0x61c },
		{ 0x115f, 0x1160 },
		{ 0x17b4, 0x17b5 },
		{ 0x180e, 0x180e },
		{ 0x200b, 0x200b },
		{ 0x200e, 0x200f },
		{ 0x2028, 0x202e },
		{ 0x2060, 0x206f },
		{ 0x3164, 0x3164 },
		{ 0xfdd0, 0xfdef },
		{ 0xfeff, 0xfeff },
		{ 0xffa0, 0xffa0 },
		{ 0xfff0, 0xfffb },
		{ 0xfffe, 0xffff },
		{ 0x1bca0, 0x1bca3 },
		{ 0x1d173, 0x1d17a },
		{ 0x1fffe, 0x1ffff },
		{ 0x2fffe, 0x2ffff },
		{ 0x3fffe, 0x3ffff },
		{ 0x4fffe, 0x4ffff },
		{ 0x5fffe, 0x5ffff },
		{ 0x6fffe, 0x6ffff },
		{ 0x7fffe, 0x7ffff },
		{ 0x8fffe, 0x8ffff },
		{ 0x9fffe, 0x9ffff },
		{ 0xafffe, 0xaffff },
		{ 0xbfffe, 0xbffff },
		{ 0xcfffe, 0xcffff },
		{ 0xdfffe, 0xdffff },
		{ 0xe0000, 0xe00ff },
		{ 0xe01f0, 0xe0fff },
		{ 0xefffe, 0xeffff },
		{ 0xffffe, 0xfffff },
		{ 0x10fffe, 0x10ffff },
	};
	size_t row = 0;

	(void)state;
	for (uint32_t c = 1; c <= 0x10ffff; c++) {
		const char *s, *p;
		bool want;

		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		while (row < sizeof(rows) / sizeof(rows[0]) && c > rows[row].last)
			row++;
		want = row < sizeof(rows) / sizeof(rows[0]) && c >= rows[row].first;
		s = p = utf8(c);
		if (text_next(&p) != c || *p != '\0')
			fail_msg("U+%04X is not read", (unsigned)c);
		if (text_is_hidden(c) != want || text_has_hidden(s) != want)
			fail_msg("U+%04X is %s", (unsigned)c, want ? "not hidden" : "hidden");
	}
}

static void
what_people_type_stays(void **state)
{
	static const char *const rows[] = {
		"스터디룸 2시간",
		/* Hangul in NFD */
		"\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab\xe1\x84\x80\xe1\x85\xb3\xe1\x86\xaf",
		/* a family: joiners */
		"\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7",
		"\xe2\x9d\xa4\xef\xb8\x8f" /* a heart in colour */,
		"1\xef\xb8\x8f\xe2\x83\xa3" /* a key cap */,
		"\xf0\x9f\x87\xb0\xf0\x9f\x87\xb7" /* a flag */,
		"\xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd",
		"e\xcc\x81" /* a combining accent */,
		"\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d" /* Hebrew */,
		"\xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd8\xa7" /* Arabic */,
		/* Persian: a non-joiner */
		"\xd9\x85\xdb\x8c\xe2\x80\x8c\xd8\xae\xd9\x88\xd8\xa7\xd9\x87\xd9\x85",
		"\xe8\x91\x9b\xf3\xa0\x84\x80" /* a variant */,
		"a\xc2\xa0"
		"b",
		"㈜한국",
		"ﬁ",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (text_has_hidden(rows[i]) || text_is_blank(rows[i]))
			fail_msg("%s is refused", rows[i]);
}

static void
blanks(void **state)
{
	static const uint32_t spaces[] = { 0x20, 0xa0, 0x1680, 0x2000, 0x2001, 0x2002, 0x2003,
		0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200a, 0x202f, 0x205f, 0x2800,
		0x3000, 0x200c, 0x200d, 0xfe00, 0xfe0f, 0xe0100, 0xe01ef, 0x180b, 0x180f };
	char two[20];

	(void)state;
	for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
		snprintf(two, sizeof(two), "%s ", utf8(spaces[i]));
		assert_true(text_is_blank(two));
		strcat(two, "-");
		assert_false(text_is_blank(two));
	}
	assert_true(text_is_blank(""));
}

static void
shown_texts(void **state)
{
	static const struct {
		const char *text, *shown;
	} rows[] = {
		{ "", "" },
		{ "주문 1 \\ \"x\"", "주문 1 \\ \"x\"" },
		{ "a\x1b[2Jb", "a\\u001b[2Jb" },
		{ "a\xc2\x9b"
		  "2J",
		    "a\\u009b2J" },
		{ "1\xe2\x80\xae"
		  "2",
		    "1\\u202e2" },
		{ "\xf3\xa0\x81\x81", "\\u{e0041}" },
		{ "\xef\xbf\xbe", "\\ufffe" },
		{ "\xff\xc0\x80z", "\\xff\\xc0\\x80z" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },
		{ "\xe2\x80", "\\xe2\\x80" },
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
		{ "\xf0\x9f\x98", "\\xf0\\x9f\\x98" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b = BUF_INIT;

		text_add_visible(&b, rows[i].text);
		assert_string_equal(buf_str(&b), rows[i].shown);
		buf_clear(&b);
	}
}

static void
loopback_hosts(void **state)
{
	static const struct {
		const char *host;
		bool is;
	} rows[] = {
		{ "localhost", true },
		{ "LOCALHOST", true },
		{ "127.0.0.1", true },
		{ "127.255.255.254", true },
		{ "[::1]", true },
		{ "[0:0:0:0:0:0:0:1]", true },
		{ "127.999.9.9", false },
		{ "127.1", false },
		{ "127.0.0.1.", false },
		{ "127.0.0.01x", false },
		{ "128.0.0.1", false },
		{ "0.0.0.0", false },
		{ "[::]", false },
		{ "::1", false },
		{ "[::1", false },
		{ "[127.0.0.1]", false },
		{ "[::ffff:127.0.0.1]", false },
		{ "localhost.", false },
		{ "localhost.evil.example", false },
		{ "2130706433", false },
		{ "0x7f.0.0.1", false },
		{ "", false },
		{ "[]", false },
		{ "127.0.0.11111111111111111111111111111111111111111111111111111111111", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (loopback_is_host(rows[i].host, strlen(rows[i].host)) != rows[i].is)
			fail_msg("%s: %s", rows[i].host, rows[i].is ? "not taken" : "taken");
	assert_true(loopback_is_host("127.0.0.1:80", 9)); /* no more than len is read */
}

static void
copies(void **state)
{
	static const struct {
		const char *text, *copy;
		bool fits;
	} rows[] = {
		{ "", "", true },
		{ "abc", "abc", true },
		{ "abcd", "abc", false },
		{ "abcdef", "abc", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[6] = "zzzzz";

		assert_int_equal(text_copy(out, 4, rows[i].text), rows[i].fits);
		assert_string_equal(out, rows[i].copy);
		assert_int_equal(out[4], 'z'); /* nothing is written behind the room */
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		{ "of all characters those are hidden that nobody sees or that reorder others",
		    hidden_characters, NULL, NULL, NULL },
		{ "emoji, accents, Hangul in NFD and letters from right to left are texts",
		    what_people_type_stays, NULL, NULL, NULL },
		{ "spaces, joiners and variation selectors alone are blank", blanks, NULL, NULL,
		    NULL },
		{ "what is hidden is shown as an escape, what is not UTF-8 as bytes", shown_texts,
		    NULL, NULL, NULL },
		{ "a copy is cut where its room ends, and says so", copies, NULL, NULL, NULL },
		{ "one reading of what names this machine", loopback_hosts, NULL, NULL, NULL },
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
