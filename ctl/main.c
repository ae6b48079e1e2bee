/* roompayctl: the operator's tool. One process, one command; nothing is kept between two of them. roompayctl(8). */
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
#include "flow/site.h"

/* clang-format off */
static const struct command commands[] = {
	{ "status",           "",              "",         "are queue and database there, and do they belong together",         false, false, ctl_status },
	{ "holds list",       "",              "room user cid", "what the queue holds",                                         false, false, ctl_holds_list },
	{ "holds show",       "TID",           "lang",     "one of them",                                                       false, false, ctl_holds_show },
	{ "holds release",    "TID",           "",         "drop it: one that may be charged must be settled first",            true,  false, ctl_holds_release },
	{ "payment list",     "",              "user order room cid from to limit", "payments, the newest first",               false, false, ctl_payment_list },
	{ "payment show",     "TID|CID [ORDER]", "",       "the ledger of its order",                                           false, false, ctl_payment_show },
	{ "payment explain",  "TID|CID [ORDER]", "lang",   "what happened, is the customer charged, what to do next",           false, false, ctl_payment_explain },
	{ "payment settle",   "TID",           "as",       "ask KakaoPay, and give an open payment or one in review its end",   true,  false, ctl_payment_settle },
	{ "payment refund",   "TID",           "amount tax-free id", "give money back",                                         true,  false, ctl_payment_refund },
	{ "deliveries list",  "",              "",         "messages that are owed",                                            false, false, ctl_deliveries_list },
	{ "deliveries show",  "MESSAGE",       "",         "one of them, with its tries",                                       false, false, ctl_deliveries_show },
	{ "deliveries retry", "MESSAGE",       "",         "try it once more, now",                                             true,  false, ctl_deliveries_retry },
	{ "queue adopt",      "",              "",         "take the queue that runs in the place of one whose journal was lost", true, false, ctl_queue_adopt },
	{ "restore",          "",              "",         "after an older database was put back: write what is missing again", true,  false, ctl_restore },
	{ "reconcile",        "",              "day",      "a day of the ledger against what KakaoPay says of it",              false, false, ctl_reconcile },
	{ "migrate",          "",              "",         "make the indexes that are missing",                                 false, false, ctl_migrate },
	{ "journal check",    "[DIR]",         "",         "read the queue's journal as its daemon does, and change nothing",   false, false, ctl_journal_check },
	{ "journal dump",     "[DIR]",         "",         "the same, with every record",                                       false, false, ctl_journal_dump },
	{ "config check",     "",              "",         "read the configuration and all its secrets as every program does",  false, true,  ctl_config_check },
	{ "token new",        "",              "",         "a token for a caller, and its hash for roompay.conf",               false, true,  ctl_token_new },
	{ "completion",       "",              "",         "what bash needs to complete all this",                              false, true,  ctl_completion },
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
	for (size_t i = 0; ctl_command(i) != NULL; i++) {
		const struct command *c = ctl_command(i);

		fprintf(to, "  %-16s %-15s %s", c->words, c->args, c->what);
		for (const char *p = c->options; *p != '\0'; p += strcspn(p, " "), p += strspn(p, " "))
			fprintf(to, "%s--%.*s", p == c->options ? " (" : " ", (int)strcspn(p, " "), p);
		fputs(c->options[0] != '\0' ? ")\n" : "\n", to);
	}
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

/* The options that only some commands know, by name. */
static const struct { const char *name; size_t at; } more_options[] = {
	{ "as", offsetof(struct options, as) }, { "id", offsetof(struct options, id) }, { "amount", offsetof(struct options, amount) },
	{ "tax-free", offsetof(struct options, tax_free) }, { "lang", offsetof(struct options, lang) }, { "user", offsetof(struct options, user) },
	{ "order", offsetof(struct options, order) }, { "room", offsetof(struct options, room) }, { "cid", offsetof(struct options, cid) },
	{ "from", offsetof(struct options, from) }, { "to", offsetof(struct options, to) }, { "limit", offsetof(struct options, limit) },
	{ "day", offsetof(struct options, day) },
};
enum { N_MORE = sizeof(more_options) / sizeof(more_options[0]), MORE = 256 };

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
		fprintf(stderr, "roompayctl: %s takes %s\n", c->words, max == 0 ? "no argument" : c->args);
		return false;
	}
	for (size_t i = 0; i < N_MORE; i++)
		if (*option_at(o, i) != NULL && !knows_option(c, more_options[i].name)) {
			fprintf(stderr, "roompayctl: %s knows no --%s\n", c->words, more_options[i].name);
			return false;
		}
	if (c->changes && !o->dry_run && (o->reason == NULL || o->reason[0] == '\0')) {
		fprintf(stderr, "roompayctl: %s changes something: say why with --reason, or look first with --dry-run\n", c->words);
		return false;
	}
	if (o->reason != NULL && strlen(o->reason) >= REASON_CAP) {
		fprintf(stderr, "roompayctl: --reason is longer than %d bytes\n", REASON_CAP - 1);
		return false;
	}
	if (o->reason != NULL && (text_has_hidden(o->reason) || text_is_blank(o->reason))) {
		fprintf(stderr, "roompayctl: --reason is blank, or has a character that a reader of the ledger would not see\n");
		return false;
	}
	return true;
}

