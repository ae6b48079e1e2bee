/* The console's actions. Each says in the ledger who did it and why, and may be repeated. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"
#include "fcgi/caller.h"
#include "fcgi/console.h"
#include "fcgi/console_answer.h"
#include "fcgi/console_request.h"
#include "flow/answer.h"
#include "json/write.h"
#include "operate/adopt.h"
#include "operate/find.h"
#include "operate/json.h"
#include "operate/release.h"

enum { TEST_WAIT_MS = 5000 };

static bool
read_act(struct call *c, enum console_action what, struct console_act *act)
{
	struct field_errors errors = { 0 };
	struct error err = { 0 };
	bool ok =
	    call_take(c, console_read_act(what, c->in->body, c->in->body_len, act, &errors, &err),
		&errors, &err);

	field_errors_clear(&errors);
	return ok;
}

/* No money and no hold is moved unless queue and database are known to belong together. */
static bool
site_is_open(struct call *c)
{
	struct flow *f = call_flow(c);

	if (f->gate == FR_OK)
		return true;
	call_explain(c, c->e->gate.why);
	call_problem(c, problem_of_result(f->gate));
	return false;
}

static void
refuse(struct call *c, const char *sentence)
{
	call_explain(c, sentence);
	reply_refused(c->reply, &c->to, PROBLEM_NOT_IN_THIS_STATE, sentence, NULL);
}

static struct buf *
begin_answer(struct call *c, int status)
{
	c->reply->status = status;
	reply_add_header(c->reply, "Content-Type", "application/json");
	return &c->reply->body;
}

/* The order of this tid, if it is one of the caller's. */
static bool
find_order(struct call *c, const char *tid, char cid[CID_CAP], char order[ORDER_CAP])
{
	struct error err = { 0 };

	if (operate_find_order(&c->e->flow, &c->flow_call, tid, cid, order, &err))
		return console_is_of(c, cid);
	console_failed(c, &err);
	return false;
}

/* -- settle */

void
handle_console_settle(struct call *c)
{
	char cid[CID_CAP], order[ORDER_CAP];
	static struct operate_settled out;
	struct console_act act;
	struct error err = { 0 };

	if (!read_act(c, CONSOLE_SETTLE, &act) || !site_is_open(c) ||
	    !find_order(c, act.tid, cid, order))
		return;
	if (operate_settle(&c->e->flow, &c->flow_call, cid, order, act.tid, act.end, act.reason,
		act.dry_run, &out, &err))
		operate_json_settled(begin_answer(c, 200), cid, order, act.tid, &out, act.dry_run);
	else if (err.code == ERR_CONFLICT && out.no != SETTLE_NO_NOTHING)
		refuse(c, operate_settle_no_text(out.no, console_is_korean(c)));
	else
		console_failed(c, &err);
}

/* -- refund */

static bool
make_refund(struct call *c, const struct console_act *act, struct flow_refund_request *rq)
{
	char hex[2 * 8 + 1];

	*rq = (struct flow_refund_request){ .asked = { act->amount, act->tax_free } };
	text_copy(rq->tid, sizeof(rq->tid), act->tid);
	text_copy(rq->reason, sizeof(rq->reason), act->reason);
	text_copy(rq->refund_id, sizeof(rq->refund_id), act->refund_id);
	if (rq->refund_id[0] != '\0')
		return true;
	if (!random_hex(hex, 8, NULL)) {
		call_problem(c, PROBLEM_INTERNAL_ERROR);
		return false;
	}
	snprintf(rq->refund_id, sizeof(rq->refund_id), "console-%s", hex);
	return true;
}

/* Only the payment tells whether a part of it must name its tax-free part. */
static void
refuse_refund(struct call *c, const struct flow_answer *a)
{
	struct field_errors errors = { 0 };

	if (a->result != FR_TAX_FREE_REQUIRED) {
		reply_problem(c->reply, &c->to, problem_of_result(a->result), a, NULL);
		return;
	}
	field_errors_add(&errors, "", "cancel_tax_free_amount", FIELD_REQUIRED);
	(void)call_take(c, REQUEST_WRONG_FIELDS, &errors, NULL);
	field_errors_clear(&errors);
}

static void
refuse_twin(struct call *c, const struct operate_refund_plan *p)
{
	struct buf more = BUF_INIT;

	buf_add_str(&more, "\"twin\":");
	operate_json_refund_past(&more, &p->twin);
	reply_refused(c->reply, &c->to, PROBLEM_REFUND_REPEATED, NULL, buf_str(&more));
	c->reply->body.bad = c->reply->body.bad || more.bad;
	buf_clear(&more);
}

