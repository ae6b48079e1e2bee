#include "config.h"

#include "sim/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "sim/payment.h"

#define LEGACY "/v1/payment/"
#define CURRENT "/online/v1/payment/"
#define JSON_TYPE "application/json;charset=UTF-8"

struct work { /* one call */
	struct sim *sim;
	enum call call;
	bool legacy;
	struct params params;
	struct fault fault;
	uint64_t call_no;
	const char *tid;       /* of params, "" for none */
	struct refusal preset; /* code 0: none; else known before anything is looked at */
	bool is_done;	       /* executed, or it never will be */
	/* what is answered if nothing is wrong; empty if it was not executed */
	struct buf reply;
	int64_t code;		  /* of the refusal in reply; 0: none */
	int64_t sent_code;	  /* of the refusal that is really sent */
	struct work *prev, *next; /* sim->waiting */
};

bool
api_owns(const char *path)
{
	return strncmp(path, LEGACY, strlen(LEGACY)) == 0 ||
	    strncmp(path, CURRENT, strlen(CURRENT)) == 0;
}

/* -- who asks */

static const char *
after_word(const char *header, const char *word)
{
	size_t len = strlen(word);

	return strncasecmp(header, word, len) == 0 && header[len] == ' '
	    ? header + len + 1 + strspn(header + len + 1, " ")
	    : NULL;
}

static bool
is_key(const struct secret *key, const char *text)
{
	return text != NULL && secret_is_set(key) && strcmp(key->text, text) == 0;
}

static bool
check_legacy_key(const struct sim *sim, enum call call, const char *header, struct refusal *no)
{
	const char *key = header == NULL ? NULL : after_word(header, "KakaoAK");
	const char *token = header == NULL ? NULL : after_word(header, "Bearer");

	if (is_key(&sim->admin_key, key) || (call == CALL_READY && is_key(&sim->user_token, token)))
		return true;
	refuse(no, -401);
	if (header == NULL)
		snprintf(no->msg, sizeof(no->msg), "authentication key header is missing");
	else if (key != NULL)
		snprintf(no->msg, sizeof(no->msg), "wrong appKey");
	return false;
}

/* A development key may come under either word, a live key only under SECRET_KEY. */
static bool
check_current_key(const struct sim *sim, const char *header, struct refusal *no)
{
	const char *key, *dev;

	if (header == NULL)
		return refuse(no, -400);
	key = after_word(header, "SECRET_KEY");
	dev = after_word(header, "DEV_SECRET_KEY");
	if (is_key(&sim->key, key) || (is_key(&sim->key, dev) && strncmp(dev, "DEV", 3) == 0))
		return true;
	refuse(no, -401);
	snprintf(no->msg, sizeof(no->msg), "wrong secret key");
	return false;
}

/* -- doing it */

/* Is the call carried out in spite of its fault? An inquiry always is: it changes nothing, and a
 * fault may want half of its answer. */
static bool
will_be_done(const struct work *w)
{
	return w->fault.after_commit || w->call == CALL_ORDER || fault_lets_through(w->fault.kind);
}

/* An approve of this tid that was received and is not done yet. */
static struct work *
approve_at_work(const struct work *cancel)
{
	for (struct work *w = cancel->sim->waiting; w != NULL; w = w->next)
		if (w->call == CALL_APPROVE && !w->is_done && will_be_done(w) &&
		    strcmp(w->tid, cancel->tid) == 0)
			return w;
	return NULL;
}

static void execute(struct work *w);

/* A cancel during an approve of the same tid: the switch decides whether both are carried out. */
static bool
meet_approve(const struct work *cancel, struct refusal *no)
{
	struct work *approve = approve_at_work(cancel);

	if (approve == NULL)
		return true;
	if (!cancel->sim->unsure.approve_and_cancel_both)
		return refuse(no, -785);
	execute(approve);
	return true;
}

static void
note_tid(struct work *w, const char *tid)
{
	struct call_record *r = calls_find(&w->sim->calls, w->call_no);

	if (r != NULL)
		snprintf(r->tid, sizeof(r->tid), "%s", tid);
}

static bool
run(struct work *w, struct refusal *no)
{
	struct payment_call c = { .sim = w->sim,
		.call = w->call,
		.legacy = w->legacy,
		.params = &w->params,
		.twist = w->fault.kind,
		.reply = &w->reply };

	if (w->preset.code != 0) {
		*no = w->preset;
		return false;
	}
	if (!payment_check(&c, no) || (w->call == CALL_CANCEL && !meet_approve(w, no)) ||
	    !payment_run(&c, no))
		return false;
	if (w->call == CALL_READY)
		note_tid(w, c.made_tid);
	return true;
}

