/* One request in, one answer out, as the worker calls it: routes, the order of checks, headers, and the JSON of each answer. The flow behind is a stub that
 * answers what the test says. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>
#include <openssl/sha.h>

#include "base/clock.h"
#include "fcgi/call.h"
#include "fcgi/client.h"
#include "fcgi/edge.h"
#include "flow/answer.h"
#include "flow/site.h"
#include "fcgi/route.h"
#include "provider/kakaopay/kakaopay.h"

/* --- what stands behind the edge */

static struct {
	struct flow_answer answer;
	char called[40], user[USER_CAP], room[ROOM_CAP], tid[TID_CAP], request_id[REQUEST_ID_CAP], cid[CID_CAP];
	int64_t deadline_boot_ms;
	bool by_reservation;
	size_t n_cids;
	bool prepare, hello, claim, ping, list;		/* whether each of these succeeds */
	enum error_code why;				/* ... and if not, how it fails */
	const char *list_text;
	char fence[64], expected[QUEUE_ID_CAP];
	int prepares;
} stub;

static void
note(const char *name, const struct flow_call *c, const char *user, const char *room, struct flow_answer *out)
{
	snprintf(stub.called, sizeof(stub.called), "%s", name);
	snprintf(stub.user, sizeof(stub.user), "%s", user);
	snprintf(stub.room, sizeof(stub.room), "%s", room);
	snprintf(stub.request_id, sizeof(stub.request_id), "%s", c->request_id);
	stub.deadline_boot_ms = c->deadline_boot_ms;
	*out = stub.answer;
}

void
flow_ready(struct flow *f, const struct flow_call *c, const struct flow_ready_request *rq, struct flow_answer *out)
{
	(void)f;
	note("ready", c, rq->attempt.user_id, rq->attempt.room_id, out);
}

void
flow_approve(struct flow *f, const struct flow_call *c, const char *user_id, const char *room_id, const char *pg_token, const char *const *cids,
    size_t n_cids, struct flow_answer *out)
{
	(void)f;
	(void)pg_token;
	stub.n_cids = n_cids;
	snprintf(stub.cid, sizeof(stub.cid), "%s", cids[0]);
	note("approve", c, user_id, room_id, out);
}

void
flow_remove(struct flow *f, const struct flow_call *c, bool by_reservation, const char *user_id, const char *room_id, const char *tid,
    const char *const *cids, size_t n_cids, struct flow_answer *out)
{
	(void)f;
	(void)cids;
	stub.n_cids = n_cids;
	stub.by_reservation = by_reservation;
	snprintf(stub.tid, sizeof(stub.tid), "%s", tid == NULL ? "-" : tid);
	note("remove", c, user_id, room_id, out);
}

void
flow_refund(struct flow *f, const struct flow_call *c, const struct flow_refund_request *rq, const char *const *cids, size_t n_cids, struct flow_answer *out)
{
	(void)f;
	stub.n_cids = n_cids;
	snprintf(stub.cid, sizeof(stub.cid), "%s", cids[0]);
	snprintf(stub.tid, sizeof(stub.tid), "%s", rq->tid);
	note("refund", c, "", "", out);
}

static struct flow_order_attempt attempts[2];
static struct flow_order_answer order_answer;

void
flow_order(struct flow *f, const struct flow_call *c, const char *cid, const char *order, struct flow_order_answer *out)
{
	(void)f;
	(void)c;
	(void)order;
	snprintf(stub.cid, sizeof(stub.cid), "%s", cid);
	*out = order_answer;
}

void
flow_order_clear(struct flow_order_answer *a)
{
	a->attempts = NULL;	/* the test's own */
}

const char *
flow_next_name(enum flow_next n)
{
	return n == FN_PAY ? "pay" : "start-again";
}

static bool
end(bool ok, struct error *err)
{
	return ok || error_set(err, stub.why, "the stub was told so");
}

bool
store_ping(struct store *s, int64_t deadline_boot_ms, struct error *err)
{
	(void)s;
	(void)deadline_boot_ms;
	return end(stub.ping, err);
}

bool
site_open(struct store *s, struct queue *q, struct site *out, int64_t deadline_boot_ms, struct error *err)
{
	(void)s;
	(void)q;
	(void)deadline_boot_ms;
	memset(out, 0, sizeof(*out));
	stub.prepares++;
	out->fence = !stub.prepare ? SITE_STORE_AWAY : !stub.hello ? SITE_QUEUE_AWAY : !stub.claim ? SITE_OTHER_QUEUE : SITE_OPEN;
	snprintf(out->hello.fence, sizeof(out->hello.fence), "%s", stub.fence);
	return end(out->fence == SITE_OPEN, err);
}

/* As lib/flow/site.c has them, which is not linked here. */
const char *
site_fence_text(enum site_fence f)
{
	return f == SITE_OTHER_QUEUE ? "the site's claim names another queue: roompay queue adopt" : "away";
}

enum flow_result
site_fence_result(enum site_fence f)
{
	static const enum flow_result results[SITE__MAX] = { [SITE_OPEN] = FR_OK, [SITE_STORE_AWAY] = FR_STORE_UNAVAILABLE, [SITE_QUEUE_AWAY] = FR_QUEUE_UNAVAILABLE };

	return f < SITE_OTHER_QUEUE ? results[f] : FR_NOT_READY;
}

bool
queue_list(struct queue *q, const char *room, struct buf *json, int64_t deadline_boot_ms, struct error *err)
{
	(void)q;
	(void)deadline_boot_ms;
	snprintf(stub.room, sizeof(stub.room), "%s", room);
	buf_add_str(json, stub.list_text);
	return end(stub.list, err);
}

void
queue_expect(struct queue *q, const char *id)
{
	(void)q;
	snprintf(stub.expected, sizeof(stub.expected), "%s", id);
}

bool
queue_stats(struct queue *q, struct buf *json, int64_t deadline_boot_ms, struct error *err)
{
	(void)q;
	(void)deadline_boot_ms;
	buf_add_str(json, "{\"held\":0,\"ready\":2,\"sync_us\":1500,\"syncs_500\":1,\"syncs_0\":1}");
	return end(stub.ping, err);
}

/* The history is shown by tests/system/test_history.py: here there is none. */
bool
store_history(struct store *s, const struct store_history *h, struct payment **out, size_t *n, bool *more, int64_t deadline_boot_ms, struct error *err)
{
	(void)s;
	(void)h;
	(void)deadline_boot_ms;
	*out = NULL;
	*n = 0;
	*more = false;
	return end(stub.ping, err);
}

