#include "config.h"

#include "sim/control.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/field.h"
#include "json/strict.h"
#include "json/write.h"
#include "sim/control_call.h"
#include "sim/dial.h"
#include "sim/payment.h"

#define ROOT "/control"

bool
control_owns(const char *path)
{
	return strncmp(path, ROOT "/", strlen(ROOT) + 1) == 0;
}

static struct order *
find_tid(struct control *c, const char *tid)
{
	struct order *o = state_find(&c->sim->state, tid);

	if (o == NULL)
		control_answer_error(c, 404, "no such tid");
	return o;
}

/* -- the user */

struct user_act {
	char tid[SIM_ID_CAP];
	char method[8];
	char status[32];
};
static const struct field_rule tid_rules[] = { STR_FIELD(user_act, tid, true, 1, 20, NULL) };
static const struct field_rule pay_rules[] = {
	STR_FIELD(user_act, tid, true, 1, 20, NULL),
	STR_FIELD(user_act, method, false, 4, 5, NULL),
};
static const struct field_rule step_rules[] = {
	STR_FIELD(user_act, tid, true, 1, 20, NULL),
	STR_FIELD(user_act, status, true, 1, 31, NULL),
};

static void
post_pay(struct control *c)
{
	struct user_act act = { 0 };
	struct error err;
	struct order *o;

	if (!READ_BODY(c, pay_rules, &act))
		return;
	if (act.method[0] != '\0' && strcmp(act.method, "CARD") != 0 &&
	    strcmp(act.method, "MONEY") != 0) {
		control_answer_error(c, 400, "/method: CARD or MONEY");
		return;
	}
	o = find_tid(c, act.tid);
	if (o == NULL)
		return;
	if (!o->is_captured && order_is_expired(&c->sim->state, o)) {
		control_answer_error(c, 409, "the page of this tid is expired");
		return;
	}
	if (!state_pay(&c->sim->state, o, act.method[0] == '\0' ? NULL : act.method, &err)) {
		control_answer_failure(c, &err);
		return;
	}
	buf_add_char(c->out, '{');
	json_add_str_member(c->out, "tid", o->tid);
	json_add_str_member(c->out, "pg_token", o->pg_token);
	json_add_str_member(c->out, "status", status_name(o->status));
	buf_add_char(c->out, '}');
	control_answer(c, 200);
}

static void
step_to(struct control *c, const char *tid, enum status to)
{
	struct order *o = find_tid(c, tid);
	struct error err;

	if (o == NULL)
		return;
	if (!state_step(&c->sim->state, o, to, &err)) {
		control_answer_failure(c, &err);
		return;
	}
	buf_add_char(c->out, '{');
	json_add_str_member(c->out, "status", status_name(o->status));
	buf_add_char(c->out, '}');
	control_answer(c, 200);
}

static void
post_quit(struct control *c)
{
	struct user_act act = { 0 };

	if (READ_BODY(c, tid_rules, &act))
		step_to(c, act.tid, STATUS_QUIT_PAYMENT);
}

static void
post_fail(struct control *c)
{
	struct user_act act = { 0 };

	if (READ_BODY(c, tid_rules, &act))
		step_to(c, act.tid, STATUS_FAIL_AUTH_PASSWORD);
}

/* Sets a pending status, or FAIL_PAYMENT. Money moves only by approve and cancel. */
static void
post_step(struct control *c)
{
	struct user_act act = { 0 };
	enum status to;

	if (!READ_BODY(c, step_rules, &act))
		return;
	if (!status_parse(act.status, &to) || to == STATUS_AUTH_PASSWORD ||
	    to == STATUS_SUCCESS_PAYMENT || to == STATUS_PART_CANCEL_PAYMENT ||
	    to == STATUS_CANCEL_PAYMENT)
		control_answer_error(c, 400, "/status: not a status that can be set");
	else
		step_to(c, act.tid, to);
}

