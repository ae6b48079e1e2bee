/* The console's reads about one thing: who asks, the site, a hold, an order, a message. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fcgi/caller.h"
#include "fcgi/console.h"
#include "fcgi/console_answer.h"
#include "fcgi/console_request.h"
#include "flow/charged.h"
#include "flow/life.h"
#include "json/write.h"
#include "operate/find.h"
#include "operate/json.h"

void
handle_console_me(struct call *c)
{
	struct buf *b = &c->reply->body;

	reply_begin(c->reply, 200);
	json_add_str_member(b, "name", c->caller->name);
	json_add_str_member(b, "role", c->caller->roles & ROLE_OPERATOR ? "operator" : "viewer");
	json_add_member(b, "cids");
	buf_add_char(b, '[');
	for (size_t i = 0; i < c->caller->n_cids; i++) {
		buf_add_str(b, i > 0 ? "," : "");
		json_add_string(b, c->caller->cids[i]);
	}
	buf_add_char(b, ']');
	json_add_str_member(b, "version", PACKAGE_VERSION);
	json_add_str_member(b, "time_unit", c->e->conf->time_unit_minute ? "minute" : "hour");
	buf_add_char(b, '}');
}

static void
begin_value(struct call *c)
{
	c->reply->status = 200;
	reply_add_header(c->reply, "Content-Type", "application/json");
}

void
handle_console_status(struct call *c)
{
	static struct operate_status s;

	console_look(c, &s);
	begin_value(c);
	operate_json_status(&c->reply->body, &s, console_is_korean(c));
}

/* -- holds */

void
handle_console_hold(struct call *c)
{
	static struct queue_answer qa;
	struct error err = { 0 };

	if (strlen(c->param) >= TID_CAP) {
		call_problem(c, PROBLEM_NOT_KNOWN);
	} else if (!queue_find_tid(c->e->flow.queue, c->param, c->flow_call.deadline_boot_ms, &qa,
		       &err)) {
		console_queue_failed(c, &err);
	} else if (qa.code != HA_OK) {
		call_problem(c, PROBLEM_NOT_KNOWN);
	} else if (console_is_of(c, qa.hold.cid)) {
		begin_value(c);
		operate_json_hold(&c->reply->body, &qa.hold, c->e->conf);
	}
}

/* -- one order's story */

struct story {
	const char *cid, *order, *tid; /* tid "": the order was asked for */
	struct ledger_chain chain;
	struct flow_order_answer now;
	struct operate_message *messages;
	size_t n_messages;
	struct payment payment;
	bool has_payment;
	struct payment_life *life;
	struct queue_answer hold;
	bool has_hold;
};

/* What KakaoPay captured of this order: at most once. */
static bool
read_payment(struct call *c, struct story *s, struct error *err)
{
	struct store *store = c->e->flow.store;
	int64_t deadline = c->flow_call.deadline_boot_ms;

	for (size_t i = 0; i < s->now.n && !s->has_payment; i++)
		if (s->now.attempts[i].charged == FC_TRUE &&
		    !store_payment_get(store, s->now.attempts[i].tid, &s->payment, &s->has_payment,
			deadline, err))
			return false;
	return !s->has_payment || payment_lives(store, &s->payment, 1, &s->life, deadline, err);
}

static bool
read_hold(struct call *c, struct flow *f, struct story *s, struct error *err)
{
	if (f->gate != FR_OK)
		return true; /* the ledger alone tells then */
	if (!queue_find_order(f->queue, s->cid, s->order, c->flow_call.deadline_boot_ms, &s->hold,
		err))
		return false;
	s->has_hold = s->hold.code == HA_OK && hold_state_is_live(s->hold.hold.state);
	return true;
}

/* False: the reply says why. */
static bool
read_story(struct call *c, struct story *s)
{
	struct flow f = console_flow(c);
	struct error err = { 0 };

	flow_order(&f, &c->flow_call, s->cid, s->order, &s->now);
	if (s->now.result != FR_OK) {
		call_explain(c, s->now.detail);
		call_problem(c, problem_of_result(s->now.result));
		return false;
	}
	if (!store_ledger_chain(f.store, s->cid, s->order, &s->chain, c->flow_call.deadline_boot_ms,
		&err) ||
	    !operate_messages_of(&f, &c->flow_call, &s->chain, &s->messages, &s->n_messages,
		&err) ||
	    !read_payment(c, s, &err) || !read_hold(c, &f, s, &err)) {
		console_failed(c, &err);
		return false;
	}
	if (s->now.n > 0 || s->chain.n > 0)
		return true;
	call_problem(c, PROBLEM_NOT_KNOWN);
	return false;
}

