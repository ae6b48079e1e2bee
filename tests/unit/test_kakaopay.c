/* One HTTP exchange with a deadline, and KakaoPay's four calls, against a scripted server on loopback; the guard. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/guard.h"
#include "base/log.h"
#include "provider/kakaopay/exchange.h"
#include "provider/kakaopay/kakaopay.h"
#include "provider/kakaopay/message.h"
#include "tests/unit/sample.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char cid[] = "TC0ONETIME", tid[] = "T5e6735e51aa00bc4411";

/* -- a scripted server: one action a request, in the order of their arrival */

enum action {
	ACT_CLOSE,	/* no answer (also what follows the last action) */
	ACT_ANSWER,	/* the body, and keep the connection */
	ACT_SILENT,	/* no answer, keep it open */
	ACT_CUT,	/* half of the body, then close */
	ACT_BIG,	/* 64 KiB + 1 */
	ACT_FULL,	/* 64 KiB */
};

enum { ACTIONS_MAX = 8, CONNS_MAX = 8 };

struct server {
	int listener, stop[2], port;
	pthread_t thread;
	enum action actions[ACTIONS_MAX];
	const char *status, *body;	/* "400 Bad Request" */
	bool hang_up_on_tls;
	atomic_int accepted, requests, resets, closes;
	char last[40000];		/* the last request */
	struct conn { int fd; size_t len; char in[40000]; } conns[CONNS_MAX];
};

