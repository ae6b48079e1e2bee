/* roompay-courier: posts what is owed to the reservation service and the gateway, and settles what
 * has no end. One loop (libuv) with the posts (post.c); the store's blocking work runs beside it,
 * on lanes (lanes.c); threads of their own wait at the queue for news, and settle (sweeper.c).
 * roompay-courier(8). */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/privilege.h"
#include "base/random.h"
#include "base/text.h"
#include "courier/lanes.h"
#include "courier/post.h"
#include "courier/sweeper.h"
#include "delivery/webhook.h"
#include "queue/client/queue.h"
#include "site/conf_read.h"
#include "site/metrics.h"

enum { EXIT_USAGE = 2, WATCH_MS = 1000, AGAIN_MS = 500, GRACE_MS = 5000 };

struct courier {
	uv_loop_t loop;
	uv_async_t news;  /* the watcher has something to say */
	uv_timer_t grace; /* after SIGTERM */
	uv_signal_t term, intr;
	uv_thread_t watcher;
	struct queue *queue; /* the watcher's */
	struct lanes *lanes;
	struct poster *poster;
	struct sweeper *sweeper;
	bool stopping, closed;
	atomic_bool stop;     /* the loop to the watcher */
	atomic_bool verified; /* the sweeper to both */
	uv_mutex_t mutex;     /* over queue_id */
	char queue_id[QUEUE_ID_CAP];
};

static struct conf conf;

/* -- the watcher's thread */

static void
note_queue(bool *away, bool ok, const struct error *err)
{
	if (ok != *away)
		return;
	*away = !ok;
	if (ok)
		log_event(LOG_LEVEL_INFO, "queue_back", KV_STR("socket", conf.queue_socket));
	else
		log_event(LOG_LEVEL_ERROR, "queue_away", KV_ERR(err));
}

/* Once queue and database are known to belong together, news are waited for; without a queue the
 * outbox is looked at every 5 s all the same. */
static void
watch(void *ctx)
{
	struct courier *c = ctx;
	struct error err = { 0 };
	bool away = false;

	while (!atomic_load(&c->stop)) {
		bool poked = false, ok = false;

		if (atomic_load(&c->verified)) {
			uv_mutex_lock(&c->mutex);
			queue_expect(c->queue, c->queue_id);
			uv_mutex_unlock(&c->mutex);
			ok = queue_watch(c->queue, WATCH_MS, &poked, &err);
			note_queue(&away, ok, &err);
		}
		if (ok && poked) {
			uv_async_send(&c->news);
			uv_sleep(LANES_LOOK_MS); /* the next look begins no sooner */
		}
		for (int ms = 0; ms < AGAIN_MS && !ok && !atomic_load(&c->stop); ms += 50)
			uv_sleep(50);
	}
}

/* On the sweeper's thread. */
static void
on_verified(void *ctx, bool belongs, const char *queue_id)
{
	struct courier *c = ctx;

	uv_mutex_lock(&c->mutex);
	text_copy(c->queue_id, sizeof(c->queue_id), queue_id);
	uv_mutex_unlock(&c->mutex);
	if (atomic_exchange(&c->verified, belongs) != belongs)
		uv_async_send(&c->news);
}

/* -- the loop */

/* Nothing is left to do but to close: the watcher is told, the loop ends when the last handle is
 * closed. What could not be written down counts as a failed try: delivered twice rather than never.
 */
static void
close_when_done(void *ctx)
{
	struct courier *c = ctx;

	if (!c->stopping || c->closed || poster_count(c->poster) > 0 || !lanes_rest(c->lanes))
		return;
	c->closed = true;
	poster_close(c->poster);
	lanes_close(c->lanes);
	uv_close((uv_handle_t *)&c->news, NULL);
	uv_close((uv_handle_t *)&c->grace, NULL);
	uv_close((uv_handle_t *)&c->term, NULL);
	uv_close((uv_handle_t *)&c->intr, NULL);
}

static void
on_claimed(void *ctx, struct task *t)
{
	poster_start(((struct courier *)ctx)->poster, t);
}

static void
on_ended(void *ctx, struct task *t)
{
	lanes_finish(((struct courier *)ctx)->lanes, t);
}

static void
on_news(uv_async_t *news)
{
	struct courier *c = news->data;

	lanes_allow(c->lanes, atomic_load(&c->verified));
	lanes_look(c->lanes);
}

static void
on_grace(uv_timer_t *timer)
{
	struct courier *c = timer->data;

	log_event(LOG_LEVEL_WARN, "posts_abandoned", KV_INT("posts", poster_count(c->poster)));
	poster_abandon(c->poster);
	close_when_done(c);
}

static void
on_signal(uv_signal_t *sig, int number)
{
	struct courier *c = sig->data;

	if (c->stopping)
		return;
	c->stopping = true;
	atomic_store(&c->stop, true);
	log_event(LOG_LEVEL_INFO, "stopping", KV_INT("signal", number),
	    KV_INT("posts", poster_count(c->poster)));
	uv_timer_start(&c->grace, on_grace, GRACE_MS, 0);
	lanes_stop(c->lanes);
}

/* -- start and end */

static bool
make_name(char by[64], struct error *err)
{
	strcpy(by, "courier-");
	return random_hex(by + strlen(by), 16, err);
}

