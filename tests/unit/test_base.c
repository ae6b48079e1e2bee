/* error, clock, buf, log and secret: the ground that everything stands on. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/secret.h"

static void
an_error_keeps_code_place_and_sentence(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_false(error_set(&err, ERR_CONFLICT, "room %s is %s", "r1", "held"));
	assert_false(error_wrap(&err, "approve %s", "T1"));
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_string_equal(err.msg, "approve T1: room r1 is held");
	assert_non_null(strstr(err.file, "test_base.c"));
	assert_false(error_set(NULL, ERR_INPUT, "nobody asks"));
}

static void
an_error_longer_than_its_room_is_cut_not_lost(void **state)
{
	struct error err = { 0 };
	char longer[500];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	error_set(&err, ERR_INPUT, "%s", longer);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	error_wrap(&err, "outer");
	assert_memory_equal(err.msg, "outer: xxx", 10);
}

static void
times_are_written_like_javascript_does(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 1, "1970-01-01T00:00:00.001Z" },
		{ -1, "1969-12-31T23:59:59.999Z" },
		{ 1709601630000, "2024-03-05T01:20:30.000Z" },
		{ 1709251199999, "2024-02-29T23:59:59.999Z" },
	};
	char out[CLOCK_ISO_CAP];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		clock_format_iso(rows[i].ms, out);
		assert_string_equal(out, rows[i].text);
	}
}

static void
kakaopay_times_are_nine_hours_ahead_of_utc(void **state)
{
	static const char *const bad[] = { "", "2024-03-05", "2024-03-05T10:20:30Z",
		"2024-03-05 10:20:30", "2024-02-30T00:00:00", "2024-13-01T00:00:00",
		"2024-01-01T24:00:00", "2024-01-01T00:60:00", "2o24-01-01T00:00:00",
		"2024-01-01T00:00:0" };
	int64_t ms = 0;

	(void)state;
	assert_true(clock_parse_kst("2024-03-05T10:20:30", &ms));
	assert_int_equal(ms, 1709601630000);
	assert_true(clock_parse_kst("2024-03-01T08:59:59", &ms)); /* still 29 February in UTC */
	assert_int_equal(ms, 1709251199000);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (clock_parse_kst(bad[i], &ms))
			fail_msg("accepted %s", bad[i]);
}

static void
when_somebody_says_when(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = { { "2024-03-05", 1709564400000 }, { "2024-03-05T01:20:30Z", 1709601630000 },
		{ "2024-03-05T10:20:30+09:00", 1709601630000 },
		{ "2024-03-05T10:20:30 09:00", 1709601630000 },
		{ "2024-03-04T20:50:30.5-04:30", 1709601630500 },
		{ "2024-03-05T01:20:30.0429z", 1709601630042 } };
	static const char *const bad[] = { "", "2024-03", "2024-02-30", "2024-03-05T01:20:30",
		"2024-03-05T01:20Z", "2024-03-05T01:20:30+9:00", "2024-03-05T01:20:30+09:60",
		"2024-03-05T01:20:30+09:00x", "2024-03-05T01:20:30.Z", "2024-03-05T01:20:30.",
		"2024-03-05T01:20:30*09:00", "2024-03-05 01:20:30Z", "today" };
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!clock_parse_when(rows[i].text, &ms))
			fail_msg("refused %s", rows[i].text);
		assert_int_equal(ms, rows[i].ms);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (clock_parse_when(bad[i], &ms))
			fail_msg("accepted %s", bad[i]);
}

static void
an_http_date_has_three_forms(void **state)
{
	static const int64_t now = 1790000000000; /* September 2026 */
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777000 },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", 784111777000 },
		{ "Sun Nov  6 08:49:37 1994", 784111777000 },
		{ "Wed Nov 16 08:49:37 1994", 784975777000 },
		{ "Thu, 29 Feb 2024 23:59:59 GMT", 1709251199000 },
		{ "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
		{ "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800000 },  /* a leap second */
		{ "Friday, 01-Jan-27 00:00:00 GMT", 1798761600000 }, /* the next year, not 1927 */
		{ "Friday, 31-Dec-76 00:00:00 GMT", 3376598400000 }, /* 50 years ahead */
		{ "Friday, 01-Jan-77 00:00:00 GMT", 220924800000 },  /* more: 1977 */
	};
	static const char *const bad[] = { "", "120", "Sun, 06 Nov 1994 08:49:37",
		"Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 GMT ",
		"Sun, 6 Nov 1994 08:49:37 GMT", "sun, 06 Nov 1994 08:49:37 GMT",
		"Son, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT",
		"Sun, 30 Feb 2024 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT",
		"Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 94 08:49:37 GMT",
		"Sunday, 06-Nov-1994 08:49:37 GMT", "Sun Nov 6 08:49:37 1994",
		"Sun Nov  6 08:49:37 94", "Sun Nov  6 08:49:37 1994 GMT",
		"Sun, 06 Nov -994 08:49:37 GMT", "1994-11-06T08:49:37Z" };
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!clock_parse_http(rows[i].text, now, &ms))
			fail_msg("refused %s", rows[i].text);
		if (ms != rows[i].ms)
			fail_msg("%s is %lld", rows[i].text, (long long)ms);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (clock_parse_http(bad[i], now, &ms))
			fail_msg("accepted %s", bad[i]);
}

