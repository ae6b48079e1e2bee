#include "config.h"

#include "courier/sweeper.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "flow/adopt.h"
#include "flow/settle.h"
#include "flow/site.h"
#include "provider/kakaopay/kakaopay.h"

enum { SITE_MS = 3000, SITE_AGAIN_MS = 500, NAP_MS = 50 };

struct sweeper {
	const struct conf *conf;
	struct flow flow;
	struct settler *settler;
	void (*verified)(void *ctx, bool belongs, const char *queue_id);
	void *ctx;
	uv_thread_t thread;
	atomic_bool stop;
	enum site_fence fence; /* as last logged */
	bool away;	       /* the store, as last logged */
	int64_t adopt_boot_ms; /* not before */
	bool known;	       /* database and queue have been known to belong together */
};

static bool
stops(void *ctx)
{
	return atomic_load(&((struct sweeper *)ctx)->stop);
}

static void
nap(struct sweeper *s, int64_t ms)
{
	for (int64_t at = 0; at < ms && !stops(s); at += NAP_MS)
		uv_sleep(NAP_MS);
}

static void
note_fence(struct sweeper *s, enum site_fence f, const char *queue_id, const struct error *err)
{
	if (f == s->fence)
		return;
	s->fence = f;
	if (f == SITE_OPEN)
		log_event(LOG_LEVEL_INFO, "verified", KV_STR("queue", queue_id),
		    KV_STR("database", s->conf->database));
	else
		log_event(LOG_LEVEL_ERROR, f == SITE_OTHER_QUEUE ? "wrong_queue" : "site_closed",
		    KV_ERR(err));
}

/* Without a queue of its own: the database's claim is trusted. A site without a claim has nothing
 * to send. */
static bool
open_without_queue(struct sweeper *s, struct error *err)
{
	int64_t deadline = clock_boot_ms() + SITE_MS;
	struct store_claim claim;
	bool ok = store_prepare(s->flow.store, deadline, err) &&
	    store_claim_get(s->flow.store, &claim, deadline, err);

	if (ok && claim.number == 0)
		ok = error_set(err, ERR_CONFLICT, "the site has no queue yet");
	note_fence(s, ok ? SITE_OPEN : SITE_STORE_AWAY, "", err);
	if (ok)
		s->verified(s->ctx, true, "");
	return ok;
}

/* A queue in the place of a lost one: it opens when it knows what the ledger knows. */
static void
adopt(struct sweeper *s, int64_t up_ms, struct error *err)
{
	enum adopt_step step;

	if (clock_boot_ms() < s->adopt_boot_ms)
		return;
	step = flow_adopt(&s->flow, up_ms, stops, s, &s->adopt_boot_ms, err);
	if (step == ADOPT_WAITS)
		log_event(LOG_LEVEL_INFO, "adopting",
		    KV_INT("waits_ms", s->adopt_boot_ms - clock_boot_ms()),
		    KV_STR("for", "what the lost queue granted to be over"));
	else if (step == ADOPT_FAILED)
		log_event(LOG_LEVEL_WARN, "adopting_failed", KV_ERR(err));
}

/* Whether database and queue belong together is not known now. It was once, so it still is. */
static bool
is_away(enum site_fence f)
{
	return f == SITE_STORE_AWAY || f == SITE_QUEUE_AWAY || f == SITE_LOG_AWAY ||
	    f == SITE_CLOCK_OFF;
}

static bool
open_site(struct sweeper *s, struct error *err)
{
	struct site site;
	bool open;

	if (s->flow.queue == NULL)
		return open_without_queue(s, err);
	open = site_open(s->flow.store, s->flow.queue, &site, clock_boot_ms() + SITE_MS, err);
	s->flow.gate = site_fence_result(site.fence);
	note_fence(s, site.fence, site.hello.id, err);
	s->known = open || (s->known && is_away(site.fence));
	if (open)
		s->verified(s->ctx, true, site.hello.id);
	else if (!is_away(site.fence))
		s->verified(s->ctx, false, "");
	if (site.fence == SITE_ADOPTING)
		adopt(s, site.hello.up_ms, err);
	/* the ledger alone, then: the queue hears of it later */
	return open || (s->known && is_away(site.fence) && site.fence != SITE_STORE_AWAY);
}

static void
note_store(struct sweeper *s, bool ok, const struct error *err)
{
	if (!ok && !s->away)
		log_event(LOG_LEVEL_ERROR, "settling_stopped", KV_ERR(err));
	else if (ok && s->away)
		log_event(LOG_LEVEL_INFO, "settling_again", KV_STR("database", s->conf->database));
	s->away = !ok;
}

/* Between sweeps the site is greeted anew: another queue may stand behind the socket, or an older
 * database. */
static void
run(void *arg)
{
	struct sweeper *s = arg;
	struct error err = { 0 };

	while (!stops(s)) {
		if (!open_site(s, &err)) {
			nap(s, SITE_AGAIN_MS);
			continue;
		}
		note_store(s, settler_sweep(s->settler, stops, s, &err), &err);
		nap(s, SETTLE_POLL_MS);
	}
}

static void
sweeper_free(struct sweeper **s)
{
	settler_free(&(*s)->settler);
	provider_free(&(*s)->flow.provider);
	queue_free(&(*s)->flow.queue);
	store_free(&(*s)->flow.store);
	free(*s);
	*s = NULL;
}

static bool
open_clients(struct sweeper *s, struct error *err)
{
	struct flow *f = &s->flow;

	*f = (struct flow){ .conf = s->conf, .program = "courier", .gate = FR_NOT_READY };
	if ((f->store = store_open_mongo(conf_store_uri(s->conf), s->conf->database, err)) ==
		NULL ||
	    (f->provider = kakaopay_new(s->conf, err)) == NULL)
		return false;
	if (s->conf->courier_queue && (f->queue = queue_open_unix(s->conf->queue_socket)) == NULL)
		return error_set(err, ERR_INTERNAL, "out of memory");
	s->settler = settler_new(f);
	return s->settler != NULL || error_set(err, ERR_INTERNAL, "out of memory");
}

struct sweeper *
sweeper_start(const struct conf *conf,
    void (*verified)(void *ctx, bool belongs, const char *queue_id), void *ctx, struct error *err)
{
	struct sweeper *s = calloc(1, sizeof(*s));
	sigset_t all, old;
	int rc = 0;

	if (s == NULL) {
		error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	s->conf = conf;
	s->verified = verified;
	s->ctx = ctx;
	s->fence = SITE__MAX;
	if (open_clients(s, err)) {
		sigfillset(&all); /* signals go to the loop's thread */
		pthread_sigmask(SIG_SETMASK, &all, &old);
		rc = uv_thread_create(&s->thread, run, s);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
		if (rc == 0)
			return s;
		error_set(err, ERR_INTERNAL, "no thread: %s", uv_strerror(rc));
	}
	sweeper_free(&s);
	return NULL;
}

void
sweeper_stop(struct sweeper **s)
{
	if (*s == NULL)
		return;
	atomic_store(&(*s)->stop, true);
	uv_thread_join(&(*s)->thread);
	sweeper_free(s);
}
