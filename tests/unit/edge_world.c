#include "config.h"

#include "edge_world.h"

#include <openssl/sha.h>

#include "fcgi/console.h"
#include "flow/answer.h"
#include "flow/site.h"
#include "provider/kakaopay/kakaopay.h"

/* --- what stands behind the edge */

struct stub stub;

static void
note(const char *name, const struct flow_call *c, const char *user, const char *room,
    struct flow_answer *to)
{
	snprintf(stub.called, sizeof(stub.called), "%s", name);
	snprintf(stub.user, sizeof(stub.user), "%s", user);
	snprintf(stub.room, sizeof(stub.room), "%s", room);
	snprintf(stub.request_id, sizeof(stub.request_id), "%s", c->request_id);
	stub.deadline_boot_ms = c->deadline_boot_ms;
	*to = stub.answer;
}

void
flow_ready(struct flow *f, const struct flow_call *c, const struct flow_ready_request *rq,
    struct flow_answer *to)
{
	(void)f;
	note("ready", c, rq->attempt.user_id, rq->attempt.room_id, to);
}

void
flow_approve(struct flow *f, const struct flow_call *c, const char *user_id, const char *room_id,
    const char *pg_token, const char *const *cids, size_t n_cids, struct flow_answer *to)
{
	(void)f;
	(void)pg_token;
	stub.n_cids = n_cids;
	snprintf(stub.cid, sizeof(stub.cid), "%s", cids[0]);
	note("approve", c, user_id, room_id, to);
}

void
flow_remove(struct flow *f, const struct flow_call *c, bool by_reservation, const char *user_id,
    const char *room_id, const char *tid, const char *const *cids, size_t n_cids,
    struct flow_answer *to)
{
	(void)f;
	(void)cids;
	stub.n_cids = n_cids;
	stub.by_reservation = by_reservation;
	snprintf(stub.tid, sizeof(stub.tid), "%s", tid == NULL ? "-" : tid);
	note("remove", c, user_id, room_id, to);
}

void
flow_refund(struct flow *f, const struct flow_call *c, const struct flow_refund_request *rq,
    const char *const *cids, size_t n_cids, struct flow_answer *to)
{
	(void)f;
	stub.n_cids = n_cids;
	snprintf(stub.cid, sizeof(stub.cid), "%s", cids[0]);
	snprintf(stub.tid, sizeof(stub.tid), "%s", rq->tid);
	note("refund", c, "", "", to);
}

void
flow_order(struct flow *f, const struct flow_call *c, const char *cid, const char *order,
    struct flow_order_answer *to)
{
	(void)f;
	(void)c;
	(void)order;
	snprintf(stub.cid, sizeof(stub.cid), "%s", cid);
	*to = stub.order;
}

