/* roompay-courier: posts what is owed to the reservation service and the gateway, and settles what
 * has no end. One loop (libuv) with the posts (post.c); the store's blocking work runs beside it,
 * one round at a time (round.c); threads of their own wait at the queue for news, and settle
 * (sweeper.c). roompay-courier(8). */
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
#include "courier/post.h"
#include "courier/round.h"
#include "courier/sweeper.h"
#include "delivery/webhook.h"
#include "queue/client/queue.h"
#include "site/conf_read.h"
#include "site/metrics.h"
#include "store/store.h"

enum { EXIT_USAGE = 2, WATCH_MS = 1000, AGAIN_MS = 500, GRACE_MS = 5000 };
/* A round costs four commands of the store, for one message as for many. Where messages come in
 * crowds the next round waits for more of them. */
enum { CROWD = 4, PACE_MS = 20 };

struct courier {
	uv_loop_t loop;
	uv_async_t news;  /* the watcher has something to say */
	uv_timer_t timer; /* the next look; after SIGTERM the end of the grace */
	uv_signal_t term, intr;
	uv_work_t work;
	uv_thread_t watcher;
	struct store *store;
	struct queue *queue; /* the watcher's */
	struct round *round; /* the running round's; between rounds the loop's */
	struct poster *poster;
	struct sweeper *sweeper;
	struct task *ended; /* posts that ended while a round was running */
	enum round_look asked;
	bool working, look, stopping, closed;
	size_t handled;	       /* messages of the last round: written down or claimed */
	int64_t began_boot_ms; /* the last round */
	atomic_bool stop;      /* the loop to the watcher */
	atomic_bool verified;  /* the sweeper to both */
	uv_mutex_t mutex;      /* over queue_id */
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
		if (ok && poked)
			uv_async_send(&c->news);
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
	snprintf(c->queue_id, sizeof(c->queue_id), "%s", queue_id);
	uv_mutex_unlock(&c->mutex);
	if (atomic_exchange(&c->verified, belongs) != belongs)
		uv_async_send(&c->news);
}

/* -- the loop */

/* Nothing is left to do but to close: the watcher is told, the loop ends when the last handle is
 * closed. */
static void
close_all(struct courier *c)
{
	if (c->closed)
		return;
	c->closed = true;
	poster_close(c->poster);
	uv_close((uv_handle_t *)&c->news, NULL);
	uv_close((uv_handle_t *)&c->timer, NULL);
	uv_close((uv_handle_t *)&c->term, NULL);
	uv_close((uv_handle_t *)&c->intr, NULL);
}

static void
run_round(uv_work_t *work)
{
	struct courier *c = work->data;

	round_run(c->round, c->asked, clock_now());
}

static void on_round(uv_work_t *work, int status);
static void on_timer(uv_timer_t *timer);

static bool
waits_for_more(struct courier *c)
{
	int64_t left_ms = c->began_boot_ms + PACE_MS - clock_boot_ms();

	if (c->stopping || c->handled < CROWD || left_ms <= 0 || left_ms > PACE_MS)
		return false;
	uv_timer_start(&c->timer, on_timer, (uint64_t)left_ms, 0);
	return true;
}

static void
begin_round(struct courier *c)
{
	struct task *t;

	if (c->working || c->closed || waits_for_more(c))
		return;
	c->handled = 0;
	c->began_boot_ms = clock_boot_ms();
	while ((t = c->ended) != NULL) {
		c->ended = t->next;
		round_finish(c->round, t);
		c->handled++;
	}
	round_allow(c->round, atomic_load(&c->verified));
	c->asked = c->stopping ? ROUND_WRITE_ENDS : c->look ? ROUND_LOOK : ROUND_LOOK_WHEN_DUE;
	c->look = false;
	c->working = uv_queue_work(&c->loop, &c->work, run_round, on_round) == 0;
	assert(c->working);
}

static void
on_timer(uv_timer_t *timer)
{
	begin_round(timer->data);
}

static void
go_on(struct courier *c)
{
	int64_t wait_ms = round_due_ms(c->round) - clock_wall_ms();

	if (c->ended != NULL || (c->look && !c->stopping))
		begin_round(c);
	else if (!c->stopping)
		uv_timer_start(&c->timer, on_timer,
		    wait_ms < 1			  ? 1
			: wait_ms > ROUND_POLL_MS ? ROUND_POLL_MS
						  : (uint64_t)wait_ms,
		    0);
	else if (poster_count(c->poster) == 0)
		close_all(c); /* what could not be written down counts as a failed try: delivered
				 twice rather than never */
}

static void
on_round(uv_work_t *work, int status)
{
	struct courier *c = work->data;
	struct task *t;

	(void)status;
	for (; (t = round_take(c->round)) != NULL; c->handled++)
		poster_start(c->poster, t); /* also after SIGTERM: they are claimed */
	c->working = false;
	go_on(c);
}

static void
on_ended(void *ctx, struct task *t)
{
	struct courier *c = ctx;

	t->next = c->ended;
	c->ended = t;
	begin_round(c);
}

static void
on_news(uv_async_t *news)
{
	struct courier *c = news->data;

	c->look = true;
	begin_round(c);
}

static void
on_grace(uv_timer_t *timer)
{
	struct courier *c = timer->data;

	log_event(LOG_LEVEL_WARN, "posts_abandoned", KV_INT("posts", poster_count(c->poster)));
	poster_abandon(c->poster);
	if (!c->working)
		go_on(c);
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
	uv_timer_start(&c->timer, on_grace, GRACE_MS, 0);
	if (!c->working)
		go_on(c);
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
	char by[64];

	if (!make_name(by, err) ||
	    (c->store = store_open_mongo(conf_store_uri(&conf), conf.database, err)) == NULL)
		return false;
	c->queue = queue_open_unix(conf.queue_socket);
	c->round = round_new(&conf, c->store, by);
	if (c->queue == NULL || c->round == NULL || uv_loop_init(&c->loop) != 0 ||
	    uv_mutex_init(&c->mutex) != 0 || uv_async_init(&c->loop, &c->news, on_news) != 0 ||
	    uv_timer_init(&c->loop, &c->timer) != 0 || uv_signal_init(&c->loop, &c->term) != 0 ||
	    uv_signal_init(&c->loop, &c->intr) != 0)
		return error_set(err, ERR_INTERNAL, "out of memory or descriptors");
	c->news.data = c->timer.data = c->term.data = c->intr.data = c->work.data = c;
	c->poster = poster_new(&c->loop, 2 * (size_t)conf.courier_parallel, on_ended, c, err);
	return c->poster != NULL;
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
	round_free(&c->round);
	poster_free(&c->poster);
	queue_free(&c->queue);
	store_free(&c->store);
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
	begin_round(&c);
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
