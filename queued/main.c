/* roompay-queued: the payment queue. See roompay-queued(8) and doc/protocol.md. */
#include "config.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/privilege.h"
#include "base/random.h"
#include "booking/hold_table.h"
#include "queue/disk/journal.h"
#include "queued/disk_log.h"
#include "queued/mongo_log.h"
#include "queued/sandbox.h"
#include "queued/server.h"
#include "site/conf_read.h"
#include "site/metrics.h"

enum exit_code { EXIT_OK = 0, EXIT_USAGE = 1, EXIT_IN_USE = 2, EXIT_JOURNAL = 3, EXIT_FAILED = 4 };

enum {
	MINUTE_MS = 60 * 1000,
	WINDOW_MS = 15 * MINUTE_MS, /* KakaoPay lets a tid live so long */
	REMOVED_ANSWER_MS = 10 * MINUTE_MS,
	GONE_MEMORY_MS = 24 * 60 * MINUTE_MS,
};
static const int64_t order_memory_ms = 35LL * 24 * 60 * MINUTE_MS;

struct arguments {
	const char *config;
	bool check;
};

static void
usage(FILE *out)
{
	fputs("usage: roompay-queued [-c FILE] [--check] [--foreground]\n"
	      "       roompay-queued --version | --help\n",
	    out);
}

/* False: nothing more to do; *code says how to exit. */
static bool
read_arguments(int argc, char **argv, struct arguments *a, enum exit_code *code)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'n' },
		{ "foreground", no_argument, NULL, 'f' }, /* it always does */
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:fh", options, NULL)) != -1) {
		if (c == 'c')
			a->config = optarg;
		else if (c == 'n')
			a->check = true;
		else if (c != 'f') {
			if (c == 'V')
				puts(PACKAGE_STRING);
			else
				usage(c == 'h' ? stdout : stderr);
			*code = c == 'V' || c == 'h' ? EXIT_OK : EXIT_USAGE;
			return false;
		}
	}
	if (optind == argc)
		return true;
	usage(stderr);
	*code = EXIT_USAGE;
	return false;
}

/* Why the daemon ends: what it means, and what an operator does. */
struct ending {
	const char *event, *meaning, *todo;
};

static const struct ending start_failed = {
	.event = "start_failed",
	.meaning = "no queue: nobody can open or confirm a payment",
	.todo = "mend what the error names, and start it again",
};
static const struct ending cannot_listen = {
	.event = "cannot_listen",
	.meaning = "no queue: nobody can open or confirm a payment",
	.todo = "is another daemon running? else mend [queue] socket and its directory",
};
static const struct ending cannot_use_journal = {
	.event = "cannot_use_journal",
	.meaning = "no queue: nobody can open or confirm a payment; no payment is lost",
	.todo = "roompayctl journal check names the damage; put no older copy back; if the journal "
		"cannot be read any more, see the operations guide, section 5",
};
static const struct ending cannot_use_shared_log = {
	.event = "cannot_use_log",
	.meaning =
	    "no queue on this machine: nobody can open or confirm a payment here; no payment "
	    "is lost",
	.todo = "mend what the error names; see roompay-queued(8), exit status 3",
};
static const struct ending stopped_without_answering = {
	.event = "stopped_without_answering",
	.meaning = "nobody was promised anything that was not kept",
	.todo = "mend what the error names; all holds are there after a restart",
};

static enum exit_code
complain(enum exit_code code, const struct ending *e, const struct error *err)
{
	log_event(LOG_LEVEL_ERROR, e->event, KV_INT("exit", code), KV_ERR(err),
	    KV_STR("meaning", e->meaning), KV_STR("todo", e->todo));
	return code;
}

static struct hold_table *
new_table(const struct conf *conf)
{
	const struct hold_limits limits = {
		.max_per_user = conf->max_holds_per_user,
		.guard_ms = conf->guard_ms,
		.window_ms = WINDOW_MS,
		.max_tries_per_min = conf->max_refused_tokens,
		.removed_answer_ms = REMOVED_ANSWER_MS,
		.gone_memory_ms = GONE_MEMORY_MS,
		.order_memory_ms = order_memory_ms,
	};
	struct hold_table *t = hold_table_new(&limits);
	uint8_t seed[HOLD_SEED_LEN];

	if (t != NULL && random_fill(seed, sizeof(seed), NULL))
		hold_table_seed(t, seed);
	return t;
}

static bool
note_again(void *orders, const struct hold_view *h, const struct interval_set *set)
{
	(void)set;
	if (h->token != 0)
		order_log_note(orders, h, NULL);
	return true;
}