struct outside_cancel {
	char tid[SIM_ID_CAP];
	int64_t amount, tax_free;
};
static const struct field_rule cancel_rules[] = {
	STR_FIELD(outside_cancel, tid, true, 1, 20, NULL),
	INT_FIELD(outside_cancel, amount, false, 1, INT64_MAX),
	INT_FIELD(outside_cancel, tax_free, false, 0, INT64_MAX),
};

/* A cancel that did not come through the API: merchant's console, customer service. Without an
 * amount: all that is left. */
static void
post_cancel(struct control *c)
{
	struct outside_cancel in = { .amount = 0 };
	struct order_view v;
	struct amount a;
	struct error err;
	struct order *o;

	if (!READ_BODY(c, cancel_rules, &in))
		return;
	o = find_tid(c, in.tid);
	if (o == NULL)
		return;
	order_view_now(o, &v);
	a = v.left;
	if (in.amount != 0 && in.amount < v.left.total) {
		a = (struct amount){ .total = in.amount, .tax_free = in.tax_free };
		a.vat = (in.amount - in.tax_free + 5) / 11;
		if (a.vat > v.left.vat)
			a.vat = v.left.vat;
	}
	if (!v.is_captured || v.left.total == 0 || in.amount > v.left.total ||
	    a.tax_free > a.total || a.tax_free > v.left.tax_free) {
		control_answer_error(c, 409, "not that much is left to cancel");
		return;
	}
	if (!state_cancel(&c->sim->state, o, &a, NULL, &err)) {
		control_answer_failure(c, &err);
		return;
	}
	message_order(c->out, o, INT64_MAX, FAULT_NONE);
	control_answer(c, 200);
}

/* -- what happened */

static bool
is_asked_for(const struct control *c, const struct order *o)
{
	const char *order = params_text(&c->query, "partner_order_id"),
		   *tid = params_text(&c->query, "tid");

	return (order == NULL || strcmp(order, o->partner_order_id) == 0) &&
	    (tid == NULL || strcmp(tid, o->tid) == 0);
}

static void
get_captures(struct control *c)
{
	const struct state *s = &c->sim->state;

	buf_add_str(c->out, "{\"captures\":[");
	for (size_t i = 0; i < s->n_captures; i++)
		if (is_asked_for(c, s->captures[i])) {
			control_separate(c->out);
			message_capture(c->out, s->captures[i]);
		}
	buf_add_str(c->out, "]}");
	control_answer(c, 200);
}

static void
get_cancels(struct control *c)
{
	const struct state *s = &c->sim->state;

	buf_add_str(c->out, "{\"cancels\":[");
	for (size_t i = 0; i < s->n_cancels; i++) {
		const struct order *o = s->cancels[i].order;

		if (!is_asked_for(c, o))
			continue;
		control_separate(c->out);
		message_cancel_record(c->out, o, &o->cancels[s->cancels[i].index]);
	}
	buf_add_str(c->out, "]}");
	control_answer(c, 200);
}

static void
get_order(struct control *c)
{
	const struct order *o = find_tid(c, c->rest);

	if (o == NULL)
		return;
	message_order(c->out, o, INT64_MAX, FAULT_NONE);
	control_answer(c, 200);
}

static void
get_calls(struct control *c)
{
	struct calls_filter f = { .partner_order_id = params_text(&c->query, "partner_order_id"),
		.tid = params_text(&c->query, "tid"),
		.call = params_text(&c->query, "call") };
	int64_t since = 0;

	if (params_text(&c->query, "since") != NULL &&
	    (!params_int(&c->query, "since", &since) || since < 0)) {
		control_answer_error(c, 400, "since: a number of a call, or 0");
		return;
	}
	f.since = (uint64_t)since;
	calls_write(&c->sim->calls, &f, c->out);
	control_answer(c, 200);
}

/* -- all of it */

/* Refused while requests wait: they may refer to orders. */
static void
post_reset(struct control *c)
{
	struct sim *sim = c->sim;
	struct error err;

	if (server_count_waiting(sim->server) > 0) {
		control_answer_error(c, 409, "calls are being answered");
		return;
	}
	if (!state_reset(&sim->state, &err)) {
		control_answer_failure(c, &err);
		return;
	}
	calls_clear(&sim->calls);
	faults_init(&sim->faults, sim->faults.seed);
	unsure_init(&sim->unsure);
	control_answer_ok(c);
}

