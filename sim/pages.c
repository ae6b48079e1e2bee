#include "config.h"

#include "sim/pages.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "sim/params.h"

#define HTML_TYPE "text/html;charset=UTF-8"

/* '*' stands for the page's id. The first ones are KakaoPay's, the last ones those of our forms. */
static const struct {
	const char *path;
	enum { PAGE_OPEN, PAGE_PAY, PAGE_CANCEL, PAGE_FAIL } what;
} paths[] = {
	{ "/mockup/bridge/pc/pg/one-time/payment/*", PAGE_OPEN },
	{ "/mockup/bridge/mobile-web/pg/one-time/payment/*", PAGE_OPEN },
	{ "/mockup/bridge/mobile-app/pg/one-time/payment/*", PAGE_OPEN },
	{ "/mockup/v1/*/info", PAGE_OPEN },
	{ "/mockup/v1/*/mInfo", PAGE_OPEN },
	{ "/mockup/v1/*/aInfo", PAGE_OPEN },
	{ "/pay/mockup/*", PAGE_OPEN },
	{ "/page/*/pay", PAGE_PAY },
	{ "/page/*/cancel", PAGE_CANCEL },
	{ "/page/*/fail", PAGE_FAIL },
};

struct visit { /* a press on "pay" that waits */
	struct sim *sim;
	struct order *order;
	char method[8]; /* "": no choice was made */
	struct fault fault;
};

static bool
match(const char *path, const char *pattern, char page_id[PAGE_ID_CAP])
{
	size_t before = strcspn(pattern, "*");
	const char *id = path + before;

	if (strncmp(path, pattern, before) != 0 ||
	    strspn(id, "0123456789abcdef") != PAGE_ID_CAP - 1 ||
	    strcmp(id + PAGE_ID_CAP - 1, pattern + before + 1) != 0)
		return false;
	memcpy(page_id, id, PAGE_ID_CAP - 1);
	page_id[PAGE_ID_CAP - 1] = '\0';
	return true;
}

static int
find_path(const char *path, char page_id[PAGE_ID_CAP])
{
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (match(path, paths[i].path, page_id))
			return (int)paths[i].what;
	return -1;
}

bool
pages_own(const char *path)
{
	char page_id[PAGE_ID_CAP];

	return find_path(path, page_id) >= 0;
}

/* -- HTML */

void
pages_add_escaped(struct buf *out, const char *hidden)
{
	struct buf visible = BUF_INIT;
	const char *text;

	text_add_visible(&visible, hidden);
	for (text = buf_str(&visible); *text != '\0'; text++) {
		switch (*text) {
		case '&':
			buf_add_str(out, "&amp;");
			break;
		case '<':
			buf_add_str(out, "&lt;");
			break;
		case '>':
			buf_add_str(out, "&gt;");
			break;
		case '"':
			buf_add_str(out, "&quot;");
			break;
		case '\'':
			buf_add_str(out, "&#39;");
			break;
		default:
			buf_add_char(out, *text);
			break;
		}
	}
	out->bad = out->bad || visible.bad;
	buf_clear(&visible);
}

void
pages_add_approval(struct buf *out, const char *url, const char *pg_token)
{
	size_t len = strcspn(url, "#");
	const char *query = memchr(url, '?', len);

	buf_add(out, url, len);
	if (query == NULL)
		buf_add_char(out, '?');
	else if (url[len - 1] != '?' && url[len - 1] != '&')
		buf_add_char(out, '&');
	buf_printf(out, "pg_token=%s%s", pg_token, url + len);
}

/* 2200 -> "2,200" */
static void
add_won(struct buf *out, int64_t won)
{
	char digits[32];
	int n = snprintf(digits, sizeof(digits), "%" PRId64, won);

	for (int i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			buf_add_char(out, ',');
		buf_add_char(out, digits[i]);
	}
}

static void
add_head(struct buf *out, const char *more)
{
	buf_printf(out,
	    "<!DOCTYPE html>\n<html lang=\"ko\">\n<head>\n<meta charset=\"utf-8\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n%s"
	    "<title>카카오페이 시뮬레이터 · KakaoPay simulator</title>\n"
	    "<style>body{font-family:sans-serif;max-width:26rem;margin:2rem auto;padding:0 1rem;color:#222}"
	    "h1{font-size:1.1rem;background:#fee500;padding:.8rem;border-radius:.5rem}dt{color:#666;font-size:.85rem}"
	    "dd{margin:0 0 .6rem}button{width:100%%;padding:.8rem;margin:.3rem 0;font-size:1rem;border-radius:.5rem;"
	    "border:1px solid #999;background:#fff}button.pay{background:#fee500;font-weight:bold}</style>\n</head>\n<body>\n"
	    "<h1>카카오페이 시뮬레이터 · KakaoPay simulator</h1>\n",
	    more);
}

