/* payment list, show, explain, settle, refund. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/hex.h"
#include "ctl/command.h"
#include "ctl/explain.h"
#include "ctl/rows.h"
#include "flow/decide.h"
#include "json/write.h"

enum { LIST_LIMIT = 50, LIST_MAX = 10000 };

static bool
parse_number(const char *name, const char *text, int64_t min, int64_t max, int64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoll(text, &end, 10);
	if (end != text && *end == '\0' && errno == 0 && *out >= min && *out <= max)
		return true;
	fprintf(stderr, "roompayctl: --%s must be a whole number from %" PRId64 " to %" PRId64 "\n", name, min, max);
	return false;
}

static bool
parse_when(const char *name, const char *text, int64_t *out)
{
	if (clock_parse_when(text, out))
		return true;
	fprintf(stderr, "roompayctl: --%s must be YYYY-MM-DD (Korean time) or RFC 3339\n", name);
	return false;
}

static bool
take_text(const char *name, const char *text, char *out, size_t cap)
{
	if (text != NULL && strlen(text) >= cap) {
		fprintf(stderr, "roompayctl: --%s is longer than %zu bytes\n", name, cap - 1);
		return false;
	}
	snprintf(out, cap, "%s", text == NULL ? "" : text);
	return true;
}

static bool
read_filters(const struct options *o, struct store_history *h)
{
	int64_t limit = LIST_LIMIT;
	bool ok = take_text("user", o->user, h->user_id, sizeof(h->user_id)) && take_text("order", o->order, h->partner_order_id, sizeof(h->partner_order_id)) &&
	    take_text("room", o->room, h->room_id, sizeof(h->room_id)) && (o->from == NULL || parse_when("from", o->from, &h->from_ms)) &&
	    (o->to == NULL || parse_when("to", o->to, &h->to_ms)) && (o->limit == NULL || parse_number("limit", o->limit, 1, LIST_MAX, &limit));

	h->limit = (size_t)limit;
	return ok;
}

enum ctl_exit
ctl_payment_list(const struct options *o, const struct conf *conf)
{
	static const char *const columns[] = { "approved", "tid", "order", "user", "#total", "item" };
	const char *cids[CONF_MERCHANTS_MAX];
	struct store_history h = { .cids = cids, .n_cids = ctl_cids(conf, cids) };
	struct rows rows = ROWS(columns);
	struct payment *list = NULL;
	struct flow f = { 0 };
	bool more = false, ok;
	struct error err;
	size_t n = 0;

	if (!read_filters(o, &h))
		return CTL_USAGE;
	if (o->cid != NULL) {
		cids[0] = o->cid;
		h.n_cids = 1;
	}
	ok = ctl_open(&f, conf, CTL_STORE, &err) && store_history(f.store, &h, &list, &n, &more, ctl_call().deadline_boot_ms, &err);
	for (size_t i = 0; ok && i < n; i++)
		rows_add(&rows, (const char *[]){ ctl_kst(list[i].approved_at_ms), list[i].tid, list[i].partner_order_id, list[i].user_id, ctl_int(list[i].amount.total),
		    list[i].item_name });
	free(list);
	ctl_close(&f);
	if (!ok)
		return ctl_complain("payment list", &err);
	if (!rows_print(&rows, o->json, "no payment"))
		return CTL_FAILED;
	if (more)
		fprintf(stderr, "roompayctl: there are more: --limit, --from and --to choose\n");
	return CTL_OK;
}

/* "TID" or "CID ORDER". tid: "" where an order was named. */
struct named { char tid[TID_CAP], cid[CID_CAP], order[ORDER_CAP]; };

static bool
find_named(struct flow *f, const struct options *o, struct named *n, struct error *err)
{
	memset(n, 0, sizeof(*n));
	if (o->n_args == 2) {
		snprintf(n->cid, sizeof(n->cid), "%s", o->args[0]);
		snprintf(n->order, sizeof(n->order), "%s", o->args[1]);
		return true;
	}
	snprintf(n->tid, sizeof(n->tid), "%s", o->args[0]);
	return ctl_find_order(f, n->tid, n->cid, n->order, err);
}

