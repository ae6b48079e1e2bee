/* The console's lists. Each answer is a piece that is made in a few seconds, and says where the
 * next one begins. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fcgi/caller.h"
#include "fcgi/console.h"
#include "fcgi/console_answer.h"
#include "fcgi/console_request.h"
#include "fcgi/csv.h"
#include "fcgi/handlers.h"
#include "flow/answer.h"
#include "json/write.h"
#include "operate/json.h"
#include "operate/waiting.h"

static int64_t
piece_end(void)
{
	return clock_boot_ms() + CONSOLE_PIECE_MS;
}

static void
begin_list(struct call *c, const char *name)
{
	reply_begin(c->reply, 200);
	json_add_member(&c->reply->body, name);
	buf_add_char(&c->reply->body, '[');
}

static void
end_list(struct call *c, const struct buf *next)
{
	buf_add_char(&c->reply->body, ']');
	reply_end_page(c->reply, next->len > 0 ? next->data : NULL);
	c->reply->body.bad = c->reply->body.bad || next->bad;
}

static void
add_comma(struct buf *b, size_t i)
{
	if (i > 0)
		buf_add_char(b, ',');
}

/* -- payments */

struct page { /* of payments that were looked at, and are wanted */
	struct payment *list;
	struct payment_life *lives;
	size_t n;
	struct store_mark next; /* tid "": there is no further page */
};

static bool
is_wanted(const struct console_list *rq, const struct payment_life *life)
{
	return rq->state[0] == '\0' || strcmp(attempt_state_name(life->state), rq->state) == 0;
}

static bool
keep(struct page *p, const struct payment *pay, const struct payment_life *life, struct error *err)
{
	struct payment *list = reallocarray(p->list, p->n + 1, sizeof(*list));
	struct payment_life *lives;

	if (list != NULL)
		p->list = list;
	lives = reallocarray(p->lives, p->n + 1, sizeof(*lives));
	if (lives != NULL)
		p->lives = lives;
	if (list == NULL || lives == NULL)
		return error_set(err, ERR_INTERNAL, "out of memory");
	p->list[p->n] = *pay;
	p->lives[p->n++] = *life;
	return true;
}

/* Of a page of the store's those that are wanted. Without a state that is all of it. */
static bool
take_page(struct call *c, struct console_list *rq, struct page *p, bool *more, struct error *err)
{
	int64_t deadline = c->flow_call.deadline_boot_ms;
	struct payment_life *lives = NULL;
	struct payment *list = NULL;
	size_t n = 0, i = 0;
	bool ok;

	ok = store_history(c->e->flow.store, &rq->h, &list, &n, more, deadline, err) &&
	    payment_lives(c->e->flow.store, list, n, &lives, deadline, err);
	for (; ok && i < n && p->n < rq->h.limit; i++) {
		ok = !is_wanted(rq, &lives[i]) || keep(p, &list[i], &lives[i], err);
		rq->h.after.approved_at_ms = list[i].approved_at_ms;
		memcpy(rq->h.after.tid, list[i].tid, sizeof(list[i].tid));
	}
	*more = *more || i < n;
	free(lives);
	free(list);
	return ok;
}

static bool
list_payments(struct call *c, struct console_list *rq, struct page *p, struct error *err)
{
	int64_t until = piece_end();
	bool more = true;

	while (more && p->n < rq->h.limit && clock_boot_ms() < until)
		if (!take_page(c, rq, p, &more, err))
			return false;
	if (more)
		p->next = rq->h.after;
	return true;
}

/* The one with this tid, if it is one of the caller's. */
static bool
find_payment(struct call *c, const struct console_list *rq, struct page *p, struct error *err)
{
	int64_t deadline = c->flow_call.deadline_boot_ms;
	struct payment_life *life = NULL;
	struct payment pay;
	bool found, ok;

	if (!store_payment_get(c->e->flow.store, rq->tid, &pay, &found, deadline, err))
		return false;
	if (!found || !flow_cid_is_one_of(pay.cid, rq->h.cids, rq->h.n_cids))
		return true;
	ok = payment_lives(c->e->flow.store, &pay, 1, &life, deadline, err) &&
	    (!is_wanted(rq, life) || keep(p, &pay, life, err));
	free(life);
	return ok;
}

