#include "config.h"

#include "fcgi/handlers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/metrics.h"
#include "fcgi/accept.h"
#include "fcgi/caller.h"
#include "fcgi/metrics_page.h"
#include "fcgi/openapi.h"
#include "fcgi/route.h"
#include "flow/common.h"
#include "flow/site.h"
#include "json/write.h"

enum { GATE_LIMIT_MS = 1500, HEALTH_LIMIT_MS = 1000, LIST_LIMIT_MS = 3000 };

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
	e->flow.kakaopay = kakaopay_new(conf, err);
	return e->flow.kakaopay != NULL || error_wrap(err, "kakaopay");
}

void
edge_clear(struct edge *e)
{
	kakaopay_free(&e->flow.kakaopay);
	queue_free(&e->flow.queue);
	store_free(&e->flow.store);
	reply_clear(&e->reply);
}

/* --- what is wrong before a flow is asked */

static void
problem(struct call *c, enum problem p)
{
	reply_problem(c->reply, &c->to, p, NULL, NULL);
}

static void
explain(struct call *c, const char *why)
{
	size_t len = strnlen(why, sizeof(c->why) - 1);

	memcpy(c->why, why, len);
	c->why[len] = '\0';
}

/* True when the body became what was asked for; else the problem is the reply. */
static bool
accept(struct call *c, enum request_verdict v, const struct field_errors *errors, const struct error *err)
{
	switch (v) {
	case REQUEST_OK:
		return true;
	case REQUEST_MALFORMED:
		explain(c, err->msg);
		problem(c, PROBLEM_MALFORMED_JSON);
		return false;
	case REQUEST_WRONG_FIELDS:
		snprintf(c->why, sizeof(c->why), "%zu wrong fields, the first %s", errors->n, field_code_name(errors->e[0].code));
		reply_problem(c->reply, &c->to, PROBLEM_INVALID_FIELDS, NULL, errors);
		return false;
	case REQUEST_NO_MEMORY:
		break;
	}
	explain(c, "out of memory");
	problem(c, PROBLEM_INTERNAL_ERROR);
	return false;
}

/* --- the queries */

/* The flow is about to be asked: look at queue and store once more where they were away. */
static struct flow *
flow_of(struct call *c)
{
	gate_try(&c->e->gate, &c->e->flow, GATE_LIMIT_MS);
	return &c->e->flow;
}

/* What a flow's answer says beside its reply: to the log, and to the gate. */
static void
note_answer(struct call *c, const struct flow_answer *a)
{
	explain(c, a->detail);
	gate_note(&c->e->gate, &c->e->flow, a->result);
}

static bool
merchant_allows(struct call *c, const char *cid)
{
	if (conf_merchant(c->e->conf, cid) == NULL)
		problem(c, PROBLEM_UNKNOWN_MERCHANT);
	else if (!caller_has_cid(c->caller, cid))
		problem(c, PROBLEM_FORBIDDEN);
	else
		return true;
	return false;
}

void
handle_ready(struct call *c)
{
	struct field_errors errors = { 0 };
	struct flow_ready_request *rq = &c->e->ready.rq;
	struct flow_answer *a = &c->e->answer;
	struct error err = { 0 };
	enum request_verdict v;

	v = request_read_ready(c->e->conf, c->in->body, c->in->body_len, &c->e->ready, &errors, &err);
	if (accept(c, v, &errors, &err) && merchant_allows(c, rq->attempt.cid)) {
		flow_ready(flow_of(c), &c->flow_call, rq, a);
		reply_ready(c->reply, &c->to, &rq->attempt, a);
		note_answer(c, a);
	}
	request_ready_clear(&c->e->ready);
	field_errors_clear(&errors);
}

void
handle_approve(struct call *c)
{
	const char *cids[CONF_CIDS_MAX];
	size_t n_cids = caller_cids(c->caller, cids);
	struct field_errors errors = { 0 };
	struct flow_answer *a = &c->e->answer;
	struct error err = { 0 };
	struct request_approve rq;

	if (accept(c, request_read_approve(c->in->body, c->in->body_len, &rq, &errors, &err), &errors, &err)) {
		flow_approve(flow_of(c), &c->flow_call, rq.user_id, rq.room_id, rq.pg_token, cids, n_cids, a);
		reply_approve(c->reply, &c->to, a);
		note_answer(c, a);
	}
	secret_wipe(&rq, sizeof(rq));
	field_errors_clear(&errors);
}

