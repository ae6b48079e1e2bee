#include "config.h"

#include "courier/lanes.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "courier/round.h"
#include "store/store.h"

/* A part costs its two commands of the store for many messages as for one. So ends are written so
 * long after the last ones, as looks have their distance: the first message of a crowd waits for
 * nothing, the others come together. */
enum { ENDS_MS = 50, AGAIN_MS = 1000 };

/* As many as libuv has threads. */
enum { ENDS, ALL, NEWS, NEWS_TOO, LANES };

struct lane {
	uv_work_t work;
	struct lanes *lanes;
	struct store *store;
	struct round *round;
	enum round_part part;
	struct now began;
	bool working, done;
};

struct lanes {
	uv_loop_t *loop;
	struct lanes_user user;
	uv_timer_t timer;
	struct lane lane[LANES];
	int64_t news_boot_ms, ends_boot_ms; /* the next ones not before */
	bool failed;			    /* ends could not be written down */
	bool news, stopping;
};

static void
run(uv_work_t *work)
{
	struct lane *a = work->data;

	a->done = round_run(a->round, a->part, a->began);
}

static void go_on(struct lanes *l);

static void
on_end(uv_work_t *work, int status)
{
	struct lane *a = work->data;
	struct lanes *l = a->lanes;
	struct task *t;

	(void)status;
	a->working = false;
	if (a->part == ROUND_WRITE_ENDS) {
		l->failed = !a->done;
		if (l->failed)
			l->ends_boot_ms = clock_boot_ms() + AGAIN_MS;
	}
	while ((t = round_take(a->round)) != NULL)
		l->user.post(l->user.ctx, t); /* also after lanes_stop: they are claimed */
	go_on(l);
}

static void
begin(struct lane *a, enum round_part part, struct now now)
{
	a->part = part;
	a->began = now;
	a->done = true;
	a->working = uv_queue_work(a->lanes->loop, &a->work, run, on_end) == 0;
	assert(a->working);
}

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Each of these begins its part where there is something to do; it returns in how many ms it wants
 * to be called again. */
static int64_t
go_on_with_ends(struct lanes *l, struct now now)
{
	struct lane *a = &l->lane[ENDS];

	if (a->working || !round_has_ends(a->round))
		return ROUND_POLL_MS;
	if (l->ends_boot_ms > now.boot_ms && (l->failed || !l->stopping))
		return l->ends_boot_ms - now.boot_ms;
	l->ends_boot_ms = now.boot_ms + ENDS_MS;
	begin(a, ROUND_WRITE_ENDS, now);
	return ROUND_POLL_MS;
}

static int64_t
go_on_with_all(struct lanes *l, struct now now)
{
	struct lane *a = &l->lane[ALL];
	int64_t due_ms = round_due_ms(a->round);

	if (a->working)
		return ROUND_POLL_MS;
	if (due_ms > now.wall_ms)
		return due_ms - now.wall_ms;
	begin(a, ROUND_LOOK_AT_ALL, now);
	return ROUND_POLL_MS;
}

static int64_t
go_on_with_news(struct lanes *l, struct now now)
{
	struct lane *a = l->lane[NEWS].working ? &l->lane[NEWS_TOO] : &l->lane[NEWS];

	if (a->working || (!l->news && !round_may_claim(a->round)))
		return ROUND_POLL_MS;
	if (l->news_boot_ms > now.boot_ms)
		return l->news_boot_ms - now.boot_ms;
	l->news_boot_ms = now.boot_ms + LANES_LOOK_MS;
	begin(a, l->news ? ROUND_LOOK : ROUND_CLAIM, now);
	l->news = false;
	return ROUND_POLL_MS;
}

bool
lanes_rest(struct lanes *l)
{
	for (int i = 0; i < LANES; i++)
		if (l->lane[i].working)
			return false;
	return !round_has_ends(l->lane[ENDS].round) || l->failed;
}

static void
on_timer(uv_timer_t *timer)
{
	go_on(timer->data);
}

static void
go_on(struct lanes *l)
{
	struct now now = clock_now();
	int64_t wait = go_on_with_ends(l, now);

	if (!l->stopping) {
		wait = least(wait, go_on_with_all(l, now));
		wait = least(wait, go_on_with_news(l, now));
		uv_timer_start(&l->timer, on_timer, wait < 1 ? 1 : (uint64_t)wait, 0);
	} else if (lanes_rest(l)) {
		l->user.rest(l->user.ctx);
	}
}

void
lanes_begin(struct lanes *l)
{
	go_on(l);
}

void
lanes_allow(struct lanes *l, bool allowed)
{
	round_allow(l->lane[ALL].round, allowed);
}

void
lanes_look(struct lanes *l)
{
	l->news = true;
	go_on(l);
}

void
lanes_finish(struct lanes *l, struct task *t)
{
	round_finish(l->lane[ENDS].round, t);
	go_on(l);
}

void
lanes_stop(struct lanes *l)
{
	l->stopping = true;
	l->failed = false; /* once more, at once */
	uv_timer_stop(&l->timer);
	go_on(l);
}

/* ---- start and end */

struct lanes *
lanes_new(uv_loop_t *loop, const struct conf *conf, const char *by, const struct lanes_user *user,
    struct error *err)
{
	struct lanes *l = calloc(1, sizeof(*l));

	if (l == NULL || uv_timer_init(loop, &l->timer) != 0) {
		free(l);
		error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	l->loop = loop;
	l->user = *user;
	l->timer.data = l;
	for (int i = 0; i < LANES; i++) {
		struct lane *a = &l->lane[i];

		a->lanes = l;
		a->work.data = a;
		a->store = store_open_mongo(conf_store_uri(conf), conf->database, err);
		if (a->store == NULL)
			return NULL; /* the program ends */
		a->round = i == 0 ? round_new(conf, a->store, by)
				  : round_beside(l->lane[0].round, a->store);
		if (a->round == NULL) {
			error_set(err, ERR_INTERNAL, "out of memory");
			return NULL;
		}
	}
	return l;
}

void
lanes_close(struct lanes *l)
{
	uv_close((uv_handle_t *)&l->timer, NULL);
}

void
lanes_free(struct lanes **l)
{
	if (*l == NULL)
		return;
	for (int i = 0; i < LANES; i++) {
		round_free(&(*l)->lane[i].round);
		store_free(&(*l)->lane[i].store);
	}
	free(*l);
	*l = NULL;
}