static void
clear_story(struct story *s)
{
	ledger_chain_clear(&s->chain);
	flow_order_clear(&s->now);
	operate_messages_clear(&s->messages, s->n_messages);
	free(s->life);
}

static void
add_attempts(struct buf *b, const struct story *s, bool korean)
{
	json_add_member(b, "attempts");
	buf_add_char(b, '[');
	for (size_t i = 0; i < s->now.n; i++) {
		const struct flow_order_attempt *t = &s->now.attempts[i];
		bool paid = s->has_payment && strcmp(s->payment.tid, t->tid) == 0;

		buf_add_str(b, i > 0 ? "," : "");
		operate_json_explained(b, t, paid ? s->payment.amount.total : -1, korean);
	}
	buf_add_char(b, ']');
}

static void
add_events(struct buf *b, const struct story *s, bool korean)
{
	json_add_member(b, "events");
	buf_add_char(b, '[');
	for (size_t i = 0; i < s->chain.n; i++) {
		buf_add_str(b, i > 0 ? "," : "");
		operate_json_event(b, &s->chain.ev[i], korean);
	}
	buf_add_char(b, ']');
	json_add_member(b, "deliveries");
	buf_add_char(b, '[');
	for (size_t i = 0; i < s->n_messages; i++) {
		buf_add_str(b, i > 0 ? "," : "");
		operate_json_message_shown(b, &s->messages[i]);
	}
	buf_add_char(b, ']');
}

static void
write_story(struct call *c, const struct story *s)
{
	bool korean = console_is_korean(c);
	struct buf *b = &c->reply->body;

	reply_begin(c->reply, 200);
	json_add_str_member(b, "cid", s->cid);
	json_add_str_member(b, "partner_order_id", s->order);
	if (s->tid[0] != '\0')
		json_add_str_member(b, "tid", s->tid);
	json_add_str_member(b, "state", s->now.state);
	flow_charged_add(b, s->now.charged);
	json_add_int_member(b, "refunded", s->now.refunded);
	json_add_str_member(b, "next", flow_next_name(s->now.next));
	if (s->has_payment) {
		json_add_member(b, "payment");
		payment_life_format(&s->payment, s->life, b);
	}
	add_attempts(b, s, korean);
	add_events(b, s, korean);
	if (s->has_hold) {
		json_add_member(b, "hold");
		operate_json_hold(b, &s->hold.hold, c->e->conf);
	}
	buf_add_char(b, '}');
}

static void
tell_story(struct call *c, const char *cid, const char *order, const char *tid)
{
	static struct story s;

	memset(&s, 0, sizeof(s));
	s.cid = cid;
	s.order = order;
	s.tid = tid;
	if (read_story(c, &s))
		write_story(c, &s);
	clear_story(&s);
}

void
handle_console_payment(struct call *c)
{
	char cid[CID_CAP], order[ORDER_CAP];
	struct flow f = console_flow(c);
	struct error err = { 0 };

	if (strlen(c->param) >= TID_CAP)
		call_problem(c, PROBLEM_NOT_KNOWN);
	else if (!operate_find_order(&f, &c->flow_call, c->param, cid, order, &err))
		console_failed(c, &err);
	else if (console_is_of(c, cid))
		tell_story(c, cid, order, c->param);
}

void
handle_console_order(struct call *c)
{
	struct field_errors errors = { 0 };
	struct request_order rq;

	if (call_take(c, request_read_order(c->in->query, &rq, &errors), &errors, NULL) &&
	    call_may_use(c, rq.cid))
		tell_story(c, rq.cid, rq.order, "");
	field_errors_clear(&errors);
}

/* -- a message */

/* Of a test anybody may hear. */
static bool
may_see_message(struct call *c, struct flow *f, const struct operate_message *m, bool *may,
    struct error *err)
{
	char cid[CID_CAP], order[ORDER_CAP], tid[TID_CAP];

	*may = console_sees_all(c) || !operate_message_tid(m->id, tid);
	if (*may)
		return true;
	if (!operate_find_order(f, &c->flow_call, tid, cid, order, err))
		return false;
	*may = caller_has_cid(c->caller, cid);
	return true;
}

void
handle_console_delivery(struct call *c)
{
	static struct operate_message m;
	struct flow f = console_flow(c);
	struct error err = { 0 };
	bool may = false;

	if (!operate_message_get(&f, &c->flow_call, c->param, &m, &err) ||
	    !may_see_message(c, &f, &m, &may, &err)) {
		console_failed(c, &err);
	} else if (!may) {
		call_problem(c, PROBLEM_NOT_KNOWN);
	} else {
		begin_value(c);
		operate_json_message_shown(&c->reply->body, &m);
	}
	operate_message_clear(&m);
}
