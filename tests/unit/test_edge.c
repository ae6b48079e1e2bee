/* Requests in general: routes, the order of checks, headers, the gate, and what the log says. */
#include "config.h"

#include <fcntl.h>
#include <unistd.h>

#include "edge_world.h"
#include "fcgi/arrival.h"
#include "fcgi/client.h"
#include "fcgi/route.h"
#include "flow/answer.h"
#include "flow/site.h"

/* A request of two parameters' records and two of the body, the last one padded. */
static const unsigned char arrived[] = "\1\1\0\7\0\10\0\0\0\1\0\0\0\0\0\0"
				       "\1\4\0\7\0\2\0\0ab"
				       "\1\4\0\7\0\1\0\0c"
				       "\1\4\0\7\0\0\0\0"
				       "\1\5\0\7\0\1\0\0{"
				       "\1\5\0\7\0\1\3\0}\0\0\0"
				       "\1\5\0\7\0\0\0\0";
enum { ARRIVED_LEN = sizeof(arrived) - 1 };

static void
a_request_has_arrived_when_its_last_byte_has(void **state)
{
	(void)state;
	assert_true(arrival_is_whole(arrived, ARRIVED_LEN));
	for (size_t len = 0; len < ARRIVED_LEN; len++)
		assert_false(arrival_is_whole(arrived, len));
}

/* Whatever else libfcgi makes of it, it is read under the timer. */
static void
nothing_unusual_counts_as_arrived(void **state)
{
	static const struct {
		size_t at;
		unsigned char becomes;
		const char *what;
	} rows[] = {
		{ 0, 2, "another version" },
		{ 1, 9, "a management record" },
		{ 3, 8, "the first record is another request's" },
		{ 5, 7, "a begin that is too short" },
		{ 9, 2, "an authorizer" },
		{ 17, 5, "the body before the parameters" },
		{ 19, 8, "a record of another request" },
		{ 36, 2, "an abort" },
		{ 44, 4, "parameters again" },
		{ 67, 1, "the last record has content that is not there" },
	};
	unsigned char changed[ARRIVED_LEN + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memcpy(changed, arrived, ARRIVED_LEN);
		changed[rows[i].at] = rows[i].becomes;
		if (arrival_is_whole(changed, ARRIVED_LEN))
			fail_msg("%s", rows[i].what);
	}
	memcpy(changed, arrived, ARRIVED_LEN);
	changed[ARRIVED_LEN] = 1;
	assert_false(arrival_is_whole(changed, ARRIVED_LEN + 1)); /* something follows */
}

