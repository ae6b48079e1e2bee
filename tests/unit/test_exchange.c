/* One HTTP exchange with a deadline: what was certainly not sent, and what may have been. */
#include "config.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "provider/kakaopay/exchange.h"
#include "scripted_server.h"

static struct exchange_reply
exchange(struct exchange *x, const char *scheme, int port, bool fresh, int64_t deadline_ms)
{
	char url[64];
	struct exchange_request rq = { .url = url,
		.authorization = "SECRET_KEY k",
		.content_type = "application/json",
		.body = "{\"a\":1}",
		.len = 7,
		.plain_http = strcmp(scheme, "http") == 0,
		.fresh = fresh,
		.deadline_boot_ms = clock_boot_ms() + deadline_ms };
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
	wait_for(&s->resets, 1); /* it is not kept for the next one */
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
	int port, fd = listen_on_loopback(&port); /* bound, not listening */
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
	/* the handshake has no answer: the connect time-out */
	r = exchange(x, "https", mute->port, true, 5000);
	assert_int_equal(r.sent, EXCHANGE_NOT_SENT);
	assert_in_range(clock_boot_ms() - began, 1400, 3000);
	r = exchange(x, "https", mute->port, true, 300); /* the deadline comes first */
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
	struct exchange_request rq = { .url = url,
		.authorization = "a",
		.content_type = "b",
		.body = "",
		.deadline_boot_ms = clock_boot_ms() + 1000 };
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
	wait_for(&s->resets, 1); /* a plain close would still deliver what is buffered */
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
	struct server *s =
	    SERVER(ACT_ANSWER, ACT_ANSWER, ACT_CLOSE, ACT_ANSWER, ACT_CLOSE, ACT_ANSWER);
	struct exchange *x = new_exchange();
	struct exchange_reply r;

	(void)state;
	server_go(s);
	for (int i = 0; i < 2; i++) {
		r = exchange(x, "http", s->port, false, 5000);
		assert_true(r.complete);
		buf_clear(&r.body);
	}
	assert_int_equal(s->accepted, 1); /* the second came on the first's connection */
	/* it dies without an answer: libcurl sends again by itself */
	r = exchange(x, "http", s->port, false, 5000);
	assert_true(r.complete);
	assert_int_equal(s->requests, 4);
	assert_int_equal(s->accepted, 2);
	buf_clear(&r.body);
	/* an open connection is there, and not used */
	r = exchange(x, "http", s->port, true, 5000);
	assert_false(r.complete);
	assert_int_equal(s->requests, 5);
	assert_int_equal(s->accepted, 3);
	buf_clear(&r.body);
	exchange_free(&x);
	server_stop(s);
}

#define BUNDLE "/etc/ssl/certs/ca-certificates.crt" /* Debian's */

static int64_t
cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

/* The server hangs up in the TLS handshake: the certificates were read before. 21 ms of CPU time
 * each, if they are read again. */
static void
the_certificates_are_read_once_not_for_each_connection(void **state)
{
	struct server *s = SERVER(ACT_CLOSE);
	struct exchange *x = new_exchange();
	int64_t first_us, others_us;

	(void)state;
	if (LIBCURL_VERSION_NUM < 0x075700 || access(BUNDLE, R_OK) != 0)
		skip();
	first_us = -cpu_us();
	s->hang_up_on_tls = true;
	server_go(s);
	exchange(x, "https", s->port, true, 5000);
	first_us += cpu_us();
	others_us = -cpu_us();
	for (int i = 0; i < 3; i++)
		exchange(x, "https", s->port, true, 5000);
	others_us += cpu_us();
	if (others_us > first_us)
		fail_msg("three more took %lld us, the first %lld", (long long)others_us,
		    (long long)first_us);
	exchange_free(&x);
	server_stop(s);
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
		cmocka_unit_test(the_certificates_are_read_once_not_for_each_connection),
		cmocka_unit_test(a_slow_answer_ends_at_the_deadline_with_a_reset),
		cmocka_unit_test(a_deadline_that_is_over_sends_nothing),
		cmocka_unit_test(an_answer_over_64_kib_is_no_answer),
		cmocka_unit_test(only_a_fresh_exchange_is_sure_to_be_sent_once),
	};

	log_open("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
