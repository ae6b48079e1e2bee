/* kakaopay-sim: a KakaoPay for development and tests. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "sim/api.h"
#include "sim/control.h"
#include "sim/pages.h"
#include "sim/payment.h"

enum { EXIT_USAGE = 64, PORT_MAX = 65535 };

struct options {
	int port; /* -1: not given */
	const char *listen, *state_file, *key_file, *admin_key_file, *cid_secret_file,
	    *user_token_file, *base_url, *cids;
	uint64_t seed;
};

static volatile sig_atomic_t stop;

static void
on_stop(int sig)
{
	(void)sig;
	stop = 1;
}

static const char usage_text[] =
    "usage: kakaopay-sim --port N [--listen ADDRESS] [--key-file F] [--admin-key-file F] [--cid A,B] [--cid-secret-file F]\n"
    "                    [--user-token-file F] [--state-file F] [--base-url URL] [--seed N]\n";

static bool
parse_number(const char *text, uint64_t max, uint64_t *n)
{
	char *end;

	errno = 0;
	*n = strtoull(text, &end, 10);
	return errno == 0 && *text >= '0' && *text <= '9' && *end == '\0' && *n <= max;
}

enum {
	OPT_PORT = 256,
	OPT_LISTEN,
	OPT_KEY,
	OPT_ADMIN_KEY,
	OPT_CID,
	OPT_CID_SECRET,
	OPT_USER_TOKEN,
	OPT_STATE,
	OPT_BASE_URL,
	OPT_SEED
};
static const struct option long_options[] = {
	{ "port", required_argument, NULL, OPT_PORT },
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "key-file", required_argument, NULL, OPT_KEY },
	{ "admin-key-file", required_argument, NULL, OPT_ADMIN_KEY },
	{ "cid", required_argument, NULL, OPT_CID },
	{ "cid-secret-file", required_argument, NULL, OPT_CID_SECRET },
	{ "user-token-file", required_argument, NULL, OPT_USER_TOKEN },
	{ "state-file", required_argument, NULL, OPT_STATE },
	{ "base-url", required_argument, NULL, OPT_BASE_URL },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static const struct {
	int option;
	size_t offset;
} texts[] = {
	{ OPT_LISTEN, offsetof(struct options, listen) },
	{ OPT_KEY, offsetof(struct options, key_file) },
	{ OPT_ADMIN_KEY, offsetof(struct options, admin_key_file) },
	{ OPT_CID, offsetof(struct options, cids) },
	{ OPT_CID_SECRET, offsetof(struct options, cid_secret_file) },
	{ OPT_USER_TOKEN, offsetof(struct options, user_token_file) },
	{ OPT_STATE, offsetof(struct options, state_file) },
	{ OPT_BASE_URL, offsetof(struct options, base_url) },
};

/* False: wrong, and the reason was printed. */
static bool
take_option(struct options *o, int option)
{
	uint64_t n = 0;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].option == option) {
			*(const char **)((char *)o + texts[i].offset) = optarg;
			return true;
		}
	switch (option) {
	case OPT_PORT:
		if (!parse_number(optarg, PORT_MAX, &n)) {
			fprintf(stderr, "kakaopay-sim: --port: a number from 0 to %d\n", PORT_MAX);
			return false;
		}
		o->port = (int)n;
		return true;
	case OPT_SEED:
		if (parse_number(optarg, UINT64_MAX, &o->seed))
			return true;
		fputs("kakaopay-sim: --seed: a number\n", stderr);
		return false;
	default:
		fputs(usage_text, stderr);
		return false;
	}
}

static bool
read_options(struct options *o, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "hV", long_options, NULL)) != -1) {
		if (option == 'h') {
			fputs(usage_text, stdout);
			exit(0);
		}
		if (option == 'V') {
			puts("kakaopay-sim " VERSION);
			exit(0);
		}
		if (!take_option(o, option))
			return false;
	}
	if (o->port < 0 || optind != argc) {
		fputs(usage_text, stderr);
		return false;
	}
	return true;
}

static bool
read_cids(struct sim *sim, const char *list, struct error *err)
{
	while (*list != '\0') {
		size_t len = strcspn(list, ",");

		if (sim->n_cids == SIM_CIDS_MAX)
			return error_set(err, ERR_INPUT, "--cid: more than %d", SIM_CIDS_MAX);
		if (len != 10)
			return error_set(err, ERR_INPUT, "--cid: %.*s has not 10 characters",
			    (int)len, list);
		memcpy(sim->cids[sim->n_cids++], list, len);
		list += len + (list[len] == ',');
	}
	return sim->n_cids > 0 || error_set(err, ERR_INPUT, "--cid: none");
}