bool
store_refunds(struct store *s, const struct store_history *h, struct ledger_event **out, size_t *n, bool *more, int64_t deadline_boot_ms, struct error *err)
{
	(void)s;
	(void)h;
	(void)deadline_boot_ms;
	*out = NULL;
	*n = 0;
	*more = false;
	return end(stub.ping, err);
}

bool
store_ledger_chain(struct store *s, const char *cid, const char *order, struct ledger_chain *out, int64_t deadline_boot_ms, struct error *err)
{
	(void)s;
	(void)cid;
	(void)order;
	(void)deadline_boot_ms;
	*out = (struct ledger_chain){ 0 };
	return end(stub.ping, err);
}

bool
store_payment_get(struct store *s, const char *tid, struct payment *out, bool *found, int64_t deadline_boot_ms, struct error *err)
{
	(void)s;
	(void)tid;
	(void)out;
	(void)deadline_boot_ms;
	*found = false;
	return end(stub.ping, err);
}

bool
flow_cid_is_one_of(const char *cid, const char *const *cids, size_t n_cids)
{
	(void)cid;
	(void)cids;
	(void)n_cids;
	return false;
}

/* edge_init is the worker's; the tests fill struct edge themselves. */
struct store *store_open_mongo(const char *uri, const char *database, struct error *err) { (void)uri; (void)database; (void)err; return NULL; }
struct queue *queue_open_unix(const char *path) { (void)path; return NULL; }
struct provider *kakaopay_new(const struct conf *c, struct error *err) { (void)c; (void)err; return NULL; }
void store_free(struct store **s) { *s = NULL; }
void queue_free(struct queue **q) { *q = NULL; }
void provider_free(struct provider **p) { *p = NULL; }

/* --- a site, and asking it */

static struct conf conf;
static struct edge edge;
static struct buf out;
static struct json_object *json;

static void
add_caller(const char *name, unsigned roles, const char *cid, const char *token)
{
	struct conf_caller *c = &conf.callers[conf.n_callers++];

	snprintf(c->name, sizeof(c->name), "%s", name);
	snprintf(c->cids[0], CID_CAP, "%s", cid);
	c->roles = roles;
	c->n_cids = c->n_tokens = 1;
	SHA256((const unsigned char *)token, strlen(token), c->token_sha256[0]);
}

static int
set_up(void **state)
{
	(void)state;
	memset(&conf, 0, sizeof(conf));
	memset(&stub, 0, sizeof(stub));
	memset(&edge, 0, sizeof(edge));
	snprintf(conf.prefix, sizeof(conf.prefix), "/pay");
	conf.deadline_ms = 13000;
	conf.n_merchants = 2;
	snprintf(conf.merchants[0].cid, CID_CAP, "TC0ONETIME");
	snprintf(conf.merchants[1].cid, CID_CAP, "TCSUBSCRIP");
	add_caller("gateway", ROLE_GATEWAY, "TC0ONETIME", "g-token");
	add_caller("reservation", ROLE_RESERVATION, "TC0ONETIME", "r-token");
	add_caller("operator", ROLE_OPERATOR, "TC0ONETIME", "o-token");
	edge.conf = &conf;
	edge.flow = (struct flow){ .conf = &conf, .program = "fcgi" };
	stub.prepare = stub.hello = stub.claim = stub.ping = stub.list = true;
	stub.why = ERR_UNAVAILABLE;
	stub.list_text = "[]";
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	json_object_put(json);
	json = NULL;
	buf_clear(&out);
	reply_clear(&edge.reply);
	return 0;
}

#define READY "{\"userInfo\":{\"userId\":\"u-1\"},\"paymentInfo\":{\"cid\":\"%s\",\"partner_order_id\":\"o-1\",\"partner_user_id\":\"p\"," \
	"\"item_name\":\"i\",\"quantity\":1,\"total_amount\":2200,\"tax_free_amount\":0,\"approval_url\":\"https://s.example/ok\"," \
	"\"cancel_url\":\"https://s.example/c\",\"fail_url\":\"https://s.example/f\"},\"reservationInfo\":{\"day\":[1],\"startTime\":[10]," \
	"\"endTime\":[12],\"roomId\":\"0123456789ABCDEF01234567\"}}"
#define PLACE "\"userId\":\"u-1\",\"roomId\":\"0123456789ABCDEF01234567\""

static struct http_request
post(const char *path, const char *body)
{
	return (struct http_request){ .method = "POST", .script_name = "/pay", .path_info = path, .authorization = "Bearer g-token",
		.content_type = "application/json", .body = body, .body_len = strlen(body), .boot_ms = clock_boot_ms() };
}

static struct http_request
get(const char *path, const char *query, const char *authorization)
{
	return (struct http_request){ .method = "GET", .script_name = "/pay", .path_info = path, .query = query, .authorization = authorization,
		.body = "", .boot_ms = clock_boot_ms() };
}

/* The status; `json` is the body. */
static int
ask(struct http_request rq)
{
	const char *body;
	int status = 0;

	buf_reset(&out);
	json_object_put(json);
	edge_answer(&edge, &rq, &out);
	assert_int_equal(sscanf(buf_str(&out), "Status: %d ", &status), 1);
	body = strstr(buf_str(&out), "\r\n\r\n");
	assert_non_null(body);
	json = json_tokener_parse(body + 4);
	assert_non_null(json);
	return status;
}

/* The same of an answer that must have no body. */
static int
ask_for_headers(struct http_request rq)
{
	const char *body;
	int status = 0;

	buf_reset(&out);
	edge_answer(&edge, &rq, &out);
	assert_int_equal(sscanf(buf_str(&out), "Status: %d ", &status), 1);
	body = strstr(buf_str(&out), "\r\n\r\n");
	assert_non_null(body);
	assert_string_equal(body + 4, "");
	return status;
}

static int
ask_ready(const char *cid)
{
	char body[1000];

	snprintf(body, sizeof(body), READY, cid);
	return ask(post("/payReady", body));
}

static const char *
member(const char *name)
{
	struct json_object *v;

	return json_object_object_get_ex(json, name, &v) ? json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) :
	    "absent";
}

static void
expect_header(const char *line)
{
	char text[200];

	snprintf(text, sizeof(text), "%s\r\n", line);
	if (strstr(buf_str(&out), text) == NULL)
		fail_msg("no \"%s\" in\n%s", line, buf_str(&out));
}

