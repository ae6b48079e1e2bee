/* roompayctl: the operator's tool. One process, one command; nothing is kept between two of them. roompayctl(8). */
#include "config.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/log.h"
#include "ctl/command.h"

/* clang-format off */
static const struct command commands[] = {
	{ "status",        "",      "are queue and database there, and do they belong together",                  false, ctl_status },
	{ "queue adopt",   "",      "take the queue that runs in the place of one whose journal was lost",        true,  ctl_queue_adopt },
	{ "restore",       "",      "after an older database was put back: write what is missing again",          true,  ctl_restore },
	{ "journal check", "[DIR]", "read the queue's journal as its daemon does, and change nothing",            false, ctl_journal_check },
	{ "journal dump",  "[DIR]", "the same, with every record",                                                false, ctl_journal_dump },
};
/* clang-format on */

const struct command *
ctl_command(size_t i)
{
	return i < sizeof(commands) / sizeof(commands[0]) ? &commands[i] : NULL;
}

static void
usage(FILE *to)
{
	fputs("usage: roompayctl [-c FILE] [--json] COMMAND [--reason TEXT] [--dry-run]\n"
	      "       roompayctl --version | --help\n\n", to);
	for (size_t i = 0; ctl_command(i) != NULL; i++)
		fprintf(to, "  %-14s %-6s %s\n", ctl_command(i)->words, ctl_command(i)->args, ctl_command(i)->what);
	fputs("\nWhat changes something needs --reason and takes --dry-run. Exit: 0 done, 1 not done or not well, 2 usage.\n", to);
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

/* NULL: all is said, *code. */
static const struct command *
read_arguments(int argc, char **argv, struct options *o, enum ctl_exit *code)
{
	static const struct option longs[] = { { "config", required_argument, NULL, 'c' }, { "reason", required_argument, NULL, 'r' },
		{ "dry-run", no_argument, NULL, 'n' }, { "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 } };
	const struct command *command;
	int c;

	while ((c = getopt_long(argc, argv, "c:hV", longs, NULL)) != -1) {
		if (c == 'c')
			o->config = optarg;
		else if (c == 'r')
			o->reason = optarg;
		else if (c == 'n')
			o->dry_run = true;
		else if (c == 'j')
			o->json = true;
		else {
			if (c == 'V')
				puts(PACKAGE_STRING);
			else
				usage(c == 'h' ? stdout : stderr);
			*code = c == 'V' || c == 'h' ? CTL_OK : CTL_USAGE;
			return NULL;
		}
	}
	o->args = argv + optind;
	o->n_args = argc - optind;
	*code = CTL_USAGE;
	command = find_command(o);
	if (command == NULL || o->n_args > (command->args[0] != '\0')) {
		usage(stderr);
		return NULL;
	}
	if (command->changes && !o->dry_run && (o->reason == NULL || o->reason[0] == '\0')) {
		fprintf(stderr, "roompayctl: %s changes something: say why with --reason, or look first with --dry-run\n", command->words);
		return NULL;
	}
	return command;
}

enum ctl_exit
ctl_complain(const char *what, const struct error *err)
{
	fprintf(stderr, "roompayctl: %s: %s\n", what, err->msg);
	return CTL_FAILED;
}

bool
ctl_open(struct flow *f, const struct conf *conf, unsigned clients, struct error *err)
{
	*f = (struct flow){ .conf = conf, .program = "ctl", .gate = FR_NOT_READY };
	if ((clients & CTL_STORE) && (f->store = store_open_mongo(conf_store_uri(conf), conf->database, err)) == NULL)
		return error_wrap(err, "store");
	if ((clients & CTL_QUEUE) && (f->queue = queue_open_unix(conf->queue_socket)) == NULL)
		return error_set(err, ERR_INTERNAL, "out of memory");
	return !(clients & CTL_KAKAOPAY) || (f->kakaopay = kakaopay_new(conf, err)) != NULL || error_wrap(err, "kakaopay");
}

void
ctl_close(struct flow *f)
{
	kakaopay_free(&f->kakaopay);
	queue_free(&f->queue);
	store_free(&f->store);
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
	if (!conf_read(&conf, o.config, CONF_FOR_CTL, stderr, &err)) {
		fprintf(stderr, "roompayctl: %s\n", err.msg);
		return CTL_USAGE;
	}
	log_open("roompayctl", LOG_LEVEL_WARN);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_DUMPABLE, 0);
	code = command->run(&o, &conf);
	if (fflush(stdout) != 0 && code == CTL_OK)
		code = CTL_FAILED;
	conf_clear(&conf);
	return code;
}