void
flow_order_clear(struct flow_order_answer *a)
{
	a->attempts = NULL; /* the test's own */
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
site_open(struct store *s, struct queue *q, struct site *to, int64_t deadline_boot_ms,
    struct error *err)
{
	(void)s;
	(void)q;
	(void)deadline_boot_ms;
	memset(to, 0, sizeof(*to));
	stub.prepares++;
	to->fence = !stub.prepare ? SITE_STORE_AWAY
	    : !stub.hello	  ? SITE_QUEUE_AWAY
	    : !stub.claim	  ? SITE_OTHER_QUEUE
				  : SITE_OPEN;
	snprintf(to->hello.fence, sizeof(to->hello.fence), "%s", stub.fence);
	return end(to->fence == SITE_OPEN, err);
}

/* As lib/flow/site.c has them, which is not linked here. */
const char *
site_fence_text(enum site_fence f)
{
	return f == SITE_OTHER_QUEUE ? "the site's claim names another queue: roompay queue adopt"
				     : "away";
}

enum flow_result
site_fence_result(enum site_fence f)
{
	static const enum flow_result results[SITE__MAX] = { [SITE_OPEN] = FR_OK,
		[SITE_STORE_AWAY] = FR_STORE_UNAVAILABLE,
		[SITE_QUEUE_AWAY] = FR_QUEUE_UNAVAILABLE };

	return f < SITE_OTHER_QUEUE ? results[f] : FR_NOT_READY;
}

bool
queue_list(struct queue *q, const char *room, struct buf *text, int64_t deadline_boot_ms,
    struct error *err)
{
	(void)q;
	(void)deadline_boot_ms;
	snprintf(stub.room, sizeof(stub.room), "%s", room);
	buf_add_str(text, stub.list_text);
	return end(stub.list, err);
}

void
queue_expect(struct queue *q, const char *id)
{
	(void)q;
	snprintf(stub.expected, sizeof(stub.expected), "%s", id);
}

bool
queue_stats(struct queue *q, struct buf *text, int64_t deadline_boot_ms, struct error *err)
{
	(void)q;
	(void)deadline_boot_ms;
	buf_add_str(text,
	    "{\"held\":0,\"ready\":2,\"sync_us\":1500,\"syncs_500\":1,\"syncs_0\":1}");
	return end(stub.ping, err);
}

/* The history is shown by tests/system/test_history.py: here there is none. */
bool
store_history(struct store *s, const struct store_history *h, struct payment **to, size_t *n,
    bool *more, int64_t deadline_boot_ms, struct error *err)
{
	(void)s;
	(void)h;
	(void)deadline_boot_ms;
	*to = NULL;
	*n = 0;
	*more = false;
	return end(stub.ping, err);
}

bool
store_refunds(struct store *s, const struct store_history *h, struct ledger_event **to, size_t *n,
    bool *more, int64_t deadline_boot_ms, struct error *err)
{
	(void)s;
	(void)h;
	(void)deadline_boot_ms;
	*to = NULL;
	*n = 0;
	*more = false;
	return end(stub.ping, err);
}

bool
store_ledger_chain(struct store *s, const char *cid, const char *order, struct ledger_chain *to,
    int64_t deadline_boot_ms, struct error *err)
{
	(void)s;
	(void)cid;
	(void)order;
	(void)deadline_boot_ms;
	*to = (struct ledger_chain){ 0 };
	return end(stub.ping, err);
}

bool
store_payment_get(struct store *s, const char *tid, struct payment *to, bool *found,
    int64_t deadline_boot_ms, struct error *err)
{
	(void)s;
	(void)tid;
	(void)to;
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

/* What the console shows and does stands on all layers: tests/system/test_console.py. Here it only
 * notes that it was asked. */
#define CONSOLE(name) \
	void handle_console_##name(struct call *c) \
	{ \
		snprintf(stub.called, sizeof(stub.called), "console " #name); \
		reply_begin(c->reply, 200); \
		buf_add_char(&c->reply->body, '}'); \
	}
CONSOLE(me)
CONSOLE(status)
CONSOLE(waiting)
CONSOLE(holds)
CONSOLE(hold)
CONSOLE(payments)
CONSOLE(payment)
CONSOLE(order)
CONSOLE(refunds)
CONSOLE(deliveries)
CONSOLE(delivery)
CONSOLE(settlement)
CONSOLE(reconcile)
CONSOLE(settle)
CONSOLE(refund)
CONSOLE(release)
CONSOLE(retry)
CONSOLE(retry_all)
CONSOLE(test)
CONSOLE(adopt)

/* edge_init is the worker's; the tests fill struct edge themselves. */
struct store *
store_open_mongo(const char *uri, const char *database, struct error *err)
{
	(void)uri;
	(void)database;
	(void)err;
	return NULL;
}
struct queue *
queue_open_unix(const char *path)
{
	(void)path;
	return NULL;
}
struct provider *
kakaopay_new(const struct conf *c, struct error *err)
{
	(void)c;
	(void)err;
	return NULL;
}
void
store_free(struct store **s)
{
	*s = NULL;
}
void
queue_free(struct queue **q)
{
	*q = NULL;
}
void
provider_free(struct provider **p)
{
	*p = NULL;
}

/* --- a site, and asking it */

struct conf conf;
struct edge edge;
struct buf out;
struct json_object *json;

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

int
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
	add_caller("viewer", ROLE_VIEWER, "TC0ONETIME", "v-token");
	edge.conf = &conf;
	edge.flow = (struct flow){ .conf = &conf, .program = "fcgi" };
	stub.prepare = stub.hello = stub.claim = stub.ping = stub.list = true;
	stub.why = ERR_UNAVAILABLE;
	stub.list_text = "[]";
	return 0;
}

int
tear_down(void **state)
{
	(void)state;
	json_object_put(json);
	json = NULL;
	buf_clear(&out);
	reply_clear(&edge.reply);
	return 0;
}

struct http_request
post(const char *path, const char *body)
{
	return (struct http_request){ .method = "POST",
		.script_name = "/pay",
		.path_info = path,
		.authorization = "Bearer g-token",
		.content_type = "application/json",
		.body = body,
		.body_len = strlen(body),
		.boot_ms = clock_boot_ms() };
}

struct http_request
get(const char *path, const char *query, const char *authorization)
{
	return (struct http_request){ .method = "GET",
		.script_name = "/pay",
		.path_info = path,
		.query = query,
		.authorization = authorization,
		.body = "",
		.boot_ms = clock_boot_ms() };
}

/* The status; `json` is the body. */
int
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
int
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

int
ask_ready(const char *cid)
{
	char body[1000];

	snprintf(body, sizeof(body), READY, cid);
	return ask(post("/payReady", body));
}

const char *
member(const char *name)
{
	struct json_object *v;

	return json_object_object_get_ex(json, name, &v)
	    ? json_object_to_json_string_ext(v,
		  JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
	    : "absent";
}

void
expect_header(const char *line)
{
	char text[200];

	snprintf(text, sizeof(text), "%s\r\n", line);
	if (strstr(buf_str(&out), text) == NULL)
		fail_msg("no \"%s\" in\n%s", line, buf_str(&out));
}

void
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
