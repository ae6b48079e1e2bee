#include "config.h"

#include "fcgi/edge.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/random.h"
#include "fcgi/call.h"
#include "fcgi/caller.h"
#include "fcgi/client.h"
#include "fcgi/console.h"
#include "fcgi/route.h"
#include "provider/kakaopay/kakaopay.h"
#include "site/metrics.h"

bool
edge_init(struct edge *e, const struct conf *conf, struct error *err)
{
	memset(e, 0, sizeof(*e));
	e->conf = conf;
	e->flow = (struct flow){ .conf = conf, .program = "fcgi", .gate = FR_NOT_READY };
	e->flow.store = store_open_mongo(conf_store_uri(conf), conf->database, err);
	if (e->flow.store == NULL)
		return error_wrap(err, "store");
	e->flow.queue = queue_open_unix(conf->queue_socket);
	if (e->flow.queue == NULL)
		return error_set(err, ERR_INTERNAL, "queue: out of memory");
	e->flow.provider = kakaopay_new(conf, err);
	return e->flow.provider != NULL || error_wrap(err, "kakaopay");
}

void
edge_clear(struct edge *e)
{
	provider_free(&e->flow.provider);
	queue_free(&e->flow.queue);
	store_free(&e->flow.store);
	reply_clear(&e->reply);
}