static void
add_entry(struct buf *out, const char *term, const char *text)
{
	buf_printf(out, "<dt>%s</dt><dd>", term);
	pages_add_escaped(out, text);
	buf_add_str(out, "</dd>\n");
}

static void
add_order(struct buf *out, const struct order *o)
{
	buf_add_str(out, "<dl>\n");
	add_entry(out, "상품 · item", o->item_name);
	buf_printf(out,
	    "<dt>수량 · quantity</dt><dd>%" PRId64 "</dd>\n<dt>결제 금액 · amount</dt><dd><strong>",
	    o->quantity);
	add_won(out, o->amount.total);
	buf_add_str(out, "원</strong> · KRW</dd>\n");
	add_entry(out, "주문 번호 · order", o->partner_order_id);
	add_entry(out, "가맹점 · merchant", o->cid);
	buf_add_str(out, "</dl>\n");
}

static void
add_method(struct buf *out, const struct order *o)
{
	if (o->method_fixed) {
		buf_printf(out, "<p>결제 수단 · method: %s</p>\n", o->method);
		return;
	}
	buf_add_str(out,
	    "<p>결제 수단 · method:\n"
	    "<label><input type=\"radio\" name=\"method\" value=\"MONEY\" checked> 카카오페이머니 · Money</label>\n"
	    "<label><input type=\"radio\" name=\"method\" value=\"CARD\"> 카드 · card</label></p>\n");
}

static void
add_form(struct buf *out, const struct order *o, const char *what, const char *label,
    bool with_method)
{
	buf_printf(out, "<form method=\"post\" action=\"/page/%s/%s\">\n", o->page_id, what);
	if (with_method)
		add_method(out, o);
	buf_printf(out, "<button type=\"submit\" class=\"%s\">%s</button>\n</form>\n", what, label);
}

static void
html(struct request *rq, int status)
{
	buf_add_str(&rq->answer.body, "</body>\n</html>\n");
	rq->answer.status = status;
	rq->answer.type = HTML_TYPE;
	request_answer(rq);
}

static void
say(struct request *rq, int status, const char *sentence)
{
	add_head(&rq->answer.body, "");
	buf_printf(&rq->answer.body, "<p>%s</p>\n", sentence);
	html(rq, status);
}

static void
redirect(struct request *rq, const char *url)
{
	rq->answer.location = strdup(url);
	if (rq->answer.location == NULL) {
		say(rq, 500, "out of memory");
		return;
	}
	rq->answer.status = 303;
	request_answer(rq);
}

/* -- what the user does */

static void
open_page(struct sim *sim, struct request *rq, struct order *o)
{
	struct buf *out = &rq->answer.body;
	struct error err;

	if (!status_is_pending(o->status)) {
		say(rq, 200, "이미 끝난 결제입니다. · This payment has ended.");
		return;
	}
	if (o->status < STATUS_OPEN_PAYMENT &&
	    !state_step(&sim->state, o, STATUS_OPEN_PAYMENT, &err)) {
		log_event(LOG_LEVEL_ERROR, "not_done", KV_ERR(&err));
		say(rq, 500, "상태를 저장할 수 없습니다. · The state cannot be written.");
		return;
	}
	add_head(out, "");
	add_order(out, o);
	add_form(out, o, "pay", "결제하기 · Pay", true);
	add_form(out, o, "cancel", "취소 · Cancel", false);
	add_form(out, o, "fail", "비밀번호 오류 · Fail (wrong password)", false);
	buf_add_str(out, "<p>실제로 결제되지 않습니다. · No money moves.</p>\n");
	html(rq, 200);
}

/* Opens approval_url in a frame and then in the page itself: a browser asks for it twice. */
static void
redirect_twice(struct request *rq, const char *url)
{
	struct buf more = BUF_INIT;

	buf_add_str(&more, "<meta http-equiv=\"refresh\" content=\"1;url=");
	pages_add_escaped(&more, url);
	buf_add_str(&more, "\">\n");
	add_head(&rq->answer.body, buf_str(&more));
	buf_add_str(&rq->answer.body, "<iframe src=\"");
	pages_add_escaped(&rq->answer.body, url);
	buf_add_str(&rq->answer.body, "\"></iframe>\n<p><a href=\"");
	pages_add_escaped(&rq->answer.body, url);
	buf_add_str(&rq->answer.body, "\">가맹점으로 돌아가기 · back to the merchant</a></p>\n");
	buf_clear(&more);
	html(rq, 200);
}