static bool
read_secret(struct secret *s, const char *path, struct error *err)
{
	return path == NULL || secret_read_file(s, path, err);
}

/* Characters that need no escape in JSON or HTML. */
static bool
check_base_url(const char *url, struct error *err)
{
	if ((strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) ||
	    strpbrk(url, "\"\\<>&' \t\r\n?#") != NULL || url[strlen(url) - 1] == '/')
		return error_set(err, ERR_INPUT,
		    "--base-url: http://HOST[:PORT] without a slash at its end");
	return true;
}

static bool
prepare(struct sim *sim, const struct options *o, struct error *err)
{
	unsure_init(&sim->unsure);
	faults_init(&sim->faults, o->seed);
	return read_cids(sim, o->cids, err) && read_secret(&sim->key, o->key_file, err) &&
	    read_secret(&sim->admin_key, o->admin_key_file, err) &&
	    read_secret(&sim->cid_secret, o->cid_secret_file, err) &&
	    read_secret(&sim->user_token, o->user_token_file, err) &&
	    (o->base_url == NULL || check_base_url(o->base_url, err)) &&
	    state_open(&sim->state, o->state_file, err);
}

static void
handle(struct request *rq, void *ctx)
{
	if (api_owns(rq->path))
		api_handle(ctx, rq);
	else if (control_owns(rq->path))
		control_handle(ctx, rq);
	else if (pages_own(rq->path))
		pages_handle(ctx, rq);
	else {
		rq->answer.status = 404;
		rq->answer.type = "text/plain";
		buf_add_str(&rq->answer.body, "not found\n");
		request_answer(rq);
	}
}

/* SIGTERM and SIGINT are taken only while the server waits: *unblocked is the mask for that. */
static void
catch_signals(sigset_t *unblocked)
{
	struct sigaction sa = { .sa_handler = on_stop };
	sigset_t mine;

	sigemptyset(&mine);
	sigaddset(&mine, SIGTERM);
	sigaddset(&mine, SIGINT);
	sigprocmask(SIG_BLOCK, &mine, unblocked);
	sigdelset(unblocked, SIGTERM);
	sigdelset(unblocked, SIGINT);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);
	sigaction(SIGXFSZ, &sa, NULL); /* the state file: a write that fails says so */
}

static bool
serve(struct sim *sim, const struct options *o, const sigset_t *unblocked, struct error *err)
{
	char base[128];

	if (!server_open(&sim->server, o->listen, o->port, handle, sim, err))
		return false;
	snprintf(base, sizeof(base),
	    strchr(o->listen, ':') == NULL ? "http://%s:%d" : "http://[%s]:%d", o->listen,
	    server_port(sim->server));
	sim->base_url = o->base_url != NULL ? o->base_url : base;
	log_event(LOG_LEVEL_INFO, "listening", KV_STR("url", sim->base_url),
	    KV_INT("orders", state_count(&sim->state)));
	server_run(sim->server, &stop, unblocked);
	server_close(&sim->server);
	log_event(LOG_LEVEL_INFO, "stopped", KV_INT("captures", sim->state.n_captures));
	return true;
}

static void
sim_clear(struct sim *sim)
{
	state_close(&sim->state);
	calls_clear(&sim->calls);
	secret_clear(&sim->key);
	secret_clear(&sim->admin_key);
	secret_clear(&sim->cid_secret);
	secret_clear(&sim->user_token);
}

int
main(int argc, char **argv)
{
	struct options o = { .port = -1, .listen = "127.0.0.1", .cids = "TC0ONETIME", .seed = 1 };
	static struct sim sim = { .state = { .journal = { .fd = -1 } } };
	struct error err;
	sigset_t unblocked;
	bool done;

	log_open("kakaopay-sim", LOG_LEVEL_INFO);
	if (!read_options(&o, argc, argv))
		return EXIT_USAGE;
	catch_signals(&unblocked);
	done = prepare(&sim, &o, &err) && serve(&sim, &o, &unblocked, &err);
	if (!done)
		log_event(LOG_LEVEL_ERROR, "cannot_start", KV_ERR(&err));
	sim_clear(&sim);
	return done ? 0 : 1;
}