static bool
is_request_id(const char *text)
{
	static const char allowed[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = text == NULL ? 0 : strlen(text);

	return len >= 1 && len < REQUEST_ID_CAP && strspn(text, allowed) == len;
}

/* An id must be unique; it need not be secret. Random bytes are read in bulk. */
static void
make_request_id(struct edge *e)
{
	enum { ID_BYTES = 16 };

	if (e->random_left < ID_BYTES) {
		if (!random_fill(e->random, sizeof(e->random), NULL))
			/* never seen to fail; if it does, the bytes of before still make an id */
			e->random[0]++;
		e->random_left = sizeof(e->random);
	}
	e->random_left -= ID_BYTES;
	hex_format(e->random + e->random_left, ID_BYTES, e->request_id);
}

static void
take_request_id(struct edge *e, const char *given)
{
	if (is_request_id(given))
		memcpy(e->request_id, given, strlen(given) + 1);
	else
		make_request_id(e);
}

/* application/json without a charset, or with UTF-8. */
static bool
is_json(const char *type)
{
	static const char json[] = "application/json";
	const char *charset;

	if (type == NULL || strncasecmp(type, json, sizeof(json) - 1) != 0)
		return false;
	if (strchr("; \t", type[sizeof(json) - 1]) == NULL)
		return false;
	charset = strcasestr(type, "charset=");
	if (charset == NULL)
		return true;
	charset += strlen("charset=");
	return strncasecmp(charset, "utf-8", 5) == 0 || strncasecmp(charset, "\"utf-8\"", 7) == 0;
}

static bool
is_coding(const char *at, size_t len, const char *name)
{
	return len == strlen(name) && strncasecmp(at, name, len) == 0;
}

/* Every coding is "identity". We do not unpack compressed bodies: their size would have to be
 * bounded, too. */
static bool
is_identity(const char *coding)
{
	size_t len;

	for (; coding != NULL && *(coding += strspn(coding, ", \t")) != '\0'; coding += len) {
		len = strcspn(coding, ", \t");
		if (!is_coding(coding, len, "identity"))
			return false;
	}
	return true;
}

static void
refuse_encoding(struct call *c)
{
	reply_add_header(c->reply, "Accept-Encoding", "identity");
	call_problem(c, PROBLEM_UNSUPPORTED_MEDIA_TYPE);
}

/* OPTIONS names the methods. There are no CORS headers: callers are servers, not browsers. */
static void
refuse_method(struct call *c, const struct route *r)
{
	reply_add_header(c->reply, "Allow", route_allow(r));
	if (c->in->method != NULL && strcmp(c->in->method, "OPTIONS") == 0)
		c->reply->status = 204;
	else
		call_problem(c, PROBLEM_METHOD_NOT_ALLOWED);
}

/* Needs no token: the route is open to everybody, or to this address. */
static bool
is_open_to(const struct route *r, const char *address, const struct conf *conf)
{
	for (size_t i = 0; (r->flags & ROUTE_BY_ADDRESS) && i < conf->n_metrics_addresses; i++)
		if (strcmp(conf->metrics_addresses[i], address) == 0)
			return true;
	return r->roles == 0;
}

/* The console is for browsers, and its API for the console and for programs: not for other sites.
 */
static bool
console_refuses(struct call *c, const struct route *r)
{
	if (!(r->flags & ROUTE_CONSOLE))
		return false;
	if (!console_is_for(c->e->conf, c->address))
		call_problem(c, PROBLEM_FORBIDDEN);
	else if ((r->roles != 0) && console_is_cross_origin(c->in))
		call_problem(c, PROBLEM_CROSS_ORIGIN);
	else
		return false;
	return true;
}

/* The checks that all routes share, in this order, and then the handler. */
static void
dispatch(struct call *c, const struct route *r)
{
	bool open;

	if (r == NULL) {
		call_problem(c, PROBLEM_NO_ROUTE);
		return;
	}
	if (!route_takes(r, c->in->method)) {
		refuse_method(c, r);
		return;
	}
	if (console_refuses(c, r))
		return;
	open = is_open_to(r, c->address, c->e->conf);
	if (!open && (c->caller = caller_find(c->e->conf, c->in->authorization)) == NULL) {
		reply_add_header(c->reply, "WWW-Authenticate", "Bearer realm=\"roompay\"");
		call_problem(c, PROBLEM_UNAUTHENTICATED);
	} else if (!open && (c->caller->roles & r->roles) == 0) {
		call_problem(c, PROBLEM_FORBIDDEN);
	} else if (strcmp(r->method, "POST") == 0 && !is_json(c->in->content_type)) {
		call_problem(c, PROBLEM_UNSUPPORTED_MEDIA_TYPE);
	} else if (strcmp(r->method, "POST") == 0 && !is_identity(c->in->content_encoding)) {
		refuse_encoding(c);
	} else if (c->in->too_large) {
		call_problem(c, PROBLEM_TOO_LARGE);
	} else {
		c->flow_call.who = c->caller != NULL ? c->caller->name : NULL;
		r->handle(c);
	}
}

/* No token at all is rather a mistake than a guess. */
static const char *
token_of(const struct call *c)
{
	const char *given = c->in->authorization;

	if (c->caller != NULL)
		return "known";
	return given == NULL || given[0] == '\0' ? "none" : "unknown";
}

/* What etc/fail2ban-filter.conf looks for: the address comes first, and nothing that the client
 * wrote before it. */
static void
log_denied(const struct call *c, const char *route)
{
	log_event(LOG_LEVEL_WARN, "access_denied", KV_STR("address", c->address),
	    KV_INT("status", c->reply->status), KV_STR("token", token_of(c)),
	    KV_STR("caller", c->caller == NULL ? "-" : c->caller->name), KV_STR("route", route));
}

static void
log_call(const struct call *c, const struct route *r)
{
	const char *route = r == NULL ? "-" : r->name, *code = c->reply->code;
	int64_t ms = clock_boot_ms() - c->in->boot_ms;
	char digits[16];
	struct buf status = { .data = digits, .cap = sizeof(digits) };

	buf_add_int(&status, c->reply->status);
	metrics_count(METRIC_REQUESTS, route, digits);
	metrics_observe_ms(METRIC_REQUEST_SECONDS, route, ms);
	if (code[0] != '\0')
		metrics_count(METRIC_PROBLEMS, code, NULL);
	log_event(LOG_LEVEL_INFO, "request", KV_STR("method", c->in->method),
	    KV_STR("route", route), KV_INT("status", c->reply->status),
	    KV_STR("code", code[0] == '\0' ? "-" : code), KV_INT("ms", ms),
	    KV_STR("caller", c->caller == NULL ? "-" : c->caller->name),
	    KV_STR("address", c->address));
	if (c->reply->status == 401 || c->reply->status == 403)
		log_denied(c, route);
	if (c->reply->status >= 500)
		log_event(LOG_LEVEL_ERROR, "request_failed", KV_INT("status", c->reply->status),
		    KV_STR("code", code), KV_STR("why", c->why));
	else if (c->why[0] != '\0')
		log_event(LOG_LEVEL_DEBUG, "request_refused", KV_STR("code", code),
		    KV_STR("why", c->why));
}

void
edge_answer(struct edge *e, const struct http_request *in, struct buf *out)
{
	struct call c = { .e = e, .in = in, .reply = &e->reply };
	const struct route *r =
	    route_find(e->conf->prefix, in->script_name, in->path_info, in->request_uri, c.param);

	if (r != NULL && (r->flags & ROUTE_CONSOLE) && !e->conf->console)
		r = NULL;
	client_address(e->conf, in->remote_addr, in->forwarded_for, c.address);
	take_request_id(e, in->request_id);
	log_set_request(e->request_id);
	c.to = (struct reply_to){ e->conf, e->request_id, language_choose(in->accept_language) };
	c.flow_call = (struct flow_call){ e->request_id, in->boot_ms + e->conf->deadline_ms, NULL };
	reply_reset(&e->reply);
	e->reply.head = in->method != NULL && strcmp(in->method, "HEAD") == 0;
	dispatch(&c, r);
	reply_format(&e->reply, &c.to, out);
	log_call(&c, r);
	log_set_request(NULL);
}