/* Carries the call out once and keeps the answer. */
static void
execute(struct work *w)
{
	struct refusal no = { 0 };

	if (w->is_done)
		return;
	w->is_done = true;
	if (run(w, &no))
		return;
	buf_reset(&w->reply);
	w->code = no.code;
	message_refusal(&w->reply, w->legacy, &no);
}

/* -- what is answered, with the fault */

static void
fill(struct answer *a, int status, const char *type, const char *text)
{
	a->status = status;
	a->type = type;
	buf_reset(&a->body);
	buf_add_str(&a->body, text);
}

static void
fill_error(struct work *w, struct answer *a, int64_t code, const char *method_code)
{
	struct refusal no = { .code = code };

	if (w->fault.method_code[0] != '\0')
		method_code = w->fault.method_code;
	snprintf(no.method_code, sizeof(no.method_code), "%s", method_code);
	a->status = refusal_status(code);
	a->type = JSON_TYPE;
	w->sent_code = code;
	buf_reset(&a->body);
	message_refusal(&a->body, w->legacy, &no);
}

/* Half of the answer, or half of an empty one where the call was not carried out. */
static void
fill_truncated(struct work *w, struct answer *a)
{
	a->status = 200;
	a->type = JSON_TYPE;
	buf_reset(&a->body);
	if (w->reply.len > 0)
		buf_add(&a->body, w->reply.data, w->reply.len / 2);
	else
		buf_printf(&a->body, "{\"aid\":\"A%.18s", w->tid);
}

static void
refuse_card(struct work *w, struct answer *a)
{
	struct order *o = state_find(&w->sim->state, w->tid);
	struct error err;

	if (o != NULL && o->status == STATUS_AUTH_PASSWORD &&
	    !state_step(&w->sim->state, o, STATUS_FAIL_PAYMENT, &err))
		log_event(LOG_LEVEL_ERROR, "not_done", KV_ERR(&err));
	fill_error(w, a, -780, "8326");
}

static void
fill_right(struct work *w, struct answer *a)
{
	a->status = w->code == 0 ? 200 : refusal_status(w->code);
	a->type = JSON_TYPE;
	w->sent_code = w->code;
	buf_clear(&a->body);
	a->body = w->reply;
	w->reply = (struct buf)BUF_INIT;
}

#define HTML_502 \
	"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n" \
	"</body>\r\n</html>\r\n"

static void
fill_answer(struct work *w, struct answer *a)
{
	switch (w->fault.kind) {
	case FAULT_CLOSE_BEFORE:
	case FAULT_CLOSE_AFTER:
		a->how = ANSWER_CLOSE;
		break;
	case FAULT_RESET:
	case FAULT_RESET_AFTER:
		a->how = ANSWER_RESET;
		break;
	case FAULT_HTTP_500:
		fill(a, 500, "text/plain", "Internal Server Error\n");
		break;
	case FAULT_HTTP_503:
		fill(a, 503, "text/plain", "Service Unavailable\n");
		break;
	case FAULT_HTML_502:
		fill(a, 502, "text/html", HTML_502);
		break;
	case FAULT_EMPTY_BODY:
		fill(a, 200, NULL, "");
		break;
	case FAULT_TRUNCATED_JSON:
		fill_truncated(w, a);
		break;
	case FAULT_ERROR:
		fill_error(w, a, w->fault.code, "");
		break;
	case FAULT_USER_LOCKED:
		fill_error(w, a, w->call == CALL_CANCEL ? -781 : -780, "USER_LOCKED");
		break;
	case FAULT_BANK_FIRM_UNKNOWN:
		fill_error(w, a, w->call == CALL_CANCEL ? -781 : -780, "BANK_FIRM_UNKNOWN");
		break;
	case FAULT_CARD_REFUSED:
		refuse_card(w, a);
		break;
	default:
		fill_right(w, a);
		break;
	}
}

static void
note_answer(struct work *w, const struct answer *a)
{
	struct call_record *r = calls_find(&w->sim->calls, w->call_no);

	if (r == NULL)
		return;
	r->is_answered = true;
	r->status = a->how == ANSWER_SEND ? a->status : 0;
	r->code = w->sent_code;
}

static void
finish(struct request *rq)
{
	struct work *w = rq->work;

	fill_answer(w, &rq->answer);
	note_answer(w, &rq->answer);
	request_answer(rq);
}

/* -- the way of a call: received, wait, do, wait, answer */

static void
do_it(struct request *rq)
{
	struct work *w = rq->work;

	if (will_be_done(w))
		execute(w);
	w->is_done = true;
	if (w->fault.delay_ms > 0 && w->fault.after_commit)
		request_wait(rq, w->fault.delay_ms, finish);
	else
		finish(rq);
}