static void
a_buffer_stays_bad_once_its_limit_was_passed(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 8);
	buf_add_str(&b, "12345678");
	assert_false(b.bad);
	buf_add_char(&b, '9');
	assert_true(b.bad);
	buf_reset(&b);
	buf_printf(&b, "%d-%s", 7, "ab");
	assert_string_equal(buf_str(&b), "7-ab");
	buf_drop_front(&b, 2);
	assert_string_equal(buf_str(&b), "ab");
	buf_printf(&b, "%s", "1234567");
	assert_true(b.bad);
	assert_null(buf_take(&b));
	buf_clear(&b);
}

static void
numbers_are_written_in_decimal(void **state)
{
	static const struct {
		int64_t n;
		const char *text;
	} rows[] = {
		{ 0, "0" },
		{ 7, "7" },
		{ 10, "10" },
		{ -1, "-1" },
		{ -120, "-120" },
		{ INT64_MAX, "9223372036854775807" },
		{ INT64_MIN, "-9223372036854775808" },
	};
	struct buf b;

	(void)state;
	buf_init(&b, 20);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&b);
		buf_add_int(&b, rows[i].n);
		assert_string_equal(buf_str(&b), rows[i].text);
	}
	buf_add_int(&b, 1); /* the limit is for numbers too */
	assert_true(b.bad);
	buf_clear(&b);
}

static void
a_taken_buffer_is_the_callers(void **state)
{
	struct buf b = BUF_INIT;
	char *s;

	(void)state;
	s = buf_take(&b);
	assert_string_equal(s, "");
	free(s);
	buf_add_str(&b, "x");
	s = buf_take(&b);
	assert_string_equal(s, "x");
	assert_int_equal(b.len, 0);
	free(s);
}

/* Runs log_event with stderr in a pipe and returns the line. */
static void
catch_line(const char *value, char *out, size_t cap)
{
	int fds[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	log_event(LOG_LEVEL_INFO, "tried", KV_STR("v", value), KV_INT("n", -5), KV_BOOL("b", true));
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fds[1]);
	n = read(fds[0], out, cap - 1);
	assert_true(n > 0);
	out[n] = '\0';
	close(fds[0]);
}

static void
a_log_line_cannot_be_forged_by_a_value(void **state)
{
	static const struct {
		const char *value, *text;
	} rows[] = {
		{ "plain", " v=plain n=-5 b=true\n" },
		{ "a b", " v=\"a b\" n=" },
		{ "x\nlevel=error", " v=\"x\\x0alevel=error\" n=" },
		{ "say \"hi\"", " v=\"say \\\"hi\\\"\" n=" },
		{ "", " v=\"\" n=" },
		{ "l\xe2\x80\xa8m", " v=\"l\\u2028m\" n=" },
		{ "\xec\xbb\xa4\xed\x94\xbc", " v=\xec\xbb\xa4\xed\x94\xbc n=" },
	};
	char line[1000];

	(void)state;
	log_open("test", LOG_LEVEL_INFO);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		catch_line(rows[i].value, line, sizeof(line));
		if (strstr(line, rows[i].text) == NULL)
			fail_msg("row %zu: %s", i, line);
		assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	}
}

static void
a_log_line_may_be_a_json_object(void **state)
{
	static const struct {
		const char *value, *text;
	} rows[] = {
		{ "plain", ",\"v\":\"plain\",\"n\":-5,\"b\":true}\n" },
		{ "x\n\"},{\"level\":\"error",
		    ",\"v\":\"x\\u000a\\\"},{\\\"level\\\":\\\"error\",\"n\"" },
		{ "\xec\xbb\xa4", ",\"v\":\"\xec\xbb\xa4\",\"n\"" },
	};
	char line[1000];

	(void)state;
	log_open("test", LOG_LEVEL_INFO);
	log_shape(LOG_AS_JSON, LOG_TO_STDERR);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		catch_line(rows[i].value, line, sizeof(line));
		if (strstr(line, rows[i].text) == NULL || line[0] != '{')
			fail_msg("row %zu: %s", i, line);
		assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	}
	log_shape(LOG_AS_LOGFMT, LOG_TO_STDERR);
}

/* Instead of libc's; a build with _FORTIFY_SOURCE calls the second. */
static char told_to_syslog[4096];
static int syslog_priority;

void __syslog_chk(int priority, int flag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
take(int priority, const char *format, va_list ap)
{
	syslog_priority = priority;
	vsnprintf(told_to_syslog, sizeof(told_to_syslog), format, ap);
}

void
syslog(int priority, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	take(priority, format, ap);
	va_end(ap);
}

void
__syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list ap;

	(void)flag;
	va_start(ap, format);
	take(priority, format, ap);
	va_end(ap);
}