static void
expect_problem(int got, int status, const char *code)
{
	char quoted[100];

	snprintf(quoted, sizeof(quoted), "\"%s\"", code);
	if (got != status || strcmp(member("code"), quoted) != 0)
		fail_msg("%d %s, not %d %s", got, member("code"), status, quoted);
	snprintf(quoted, sizeof(quoted), "\"urn:roompay:problem:%s\"", code);
	assert_string_equal(member("type"), quoted);
	expect_header("Content-Type: application/problem+json");
	snprintf(quoted, sizeof(quoted), "X-Request-Id: %s", edge.request_id);
	expect_header(quoted);
	snprintf(quoted, sizeof(quoted), "\"%s\"", edge.request_id);
	assert_string_equal(member("requestId"), quoted);
}

/* --- the tests */

static void
a_path_in_whatever_way_it_is_split(void **state)
{
	static const struct { const char *prefix, *script, *info, *uri, *name; } rows[] = {
		{ "/pay", "/pay", "/payReady", "/pay/payReady", "payReady" },			/* lighttpd */
		{ "/pay", "/pay/payReady", NULL, "/pay/payReady?x=1", "payReady" },		/* nginx */
		{ "/pay", "", "/pay/payRead", "/pay/payRead", "payReady" },
		{ "/pay", "/cgi/roompay.fcgi", "/payReady", "/pay/inspectQueue", "payReady" },	/* rewritten: the address that was asked for counts */
		{ "", "", "/livez", NULL, "livez" },
		{ "", "/livez", NULL, NULL, "livez" },
		{ "", NULL, NULL, "/queue?roomId=1", "queue" },
		{ "/roompay.fcgi", "/roompay.fcgi", "/approvePayment", NULL, "approvePayment" },	/* mod_fcgid */
		{ "/pay", "/pay", "/payments", NULL, "payments" },
		{ "/pay", "/pay", "/payments/T1", NULL, "payment" },
		{ "/pay", "/pay/payments", "/T1", NULL, "payment" },
		{ "/pay", "/pay", "/payments/", NULL, NULL },
		{ "/pay", "/pay", "/payments/T1/x", NULL, NULL },
		{ "/pay", "/pay", "/payments/ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt", NULL, NULL },
		{ "/pay", "/pay", "/payready", NULL, NULL },
		{ "/pay", "/pay", "/payReady/", NULL, NULL },
		{ "/pay", "/pay", "", "/pay", NULL },
		{ "/pay", "/payments", "/payReady", NULL, NULL },
		{ "/pay", "/buy", "/payReady", NULL, NULL },
		{ "/pay", NULL, NULL, "/paypayReady", NULL },
		{ "/pay", NULL, NULL, NULL, NULL },
	};
	char longer[2000], param[CALL_PARAM_CAP];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct route *r = route_find(rows[i].prefix, rows[i].script, rows[i].info, rows[i].uri, param);

		if ((r == NULL) != (rows[i].name == NULL) || (r != NULL && strcmp(r->name, rows[i].name) != 0))
			fail_msg("row %zu: %s", i, r == NULL ? "no route" : r->name);
	}
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_null(route_find("", longer, longer, longer, param));
	assert_non_null(route_find("", "/payments/T2", NULL, NULL, param));
	assert_string_equal(param, "T2");
}

static void
the_roles_of_each_route(void **state)
{
	static const struct { const char *method, *path; unsigned roles; } rows[] = {
		{ "POST", "/payReady", ROLE_GATEWAY }, { "POST", "/payRead", ROLE_GATEWAY }, { "POST", "/inspectQueue", ROLE_GATEWAY },
		{ "POST", "/approvePayment", ROLE_GATEWAY }, { "POST", "/removePaymentInQueue", ROLE_GATEWAY | ROLE_RESERVATION },
		{ "POST", "/cancelPayment", ROLE_REFUND | ROLE_OPERATOR }, { "GET", "/orders", ROLE_GATEWAY | ROLE_OPERATOR },
		{ "GET", "/payments", ROLE_GATEWAY | ROLE_OPERATOR }, { "GET", "/payments/", ROLE_GATEWAY | ROLE_OPERATOR },
		{ "GET", "/refunds", ROLE_GATEWAY | ROLE_OPERATOR },
		{ "GET", "/queue", ROLE_GATEWAY | ROLE_OPERATOR }, { "GET", "/metrics", ROLE_OPERATOR }, { "GET", "/openapi.json", 0 },
		{ "GET", "/livez", 0 }, { "GET", "/readyz", ROLE_OPERATOR },
	};
	size_t n = 0;

	(void)state;
	for (; route_at(n) != NULL; n++) {
		assert_string_equal(route_at(n)->path, rows[n].path);
		assert_string_equal(route_at(n)->method, rows[n].method);
		assert_int_equal(route_at(n)->roles, rows[n].roles);
	}
	assert_int_equal(n, sizeof(rows) / sizeof(rows[0]));
}

static void
what_every_route_checks_in_this_order(void **state)
{
	char body[1000];
	struct http_request rq;

	(void)state;
	snprintf(body, sizeof(body), READY, "TC0ONETIME");
	expect_problem(ask(post("/nothing", body)), 404, "no-route");
	rq = post("/payReady", body);
	rq.method = "PUT";
	rq.authorization = NULL;
	expect_problem(ask(rq), 405, "method-not-allowed");
	expect_header("Allow: POST, OPTIONS");
	rq.method = "POST";
	rq.content_type = "text/plain";
	expect_problem(ask(rq), 401, "unauthenticated");
	expect_header("WWW-Authenticate: Bearer realm=\"roompay\"");
	rq.authorization = "Bearer r-token";
	expect_problem(ask(rq), 403, "forbidden");
	rq.authorization = "Bearer g-token";
	rq.too_large = true;
	expect_problem(ask(rq), 415, "unsupported-media-type");
	rq.content_type = "application/json; charset=UTF-8";
	expect_problem(ask(rq), 413, "too-large");
	rq.too_large = false;
	rq.body_len--;
	expect_problem(ask(rq), 400, "malformed-json");
	assert_string_equal(member("charged"), "absent");
	assert_string_equal(stub.called, "");
}