static void
unlink_work(struct work *w)
{
	*(w->prev == NULL ? &w->sim->waiting : &w->prev->next) = w->next;
	if (w->next != NULL)
		w->next->prev = w->prev;
}

static void
work_free(void *p)
{
	struct work *w = p;

	unlink_work(w);
	params_clear(&w->params);
	buf_clear(&w->reply);
	free(w);
}

static struct work *
work_new(struct sim *sim, struct request *rq)
{
	struct work *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->sim = sim;
	w->tid = "";
	w->next = sim->waiting;
	if (w->next != NULL)
		w->next->prev = w;
	sim->waiting = w;
	rq->work = w;
	rq->work_free = work_free;
	return w;
}

static bool
has_type(const struct request *rq, const char *want)
{
	const char *type = request_header(rq, "Content-Type");

	return type != NULL && strncasecmp(type, want, strlen(want)) == 0;
}

/* The legacy API reads forms and query strings, the current one JSON. In any other encoding every
 * field is missing. */
static bool
read_params(struct work *w, const struct request *rq)
{
	if (w->legacy && has_type(rq, "application/x-www-form-urlencoded") &&
	    !params_add_form(&w->params, buf_str(&rq->body)))
		return false;
	if (w->legacy)
		return params_add_form(&w->params, rq->query);
	if (!has_type(rq, "application/json"))
		return true;
	if (params_add_json(&w->params, buf_str(&rq->body), rq->body.len))
		return true;
	refuse(&w->preset, -2);
	snprintf(w->preset.msg, sizeof(w->preset.msg), "request body is not a valid json object");
	return true;
}

/* The partner_order_id by which faults and the list of calls find this call. */
static const char *
order_id_of(const struct work *w)
{
	const char *sent = params_text(&w->params, "partner_order_id");
	const struct order *o = sent == NULL ? state_find(&w->sim->state, w->tid) : NULL;

	if (o != NULL)
		return o->partner_order_id;
	return sent == NULL ? "" : sent;
}

/* Leaves out what is too long. A cut could split a character, and the list of calls must be JSON.
 */
static void
copy_if_fits(char *out, size_t cap, const char *text)
{
	snprintf(out, cap, "%s", text != NULL && strlen(text) < cap ? text : "");
}

static void
note_call(struct work *w)
{
	struct call_record r = { .call = w->call, .legacy = w->legacy, .fault = w->fault.kind };
	char order[ORDER_CAP];

	r.at_ms = state_now_ms(&w->sim->state);
	copy_if_fits(r.tid, sizeof(r.tid), w->tid);
	copy_if_fits(r.cid, sizeof(r.cid), params_text(&w->params, "cid"));
	copy_if_fits(order, sizeof(order), order_id_of(w));
	r.partner_order_id = order;
	w->call_no = calls_add(&w->sim->calls, &r);
}

static void
answer_at_once(struct request *rq, bool legacy, int64_t code)
{
	struct refusal no = { .code = code };

	rq->answer.status = refusal_status(code);
	rq->answer.type = JSON_TYPE;
	message_refusal(&rq->answer.body, legacy, &no);
	request_answer(rq);
}

static bool
find_call(const char *path, const char *method, bool legacy, enum call *call)
{
	if (!call_parse(path + strlen(legacy ? LEGACY : CURRENT), call) || *call == CALL_PAGE)
		return false;
	return strcmp(method, "POST") == 0 ||
	    (legacy && *call == CALL_ORDER && strcmp(method, "GET") == 0);
}

void
api_handle(struct sim *sim, struct request *rq)
{
	bool legacy = strncmp(rq->path, LEGACY, strlen(LEGACY)) == 0;
	const char *header = request_header(rq, "Authorization");
	struct work *w;
	enum call call;
	int64_t ms;

	if (!find_call(rq->path, rq->method, legacy, &call)) {
		answer_at_once(rq, legacy, -404);
		return;
	}
	w = work_new(sim, rq);
	if (w == NULL || rq->body.bad) {
		answer_at_once(rq, legacy, w == NULL ? -500 : -2);
		return;
	}
	w->call = call;
	w->legacy = legacy;
	if (!read_params(w, rq))
		refuse(&w->preset, -500);
	if (legacy)
		check_legacy_key(sim, call, header, &w->preset);
	else
		check_current_key(sim, header, &w->preset);
	w->tid = params_text(&w->params, "tid") == NULL ? "" : params_text(&w->params, "tid");
	faults_pick(&sim->faults, call, w->tid, order_id_of(w), &w->fault);
	note_call(w);
	ms = sim->faults.latency_ms[call] + (w->fault.after_commit ? 0 : w->fault.delay_ms);
	if (ms > 0)
		request_wait(rq, ms, do_it);
	else
		do_it(rq);
}