/* What a power failure took from the log of orders is in the table still: it is noted again. */
static bool
open_orders(const struct conf *conf, const struct hold_table *table, struct order_log **orders,
    struct error *err)
{
	*orders =
	    order_log_open(conf->queue_dir, &disk_system_io, order_memory_ms, clock_now(), err);
	return *orders != NULL &&
	    hold_table_each(table, NULL, HOLD_AS_RECORDED, note_again, *orders);
}

static enum exit_code
serve(const struct conf *conf, struct hold_table *table, struct commit_log *log,
    struct order_log *orders)
{
	struct server_options options = {
		.uids = conf->queue_uids,
		.n_uids = conf->n_queue_uids,
		.table = table,
		.log = log,
		.orders = orders,
		.limits = { .max_ready = conf->max_calls_ready, .max_all = conf->max_calls },
	};
	enum exit_code code = EXIT_OK;
	struct listener listener;
	struct error err;
	bool ok;

	metrics_open(conf->metrics_dir, METRICS_QUEUED);
	if (!listener_open(&listener, conf->queue_socket, conf->queue_group, &err))
		return complain(err.code == ERR_BUSY ? EXIT_IN_USE : EXIT_FAILED, &cannot_listen,
		    &err);
	ok = sandbox_enter(&err);
	if (ok) {
		log_event(LOG_LEVEL_INFO, "serving", KV_STR("socket", conf->queue_socket),
		    KV_STR("queue", log->queue_id(log)));
		notify("READY=1");
		ok = server_run(&options, &listener, &err);
	}
	if (!ok)
		code = complain(EXIT_FAILED, &stopped_without_answering, &err);
	listener_close(&listener);
	return code;
}

static bool
open_log(const struct conf *conf, const char *conf_path, struct hold_table *table,
    struct commit_log **log, struct error *err)
{
	if (conf->queue_log == QUEUE_LOG_MONGODB)
		return mongo_log_open(conf, conf_path, conf_quiet_ms(conf), table, log, err);
	return disk_log_open(conf->queue_dir, conf_quiet_ms(conf), table, log, err);
}

static void
keep_orders(const struct conf *conf, struct commit_log *log, struct order_log *orders)
{
	if (conf->queue_log == QUEUE_LOG_MONGODB)
		mongo_log_keep_orders(log, orders);
	else
		disk_log_keep_orders(log, orders);
}

static enum exit_code
cannot_use_log(const struct conf *conf, const struct error *err)
{
	if (err->code == ERR_NONE)
		return EXIT_OK; /* stopped while it waited */
	return complain(err->code == ERR_BUSY ? EXIT_IN_USE : EXIT_JOURNAL,
	    conf->queue_log == QUEUE_LOG_MONGODB ? &cannot_use_shared_log : &cannot_use_journal,
	    err);
}

static enum exit_code
run(const struct conf *conf, const char *conf_path)
{
	struct hold_table *table = new_table(conf);
	struct commit_log *log = NULL;
	struct order_log *orders = NULL;
	enum exit_code code;
	struct error err;

	error_clear(&err);
	if (table == NULL)
		return EXIT_FAILED;
	if (open_log(conf, conf_path, table, &log, &err) &&
	    open_orders(conf, table, &orders, &err)) {
		keep_orders(conf, log, orders);
		code = serve(conf, table, log, orders);
	} else
		code = cannot_use_log(conf, &err);
	order_log_close(&orders);
	if (log != NULL)
		log->close(&log);
	hold_table_free(&table);
	return code;
}

/* A write that fails returns an error, without a signal. A signal to end that comes during the
 * start is obeyed once the daemon serves. */
static void
prepare_signals(void)
{
	sigset_t end;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigaddset(&end, SIGINT);
	sigprocmask(SIG_BLOCK, &end, NULL);
}

int
main(int argc, char **argv)
{
	struct arguments args = { .config = SYSCONFDIR "/roompay/roompay.conf" };
	enum exit_code code;
	struct conf conf;
	struct error err;

	if (!read_arguments(argc, argv, &args, &code))
		return code;
	if (!conf_read(&conf, args.config, CONF_FOR_QUEUED, stderr, &err)) {
		fprintf(stderr, "roompay-queued: %s\n", err.msg);
		return EXIT_USAGE;
	}
	log_open("roompay-queued", conf.log_level);
	log_shape(conf.log_format, conf.log_target);
	prepare_signals();
	if (args.check)
		code = EXIT_OK;
	else if (privilege_drop(conf.user, &err))
		code = run(&conf, args.config);
	else
		code = complain(EXIT_FAILED, &start_failed, &err);
	conf_clear(&conf);
	return code;
}
