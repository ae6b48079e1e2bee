#include "config.h"

#include "operate/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "flow/charged.h"
#include "flow/times.h"
#include "json/write.h"
#include "operate/explain.h"

/* -- the site */

static void
add_holds(struct buf *b, const int64_t holds[HOLD__MAX])
{
	json_add_member(b, "holds");
	buf_add_char(b, '{');
	for (int i = 0; i < HOLD__MAX; i++)
		if (hold_state_is_live((enum hold_state)i))
			json_add_int_member(b, hold_state_name((enum hold_state)i), holds[i]);
	buf_add_char(b, '}');
}

static void
add_counts(struct buf *b, const struct operate_status *s)
{
	static const char *const words[] = { [OPERATE_COURIER_UNKNOWN] = "unknown",
		[OPERATE_COURIER_OK] = "ok",
		[OPERATE_COURIER_AWAY] = "away" };

	json_add_str_member(b, "courier", words[s->courier]);
	json_add_time_member_if(b, "courierLookedAt", s->courier_looked_ms);
	if (s->has_owed) {
		json_add_int_member(b, "messagesOwed", s->owed);
		if (s->owed > 0)
			json_add_time_member(b, "oldestMessageAt", s->owed_since_ms);
		json_add_int_member(b, "openWork", s->open);
		if (s->open > 0)
			json_add_time_member(b, "oldestWorkAt", s->open_since_ms);
	}
	if (s->has_holds)
		add_holds(b, s->holds);
	if (s->members > 0)
		json_add_int_member(b, "members", s->members);
	if (s->has_log) {
		json_add_member(b, "log");
		buf_add_char(b, '{');
		json_add_int_member(b, "number", s->log_number);
		json_add_int_member(b, "behind", s->log_behind);
		json_add_int_member(b, "heardMs", s->log_heard_ms);
		json_add_int_member(b, "clockMs", s->log_clock_ms);
		buf_add_char(b, '}');
	}
}

void
operate_json_status(struct buf *b, const struct operate_status *s, bool korean)
{
	buf_add_char(b, '{');
	json_add_str_member(b, "version", PACKAGE_VERSION);
	json_add_bool_member(b, "ready", s->site == OPERATE_OPEN);
	json_add_str_member(b, "detail", operate_status_text(s, korean));
	json_add_str_member(b, "store", s->store ? "ok" : "unavailable");
	json_add_str_member(b, "queue", s->queue ? "ok" : "unavailable");
	if (s->store && s->claim.number > 0)
		json_add_str_member(b, "siteQueue", s->claim.queue_id);
	if (s->queue) {
		json_add_str_member(b, "runningQueue", s->hello.id);
		json_add_time_member(b, "runningSince", clock_wall_ms() - s->hello.up_ms);
		json_add_str_member_if(b, "fence", s->hello.fence);
	}
	add_counts(b, s);
	buf_add_char(b, '}');
}

void
operate_json_adopted(struct buf *b, const struct operate_status *s, bool adopted, bool dry_run,
    const char *detail)
{
	buf_add_char(b, '{');
	json_add_bool_member(b, "adopted", adopted);
	json_add_bool_member(b, "dryRun", dry_run);
	if (s->claim.number > 0)
		json_add_str_member(b, "siteQueue", s->claim.queue_id);
	json_add_str_member(b, "runningQueue", s->hello.id);
	json_add_str_member(b, "detail", detail);
	buf_add_char(b, '}');
}

/* -- holds */

/* As the API's intervals; nothing where an old queue did not say. */
static void
add_intervals(struct buf *b, const struct queue_hold *h, bool in_minutes)
{
	struct attempt *a = malloc(sizeof(*a));
	struct interval_set set = { .n = 0 };
	struct error ignored;

	if (a == NULL)
		b->bad = true;
	if (a != NULL && attempt_parse(h->attempt, a, &ignored) && a->intervals[0] != '\0' &&
	    interval_set_parse(a->intervals, &set, &ignored)) {
		json_add_member(b, "intervals");
		for (size_t i = 0; i < set.n; i++) {
			buf_add_str(b, i > 0 ? ",{" : "[{");
			times_add_interval(b, set.iv[i], in_minutes);
			buf_add_char(b, '}');
		}
		buf_add_char(b, ']');
	}
	free(a);
}

