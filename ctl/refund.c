/* payment refund. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "base/text.h"
#include "ctl/command.h"
#include "ctl/lang.h"
#include "operate/json.h"
#include "operate/refund.h"

static bool
usage(const char *sentence)
{
	fprintf(stderr, "roompayctl: %s\n", sentence);
	return false;
}

static bool
is_at_terminal(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

/* An id that nobody else makes: for a whole refund, and for what a person says yes to. */
static bool
make_id(char id[REFUND_ID_CAP])
{
	char hex[2 * 8 + 1];

	if (!random_hex(hex, 8, NULL))
		return usage(tr("no random numbers", "난수를 얻지 못했습니다"));
	snprintf(id, REFUND_ID_CAP, "ctl-%s", hex);
	return true;
}

static bool
read_refund(const struct options *o, struct flow_refund_request *rq)
{
	*rq = (struct flow_refund_request){ .asked = { -1, -1 } };
	if (!ctl_take_text("id", o->id, rq->refund_id, sizeof(rq->refund_id)) ||
	    !ctl_take_text("reason", o->reason, rq->reason, sizeof(rq->reason)) ||
	    (o->amount != NULL &&
		!ctl_parse_number("amount", o->amount, 1, MAX_WON, &rq->asked.amount)) ||
	    (o->tax_free != NULL &&
		!ctl_parse_number("tax-free", o->tax_free, 0, MAX_WON, &rq->asked.tax_free)))
		return false;
	if (o->tax_free != NULL && o->amount == NULL)
		return usage(
		    tr("--tax-free goes with --amount", "--tax-free는 --amount와 함께 씁니다"));
	if (o->id != NULL && (o->id[0] == '\0' || o->id[0] == '@'))
		return usage(
		    tr("--id is empty, or begins with @", "--id가 비어 있거나 @로 시작합니다"));
	if (strlen(o->args[0]) >= sizeof(rq->tid))
		return usage(tr("there is no such tid", "그런 tid가 없습니다"));
	if (o->amount != NULL && o->id == NULL && !o->dry_run && !is_at_terminal())
		return usage(tr(
		    "a part needs --id: the same id again is the same refund, and pays nothing twice",
		    "일부 환불에는 --id가 필요합니다. 같은 id는 같은 환불이라 두 번 나가지 않습니다"));
	text_copy(rq->tid, sizeof(rq->tid), o->args[0]);
	return rq->refund_id[0] != '\0' || make_id(rq->refund_id);
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
		return tr("the payment is in review: payment settle first",
		    "결제가 review 상태입니다. 먼저 payment settle");
	case FR_PROVIDER_ERROR:
	case FR_PROVIDER_UNREACHABLE:
		return tr(
		    "KakaoPay did not carry it out: nothing was given back; the same --id may be tried again",
		    "카카오페이가 실행하지 않았습니다. 환불된 것은 없으며 같은 --id로 다시 할 수 있습니다");
	default:
		return tr("it could not be done now", "지금은 할 수 없습니다");
	}
}

/* What was paid and given back so far, and what would be now. */
static void
show_plan(FILE *to, const struct operate_refund_plan *p)
{
	int64_t left = p->payment.amount.total - p->refunded;

	fprintf(to,
	    tr("%s: %" PRId64 " won paid by %s for %s, %s\n", "%s: %" PRId64 "원, %s, %s, %s\n"),
	    p->payment.tid, p->payment.amount.total, ctl_visible(p->payment.user_id),
	    ctl_visible(p->payment.item_name), ctl_kst(p->payment.approved_at_ms));
	for (size_t i = 0; i < p->n_past; i++)
		fprintf(to,
		    tr("  given back  %10" PRId64 " won  %s  (%s)\n",
			"  환불함  %10" PRId64 "원  %s  (%s)\n"),
		    p->past[i].amount, ctl_kst(p->past[i].at_ms), ctl_visible(p->past[i].id));
	fprintf(to,
	    tr("  given back so far %" PRId64 " won, left %" PRId64 "; now %" PRId64
	       " go back, and %" PRId64 " stay\n",
		"  지금까지 %" PRId64 "원 환불, 남은 금액 %" PRId64 "원; 이번에 %" PRId64
		"원을 돌려주면 %" PRId64 "원이 남음\n"),
	    p->refunded, left, p->amount, left - p->amount);
}

/* Asked on the terminal, after it was shown what was given back already. */
static bool
say_yes(const struct operate_refund_plan *p)
{
	char line[16] = "";

	show_plan(stderr, p);
	fputs(tr("Give it back? (yes/no) ", "환불할까요? (yes/no) "), stderr);
	fflush(stderr);
	return fgets(line, sizeof(line), stdin) != NULL &&
	    (strcmp(line, "yes\n") == 0 || strcmp(line, "예\n") == 0);
}

