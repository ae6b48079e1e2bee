/* roompay.conf: every mistake at once, with file and line; defaults; secrets from files. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "site/conf_read.h"

static char dir[] = "/tmp/roompay-test-conf-XXXXXX";
static char path[64], key[64];
#define KEY_TEXT "placeholder-for-tests-0123456789"

#define GOOD \
	"[site]\nreplay_key_file = %K\nredirect_hosts = study.test\n" \
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
	fputs("  " KEY_TEXT "\n", f);
	fclose(f);
	return chmod(key, 0600);
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
	assert_int_equal(chmod(path, 0640), 0);
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
	assert_int_equal(c.workers, 40);
	assert_int_equal(c.max_calls_ready, 36);
	assert_int_equal(c.max_calls, 38);
	assert_int_equal(c.guard_ms, 60000);
	assert_int_equal(c.max_holds_per_user, 3);
	assert_int_equal(c.merchants[0].hold_ttl_ms, 600000);
	assert_string_equal(c.merchants[0].base_url, "https://open-api.kakaopay.com");
	assert_int_equal(c.callers[0].roles, ROLE_GATEWAY | ROLE_OPERATOR);
	assert_string_equal(c.callers[0].cids[0], "TC0ONETIME");
	assert_int_equal(c.callers[0].token_sha256[0][31], 1);
	assert_string_equal(c.replay_key.text, KEY_TEXT);
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
	assert_false(try(
	    "[site]\nreplay_key_file = %K\nreplay_key_file = %K\nno_such = 1\n[fcgi]\nworkers = many\ndeadline = 99\n"
	    "[nosuch]\na = 1\n[queue]\ndir = relative\n[merchant short]\nmode = x\n[merchant TC0ONETIME]\nmode = magic\n"
	    "base_url = http://example.com\n",
	    CONF_FOR_FCGI, &c, out, sizeof(out)));
	static const char *const told[] = {
		":3: [site] replay_key_file is set twice",
		":4: [site] no_such is not a key of this section",
		":6: [fcgi] workers must be a whole number from 1 to 1000",
		":7: [fcgi] deadline must be",
		":8: [nosuch] is not a section",
		":11: [queue] dir must be an absolute path",
		":12: [merchant short] must be named by a cid",
		":15: [merchant TC0ONETIME] mode must be one of secret_key admin_key user_token",
		":16: [merchant TC0ONETIME] base_url must be https",
		"[queue] socket is missing",
		"[merchant TC0ONETIME] key_file is missing",
		"[store] needs uri or uri_file",
		"has no [caller NAME]",
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
	assert_false(
	    try("[store]\nuri = mongodb://a:b@host/\n", CONF_FOR_FCGI, &c, out, sizeof(out)));
	assert_non_null(strstr(out, "put it into a file"));
	assert_null(strstr(out, "a:b"));
}

static void
a_caller_with_an_unknown_cid_is_refused(void **state)
{
	static struct conf c;
	char out[4000] = "";

	(void)state;
	assert_false(try(GOOD
	    "[caller b]\nroles = refund\ncids = TCSUBSCRIP\n"
	    "token_sha256 = 0000000000000000000000000000000000000000000000000000000000000002\n",
	    CONF_FOR_FCGI, &c, out, sizeof(out)));
	assert_non_null(strstr(out, "names a cid without a [merchant] section"));
}

static void
a_secret_file_that_is_missing_is_told(void **state)
{
	static struct conf c;
	char out[4000] = "";

	(void)state;
	assert_false(
	    try(GOOD "cid_secret_file = /nonexistent/x\n", CONF_FOR_FCGI, &c, out, sizeof(out)));
	assert_non_null(strstr(out, "cannot open /nonexistent/x"));
}

#define CALLER(name, hash) \
	"[caller " name "]\nroles = operator\ncids = TC0ONETIME\ntoken_sha256 = " hash "\n"
#define ONE "0000000000000000000000000000000000000000000000000000000000000001"
#define TEST "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define NOTHING "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define GOOD_BUT_HOSTS \
	"[site]\nreplay_key_file = %K\n[queue]\nsocket = /run/q.sock\ndir = /var/q\n[store]\nuri = mongodb://127.0.0.1/\n" CALLER( \
	    "web", ONE) "[merchant TC0ONETIME]\nmode = secret_key\nkey_file = %K\n"

/* Every file is well formed, and opens a door. */
static void
a_setting_that_lets_people_in_is_a_mistake(void **state)
{
	static const struct {
		const char *text, *told;
	} rows[] = {
		{ GOOD CALLER("b", TEST), ":16: [caller b] token_sha256 is the hash of \"test\"" },
		{ GOOD CALLER("b", NOTHING), "[caller b] token_sha256 is the hash of \"\"" },
		{ GOOD CALLER("b", ZEROS), "[caller b] token_sha256 is a placeholder" },
		{ GOOD CALLER("b", ONE), "[caller b] token_sha256 has the token of caller web" },
		{ GOOD CALLER("b", "1" TEST), "[caller b] token_sha256 must be the SHA-256" },
		{ GOOD CALLER("b", ONE " " ONE " " ONE),
		    "[caller b] token_sha256 takes 2 at the most" },
		{ GOOD "[deliver gateway]\nurl = https://gateway.example.com/hook\nkey_file = %K\n",
		    "[deliver gateway] url is the sample's" },
		{ GOOD_BUT_HOSTS, "[site] redirect_hosts is missing" },
		{ GOOD_BUT_HOSTS "base_url = https://kakaopay.test\n",
		    "[site] redirect_hosts is missing" },
		{ GOOD_BUT_HOSTS "base_url = http://127.0.0.1:8080\n", NULL }, /* a simulator moves
										  no money */
		{ "[site]\nredirect_hosts = www.Example.com\n",
		    ":1: [site] redirect_hosts is the sample's" },
		{ GOOD "[couriers]\n", ":16: [couriers] is not a section of this file" },
		{ GOOD "[caller]\n", ":16: [caller] is not a section of this file" },
		{ GOOD "# [couriers]\n", NULL },
		{ GOOD "[courier]\n", NULL },
	};
	static struct conf c;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[4000] = "";
		bool ok = try(rows[i].text, CONF_FOR_FCGI, &c, out, sizeof(out));

		if (ok)
			conf_clear(&c);
		if (ok != (rows[i].told == NULL) || (!ok && strstr(out, rows[i].told) == NULL))
			fail_msg("row %zu: not told: %s\nin:\n%s", i, rows[i].told, out);
	}
}