static void
leave_paid(struct request *rq, const struct visit *v)
{
	struct buf url = BUF_INIT;

	pages_add_approval(&url, v->order->approval_url, v->order->pg_token);
	switch (v->fault.kind) {
	case FAULT_CLOSE_AFTER:
		rq->answer.how = ANSWER_CLOSE;
		request_answer(rq);
		break;
	case FAULT_NO_REDIRECT:
		say(rq, 200,
		    "인증되었습니다. 창을 닫으셔도 됩니다. · Authenticated. You may close this window.");
		break;
	case FAULT_DUPLICATE_REDIRECT:
		redirect_twice(rq, buf_str(&url));
		break;
	default:
		redirect(rq, buf_str(&url));
		break;
	}
	buf_clear(&url);
}

static void
pay(struct request *rq)
{
	struct visit *v = rq->work;
	struct order *o = v->order;
	struct error err;

	if (v->fault.kind == FAULT_CLOSE_BEFORE) {
		rq->answer.how = ANSWER_CLOSE;
		request_answer(rq);
		return;
	}
	if (order_is_expired(&v->sim->state, o) && !o->is_captured) {
		redirect(rq, o->fail_url);
		return;
	}
	if (!state_pay(&v->sim->state, o, v->method[0] == '\0' ? NULL : v->method, &err)) {
		redirect(rq, o->status == STATUS_QUIT_PAYMENT ? o->cancel_url : o->fail_url);
		return;
	}
	leave_paid(rq, v);
}

static void
start_pay(struct sim *sim, struct request *rq, struct order *o)
{
	struct visit *v = calloc(1, sizeof(*v));
	struct params ps = { .n = 0 };
	const char *method;
	int64_t ms;

	if (v == NULL || !params_add_form(&ps, buf_str(&rq->body))) {
		free(v);
		params_clear(&ps);
		say(rq, 500, "out of memory");
		return;
	}
	method = params_text(&ps, "method");
	if (method != NULL && strcmp(method, "CARD") == 0)
		snprintf(v->method, sizeof(v->method), "CARD");
	params_clear(&ps);
	v->sim = sim;
	v->order = o;
	rq->work = v;
	rq->work_free = free;
	faults_pick(&sim->faults, CALL_PAGE, o->tid, o->partner_order_id, &v->fault);
	ms = sim->faults.latency_ms[CALL_PAGE] + v->fault.delay_ms;
	if (ms > 0)
		request_wait(rq, ms, pay);
	else
		pay(rq);
}

/* The user leaves to cancel_url or fail_url. If the payment has already ended, nothing changes. */
static void
stop(struct sim *sim, struct request *rq, struct order *o, enum status to, const char *url)
{
	struct error err;

	if (status_is_legal(o->status, to) && !order_is_expired(&sim->state, o) &&
	    !state_step(&sim->state, o, to, &err)) {
		log_event(LOG_LEVEL_ERROR, "not_done", KV_ERR(&err));
		say(rq, 500, "상태를 저장할 수 없습니다. · The state cannot be written.");
		return;
	}
	redirect(rq, url);
}

void
pages_handle(struct sim *sim, struct request *rq)
{
	char page_id[PAGE_ID_CAP];
	int what = find_path(rq->path, page_id);
	const char *method = what == PAGE_OPEN ? "GET" : "POST";
	struct order *o = state_find_page(&sim->state, page_id);

	if (strcmp(rq->method, method) != 0) {
		rq->answer.allow = method;
		say(rq, 405, "405");
	} else if (o == NULL)
		say(rq, 404, "없는 결제입니다. · No such payment.");
	else if (order_is_expired(&sim->state, o) && status_is_pending(o->status))
		redirect(rq, o->fail_url);
	else if (what == PAGE_OPEN)
		open_page(sim, rq, o);
	else if (what == PAGE_PAY)
		start_pay(sim, rq, o);
	else if (what == PAGE_CANCEL)
		stop(sim, rq, o, STATUS_QUIT_PAYMENT, o->cancel_url);
	else
		stop(sim, rq, o, STATUS_FAIL_AUTH_PASSWORD, o->fail_url);
}