static void
show_chain(const struct ledger_chain *chain, bool json)
{
	static const char *const columns[] = { "#n", "at", "kind", "tid", "by", "request", "reason" };
	struct rows rows = ROWS(columns);

	for (size_t i = 0; i < chain->n; i++) {
		const struct ledger_event *e = &chain->ev[i];
		const char *why = e->reason[0] != '\0' ? e->reason : e->provider.message;

		rows_add(&rows, (const char *[]){ ctl_int(e->n), ctl_kst(e->at_ms), ledger_kind_name(e->kind), e->tid[0] != '\0' ? e->tid : "-", e->by,
		    e->request_id[0] != '\0' ? e->request_id : "-", why[0] != '\0' ? why : "-" });
	}
	(void)rows_print(&rows, json, "no approve was ever begun");
}

enum ctl_exit
ctl_payment_show(const struct options *o, const struct conf *conf)
{
	struct flow_call c = ctl_call();
	struct ledger_chain chain = { 0 };
	enum ctl_exit code = CTL_OK;
	struct flow f = { 0 };
	struct error err;
	struct named n;

	if (!ctl_open(&f, conf, CTL_STORE | CTL_QUEUE, &err) || !find_named(&f, o, &n, &err) ||
	    !store_ledger_chain(f.store, n.cid, n.order, &chain, c.deadline_boot_ms, &err))
		code = ctl_complain("payment show", &err);
	else {
		if (!o->json)
			printf("order  %s %s (times in Korean time)\n", n.cid, ctl_visible(n.order));
		show_chain(&chain, o->json);
	}
	ledger_chain_clear(&chain);
	ctl_close(&f);
	return code;
}

static void
explain_attempt(const struct flow_order_attempt *t, bool korean, bool json, struct buf *b)
{
	struct explanation e = explain_state(t->state, t->charged, korean);

	if (json) {
		buf_add_str(b, b->data[b->len - 1] == '[' ? "{" : ",{");
		json_add_str_member(b, "tid", t->tid);
		json_add_str_member(b, "state", t->state);
		json_add_str_member(b, "happened", e.happened);
		json_add_str_member(b, "charged", t->charged == FC_TRUE ? "yes" : t->charged == FC_FALSE ? "no" : "unknown");
		json_add_int_member(b, "refunded", t->refunded);
		json_add_str_member(b, "next", e.next);
		buf_add_char(b, '}');
		return;
	}
	printf("%s  %s  %s\n", t->tid[0] != '\0' ? t->tid : "-", t->state, ctl_kst(t->changed_ms));
	printf("  %s\n  %s", e.happened, e.charged);
	if (t->refunded > 0)
		printf(korean ? " 환불한 금액: %" PRId64 "원." : " Given back: %" PRId64 " won.", t->refunded);
	printf("\n  %s%s\n", korean ? "다음: " : "Next: ", e.next);
}

enum ctl_exit
ctl_payment_explain(const struct options *o, const struct conf *conf)
{
	bool korean = explain_is_korean(o->lang);
	struct flow_order_answer a = { 0 };
	struct flow_call c = ctl_call();
	struct buf b = BUF_INIT;
	struct flow f = { 0 };
	struct error err;
	struct named n;
	bool ok;

	ok = ctl_open(&f, conf, CTL_STORE | CTL_QUEUE, &err) && find_named(&f, o, &n, &err);
	if (ok) {
		ctl_set_gate(&f);
		flow_order(&f, &c, n.cid, n.order, &a);
		ok = a.result == FR_OK || error_set(&err, ERR_UNAVAILABLE, "nothing certain can be said now: %s", a.detail);
	}
	if (ok && !o->json)
		printf("%s %s %s\n", korean ? "주문" : "order", n.cid, ctl_visible(n.order));
	buf_add_char(&b, '[');
	if (ok && a.n == 0)
		explain_attempt(&(struct flow_order_attempt){ .state = "none", .charged = FC_FALSE }, korean, o->json, &b);
	for (size_t i = 0; ok && i < a.n; i++)
		if (n.tid[0] == '\0' || strcmp(n.tid, a.attempts[i].tid) == 0)
			explain_attempt(&a.attempts[i], korean, o->json, &b);
	if (ok && o->json)
		printf("%s]\n", buf_str(&b));
	buf_clear(&b);
	flow_order_clear(&a);
	ctl_close(&f);
	return ok ? CTL_OK : ctl_complain("payment explain", &err);
}

static bool
parse_as(const char *word, enum decide_as *as)
{
	*as = DECIDE_AS_FOUND;
	if (word == NULL)
		return true;
	*as = strcmp(word, "approved") == 0 ? DECIDE_AS_APPROVED : DECIDE_AS_DECLINED;
	if (*as == DECIDE_AS_APPROVED || strcmp(word, "declined") == 0)
		return true;
	fprintf(stderr, "roompayctl: --as is approved or declined\n");
	return false;
}

