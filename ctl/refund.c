/* payment refund. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/hex.h"
#include "ctl/command.h"
#include "ctl/lang.h"
#include "json/write.h"

static bool
read_refund(const struct options *o, struct flow_refund_request *rq)
{
	unsigned char random[8];
	char hex[2 * sizeof(random) + 1];

	*rq = (struct flow_refund_request){ .asked = { -1, -1 } };
	if (!ctl_take_text("id", o->id, rq->refund_id, sizeof(rq->refund_id)) || !ctl_take_text("reason", o->reason, rq->reason, sizeof(rq->reason)) ||
	    (o->amount != NULL && !ctl_parse_number("amount", o->amount, 1, MAX_WON, &rq->asked.amount)) ||
	    (o->tax_free != NULL && !ctl_parse_number("tax-free", o->tax_free, 0, MAX_WON, &rq->asked.tax_free)))
		return false;
	if (o->tax_free != NULL && o->amount == NULL) {
		fputs(tr("roompayctl: --tax-free goes with --amount\n",
		    "roompayctl: --tax-free는 --amount와 함께 씁니다\n"), stderr);
		return false;
	}
	if (rq->refund_id[0] == '@' || strlen(o->args[0]) >= sizeof(rq->tid)) {
		fputs(tr("roompayctl: no such tid, or an --id that begins with @\n",
		    "roompayctl: 그런 tid가 없거나 --id가 @로 시작합니다\n"), stderr);
		return false;
	}
	snprintf(rq->tid, sizeof(rq->tid), "%s", o->args[0]);
	if (rq->refund_id[0] == '\0' && getrandom(random, sizeof(random), 0) == (ssize_t)sizeof(random)) {
		hex_format(random, sizeof(random), hex);
		snprintf(rq->refund_id, sizeof(rq->refund_id), "ctl-%s", hex);
	}
	return true;
}

static const char *
refusal_text(enum flow_result r)
{
	switch (r) {
	case FR_NO_PAYMENT:
		return tr("there is no payment with this tid", "이 tid의 결제가 없습니다");
	case FR_REFUND_EXCEEDS:
		return tr("more than is left of the payment", "남은 금액보다 많습니다");
	case FR_TAX_FREE_REQUIRED:
		return tr("a part of this payment must say its tax-free amount: --tax-free",
		    "이 결제의 일부를 환불하려면 비과세 금액을 말해야 합니다: --tax-free");
	case FR_REFUND_IN_PROGRESS:
		return tr("another refund of this payment is under way: look again later",
		    "이 결제의 다른 환불이 진행 중입니다. 나중에 다시 확인하세요");
	case FR_REFUND_MISMATCH:
		return tr("this --id was another refund", "이 --id로 다른 환불을 했습니다");
	case FR_REFUND_DECLINED:
		return tr("KakaoPay refused it", "카카오페이가 거절했습니다");
	case FR_IN_REVIEW:
		return tr("the payment is in review: payment settle first", "결제가 review 상태입니다. 먼저 payment settle");
	case FR_PROVIDER_ERROR:
	case FR_PROVIDER_UNREACHABLE:
		return tr("KakaoPay did not carry it out: nothing was given back; the same --id may be tried again",
		    "카카오페이가 실행하지 않았습니다. 환불된 것은 없으며 같은 --id로 다시 할 수 있습니다");
	default:
		return tr("it could not be done now", "지금은 할 수 없습니다");
	}
}

static bool
tell_dry_run(const struct options *o, const struct payment *p, const struct flow_refund_request *rq)
{
	struct buf b = BUF_INIT;

	if (o->json) {
		buf_add_char(&b, '{');
		json_add_bool_member(&b, "refunded", false);
		json_add_str_member(&b, "tid", p->tid);
		json_add_bool_member(&b, "dryRun", true);
		json_add_int_member(&b, "total", p->amount.total);
		if (rq->asked.amount >= 0)
			json_add_int_member(&b, "amount", rq->asked.amount);
		buf_add_char(&b, '}');
		return ctl_print(&b);
	}
	printf(tr("%s: %" PRId64 " won paid by %s for %s; %s would be given back (dry run: nothing was changed)\n",
	    "%s: %" PRId64 "원, %s, %s. 환불할 금액: %s (dry run: 바꾼 것 없음)\n"), p->tid, p->amount.total,
	    ctl_visible(p->user_id), ctl_visible(p->item_name), o->amount != NULL ? o->amount : tr("all that is left", "남은 전부"));
	return true;
}

/* As cancelPayment answers, with the refund's id. */
static bool
tell_refund(const struct options *o, const struct flow_refund_request *rq, const struct flow_answer *a)
{
	bool known = a->result == FR_OK;
	struct buf b = BUF_INIT;

	if (o->json) {
		buf_add_char(&b, '{');
		if (known)
			json_add_bool_member(&b, "refunded", true);
		else
			json_add_str_member(&b, "refunded", "unknown");
		json_add_str_member(&b, "tid", rq->tid);
		json_add_str_member(&b, "refundId", rq->refund_id);
		json_add_bool_member(&b, "dryRun", false);
		if (known) {
			json_add_str_member(&b, "state", attempt_state_name(a->state));
			json_add_int_member(&b, "amount", a->refund.amount);
			json_add_int_member(&b, "canceled", a->refund.canceled);
			json_add_int_member(&b, "left", a->refund.left);
		}
		buf_add_char(&b, '}');
		return ctl_print(&b);
	}
	if (known)
		printf(tr("given back %" PRId64 " won; %" PRId64 " in all, %" PRId64 " left (refund %s)\n",
		    "%" PRId64 "원을 환불했습니다. 지금까지 %" PRId64 "원, 남은 금액 %" PRId64 "원 (환불 %s)\n"),
		    a->refund.amount, a->refund.canceled, a->refund.left, rq->refund_id);
	else
		printf(tr("sent, and its end is not known yet: the courier finds out. To ask again: --id %s\n",
		    "요청했지만 결과를 아직 모릅니다. courier가 알아냅니다. 다시 물으려면 --id %s\n"), rq->refund_id);
	return true;
}

