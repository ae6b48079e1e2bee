#include "config.h"

#include "flow_kakao.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "flow_steps.h"

enum { TOTAL = 2200 };

struct kakao kakao;
bool kakao_is_asked;

void
kakao_reset(void)
{
	memset(&kakao, 0, sizeof(kakao));
	kakao_is_asked = false;
	kakao_answers(PO_OK, TAKEN);
	kakao.pending_as = PS_PENDING;
}

void
kakao_answers(enum provider_outcome answer, bool commits)
{
	kakao.answer = answer;
	kakao.commits = commits;
}

int
kakao_captures_of(const char *order)
{
	int n = 0;

	for (size_t i = 1; i < TIDS; i++)
		n += kakao.captured[i] && strcmp(kakao.order[i], order) == 0;
	return n;
}

static size_t
number_of(const char *tid)
{
	size_t n = (size_t)atoi(tid + 1);

	assert_true(tid[0] == 'T' && n > 0 && n < TIDS);
	return n;
}

static void
made_payment(struct payment *p, const char *tid)
{
	memset(p, 0, sizeof(*p));
	strcpy(p->aid, "A1");
	snprintf(p->tid, sizeof(p->tid), "%s", tid);
	strcpy(p->cid, "TC0ONETIME");
	strcpy(p->partner_order_id, kakao.order[number_of(tid)]);
	strcpy(p->partner_user_id, "p-1");
	strcpy(p->item_name, "room");
	strcpy(p->payment_method_type, "MONEY");
	p->quantity = 1;
	p->amount.total = kakao.wrong_total ? TOTAL + 1 : TOTAL;
	p->amount.vat = 200;
	p->created_at_ms = 1700000000000;
	p->approved_at_ms = 1700000030000;
}

/* Its answer is on the way. */
static void
visit_answering(void)
{
	kakao_is_asked = true;
	visit_step();
	kakao_is_asked = false;
}

static bool
kakao_ready(struct provider *k, const struct provider_ready *rq, int64_t deadline_boot_ms,
    enum provider_outcome *o, struct provider_opened *out, struct provider_answer *pa,
    struct error *err)
{
	(void)k;
	(void)deadline_boot_ms;
	(void)err;
	memset(pa, 0, sizeof(*pa));
	memset(out, 0, sizeof(*out));
	kakao.readies++;
	snprintf(out->tid, sizeof(out->tid), "T%d", kakao.readies);
	snprintf(kakao.order[number_of(out->tid)], sizeof(kakao.order[0]), "%s",
	    rq->partner_order_id);
	strcpy(out->next_redirect_pc_url, "https://pay.example/pc");
	*o = kakao.ready_answer;
	visit_step();
	return true;
}

static struct provider_answer
said(void)
{
	return (struct provider_answer){
		.http = kakao.answer == PO_OK ? 200 : 400,
		.code = kakao.code,
	};
}

static enum provider_outcome
capture(const char *tid)
{
	size_t n = number_of(tid);

	if (!kakao.commits)
		return kakao.answer;
	if (kakao.captured[n])
		return PO_INQUIRE; /* KakaoPay itself captures a tid once */
	kakao.before_capture(tid);
	kakao.captures++;
	kakao.captured[n] = true;
	return kakao.answer;
}

static bool
kakao_approve(struct provider *k, const struct provider_approve *rq, int64_t deadline_boot_ms,
    enum provider_outcome *o, struct payment *out, struct provider_answer *pa, struct error *err)
{
	(void)k;
	(void)err;
	visit_step();
	*o = PO_NOT_SENT;
	*pa = (struct provider_answer){ 0 };
	if (clock_boot_ms() >= deadline_boot_ms || clock_boot_ms() >= rq->window_boot_ms)
		return true;
	kakao.approves++;
	kakao.last = *rq;
	if (kakao.checks_token && strcmp(rq->pg_token, rq->tid) != 0) {
		*pa = (struct provider_answer){ .http = 400, .code = -708 };
		*o = PO_TOKEN_REFUSED;
	} else {
		*pa = said();
		*o = capture(rq->tid);
	}
	made_payment(out, rq->tid);
	visit_answering();
	return true;
}

static enum provider_status
status_of(size_t n)
{
	if (kakao.strange)
		return PS_STRANGE;
	if (!kakao.captured[n] || kakao.inquiry_lags)
		return kakao.pending_as;
	if (kakao.canceled[n] > 0)
		return kakao.canceled[n] < TOTAL ? PS_PART_CANCELED : PS_CANCELED;
	return PS_PAID;
}

static const char *
status_text(enum provider_status s)
{
	return s == PS_PART_CANCELED ? "PART_CANCEL_PAYMENT"
	    : s == PS_CANCELED	     ? "CANCEL_PAYMENT"
				     : "SUCCESS_PAYMENT";
}

static bool
kakao_order(struct provider *k, const char *cid, const char *tid, int64_t deadline_boot_ms,
    enum provider_outcome *o, struct provider_order *out, struct provider_answer *pa,
    struct error *err)
{
	size_t n = number_of(tid);

	(void)k;
	(void)cid;
	(void)deadline_boot_ms;
	(void)err;
	visit_step();
	kakao.inquiries++;
	memset(pa, 0, sizeof(*pa));
	memset(out, 0, sizeof(*out));
	*o = kakao.inquiry_silent ? PO_UNKNOWN : PO_OK;
	out->status = status_of(n);
	strcpy(out->status_text, status_text(out->status));
	out->has_canceled = true;
	out->canceled =
	    (struct amount){ .total = kakao.canceled[n], .vat = kakao.canceled[n] / 11 };
	made_payment(&out->payment, tid);
	return true;
}

static bool
kakao_cancel(struct provider *k, const struct provider_cancel *rq, int64_t deadline_boot_ms,
    enum provider_outcome *o, struct provider_canceled *out, struct provider_answer *pa,
    struct error *err)
{
	size_t n = number_of(rq->tid);
	int64_t left;

	(void)k;
	(void)err;
	visit_step();
	memset(out, 0, sizeof(*out));
	*o = PO_NOT_SENT;
	*pa = (struct provider_answer){ 0 };
	if (clock_boot_ms() >= deadline_boot_ms)
		return true;
	kakao.cancels++;
	left = TOTAL - kakao.canceled[n];
	*pa = said();
	*o = kakao.answer;
	if (!kakao.captured[n] || rq->cancel_amount > left || rq->cancel_available_amount != left) {
		*o = PO_DECLINED;
		pa->code = -722;
	} else if (kakao.commits) {
		kakao.before_cancel(rq->tid);
		kakao.canceled[n] += rq->cancel_amount;
		kakao.cancels_done++;
		kakao.gone += strcmp(rq->payload, "gone") == 0;
	}
	out->status = PS_PART_CANCELED;
	out->canceled.total = kakao.canceled[n];
	visit_answering();
	return true;
}

static const struct provider_calls calls = { kakao_ready, kakao_approve, kakao_order, kakao_cancel,
	NULL };
struct provider kakao_provider = { &calls };