static void
head_is_get_without_the_body(void **state)
{
	static const struct { const char *path, *authorization; int status; } rows[] = {
		{ "/livez", NULL, 200 }, { "/openapi.json", NULL, 200 }, { "/readyz", "Bearer o-token", 200 }, { "/readyz", NULL, 401 },
		{ "/queue", "Bearer g-token", 422 }, { "/nothing", NULL, 404 }, { "/payReady", "Bearer g-token", 405 },
	};
	char length[60], *end;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request rq = get(rows[i].path, NULL, rows[i].authorization);

		rq.request_id = "same-id";
		assert_int_equal(ask(rq), rows[i].status);
		end = strstr(buf_str(&out), "\r\n\r\n");
		len = strlen(end + 4);
		rq.method = "HEAD";
		assert_int_equal(ask_for_headers(rq), rows[i].status);
		snprintf(length, sizeof(length), "Content-Length: %zu", len);
		expect_header(length);
		expect_header("X-Request-Id: same-id");
	}
}

/* No CORS headers: a browser that asks for another site gets no leave. */
static void
options_tells_the_methods_and_nothing_else(void **state)
{
	static const struct { const char *path, *allow; } rows[] = {
		{ "/payReady", "Allow: POST, OPTIONS" }, { "/livez", "Allow: GET, HEAD, OPTIONS" }, { "/payments/T1", "Allow: GET, HEAD, OPTIONS" },
		{ "/metrics", "Allow: GET, HEAD, OPTIONS" },
	};
	struct http_request rq;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rq = get(rows[i].path, NULL, NULL);
		rq.method = "OPTIONS";
		assert_int_equal(ask_for_headers(rq), 204);
		expect_header(rows[i].allow);
		assert_null(strcasestr(buf_str(&out), "Access-Control"));
		assert_null(strcasestr(buf_str(&out), "\nContent-"));	/* neither length nor type */
	}
	rq = get("/nothing", NULL, NULL);
	rq.method = "OPTIONS";
	expect_problem(ask(rq), 404, "no-route");
	rq = get("/livez", NULL, NULL);
	rq.method = "PUT";
	expect_problem(ask(rq), 405, "method-not-allowed");
	expect_header("Allow: GET, HEAD, OPTIONS");
	rq.method = "head";	/* methods have a case */
	expect_problem(ask(rq), 405, "method-not-allowed");
}

static void
a_body_that_is_compressed_is_not_taken(void **state)
{
	static const struct { const char *coding; bool taken; } rows[] = {
		{ NULL, true }, { "", true }, { "identity", true }, { "Identity", true }, { "identity, identity", true },
		{ "gzip", false }, { "x-gzip", false }, { "br", false }, { "deflate", false }, { "identity, gzip", false }, { "identityx", false },
	};
	char body[1000];

	(void)state;
	snprintf(body, sizeof(body), READY, "TC0ONETIME");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request rq = post("/payReady", body);

		rq.content_encoding = rows[i].coding;
		if (rows[i].taken) {
			assert_int_equal(ask(rq), 200);
			continue;
		}
		expect_problem(ask(rq), 415, "unsupported-media-type");
		expect_header("Accept-Encoding: identity");
	}
}