static void
tell_plan(struct call *c, const struct flow_refund_request *rq, const struct operate_refund_plan *p)
{
	struct flow_answer *a = &c->e->answer;

	flow_answer_begin(a);
	flow_answer_set(a, operate_refund_refusal(p), FC_TRUE, 0);
	if (a->result != FR_OK)
		refuse_refund(c, a);
	else
		operate_json_refund_plan(begin_answer(c, 200), rq, p);
}

static void
carry_out(struct call *c, const struct flow_refund_request *rq)
{
	const char *cids[CONF_CIDS_MAX];
	size_t n_cids = caller_cids(c->caller, cids);
	struct flow_answer *a = &c->e->answer;

	flow_refund(&c->e->flow, &c->flow_call, rq, cids, n_cids, a);
	call_explain(c, a->detail);
	gate_note(&c->e->gate, &c->e->flow, a->result);
	if (a->result != FR_OK && a->result != FR_REFUND_UNKNOWN) {
		refuse_refund(c, a);
		return;
	}
	operate_json_refund(begin_answer(c, a->result == FR_OK ? 200 : 202), rq, a);
	if (a->result == FR_REFUND_UNKNOWN)
		reply_add_header(c->reply, "Retry-After", "2");
	if (a->replayed)
		reply_add_header(c->reply, "Idempotent-Replayed", "true");
}

void
handle_console_refund(struct call *c)
{
	static struct operate_refund_plan plan;
	struct flow_refund_request rq;
	struct console_act act;
	struct error err = { 0 };

	if (!read_act(c, CONSOLE_REFUND, &act) || !site_is_open(c) || !make_refund(c, &act, &rq))
		return;
	if (!operate_plan_refund(&c->e->flow, &c->flow_call, &rq, &plan, &err)) {
		if (err.code == ERR_NOT_FOUND)
			call_problem(c, PROBLEM_NO_PAYMENT);
		else
			console_failed(c, &err);
	} else if (!caller_has_cid(c->caller, plan.payment.cid)) {
		call_problem(c, PROBLEM_NO_PAYMENT);
	} else if (act.dry_run) {
		tell_plan(c, &rq, &plan);
	} else if (plan.is_twin && !act.again) {
		refuse_twin(c, &plan);
	} else {
		carry_out(c, &rq);
	}
}

/* -- release */

static void
release(struct call *c, const struct console_act *act, const struct queue_hold *h)
{
	const char *cids[CONF_CIDS_MAX];
	size_t n_cids = caller_cids(c->caller, cids);
	struct operate_released out;
	struct error err = { 0 };
	enum operate_release how;

	if (!operate_release(&c->e->flow, &c->flow_call, h, cids, n_cids, act->reason, act->dry_run,
		&how, &out, &err))
		console_failed(c, &err);
	else if (how != RELEASE_DONE)
		refuse(c, operate_release_text(how, console_is_korean(c)));
	else
		operate_json_released(begin_answer(c, 200), h, act->dry_run);
}

void
handle_console_release(struct call *c)
{
	static struct queue_answer qa;
	struct console_act act;
	struct error err = { 0 };

	if (!read_act(c, CONSOLE_RELEASE, &act) || !site_is_open(c))
		return;
	if (!queue_find_tid(c->e->flow.queue, act.tid, c->flow_call.deadline_boot_ms, &qa, &err)) {
		console_queue_failed(c, &err);
	} else if (qa.code != HA_OK) {
		call_problem(c, PROBLEM_NOT_KNOWN);
	} else if (console_is_of(c, qa.hold.cid)) {
		release(c, &act, &qa.hold);
	}
}

/* -- messages */

/* Of another merchant's payment nobody hears that there is a message. */
static enum operate_resend_no
may_retry(struct call *c, const struct console_act *act, struct error *err)
{
	char cid[CID_CAP], order[ORDER_CAP], tid[TID_CAP];
	static struct operate_message m;
	enum operate_resend_no no;

	if (!operate_message_get(&c->e->flow, &c->flow_call, act->id, &m, err)) {
		operate_message_clear(&m);
		return RESEND_NO_SUCH;
	}
	no = operate_may_resend(m.owed, m.n > 0 ? &m.tries[m.n - 1] : NULL, act->again);
	operate_message_clear(&m);
	if (!operate_message_tid(act->id, tid) ||
	    !operate_find_order(&c->e->flow, &c->flow_call, tid, cid, order, err) ||
	    !caller_has_cid(c->caller, cid))
		no = RESEND_NO_SUCH;
	return no;
}

