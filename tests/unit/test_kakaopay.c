/* KakaoPay's four calls, against a scripted server on loopback. */
#include "config.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "provider/kakaopay/kakaopay.h"
#include "provider/kakaopay/message.h"
#include "sample.h"
#include "scripted_server.h"

static const char cid[] = "TC0ONETIME", tid[] = "T5e6735e51aa00bc4411";

static const char the_key[] = "DEVplantedkey0123456789", the_token[] = "plantedpgtoken",
		  the_user_token[] = "plantedusertoken";

static struct conf *
a_conf(enum conf_mode mode, int port)
{
	struct conf *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->n_merchants = 1;
	strcpy(c->merchants[0].cid, cid);
	c->merchants[0].mode = mode;
	snprintf(c->merchants[0].base_url, sizeof(c->merchants[0].base_url), "http://127.0.0.1:%d",
	    port);
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
	struct provider_ready r = { .quantity = 1,
		.total_amount = 2200,
		.tax_free_amount = 0,
		.vat_amount = -1,
		.green_deposit = -1,
		.install_month = -1 };

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
	struct provider_approve a = { .pg_token = the_token,
		.payload = "n-1",
		.total_amount = 2200,
		.window_boot_ms = clock_boot_ms() + 60000 };

	strcpy(a.cid, cid);
	strcpy(a.tid, tid);
	strcpy(a.partner_order_id, "ord-1001");
	strcpy(a.partner_user_id, "u-77");
	return a;
}

static struct provider_cancel
some_cancel(void)
{
	struct provider_cancel c = { .cancel_amount = 700,
		.cancel_vat_amount = -1,
		.cancel_available_amount = 1800,
		.payload = "r-1" };

	strcpy(c.cid, cid);
	strcpy(c.tid, tid);
	return c;
}

static void
each_mode_has_its_own_path_key_and_encoding(void **state)
{
	static const struct {
		enum conf_mode mode;
		const char *path, *ready_auth, *order_auth, *type;
	} rows[] = {
		{ MODE_SECRET_KEY, "/online/v1/payment/", "SECRET_KEY DEVplantedkey0123456789",
		    "SECRET_KEY DEVplantedkey0123456789", "application/json" },
		{ MODE_ADMIN_KEY, "/v1/payment/", "KakaoAK DEVplantedkey0123456789",
		    "KakaoAK DEVplantedkey0123456789",
		    "application/x-www-form-urlencoded;charset=utf-8" },
		{ MODE_USER_TOKEN, "/v1/payment/", "Bearer plantedusertoken",
		    "KakaoAK DEVplantedkey0123456789",
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
		assert_true(
		    provider_ready(k, &ready, clock_boot_ms() + 5000, &o, &opened, &pa, &err));
		assert_int_equal(o, PO_OK);
		assert_int_equal(pa.http, 200);
		assert_string_equal(opened.tid, "T7c7a6de620aa00bc441");
		snprintf(line, sizeof(line), "POST %sready HTTP/1.1\r\n", rows[i].path);
		assert_memory_equal(s->last, line, strlen(line));
		snprintf(line, sizeof(line), "\r\nAuthorization: %s\r\n", rows[i].ready_auth);
		assert_non_null(strstr(s->last, line));
		snprintf(line, sizeof(line), "\r\nContent-Type: %s\r\n", rows[i].type);
		assert_non_null(strstr(s->last, line));
		assert_true(
		    provider_order(k, cid, tid, clock_boot_ms() + 5000, &o, &order, &pa, &err));
		assert_int_equal(o, PO_UNKNOWN); /* a body of another tid is no answer */
		snprintf(line, sizeof(line), "\r\nAuthorization: %s\r\n", rows[i].order_auth);
		assert_non_null(strstr(s->last, line));
		assert_int_equal(s->accepted, 1); /* ready and order share a connection */
		provider_free(&k);
		server_stop(s);
		free_conf(c);
	}
	free(body);
}

static void
a_token_that_could_end_the_header_is_refused(void **state)
{
	static const char *const tokens[] = { NULL, "", "a b", "a\r\nX-Evil: 1", "a\n", "t\xc3\xa9",
		"a\"" };
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
		assert_false(
		    provider_ready(k, &ready, clock_boot_ms() + 5000, &o, &opened, &pa, &err));
		assert_int_equal(err.code, ERR_INPUT);
	}
	strcpy(ready.cid, "TCUNKNOWN0");
	assert_false(provider_ready(k, &ready, clock_boot_ms() + 5000, &o, &opened, &pa, &err));
	assert_int_equal(s->accepted, 0);
	provider_free(&k);
	server_stop(s);
	free_conf(c);
}

/* A cid that lost its [merchant]: whoever reads the answer nevertheless finds nothing in it, not
 * what was in that memory before. */
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
		assert_false(i == 0 ? provider_ready(k, &ready, deadline, &o, &opened, &pa, &err)
			: i == 1 ? provider_approve(k, &approve, deadline, &o, &payment, &pa, &err)
			: i == 2
			? provider_order(k, "TCUNKNOWN0", tid, deadline, &o, &order, &pa, &err)
			: provider_cancel(k, &cancel, deadline, &o, &canceled, &pa, &err));
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
	static const struct {
		const char *base_url, *key, *told;
	} rows[] = {
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
approve_outcome(enum action act, const char *status, const char *body, struct payment *p,
    struct provider_answer *pa)
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
	/* also where the connection was closed without an answer */
	assert_int_equal(s->requests, 1);
	assert_non_null(strstr(s->last, "\"pg_token\":\"plantedpgtoken\""));
	provider_free(&k);
	server_stop(s);
	free_conf(c);
	return o;
}