static void
a_log_line_may_go_to_syslog(void **state)
{
	(void)state;
	log_open("test", LOG_LEVEL_INFO);
	log_shape(LOG_AS_LOGFMT, LOG_TO_SYSLOG);
	log_event(LOG_LEVEL_INFO, "tried", KV_STR("v", "50% %s"), KV_INT("n", -5),
	    KV_BOOL("b", true));
	log_shape(LOG_AS_LOGFMT, LOG_TO_STDERR);
	assert_non_null(strstr(told_to_syslog, "level=info prog=test"));
	assert_non_null(strstr(told_to_syslog, "event=tried v=\"50% %s\" n=-5 b=true"));
	assert_null(strchr(told_to_syslog, '\n'));
	assert_int_equal(syslog_priority, LOG_INFO);
}

static void
a_log_line_names_the_process_that_wrote_it(void **state)
{
	char line[1000], pid[40];
	int status;
	pid_t child;

	(void)state;
	log_open("test", LOG_LEVEL_INFO);
	catch_line("x", line, sizeof(line));
	snprintf(pid, sizeof(pid), " pid=%d ", (int)getpid());
	assert_non_null(strstr(line, pid));
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		catch_line("x", line, sizeof(line));
		snprintf(pid, sizeof(pid), " pid=%d ", (int)getpid());
		_exit(strstr(line, pid) == NULL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
a_secret_is_one_line_of_printable_ascii(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} rows[] = {
		{ "abc", true },
		{ " abc \n", true },
		{ "", false },
		{ "\n", false },
		{ "a b", false },
		{ "a\nb", false },
		{ "\xec\xbb\xa4", false },
	};
	char path[] = "/tmp/roompay-test-secret-XXXXXX";
	struct error err;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct secret s = { 0 };
		size_t len = strlen(rows[i].text);

		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, rows[i].text, len, 0), len);
		assert_int_equal(secret_read_file(&s, path, &err), rows[i].ok);
		if (rows[i].ok)
			assert_string_equal(s.text, "abc");
		secret_clear(&s);
		assert_false(secret_is_set(&s));
	}
	close(fd);
	unlink(path);
}

static void
hex_digits_are_bytes_in_either_case(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} rows[] = {
		{ "00ff7a", true },
		{ "00FF7A", true },
		{ "00ff7", false },
		{ "00ff7a0", false },
		{ "00ff7g", false },
		{ "0 ff7a", false },
		{ "", false },
	};
	unsigned char bytes[3];
	char text[7];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (hex_parse(rows[i].text, bytes, sizeof(bytes)) != rows[i].ok)
			fail_msg("%s", rows[i].text);
		if (!rows[i].ok)
			continue;
		hex_format(bytes, sizeof(bytes), text);
		assert_string_equal(text, "00ff7a");
	}
}

/* src: RFC 4231, test cases 2 and 6 (a key that is longer than a block) */
static void
an_hmac_is_that_of_the_rfc(void **state)
{
	static const char jefe[] = "what do ya want for nothing?",
			  block[] = "Test Using Larger Than Block-Size Key - Hash Key First";
	unsigned char key[131], mac[DIGEST_LEN];
	char hex[DIGEST_HEX_CAP];

	(void)state;
	memset(key, 0xaa, sizeof(key));
	for (int i = 0; i < 2; i++) { /* the second use is like the first */
		assert_true(digest_hmac_sha256("Jefe", 4, jefe, sizeof(jefe) - 1, mac));
		hex_format(mac, sizeof(mac), hex);
		assert_string_equal(hex,
		    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
		assert_true(digest_hmac_sha256(key, sizeof(key), block, sizeof(block) - 1, mac));
		hex_format(mac, sizeof(mac), hex);
		assert_string_equal(hex,
		    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_keeps_code_place_and_sentence),
		cmocka_unit_test(an_error_longer_than_its_room_is_cut_not_lost),
		cmocka_unit_test(times_are_written_like_javascript_does),
		cmocka_unit_test(kakaopay_times_are_nine_hours_ahead_of_utc),
		cmocka_unit_test(when_somebody_says_when),
		cmocka_unit_test(an_http_date_has_three_forms),
		cmocka_unit_test(a_buffer_stays_bad_once_its_limit_was_passed),
		cmocka_unit_test(numbers_are_written_in_decimal),
		cmocka_unit_test(a_taken_buffer_is_the_callers),
		cmocka_unit_test(a_log_line_cannot_be_forged_by_a_value),
		cmocka_unit_test(a_log_line_may_be_a_json_object),
		cmocka_unit_test(a_log_line_may_go_to_syslog),
		cmocka_unit_test(a_log_line_names_the_process_that_wrote_it),
		cmocka_unit_test(hex_digits_are_bytes_in_either_case),
		cmocka_unit_test(an_hmac_is_that_of_the_rfc),
		cmocka_unit_test(a_secret_is_one_line_of_printable_ascii),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