static void
a_replay_key_that_can_be_guessed_is_a_mistake(void **state)
{
	static const struct {
		const char *key;
		bool ok;
	} rows[] = {
		{ "x", false },
		{ KEY_TEXT, true },
		{ "0123456789abcdef0123456789abcde", false },
		{ "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", false },
		{ "0123456789abcdef0123456789abcdef", true },
	};
	static struct conf c;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[4000] = "";
		FILE *f = fopen(key, "w");

		assert_non_null(f);
		fputs(rows[i].key, f);
		fclose(f);
		assert_int_equal(try(GOOD, CONF_FOR_FCGI, &c, out, sizeof(out)), rows[i].ok);
		assert_int_equal(strstr(out,
				     "[site] replay_key_file holds a key that can be guessed") ==
			NULL,
		    rows[i].ok);
		if (rows[i].ok)
			conf_clear(&c);
	}
}

#define DELIVER "[deliver gateway]\nurl = https://gateway.test/hook\nkey_file = %K\n"
#define DELIVER_OLD \
	"[deliver reservation]\nurl = https://reservation.test/hook\nkey_file = %K\nold_key_file = %K\n"

static void
a_key_that_cannot_be_used_is_a_mistake(void **state)
{
	static const struct {
		const char *key, *text;
		enum conf_user user;
		const char *told;
	} rows[] = {
		{ "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", GOOD DELIVER, CONF_FOR_COURIER, NULL },
		{ KEY_TEXT, GOOD DELIVER, CONF_FOR_COURIER,
		    "[deliver gateway] key_file holds no key: a webhook key begins with whsec_" },
		{ KEY_TEXT, GOOD DELIVER_OLD, CONF_FOR_COURIER | CONF_FOR_CTL,
		    "[deliver reservation] old_key_file holds no key: a webhook key begins with whsec_" },
		{ "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFQ==", GOOD DELIVER, CONF_FOR_COURIER,
		    "a webhook key has 24 to 64 bytes" },
		{ "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRY", GOOD DELIVER, CONF_FOR_COURIER,
		    "a webhook key is base64 after whsec_" },
		{ "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUF=YX", GOOD DELIVER, CONF_FOR_COURIER,
		    "a webhook key is base64 after whsec_" },
		{ KEY_TEXT, GOOD DELIVER, CONF_FOR_FCGI, NULL }, /* which never opens it */
		{ "a-key-with-a-colon:of-some-characters", GOOD, CONF_FOR_FCGI,
		    "[merchant TC0ONETIME] key_file holds no key of KakaoPay's" },
	};
	static struct conf c;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[4000] = "";
		FILE *f = fopen(key, "w");
		bool ok;

		assert_non_null(f);
		fputs(rows[i].key, f);
		fclose(f);
		ok = try(rows[i].text, rows[i].user, &c, out, sizeof(out));
		if (ok)
			conf_clear(&c);
		if (ok != (rows[i].told == NULL) || (!ok && strstr(out, rows[i].told) == NULL))
			fail_msg("row %zu: not told: %s\nin:\n%s", i, rows[i].told, out);
		assert_null(strstr(out, "ECAwQF"));
	}
}