static void
approve_makes_an_outcome_of_each_answer(void **state)
{
	static const struct {
		enum action act;
		const char *status, *body;
		enum provider_outcome want;
		int64_t code;
	} rows[] = {
		{ ACT_CLOSE, "", "", PO_UNKNOWN, 0 },
		{ ACT_SILENT, "", "", PO_UNKNOWN, 0 },
		{ ACT_BIG, "200 OK", "", PO_UNKNOWN, 0 },
		{ ACT_ANSWER, "200 OK", "", PO_UNKNOWN, 0 },
		{ ACT_ANSWER, "200 OK", "<html></html>", PO_UNKNOWN, 0 },
		{ ACT_ANSWER, "200 OK", "{\"error_code\":-704,\"error_message\":\"x\"}", PO_UNKNOWN,
		    0 },
		{ ACT_ANSWER, "302 Found", "", PO_UNKNOWN, 0 },
		{ ACT_ANSWER, "401 Unauthorized", "", PO_UNKNOWN, 0 },
		{ ACT_ANSWER, "502 Bad Gateway", "<html></html>", PO_UNKNOWN, 0 },
		{ ACT_ANSWER, "500 Internal Server Error",
		    "{\"error_code\":-500,\"error_message\":\"x\"}", PO_UNKNOWN, -500 },
		{ ACT_ANSWER, "503 Service Unavailable", "{\"code\":-9798,\"msg\":\"x\"}",
		    PO_NOT_EXECUTED, -9798 },
		{ ACT_ANSWER, "401 Unauthorized", "{\"error_code\":-401,\"error_message\":\"x\"}",
		    PO_NOT_EXECUTED, -401 },
		{ ACT_ANSWER, "400 Bad Request", "{\"error_code\":-704,\"error_message\":\"x\"}",
		    PO_DECLINED, -704 },
		{ ACT_ANSWER, "400 Bad Request", "{\"code\":-708,\"msg\":\"x\"}", PO_TOKEN_REFUSED,
		    -708 },
		{ ACT_ANSWER, "400 Bad Request", "{\"code\":-723,\"msg\":\"x\"}", PO_WINDOW_OVER,
		    -723 },
		{ ACT_ANSWER, "400 Bad Request", "{\"code\":-702,\"msg\":\"x\"}", PO_INQUIRE,
		    -702 },
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
		enum provider_outcome o =
		    approve_outcome(rows[i].act, rows[i].status, rows[i].body, &p, &pa);

		if (o != rows[i].want || pa.code != rows[i].code)
			fail_msg("row %zu: %s %s is %s", i, rows[i].status, rows[i].body,
			    provider_outcome_name(o));
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
	assert_int_equal(s->accepted, 4); /* the inquiry's own is still there */
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
	/* and the guard did not end us */
	assert_true(provider_approve(k, &a, clock_boot_ms() - 5000, &o, &p, &pa, &err));
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
		assert_true(
		    provider_ready(k, &ready, clock_boot_ms() + 5000, &o, &opened, &pa, &err));
		assert_true(provider_approve(k, &a, clock_boot_ms() + 5000, &o, &p, &pa, &err));
	}
	dup2(saved, STDERR_FILENO);
	log_open("test", LOG_LEVEL_ERROR);
	n = read(fds[0], log, sizeof(log) - 1);
	assert_true(n > 0);
	log[n] = '\0';
	assert_non_null(strstr(log, "event=kakaopay call=approve cid=TC0ONETIME outcome=unknown"));
	static const char *const planted[] = { the_key, the_token, the_user_token, "00112233",
		"next_redirect" };
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

/* -- a worker that was stopped */

enum { SURVIVED = 7 };

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

	if (call == MC_APPROVE ? provider_approve(k, &a, deadline, &o, &p, &pa, NULL)
		: call == MC_CANCEL
		? provider_cancel(k, &cancel, deadline, &o, &canceled, &pa, NULL)
		: provider_order(k, cid, tid, deadline, &o, &order, &pa, NULL))
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
				sleep_ms(1600); /* deadline + 1 s is over */
				kill(pid, SIGCONT);
			}
			assert_int_equal(waitpid(pid, &status, 0), pid);
			if (stopped && calls[i] != MC_ORDER)
				assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
			else /* an inquiry harms nobody when it comes late */
				assert_true(WIFEXITED(status) && WEXITSTATUS(status) == SURVIVED);
			server_stop(s);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mode_has_its_own_path_key_and_encoding),
		cmocka_unit_test(a_token_that_could_end_the_header_is_refused),
		cmocka_unit_test(a_call_that_cannot_be_made_leaves_an_empty_answer),
		cmocka_unit_test(a_merchant_that_could_never_pay_stops_the_start),
		cmocka_unit_test(approve_makes_an_outcome_of_each_answer),
		cmocka_unit_test(each_approve_and_cancel_has_a_connection_of_its_own),
		cmocka_unit_test(nothing_is_sent_once_the_window_or_the_deadline_is_over),
		cmocka_unit_test(no_key_token_or_redirect_is_in_the_log),
		cmocka_unit_test(
		    a_worker_stopped_in_approve_or_cancel_is_dead_soon_after_its_deadline),
	};

	log_open("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
