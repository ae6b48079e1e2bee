/* roompay-queue-log: the queue's log in MongoDB, for roompay-queued, which starts it. See
 * roompay-queued(8) and doc/protocol.md, section 12. */
#include "config.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/privilege.h"
#include "base/random.h"
#include "base/text.h"
#include "queue/log/log_pipe.h"
#include "queuelog/keeper.h"
#include "queuelog/reader.h"
#include "queuelog/state.h"
#include "queuelog/writer.h"
#include "site/metrics.h"
#include "site/conf_read.h"
#include "store/mongo_uri.h"

enum { DAEMON_FD = 3, SNAPSHOT_FD = 4 };
enum { OPEN_PAUSE_US = 200000, OPEN_TRIES_TOLD = 5 };

struct helper {
	struct state state;
	struct db db; /* of the main thread: opens and loads */
	struct writer *writer;
};

static int
usage(FILE *out, int code)
{
	fputs("usage: roompay-queue-log -c FILE\n"
	      "       roompay-queue-log --version | --help\n"
	      "roompay-queued starts it by itself.\n",
	    out);
	return code;
}

/* ---- which log is the site's */

static bool
take_queue(void *ctx, const bson_t *doc)
{
	struct state *s = ctx;
	bson_iter_t it;

	if (bson_iter_init_find(&it, doc, "queue") && BSON_ITER_HOLDS_UTF8(&it))
		text_copy(s->site.queue, sizeof(s->site.queue), bson_iter_utf8(&it, NULL));
	return false;
}

static bool
find_queue(struct helper *h, struct error *err)
{
	bson_t *filter = BCON_NEW("_id", BCON_UTF8("queue_log")), reply;
	bson_t *command = db_find("meta", filter, "linearizable");
	enum db_end end;

	bson_destroy(filter);
	BSON_APPEND_INT64(command, "maxTimeMS", 2000);
	h->state.site.queue[0] = '\0';
	end = db_run(&h->db, command, &reply, err);
	if (end == DB_DONE)
		db_each(&reply, take_queue, &h->state);
	bson_destroy(&reply);
	return end == DB_DONE;
}

/* The first machine of a site makes the log. A keyed insert decides which one that is. */
static bool
make_queue(struct helper *h, struct error *err)
{
	char id[LOG_QUEUE_CAP];
	bson_t *doc, reply;
	enum db_end end;

	if (!random_hex(id, 16, err))
		return false;
	doc = BCON_NEW("_id", BCON_UTF8("queue_log"), "queue", BCON_UTF8(id), "made",
	    BCON_DATE_TIME(clock_wall_ms()), "host", BCON_UTF8(h->state.host));
	end = db_run(&h->db, log_insert("meta", doc), &reply, err);
	bson_destroy(&reply);
	bson_destroy(doc);
	return (end == DB_DONE || end == DB_DUPLICATE) && find_queue(h, err);
}

static bool
open_once(struct helper *h, const struct log_frame *f, struct error *err)
{
	struct state *s = &h->state;
	size_t len = strlen(s->site.queue);

	if (h->db.client == NULL && !db_connect(&h->db, err))
		return false;
	if (!find_queue(h, err) || (s->site.queue[0] == '\0' && !make_queue(h, err)))
		return false;
	len = strlen(s->site.queue);
	/* what is remembered of another log says nothing of this one */
	if (f->text_len == len && memcmp(f->text, s->site.queue, len) == 0) {
		s->mark_n = f->n;
		s->mark_nonce = f->nonce;
	}
	return log_verify(s, &h->db, err);
}

/* Until the log is open. What an operator must mend ends the helper. */
static void
open_log(struct helper *h, const struct log_frame *f)
{
	struct error err;

	log_turn_init(&h->state.turn, f->by);
	for (int i = 0; !open_once(h, f, &err); i++) {
		if (state_is_stopped(&h->state))
			return; /* behind: the daemon was told */
		if (err.code == ERR_CONFLICT || err.code == ERR_INPUT) {
			state_tell_text(&h->state, LOG_REFUSED, 0, err.msg);
			exit(1);
		}
		if (i % OPEN_TRIES_TOLD == 0)
			state_tell_text(&h->state, LOG_TRYING, 0, err.msg);
		usleep(OPEN_PAUSE_US);
	}
	state_tell_text(&h->state, LOG_OPENED, 0, h->state.site.queue);
}

static void
load(struct helper *h)
{
	struct error err;

	while (!state_is_stopped(&h->state)) {
		if (log_verify(&h->state, &h->db, &err) && keeper_load(&h->state, &h->db, &err))
			return;
		/* the daemon has some parts of it already: it begins again */
		state_tell_text(&h->state, LOG_REFUSED, 0, err.msg);
		exit(1);
	}
}

static bool
go_on_from(struct helper *h, const struct log_frame *f)
{
	db_close(&h->db);
	state_begin(&h->state, f->n, f->nonce);
	h->writer = writer_start(&h->state);
	return h->writer != NULL && reader_start(&h->state) && keeper_start(&h->state, SNAPSHOT_FD);
}

/* Until the daemon is gone. */
static int
serve(struct helper *h)
{
	struct log_frame f;
	size_t size;
	char *frame;

	while ((frame = log_pipe_read(DAEMON_FD, &size)) != NULL) {
		if (!log_frame_parse(frame, size, &f))
			return 1;
		if ((f.kind == LOG_APPEND || f.kind == LOG_BARRIER) && h->writer != NULL) {
			writer_give(h->writer, frame, size);
			continue;
		}
		if (f.kind == LOG_OPEN && f.prev == LOG_FRAME_VERSION)
			open_log(h, &f);
		else if (f.kind == LOG_LOAD)
			load(h);
		else if (f.kind != LOG_FOLLOW || !go_on_from(h, &f))
			return 1;
		free(frame);
	}
	return 0;
}

static int
run(struct conf *conf)
{
	static struct helper h;
	struct error err;

	error_clear(&err);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_IGN); /* the daemon gets it, and ends us */
	signal(SIGINT, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fcntl(DAEMON_FD, F_GETFD) < 0 || fcntl(SNAPSHOT_FD, F_GETFD) < 0)
		return usage(stderr, 1);
	if (!privilege_seal(&err)) {
		log_event(LOG_LEVEL_ERROR, "log_helper_failed", KV_ERR(&err));
		return 4;
	}
	state_init(&h.state, DAEMON_FD);
	h.state.site.uri = mongo_uri_parse(conf_store_uri(conf), &err);
	if (h.state.site.uri == NULL) {
		state_tell_text(&h.state, LOG_REFUSED, 0, err.msg);
		return 1;
	}
	h.state.site.database = conf->database;
	h.state.keep_s = conf->log_keep_s;
	h.db.site = &h.state.site;
	return serve(&h);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = SYSCONFDIR "/roompay/roompay.conf";
	struct conf conf;
	struct error err;
	int c, code;

	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (c == 'c')
			path = optarg;
		else if (c == 'V')
			return puts(PACKAGE_STRING) < 0;
		else
			return usage(c == 'h' ? stdout : stderr, c == 'h' ? 0 : 1);
	}
	if (optind != argc)
		return usage(stderr, 1);
	if (!conf_read(&conf, path, CONF_FOR_QUEUED, NULL, &err)) {
		fprintf(stderr, "roompay-queue-log: %s\n", err.msg);
		return 1;
	}
	log_open("roompay-queue-log", conf.log_level);
	log_shape(conf.log_format, conf.log_target);
	metrics_open(conf.metrics_dir, METRICS_QUEUED); /* its errors are its daemon's */
	code = run(&conf);
	conf_clear(&conf);
	return code;
}