enum ctl_exit
ctl_payment_settle(const struct options *o, const struct conf *conf)
{
	struct flow_call c = ctl_call();
	struct decision_report report = { 0 };
	struct flow f = { 0 };
	enum decide_as as;
	struct error err;
	struct named n;
	bool ok;

	if (!parse_as(o->as, &as))
		return CTL_USAGE;
	ok = ctl_open(&f, conf, CTL_STORE | CTL_QUEUE | CTL_KAKAOPAY, &err) && ctl_need_site(&f, &err) && find_named(&f, o, &n, &err) &&
	    flow_decide(&f, &c, n.cid, n.order, n.tid, as, o->reason, o->dry_run, &report, &err);
	ctl_close(&f);
	if (report.kakaopay[0] != '\0')
		printf("KakaoPay says   %s\n", report.kakaopay);
	if (!ok)
		return ctl_complain("payment settle", &err);
	printf("%s was %s, %s %s\n", n.tid, attempt_state_name(report.before), o->dry_run ? "would be (dry run: nothing was changed)" : "is now", attempt_state_name(report.after));
	return CTL_OK;
}

static bool
read_refund(const struct options *o, struct flow_refund_request *rq)
{
	unsigned char random[8];
	char hex[2 * sizeof(random) + 1];

	*rq = (struct flow_refund_request){ .asked = { -1, -1 } };
	if (!take_text("id", o->id, rq->refund_id, sizeof(rq->refund_id)) || !take_text("reason", o->reason, rq->reason, sizeof(rq->reason)) ||
	    (o->amount != NULL && !parse_number("amount", o->amount, 1, MAX_WON, &rq->asked.amount)) ||
	    (o->tax_free != NULL && !parse_number("tax-free", o->tax_free, 0, MAX_WON, &rq->asked.tax_free)))
		return false;
	if (o->tax_free != NULL && o->amount == NULL) {
		fprintf(stderr, "roompayctl: --tax-free goes with --amount\n");
		return false;
	}
	if (rq->refund_id[0] == '@' || strlen(o->args[0]) >= sizeof(rq->tid)) {
		fprintf(stderr, "roompayctl: no such tid, or an --id that begins with @\n");
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
		return "there is no payment with this tid";
	case FR_REFUND_EXCEEDS:
		return "more than is left of the payment";
	case FR_TAX_FREE_REQUIRED:
		return "a part of this payment must say its tax-free amount: --tax-free";
	case FR_REFUND_IN_PROGRESS:
		return "another refund of this payment is under way: look again later";
	case FR_REFUND_MISMATCH:
		return "this --id was another refund";
	case FR_REFUND_DECLINED:
		return "KakaoPay refused it";
	case FR_IN_REVIEW:
		return "the payment is in review: payment settle first";
	case FR_PROVIDER_ERROR:
	case FR_PROVIDER_UNREACHABLE:
		return "KakaoPay did not carry it out: nothing was given back; the same --id may be tried again";
	default:
		return "it could not be done now";
	}
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
	    store_payment_get(f.store, rq.tid, &p, &found, c.deadline_boot_ms, &err) && (found || error_set(&err, ERR_NOT_FOUND, "%s", refusal_text(FR_NO_PAYMENT)));
	if (ok && o->dry_run) {
		printf("%s: %" PRId64 " won paid by %s for %s; %s would be given back (dry run: nothing was changed)\n", p.tid, p.amount.total, ctl_visible(p.user_id),
		    ctl_visible(p.item_name),
		    o->amount != NULL ? o->amount : "all that is left");
	} else if (ok) {
		flow_refund(&f, &c, &rq, cids, n_cids, &a);
		if (a.result == FR_OK)
			printf("given back %" PRId64 " won; %" PRId64 " in all, %" PRId64 " left (refund %s)\n", a.refund.amount, a.refund.canceled, a.refund.left, rq.refund_id);
		else if (a.result == FR_REFUND_UNKNOWN)
			printf("sent, and its end is not known yet: the courier finds out. To ask again: --id %s\n", rq.refund_id);
		else
			ok = error_set(&err, ERR_CONFLICT, "%s%s%s (refund %s)", refusal_text(a.result), a.detail[0] != '\0' ? ": " : "", a.detail, rq.refund_id);
	}
	ctl_close(&f);
	return !ok ? ctl_complain("payment refund", &err) : a.result == FR_REFUND_UNKNOWN ? CTL_FAILED : CTL_OK;
}