static void
a_path_in_whatever_way_it_is_split(void **state)
{
	static const struct {
		const char *prefix, *script, *info, *uri, *name;
	} rows[] = {
		{ "/pay", "/pay", "/payReady", "/pay/payReady", "payReady" },	    /* lighttpd */
		{ "/pay", "/pay/payReady", NULL, "/pay/payReady?x=1", "payReady" }, /* nginx */
		{ "/pay", "", "/pay/payRead", "/pay/payRead", "payReady" },
		/* rewritten: the address that was asked for counts */
		{ "/pay", "/cgi/roompay.fcgi", "/payReady", "/pay/inspectQueue", "payReady" },
		{ "", "", "/livez", NULL, "livez" },
		{ "", "/livez", NULL, NULL, "livez" },
		{ "", NULL, NULL, "/queue?roomId=1", "queue" },
		{ "/roompay.fcgi", "/roompay.fcgi", "/approvePayment", NULL,
		    "approvePayment" }, /* mod_fcgid */
		{ "/pay", "/pay", "/payments", NULL, "payments" },
		{ "/pay", "/pay", "/payments/T1", NULL, "payment" },
		{ "/pay", "/pay/payments", "/T1", NULL, "payment" },
		{ "/pay", "/pay", "/payments/", NULL, NULL },
		{ "/pay", "/pay", "/payments/T1/x", NULL, NULL },
		{ "/pay", "/pay",
		    "/payments/ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"
		    "ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"
		    "ttttttttttttttttttttttttttttttt",
		    NULL, NULL },
		{ "/pay", "/pay", "/console/", NULL, "console" },
		{ "/pay", "/pay/console", "", NULL, "console" },
		{ "/pay", "/pay", "/console/js/app.js", NULL, "console" },
		{ "/pay", "/pay", "/console/api/me", NULL, "console_me" },
		{ "/pay", "/pay", "/console/api/payments/T1", NULL, "console_payment" },
		{ "/pay", "/pay", "/console/api/", NULL, NULL },
		{ "/pay", "/pay", "/console/api/no", NULL, NULL },
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
		const struct route *r =
		    route_find(rows[i].prefix, rows[i].script, rows[i].info, rows[i].uri, param);

		if ((r == NULL) != (rows[i].name == NULL) ||
		    (r != NULL && strcmp(r->name, rows[i].name) != 0))
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
	enum { LOOKS = ROLE_OPERATOR | ROLE_VIEWER };
	static const struct {
		const char *method, *path;
		unsigned roles;
	} rows[] = {
		{ "POST", "/payReady", ROLE_GATEWAY },
		{ "POST", "/payRead", ROLE_GATEWAY },
		{ "POST", "/inspectQueue", ROLE_GATEWAY },
		{ "POST", "/approvePayment", ROLE_GATEWAY },
		{ "POST", "/removePaymentInQueue", ROLE_GATEWAY | ROLE_RESERVATION },
		{ "POST", "/cancelPayment", ROLE_REFUND | ROLE_OPERATOR },
		{ "GET", "/orders", ROLE_GATEWAY | LOOKS },
		{ "GET", "/payments", ROLE_GATEWAY | LOOKS },
		{ "GET", "/payments/", ROLE_GATEWAY | LOOKS },
		{ "GET", "/refunds", ROLE_GATEWAY | LOOKS },
		{ "GET", "/queue", ROLE_GATEWAY | LOOKS },
		{ "GET", "/metrics", LOOKS },
		{ "GET", "/openapi.json", 0 },
		{ "GET", "/livez", 0 },
		{ "GET", "/readyz", LOOKS },
		{ "GET", "/console/api/me", LOOKS },
		{ "GET", "/console/api/status", LOOKS },
		{ "GET", "/console/api/waiting", LOOKS },
		{ "GET", "/console/api/holds", LOOKS },
		{ "GET", "/console/api/holds/", LOOKS },
		{ "GET", "/console/api/payments", LOOKS },
		{ "GET", "/console/api/payments/", LOOKS },
		{ "GET", "/console/api/orders", LOOKS },
		{ "GET", "/console/api/refunds", LOOKS },
		{ "GET", "/console/api/deliveries", LOOKS },
		{ "GET", "/console/api/deliveries/", LOOKS },
		{ "GET", "/console/api/settlement", LOOKS },
		{ "GET", "/console/api/reconcile", LOOKS },
		{ "POST", "/console/api/settle", ROLE_OPERATOR },
		{ "POST", "/console/api/refund", ROLE_OPERATOR },
		{ "POST", "/console/api/release", ROLE_OPERATOR },
		{ "POST", "/console/api/retry", ROLE_OPERATOR },
		{ "POST", "/console/api/retryAll", ROLE_OPERATOR },
		{ "POST", "/console/api/test", ROLE_OPERATOR },
		{ "POST", "/console/api/adopt", ROLE_OPERATOR },
		{ "GET", "/console", 0 },
		{ "GET", "/console/", 0 },
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
	static const struct {
		const char *path, *authorization;
		int status;
	} rows[] = {
		{ "/livez", NULL, 200 },
		{ "/openapi.json", NULL, 200 },
		{ "/readyz", "Bearer o-token", 200 },
		{ "/readyz", NULL, 401 },
		{ "/queue", "Bearer g-token", 422 },
		{ "/nothing", NULL, 404 },
		{ "/payReady", "Bearer g-token", 405 },
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
	static const struct {
		const char *path, *allow;
	} rows[] = {
		{ "/payReady", "Allow: POST, OPTIONS" },
		{ "/livez", "Allow: GET, HEAD, OPTIONS" },
		{ "/payments/T1", "Allow: GET, HEAD, OPTIONS" },
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
		assert_null(strcasestr(buf_str(&out), "\nContent-")); /* neither length nor type */
	}
	rq = get("/nothing", NULL, NULL);
	rq.method = "OPTIONS";
	expect_problem(ask(rq), 404, "no-route");
	rq = get("/livez", NULL, NULL);
	rq.method = "PUT";
	expect_problem(ask(rq), 405, "method-not-allowed");
	expect_header("Allow: GET, HEAD, OPTIONS");
	rq.method = "head"; /* methods have a case */
	expect_problem(ask(rq), 405, "method-not-allowed");
}

static void
a_body_that_is_compressed_is_not_taken(void **state)
{
	static const struct {
		const char *coding;
		bool taken;
	} rows[] = {
		{ NULL, true },
		{ "", true },
		{ "identity", true },
		{ "Identity", true },
		{ "identity, identity", true },
		{ "gzip", false },
		{ "x-gzip", false },
		{ "br", false },
		{ "deflate", false },
		{ "identity, gzip", false },
		{ "identityx", false },
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
	static const struct {
		const char *type;
		bool taken;
	} rows[] = {
		{ "application/json", true },
		{ "Application/JSON", true },
		{ "application/json;charset=utf-8", true },
		{ "application/json; charset=\"UTF-8\"", true },
		{ "application/json; charset=euc-kr", false },
		{ "application/jsonx", false },
		{ "application/problem+json", false },
		{ "text/json", false },
		{ "", false },
		{ NULL, false },
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
	for (size_t i = 0; i < N_IDS; i++) { /* more than are asked of the system in one go */
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
	assert_int_equal(stub.prepares, 1); /* at most once a second */
	edge.gate.next_try_boot_ms = 0;
	stub.prepare = true;
	stub.hello = false;
	ask_ready("TC0ONETIME");
	assert_int_equal(edge.flow.gate, FR_QUEUE_UNAVAILABLE);
	expect_problem(ask(get("/queue", "roomId=0123456789abcdef01234567", "Bearer g-token")), 503,
	    "queue-unavailable");
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
	ask_ready("TC0ONETIME"); /* at once */
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
	assert_string_equal(strstr(buf_str(&out), "\r\n\r\n") + 4,
	    "{\"ready\":true,\"store\":\"ok\",\"queue\":\"ok\","
	    "\"courier\":\"unknown\",\"fence\":null,\"draining\":false}");
	snprintf(stub.fence, sizeof(stub.fence), "journal lost");
	assert_int_equal(ask(get("/readyz", NULL, "Bearer o-token")), 503);
	assert_string_equal(member("fence"), "\"journal lost\"");
	stub.fence[0] = '\0';
	stub.ping = false;
	assert_int_equal(ask(get("/readyz", NULL, "Bearer o-token")), 503);
	assert_string_equal(strstr(buf_str(&out), "\r\n\r\n") + 4,
	    "{\"ready\":false,\"store\":\"unavailable\",\"queue\":\"ok\","
	    "\"courier\":\"unknown\",\"fence\":null,\"draining\":false}");
	stub.ping = true;
	stub.claim = false;
	assert_int_equal(ask(get("/readyz", NULL, "Bearer o-token")), 503);
	assert_non_null(strstr(member("fence"), "another queue"));
	expect_header("Retry-After: 1");
}

static void
a_machine_that_leaves_is_not_ready_and_serves(void **state)
{
	static _Atomic bool draining;

	(void)state;
	edge.draining = &draining;
	assert_int_equal(ask(get("/readyz", NULL, "Bearer o-token")), 200);
	draining = true;
	assert_int_equal(ask(get("/readyz", NULL, "Bearer o-token")), 503);
	assert_string_equal(strstr(buf_str(&out), "\r\n\r\n") + 4,
	    "{\"ready\":false,\"store\":\"ok\",\"queue\":\"ok\","
	    "\"courier\":\"unknown\",\"fence\":null,\"draining\":true}");
	assert_int_equal(ask(get("/livez", NULL, NULL)), 200);
	assert_int_equal(ask_ready("TC0ONETIME"), 200);
	edge.draining = NULL;
}

/* What is written to the log from here on... */
static struct {
	int saved, fd;
} listening;

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
	static const struct {
		const char *peer, *forwarded, *is;
	} rows[] = {
		{ "203.0.113.9", NULL, "203.0.113.9" },
		{ "203.0.113.9", "198.51.100.1", "203.0.113.9" }, /* anybody may send the header */
		{ "::ffff:203.0.113.9", NULL, "203.0.113.9" },
		{ "2001:DB8:0:0::1", NULL, "2001:db8::1" },
		{ "127.0.0.1", "198.51.100.1", "198.51.100.1" },
		{ "::ffff:127.0.0.1", " 198.51.100.1\t", "198.51.100.1" },
		/* the first is the client's own word */
		{ "127.0.0.1", "192.0.2.66, 198.51.100.1", "198.51.100.1" },
		{ "127.0.0.1", "192.0.2.66,198.51.100.1 , 2001:db8::7", "198.51.100.1" },
		{ "127.0.0.1", "::ffff:198.51.100.1,\t2001:DB8::0007", "198.51.100.1" },
		{ "127.0.0.1", "2001:db8::7", "2001:db8::7" }, /* nobody else is named */
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
		{ "127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1", "198.51.100.1",
		    "-" },
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
	static const struct {
		const char *path, *authorization, *line;
	} rows[] = {
		{ "/readyz", "Bearer wrong",
		    "address=198.51.100.1 status=401 token=unknown caller=- route=readyz\n" },
		{ "/readyz", "Basic wrong",
		    "address=198.51.100.1 status=401 token=unknown caller=- route=readyz\n" },
		{ "/readyz", NULL,
		    "address=198.51.100.1 status=401 token=none caller=- route=readyz\n" },
		{ "/readyz", "",
		    "address=198.51.100.1 status=401 token=none caller=- route=readyz\n" },
		{ "/readyz", "Bearer g-token",
		    "address=198.51.100.1 status=403 token=known caller=gateway route=readyz\n" },
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
		assert_non_null(strstr(log, " address=198.51.100.1\n")); /* event=request */
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
the_console_is_there_only_where_it_is_served(void **state)
{
	(void)state;
	expect_problem(ask(get("/console/api/me", NULL, "Bearer o-token")), 404, "no-route");
	expect_problem(ask(get("/console/", NULL, NULL)), 404, "no-route");
	conf.console = true;
	assert_int_equal(ask(get("/console/api/me", NULL, "Bearer o-token")), 200);
	assert_string_equal(stub.called, "console me");
}

static void
who_may_do_what_in_the_console(void **state)
{
	static const struct {
		const char *method, *authorization;
		int status;
		const char *code;
	} rows[] = {
		{ "GET", NULL, 401, "unauthenticated" },
		{ "GET", "Bearer nobody", 401, "unauthenticated" },
		{ "GET", "Bearer g-token", 403, "forbidden" },
		{ "GET", "Bearer r-token", 403, "forbidden" },
		{ "GET", "Bearer v-token", 200, NULL },
		{ "GET", "Bearer o-token", 200, NULL },
		{ "POST", NULL, 401, "unauthenticated" },
		{ "POST", "Bearer g-token", 403, "forbidden" },
		{ "POST", "Bearer v-token", 403, "forbidden" },
		{ "POST", "Bearer o-token", 200, NULL },
	};

	(void)state;
	conf.console = true;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t k = 0; route_at(k) != NULL; k++) {
			const struct route *r = route_at(k);
			struct http_request rq = get(r->path, NULL, rows[i].authorization);
			char path[60];
			int got;

			if (strncmp(r->path, "/console/api/", 13) != 0 ||
			    strcmp(r->method, rows[i].method) != 0)
				continue;
			snprintf(path, sizeof(path), "%s%s", r->path,
			    r->path[strlen(r->path) - 1] == '/' ? "T1" : "");
			rq.path_info = path;
			rq.method = r->method;
			rq.content_type = "application/json";
			stub.called[0] = '\0';
			got = ask(rq);
			if (rows[i].code != NULL)
				expect_problem(got, rows[i].status, rows[i].code);
			else if (got != 200 || stub.called[0] == '\0')
				fail_msg("%s %s: %d", r->method, path, got);
		}
}

static void
another_site_cannot_use_the_console(void **state)
{
	static const struct {
		const char *fetch_site, *origin, *host;
		bool refused;
	} rows[] = {
		{ NULL, NULL, NULL, false }, /* a program */
		{ "", "", "a.example", false },
		{ "same-origin", "https://a.example", "a.example", false },
		{ "same-origin", "https://a.example", "inside:8080", false }, /* a proxy */
		{ "same-site", "https://b.a.example", "a.example", true },
		{ "cross-site", "https://evil.example", "a.example", true },
		{ "none", NULL, "a.example", true },
		{ NULL, "http://a.example:8080", "a.example:8080", false },
		{ NULL, "http://A.example", "a.EXAMPLE", false },
		{ NULL, "http://a.example:8080", "a.example", true },
		{ NULL, "http://evil.example", "a.example", true },
		{ NULL, "null", "a.example", true },
		{ NULL, "http://a.example", NULL, true },
	};

	(void)state;
	conf.console = true;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int act = 0; act < 2; act++) {
			struct http_request rq = act ? post("/console/api/test", "{}")
						     : get("/console/api/me", NULL, NULL);
			int got;

			rq.authorization = "Bearer o-token";
			rq.fetch_site = rows[i].fetch_site;
			rq.origin = rows[i].origin;
			rq.host = rows[i].host;
			got = ask(rq);
			if (rows[i].refused)
				expect_problem(got, 403, "cross-origin");
			else if (got != 200)
				fail_msg("row %zu: %d", i, got);
		}
}

static void
only_its_addresses_reach_the_console(void **state)
{
	struct http_request rq = get("/console/api/me", NULL, "Bearer o-token");

	(void)state;
	conf.console = true;
	snprintf(conf.console_addresses[conf.n_console_addresses++], ADDRESS_CAP, "10.0.0.1");
	rq.remote_addr = "10.0.0.1";
	assert_int_equal(ask(rq), 200);
	rq.remote_addr = "10.0.0.2";
	expect_problem(ask(rq), 403, "forbidden");
	rq.path_info = "/console/";
	expect_problem(ask(rq), 403, "forbidden");
	rq.path_info = "/livez";
	assert_int_equal(ask(rq), 200);
}

/* Everything that a request may hold in confidence, through every route; then the log is read. */
static void
no_secret_of_a_request_reaches_the_log(void **state)
{
	static const char body[] =
	    "{\"pg_token\":\"CANARY1\",\"kakaoAccessToken\":\"CANARY2\"," PLACE "}";
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
	assert_non_null(
	    strstr(log, "method=POST route=approvePayment status=401 code=unauthenticated"));
	assert_null(strstr(log, "CANARY"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_has_arrived_when_its_last_byte_has),
		TEST(nothing_unusual_counts_as_arrived),
		TEST(a_path_in_whatever_way_it_is_split),
		TEST(the_roles_of_each_route),
		TEST(what_every_route_checks_in_this_order),
		TEST(head_is_get_without_the_body),
		TEST(options_tells_the_methods_and_nothing_else),
		TEST(a_body_that_is_compressed_is_not_taken),
		TEST(content_types),
		TEST(a_request_id_is_taken_or_made),
		TEST(the_deadline_counts_from_the_accept),
		TEST(the_gate_opens_once_and_stays_open),
		TEST(the_gate_closes_where_the_queue_turns_out_to_be_another_one),
		TEST(health_says_what_is_missing),
		TEST(a_machine_that_leaves_is_not_ready_and_serves),
		TEST(the_console_is_there_only_where_it_is_served),
		TEST(who_may_do_what_in_the_console),
		TEST(another_site_cannot_use_the_console),
		TEST(only_its_addresses_reach_the_console),
		TEST(no_secret_of_a_request_reaches_the_log),
		TEST(the_address_of_a_client),
		TEST(who_was_not_let_in_is_told_with_its_address),
		TEST(metrics_are_open_to_the_clients_address_not_the_proxys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