static void
answer_page(struct call *c, struct console_list *rq)
{
	struct page p = { .n = 0 };
	struct buf next = BUF_INIT;
	struct error err = { 0 };

	if (rq->tid[0] != '\0' ? !find_payment(c, rq, &p, &err) : !list_payments(c, rq, &p, &err)) {
		call_failed_read(c, &err);
	} else {
		if (p.next.tid[0] != '\0')
			request_cursor(p.next.approved_at_ms, p.next.tid, &next);
		answer_payments(c, "/console/api/payments", p.list, p.lives, p.n, next.data);
	}
	buf_clear(&next);
	free(p.lives);
	free(p.list);
}

static void
answer_list(struct call *c, bool payments)
{
	struct field_errors errors = { 0 };
	const char *cids[CONF_CIDS_MAX];
	struct console_list rq;

	if (call_take(c, console_read_list(c->in->query, payments, &rq, &errors), &errors, NULL) &&
	    console_cids(c, rq.cid, cids, &rq.h.n_cids)) {
		rq.h.cids = cids;
		if (payments)
			answer_page(c, &rq);
		else
			answer_refunds(c, "/console/api/refunds", &rq.h);
	}
	field_errors_clear(&errors);
}

void
handle_console_payments(struct call *c)
{
	answer_list(c, true);
}

void
handle_console_refunds(struct call *c)
{
	answer_list(c, false);
}

/* -- holds */

static bool
is_hold_wanted(const struct console_holds *rq, const struct queue_hold *h, const char *const *cids,
    size_t n_cids)
{
	return flow_cid_is_one_of(h->cid, cids, n_cids) &&
	    (rq->room[0] == '\0' || strcmp(rq->room, h->room) == 0) &&
	    (rq->user[0] == '\0' || strcmp(rq->user, h->user) == 0);
}

static void
list_holds(struct call *c, struct console_holds *rq, const char *const *cids, size_t n_cids)
{
	static struct queue_answer qa;
	int64_t until = piece_end();
	struct buf next = BUF_INIT;
	struct error err = { 0 };
	size_t n = 0;
	bool ok = true, end = false;

	begin_list(c, "holds");
	while (ok && !end && n < rq->limit && clock_boot_ms() < until) {
		ok = queue_next(c->e->flow.queue, rq->after, c->flow_call.deadline_boot_ms, &qa,
		    &err);
		end = ok && qa.code != HA_OK;
		if (!ok || end)
			break;
		rq->after = qa.hold.id;
		if (is_hold_wanted(rq, &qa.hold, cids, n_cids)) {
			add_comma(&c->reply->body, n++);
			operate_json_hold(&c->reply->body, &qa.hold, c->e->conf);
		}
	}
	if (!ok) {
		reply_reset_body(c->reply);
		console_queue_failed(c, &err);
		return;
	}
	if (!end)
		console_holds_cursor(rq->after, &next);
	end_list(c, &next);
	buf_clear(&next);
}

void
handle_console_holds(struct call *c)
{
	struct field_errors errors = { 0 };
	const char *cids[CONF_CIDS_MAX];
	struct console_holds rq;
	size_t n;

	if (call_take(c, console_read_holds(c->in->query, &rq, &errors), &errors, NULL) &&
	    console_cids(c, rq.cid, cids, &n))
		list_holds(c, &rq, cids, n);
	field_errors_clear(&errors);
}

/* -- messages */

static void
free_messages(struct store_message *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		store_message_clear(&list[i]);
	free(list);
}