/* A caller with both roles speaks as the reservation service: what is paid is its to remove. */
void
handle_remove(struct call *c)
{
	bool by_reservation = c->caller->roles & ROLE_RESERVATION;
	const char *cids[CONF_CIDS_MAX];
	size_t n_cids = caller_cids(c->caller, cids);
	struct field_errors errors = { 0 };
	struct flow_answer *a = &c->e->answer;
	struct error err = { 0 };
	struct request_remove rq;

	if (accept(c, request_read_remove(c->in->body, c->in->body_len, &rq, &errors, &err), &errors, &err)) {
		flow_remove(flow_of(c), &c->flow_call, by_reservation, rq.user_id, rq.room_id, rq.tid[0] != '\0' ? rq.tid : NULL, cids, n_cids, a);
		reply_remove(c->reply, &c->to, a);
		note_answer(c, a);
	}
	field_errors_clear(&errors);
}

/* A part of a payment with a tax-free amount must say its own: known only once the payment is. */
static void
refuse_tax_free(struct call *c)
{
	struct field_errors errors = { 0 };

	field_errors_add(&errors, "", "cancel_tax_free_amount", FIELD_REQUIRED);
	(void)accept(c, REQUEST_WRONG_FIELDS, &errors, NULL);
	field_errors_clear(&errors);
}

void
handle_refund(struct call *c)
{
	const char *cids[CONF_CIDS_MAX];
	size_t n_cids = caller_cids(c->caller, cids);
	struct field_errors errors = { 0 };
	struct flow_answer *a = &c->e->answer;
	struct flow_refund_request rq;
	struct error err = { 0 };

	if (accept(c, request_read_refund(c->in->body, c->in->body_len, &rq, &errors, &err), &errors, &err)) {
		flow_refund(flow_of(c), &c->flow_call, &rq, cids, n_cids, a);
		if (a->result == FR_TAX_FREE_REQUIRED)
			refuse_tax_free(c);
		else
			reply_refund(c->reply, &c->to, a);
		note_answer(c, a);
	}
	field_errors_clear(&errors);
}

void
handle_orders(struct call *c)
{
	struct field_errors errors = { 0 };
	struct flow_order_answer *a = &c->e->order;
	struct request_order rq;

	if (accept(c, request_read_order(c->in->query, &rq, &errors), &errors, NULL) && merchant_allows(c, rq.cid)) {
		flow_order(flow_of(c), &c->flow_call, rq.cid, rq.order, a);
		reply_order(c->reply, &c->to, &rq, a);
		explain(c, a->detail);
		gate_note(&c->e->gate, &c->e->flow, a->result);
		flow_order_clear(a);
	}
	field_errors_clear(&errors);
}

static bool
is_media_type(const char *range, size_t len, const char *type)
{
	return len == strlen(type) && strncasecmp(range, type, len) == 0;
}

/* A read of the history failed. */
static void
history_failed(struct call *c, const struct error *err)
{
	explain(c, err->msg);
	problem(c, err->code == ERR_UNAVAILABLE ? PROBLEM_STORE_UNAVAILABLE : PROBLEM_INTERNAL_ERROR);
}

/* A gateway asks for one user or one order; an operator for anything of its cids. */
static bool
read_history(struct call *c, bool pages, struct request_history *rq, const char *cids[CONF_CIDS_MAX])
{
	bool needs_owner = !(c->caller->roles & ROLE_OPERATOR);
	struct field_errors errors = { 0 };
	bool ok;

	ok = accept(c, request_read_history(c->in->query, needs_owner, pages, rq, &errors), &errors, NULL) && (rq->cid[0] == '\0' || merchant_allows(c, rq->cid));
	field_errors_clear(&errors);
	if (!ok)
		return false;
	rq->h.cids = cids;
	rq->h.n_cids = caller_cids(c->caller, cids);
	if (rq->cid[0] != '\0') {
		cids[0] = rq->cid;
		rq->h.n_cids = 1;
	}
	return true;
}