static void
content_types(void **state)
{
	static const struct { const char *type; bool taken; } rows[] = {
		{ "application/json", true }, { "Application/JSON", true }, { "application/json;charset=utf-8", true },
		{ "application/json; charset=\"UTF-8\"", true }, { "application/json; charset=euc-kr", false }, { "application/jsonx", false },
		{ "application/problem+json", false }, { "text/json", false }, { "", false }, { NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request rq = post("/approvePayment", "{}");

		rq.content_type = rows[i].type;
		if (ask(rq) != (rows[i].taken ? 422 : 415))
			fail_msg("\"%s\"", rows[i].type);
	}
}

static void
a_merchant_is_known_and_the_callers(void **state)
{
	(void)state;
	expect_problem(ask_ready("TCUNKNOWN1"), 422, "unknown-merchant");
	expect_problem(ask_ready("TCSUBSCRIP"), 403, "forbidden");
	assert_string_equal(stub.called, "");
	stub.answer.result = FR_OK;
	assert_int_equal(ask_ready("TC0ONETIME"), 200);
	assert_string_equal(stub.called, "ready");
}

static void
pay_ready_answers_what_kakaopay_opened(void **state)
{
	struct provider_opened *o = &stub.answer.ready.opened;

	(void)state;
	snprintf(o->tid, sizeof(o->tid), "T1");
	snprintf(o->next_redirect_pc_url, 1024, "https://k/pc");
	snprintf(o->next_redirect_mobile_url, 1024, "https://k/m");
	snprintf(o->next_redirect_app_url, 1024, "https://k/a");
	snprintf(o->android_app_scheme, 1024, "kakaotalk://a");
	o->created_at_ms = 1709601630000;
	stub.answer.ready.expires_wall_ms = 1709602230001;
	stub.answer.ready.expires_in_ms = 599999;
	assert_int_equal(ask_ready("TC0ONETIME"), 200);
	assert_string_equal(strstr(buf_str(&out), "\r\n\r\n") + 4, "{\"tid\":\"T1\",\"next_redirect_pc_url\":\"https://k/pc\","
	    "\"next_redirect_mobile_url\":\"https://k/m\",\"next_redirect_app_url\":\"https://k/a\",\"android_app_scheme\":\"kakaotalk://a\","
	    "\"ios_app_scheme\":\"\",\"created_at\":\"2024-03-05T01:20:30.000Z\",\"hold\":{\"roomId\":\"0123456789abcdef01234567\",\"userId\":\"u-1\","
	    "\"state\":\"ready\",\"expiresAt\":\"2024-03-05T01:30:30.001Z\",\"expiresIn\":599}}");
	expect_header("Content-Type: application/json");
	expect_header("Cache-Control: no-store");
	assert_null(strstr(buf_str(&out), "Idempotent-Replayed"));
	assert_string_equal(stub.request_id, edge.request_id);
	stub.answer.replayed = true;
	assert_int_equal(ask_ready("TC0ONETIME"), 200);
	expect_header("Idempotent-Replayed: true");
}

static void
refusals_tell_what_overlaps_and_never_who(void **state)
{
	(void)state;
	stub.answer = (struct flow_answer){ .result = FR_SLOT_HELD, .charged = FC_FALSE, .retry_ms = 1001,
		.conflicts = { .iv = { { 4980, 5040 }, { 9330, 10080 } }, .n = 2 }, .detail = "never for the caller" };
	expect_problem(ask_ready("TC0ONETIME"), 409, "slot-held");
	assert_string_equal(member("conflicts"), "[{\"day\":3,\"startTime\":11,\"endTime\":12},{\"day\":6,\"startTime\":11.5,\"endTime\":24}]");
	assert_string_equal(member("charged"), "absent");
	assert_null(strstr(buf_str(&out), "never for"));
	expect_header("Retry-After: 2");
}

static void
charged_is_what_the_flow_read(void **state)
{
	static const struct { enum flow_charged c; const char *text; } rows[] = {
		{ FC_ABSENT, "absent" }, { FC_FALSE, "false" }, { FC_TRUE, "true" }, { FC_UNKNOWN, "\"unknown\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		stub.answer = (struct flow_answer){ .result = FR_IN_PROGRESS, .charged = rows[i].c };
		expect_problem(ask_ready("TC0ONETIME"), 409, "payment-in-progress");
		assert_string_equal(member("charged"), rows[i].text);
		expect_header("Retry-After: 2");	/* the table's, where the flow gave none */
		stub.answer.result = FR_TOO_MANY_HOLDS;
		expect_problem(ask_ready("TC0ONETIME"), 429, "too-many-holds");
		assert_string_equal(member("charged"), "absent");
	}
}

static void
a_declined_payment_shows_kakaopays_words(void **state)
{
	(void)state;
	stub.answer = (struct flow_answer){ .result = FR_DECLINED, .charged = FC_FALSE, .replayed = true, .has_provider = true,
		.provider = { .http = 400, .code = -780, .message = "approval failure!", .method_code = "USER_LOCKED" } };
	expect_problem(ask(post("/approvePayment", "{\"pg_token\":\"t\"," PLACE "}")), 402, "payment-declined");
	assert_string_equal(member("provider"), "{\"code\":-780,\"message\":\"approval failure!\",\"methodResultCode\":\"USER_LOCKED\"}");
	assert_string_equal(member("charged"), "false");
	expect_header("Idempotent-Replayed: true");
}

static void
approve_payment_answers(void **state)
{
	static const char body[] = "{\"pg_token\":\"t\"," PLACE "}";

	(void)state;
	stub.answer = (struct flow_answer){ .result = FR_OK, .charged = FC_TRUE, .state = AS_APPROVED, .has_payment = true,
		.reservation_info = "{\"day\":[1]}", .payment = { .tid = "T1", .cid = "TC0ONETIME", .quantity = 1, .amount = { .total = 2200 } } };
	assert_int_equal(ask(post("/approvePayment", body)), 200);
	assert_string_equal(member("charged"), "true");
	assert_string_equal(member("state"), "\"approved\"");
	assert_string_equal(member("reservationInfo"), "{\"day\":[1]}");
	assert_non_null(strstr(member("payment"), "\"tid\":\"T1\""));
	assert_string_equal(stub.user, "u-1");
	assert_string_equal(stub.room, "0123456789abcdef01234567");
	assert_int_equal(stub.n_cids, 1);
	assert_string_equal(stub.cid, "TC0ONETIME");
	stub.answer = (struct flow_answer){ .result = FR_UNKNOWN, .charged = FC_UNKNOWN, .tid = "T2", .retry_ms = 5000 };
	assert_int_equal(ask(post("/approvePayment", body)), 202);
	assert_string_equal(strstr(buf_str(&out), "\r\n\r\n") + 4, "{\"charged\":\"unknown\",\"state\":\"unknown\",\"tid\":\"T2\"}");
	expect_header("Retry-After: 5");
	stub.answer = (struct flow_answer){ .result = FR_RECORDING, .charged = FC_TRUE, .tid = "T3" };
	assert_int_equal(ask(post("/approvePayment", body)), 202);
	assert_string_equal(strstr(buf_str(&out), "\r\n\r\n") + 4, "{\"charged\":true,\"state\":\"recording\",\"tid\":\"T3\"}");
	expect_header("Retry-After: 2");
}

static void
removals_speak_for_the_role(void **state)
{
	struct http_request rq = post("/removePaymentInQueue", "{" PLACE ",\"tid\":\"T9\"}");

	(void)state;
	stub.answer = (struct flow_answer){ .result = FR_OK };
	assert_int_equal(ask(rq), 200);
	assert_string_equal(strstr(buf_str(&out), "\r\n\r\n") + 4, "{\"removed\":false}");
	assert_false(stub.by_reservation);
	assert_string_equal(stub.tid, "T9");
	rq = post("/removePaymentInQueue", "{" PLACE "}");
	rq.authorization = "Bearer r-token";
	stub.answer = (struct flow_answer){ .result = FR_OK, .removed = true, .state = AS_APPROVED, .reservation_info = "{}" };
	assert_int_equal(ask(rq), 200);
	assert_string_equal(strstr(buf_str(&out), "\r\n\r\n") + 4, "{\"removed\":true,\"state\":\"approved\",\"reservationInfo\":{}}");
	assert_true(stub.by_reservation);
	assert_string_equal(stub.tid, "-");
	rq.authorization = "Bearer o-token";
	expect_problem(ask(rq), 403, "forbidden");
}

static void
refunds_answer(void **state)
{
	struct http_request rq = post("/cancelPayment", "{\"tid\":\"T1\",\"refundId\":\"r-1\",\"reason\":\"x\"}");

	(void)state;
	expect_problem(ask(rq), 403, "forbidden");
	rq.authorization = "Bearer o-token";
	stub.answer = (struct flow_answer){ .result = FR_OK, .charged = FC_TRUE, .state = AS_PART_REFUNDED, .tid = "T1", .refund = { 1000, 1500, 700 } };
	assert_int_equal(ask(rq), 200);
	assert_string_equal(strstr(buf_str(&out), "\r\n\r\n") + 4,
	    "{\"refunded\":true,\"tid\":\"T1\",\"state\":\"part_refunded\",\"amount\":1000,\"canceled\":1500,\"left\":700}");
	assert_string_equal(stub.tid, "T1");
	stub.answer = (struct flow_answer){ .result = FR_REFUND_UNKNOWN, .charged = FC_TRUE, .tid = "T1", .retry_ms = 2000 };
	assert_int_equal(ask(rq), 202);
	assert_string_equal(strstr(buf_str(&out), "\r\n\r\n") + 4, "{\"refunded\":\"unknown\",\"tid\":\"T1\"}");
	expect_header("Retry-After: 2");
	stub.answer = (struct flow_answer){ .result = FR_TAX_FREE_REQUIRED, .charged = FC_TRUE };
	expect_problem(ask(rq), 422, "invalid-fields");
	assert_non_null(strstr(buf_str(&out), "/cancel_tax_free_amount"));
	stub.answer = (struct flow_answer){ .result = FR_REFUND_EXCEEDS, .charged = FC_TRUE };
	expect_problem(ask(rq), 409, "refund-exceeds");
	assert_string_equal(member("charged"), "true");
}

static void
orders_tell_every_attempt(void **state)
{
	static const char query[] = "cid=TC0ONETIME&partner_order_id=o%201";

	(void)state;
	attempts[0] = (struct flow_order_attempt){ .tid = "T1", .state = "declined", .charged = FC_FALSE, .next = FN_START_AGAIN, .user_id = "u-1", .room_id = "r",
		.began_ms = 1000, .changed_ms = 2000 };
	attempts[1] = (struct flow_order_attempt){ .state = "held", .charged = FC_UNKNOWN, .next = FN_PAY, .user_id = "u-1", .room_id = "r", .expires_ms = 3000 };
	order_answer = (struct flow_order_answer){ .result = FR_OK, .state = "held", .charged = FC_UNKNOWN, .next = FN_PAY, .attempts = attempts, .n = 2 };
	assert_int_equal(ask(get("/orders", query, "Bearer g-token")), 200);
	assert_string_equal(strstr(buf_str(&out), "\r\n\r\n") + 4, "{\"cid\":\"TC0ONETIME\",\"partner_order_id\":\"o 1\",\"state\":\"held\",\"charged\":\"unknown\","
	    "\"refunded\":0,\"next\":\"pay\",\"attempts\":[{\"tid\":\"T1\",\"state\":\"declined\",\"charged\":false,\"refunded\":0,\"next\":\"start-again\","
	    "\"userId\":\"u-1\",\"roomId\":\"r\",\"beganAt\":\"1970-01-01T00:00:01.000Z\",\"changedAt\":\"1970-01-01T00:00:02.000Z\"},"
	    "{\"state\":\"held\",\"charged\":\"unknown\",\"refunded\":0,\"next\":\"pay\",\"userId\":\"u-1\",\"roomId\":\"r\","
	    "\"expiresAt\":\"1970-01-01T00:00:03.000Z\"}]}");
	order_answer = (struct flow_order_answer){ .result = FR_STORE_UNAVAILABLE, .charged = FC_UNKNOWN };
	expect_problem(ask(get("/orders", query, "Bearer g-token")), 503, "store-unavailable");
	assert_string_equal(member("charged"), "\"unknown\"");
	expect_problem(ask(get("/orders", query, "Bearer r-token")), 403, "forbidden");
	expect_problem(ask(get("/orders", "cid=TC0ONETIM2&partner_order_id=o", "Bearer g-token")), 422, "unknown-merchant");
	expect_problem(ask(get("/orders", "cid=TC0ONETIME", "Bearer g-token")), 422, "invalid-fields");
}

static void
held_times_of_a_room(void **state)
{
	(void)state;
	stub.list_text = "[{\"start\":1980,\"end\":2100,\"state\":\"ready\"},{\"start\":0,\"end\":90,\"state\":\"held\"}]";
	assert_int_equal(ask(get("/queue", "roomId=0123456789ABCDEF01234567", "Bearer o-token")), 200);
	assert_string_equal(strstr(buf_str(&out), "\r\n\r\n") + 4, "[{\"day\":1,\"startTime\":9,\"endTime\":11,\"state\":\"ready\"},"
	    "{\"day\":0,\"startTime\":0,\"endTime\":1.5,\"state\":\"held\"}]");
	assert_string_equal(stub.room, "0123456789abcdef01234567");
	expect_problem(ask(get("/queue", "roomId=0123456789ABCDEF01234567", NULL)), 401, "unauthenticated");
	expect_problem(ask(get("/queue", "roomId=0123456789ABCDEF01234567", "Bearer r-token")), 403, "forbidden");
	expect_problem(ask(get("/queue", NULL, "Bearer g-token")), 422, "invalid-fields");
	stub.list_text = "[{\"start\":5,\"end\":4,\"state\":\"ready\"}]";
	expect_problem(ask(get("/queue", "roomId=0123456789abcdef01234567", "Bearer g-token")), 500, "internal-error");
	stub.list_text = "[{]";
	expect_problem(ask(get("/queue", "roomId=0123456789abcdef01234567", "Bearer g-token")), 500, "internal-error");
	stub.list = false;
	expect_problem(ask(get("/queue", "roomId=0123456789abcdef01234567", "Bearer g-token")), 503, "queue-unavailable");
	stub.why = ERR_CONFLICT;
	expect_problem(ask(get("/queue", "roomId=0123456789abcdef01234567", "Bearer g-token")), 503, "not-ready");
}

static void
all_wrong_fields_in_the_callers_language(void **state)
{
	struct http_request rq = post("/approvePayment", "{\"pg_token\":\"\",\"roomId\":\"x\",\"y\":1}");

	(void)state;
	rq.accept_language = "en-US,en;q=0.9";
	expect_problem(ask(rq), 422, "invalid-fields");
	assert_string_equal(member("errors"), "[{\"pointer\":\"/pg_token\",\"code\":\"too-short\",\"detail\":\"This is too short.\"},"
	    "{\"pointer\":\"/userId\",\"code\":\"required\",\"detail\":\"This member is required.\"},"
	    "{\"pointer\":\"/roomId\",\"code\":\"too-short\",\"detail\":\"This is too short.\"},"
	    "{\"pointer\":\"/y\",\"code\":\"unknown-member\",\"detail\":\"This member is unknown.\"}]");
	assert_string_equal(member("title"), "\"Invalid fields\"");
	expect_header("Content-Language: en");
	rq.accept_language = NULL;
	ask(rq);
	expect_header("Content-Language: ko");
	assert_string_not_equal(member("title"), "\"Invalid fields\"");
}

static void
a_request_id_is_taken_or_made(void **state)
{
	static const char *const bad[] = { "", "not valid!", "a\r\nX: y", "\xea\xb0\x80",
		"12345678901234567890123456789012345678901234567890123456789012345", NULL };
	struct http_request rq = get("/livez", NULL, NULL);
	enum { N_IDS = 3 * sizeof(edge.random) / 16 };
	char first[REQUEST_ID_CAP];
	static char ids[N_IDS][REQUEST_ID_CAP];

	(void)state;
	rq.request_id = "1234567890.-_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXY";
	assert_int_equal(ask(rq), 200);
	assert_string_equal(edge.request_id, rq.request_id);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		rq.request_id = bad[i];
		ask(rq);
		assert_int_equal(strlen(edge.request_id), 32);
		assert_int_equal(strspn(edge.request_id, "0123456789abcdef"), 32);
	}
	memcpy(first, edge.request_id, sizeof(first));
	ask(rq);
	assert_string_not_equal(first, edge.request_id);
	for (size_t i = 0; i < N_IDS; i++) {	/* more than are asked of the system in one go */
		ask(rq);
		memcpy(ids[i], edge.request_id, sizeof(ids[i]));
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(ids[i], ids[k]);
	}
}

static void
the_deadline_counts_from_the_accept(void **state)
{
	struct http_request rq = post("/removePaymentInQueue", "{" PLACE "}");

	(void)state;
	rq.boot_ms = 5000;
	stub.answer.result = FR_OK;
	ask(rq);
	assert_int_equal(stub.deadline_boot_ms, 18000);
}

static void
the_gate_opens_once_and_stays_open(void **state)
{
	(void)state;
	edge.flow.gate = FR_NOT_READY;
	stub.prepare = false;
	stub.answer.result = FR_OK;
	ask_ready("TC0ONETIME");
	assert_int_equal(edge.flow.gate, FR_STORE_UNAVAILABLE);
	ask_ready("TC0ONETIME");
	assert_int_equal(stub.prepares, 1);		/* at most once a second */
	edge.gate.next_try_boot_ms = 0;
	stub.prepare = true;
	stub.hello = false;
	ask_ready("TC0ONETIME");
	assert_int_equal(edge.flow.gate, FR_QUEUE_UNAVAILABLE);
	expect_problem(ask(get("/queue", "roomId=0123456789abcdef01234567", "Bearer g-token")), 503, "queue-unavailable");
	edge.gate.next_try_boot_ms = 0;
	stub.hello = true;
	stub.claim = false;
	ask_ready("TC0ONETIME");
	assert_int_equal(edge.flow.gate, FR_NOT_READY);
	edge.gate.next_try_boot_ms = 0;
	stub.claim = true;
	ask_ready("TC0ONETIME");
	assert_int_equal(edge.flow.gate, FR_OK);
	stub.prepare = false;
	edge.gate.next_try_boot_ms = 0;
	ask_ready("TC0ONETIME");
	assert_int_equal(edge.flow.gate, FR_OK);
	assert_int_equal(stub.prepares, 4);
}

static void
the_gate_closes_where_the_queue_turns_out_to_be_another_one(void **state)
{
	(void)state;
	stub.answer.result = FR_NOT_READY;
	ask_ready("TC0ONETIME");
	assert_int_equal(edge.flow.gate, FR_NOT_READY);
	assert_int_equal(stub.prepares, 0);
	stub.answer.result = FR_OK;
	ask_ready("TC0ONETIME");	/* at once */
	assert_int_equal(edge.flow.gate, FR_OK);
	assert_int_equal(stub.prepares, 1);
}

static void
health_says_what_is_missing(void **state)
{
	(void)state;
	assert_int_equal(ask(get("/livez", NULL, NULL)), 200);
	expect_problem(ask(get("/readyz", NULL, NULL)), 401, "unauthenticated");
	expect_problem(ask(get("/readyz", NULL, "Bearer g-token")), 403, "forbidden");
	assert_int_equal(ask(get("/readyz", NULL, "Bearer o-token")), 200);
	assert_string_equal(strstr(buf_str(&out), "\r\n\r\n") + 4, "{\"ready\":true,\"store\":\"ok\",\"queue\":\"ok\",\"courier\":\"unknown\",\"fence\":null}");
	snprintf(stub.fence, sizeof(stub.fence), "journal lost");
	assert_int_equal(ask(get("/readyz", NULL, "Bearer o-token")), 503);
	assert_string_equal(member("fence"), "\"journal lost\"");
	stub.fence[0] = '\0';
	stub.ping = false;
	assert_int_equal(ask(get("/readyz", NULL, "Bearer o-token")), 503);
	assert_string_equal(strstr(buf_str(&out), "\r\n\r\n") + 4, "{\"ready\":false,\"store\":\"unavailable\",\"queue\":\"ok\",\"courier\":\"unknown\",\"fence\":null}");
	stub.ping = true;
	stub.claim = false;
	assert_int_equal(ask(get("/readyz", NULL, "Bearer o-token")), 503);
	assert_non_null(strstr(member("fence"), "another queue"));
	expect_header("Retry-After: 1");
}

/* Everything that a request may hold in confidence, through every route; then the log is read. */
/* What is written to the log from here on... */
static struct { int saved, fd; } listening;

static void
listen_to_log(void)
{
	char path[] = "/tmp/test_edge.XXXXXX";

	listening.saved = dup(STDERR_FILENO);
	listening.fd = mkstemp(path);
	assert_true(listening.fd >= 0);
	unlink(path);
	dup2(listening.fd, STDERR_FILENO);
}

/* ... up to here. */
static void
take_log(char *log, size_t cap)
{
	ssize_t n;

	dup2(listening.saved, STDERR_FILENO);
	close(listening.saved);
	n = pread(listening.fd, log, cap - 1, 0);
	close(listening.fd);
	assert_true(n > 0);
	log[n] = '\0';
}

static void
trust(const char *proxy)
{
	snprintf(conf.trusted_proxies[conf.n_trusted_proxies++], ADDRESS_CAP, "%s", proxy);
}

static void
the_address_of_a_client(void **state)
{
	static const struct { const char *peer, *forwarded, *is; } rows[] = {
		{ "203.0.113.9", NULL, "203.0.113.9" },
		{ "203.0.113.9", "198.51.100.1", "203.0.113.9" },	/* anybody may send the header */
		{ "::ffff:203.0.113.9", NULL, "203.0.113.9" },
		{ "2001:DB8:0:0::1", NULL, "2001:db8::1" },
		{ "127.0.0.1", "198.51.100.1", "198.51.100.1" },
		{ "::ffff:127.0.0.1", " 198.51.100.1\t", "198.51.100.1" },
		{ "127.0.0.1", "192.0.2.66, 198.51.100.1", "198.51.100.1" },	/* the first is the client's own word */
		{ "127.0.0.1", "192.0.2.66,198.51.100.1 , 2001:db8::7", "198.51.100.1" },
		{ "127.0.0.1", "::ffff:198.51.100.1,\t2001:DB8::0007", "198.51.100.1" },
		{ "127.0.0.1", "2001:db8::7", "2001:db8::7" },	/* nobody else is named */
		{ "127.0.0.1", NULL, "127.0.0.1" },
		{ "127.0.0.1", "", "127.0.0.1" },
		{ "127.0.0.1", " , ", "127.0.0.1" },
		{ "127.0.0.1", "198.51.100.1:4711", "127.0.0.1" },
		{ "127.0.0.1", "192.0.2.66, 198.51.100.01", "127.0.0.1" },
		{ "127.0.0.1", "192.0.2.66, 10.1", "127.0.0.1" },
		{ "127.0.0.1", "192.0.2.66, unknown, 2001:db8::7", "2001:db8::7" },
		{ "127.0.0.1", "x status=200 address=192.0.2.66", "127.0.0.1" },
		{ "127.0.0.1", "[2001:db8::8]", "127.0.0.1" },
		{ "fe80::1%eth0", "198.51.100.1", "-" },
		{ "a\nevent=x", "198.51.100.1", "-" },
		{ "127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1", "198.51.100.1", "-" },
		{ "unix:", "198.51.100.1", "-" },
		{ "", "198.51.100.1", "-" },
		{ NULL, "198.51.100.1", "-" },
	};
	char out_text[ADDRESS_CAP];

	(void)state;
	trust("127.0.0.1");
	trust("2001:db8::7");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		client_address(&conf, rows[i].peer, rows[i].forwarded, out_text);
		assert_string_equal(out_text, rows[i].is);
	}
	trust(CONF_PROXY_UNIX);
	client_address(&conf, "unix:", "192.0.2.66, 198.51.100.1", out_text);
	assert_string_equal(out_text, "198.51.100.1");
	client_address(&conf, NULL, "198.51.100.1", out_text);
	assert_string_equal(out_text, "198.51.100.1");
	client_address(&conf, "a", "198.51.100.1", out_text);
	assert_string_equal(out_text, "-");
}

