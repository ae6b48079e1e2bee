/* roompayctl: the operator's tool. One process, one command; nothing is kept between two of them.
 * roompayctl(8). */
#include "config.h"

#include <getopt.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/privilege.h"
#include "base/text.h"
#include "ctl/command.h"
#include "ctl/lang.h"
#include "site/conf_read.h"

static void
usage(FILE *to)
{
	fputs(
	    tr("usage: roompayctl [-c FILE] [--json] [--wide] [--lang ko|en] COMMAND [--reason TEXT] "
	       "[--dry-run]\n       roompayctl --version | --help\n\n",
		"사용법: roompayctl [-c FILE] [--json] [--wide] [--lang ko|en] COMMAND [--reason TEXT] "
		"[--dry-run]\n        roompayctl --version | --help\n\n"),
	    to);
	for (size_t i = 0; ctl_command(i) != NULL; i++) {
		const struct command *c = ctl_command(i);

		fprintf(to, "  %-16s %-15s %s", c->words, c->args, c->what[ctl_is_korean()]);
		for (const char *p = c->options; *p != '\0';
		     p += strcspn(p, " "), p += strspn(p, " "))
			fprintf(to, "%s--%.*s", p == c->options ? " (" : " ", (int)strcspn(p, " "),
			    p);
		fputs(c->options[0] != '\0' ? ")\n" : "\n", to);
	}
	fputs(
	    tr("\nWhat changes something needs --reason and takes --dry-run. Exit: 0 done, 1 not done or not "
	       "well, 2 usage.\n",
		"\n무언가를 바꾸는 명령에는 --reason이 필요하고 --dry-run을 쓸 수 있습니다. "
		"종료 코드: 0 완료, 1 하지 못했거나 문제가 있음, 2 사용법.\n"),
	    to);
}

/* The words of `c` at the beginning of the arguments; how many they are. 0: it is another one. */
static int
words_of(const struct command *c, char *const *args, int n)
{
	const char *p = c->words;
	int i = 0;

	for (; *p != '\0' && i < n; i++) {
		size_t len = strcspn(p, " ");

		if (strlen(args[i]) != len || strncmp(args[i], p, len) != 0)
			return 0;
		p += len + (p[len] == ' ');
	}
	return *p == '\0' ? i : 0;
}

static const struct command *
find_command(struct options *o)
{
	for (size_t i = 0; ctl_command(i) != NULL; i++) {
		int n = words_of(ctl_command(i), o->args, o->n_args);

		if (n > 0) {
			o->args += n;
			o->n_args -= n;
			return ctl_command(i);
		}
	}
	return NULL;
}

/* What was typed, what could have been meant, and where all of it stands. */
static void
name_unknown(const struct options *o)
{
	bool some = false;
	size_t len;

	if (o->n_args == 0) {
		usage(stderr);
		return;
	}
	fprintf(stderr,
	    tr("roompayctl: there is no command \"%s%s%s\"",
		"roompayctl: \"%s%s%s\"라는 명령은 없습니다"),
	    ctl_visible(o->args[0]), o->n_args > 1 ? " " : "",
	    o->n_args > 1 ? ctl_visible(o->args[1]) : "");
	for (size_t i = 0; ctl_command(i) != NULL; i++) {
		const char *words = ctl_command(i)->words;

		len = strcspn(words, " ");
		if (strlen(o->args[0]) != len || strncmp(words, o->args[0], len) != 0 ||
		    words[len] == '\0')
			continue;
		fprintf(stderr, "%s%s", some ? ", " : tr("; there are ", "; 있는 명령: "), words);
		some = true;
	}
	fputs(tr(". See roompayctl --help\n", ". roompayctl --help를 보세요\n"), stderr);
}

/* The options that only some commands know, by name. A flag takes no value; it is "" where it is
 * given. */
