/* roompay.conf: every mistake at once, with file and line; defaults; secrets from files. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/conf.h"

static char dir[] = "/tmp/roompay-test-conf-XXXXXX";
static char path[64], key[64];

#define GOOD \
	"[site]\nreplay_key_file = %K\n" \
	"[queue]\nsocket = /run/q.sock\ndir = /var/q\n" \
	"[store]\nuri = mongodb://127.0.0.1/\n" \
	"[caller web]\nroles = gateway, operator\ncids = TC0ONETIME\n" \
	"token_sha256 = 0000000000000000000000000000000000000000000000000000000000000001\n" \
	"[merchant TC0ONETIME]\nmode = secret_key\nkey_file = %K\n"

static int
setup(void **state)
{
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/conf", dir);
	snprintf(key, sizeof(key), "%s/key", dir);
	f = fopen(key, "w");
	assert_non_null(f);
	fputs("  placeholder-for-tests\n", f);
	fclose(f);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	unlink(key);
	return rmdir(dir);
}

static void
write_conf(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	for (; *text != '\0'; text++)
		if (text[0] == '%' && text[1] == 'K') {
			fputs(key, f);
			text++;
		} else
			fputc(*text, f);
	fclose(f);
}

/* What conf_read complains of, without the path. */
static bool
try(const char *text, enum conf_user user, struct conf *c, char *out, size_t cap)
{
	FILE *f = fmemopen(out, cap, "w");
	struct error err;
	bool ok;

	assert_non_null(f);
	write_conf(text);
	ok = conf_read(c, path, user, f, &err);
	fclose(f);
	return ok;
}

static void
defaults_are_the_documented_ones(void **state)
{
	static struct conf c;
	char out[2000] = "";

	(void)state;
	assert_true(try(GOOD, CONF_FOR_FCGI, &c, out, sizeof(out)));
	assert_int_equal(c.deadline_ms, 13000);
	assert_int_equal(c.workers, 8);
	assert_int_equal(c.max_calls_ready, 4);
	assert_int_equal(c.max_calls, 6);
	assert_int_equal(c.guard_ms, 60000);
	assert_int_equal(c.max_holds_per_user, 3);
	assert_int_equal(c.merchants[0].hold_ttl_ms, 600000);
	assert_string_equal(c.merchants[0].base_url, "https://open-api.kakaopay.com");
	assert_int_equal(c.callers[0].roles, ROLE_GATEWAY | ROLE_OPERATOR);
	assert_string_equal(c.callers[0].cids[0], "TC0ONETIME");
	assert_int_equal(c.callers[0].token_sha256[0][31], 1);
	assert_string_equal(c.replay_key.text, "placeholder-for-tests");
	conf_clear(&c);
}

static void
the_queue_daemon_opens_no_secret(void **state)
{
	static struct conf c;
	char out[2000] = "";

	(void)state;
	assert_true(try(GOOD, CONF_FOR_QUEUED, &c, out, sizeof(out)));
	assert_false(secret_is_set(&c.replay_key));
	assert_false(secret_is_set(&c.merchants[0].key));
}

static void
every_mistake_is_told_with_its_line(void **state)
{
	static struct conf c;
	char out[4000] = "";

	(void)state;
	assert_false(try("[site]\nreplay_key_file = %K\nreplay_key_file = %K\nno_such = 1\n[fcgi]\nworkers = many\ndeadline = 99\n"
	    "[nosuch]\na = 1\n[queue]\ndir = relative\n[merchant short]\nmode = x\n[merchant TC0ONETIME]\nmode = magic\n"
	    "base_url = http://example.com\n", CONF_FOR_FCGI, &c, out, sizeof(out)));
	static const char *const told[] = {
		":3: [site] replay_key_file stands twice", ":4: [site] no_such is not a key of this section",
		":6: [fcgi] workers must be a whole number from 1 to 1000", ":7: [fcgi] deadline must be",
		":9: [nosuch] is not a section", ":11: [queue] dir must be an absolute path", ":13: [merchant short] must be named by a cid",
		":15: [merchant TC0ONETIME] mode must be one of secret_key admin_key user_token",
		":16: [merchant TC0ONETIME] base_url must be https", "[queue] socket is missing", "[merchant TC0ONETIME] key_file is missing",
		"[store] needs uri or uri_file", "has no [caller NAME]",
	};
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		if (strstr(out, told[i]) == NULL)
			fail_msg("not told: %s\nin:\n%s", told[i], out);
}

static void
a_password_in_the_uri_is_refused(void **state)
{
	static struct conf c;
	char out[4000] = "";

	(void)state;
	assert_false(try("[store]\nuri = mongodb://a:b@host/\n", CONF_FOR_FCGI, &c, out, sizeof(out)));
	assert_non_null(strstr(out, "put it into a file"));
	assert_null(strstr(out, "a:b"));
}

static void
a_caller_with_an_unknown_cid_is_refused(void **state)
{
	static struct conf c;
	char out[4000] = "";

	(void)state;
	assert_false(try(GOOD "[caller b]\nroles = refund\ncids = TCSUBSCRIP\n"
	    "token_sha256 = 0000000000000000000000000000000000000000000000000000000000000002\n", CONF_FOR_FCGI, &c, out, sizeof(out)));
	assert_non_null(strstr(out, "names a cid without a [merchant] section"));
}

static void
a_secret_file_that_is_missing_is_told(void **state)
{
	static struct conf c;
	char out[4000] = "";

	(void)state;
	assert_false(try(GOOD "cid_secret_file = /nonexistent/x\n", CONF_FOR_FCGI, &c, out, sizeof(out)));
	assert_non_null(strstr(out, "cannot open /nonexistent/x"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_the_documented_ones),
		cmocka_unit_test(the_queue_daemon_opens_no_secret),
		cmocka_unit_test(every_mistake_is_told_with_its_line),
		cmocka_unit_test(a_password_in_the_uri_is_refused),
		cmocka_unit_test(a_caller_with_an_unknown_cid_is_refused),
		cmocka_unit_test(a_secret_file_that_is_missing_is_told),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