static void
who_was_not_let_in_is_told_with_its_address(void **state)
{
	static const struct { const char *path, *authorization, *line; } rows[] = {
		{ "/readyz", "Bearer wrong", "address=198.51.100.1 status=401 token=unknown caller=- route=readyz\n" },
		{ "/readyz", "Basic wrong", "address=198.51.100.1 status=401 token=unknown caller=- route=readyz\n" },
		{ "/readyz", NULL, "address=198.51.100.1 status=401 token=none caller=- route=readyz\n" },
		{ "/readyz", "", "address=198.51.100.1 status=401 token=none caller=- route=readyz\n" },
		{ "/readyz", "Bearer g-token", "address=198.51.100.1 status=403 token=known caller=gateway route=readyz\n" },
		{ "/readyz", "Bearer o-token", NULL },
		{ "/nothing", "Bearer wrong", NULL },
	};
	char log[20000];

	(void)state;
	trust("127.0.0.1");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request rq = get(rows[i].path, NULL, rows[i].authorization);
		const char *denied;

		rq.remote_addr = "127.0.0.1";
		rq.forwarded_for = "198.51.100.1";
		listen_to_log();
		ask(rq);
		take_log(log, sizeof(log));
		assert_non_null(strstr(log, " address=198.51.100.1\n"));	/* event=request */
		denied = strstr(log, " event=access_denied req=");
		assert_true((denied != NULL) == (rows[i].line != NULL));
		assert_true(denied == NULL || strstr(denied, rows[i].line) != NULL);
	}
}

