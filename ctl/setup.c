/* migrate, config check, token new, completion: before and around the work. */
#include "config.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/hex.h"
#include "ctl/command.h"
#include "ctl/lang.h"
#include "json/write.h"
#include "site/conf_read.h"

enum { MIGRATE_MS = 600000 };	/* an index over years of history takes its time */

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
		printf("{\"migrated\":%s,\"dryRun\":%s}\n", o->dry_run ? "false" : "true", o->dry_run ? "true" : "false");
	else if (o->dry_run)
		puts(tr("the indexes and the schema version that are missing would be made (dry run: nothing was changed)",
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
	ok = conf_read(&all, o->config, CONF_FOR_FCGI | CONF_FOR_QUEUED | CONF_FOR_COURIER | CONF_FOR_CTL, stderr, &err);
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
	unsigned char random[32], hash[SHA256_DIGEST_LENGTH];
	char token[2 * sizeof(random) + 1], hex[2 * sizeof(hash) + 1];
	struct error err;

	(void)conf;
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
		error_sys(&err, ERR_INTERNAL, "random numbers");
		return ctl_complain("token new", &err);
	}
	hex_format(random, sizeof(random), token);
	SHA256((const unsigned char *)token, strlen(token), hash);
	hex_format(hash, sizeof(hash), hex);
	if (o->json)
		printf("{\"token\":\"%s\",\"token_sha256\":\"%s\"}\n", token, hex);
	else
		printf(tr("for the caller, shown only now:\n%s\nfor [caller NAME] of roompay.conf:\ntoken_sha256 = %s\n",
		    "호출자에게, 지금만 보입니다:\n%s\nroompay.conf의 [caller NAME]에:\ntoken_sha256 = %s\n"), token, hex);
	OPENSSL_cleanse(random, sizeof(random));
	OPENSSL_cleanse(token, sizeof(token));
	return CTL_OK;
}

/* Names of the options that take a value. */
static void
print_valued(const char *between)
{
	const char *name;
	bool flag;

	printf("-c%s--config%s--reason%s--lang", between, between, between);
	for (size_t i = 0; (name = ctl_option(i, &flag)) != NULL; i++)
		if (!flag)
			printf("%s--%s", between, name);
}

/* Words of the commands and names of the options, made from the table: what a shell offers is what there is. */
enum ctl_exit
ctl_completion(const struct options *o, const struct conf *conf)
{
	(void)o;
	(void)conf;
	fputs("# bash completion for roompayctl; made by: roompayctl completion\n"
	      "_roompayctl() {\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} words=() w skip=0 line\n"
	      "\tfor w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
	      "\t\tif [ $skip = 1 ]; then skip=0; continue; fi\n"
	      "\t\tcase $w in ", stdout);
	print_valued("|");
	fputs(") skip=1 ;; -*) ;; *) words+=(\"$w\") ;; esac\n"
	      "\tdone\n"
	      "\tif [[ $cur == -* ]]; then\n"
	      "\t\tline='--config --json --wide --lang --help --version --reason --dry-run'\n"
	      "\t\tcase \"${words[*]}\" in\n", stdout);
	for (size_t i = 0; ctl_command(i) != NULL; i++) {
		const char *p = ctl_command(i)->options;

		if (p[0] == '\0')
			continue;
		printf("\t\t'%s'*) line+='", ctl_command(i)->words);
		while (*p != '\0') {
			printf(" --%.*s", (int)strcspn(p, " "), p);
			p += strcspn(p, " ");
			p += strspn(p, " ");
		}
		puts("' ;;");
	}
	fputs("\t\tesac\n\telse\n\t\tcase \"${words[*]}\" in\n\t\t'') line='", stdout);
	for (size_t i = 0; ctl_command(i) != NULL; i++) {
		const char *w = ctl_command(i)->words, *before = i > 0 ? ctl_command(i - 1)->words : "";
		size_t len = strcspn(w, " ");

		if (strncmp(w, before, len) != 0 || strcspn(before, " ") != len)
			printf("%s%.*s", i > 0 ? " " : "", (int)len, w);
	}
	puts("' ;;");
	for (size_t i = 0; ctl_command(i) != NULL; i++) {
		const char *w = ctl_command(i)->words;
		size_t len = strcspn(w, " ");
		bool first = i == 0 || strncmp(w, ctl_command(i - 1)->words, len + 1) != 0;
		bool last = ctl_command(i + 1) == NULL || strncmp(w, ctl_command(i + 1)->words, len + 1) != 0;

		if (w[len] == '\0')
			continue;
		if (first)
			printf("\t\t%.*s) line='", (int)len, w);
		printf("%s%s", first ? "" : " ", w + len + 1);
		if (last)
			puts("' ;;");
	}
	fputs("\t\t*) line= ;;\n\t\tesac\n\tfi\n\tmapfile -t COMPREPLY < <(compgen -W \"$line\" -- \"$cur\")\n}\ncomplete -o default -F _roompayctl roompayctl\n", stdout);
	return CTL_OK;
}