static bool
open_courier(struct courier *c, struct error *err)
{
	const struct lanes_user user = { on_claimed, close_when_done, c };
	char by[64];

	c->queue = queue_open_unix(conf.queue_socket);
	if (c->queue == NULL || uv_loop_init(&c->loop) != 0 || uv_mutex_init(&c->mutex) != 0 ||
	    uv_async_init(&c->loop, &c->news, on_news) != 0 ||
	    uv_timer_init(&c->loop, &c->grace) != 0 || uv_signal_init(&c->loop, &c->term) != 0 ||
	    uv_signal_init(&c->loop, &c->intr) != 0)
		return error_set(err, ERR_INTERNAL, "out of memory or descriptors");
	c->news.data = c->grace.data = c->term.data = c->intr.data = c;
	return make_name(by, err) &&
	    (c->lanes = lanes_new(&c->loop, &conf, by, &user, err)) != NULL &&
	    (c->poster = poster_new(&c->loop, 2 * (size_t)conf.courier_parallel, on_ended, c,
		 err)) != NULL;
}

/* Signals go to the loop's thread. */
static bool
start_watcher(struct courier *c, struct error *err)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = uv_thread_create(&c->watcher, watch, c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc == 0 || error_set(err, ERR_INTERNAL, "no thread: %s", uv_strerror(rc));
}

static void
close_courier(struct courier *c)
{
	sweeper_stop(&c->sweeper);
	if (conf.courier_queue)
		uv_thread_join(&c->watcher);
	lanes_free(&c->lanes);
	poster_free(&c->poster);
	queue_free(&c->queue);
	uv_mutex_destroy(&c->mutex);
	uv_loop_close(&c->loop);
}

static int
serve(void)
{
	static struct courier c;
	struct error err = { 0 };

	if (!privilege_drop(conf.user, &err)) {
		log_event(LOG_LEVEL_ERROR, "start_failed", KV_ERR(&err));
		return EXIT_FAILURE;
	}
	metrics_open(conf.metrics_dir, METRICS_COURIER);
	if (!open_courier(&c, &err) || (conf.courier_queue && !start_watcher(&c, &err)) ||
	    (c.sweeper = sweeper_start(&conf, on_verified, &c, &err)) == NULL) {
		log_event(LOG_LEVEL_ERROR, "start_failed", KV_ERR(&err));
		return EXIT_FAILURE;
	}
	uv_signal_start(&c.term, on_signal, SIGTERM);
	uv_signal_start(&c.intr, on_signal, SIGINT);
	log_event(LOG_LEVEL_INFO, "started", KV_STR("version", PACKAGE_VERSION),
	    KV_INT("parallel", conf.courier_parallel));
	notify("READY=1");
	lanes_begin(c.lanes);
	uv_run(&c.loop, UV_RUN_DEFAULT);
	close_courier(&c);
	log_event(LOG_LEVEL_INFO, "stopped", KV_STR("version", PACKAGE_VERSION));
	return EXIT_SUCCESS;
}

/* A key that cannot sign is found at start, not at the first message. */
static bool
check_peer(const char *name, const struct conf_peer *p, struct error *err)
{
	struct buf signature = BUF_INIT;
	const char *which = "key_file";
	bool ok = p->url[0] == '\0' || webhook_sign(&p->key, "check", 0, "", &signature, err);

	if (ok && secret_is_set(&p->old_key)) {
		which = "old_key_file";
		ok = webhook_sign(&p->old_key, "check", 0, "", &signature, err);
	}
	buf_clear(&signature);
	return ok || error_wrap(err, "[deliver %s] %s", name, which);
}

static int
usage(FILE *out, int status)
{
	fprintf(out, "usage: roompay-courier [-c FILE] [--check] [--version]\n");
	return status;
}

struct options {
	const char *conf_path;
	bool check;
};

/* Returns an exit status, or -1: go on. */
static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'k' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int ch;

	*o = (struct options){ .conf_path = SYSCONFDIR "/roompay/roompay.conf" };
	while ((ch = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
		if (ch == 'c') {
			o->conf_path = optarg;
		} else if (ch == 'k') {
			o->check = true;
		} else if (ch == 'V') {
			printf("roompay-courier %s\n", PACKAGE_VERSION);
			return EXIT_SUCCESS;
		} else {
			return usage(ch == 'h' ? stdout : stderr,
			    ch == 'h' ? EXIT_SUCCESS : EXIT_USAGE);
		}
	}
	return optind == argc ? -1 : usage(stderr, EXIT_USAGE);
}

int
main(int argc, char **argv)
{
	struct error err = { 0 };
	struct options o;
	int status = read_options(argc, argv, &o);

	if (status >= 0)
		return status;
	signal(SIGPIPE, SIG_IGN);
	log_open("roompay-courier", LOG_LEVEL_INFO);
	if (!privilege_seal(&err)) { /* before a secret is read */
		log_event(LOG_LEVEL_ERROR, "start_failed", KV_ERR(&err));
		return EXIT_FAILURE;
	}
	if (!conf_read(&conf, o.conf_path, CONF_FOR_COURIER, stderr, &err) ||
	    !check_peer("reservation", &conf.reservation, &err) ||
	    !check_peer("gateway", &conf.gateway, &err)) {
		fprintf(stderr, "roompay-courier: %s\n", err.msg);
		conf_clear(&conf);
		return EXIT_FAILURE;
	}
	log_open("roompay-courier", conf.log_level);
	log_shape(conf.log_format, conf.log_target);
	status = o.check ? EXIT_SUCCESS : serve();
	conf_clear(&conf);
	return status;
}