static void
metrics_are_open_to_the_clients_address_not_the_proxys(void **state)
{
	struct http_request rq = get("/metrics", NULL, NULL);

	(void)state;
	snprintf(conf.metrics_addresses[conf.n_metrics_addresses++], ADDRESS_CAP, "127.0.0.1");
	rq.remote_addr = "::ffff:127.0.0.1";
	buf_reset(&out);
	edge_answer(&edge, &rq, &out);
	assert_non_null(strstr(buf_str(&out), "Status: 200 "));
	assert_non_null(strstr(buf_str(&out), "\r\nX-Content-Type-Options: nosniff\r\n"));
	trust("127.0.0.1");
	rq.forwarded_for = "198.51.100.1";
	assert_int_equal(ask(rq), 401);
}

static void
no_secret_of_a_request_reaches_the_log(void **state)
{
	static const char body[] = "{\"pg_token\":\"CANARY1\",\"kakaoAccessToken\":\"CANARY2\"," PLACE "}";
	struct http_request rq = post("/approvePayment", body);
	char log[20000];

	(void)state;
	listen_to_log();
	rq.authorization = "Bearer CANARY3";
	ask(rq);
	ask(post("/approvePayment", body));
	ask(post("/payReady", body));
	ask(post("/approvePayment", "{\"pg_token\":\"CANARY4\"," PLACE "}"));
	ask(post("/approvePayment", "{\"pg_token\":\"CANARY5"));
	ask(get("/queue", "roomId=CANARY6&token=CANARY7", "Bearer g-token"));
	take_log(log, sizeof(log));
	assert_non_null(strstr(log, "method=POST route=approvePayment status=401 code=unauthenticated"));
	assert_null(strstr(log, "CANARY"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_path_in_whatever_way_it_is_split),
		TEST(the_roles_of_each_route),
		TEST(what_every_route_checks_in_this_order),
		TEST(head_is_get_without_the_body),
		TEST(options_tells_the_methods_and_nothing_else),
		TEST(a_body_that_is_compressed_is_not_taken),
		TEST(content_types),
		TEST(a_merchant_is_known_and_the_callers),
		TEST(pay_ready_answers_what_kakaopay_opened),
		TEST(refusals_tell_what_overlaps_and_never_who),
		TEST(charged_is_what_the_flow_read),
		TEST(a_declined_payment_shows_kakaopays_words),
		TEST(approve_payment_answers),
		TEST(removals_speak_for_the_role),
		TEST(held_times_of_a_room),
		TEST(refunds_answer),
		TEST(orders_tell_every_attempt),
		TEST(all_wrong_fields_in_the_callers_language),
		TEST(a_request_id_is_taken_or_made),
		TEST(the_deadline_counts_from_the_accept),
		TEST(the_gate_opens_once_and_stays_open),
		TEST(the_gate_closes_where_the_queue_turns_out_to_be_another_one),
		TEST(health_says_what_is_missing),
		TEST(no_secret_of_a_request_reaches_the_log),
		TEST(the_address_of_a_client),
		TEST(who_was_not_let_in_is_told_with_its_address),
		TEST(metrics_are_open_to_the_clients_address_not_the_proxys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
