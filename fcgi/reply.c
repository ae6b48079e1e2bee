#include "config.h"

#include "fcgi/reply.h"

#include <json-c/json.h>
#include <string.h>

#include "base/clock.h"
#include "fcgi/schedule.h"
#include "flow/charged.h"
#include "json/strict.h"
#include "json/write.h"

static const struct {
	int status;
	const char *words;
} status_words[] = {
	{ 200, "OK" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 304, "Not Modified" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 402, "Payment Required" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" },
	{ 422, "Unprocessable Content" },
	{ 429, "Too Many Requests" },
	{ 500, "Internal Server Error" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
};

static const char *
words_of(int status)
{
	for (size_t i = 0; i < sizeof(status_words) / sizeof(status_words[0]); i++)
		if (status_words[i].status == status)
			return status_words[i].words;
	return "Unknown";
}

void
reply_reset(struct reply *r)
{
	r->status = 200;
	r->code = "";
	r->cache = "no-store";
	r->head = false;
	buf_reset(&r->headers);
	buf_reset(&r->body);
}

void
reply_reset_body(struct reply *r)
{
	buf_reset(&r->headers);
	buf_reset(&r->body);
}

void
reply_clear(struct reply *r)
{
	buf_clear(&r->headers);
	buf_clear(&r->body);
}

void
reply_add_header(struct reply *r, const char *name, const char *value)
{
	buf_add_str(&r->headers, name);
	buf_add_str(&r->headers, ": ");
	buf_add_str(&r->headers, value);
	buf_add_str(&r->headers, "\r\n");
}

void
reply_format(const struct reply *r, const struct reply_to *to, struct buf *out)
{
	if (r->headers.bad || r->body.bad) {
		buf_printf(out,
		    "Status: 500 Internal Server Error\r\nContent-Type: application/problem+json\r\nX-Content-Type-Options: nosniff\r\nX-Request-Id: %s\r\n\r\n",
		    to->request_id);
		if (!r->head)
			buf_printf(out,
			    "{\"type\":\"urn:roompay:problem:internal-error\",\"title\":\"Internal error\",\"status\":500,\"code\":\"internal-error\","
			    "\"charged\":\"unknown\",\"requestId\":\"%s\"}",
			    to->request_id);
		return;
	}
	buf_add_str(out, "Status: ");
	buf_add_int(out, r->status);
	buf_add_char(out, ' ');
	buf_add_str(out, words_of(r->status));
	if (r->status != 204 && r->status != 304) { /* which have no body, and must not speak of its
						       length */
		buf_add_str(out, "\r\nContent-Length: ");
		buf_add_int(out, (int64_t)r->body.len);
	}
	buf_add_str(out, "\r\nX-Request-Id: ");
	buf_add_str(out, to->request_id);
	buf_add_str(out, "\r\nCache-Control: ");
	buf_add_str(out, r->cache);
	buf_add_str(out, "\r\nX-Content-Type-Options: nosniff\r\n");
	buf_add(out, buf_str(&r->headers), r->headers.len);
	buf_add_str(out, "\r\n");
	if (!r->head)
		buf_add(out, buf_str(&r->body), r->body.len);
}

/* Whole seconds, at least 1: "Retry-After: 0" would make callers loop. */
static void
add_retry_after(struct reply *r, int64_t ms)
{
	if (ms <= 0)
		return;
	buf_add_str(&r->headers, "Retry-After: ");
	buf_add_int(&r->headers, (ms + 999) / 1000);
	buf_add_str(&r->headers, "\r\n");
}

void
reply_begin(struct reply *r, int status)
{
	r->status = status;
	reply_add_header(r, "Content-Type", "application/json");
	buf_add_char(&r->body, '{');
}

static void
add_errors(struct buf *b, const struct field_errors *errors, enum language l)
{
	json_add_member(b, "errors");
	buf_add_char(b, '[');
	for (size_t i = 0; i < errors->n; i++) {
		buf_add_str(b, i > 0 ? ",{" : "{");
		json_add_str_member(b, "pointer", errors->e[i].pointer);
		json_add_str_member(b, "code", field_code_name(errors->e[i].code));
		json_add_str_member(b, "detail", problem_field_text(errors->e[i].code, l));
		buf_add_char(b, '}');
	}
	buf_add_char(b, ']');
}

static void
add_conflicts(struct buf *b, const struct interval_set *set, const struct conf *conf)
{
	json_add_member(b, "conflicts");
	buf_add_char(b, '[');
	for (size_t i = 0; i < set->n; i++) {
		buf_add_str(b, i > 0 ? ",{" : "{");
		schedule_add_interval(b, set->iv[i], conf);
		buf_add_char(b, '}');
	}
	buf_add_char(b, ']');
}

static void
add_provider(struct buf *b, const struct provider_answer *p)
{
	json_add_member(b, "provider");
	buf_add_char(b, '{');
	json_add_int_member(b, "code", p->code);
	json_add_str_member(b, "message", p->message);
	if (p->method_code[0] != '\0')
		json_add_str_member(b, "methodResultCode", p->method_code);
	buf_add_char(b, '}');
}

static void
begin_problem(struct reply *r, const struct reply_to *to, enum problem p)
{
	r->status = problem_row(p)->status;
	r->code = problem_row(p)->code;
	reply_add_header(r, "Content-Type", "application/problem+json");
	reply_add_header(r, "Content-Language", language_tag(to->language));
}

static void
add_problem(struct buf *b, const struct reply_to *to, enum problem p, const char *detail)
{
	const struct problem_row *row = problem_row(p);

	buf_add_str(b, "{\"type\":\"urn:roompay:problem:");
	buf_add_str(b, row->code);
	buf_add_char(b, '"');
	json_add_str_member(b, "title", row->text[to->language].title);
	json_add_int_member(b, "status", row->status);
	json_add_str_member(b, "detail", detail != NULL ? detail : row->text[to->language].detail);
	json_add_str_member(b, "code", row->code);
	json_add_str_member(b, "requestId", to->request_id);
}

void
reply_refused(struct reply *r, const struct reply_to *to, enum problem p, const char *detail,
    const char *more)
{
	begin_problem(r, to, p);
	add_problem(&r->body, to, p, detail);
	if (more != NULL) {
		buf_add_char(&r->body, ',');
		buf_add_str(&r->body, more);
	}
	buf_add_char(&r->body, '}');
}

void
reply_problem(struct reply *r, const struct reply_to *to, enum problem p,
    const struct flow_answer *a, const struct field_errors *errors)
{
	const struct problem_row *row = problem_row(p);
	struct buf *b = &r->body;

	begin_problem(r, to, p);
	add_retry_after(r, a != NULL && a->retry_ms > 0 ? a->retry_ms : row->retry_ms);
	if (a != NULL && a->replayed)
		reply_add_header(r, "Idempotent-Replayed", "true");
	add_problem(b, to, p, NULL);
	if (a != NULL && row->says_charged)
		flow_charged_add(b, a->charged);
	if (a != NULL && (p == PROBLEM_SLOT_HELD || p == PROBLEM_SLOT_SOLD))
		add_conflicts(b, &a->conflicts, to->conf);
	if (a != NULL && a->has_provider)
		add_provider(b, &a->provider);
	if (errors != NULL)
		add_errors(b, errors, to->language);
	buf_add_char(b, '}');
}

void
reply_ready(struct reply *r, const struct reply_to *to, const struct attempt *at,
    const struct flow_answer *a)
{
	const struct provider_opened *o = &a->ready.opened;
	struct buf *b = &r->body;

	if (a->result != FR_OK) {
		reply_problem(r, to, problem_of_result(a->result), a, NULL);
		return;
	}
	reply_begin(r, 200);
	if (a->replayed)
		reply_add_header(r, "Idempotent-Replayed", "true");
	json_add_str_member(b, "tid", o->tid);
	json_add_str_member(b, "next_redirect_pc_url", o->next_redirect_pc_url);
	json_add_str_member(b, "next_redirect_mobile_url", o->next_redirect_mobile_url);
	json_add_str_member(b, "next_redirect_app_url", o->next_redirect_app_url);
	json_add_str_member(b, "android_app_scheme", o->android_app_scheme);
	json_add_str_member(b, "ios_app_scheme", o->ios_app_scheme);
	json_add_time_member(b, "created_at", o->created_at_ms);
	json_add_member(b, "hold");
	buf_add_char(b, '{');
	json_add_str_member(b, "roomId", at->room_id);
	json_add_str_member(b, "userId", at->user_id);
	json_add_str_member(b, "state", "ready");
	json_add_time_member(b, "expiresAt", a->ready.expires_wall_ms);
	json_add_int_member(b, "expiresIn",
	    a->ready.expires_in_ms > 0 ? a->ready.expires_in_ms / 1000 : 0);
	buf_add_str(b, "}}");
}

static void
add_payment(struct buf *b, const struct payment *p)
{
	json_add_member(b, "payment");
	payment_format(p, b);
}

/* 202: KakaoPay's answer is not known, or our record of it is not written yet. The same call again
 * tells. */
static void
reply_later(struct reply *r, const struct flow_answer *a)
{
	struct buf *b = &r->body;

	reply_begin(r, 202);
	add_retry_after(r, a->retry_ms > 0 ? a->retry_ms : 2000);
	flow_charged_add(b, a->result == FR_UNKNOWN ? FC_UNKNOWN : FC_TRUE);
	json_add_str_member(b, "state", a->result == FR_UNKNOWN ? "unknown" : "recording");
	json_add_str_member(b, "tid", a->tid);
	buf_add_char(b, '}');
}

/* Begins a 200. False: the result is no success, and the reply is complete. */
static bool
begin_success(struct reply *r, const struct reply_to *to, const struct flow_answer *a)
{
	if (a->result == FR_UNKNOWN || a->result == FR_RECORDING) {
		reply_later(r, a);
		return false;
	}
	if (a->result != FR_OK) {
		reply_problem(r, to, problem_of_result(a->result), a, NULL);
		return false;
	}
	reply_begin(r, 200);
	if (a->replayed)
		reply_add_header(r, "Idempotent-Replayed", "true");
	return true;
}

void
reply_approve(struct reply *r, const struct reply_to *to, const struct flow_answer *a)
{
	struct buf *b = &r->body;

	if (!begin_success(r, to, a))
		return;
	flow_charged_add(b, a->charged);
	json_add_str_member(b, "state", attempt_state_name(a->state));
	if (a->has_payment)
		add_payment(b, &a->payment);
	json_add_raw_member(b, "reservationInfo",
	    a->reservation_info[0] != '\0' ? a->reservation_info : "null");
	buf_add_char(b, '}');
}

void
reply_remove(struct reply *r, const struct reply_to *to, const struct flow_answer *a)
{
	struct buf *b = &r->body;

	if (!begin_success(r, to, a))
		return;
	json_add_bool_member(b, "removed", a->removed);
	if (a->removed) {
		json_add_str_member(b, "state", attempt_state_name(a->state));
		json_add_raw_member(b, "reservationInfo",
		    a->reservation_info[0] != '\0' ? a->reservation_info : "null");
		if (a->has_payment)
			add_payment(b, &a->payment);
	}
	buf_add_char(b, '}');
}

void
reply_refund(struct reply *r, const struct reply_to *to, const struct flow_answer *a)
{
	struct buf *b = &r->body;

	if (a->result == FR_REFUND_UNKNOWN) {
		reply_begin(r, 202);
		add_retry_after(r, a->retry_ms > 0 ? a->retry_ms : 2000);
		json_add_str_member(b, "refunded", "unknown");
		json_add_str_member(b, "tid", a->tid);
		buf_add_char(b, '}');
	} else if (begin_success(r, to, a)) {
		json_add_bool_member(b, "refunded", true);
		json_add_str_member(b, "tid", a->tid);
		json_add_str_member(b, "state", attempt_state_name(a->state));
		json_add_int_member(b, "amount", a->refund.amount);
		json_add_int_member(b, "canceled", a->refund.canceled);
		json_add_int_member(b, "left", a->refund.left);
		buf_add_char(b, '}');
	}
}

static void
add_life(struct buf *b, const char *state, enum flow_charged charged, int64_t refunded,
    enum flow_next next)
{
	json_add_str_member(b, "state", state);
	flow_charged_add(b, charged);
	json_add_int_member(b, "refunded", refunded);
	json_add_str_member(b, "next", flow_next_name(next));
}

static void
add_attempt(struct buf *b, const struct flow_order_attempt *t)
{
	add_life(b, t->state, t->charged, t->refunded, t->next);
	json_add_str_member(b, "userId", t->user_id);
	if (t->room_id[0] != '\0') /* not known of a payment from before roompay */
		json_add_str_member(b, "roomId", t->room_id);
	json_add_time_member_if(b, "beganAt", t->began_ms);
	json_add_time_member_if(b, "changedAt", t->changed_ms);
	json_add_time_member_if(b, "approvedAt", t->approved_ms);
	json_add_time_member_if(b, "expiresAt", t->expires_ms);
}

void
reply_order(struct reply *r, const struct reply_to *to, const struct request_order *rq,
    const struct flow_order_answer *a)
{
	struct buf *b = &r->body;

	if (a->result != FR_OK) {
		struct flow_answer why = { .result = a->result, .charged = a->charged };

		reply_problem(r, to, problem_of_result(a->result), &why, NULL);
		return;
	}
	reply_begin(r, 200);
	json_add_str_member(b, "cid", rq->cid);
	json_add_str_member(b, "partner_order_id", rq->order);
	add_life(b, a->state, a->charged, a->refunded, a->next);
	json_add_member(b, "attempts");
	buf_add_char(b, '[');
	for (size_t i = 0; i < a->n; i++) {
		const struct flow_order_attempt *t = &a->attempts[i];

		buf_add_str(b, i > 0 ? ",{" : "{");
		if (t->tid[0] != '\0')
			json_add_str_member(b, "tid", t->tid);
		add_attempt(b, t);
		buf_add_char(b, '}');
	}
	buf_add_str(b, "]}");
}

void
reply_end_page(struct reply *r, const char *next)
{
	json_add_member(&r->body, "next");
	if (next != NULL)
		json_add_string(&r->body, next);
	else
		buf_add_str(&r->body, "null");
	buf_add_char(&r->body, '}');
}

void
reply_payments(struct reply *r, const struct payment *list, const struct payment_life *lives,
    size_t n, const char *next)
{
	struct buf *b = &r->body;

	reply_begin(r, 200);
	json_add_member(b, "payments");
	buf_add_char(b, '[');
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_add_char(b, ',');
		payment_life_format(&list[i], &lives[i], b);
	}
	buf_add_char(b, ']');
	reply_end_page(r, next);
}

void
reply_refunds(struct reply *r, const struct ledger_event *list, size_t n, const char *next)
{
	struct buf *b = &r->body;

	reply_begin(r, 200);
	json_add_member(b, "refunds");
	buf_add_char(b, '[');
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_add_char(b, ',');
		refund_format(&list[i], b);
	}
	buf_add_char(b, ']');
	reply_end_page(r, next);
}

