#include "config.h"

#include "fcgi/handlers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fcgi/call.h"
#include "fcgi/caller.h"
#include "fcgi/csv.h"
#include "flow/answer.h"

enum { LIST_LIMIT_MS = 3000 };

/* The log gets the reason of a flow's answer, and the gate learns from its result. */
static void
note_answer(struct call *c, const struct flow_answer *a)
{
	call_explain(c, a->detail);
	gate_note(&c->e->gate, &c->e->flow, a->result);
}

void
handle_ready(struct call *c)
{
	struct field_errors errors = { 0 };
	struct flow_ready_request *rq = &c->e->ready.rq;
	struct flow_answer *a = &c->e->answer;
	struct error err = { 0 };
	enum request_verdict v;

	v = request_read_ready(c->e->conf, c->in->body, c->in->body_len, &c->e->ready, &errors,
	    &err);
	if (call_take(c, v, &errors, &err) && call_may_use(c, rq->attempt.cid)) {
		flow_ready(call_flow(c), &c->flow_call, rq, a);
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
	enum request_verdict v;

	v = request_read_approve(c->in->body, c->in->body_len, &rq, &errors, &err);
	if (call_take(c, v, &errors, &err)) {
		flow_approve(call_flow(c), &c->flow_call, rq.user_id, rq.room_id, rq.pg_token, cids,
		    n_cids, a);
		reply_approve(c->reply, &c->to, a);
		note_answer(c, a);
	}
	secret_wipe(&rq, sizeof(rq));
	field_errors_clear(&errors);
}

/* A caller with both roles acts as the reservation service, which may remove paid holds. */
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
	enum request_verdict v;

	v = request_read_remove(c->in->body, c->in->body_len, &rq, &errors, &err);
	if (call_take(c, v, &errors, &err)) {
		flow_remove(call_flow(c), &c->flow_call, by_reservation, rq.user_id, rq.room_id,
		    rq.tid[0] != '\0' ? rq.tid : NULL, cids, n_cids, a);
		reply_remove(c->reply, &c->to, a);
		note_answer(c, a);
	}
	field_errors_clear(&errors);
}