static const struct {
	const char *name;
	size_t at;
	bool flag;
} more_options[] = {
	{ "as", offsetof(struct options, as), false },
	{ "id", offsetof(struct options, id), false },
	{ "amount", offsetof(struct options, amount), false },
	{ "tax-free", offsetof(struct options, tax_free), false },
	{ "again", offsetof(struct options, again), true },
	{ "user", offsetof(struct options, user), false },
	{ "order", offsetof(struct options, order), false },
	{ "room", offsetof(struct options, room), false },
	{ "cid", offsetof(struct options, cid), false },
	{ "from", offsetof(struct options, from), false },
	{ "to", offsetof(struct options, to), false },
	{ "limit", offsetof(struct options, limit), false },
	{ "day", offsetof(struct options, day), false },
	{ "all", offsetof(struct options, all), true },
	{ "since", offsetof(struct options, since), false },
	{ "peer", offsetof(struct options, peer), false },
	{ "apply", offsetof(struct options, apply), true },
	{ "weekday", offsetof(struct options, weekday), false },
	{ "hours", offsetof(struct options, hours), false },
	{ "count", offsetof(struct options, count), false },
};
enum { N_MORE = sizeof(more_options) / sizeof(more_options[0]), MORE = 256 };

const char *
ctl_option(size_t i, bool *flag)
{
	*flag = i < N_MORE && more_options[i].flag;
	return i < N_MORE ? more_options[i].name : NULL;
}

static const char **
option_at(struct options *o, size_t i)
{
	return (const char **)((char *)o + more_options[i].at);
}

static bool
knows_option(const struct command *c, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = c->options; *p != '\0'; p += strcspn(p, " "), p += strspn(p, " "))
		if (strcspn(p, " ") == len && strncmp(p, name, len) == 0)
			return true;
	return false;
}

/* As many arguments as the command takes, and no option of another's. */
static bool
fits(const struct command *c, struct options *o)
{
	int max = c->args[0] == '\0' ? 0 : strchr(c->args, ' ') != NULL ? 2 : 1;
	int min = c->args[0] == '\0' || c->args[0] == '[' ? 0 : 1;

	if (o->n_args < min || o->n_args > max) {
		fprintf(stderr, tr("roompayctl: %s takes %s\n", "roompayctl: %s의 인자: %s\n"),
		    c->words, max == 0 ? tr("no argument", "없음") : c->args);
		return false;
	}
	for (size_t i = 0; i < N_MORE; i++)
		if (*option_at(o, i) != NULL && !knows_option(c, more_options[i].name)) {
			fprintf(stderr,
			    tr("roompayctl: %s knows no --%s\n",
				"roompayctl: %s에는 --%s가 없습니다\n"),
			    c->words, more_options[i].name);
			return false;
		}
	if (o->json && (c->flags & CTL_NO_JSON) != 0) {
		fprintf(stderr,
		    tr("roompayctl: %s has no JSON form\n",
			"roompayctl: %s에는 JSON 형식이 없습니다\n"),
		    c->words);
		return false;
	}
	if ((c->flags & CTL_CHANGES) != 0 && !o->dry_run &&
	    (o->reason == NULL || o->reason[0] == '\0')) {
		fprintf(stderr,
		    tr("roompayctl: %s changes something: say why with --reason, or look first with --dry-run\n",
			"roompayctl: %s은(는) 무언가를 바꿉니다. --reason으로 이유를 말하거나 --dry-run으로 먼저 보세요\n"),
		    c->words);
		return false;
	}
	if (o->reason != NULL && strlen(o->reason) >= REASON_CAP) {
		fprintf(stderr,
		    tr("roompayctl: --reason is longer than %d bytes\n",
			"roompayctl: --reason이 %d바이트보다 깁니다\n"),
		    REASON_CAP - 1);
		return false;
	}
	if (o->reason != NULL && (text_has_hidden(o->reason) || text_is_blank(o->reason))) {
		fputs(
		    tr("roompayctl: --reason is blank, or has a character that a reader of the ledger would not see\n",
			"roompayctl: --reason이 비어 있거나, 원장을 읽는 사람에게 보이지 않을 글자가 있습니다\n"),
		    stderr);
		return false;
	}
	return true;
}