void
handle_payments(struct call *c)
{
	const char *cids[CONF_CIDS_MAX];
	struct payment *list = NULL;
	struct request_history rq;
	struct error err = { 0 };
	bool more;
	size_t n;

	if (!read_history(c, true, &rq, cids))
		return;
	if (!store_history(c->e->flow.store, &rq.h, &list, &n, &more, c->flow_call.deadline_boot_ms, &err)) {
		history_failed(c, &err);
	} else if (accept_weight(c->in->accept, is_media_type, "text/csv") > 0) {
		reply_payments_csv(c->reply, &c->to, c->in->query, list, n, more);
	} else {
		reply_payments(c->reply, list, n, more);
	}
	free(list);
}

static bool
is_of(const struct payment *p, const struct request_history *rq)
{
	return flow_cid_is_one_of(p->cid, rq->h.cids, rq->h.n_cids) && (rq->h.user_id[0] == '\0' || strcmp(rq->h.user_id, p->user_id) == 0) &&
	    (rq->h.partner_order_id[0] == '\0' || strcmp(rq->h.partner_order_id, p->partner_order_id) == 0);
}

void
handle_payment(struct call *c)
{
	struct flow_order_answer *a = &c->e->order;
	const char *cids[CONF_CIDS_MAX];
	struct request_history rq;
	struct error err = { 0 };
	struct payment p;
	bool found;

	if (!read_history(c, false, &rq, cids))
		return;
	if (!store_payment_get(c->e->flow.store, c->param, &p, &found, c->flow_call.deadline_boot_ms, &err)) {
		history_failed(c, &err);
	} else if (!found || !is_of(&p, &rq)) {
		problem(c, PROBLEM_NO_PAYMENT);
	} else {
		flow_order(flow_of(c), &c->flow_call, p.cid, p.partner_order_id, a);
		if (!reply_payment(c->reply, &c->to, &p, a)) {
			explain(c, "the payment is not in its order's ledger");
			problem(c, PROBLEM_STORE_UNAVAILABLE);
		} else {
			explain(c, a->detail);
		}
		gate_note(&c->e->gate, &c->e->flow, a->result);
		flow_order_clear(a);
	}
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void
list_room(struct call *c, const char *room)
{
	int64_t deadline = earlier(c->flow_call.deadline_boot_ms, clock_boot_ms() + LIST_LIMIT_MS);
	struct flow *f = flow_of(c);
	struct buf list = BUF_INIT;
	struct error err = { 0 };

	if (f->gate != FR_OK) {
		explain(c, c->e->gate.why);
		problem(c, problem_of_result(f->gate));
	} else if (!queue_list(f->queue, room, &list, deadline, &err)) {
		explain(c, err.msg);
		problem(c, err.code == ERR_CONFLICT ? PROBLEM_NOT_READY : PROBLEM_QUEUE_UNAVAILABLE);
	} else if (!reply_held(c->reply, &c->to, buf_str(&list), list.len)) {
		explain(c, "the queue's list makes no sense");
		problem(c, PROBLEM_INTERNAL_ERROR);
	}
	buf_clear(&list);
}

void
handle_queue(struct call *c)
{
	struct field_errors errors = { 0 };
	char room[ROOM_CAP];

	if (accept(c, request_read_room(c->in->query, room, &errors), &errors, NULL))
		list_room(c, room);
	field_errors_clear(&errors);
}

static void
begin_health(struct call *c, bool well)
{
	c->reply->status = well ? 200 : 503;
	reply_add_header(c->reply, "Content-Type", "application/json");
	if (!well)
		reply_add_header(c->reply, "Retry-After", "1");
	buf_add_char(&c->reply->body, '{');
}

/* doc/openapi.json, as the build took it in. */
void
handle_openapi(struct call *c)
{
	c->reply->status = 200;
	reply_add_header(c->reply, "Content-Type", "application/json");
	buf_add_str(&c->reply->body, openapi_text);
}

/* This process takes requests. Nothing else is looked at. */
void
handle_livez(struct call *c)
{
	begin_health(c, true);
	json_add_bool_member(&c->reply->body, "live", true);
	buf_add_char(&c->reply->body, '}');
}

/* Told, but no reason to send users away: payments are taken without it, and nothing is lost. */
static const char *
courier_word(const char *metrics_dir)
{
	enum { LOOKS_EVERY_S = 60 };
	int64_t looked_s;

	if (!metrics_read(metrics_dir, METRICS_COURIER, METRIC_COURIER_LOOK, &looked_s))
		return "unknown";
	return clock_wall_ms() / 1000 - looked_s <= LOOKS_EVERY_S ? "ok" : "away";
}

/* Payments can be taken: store and queue answer now, belong together, and no fence holds. */
void
handle_readyz(struct call *c)
{
	struct flow *f = flow_of(c);
	struct error store_err = { 0 }, err = { 0 };
	struct site site;
	bool store = store_ping(f->store, clock_boot_ms() + HEALTH_LIMIT_MS, &store_err);
	bool open = site_open(f->store, f->queue, &site, clock_boot_ms() + HEALTH_LIMIT_MS, &err);
	bool queue = site.fence != SITE_QUEUE_AWAY, fenced = queue && site.fence != SITE_OPEN && site.fence != SITE_STORE_AWAY;
	bool well = store && open && site.hello.fence[0] == '\0';
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
	buf_add_char(b, '}');
	if (!well)
		explain(c, !store ? store_err.msg : !open ? err.msg : site.hello.fence);
}

/* A queue that is away is a value, not an error. */
void
handle_metrics(struct call *c)
{
	struct error err = { 0 };

	c->reply->status = 200;
	reply_add_header(c->reply, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
	if (!metrics_page(c->e->conf, c->e->flow.queue, clock_boot_ms() + HEALTH_LIMIT_MS, &c->reply->body, &err))
		explain(c, err.msg);
}

/* --- from bytes to a handler */

static bool
is_request_id(const char *text)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = text == NULL ? 0 : strlen(text);

	return len >= 1 && len < REQUEST_ID_CAP && strspn(text, allowed) == len;
}

/* No secret, only never the same twice: what is left when a process ends is lost. */
static void
make_request_id(struct edge *e)
{
	enum { ID_BYTES = 16 };

	if (e->random_left < ID_BYTES) {
		if (getrandom(e->random, sizeof(e->random), 0) < 0)
			e->random[0]++;	/* no kernel of ours does that; an id that was there is still an id */
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

/* application/json, with no charset or with UTF-8. */
static bool
is_json(const char *type)
{
	static const char json[] = "application/json";
	const char *charset;

	if (type == NULL || strncasecmp(type, json, sizeof(json) - 1) != 0 || strchr("; \t", type[sizeof(json) - 1]) == NULL)
		return false;
	charset = strcasestr(type, "charset=");
	if (charset == NULL)
		return true;
	charset += strlen("charset=");
	return strncasecmp(charset, "utf-8", 5) == 0 || strncasecmp(charset, "\"utf-8\"", 7) == 0;
}

/* "identity", however often: a body that is compressed is not JSON yet, and who takes one must bound what it becomes. */
static bool
is_identity(const char *coding)
{
	size_t len;

	for (; coding != NULL && *(coding += strspn(coding, ", \t")) != '\0'; coding += len) {
		len = strcspn(coding, ", \t");
		if (!is_media_type(coding, len, "identity"))
			return false;
	}
	return true;
}

static void
refuse_encoding(struct call *c)
{
	reply_add_header(c->reply, "Accept-Encoding", "identity");
	problem(c, PROBLEM_UNSUPPORTED_MEDIA_TYPE);
}

/* OPTIONS tells the methods and nothing else: browsers of other sites have no business here, so there are no CORS headers. */
static void
refuse_method(struct call *c, const struct route *r)
{
	reply_add_header(c->reply, "Allow", route_allow(r));
	if (c->in->method != NULL && strcmp(c->in->method, "OPTIONS") == 0)
		c->reply->status = 204;
	else
		problem(c, PROBLEM_METHOD_NOT_ALLOWED);
}

/* The route is open to whoever asks from one of the configured addresses. */
static bool
is_open_to(const struct route *r, const char *address, const struct conf *conf)
{
	for (size_t i = 0; r->by_address && address != NULL && i < conf->n_metrics_addresses; i++)
		if (strcmp(conf->metrics_addresses[i], address) == 0)
			return true;
	return r->roles == 0;
}

/* The checks that every route shares, in this order; then its handler. */
static void
dispatch(struct call *c, const struct route *r)
{
	bool open;

	if (r == NULL) {
		problem(c, PROBLEM_NO_ROUTE);
		return;
	}
	if (!route_takes(r, c->in->method)) {
		refuse_method(c, r);
		return;
	}
	open = is_open_to(r, c->in->remote_addr, c->e->conf);
	if (!open && (c->caller = caller_find(c->e->conf, c->in->authorization)) == NULL) {
		reply_add_header(c->reply, "WWW-Authenticate", "Bearer realm=\"roompay\"");
		problem(c, PROBLEM_UNAUTHENTICATED);
	} else if (!open && (c->caller->roles & r->roles) == 0) {
		problem(c, PROBLEM_FORBIDDEN);
	} else if (strcmp(r->method, "POST") == 0 && !is_json(c->in->content_type)) {
		problem(c, PROBLEM_UNSUPPORTED_MEDIA_TYPE);
	} else if (strcmp(r->method, "POST") == 0 && !is_identity(c->in->content_encoding)) {
		refuse_encoding(c);
	} else if (c->in->too_large) {
		problem(c, PROBLEM_TOO_LARGE);
	} else {
		r->handle(c);
	}
}

static void
log_call(const struct call *c, const struct route *r)
{
	int64_t ms = clock_boot_ms() - c->in->boot_ms;
	char status[12];

	snprintf(status, sizeof(status), "%d", c->reply->status);
	metrics_count(METRIC_REQUESTS, r == NULL ? "-" : r->name, status);
	metrics_observe_ms(METRIC_REQUEST_SECONDS, r == NULL ? "-" : r->name, ms);
	if (c->reply->code[0] != '\0')
		metrics_count(METRIC_PROBLEMS, c->reply->code, NULL);
	log_event(LOG_LEVEL_INFO, "request", KV_STR("method", c->in->method), KV_STR("route", r == NULL ? "-" : r->name),
	    KV_INT("status", c->reply->status), KV_STR("code", c->reply->code[0] == '\0' ? "-" : c->reply->code), KV_INT("ms", ms),
	    KV_STR("caller", c->caller == NULL ? "-" : c->caller->name));
	if (c->reply->status >= 500)
		log_event(LOG_LEVEL_ERROR, "request_failed", KV_INT("status", c->reply->status), KV_STR("code", c->reply->code), KV_STR("why", c->why));
	else if (c->why[0] != '\0')
		log_event(LOG_LEVEL_DEBUG, "request_refused", KV_STR("code", c->reply->code), KV_STR("why", c->why));
}

void
edge_answer(struct edge *e, const struct http_request *in, struct buf *out)
{
	struct call c = { .e = e, .in = in, .reply = &e->reply };
	const struct route *r = route_find(e->conf->prefix, in->script_name, in->path_info, in->request_uri, c.param);

	take_request_id(e, in->request_id);
	log_set_request(e->request_id);
	c.to = (struct reply_to){ e->conf, e->request_id, language_choose(in->accept_language) };
	c.flow_call = (struct flow_call){ e->request_id, in->boot_ms + e->conf->deadline_ms };
	reply_reset(&e->reply);
	e->reply.head = in->method != NULL && strcmp(in->method, "HEAD") == 0;
	dispatch(&c, r);
	reply_format(&e->reply, &c.to, out);
	log_call(&c, r);
	log_set_request(NULL);
}