bool
reply_payment(struct reply *r, const struct reply_to *to, const struct payment *p,
    const struct flow_order_answer *a)
{
	struct flow_answer why = { .result = a->result };
	size_t i = 0;

	if (a->result != FR_OK) {
		reply_problem(r, to, problem_of_result(a->result), &why, NULL);
		return true;
	}
	while (i < a->n && strcmp(a->attempts[i].tid, p->tid) != 0)
		i++;
	if (i == a->n)
		return false;
	reply_begin(r, 200);
	add_payment(&r->body, p);
	add_attempt(&r->body, &a->attempts[i]);
	buf_add_char(&r->body, '}');
	return true;
}

/* Turns one row of the queue's list into one of the answer. */
static bool
add_held(struct buf *b, struct json_object *row, const struct conf *conf)
{
	struct json_object *start, *end, *state;
	int from, to;

	if (!json_object_object_get_ex(row, "start", &start) ||
	    !json_object_object_get_ex(row, "end", &end) ||
	    !json_object_object_get_ex(row, "state", &state) ||
	    !json_object_is_type(state, json_type_string))
		return false;
	from = json_object_get_int(start);
	to = json_object_get_int(end);
	if (from < 0 || from >= to || to > WEEK_MINUTES || b->bad)
		return false;
	buf_add_str(b, b->data[b->len - 1] == '[' ? "{" : ",{");
	schedule_add_interval(b, (struct interval){ (int16_t)from, (int16_t)to }, conf);
	json_add_str_member(b, "state", json_object_get_string(state));
	buf_add_char(b, '}');
	return true;
}

bool
reply_held(struct reply *r, const struct reply_to *to, const char *list, size_t len)
{
	struct json_object *rows = NULL;
	bool ok;

	ok = strict_parse(list, len, 4, &rows, NULL) && json_object_is_type(rows, json_type_array);
	if (ok)
		buf_add_char(&r->body, '[');
	for (size_t i = 0; ok && i < json_object_array_length(rows); i++)
		ok = add_held(&r->body, json_object_array_get_idx(rows, i), to->conf);
	json_object_put(rows);
	if (!ok) {
		buf_reset(&r->body);
		return false;
	}
	buf_add_char(&r->body, ']');
	r->status = 200;
	reply_add_header(r, "Content-Type", "application/json");
	return true;
}