void
operate_json_hold(struct buf *b, const struct queue_hold *h, const struct conf *conf)
{
	bool may_expire = h->state == HOLD_HELD || h->state == HOLD_READY;
	struct now now = clock_now();

	buf_add_char(b, '{');
	json_add_str_member_if(b, "tid", h->tid);
	json_add_str_member(b, "state", hold_state_name(h->state));
	json_add_str_member(b, "roomId", h->room);
	json_add_str_member(b, "userId", h->user);
	json_add_str_member(b, "partner_order_id", h->order);
	json_add_str_member(b, "cid", h->cid);
	if (may_expire)
		json_add_time_member(b, "expiresAt",
		    now.wall_ms + h->expires_boot_ms - now.boot_ms);
	add_intervals(b, h, conf->time_unit_minute);
	buf_add_char(b, '}');
}

void
operate_json_released(struct buf *b, const struct queue_hold *h, bool dry_run)
{
	buf_add_char(b, '{');
	json_add_str_member(b, "tid", h->tid);
	json_add_bool_member(b, "removed", !dry_run);
	json_add_str_member(b, "state", hold_state_name(h->state));
	json_add_bool_member(b, "dryRun", dry_run);
	buf_add_char(b, '}');
}

/* -- payments */

static void
add_refund(struct buf *b, const struct ledger_refund *r)
{
	json_add_member(b, "refund");
	buf_add_char(b, '{');
	json_add_str_member(b, "id", r->id);
	json_add_int_member(b, "amount", r->amount);
	json_add_int_member(b, "tax_free", r->tax_free);
	json_add_int_member(b, "vat", r->vat);
	json_add_int_member(b, "canceled", r->canceled);
	buf_add_char(b, '}');
}

static void
add_provider(struct buf *b, const struct provider_answer *p)
{
	if (p->http == 0 && p->code == 0 && p->message[0] == '\0' && p->method_code[0] == '\0')
		return;
	json_add_member(b, "provider");
	buf_add_char(b, '{');
	if (p->http != 0)
		json_add_int_member(b, "http", p->http);
	if (p->code != 0)
		json_add_int_member(b, "code", p->code);
	json_add_str_member_if(b, "message", p->message);
	json_add_str_member_if(b, "method_code", p->method_code);
	buf_add_char(b, '}');
}

/* The names are those of doc/ledger.md. */
void
operate_json_event(struct buf *b, const struct ledger_event *e, bool korean)
{
	buf_add_char(b, '{');
	json_add_int_member(b, "n", e->n);
	json_add_time_member(b, "at", e->at_ms);
	json_add_str_member(b, "kind", ledger_kind_name(e->kind));
	json_add_str_member(b, "happened", explain_event(e->kind, korean));
	json_add_str_member_if(b, "tid", e->tid);
	json_add_str_member_if(b, "userId", e->user_id);
	json_add_str_member_if(b, "roomId", e->room_id);
	json_add_str_member_if(b, "by", e->by);
	json_add_str_member_if(b, "who", e->who);
	json_add_str_member_if(b, "request_id", e->request_id);
	json_add_str_member_if(b, "reason", e->reason);
	if (e->has_payment) {
		json_add_member(b, "payment");
		payment_format(&e->payment, b);
	}
	if (e->has_refund)
		add_refund(b, &e->refund);
	add_provider(b, &e->provider);
	buf_add_char(b, '}');
}

static void
add_words(struct buf *b, const struct flow_order_attempt *t, const struct explanation *e,
    int64_t total, bool korean)
{
	struct buf charged = BUF_INIT;

	explain_charged(&charged, t, total, korean);
	json_add_str_member(b, "happened", e->happened);
	json_add_str_member(b, "customer", buf_str(&charged));
	json_add_str_member(b, "advice", e->next);
	b->bad = b->bad || charged.bad;
	buf_clear(&charged);
}

static void
add_commands(struct buf *b, const struct explanation *e, const char *tid)
{
	struct buf command = BUF_INIT;

	json_add_member(b, "commands");
	buf_add_char(b, '[');
	for (int i = 0; explain_command(&command, e, i, tid); i++, buf_reset(&command)) {
		buf_add_str(b, i > 0 ? "," : "");
		json_add_string(b, buf_str(&command));
	}
	buf_add_char(b, ']');
	b->bad = b->bad || command.bad;
	buf_clear(&command);
}

