#include "config.h"

#include "fcgi/health.h"

#include "base/clock.h"
#include "fcgi/call.h"
#include "fcgi/metrics_page.h"
#include "fcgi/openapi.h"
#include "flow/site.h"
#include "json/write.h"
#include "operate/courier.h"
#include "site/metrics.h"

enum { HEALTH_LIMIT_MS = 1000 };

static void
begin_health(struct call *c, bool well)
{
	c->reply->status = well ? 200 : 503;
	reply_add_header(c->reply, "Content-Type", "application/json");
	if (!well)
		reply_add_header(c->reply, "Retry-After", "1");
	buf_add_char(&c->reply->body, '{');
}

/* doc/openapi.json, which the build compiles in. */
void
handle_openapi(struct call *c)
{
	c->reply->status = 200;
	reply_add_header(c->reply, "Content-Type", "application/json");
	buf_add_str(&c->reply->body, openapi_text);
}

/* This process answers requests. It says nothing of queue or store. */
void
handle_livez(struct call *c)
{
	begin_health(c, true);
	json_add_bool_member(&c->reply->body, "live", true);
	buf_add_char(&c->reply->body, '}');
}

/* Reported only: without the courier payments still work, and nothing is lost. */
static const char *
courier_word(const char *metrics_dir)
{
	static const char *const words[] = { [OPERATE_COURIER_UNKNOWN] = "unknown",
		[OPERATE_COURIER_OK] = "ok",
		[OPERATE_COURIER_AWAY] = "away" };
	int64_t looked_ms;

	return words[operate_courier(metrics_dir, &looked_ms)];
}

static bool
is_draining(const struct edge *e)
{
	return e->draining != NULL && atomic_load(e->draining);
}

/* Ready: store and queue answer now, belong together, no fence is up, and this machine stays. */
void
handle_readyz(struct call *c)
{
	struct flow *f = call_flow(c);
	struct error store_err = { 0 }, err = { 0 };
	struct site site;
	bool store = store_ping(f->store, clock_boot_ms() + HEALTH_LIMIT_MS, &store_err);
	bool open = site_open(f->store, f->queue, &site, clock_boot_ms() + HEALTH_LIMIT_MS, &err);
	bool queue = site.fence != SITE_QUEUE_AWAY,
	     fenced = queue && site.fence != SITE_OPEN && site.fence != SITE_STORE_AWAY;
	bool draining = is_draining(c->e);
	bool well = store && open && site.hello.fence[0] == '\0' && !draining;
	struct buf *b = &c->reply->body;

	if (open)
		gate_open(f, &site);
	begin_health(c, well);
	json_add_bool_member(b, "ready", well);
	json_add_str_member(b, "store", store ? "ok" : "unavailable");
	json_add_str_member(b, "queue", queue ? "ok" : "unavailable");
	json_add_str_member(b, "courier", courier_word(c->e->conf->metrics_dir));
	json_add_member(b, "fence");
	if (fenced)
		json_add_string(b, site_fence_text(site.fence));
	else if (site.hello.fence[0] != '\0')
		json_add_string(b, site.hello.fence);
	else
		buf_add_str(b, "null");
	json_add_bool_member(b, "draining", draining);
	buf_add_char(b, '}');
	if (!well && !draining)
		call_explain(c, !store ? store_err.msg : !open ? err.msg : site.hello.fence);
}

/* A queue that cannot be reached is a metric, not an error. */
void
handle_metrics(struct call *c)
{
	struct error err = { 0 };

	c->reply->status = 200;
	reply_add_header(c->reply, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
	if (!metrics_page(c->e->conf, c->e->flow.queue, clock_boot_ms() + HEALTH_LIMIT_MS,
		&c->reply->body, &err))
		call_explain(c, err.msg);
}