enum ctl_exit
ctl_payment_refund(const struct options *o, const struct conf *conf)
{
	const char *cids[CONF_MERCHANTS_MAX];
	size_t n_cids = ctl_cids(conf, cids);
	static struct flow_answer a;
	struct flow_call c = ctl_call();
	struct flow_refund_request rq;
	struct flow f = { 0 };
	struct payment p;
	struct error err;
	bool ok, found = false;

	if (!read_refund(o, &rq))
		return CTL_USAGE;
	ok = ctl_open(&f, conf, CTL_STORE | CTL_QUEUE | CTL_KAKAOPAY, &err) && ctl_need_site(&f, &err) &&
	    store_payment_get(f.store, rq.tid, &p, &found, c.deadline_boot_ms, &err) &&
	    (found || error_set(&err, ERR_NOT_FOUND, "%s", refusal_text(FR_NO_PAYMENT)));
	if (ok && !o->dry_run) {
		flow_refund(&f, &c, &rq, cids, n_cids, &a);
		ok = a.result == FR_OK || a.result == FR_REFUND_UNKNOWN ||
		    error_set(&err, ERR_CONFLICT, "%s%s%s (refund %s)", refusal_text(a.result),
		    a.detail[0] != '\0' ? ": " : "", a.detail, rq.refund_id);
	}
	ctl_close(&f);
	if (!ok)
		return ctl_complain("payment refund", &err);
	ok = o->dry_run ? tell_dry_run(o, &p, &rq) : tell_refund(o, &rq, &a);
	return ok && (o->dry_run || a.result == FR_OK) ? CTL_OK : CTL_FAILED;
}