/* What must be so before money goes back: else none does. */
static bool
may_pay(const struct options *o, const struct operate_refund_plan *p, struct error *err)
{
	enum flow_result no = operate_refund_refusal(p);

	if (no == FR_REFUND_EXCEEDS)
		return error_set(err, ERR_CONFLICT,
		    tr("%s: %" PRId64 " won were paid and %" PRId64 " given back so far",
			"%s: %" PRId64 "원 결제, 지금까지 %" PRId64 "원 환불"),
		    refusal_text(no), p->payment.amount.total, p->refunded);
	if (no != FR_OK)
		return error_set(err, ERR_CONFLICT, "%s", refusal_text(no));
	if (o->dry_run)
		return true;
	if (p->is_twin && o->again == NULL)
		return error_set(err, ERR_CONFLICT,
		    tr("%" PRId64 " won of this payment were given back at %s already (refund "
		       "%s): if that one is meant, it is done; if the same amount must go back once more, --again",
			"이 결제에서 %" PRId64
			"원을 %s에 이미 환불했습니다 (환불 %s). 그 환불을 말한 것이면 끝난 일이고, 같은 금액을 한 번 더 "
			"환불하려면 --again"),
		    p->twin.amount, ctl_kst(p->twin.at_ms), p->twin.id);
	if (o->amount != NULL && o->id == NULL && !say_yes(p))
		return error_set(err, ERR_CONFLICT, "%s",
		    tr("nothing was given back", "환불하지 않았습니다"));
	return true;
}

static bool
tell_dry_run(const struct options *o, const struct flow_refund_request *rq,
    const struct operate_refund_plan *p)
{
	struct buf b = BUF_INIT;

	if (o->json) {
		operate_json_refund_plan(&b, rq, p);
		return ctl_print(&b);
	}
	show_plan(stdout, p);
	if (p->is_repeat)
		puts(tr("this --id is in the ledger: the same call again gives nothing more back",
		    "이 --id는 원장에 있습니다. 다시 불러도 더 환불하지 않습니다"));
	if (p->is_twin)
		printf(
		    tr("the same amount was given back at %s (refund %s): --again would be needed\n",
			"같은 금액을 %s에 환불했습니다 (환불 %s). --again이 필요합니다\n"),
		    ctl_kst(p->twin.at_ms), ctl_visible(p->twin.id));
	puts(tr("dry run: nothing was changed", "dry run: 바꾼 것 없음"));
	return true;
}

/* As cancelPayment answers, with the refund's id. */
static bool
tell_refund(const struct options *o, const struct flow_refund_request *rq,
    const struct flow_answer *a)
{
	bool known = a->result == FR_OK;
	struct buf b = BUF_INIT;

	if (o->json) {
		operate_json_refund(&b, rq, a);
		return ctl_print(&b);
	}
	if (known)
		printf(tr("given back %" PRId64 " won; %" PRId64 " in all, %" PRId64
			  " left (refund %s)\n",
			   "%" PRId64 "원을 환불했습니다. 지금까지 %" PRId64
			   "원, 남은 금액 %" PRId64 "원 (환불 %s)\n"),
		    a->refund.amount, a->refund.canceled, a->refund.left, rq->refund_id);
	else
		printf(
		    tr("sent, and its end is not known yet: the courier finds out. To ask again: --id %s\n",
			"요청했지만 결과를 아직 모릅니다. courier가 알아냅니다. 다시 물으려면 --id %s\n"),
		    rq->refund_id);
	return true;
}

/* The id is told where the ledger has it: there the same id asks for the same refund again. */
static bool
refused(struct flow *f, const struct payment *p, const struct flow_refund_request *rq,
    const struct flow_answer *a, struct error *err)
{
	struct flow_call c = ctl_call();
	struct error ignored;
	bool has = false;

	(void)operate_has_refund(f, &c, p, rq->refund_id, &has, &ignored);
	return error_set(err, ERR_CONFLICT, "%s%s%s%s%s%s", refusal_text(a->result),
	    a->detail[0] != '\0' ? ": " : "", a->detail, has ? tr(" (refund ", " (환불 ") : "",
	    has ? rq->refund_id : "", has ? ")" : "");
}

enum ctl_exit
ctl_payment_refund(const struct options *o, const struct conf *conf)
{
	const char *cids[CONF_MERCHANTS_MAX];
	size_t n_cids = ctl_cids(conf, cids);
	static struct operate_refund_plan plan;
	static struct flow_answer a;
	struct flow_call c = ctl_call();
	struct flow_refund_request rq;
	struct flow f = { 0 };
	struct error err;
	bool ok;

	if (!read_refund(o, &rq))
		return CTL_USAGE;
	ok = ctl_open(&f, conf, CTL_STORE | CTL_QUEUE | CTL_KAKAOPAY, &err) &&
	    ctl_need_site(&f, &err) && operate_plan_refund(&f, &c, &rq, &plan, &err);
	ok = ok && may_pay(o, &plan, &err);
	if (ok && !o->dry_run) {
		c = ctl_call(); /* whoever says yes may take long */
		flow_refund(&f, &c, &rq, cids, n_cids, &a);
		ok = a.result == FR_OK || a.result == FR_REFUND_UNKNOWN ||
		    refused(&f, &plan.payment, &rq, &a, &err);
	}
	ctl_close(&f);
	if (!ok)
		return ctl_complain("payment refund", &err);
	ok = o->dry_run ? tell_dry_run(o, &rq, &plan) : tell_refund(o, &rq, &a);
	return ok && (o->dry_run || a.result == FR_OK) ? CTL_OK : CTL_FAILED;
}