static void
list_options(struct option longs[])
{
	static const struct option common[] = { { "config", required_argument, NULL, 'c' },
		{ "reason", required_argument, NULL, 'r' }, { "dry-run", no_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' }, { "wide", no_argument, NULL, 'w' },
		{ "lang", required_argument, NULL, 'l' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' } };
	size_t n = sizeof(common) / sizeof(common[0]);

	memcpy(longs, common, sizeof(common));
	for (size_t i = 0; i < N_MORE; i++)
		longs[n + i] = (struct option){ more_options[i].name,
			more_options[i].flag ? no_argument : required_argument, NULL,
			MORE + (int)i };
	longs[n + N_MORE] = (struct option){ NULL, 0, NULL, 0 };
}

/* One of those that every command knows. False: it is none of them. */
static bool
take_common(struct options *o, int c, const char **help)
{
	switch (c) {
	case 'c':
		o->config = optarg;
		return true;
	case 'r':
		o->reason = optarg;
		return true;
	case 'n':
		o->dry_run = true;
		return true;
	case 'j':
		o->json = true;
		return true;
	case 'w':
		o->wide = true;
		return true;
	case 'l':
		o->lang = optarg;
		return true;
	case 'h':
	case 'V':
		*help = *help == NULL ? c == 'h' ? "help" : "version" : *help;
		return true;
	default:
		return false;
	}
}

/* word: as it was typed. */
static void
name_unknown_option(const char *word, bool lacks_value)
{
	fprintf(stderr,
	    lacks_value ? tr("roompayctl: %s needs a value\n", "roompayctl: %s에 값이 없습니다\n")
			: tr("roompayctl: there is no option %s. See roompayctl --help\n",
			      "roompayctl: %s라는 옵션은 없습니다. roompayctl --help를 보세요\n"),
	    ctl_visible(word));
}

/* False: it is said what is wrong. *help: --help or --version was given. */
static bool
read_options(int argc, char **argv, struct options *o, const char **help)
{
	struct option longs[N_MORE + 10];
	int c, at = 1;

	list_options(longs);
	opterr = 0;
	for (*help = NULL; (c = getopt_long(argc, argv, ":c:hV", longs, NULL)) != -1; at = optind)
		if (c >= MORE)
			*option_at(o, (size_t)(c - MORE)) =
			    more_options[c - MORE].flag ? "" : optarg;
		else if (!take_common(o, c, help)) {
			name_unknown_option(argv[at < optind ? optind - 1 : at], c == ':');
			return false;
		}
	return true;
}

/* NULL: all is said, *code. */
static const struct command *
read_arguments(int argc, char **argv, struct options *o, enum ctl_exit *code)
{
	const struct command *command;
	const char *help;

	*code = CTL_USAGE;
	ctl_set_lang(NULL);
	if (!read_options(argc, argv, o, &help))
		return NULL;
	if (!ctl_set_lang(o->lang)) {
		fputs("roompayctl: --lang is ko or en\n", stderr);
		return NULL;
	}
	if (help != NULL) {
		if (strcmp(help, "version") == 0)
			puts(PACKAGE_STRING);
		else
			usage(stdout);
		*code = CTL_OK;
		return NULL;
	}
	o->args = argv + optind;
	o->n_args = argc - optind;
	command = find_command(o);
	if (command == NULL) {
		name_unknown(o);
		return NULL;
	}
	return fits(command, o) ? command : NULL;
}

int
main(int argc, char **argv)
{
	static struct conf conf;
	struct options o = { .config = SYSCONFDIR "/roompay/roompay.conf" };
	const struct command *command;
	enum ctl_exit code;
	struct error err;

	command = read_arguments(argc, argv, &o, &code);
	if (command == NULL)
		return code;
	if (!privilege_seal(&err)) /* before a secret is read. It stays who it is: the queue asks */
		return ctl_complain("start", &err);
	if ((command->flags & CTL_BARE) == 0 &&
	    !conf_read(&conf, o.config, CONF_FOR_CTL, stderr, &err)) {
		fprintf(stderr, "roompayctl: %s\n", err.msg);
		return CTL_USAGE;
	}
	log_open("roompayctl", LOG_LEVEL_WARN);
	signal(SIGPIPE, SIG_IGN);
	code = command->run(&o, &conf);
	if (fflush(stdout) != 0 && code == CTL_OK)
		code = CTL_FAILED;
	conf_clear(&conf);
	return code;
}
