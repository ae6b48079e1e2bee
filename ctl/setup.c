/* migrate, config check, token new: before and around the work. */
#include "config.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/hex.h"
#include "base/random.h"
#include "ctl/command.h"
#include "ctl/lang.h"
#include "json/write.h"
#include "site/conf_read.h"

enum { MIGRATE_MS = 600000 }; /* an index over years of history takes its time */

enum ctl_exit
ctl_migrate(const struct options *o, const struct conf *conf)
{
	struct flow f = { 0 };
	struct error err;
	bool ok;

	ok = ctl_open(&f, conf, CTL_STORE, &err);
	ok = ok && (o->dry_run || store_migrate(f.store, clock_boot_ms() + MIGRATE_MS, &err));
	ctl_close(&f);
	if (!ok)
		return ctl_complain("migrate", &err);
	if (o->json)
		printf("{\"migrated\":%s,\"dryRun\":%s}\n", o->dry_run ? "false" : "true",
		    o->dry_run ? "true" : "false");
	else if (o->dry_run)
		puts(tr(
		    "the indexes and the schema version that are missing would be made (dry run: nothing was changed)",
		    "빠진 인덱스와 스키마 판을 만들게 됩니다 (dry run: 바꾼 것 없음)"));
	else
		puts(tr("indexes and schema version are there", "인덱스와 스키마 판이 있습니다"));
	return CTL_OK;
}

/* What every program would say at its start, their secrets included. */
enum ctl_exit
ctl_config_check(const struct options *o, const struct conf *conf)
{
	static struct conf all;
	struct buf b = BUF_INIT;
	struct error err;
	bool ok;

	(void)conf;
	ok = conf_read(&all, o->config,
	    CONF_FOR_FCGI | CONF_FOR_QUEUED | CONF_FOR_COURIER | CONF_FOR_CTL, stderr, &err);
	conf_clear(&all);
	if (!ok) {
		ctl_complain("config check", &err);
		return CTL_USAGE;
	}
	if (o->json) {
		buf_add_char(&b, '{');
		json_add_str_member(&b, "file", o->config);
		json_add_bool_member(&b, "ok", true);
		buf_add_char(&b, '}');
		return ctl_print(&b) ? CTL_OK : CTL_FAILED;
	}
	printf(tr("%s is in order\n", "%s에 잘못이 없습니다\n"), o->config);
	return CTL_OK;
}

enum ctl_exit
ctl_token_new(const struct options *o, const struct conf *conf)
{
	char token[2 * 32 + 1], hex[DIGEST_HEX_CAP];
	unsigned char hash[DIGEST_LEN];
	struct error err;

	(void)conf;
	if (!random_hex(token, 32, &err))
		return ctl_complain("token new", &err);
	if (!digest_sha256(token, strlen(token), hash)) {
		error_set(&err, ERR_INTERNAL, "libcrypto has no SHA-256");
		return ctl_complain("token new", &err);
	}
	hex_format(hash, sizeof(hash), hex);
	if (o->json)
		printf("{\"token\":\"%s\",\"token_sha256\":\"%s\"}\n", token, hex);
	else
		printf(
		    tr("for the caller, shown only now:\n%s\nfor [caller NAME] of roompay.conf:\ntoken_sha256 = %s\n",
			"호출자에게, 지금만 보입니다:\n%s\nroompay.conf의 [caller NAME]에:\ntoken_sha256 = %s\n"),
		    token, hex);
	OPENSSL_cleanse(token, sizeof(token));
	return CTL_OK;
}