static void
get_state(struct control *c)
{
	const struct sim *sim = c->sim;

	buf_add_char(c->out, '{');
	json_add_time_member(c->out, "now", state_now_ms(&sim->state));
	json_add_int_member(c->out, "offset_s", sim->state.offset_ms / 1000);
	json_add_int_member(c->out, "orders", (int64_t)state_count(&sim->state));
	json_add_int_member(c->out, "captures", (int64_t)sim->state.n_captures);
	json_add_int_member(c->out, "cancels", (int64_t)sim->state.n_cancels);
	json_add_int_member(c->out, "calls", (int64_t)sim->calls.last);
	json_add_int_member(c->out, "waiting", (int64_t)server_count_waiting(sim->server));
	json_add_bool_member(c->out, "user_token", secret_is_set(&sim->user_token));
	json_add_member(c->out, "latency");
	buf_add_char(c->out, '{');
	for (size_t i = 0; i < CALL__MAX; i++)
		json_add_int_member(c->out, call_name((enum call)i), sim->faults.latency_ms[i]);
	buf_add_char(c->out, '}');
	dial_add_faults(c);
	dial_add_switches(c);
	buf_add_char(c->out, '}');
	control_answer(c, 200);
}

/* -- routes */

static const struct {
	const char *method, *path; /* a path that ends in / takes a word after it */
	void (*handler)(struct control *c);
} routes[] = {
	{ "POST", "/pay", post_pay },
	{ "POST", "/quit", post_quit },
	{ "POST", "/fail", post_fail },
	{ "POST", "/step", post_step },
	{ "POST", "/cancel", post_cancel },
	{ "GET", "/captures", get_captures },
	{ "GET", "/cancels", get_cancels },
	{ "GET", "/orders/", get_order },
	{ "GET", "/calls", get_calls },
	{ "GET", "/faults", dial_get_faults },
	{ "POST", "/faults", dial_post_faults },
	{ "DELETE", "/faults", dial_delete_faults },
	{ "POST", "/latency", dial_post_latency },
	{ "POST", "/clock", dial_post_clock },
	{ "POST", "/unsure", dial_post_unsure },
	{ "POST", "/user-token", dial_post_user_token },
	{ "POST", "/reset", post_reset },
	{ "GET", "/state", get_state },
};

static bool
is_route(const char *path, const char *route)
{
	size_t len = strlen(route);

	return route[len - 1] == '/' ? strncmp(path, route, len) == 0 : strcmp(path, route) == 0;
}

static void
route(struct control *c)
{
	const char *path = c->rq->path + strlen(ROOT);
	bool known = false;

	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (!is_route(path, routes[i].path))
			continue;
		known = true;
		if (strcmp(c->rq->method, routes[i].method) != 0)
			continue;
		c->rest = path + strlen(routes[i].path);
		routes[i].handler(c);
		return;
	}
	control_answer_error(c, known ? 405 : 404, known ? "not with this method" : "no such path");
}

/* A POST carries an object; no body at all is an empty one. */
static bool
read_object(struct control *c)
{
	const struct request *rq = c->rq;
	struct error err;

	if (strcmp(rq->method, "POST") != 0)
		return true;
	if (rq->body.len == 0 && !rq->body.bad) {
		c->body = json_object_new_object();
		return c->body != NULL;
	}
	if (rq->body.bad)
		control_answer_error(c, 413, "the body is too long");
	else if (strict_parse_object(rq->body.data, rq->body.len, STRICT_DEPTH, &c->body, &err))
		return true;
	else
		control_answer_error(c, 400, err.msg);
	return false;
}

void
control_handle(struct sim *sim, struct request *rq)
{
	struct control c = { .sim = sim, .rq = rq, .out = &rq->answer.body };

	if (!params_add_form(&c.query, rq->query))
		control_answer_error(&c, 500, "out of memory");
	else if (read_object(&c))
		route(&c);
	params_clear(&c.query);
	json_object_put(c.body);
}