static void
proxies_are_addresses(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} rows[] = {
		{ "", true },
		{ "127.0.0.1, ::1", true },
		{ "unix", true },
		{ "::FFFF:10.0.0.1", true },
		{ "10.0.0.0/8", false },
		{ "proxy.test", false },
		{ "10.0.0.01", false },
		{ "UNIX", false },
	};
	static struct conf c;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[4000] = "", text[2000];

		snprintf(text, sizeof(text), "%s[fcgi]\ntrusted_proxies = %s\n", GOOD,
		    rows[i].text);
		assert_int_equal(try(text, CONF_FOR_QUEUED, &c, out, sizeof(out)), rows[i].ok);
		assert_int_equal(strstr(out,
				     "[fcgi] trusted_proxies must be addresses of proxies") == NULL,
		    rows[i].ok);
		if (i == 3)
			assert_string_equal(c.trusted_proxies[0], "10.0.0.1");
		if (rows[i].ok)
			conf_clear(&c);
	}
}

static void
files_that_others_may_read_or_change_are_told(void **state)
{
	static const struct {
		mode_t conf, key;
		bool ok;
		const char *told;
	} rows[] = {
		{ 0640, 0640, true, NULL },
		{ 0600, 0400, true, NULL },
		{ 0644, 0640, true, "warning: everybody may read it: chmod o-rwx" },
		{ 0660, 0640, false, "may be written by others than its owner: chmod go-w" },
		{ 0602, 0640, false, "may be written by others than its owner: chmod go-w" },
		{ 0640, 0644, false, "may be read or changed by others: chmod 0640" },
		{ 0640, 0620, false, "may be read or changed by others: chmod 0640" },
		{ 0640, 0602, false, "may be read or changed by others: chmod 0640" },
	};
	static struct conf c;

	(void)state;
	write_conf(GOOD);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[4000] = "";
		FILE *f = fmemopen(out, sizeof(out), "w");
		struct error err;
		bool ok;

		assert_int_equal(chmod(path, rows[i].conf) | chmod(key, rows[i].key), 0);
		ok = conf_read(&c, path, CONF_FOR_FCGI, f, &err);
		fclose(f);
		if (ok)
			conf_clear(&c);
		if (ok != rows[i].ok ||
		    (rows[i].told == NULL ? out[0] != '\0' : strstr(out, rows[i].told) == NULL))
			fail_msg("row %zu: %s", i, out);
	}
	assert_int_equal(chmod(key, 0600), 0);
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
		cmocka_unit_test(a_setting_that_lets_people_in_is_a_mistake),
		cmocka_unit_test(files_that_others_may_read_or_change_are_told),
		cmocka_unit_test(a_replay_key_that_can_be_guessed_is_a_mistake),
		cmocka_unit_test(a_key_that_cannot_be_used_is_a_mistake),
		cmocka_unit_test(proxies_are_addresses),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