static void
list_options(struct option longs[])
{
	static const struct option common[] = { { "config", required_argument, NULL, 'c' }, { "reason", required_argument, NULL, 'r' },
		{ "dry-run", no_argument, NULL, 'n' }, { "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' } };
	size_t n = sizeof(common) / sizeof(common[0]);

	memcpy(longs, common, sizeof(common));
	for (size_t i = 0; i < N_MORE; i++)
		longs[n + i] = (struct option){ more_options[i].name, required_argument, NULL, MORE + (int)i };
	longs[n + N_MORE] = (struct option){ NULL, 0, NULL, 0 };
}

/* NULL: all is said, *code. */
static const struct command *
read_arguments(int argc, char **argv, struct options *o, enum ctl_exit *code)
{
	struct option longs[N_MORE + 8];
	const struct command *command;
	int c;

	list_options(longs);
	while ((c = getopt_long(argc, argv, "c:hV", longs, NULL)) != -1) {
		if (c >= MORE)
			*option_at(o, (size_t)(c - MORE)) = optarg;
		else if (c == 'c')
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
	if (command == NULL) {
		usage(stderr);
		return NULL;
	}
	return fits(command, o) ? command : NULL;
}

enum ctl_exit
ctl_complain(const char *what, const struct error *err)
{
	fprintf(stderr, "roompayctl: %s: %s\n", what, ctl_visible(err->msg));
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

void
ctl_set_gate(struct flow *f)
{
	struct flow_call c = ctl_call();
	struct queue_greeting hello;
	struct store_claim claim;
	struct error err;

	f->gate = FR_QUEUE_UNAVAILABLE;
	if (store_claim_get(f->store, &claim, c.deadline_boot_ms, &err) && queue_hello(f->queue, &hello, c.deadline_boot_ms, &err) &&
	    claim.number > 0 && strcmp(claim.queue_id, hello.id) == 0)
		f->gate = FR_OK;
}

bool
ctl_need_site(struct flow *f, struct error *err)
{
	struct site site;

	if (!site_open(f->store, f->queue, &site, ctl_call().deadline_boot_ms, err))
		return false;
	f->gate = FR_OK;
	return true;
}

size_t
ctl_cids(const struct conf *conf, const char *cids[CONF_MERCHANTS_MAX])
{
	for (size_t i = 0; i < conf->n_merchants; i++)
		cids[i] = conf->merchants[i].cid;
	return conf->n_merchants;
}

struct flow_call
ctl_call(void)
{
	enum { CALL_MS = 15000 };
	static char id[REQUEST_ID_CAP];

	if (id[0] == '\0')
		snprintf(id, sizeof(id), "ctl-%lld-%ld", (long long)clock_wall_ms(), (long)getpid());
	return (struct flow_call){ id, clock_boot_ms() + CALL_MS };
}

static bool
find_in_open(struct flow *f, const char *tid, char cid[CID_CAP], char order[ORDER_CAP], bool *found, struct error *err)
{
	enum { OPEN_MAX = 10000 };
	struct store_open *items = NULL;
	size_t n = 0;

	if (!store_open_list(f->store, OPEN_MAX, &items, &n, ctl_call().deadline_boot_ms, err))
		return false;
	for (size_t i = 0; i < n && !*found; i++)
		if (strcmp(items[i].tid, tid) == 0) {
			memcpy(cid, items[i].cid, CID_CAP);
			memcpy(order, items[i].partner_order_id, ORDER_CAP);
			*found = true;
		}
	free(items);
	return true;
}

bool
ctl_find_order(struct flow *f, const char *tid, char cid[CID_CAP], char order[ORDER_CAP], struct error *err)
{
	struct queue_answer qa;
	struct payment p;
	bool found;

	if (!store_payment_get(f->store, tid, &p, &found, ctl_call().deadline_boot_ms, err))
		return false;
	if (found) {
		memcpy(cid, p.cid, CID_CAP);
		memcpy(order, p.partner_order_id, ORDER_CAP);
	} else if (!find_in_open(f, tid, cid, order, &found, err)) {
		return false;
	}
	if (found)
		return true;
	if (!queue_find_tid(f->queue, tid, ctl_call().deadline_boot_ms, &qa, err))
		return false;
	if (qa.code != HA_OK)
		return error_set(err, ERR_NOT_FOUND, "nothing is known of %s: no payment, no open work, no hold. By its order: CID ORDER", tid);
	memcpy(cid, qa.hold.cid, CID_CAP);
	memcpy(order, qa.hold.order, ORDER_CAP);
	return true;
}

enum { TEXTS = 4, KST_MS = 9 * 3600 * 1000 };

const char *
ctl_kst(int64_t wall_ms)
{
	static char texts[TEXTS][CLOCK_ISO_CAP];
	static unsigned i;
	char *text = texts[i++ % TEXTS];

	if (wall_ms == 0)
		return "-";
	clock_format_iso(wall_ms + KST_MS, text);
	text[10] = ' ';
	text[19] = '\0';
	return text;
}

const char *
ctl_int(int64_t n)
{
	static char texts[TEXTS][24];
	static unsigned i;
	char *text = texts[i++ % TEXTS];

	snprintf(text, sizeof(texts[0]), "%lld", (long long)n);
	return text;
}

const char *
ctl_visible(const char *text)
{
	static struct buf texts[TEXTS];		/* kept until the program ends */
	static unsigned i;
	struct buf *b = &texts[i++ % TEXTS];

	buf_reset(b);
	text_add_visible(b, text);
	return buf_str(b);
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
	if (!privilege_seal(&err))	/* before a secret is read. It stays who it is: the queue asks */
		return ctl_complain("start", &err);
	if (!command->bare && !conf_read(&conf, o.config, CONF_FOR_CTL, stderr, &err)) {
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