static void
add_messages(struct buf *b, const struct store_message *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		add_comma(b, i);
		operate_json_message(b, &list[i]);
	}
}

static void
list_owed(struct call *c, struct operate_owed *o)
{
	struct flow f = console_flow(c);
	struct store_message *list = NULL;
	struct buf next = BUF_INIT;
	struct error err = { 0 };
	size_t n = 0;
	bool more;

	if (!operate_list_owed(&f, &c->flow_call, o, &list, &n, &more, &err)) {
		console_failed(c, &err);
	} else {
		begin_list(c, "messages");
		add_messages(&c->reply->body, list, n);
		if (more)
			console_owed_cursor(o->at_ms, o->passed, &next);
		end_list(c, &next);
	}
	buf_clear(&next);
	free_messages(list, n);
}

/* Whose messages: NULL where the caller sees all. */
static void
of_caller(const struct call *c, const char *cids[CONF_CIDS_MAX], struct operate_owed *o)
{
	o->n_cids = caller_cids(c->caller, cids);
	o->cids = console_sees_all(c) ? NULL : cids;
	o->until_boot_ms = piece_end();
}

void
handle_console_deliveries(struct call *c)
{
	struct field_errors errors = { 0 };
	const char *cids[CONF_CIDS_MAX];
	struct console_owed rq;

	if (call_take(c, console_read_owed(c->in->query, &rq, &errors), &errors, NULL)) {
		rq.o.peer = rq.peer[0] != '\0' ? rq.peer : NULL;
		rq.o.state = rq.state[0] != '\0' ? rq.state : NULL;
		of_caller(c, cids, &rq.o);
		list_owed(c, &rq.o);
	}
	field_errors_clear(&errors);
}

/* -- what waits */

enum { WAITING_MAX = 100 };

static bool
add_waiting(struct call *c, struct flow *f, bool *more, struct error *err)
{
	const char *cids[CONF_CIDS_MAX];
	size_t n = 0, n_cids = caller_cids(c->caller, cids);
	struct operate_waiting *list = NULL;
	struct buf *b = &c->reply->body;

	if (!operate_list_waiting(f, &c->flow_call, cids, n_cids, WAITING_MAX, piece_end(), &list,
		&n, more, err))
		return false;
	for (size_t i = 0; i < n; i++) {
		add_comma(b, i);
		operate_json_waiting(b, &list[i], console_is_korean(c));
	}
	free(list);
	return true;
}

static bool
add_failing(struct call *c, struct flow *f, bool *more, struct error *err)
{
	struct operate_owed o = { .state = "failing", .limit = WAITING_MAX };
	const char *cids[CONF_CIDS_MAX];
	struct store_message *list = NULL;
	size_t n = 0;
	bool ok;

	of_caller(c, cids, &o);
	ok = operate_list_owed(f, &c->flow_call, &o, &list, &n, more, err);
	if (ok)
		add_messages(&c->reply->body, list, n);
	free_messages(list, n);
	return ok;
}

void
handle_console_waiting(struct call *c)
{
	bool more = false, more_messages = false, ok;
	struct flow f = console_flow(c);
	struct buf *b = &c->reply->body;
	struct error err = { 0 };

	begin_list(c, "payments");
	ok = add_waiting(c, &f, &more, &err);
	buf_add_str(b, "],\"messages\":[");
	ok = ok && add_failing(c, &f, &more_messages, &err);
	if (!ok) {
		reply_reset_body(c->reply);
		console_failed(c, &err);
		return;
	}
	buf_add_char(b, ']');
	json_add_bool_member(b, "more", more || more_messages);
	buf_add_char(b, '}');
}

/* -- days */