/* As GET /orders says it, and the sentences. */
void
operate_json_explained(struct buf *b, const struct flow_order_attempt *t, int64_t total,
    bool korean)
{
	const struct explanation *e = explain_state(t->state, korean);

	buf_add_char(b, '{');
	json_add_str_member_if(b, "tid", t->tid);
	json_add_str_member(b, "state", t->state);
	flow_charged_add(b, t->charged);
	json_add_int_member(b, "refunded", t->refunded);
	json_add_str_member(b, "next", flow_next_name(t->next));
	json_add_str_member_if(b, "userId", t->user_id);
	json_add_str_member_if(b, "roomId", t->room_id);
	json_add_time_member_if(b, "beganAt", t->began_ms);
	json_add_time_member_if(b, "changedAt", t->changed_ms);
	json_add_str_member_if(b, "by", t->by);
	json_add_str_member_if(b, "who", t->who);
	json_add_time_member_if(b, "approvedAt", t->approved_ms);
	json_add_time_member_if(b, "expiresAt", t->expires_ms);
	add_words(b, t, e, total, korean);
	add_commands(b, e, t->tid);
	buf_add_char(b, '}');
}

void
operate_json_waiting(struct buf *b, const struct operate_waiting *w, bool korean)
{
	struct flow_order_attempt t = operate_waiting_attempt(w);

	buf_add_char(b, '{');
	json_add_str_member(b, "tid", w->of.tid);
	json_add_str_member(b, "cid", w->of.cid);
	json_add_str_member(b, "partner_order_id", w->of.order);
	json_add_str_member(b, "userId", w->of.user);
	json_add_str_member_if(b, "roomId", w->of.room);
	json_add_str_member(b, "state", t.state);
	flow_charged_add(b, t.charged);
	json_add_time_member(b, "since", w->since_ms);
	if (w->total >= 0)
		json_add_int_member(b, "total", w->total);
	json_add_int_member(b, "refunded", w->refunded);
	json_add_str_member_if(b, "reason", w->reason);
	add_words(b, &t, explain_state(t.state, korean), w->total, korean);
	buf_add_char(b, '}');
}

void
operate_json_settled(struct buf *b, const char *cid, const char *order, const char *tid,
    const struct operate_settled *s, bool dry_run)
{
	buf_add_char(b, '{');
	json_add_str_member(b, "tid", tid);
	json_add_str_member(b, "cid", cid);
	json_add_str_member(b, "partner_order_id", order);
	json_add_str_member_if(b, "kakaopay", s->kakaopay);
	json_add_str_member(b, "before", attempt_state_name(s->before));
	json_add_str_member(b, "state", attempt_state_name(s->after));
	json_add_bool_member(b, "dryRun", dry_run);
	buf_add_char(b, '}');
}

void
operate_json_refund_past(struct buf *b, const struct operate_refund_past *p)
{
	buf_add_char(b, '{');
	json_add_str_member(b, "id", p->id);
	json_add_int_member(b, "amount", p->amount);
	json_add_time_member(b, "at", p->at_ms);
	buf_add_char(b, '}');
}

void
operate_json_refund_plan(struct buf *b, const struct flow_refund_request *rq,
    const struct operate_refund_plan *p)
{
	buf_add_char(b, '{');
	json_add_bool_member(b, "refunded", false);
	json_add_str_member(b, "tid", p->payment.tid);
	json_add_str_member_if(b, "refundId", rq->refund_id);
	json_add_bool_member(b, "dryRun", true);
	json_add_str_member(b, "state", attempt_state_name(p->state));
	json_add_int_member(b, "total", p->payment.amount.total);
	json_add_int_member(b, "amount", p->amount);
	json_add_int_member(b, "canceled", p->refunded);
	json_add_int_member(b, "left", p->payment.amount.total - p->refunded);
	json_add_member(b, "past");
	buf_add_char(b, '[');
	for (size_t i = 0; i < p->n_past; i++) {
		buf_add_str(b, i > 0 ? "," : "");
		operate_json_refund_past(b, &p->past[i]);
	}
	buf_add_char(b, ']');
	json_add_bool_member(b, "repeat", p->is_repeat);
	if (p->is_twin) {
		json_add_member(b, "twin");
		operate_json_refund_past(b, &p->twin);
	}
	buf_add_char(b, '}');
}

void
operate_json_refund(struct buf *b, const struct flow_refund_request *rq,
    const struct flow_answer *a)
{
	bool known = a->result == FR_OK;

	buf_add_char(b, '{');
	if (known)
		json_add_bool_member(b, "refunded", true);
	else
		json_add_str_member(b, "refunded", "unknown");
	json_add_str_member(b, "tid", rq->tid);
	json_add_str_member(b, "refundId", rq->refund_id);
	json_add_bool_member(b, "dryRun", false);
	if (known) {
		json_add_str_member(b, "state", attempt_state_name(a->state));
		json_add_int_member(b, "amount", a->refund.amount);
		json_add_int_member(b, "canceled", a->refund.canceled);
		json_add_int_member(b, "left", a->refund.left);
	}
	buf_add_char(b, '}');
}