void
handle_console_retry(struct call *c)
{
	struct operate_resend how = { 0 };
	enum operate_resend_no no;
	struct console_act act;
	struct error err = { 0 };

	if (!read_act(c, CONSOLE_RETRY, &act))
		return;
	no = may_retry(c, &act, &err);
	how.reason = act.reason;
	how.taken_too = act.again;
	how.dry_run = act.dry_run;
	if (no == RESEND_NO_SUCH && (err.code == ERR_NONE || err.code == ERR_NOT_FOUND))
		call_problem(c, PROBLEM_NOT_KNOWN);
	else if (no == RESEND_NO_SUCH)
		console_failed(c, &err);
	else if (no != RESEND_OK)
		refuse(c, operate_resend_no_text(no, console_is_korean(c)));
	else if (operate_resend(&c->e->flow, &c->flow_call, act.id, &how, &err))
		operate_json_retried(begin_answer(c, 200), act.id, act.dry_run);
	else if (err.code == ERR_CONFLICT)
		refuse(c, operate_resend_no_text(RESEND_NOT_TOLD, console_is_korean(c)));
	else
		console_failed(c, &err);
}

struct failures {
	struct buf json;
	size_t n;
};

static void
note_failure(void *ctx, const char *id, const struct error *err)
{
	struct failures *f = ctx;

	if (err == NULL)
		return;
	buf_add_str(&f->json, f->n++ > 0 ? ",{" : "{");
	json_add_str_member(&f->json, "id", id);
	json_add_str_member(&f->json, "error", err->msg);
	buf_add_char(&f->json, '}');
}

static void
tell_report(struct call *c, const struct console_act *act,
    const struct operate_resend_report *report, const struct failures *failures)
{
	struct buf next = BUF_INIT;
	struct buf *b = &c->reply->body;

	reply_begin(c->reply, 200);
	json_add_int_member(b, "found", report->found);
	json_add_int_member(b, "retried", report->resent);
	json_add_int_member(b, "failed", report->failed);
	json_add_bool_member(b, "more", report->more);
	json_add_bool_member(b, "dryRun", act->dry_run);
	json_add_member(b, "failures");
	buf_add_char(b, '[');
	buf_add(b, buf_str(&failures->json), failures->json.len);
	buf_add_char(b, ']');
	if (report->more)
		console_owed_cursor(act->mark.at_ms, act->mark.passed, &next);
	b->bad = b->bad || next.bad || failures->json.bad;
	reply_end_page(c->reply, next.data);
	buf_clear(&next);
}

static void
retry_all(struct call *c, struct console_act *act)
{
	struct operate_resend_report report = { 0 };
	struct failures failures = { .n = 0 };
	const char *cids[CONF_CIDS_MAX];
	struct operate_resend how = { .reason = act->reason,
		.dry_run = act->dry_run,
		.since_ms = act->since_ms,
		.peer = act->peer[0] != '\0' ? act->peer : NULL,
		.n_cids = caller_cids(c->caller, cids),
		.cids = console_sees_all(c) ? NULL : cids,
		.tell = note_failure,
		.ctx = &failures };
	struct error err = { 0 };
	bool ended;

	if (operate_resend_step(&c->e->flow, &c->flow_call, &how,
		clock_boot_ms() + CONSOLE_PIECE_MS, &act->mark, &report, &ended, &err))
		tell_report(c, act, &report, &failures);
	else
		console_failed(c, &err);
	buf_clear(&failures.json);
}

void
handle_console_retry_all(struct call *c)
{
	struct console_act act;

	if (read_act(c, CONSOLE_RETRY_ALL, &act))
		retry_all(c, &act);
}

void
handle_console_test(struct call *c)
{
	static struct operate_test test;
	struct console_act act;
	struct error err = { 0 };

	if (!read_act(c, CONSOLE_TEST, &act))
		return;
	if (operate_test_peer(&c->e->flow, act.peer, TEST_WAIT_MS, &test, &err))
		operate_json_test(begin_answer(c, 200), act.peer, &test);
	else if (err.code == ERR_CONFLICT)
		refuse(c, err.msg);
	else
		console_failed(c, &err);
}

/* -- the queue */

void
handle_console_adopt(struct call *c)
{
	static struct operate_status s;
	enum operate_adopt how;
	struct console_act act;
	struct error err = { 0 };

	if (!read_act(c, CONSOLE_ADOPT, &act))
		return;
	console_look(c, &s);
	if (!operate_adopt(&c->e->flow, &c->flow_call, act.reason, act.dry_run, &s, &how, &err)) {
		if (err.code == ERR_CONFLICT)
			refuse(c, err.msg);
		else
			console_failed(c, &err);
	} else if (how == ADOPT_NOT_NEW) {
		refuse(c, operate_adopt_text(how, console_is_korean(c)));
	} else {
		operate_json_adopted(begin_answer(c, 200), &s, how == ADOPT_DONE, act.dry_run,
		    operate_adopt_text(how, console_is_korean(c)));
	}
}