static void
server_answer(struct server *s, int fd, enum action act)
{
	size_t len = act == ACT_BIG ? 65537 : act == ACT_FULL ? 65536 : strlen(s->body);
	struct buf b = BUF_INIT;

	buf_printf(&b, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", s->status, len);
	if (act == ACT_CUT)
		buf_add(&b, s->body, len / 2);
	else if (act == ACT_ANSWER)
		buf_add_str(&b, s->body);
	else
		for (size_t i = 0; i < len; i++)
			buf_add_char(&b, 'x');
	for (size_t done = 0; done < b.len;) {
		ssize_t n = send(fd, b.data + done, b.len - done, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	buf_clear(&b);
}

static void
server_hang_up(struct conn *c)
{
	close(c->fd);
	c->fd = -1;
	c->len = 0;
}

/* A whole request is there. */
static void
server_act(struct server *s, struct conn *c)
{
	int i = atomic_load(&s->requests);
	enum action act = i < ACTIONS_MAX ? s->actions[i] : ACT_CLOSE;

	memcpy(s->last, c->in, c->len + 1);
	c->len = 0;
	atomic_fetch_add(&s->requests, 1);
	if (act != ACT_CLOSE && act != ACT_SILENT)
		server_answer(s, c->fd, act);
	if (act == ACT_CLOSE || act == ACT_CUT)
		server_hang_up(c);
}

static void
server_read(struct server *s, struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->len, sizeof(c->in) - 1 - c->len, 0);
	const char *body, *length;

	if (n <= 0) {
		atomic_fetch_add(n < 0 && errno == ECONNRESET ? &s->resets : &s->closes, 1);
		server_hang_up(c);
		return;
	}
	c->len += (size_t)n;
	c->in[c->len] = '\0';
	if (c->in[0] == 0x16 && s->hang_up_on_tls) {
		server_hang_up(c);
		return;
	}
	body = strstr(c->in, "\r\n\r\n");
	length = strstr(c->in, "Content-Length: ");
	if (body != NULL && length != NULL && strlen(body + 4) >= strtoul(length + 16, NULL, 10))
		server_act(s, c);
}

static void *
server_run(void *ctx)
{
	struct server *s = ctx;

	for (;;) {
		struct pollfd p[2 + CONNS_MAX] = { { s->stop[0], POLLIN, 0 }, { s->listener, POLLIN, 0 } };

		for (int i = 0; i < CONNS_MAX; i++)
			p[2 + i] = (struct pollfd){ s->conns[i].fd, POLLIN, 0 };
		poll(p, COUNT(p), -1);
		if (p[0].revents != 0)
			return NULL;
		for (int i = 0; i < CONNS_MAX; i++)
			if (p[2 + i].revents != 0)
				server_read(s, &s->conns[i]);
		if (p[1].revents == 0)
			continue;
		for (int i = 0; i < CONNS_MAX; i++)
			if (s->conns[i].fd < 0) {
				s->conns[i].fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
				atomic_fetch_add(&s->accepted, 1);
				break;
			}
	}
}

static int
listen_on_loopback(int *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static struct server *
server_start(const enum action *actions, size_t n)
{
	struct server *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	memcpy(s->actions, actions, n * sizeof(actions[0]));
	s->status = "200 OK";
	s->body = "{}";
	for (int i = 0; i < CONNS_MAX; i++)
		s->conns[i].fd = -1;
	assert_int_equal(pipe2(s->stop, O_CLOEXEC), 0);
	s->listener = listen_on_loopback(&s->port);
	assert_int_equal(listen(s->listener, 16), 0);
	return s;
}
#define SERVER(...) server_start((const enum action[]){ __VA_ARGS__ }, COUNT(((const enum action[]){ __VA_ARGS__ })))

static void
server_go(struct server *s)
{
	assert_int_equal(pthread_create(&s->thread, NULL, server_run, s), 0);
}

static void
server_stop(struct server *s)
{
	assert_int_equal(write(s->stop[1], "x", 1), 1);
	pthread_join(s->thread, NULL);
	for (int i = 0; i < CONNS_MAX; i++)
		if (s->conns[i].fd >= 0)
			close(s->conns[i].fd);
	close(s->listener);
	close(s->stop[0]);
	close(s->stop[1]);
	free(s);
}

static void
sleep_ms(int ms)
{
	poll(NULL, 0, ms);
}

static void
wait_for(atomic_int *counter, int value)
{
	for (int i = 0; i < 300 && atomic_load(counter) < value; i++)
		sleep_ms(10);
	assert_int_equal(atomic_load(counter), value);
}

/* -- one exchange */

static struct exchange_reply
exchange(struct exchange *x, const char *scheme, int port, bool fresh, int64_t deadline_ms)
{
	char url[64];
	struct exchange_request rq = { .url = url, .authorization = "SECRET_KEY k", .content_type = "application/json", .body = "{\"a\":1}", .len = 7,
		.plain_http = strcmp(scheme, "http") == 0, .fresh = fresh, .deadline_boot_ms = clock_boot_ms() + deadline_ms };
	struct exchange_reply reply = { 0 };
	struct error err;

	snprintf(url, sizeof(url), "%s://127.0.0.1:%d/v1", scheme, port);
	if (!exchange_run(x, &rq, &reply, &err))
		fail_msg("%s", err.msg);
	return reply;
}

static struct exchange *
new_exchange(void)
{
	struct error err;
	struct exchange *x = exchange_new(&err);

	assert_non_null(x);
	return x;
}

static void
an_answer_is_read_with_its_status(void **state)
{
	struct server *s = SERVER(ACT_ANSWER);
	struct exchange *x = new_exchange();
	struct exchange_reply r;

	(void)state;
	s->status = "400 Bad Request";
	s->body = "{\"code\":-2,\"msg\":\"x\"}";
	server_go(s);
	r = exchange(x, "http", s->port, true, 5000);
	assert_true(r.complete);
	assert_int_equal(r.status, 400);
	assert_string_equal(buf_str(&r.body), s->body);
	assert_memory_equal(s->last, "POST /v1 HTTP/1.1\r\n", 19);
	wait_for(&s->resets, 1);	/* it is not kept for the next one */
	assert_non_null(strstr(s->last, "\r\nAuthorization: SECRET_KEY k\r\n"));
	assert_non_null(strstr(s->last, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(s->last, "\r\n\r\n{\"a\":1}"));
	assert_null(strstr(s->last, "Expect:"));
	buf_clear(&r.body);
	exchange_free(&x);
	server_stop(s);
}

static void
what_was_refused_at_connect_was_not_sent(void **state)
{
	struct exchange *x = new_exchange();
	int port, fd = listen_on_loopback(&port);	/* bound, not listening */
	struct exchange_reply r = exchange(x, "http", port, true, 5000);

	(void)state;
	assert_false(r.complete);
	assert_int_equal(r.sent, EXCHANGE_NOT_SENT);
	exchange_free(&x);
	close(fd);
}

static void
what_failed_in_tls_was_not_sent(void **state)
{
	struct server *s = SERVER(ACT_ANSWER), *mute = SERVER(ACT_ANSWER);
	struct exchange *x = new_exchange();
	struct exchange_reply r;
	int64_t began;

	(void)state;
	s->hang_up_on_tls = true;
	server_go(s);
	server_go(mute);
	r = exchange(x, "https", s->port, true, 5000);
	assert_false(r.complete);
	assert_int_equal(r.sent, EXCHANGE_NOT_SENT);
	began = clock_boot_ms();
	r = exchange(x, "https", mute->port, true, 5000);	/* the handshake has no answer: the connect time-out */
	assert_int_equal(r.sent, EXCHANGE_NOT_SENT);
	assert_in_range(clock_boot_ms() - began, 1400, 3000);
	r = exchange(x, "https", mute->port, true, 300);	/* the deadline comes first */
	assert_int_equal(r.sent, EXCHANGE_NOT_SENT);
	assert_int_equal(s->requests + mute->requests, 0);
	exchange_free(&x);
	server_stop(s);
	server_stop(mute);
}

static void
plain_http_is_not_spoken_unless_asked_for(void **state)
{
	struct server *s = SERVER(ACT_ANSWER);
	struct exchange *x = new_exchange();
	char url[64];
	struct exchange_request rq = { .url = url, .authorization = "a", .content_type = "b", .body = "", .deadline_boot_ms = clock_boot_ms() + 1000 };
	struct exchange_reply r = { 0 };
	struct error err;

	(void)state;
	server_go(s);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", s->port);
	assert_true(exchange_run(x, &rq, &r, &err));
	assert_false(r.complete);
	assert_int_equal(s->accepted, 0);
	exchange_free(&x);
	server_stop(s);
}

static void
a_connection_closed_without_an_answer_may_have_delivered(void **state)
{
	static const enum action acts[] = { ACT_CLOSE, ACT_CUT };

	(void)state;
	for (size_t i = 0; i < COUNT(acts); i++) {
		struct server *s = SERVER(acts[i]);
		struct exchange *x = new_exchange();
		struct exchange_reply r;

		s->body = "{\"tid\":\"T1\"}";
		server_go(s);
		r = exchange(x, "http", s->port, true, 5000);
		assert_false(r.complete);
		assert_int_equal(r.sent, EXCHANGE_MAYBE_SENT);
		assert_int_equal(s->requests, 1);
		buf_clear(&r.body);
		exchange_free(&x);
		server_stop(s);
	}
}

static void
a_slow_answer_ends_at_the_deadline_with_a_reset(void **state)
{
	struct server *s = SERVER(ACT_SILENT);
	struct exchange *x = new_exchange();
	int64_t began = clock_boot_ms();
	struct exchange_reply r;

	(void)state;
	server_go(s);
	r = exchange(x, "http", s->port, true, 400);
	assert_in_range(clock_boot_ms() - began, 395, 900);
	assert_false(r.complete);
	assert_int_equal(r.sent, EXCHANGE_MAYBE_SENT);
	wait_for(&s->resets, 1);	/* a plain close would still deliver what is buffered */
	exchange_free(&x);
	server_stop(s);
}

static void
a_deadline_that_is_over_sends_nothing(void **state)
{
	struct server *s = SERVER(ACT_ANSWER);
	struct exchange *x = new_exchange();
	struct exchange_reply r;

	(void)state;
	server_go(s);
	r = exchange(x, "http", s->port, true, 0);
	assert_int_equal(r.sent, EXCHANGE_NOT_SENT);
	assert_int_equal(s->accepted, 0);
	exchange_free(&x);
	server_stop(s);
}

static void
an_answer_over_64_kib_is_no_answer(void **state)
{
	struct server *s = SERVER(ACT_FULL, ACT_BIG);
	struct exchange *x = new_exchange();
	struct exchange_reply r;

	(void)state;
	server_go(s);
	r = exchange(x, "http", s->port, true, 5000);
	assert_true(r.complete);
	assert_int_equal(r.body.len, EXCHANGE_BODY_MAX);
	buf_clear(&r.body);
	r = exchange(x, "http", s->port, true, 5000);
	assert_false(r.complete);
	assert_int_equal(r.sent, EXCHANGE_MAYBE_SENT);
	buf_clear(&r.body);
	exchange_free(&x);
	server_stop(s);
}

static void
only_a_fresh_exchange_is_sure_to_be_sent_once(void **state)
{
	struct server *s = SERVER(ACT_ANSWER, ACT_ANSWER, ACT_CLOSE, ACT_ANSWER, ACT_CLOSE, ACT_ANSWER);
	struct exchange *x = new_exchange();
	struct exchange_reply r;

	(void)state;
	server_go(s);
	for (int i = 0; i < 2; i++) {
		r = exchange(x, "http", s->port, false, 5000);
		assert_true(r.complete);
		buf_clear(&r.body);
	}
	assert_int_equal(s->accepted, 1);	/* the second came on the first's connection */
	r = exchange(x, "http", s->port, false, 5000);	/* it dies without an answer: libcurl sends again by itself */
	assert_true(r.complete);
	assert_int_equal(s->requests, 4);
	assert_int_equal(s->accepted, 2);
	buf_clear(&r.body);
	r = exchange(x, "http", s->port, true, 5000);	/* an open connection is there, and not used */
	assert_false(r.complete);
	assert_int_equal(s->requests, 5);
	assert_int_equal(s->accepted, 3);
	buf_clear(&r.body);
	exchange_free(&x);
	server_stop(s);
}

/* -- the calls */

static const char the_key[] = "DEVplantedkey0123456789", the_token[] = "plantedpgtoken", the_user_token[] = "plantedusertoken";

static struct conf *
a_conf(enum conf_mode mode, int port)
{
	struct conf *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->n_merchants = 1;
	strcpy(c->merchants[0].cid, cid);
	c->merchants[0].mode = mode;
	snprintf(c->merchants[0].base_url, sizeof(c->merchants[0].base_url), "http://127.0.0.1:%d", port);
	assert_true(secret_set(&c->merchants[0].key, the_key));
	return c;
}

static void
free_conf(struct conf *c)
{
	conf_clear(c);
	free(c);
}

static struct provider *
new_kakaopay(const struct conf *c)
{
	struct error err;
	struct provider *k = kakaopay_new(c, &err);

	if (k == NULL)
		fail_msg("%s", err.msg);
	return k;
}

static struct provider_ready
some_ready(void)
{
	struct provider_ready r = { .quantity = 1, .total_amount = 2200, .tax_free_amount = 0, .vat_amount = -1, .green_deposit = -1, .install_month = -1 };

	strcpy(r.cid, cid);
	strcpy(r.partner_order_id, "ord-1001");
	strcpy(r.partner_user_id, "u-77");
	strcpy(r.item_name, "\"커피\" & a+b");
	strcpy(r.approval_url, "https://site.example/ok?o=1");
	strcpy(r.cancel_url, "https://site.example/cancel");
	strcpy(r.fail_url, "https://site.example/fail");
	return r;
}

static struct provider_approve
some_approve(void)
{
	struct provider_approve a = { .pg_token = the_token, .payload = "n-1", .total_amount = 2200, .window_boot_ms = clock_boot_ms() + 60000 };

	strcpy(a.cid, cid);
	strcpy(a.tid, tid);
	strcpy(a.partner_order_id, "ord-1001");
	strcpy(a.partner_user_id, "u-77");
	return a;
}

static struct provider_cancel
some_cancel(void)
{
	struct provider_cancel c = { .cancel_amount = 700, .cancel_vat_amount = -1, .cancel_available_amount = 1800, .payload = "r-1" };

	strcpy(c.cid, cid);
	strcpy(c.tid, tid);
	return c;
}

static void
each_mode_has_its_own_path_key_and_encoding(void **state)
{
	static const struct { enum conf_mode mode; const char *path, *ready_auth, *order_auth, *type; } rows[] = {
		{ MODE_SECRET_KEY, "/online/v1/payment/", "SECRET_KEY DEVplantedkey0123456789", "SECRET_KEY DEVplantedkey0123456789", "application/json" },
		{ MODE_ADMIN_KEY, "/v1/payment/", "KakaoAK DEVplantedkey0123456789", "KakaoAK DEVplantedkey0123456789",
			"application/x-www-form-urlencoded;charset=utf-8" },
		{ MODE_USER_TOKEN, "/v1/payment/", "Bearer plantedusertoken", "KakaoAK DEVplantedkey0123456789",
			"application/x-www-form-urlencoded;charset=utf-8" },
	};
	struct provider_ready ready = some_ready();
	char *body = sample("ready");

	(void)state;
	ready.user_token = the_user_token;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct server *s = SERVER(ACT_ANSWER, ACT_ANSWER);
		struct conf *c = a_conf(rows[i].mode, s->port);
		struct provider *k = new_kakaopay(c);
		struct provider_opened opened;
		struct provider_order order;
		struct provider_answer pa;
		enum provider_outcome o;
		struct error err;
		char line[200];

		s->body = body;
		server_go(s);
		assert_true(provider_ready(k, &ready, clock_boot_ms() + 5000, &o, &opened, &pa, &err));
		assert_int_equal(o, PO_OK);
		assert_int_equal(pa.http, 200);
		assert_string_equal(opened.tid, "T7c7a6de620aa00bc441");
		snprintf(line, sizeof(line), "POST %sready HTTP/1.1\r\n", rows[i].path);
		assert_memory_equal(s->last, line, strlen(line));
		snprintf(line, sizeof(line), "\r\nAuthorization: %s\r\n", rows[i].ready_auth);
		assert_non_null(strstr(s->last, line));
		snprintf(line, sizeof(line), "\r\nContent-Type: %s\r\n", rows[i].type);
		assert_non_null(strstr(s->last, line));
		assert_true(provider_order(k, cid, tid, clock_boot_ms() + 5000, &o, &order, &pa, &err));
		assert_int_equal(o, PO_UNKNOWN);	/* a body of another tid is no answer */
		snprintf(line, sizeof(line), "\r\nAuthorization: %s\r\n", rows[i].order_auth);
		assert_non_null(strstr(s->last, line));
		assert_int_equal(s->accepted, 1);	/* ready and order share a connection */
		provider_free(&k);
		server_stop(s);
		free_conf(c);
	}
	free(body);
}

static void
a_token_that_could_end_the_header_is_refused(void **state)
{
	static const char *const tokens[] = { NULL, "", "a b", "a\r\nX-Evil: 1", "a\n", "t\xc3\xa9", "a\"" };
	struct server *s = SERVER(ACT_ANSWER);
	struct conf *c = a_conf(MODE_USER_TOKEN, s->port);
	struct provider *k = new_kakaopay(c);
	struct provider_ready ready = some_ready();
	struct provider_opened opened;
	struct provider_answer pa;
	enum provider_outcome o;
	struct error err;

	(void)state;
	server_go(s);
	for (size_t i = 0; i < COUNT(tokens); i++) {
		ready.user_token = tokens[i];
		assert_false(provider_ready(k, &ready, clock_boot_ms() + 5000, &o, &opened, &pa, &err));
		assert_int_equal(err.code, ERR_INPUT);
	}
	strcpy(ready.cid, "TCUNKNOWN0");
	assert_false(provider_ready(k, &ready, clock_boot_ms() + 5000, &o, &opened, &pa, &err));
	assert_int_equal(s->accepted, 0);
	provider_free(&k);
	server_stop(s);
	free_conf(c);
}

/* A cid that lost its [merchant]: whoever reads the answer nevertheless finds nothing in it, not what was in that memory before. */
static void
a_call_that_cannot_be_made_leaves_an_empty_answer(void **state)
{
	static const struct provider_answer empty;
	struct server *s = SERVER(ACT_ANSWER);
	struct conf *c = a_conf(MODE_SECRET_KEY, s->port);
	struct provider *k = new_kakaopay(c);
	struct provider_ready ready = some_ready();
	struct provider_approve approve = some_approve();
	struct provider_cancel cancel = some_cancel();
	struct provider_opened opened;
	struct provider_order order;
	struct provider_canceled canceled;
	struct payment payment;
	int64_t deadline = clock_boot_ms() + 5000;

	(void)state;
	server_go(s);
	strcpy(ready.cid, "TCUNKNOWN0");
	strcpy(approve.cid, "TCUNKNOWN0");
	strcpy(cancel.cid, "TCUNKNOWN0");
	for (int i = 0; i < 4; i++) {
		struct provider_answer pa;
		enum provider_outcome o = PO_OK;
		struct error err;

		memset(&pa, 'x', sizeof(pa));
		assert_false(i == 0 ? provider_ready(k, &ready, deadline, &o, &opened, &pa, &err) :
		    i == 1 ? provider_approve(k, &approve, deadline, &o, &payment, &pa, &err) :
		    i == 2 ? provider_order(k, "TCUNKNOWN0", tid, deadline, &o, &order, &pa, &err) :
		    provider_cancel(k, &cancel, deadline, &o, &canceled, &pa, &err));
		assert_memory_equal(&pa, &empty, sizeof(pa));
		assert_int_equal(o, PO_NOT_SENT);
	}
	assert_int_equal(s->accepted, 0);
	provider_free(&k);
	server_stop(s);
	free_conf(c);
}

static void
a_merchant_that_could_never_pay_stops_the_start(void **state)
{
	static const struct { const char *base_url, *key, *told; } rows[] = {
		{ "https://open-api.kakaopay.example", "k", NULL },
		{ "http://127.evil.example", "k", "base_url" },
		{ "http://10.0.0.1", "k", "base_url" },
		{ "https://open-api.kakaopay.example", "a\"b", "key_file" },
		{ "https://open-api.kakaopay.example", NULL, "key_file" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct conf *c = a_conf(MODE_SECRET_KEY, 1);
		struct error err = { 0 };
		struct provider *k;

		strcpy(c->merchants[0].base_url, rows[i].base_url);
		secret_clear(&c->merchants[0].key);
		if (rows[i].key != NULL)
			assert_true(secret_set(&c->merchants[0].key, rows[i].key));
		k = kakaopay_new(c, &err);
		assert_int_equal(k != NULL, rows[i].told == NULL);
		if (rows[i].told != NULL)
			assert_non_null(strstr(err.msg, rows[i].told));
		provider_free(&k);
		free_conf(c);
	}
}

/* What approve and cancel make of one answer. */
static enum provider_outcome
approve_outcome(enum action act, const char *status, const char *body, struct payment *p, struct provider_answer *pa)
{
	struct server *s = SERVER(act);
	struct conf *c = a_conf(MODE_SECRET_KEY, s->port);
	struct provider *k = new_kakaopay(c);
	struct provider_approve a = some_approve();
	enum provider_outcome o;
	struct error err;

	s->status = status;
	s->body = body;
	server_go(s);
	if (!provider_approve(k, &a, clock_boot_ms() + 800, &o, p, pa, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(s->requests, 1);	/* also where the connection was closed without an answer */
	assert_non_null(strstr(s->last, "\"pg_token\":\"plantedpgtoken\""));
	provider_free(&k);
	server_stop(s);
	free_conf(c);
	return o;
}

static void
approve_makes_an_outcome_of_each_answer(void **state)
{
	static const struct { enum action act; const char *status, *body; enum provider_outcome want; int64_t code; } rows[] = {
		{ ACT_CLOSE, "", "", PO_UNKNOWN, 0 },
		{ ACT_SILENT, "", "", PO_UNKNOWN, 0 },
		{ ACT_BIG, "200 OK", "", PO_UNKNOWN, 0 },
		{ ACT_ANSWER, "200 OK", "", PO_UNKNOWN, 0 },
		{ ACT_ANSWER, "200 OK", "<html></html>", PO_UNKNOWN, 0 },
		{ ACT_ANSWER, "200 OK", "{\"error_code\":-704,\"error_message\":\"x\"}", PO_UNKNOWN, 0 },
		{ ACT_ANSWER, "302 Found", "", PO_UNKNOWN, 0 },
		{ ACT_ANSWER, "401 Unauthorized", "", PO_UNKNOWN, 0 },
		{ ACT_ANSWER, "502 Bad Gateway", "<html></html>", PO_UNKNOWN, 0 },
		{ ACT_ANSWER, "500 Internal Server Error", "{\"error_code\":-500,\"error_message\":\"x\"}", PO_UNKNOWN, -500 },
		{ ACT_ANSWER, "503 Service Unavailable", "{\"code\":-9798,\"msg\":\"x\"}", PO_NOT_EXECUTED, -9798 },
		{ ACT_ANSWER, "401 Unauthorized", "{\"error_code\":-401,\"error_message\":\"x\"}", PO_NOT_EXECUTED, -401 },
		{ ACT_ANSWER, "400 Bad Request", "{\"error_code\":-704,\"error_message\":\"x\"}", PO_DECLINED, -704 },
		{ ACT_ANSWER, "400 Bad Request", "{\"code\":-708,\"msg\":\"x\"}", PO_TOKEN_REFUSED, -708 },
		{ ACT_ANSWER, "400 Bad Request", "{\"code\":-723,\"msg\":\"x\"}", PO_WINDOW_OVER, -723 },
		{ ACT_ANSWER, "400 Bad Request", "{\"code\":-702,\"msg\":\"x\"}", PO_INQUIRE, -702 },
		{ ACT_CUT, "400 Bad Request", "{\"code\":-704,\"msg\":\"x\"}", PO_UNKNOWN, 0 },
	};
	char *money = sample("approve-money");
	struct provider_answer pa;
	struct payment p;

	(void)state;
	assert_int_equal(approve_outcome(ACT_ANSWER, "200 OK", money, &p, &pa), PO_OK);
	assert_string_equal(p.aid, "A5e6737334aa00bc441a");
	assert_int_equal(pa.http, 200);
	assert_int_equal(approve_outcome(ACT_CUT, "200 OK", money, &p, &pa), PO_UNKNOWN);
	assert_int_equal(approve_outcome(ACT_ANSWER, "201 Created", money, &p, &pa), PO_UNKNOWN);
	assert_int_equal(approve_outcome(ACT_ANSWER, "302 Found", money, &p, &pa), PO_UNKNOWN);
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum provider_outcome o = approve_outcome(rows[i].act, rows[i].status, rows[i].body, &p, &pa);

		if (o != rows[i].want || pa.code != rows[i].code)
			fail_msg("row %zu: %s %s is %s", i, rows[i].status, rows[i].body, provider_outcome_name(o));
	}
	free(money);
}

static void
each_approve_and_cancel_has_a_connection_of_its_own(void **state)
{
	struct server *s = SERVER(ACT_ANSWER, ACT_ANSWER, ACT_ANSWER, ACT_ANSWER, ACT_ANSWER);
	struct conf *c = a_conf(MODE_SECRET_KEY, s->port);
	struct provider *k = new_kakaopay(c);
	struct provider_approve a = some_approve();
	struct provider_cancel cancel = some_cancel();
	struct provider_canceled canceled;
	struct provider_order order;
	struct provider_answer pa;
	enum provider_outcome o;
	struct payment p;
	struct error err;

	(void)state;
	server_go(s);
	assert_true(provider_order(k, cid, tid, clock_boot_ms() + 5000, &o, &order, &pa, &err));
	assert_int_equal(s->accepted, 1);
	assert_true(provider_approve(k, &a, clock_boot_ms() + 5000, &o, &p, &pa, &err));
	assert_int_equal(s->accepted, 2);
	assert_true(provider_cancel(k, &cancel, clock_boot_ms() + 5000, &o, &canceled, &pa, &err));
	assert_int_equal(s->accepted, 3);
	assert_true(provider_approve(k, &a, clock_boot_ms() + 5000, &o, &p, &pa, &err));
	assert_int_equal(s->accepted, 4);
	assert_true(provider_order(k, cid, tid, clock_boot_ms() + 5000, &o, &order, &pa, &err));
	assert_int_equal(s->accepted, 4);	/* the inquiry's own is still there */
	provider_free(&k);
	server_stop(s);
	free_conf(c);
}

static void
nothing_is_sent_once_the_window_or_the_deadline_is_over(void **state)
{
	struct server *s = SERVER(ACT_ANSWER);
	struct conf *c = a_conf(MODE_SECRET_KEY, s->port);
	struct provider *k = new_kakaopay(c);
	struct provider_approve a = some_approve();
	struct provider_answer pa;
	enum provider_outcome o;
	struct payment p;
	struct error err;

	(void)state;
	server_go(s);
	assert_true(provider_approve(k, &a, clock_boot_ms() - 5000, &o, &p, &pa, &err));	/* and the guard did not end us */
	assert_int_equal(o, PO_NOT_SENT);
	a.window_boot_ms = clock_boot_ms();
	assert_true(provider_approve(k, &a, clock_boot_ms() + 5000, &o, &p, &pa, &err));
	assert_int_equal(o, PO_NOT_SENT);
	assert_int_equal(pa.http, 0);
	assert_int_equal(s->accepted, 0);
	provider_free(&k);
	server_stop(s);
	free_conf(c);
}

static void
no_key_token_or_redirect_is_in_the_log(void **state)
{
	struct server *s = SERVER(ACT_ANSWER, ACT_ANSWER, ACT_CLOSE);
	struct conf *c = a_conf(MODE_USER_TOKEN, s->port);
	struct provider *k = new_kakaopay(c);
	struct provider_ready ready = some_ready();
	struct provider_approve a = some_approve();
	struct provider_opened opened;
	struct provider_answer pa;
	enum provider_outcome o;
	struct payment p;
	struct error err;
	char *body = sample("ready"), log[8192];
	int fds[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	(void)state;
	s->body = body;
	server_go(s);
	ready.user_token = the_user_token;
	assert_int_equal(pipe(fds), 0);
	log_open("test", LOG_LEVEL_DEBUG);
	dup2(fds[1], STDERR_FILENO);
	for (int i = 0; i < 2; i++) {
		assert_true(provider_ready(k, &ready, clock_boot_ms() + 5000, &o, &opened, &pa, &err));
		assert_true(provider_approve(k, &a, clock_boot_ms() + 5000, &o, &p, &pa, &err));
	}
	dup2(saved, STDERR_FILENO);
	log_open("test", LOG_LEVEL_ERROR);
	n = read(fds[0], log, sizeof(log) - 1);
	assert_true(n > 0);
	log[n] = '\0';
	assert_non_null(strstr(log, "event=kakaopay call=approve cid=TC0ONETIME outcome=unknown"));
	static const char *const planted[] = { the_key, the_token, the_user_token, "00112233", "next_redirect" };
	for (size_t i = 0; i < COUNT(planted); i++)
		assert_null(strstr(log, planted[i]));
	close(fds[0]);
	close(fds[1]);
	close(saved);
	free(body);
	provider_free(&k);
	server_stop(s);
	free_conf(c);
}

/* -- the guard */

enum { SURVIVED = 7 };

/* Runs child() in a process of its own, waits until it has stopped itself, until `later` ms have passed, wakes it, and says how it ended. */
static int
stopped_for(void (*child)(void), int later_ms)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		child();
		_exit(SURVIVED);
	}
	sleep_ms(later_ms);
	kill(pid, SIGCONT);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
stop_armed(void)
{
	struct error err;

	if (guard_arm(clock_boot_ms() + 200, &err))
		raise(SIGSTOP);
}

static void
stop_unarmed(void)
{
	raise(SIGSTOP);
}

static void
stop_disarmed(void)
{
	struct error err;

	for (int i = 0; i < 3; i++) {	/* it may be armed again and again */
		if (!guard_arm(clock_boot_ms() + 200, &err))
			_exit(1);
		guard_disarm();
	}
	guard_disarm();
	raise(SIGSTOP);
}

static void
a_guarded_process_that_was_stopped_never_wakes_up(void **state)
{
	int status;

	(void)state;
	status = stopped_for(stop_armed, 600);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	status = stopped_for(stop_unarmed, 600);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == SURVIVED);
	status = stopped_for(stop_disarmed, 600);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == SURVIVED);
}

/* The calls of a worker that is stopped while it waits for KakaoPay. */
static void
call_and_survive(int port, enum message_call call)
{
	struct conf *c = a_conf(MODE_SECRET_KEY, port);
	struct provider *k = new_kakaopay(c);
	struct provider_approve a = some_approve();
	struct provider_cancel cancel = some_cancel();
	struct provider_canceled canceled;
	struct provider_order order;
	struct provider_answer pa;
	enum provider_outcome o;
	struct payment p;
	int64_t deadline = clock_boot_ms() + 300;

	if (call == MC_APPROVE ? provider_approve(k, &a, deadline, &o, &p, &pa, NULL) :
	    call == MC_CANCEL ? provider_cancel(k, &cancel, deadline, &o, &canceled, &pa, NULL) :
	    provider_order(k, cid, tid, deadline, &o, &order, &pa, NULL))
		_exit(o == PO_UNKNOWN ? SURVIVED : 1);
	_exit(2);
}

static void
a_worker_stopped_in_approve_or_cancel_is_dead_soon_after_its_deadline(void **state)
{
	static const enum message_call calls[] = { MC_APPROVE, MC_CANCEL, MC_ORDER };

	(void)state;
	for (size_t i = 0; i < COUNT(calls); i++)
		for (int stopped = 0; stopped < 2; stopped++) {
			struct server *s = SERVER(ACT_SILENT);
			int status;
			pid_t pid = fork();

			assert_true(pid >= 0);
			if (pid == 0)
				call_and_survive(s->port, calls[i]);
			server_go(s);
			wait_for(&s->requests, 1);
			if (stopped) {
				kill(pid, SIGSTOP);
				sleep_ms(1600);	/* deadline + 1 s is over */
				kill(pid, SIGCONT);
			}
			assert_int_equal(waitpid(pid, &status, 0), pid);
			if (stopped && calls[i] != MC_ORDER)
				assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
			else	/* an inquiry harms nobody when it comes late */
				assert_true(WIFEXITED(status) && WEXITSTATUS(status) == SURVIVED);
			server_stop(s);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_read_with_its_status),
		cmocka_unit_test(what_was_refused_at_connect_was_not_sent),
		cmocka_unit_test(what_failed_in_tls_was_not_sent),
		cmocka_unit_test(plain_http_is_not_spoken_unless_asked_for),
		cmocka_unit_test(a_connection_closed_without_an_answer_may_have_delivered),
		cmocka_unit_test(a_slow_answer_ends_at_the_deadline_with_a_reset),
		cmocka_unit_test(a_deadline_that_is_over_sends_nothing),
		cmocka_unit_test(an_answer_over_64_kib_is_no_answer),
		cmocka_unit_test(only_a_fresh_exchange_is_sure_to_be_sent_once),
		cmocka_unit_test(each_mode_has_its_own_path_key_and_encoding),
		cmocka_unit_test(a_token_that_could_end_the_header_is_refused),
		cmocka_unit_test(a_call_that_cannot_be_made_leaves_an_empty_answer),
		cmocka_unit_test(a_merchant_that_could_never_pay_stops_the_start),
		cmocka_unit_test(approve_makes_an_outcome_of_each_answer),
		cmocka_unit_test(each_approve_and_cancel_has_a_connection_of_its_own),
		cmocka_unit_test(nothing_is_sent_once_the_window_or_the_deadline_is_over),
		cmocka_unit_test(no_key_token_or_redirect_is_in_the_log),
		cmocka_unit_test(a_guarded_process_that_was_stopped_never_wakes_up),
		cmocka_unit_test(a_worker_stopped_in_approve_or_cancel_is_dead_soon_after_its_deadline),
	};

	log_open("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