/* Only the payment tells whether a partial refund must name its tax-free part. */
static void
refuse_tax_free(struct call *c)
{
	struct field_errors errors = { 0 };

	field_errors_add(&errors, "", "cancel_tax_free_amount", FIELD_REQUIRED);
	(void)call_take(c, REQUEST_WRONG_FIELDS, &errors, NULL);
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
	enum request_verdict v;

	v = request_read_refund(c->in->body, c->in->body_len, &rq, &errors, &err);
	if (call_take(c, v, &errors, &err)) {
		flow_refund(call_flow(c), &c->flow_call, &rq, cids, n_cids, a);
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

	if (call_take(c, request_read_order(c->in->query, &rq, &errors), &errors, NULL) &&
	    call_may_use(c, rq.cid)) {
		flow_order(call_flow(c), &c->flow_call, rq.cid, rq.order, a);
		reply_order(c->reply, &c->to, &rq, a);
		call_explain(c, a->detail);
		gate_note(&c->e->gate, &c->e->flow, a->result);
		flow_order_clear(a);
	}
	field_errors_clear(&errors);
}

/* A gateway must name a user or an order. An operator and a viewer may ask for all payments of
 * their cids. */
static bool
read_history(struct call *c, bool pages, struct request_history *rq,
    const char *cids[CONF_CIDS_MAX])
{
	bool needs_owner = !(c->caller->roles & (ROLE_OPERATOR | ROLE_VIEWER));
	struct field_errors errors = { 0 };
	enum request_verdict v;
	bool ok;

	v = request_read_history(c->in->query, needs_owner, pages, rq, &errors);
	ok = call_take(c, v, &errors, NULL) && (rq->cid[0] == '\0' || call_may_use(c, rq->cid));
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
answer_payments(struct call *c, const char *path, const struct payment *list,
    const struct payment_life *lives, size_t n, const char *next)
{
	if (call_wants_csv(c))
		csv_payments(c->reply, &c->to, &(struct csv_page){ path, c->in->query, next }, list,
		    lives, n);
	else
		reply_payments(c->reply, list, lives, n, next);
}

void
handle_payments(struct call *c)
{
	const char *cids[CONF_CIDS_MAX];
	int64_t deadline = c->flow_call.deadline_boot_ms;
	struct payment_life *lives = NULL;
	struct payment *list = NULL;
	struct buf next = BUF_INIT;
	struct request_history rq;
	struct error err = { 0 };
	bool more;
	size_t n;

	if (!read_history(c, true, &rq, cids))
		return;
	if (!store_history(c->e->flow.store, &rq.h, &list, &n, &more, deadline, &err) ||
	    !payment_lives(c->e->flow.store, list, n, &lives, deadline, &err)) {
		call_failed_read(c, &err);
	} else {
		if (more && n > 0)
			request_cursor(list[n - 1].approved_at_ms, list[n - 1].tid, &next);
		answer_payments(c, "/payments", list, lives, n, next.data);
	}
	buf_clear(&next);
	free(lives);
	free(list);
}

void
answer_refunds(struct call *c, const char *path, const struct store_history *h)
{
	struct ledger_event *list = NULL;
	struct buf next = BUF_INIT;
	struct error err = { 0 };
	bool more;
	size_t n;

	if (!store_refunds(c->e->flow.store, h, &list, &n, &more, c->flow_call.deadline_boot_ms,
		&err)) {
		call_failed_read(c, &err);
		return;
	}
	if (more && n > 0)
		request_cursor(list[n - 1].at_ms, list[n - 1].tid, &next);
	if (call_wants_csv(c))
		csv_refunds(c->reply, &c->to, &(struct csv_page){ path, c->in->query, next.data },
		    list, n);
	else
		reply_refunds(c->reply, list, n, next.data);
	buf_clear(&next);
	for (size_t i = 0; i < n; i++)
		ledger_event_clear(&list[i]);
	free(list);
}

void
handle_refunds(struct call *c)
{
	const char *cids[CONF_CIDS_MAX];
	struct request_history rq;

	if (read_history(c, true, &rq, cids))
		answer_refunds(c, "/refunds", &rq.h);
}

static bool
is_of(const struct payment *p, const struct request_history *rq)
{
	return flow_cid_is_one_of(p->cid, rq->h.cids, rq->h.n_cids) &&
	    (rq->h.user_id[0] == '\0' || strcmp(rq->h.user_id, p->user_id) == 0) &&
	    (rq->h.partner_order_id[0] == '\0' ||
		strcmp(rq->h.partner_order_id, p->partner_order_id) == 0);
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
	if (!store_payment_get(c->e->flow.store, c->param, &p, &found,
		c->flow_call.deadline_boot_ms, &err)) {
		call_failed_read(c, &err);
	} else if (!found || !is_of(&p, &rq)) {
		call_problem(c, PROBLEM_NO_PAYMENT);
	} else {
		flow_order(call_flow(c), &c->flow_call, p.cid, p.partner_order_id, a);
		if (!reply_payment(c->reply, &c->to, &p, a)) {
			call_explain(c, "the payment is not in its order's ledger");
			call_problem(c, PROBLEM_STORE_UNAVAILABLE);
		} else {
			call_explain(c, a->detail);
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
	struct flow *f = call_flow(c);
	struct buf list = BUF_INIT;
	struct error err = { 0 };

	if (f->gate != FR_OK) {
		call_explain(c, c->e->gate.why);
		call_problem(c, problem_of_result(f->gate));
	} else if (!queue_list(f->queue, room, &list, deadline, &err)) {
		call_explain(c, err.msg);
		call_problem(c,
		    err.code == ERR_CONFLICT ? PROBLEM_NOT_READY : PROBLEM_QUEUE_UNAVAILABLE);
	} else if (!reply_held(c->reply, &c->to, buf_str(&list), list.len)) {
		call_explain(c, "the queue's list makes no sense");
		call_problem(c, PROBLEM_INTERNAL_ERROR);
	}
	buf_clear(&list);
}

void
handle_queue(struct call *c)
{
	struct field_errors errors = { 0 };
	char room[ROOM_CAP];

	if (call_take(c, request_read_room(c->in->query, room, &errors), &errors, NULL))
		list_room(c, room);
	field_errors_clear(&errors);
}