static void
settle_day(struct call *c, struct console_day *rq, const char *const *cids, size_t n_cids)
{
	struct operate_takings list[CONF_CIDS_MAX] = { 0 };
	struct operate_settlement s = { cids, n_cids, rq->from_ms, rq->to_ms };
	struct buf *b = &c->reply->body, next = BUF_INIT;
	struct error err = { 0 };

	if (!operate_settlement_step(&c->e->flow, &s, piece_end(), &rq->settlement, list, &err)) {
		call_failed_read(c, &err);
		return;
	}
	if (rq->settlement.cid < n_cids)
		console_settlement_cursor(&rq->settlement, &next);
	if (call_wants_csv(c)) {
		csv_takings(c->reply, &c->to,
		    &(struct csv_page){ "/console/api/settlement", c->in->query, next.data }, list,
		    n_cids);
	} else {
		reply_begin(c->reply, 200);
		json_add_str_member(b, "day", rq->day);
		json_add_member(b, "merchants");
		buf_add_char(b, '[');
		for (size_t i = 0; i < n_cids; i++) {
			add_comma(b, i);
			operate_json_takings(b, &list[i]);
		}
		end_list(c, &next);
	}
	buf_clear(&next);
}

void
handle_console_settlement(struct call *c)
{
	struct field_errors errors = { 0 };
	const char *cids[CONF_CIDS_MAX];
	struct console_day rq;
	size_t n;

	if (call_take(c, console_read_settlement(c->in->query, &rq, &errors), &errors, NULL) &&
	    console_cids(c, rq.cid, cids, &n))
		settle_day(c, &rq, cids, n);
	field_errors_clear(&errors);
}

struct differences {
	struct buf json;
	size_t n;
	bool korean;
};

static void
add_difference(void *ctx, const struct operate_compared *compared, size_t done, size_t all)
{
	struct differences *d = ctx;

	(void)done;
	(void)all;
	if (compared->difference == DIFF_EQUAL)
		return;
	add_comma(&d->json, d->n++);
	operate_json_difference(&d->json, compared, d->korean);
}

static void
add_counts(struct buf *b, const int64_t counts[DIFF__MAX])
{
	json_add_member(b, "counts");
	buf_add_char(b, '{');
	for (int i = 0; i < DIFF__MAX; i++)
		if (i == DIFF_EQUAL || counts[i] > 0)
			json_add_int_member(b, difference_name((enum difference)i), counts[i]);
	buf_add_char(b, '}');
}

static void
reconcile_day(struct call *c, struct console_day *rq, const char *const *cids, size_t n_cids)
{
	struct differences d = { .korean = console_is_korean(c) };
	struct operate_reconcile day = { cids, n_cids, rq->from_ms, rq->to_ms, add_difference, &d };
	struct operate_reconcile_mark *m = &rq->reconcile;
	struct buf *b = &c->reply->body, next = BUF_INIT;
	int64_t counts[DIFF__MAX] = { 0 };
	struct error err = { 0 };

	if (!operate_reconcile_step(&c->e->flow, &day, CONSOLE_PIECE_MS, piece_end(), m, counts,
		&err)) {
		call_failed_read(c, &err);
	} else {
		reply_begin(c->reply, 200);
		json_add_str_member(b, "day", rq->day);
		json_add_int_member(b, "done", (int64_t)m->done);
		json_add_int_member(b, "all", (int64_t)m->all);
		add_counts(b, counts);
		json_add_member(b, "differences");
		buf_add_char(b, '[');
		buf_add(b, buf_str(&d.json), d.json.len);
		b->bad = b->bad || d.json.bad;
		if (m->part != RECONCILE_END)
			console_reconcile_cursor(m, &next);
		end_list(c, &next);
	}
	buf_clear(&next);
	buf_clear(&d.json);
}

void
handle_console_reconcile(struct call *c)
{
	struct field_errors errors = { 0 };
	const char *cids[CONF_CIDS_MAX];
	struct console_day rq;
	size_t n;

	if (call_take(c, console_read_reconcile(c->in->query, &rq, &errors), &errors, NULL) &&
	    console_cids(c, rq.cid, cids, &n))
		reconcile_day(c, &rq, cids, n);
	field_errors_clear(&errors);
}