/* -- days */

void
operate_json_takings(struct buf *b, const struct operate_takings *t)
{
	buf_add_char(b, '{');
	json_add_str_member(b, "cid", t->cid);
	json_add_int_member(b, "captures", t->captures);
	json_add_int_member(b, "captured", t->captured);
	json_add_int_member(b, "refunds", t->refunds);
	json_add_int_member(b, "refunded", t->refunded);
	json_add_int_member(b, "net", t->captured - t->refunded);
	buf_add_char(b, '}');
}

void
operate_json_difference(struct buf *b, const struct operate_compared *c, bool korean)
{
	buf_add_char(b, '{');
	json_add_str_member(b, "difference", difference_name(c->difference));
	json_add_str_member(b, "tid", c->tid);
	json_add_str_member(b, "cid", c->cid);
	json_add_str_member(b, "partner_order_id", c->order);
	json_add_str_member_if(b, "status", c->status);
	if (c->has_payment)
		json_add_int_member(b, "total", c->total);
	json_add_int_member(b, "refunded", c->refunded);
	if (c->has_canceled)
		json_add_int_member(b, "canceled", c->canceled);
	json_add_str_member_if(b, "advice", difference_advice(c->difference, korean));
	buf_add_char(b, '}');
}

/* -- messages */

static void
add_message(struct buf *b, const struct store_message *m)
{
	json_add_str_member(b, "id", m->id);
	json_add_str_member(b, "type", m->type);
	json_add_str_member_if(b, "tid", m->tid);
	json_add_str_member(b, "peer", m->peer);
	json_add_str_member(b, "state", operate_message_state(m));
	json_add_time_member(b, "owedSince", m->at_ms);
	json_add_int_member(b, "tries", m->tries);
	json_add_time_member_if(b, "lastTryAt", m->last_try_ms);
	json_add_time_member_if(b, "nextTryAt", operate_message_next_ms(m));
}

void
operate_json_message(struct buf *b, const struct store_message *m)
{
	buf_add_char(b, '{');
	add_message(b, m);
	buf_add_char(b, '}');
}

static void
add_try(struct buf *b, const struct store_try *t)
{
	buf_add_char(b, '{');
	json_add_int_member(b, "number", t->number);
	json_add_time_member(b, "at", t->at_ms);
	json_add_str_member(b, "end", operate_try_end(t));
	if (t->status != 0)
		json_add_int_member(b, "status", t->status);
	json_add_time_member_if(b, "notBefore", t->not_before_ms);
	json_add_str_member_if(b, "error", t->error);
	buf_add_char(b, '}');
}

void
operate_json_message_shown(struct buf *b, const struct operate_message *m)
{
	buf_add_char(b, '{');
	if (m->owed) {
		add_message(b, &m->m);
	} else {
		json_add_str_member(b, "id", m->id);
		json_add_int_member(b, "tries", (int64_t)m->n);
	}
	json_add_bool_member(b, "owed", m->owed);
	if (m->owed)
		json_add_raw_member(b, "body", m->m.body);
	json_add_member(b, "attempts");
	buf_add_char(b, '[');
	for (size_t i = 0; i < m->n; i++) {
		buf_add_str(b, i > 0 ? "," : "");
		add_try(b, &m->tries[i]);
	}
	buf_add_str(b, "]}");
}

void
operate_json_retried(struct buf *b, const char *id, bool dry_run)
{
	buf_add_char(b, '{');
	json_add_str_member(b, "id", id);
	json_add_bool_member(b, "retried", !dry_run);
	json_add_bool_member(b, "dryRun", dry_run);
	buf_add_char(b, '}');
}

void
operate_json_test(struct buf *b, const char *peer, const struct operate_test *t)
{
	buf_add_char(b, '{');
	json_add_str_member(b, "peer", peer);
	json_add_str_member(b, "id", t->id);
	json_add_bool_member(b, "posted", t->posted);
	json_add_bool_member(b, "acknowledged", t->ended && t->try.acknowledged);
	if (t->ended && t->try.status != 0)
		json_add_int_member(b, "status", t->try.status);
	if (t->ended)
		json_add_str_member_if(b, "error", t->try.error);
	json_add_int_member(b, "ms", t->took_ms);
	buf_add_char(b, '}');
}
