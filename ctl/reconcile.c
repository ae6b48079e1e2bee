/* reconcile: a day of the ledger against what KakaoPay says of it. Changes nothing. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/command.h"
#include "ctl/lang.h"
#include "ctl/progress.h"
#include "ctl/rows.h"

enum { PAGE = 100, DAY_MS = 24 * 3600 * 1000, EVENTS = 1000, CALL_MS = 10000 };

/* What can differ, each with what to do; also the words of --json. */
enum difference { D_EQUAL, D_REFUND_MISSING, D_REFUND_UNKNOWN_THERE, D_AMOUNT, D_NOT_CAPTURED, D_MISSING_PAYMENT,
	D_STRANGE, D_SILENT, D__MAX };
static const struct { const char *word, *what[2]; } differences[] = {
	[D_EQUAL] = { "equal", { "", "" } },
	[D_REFUND_MISSING] = { "refunded-outside", {
		"KakaoPay gave back more than the ledger knows: made in the console? the courier notes it when it "
		"inquires",
		"카카오페이가 원장보다 많이 환불함. 콘솔에서 했는지 확인. courier가 조회할 때 기록함" } },
	[D_REFUND_UNKNOWN_THERE] = { "refund-not-there", {
		"the ledger has a refund that KakaoPay does not: call their support, do not repeat it",
		"원장에는 있고 카카오페이에는 없는 환불. 다시 하지 말고 카카오페이에 문의" } },
	[D_AMOUNT] = { "amount", { "KakaoPay took another amount than was recorded", "카카오페이가 받은 금액이 기록과 다름" } },
	[D_NOT_CAPTURED] = { "not-captured", { "recorded as paid, and KakaoPay says that it is not",
		"결제된 것으로 기록했으나 카카오페이는 아니라고 함" } },
	[D_MISSING_PAYMENT] = { "missing-payment", {
		"KakaoPay took money, and the ledger says nothing of it: payment settle",
		"카카오페이가 돈을 받았으나 원장에 없음: payment settle" } },
	[D_STRANGE] = { "strange", { "a status that no document names", "어느 문서에도 없는 상태" } },
	[D_SILENT] = { "silent", { "KakaoPay did not answer: run it again", "카카오페이가 답하지 않음. 다시 실행" } },
};

static const struct column columns[] = {
	{ "difference", { "difference", "차이" }, 0, ROWS_WHOLE },
	{ "tid", { "tid", "tid" }, 0, ROWS_WHOLE },
	{ "cid", { "cid", "cid" }, 4, 0 },
	{ "partner_order_id", { "order", "주문" }, 3, 0 },
	{ "status", { "kakaopay", "카카오페이" }, 2, 0 },
	{ "total", { "total", "금액" }, 0, ROWS_RIGHT },
	{ "refunded", { "refunded", "환불" }, 0, ROWS_RIGHT },
	{ "canceled", { "canceled", "취소" }, 0, ROWS_RIGHT },
	{ "advice", { "what", "설명" }, 0, ROWS_WRAP },
};

struct run {
	struct flow f;
	const char *const *cids;
	size_t n_cids;
	int64_t from_ms, to_ms;
	struct rows rows;
	int64_t by_difference[D__MAX];
	size_t done, all;		/* all: as far as is known */
};

static enum difference
compare_captured(const struct provider_order *o, const struct payment *p, int64_t refunded)
{
	int64_t canceled = o->has_canceled ? o->canceled.total : o->status == PS_CANCELED ? p->amount.total : 0;

	if (o->status == PS_FAILED || o->status == PS_PENDING)
		return D_NOT_CAPTURED;
	if (o->status == PS_STRANGE || o->status == PS_ISSUED_SID)
		return D_STRANGE;
	if (o->payment.amount.total != p->amount.total)
		return D_AMOUNT;
	return canceled > refunded ? D_REFUND_MISSING : canceled < refunded ? D_REFUND_UNKNOWN_THERE : D_EQUAL;
}

static enum difference
compare_uncaptured(const struct provider_order *o)
{
	if (o->status == PS_PAID || o->status == PS_PART_CANCELED || o->status == PS_CANCELED)
		return D_MISSING_PAYMENT;
	return o->status == PS_STRANGE ? D_STRANGE : D_EQUAL;
}

/* p NULL: the ledger has no capture of this tid. */
static bool
compare(struct run *r, const char *cid, const char *order, const char *tid, const struct payment *p, int64_t refunded, struct error *err)
{
	struct provider_order said;
	struct provider_answer pa;
	enum provider_outcome ko;
	enum difference d;

	if (!provider_order(r->f.provider, cid, tid, clock_boot_ms() + CALL_MS, &ko, &said, &pa, err))
		return false;
	d = ko != PO_OK ? D_SILENT : p != NULL ? compare_captured(&said, p, refunded) : compare_uncaptured(&said);
	if (ko != PO_OK && p == NULL && pa.http >= 400 && pa.http < 500)
		d = D_EQUAL;	/* it knows no such payment: nothing was taken */
	r->by_difference[d]++;
	if (++r->done > r->all)	/* attempts without a capture come last, and are few */
		r->all = r->done;
	progress_show(tr("asking KakaoPay:", "카카오페이에 묻는 중:"), r->done, r->all);
	if (d != D_EQUAL)
		rows_add(&r->rows, (struct cell[]){ cell_text(differences[d].word), cell_text(tid), cell_text(cid),
		    cell_text(order), cell_text(ko == PO_OK ? said.status_text : NULL),
		    p != NULL ? cell_int(p->amount.total) : cell_text(NULL), cell_int(refunded),
		    ko == PO_OK && said.has_canceled ? cell_int(said.canceled.total) : cell_text(NULL),
		    cell_text(differences[d].what[ctl_is_korean()]) });
	return true;
}

static bool
compare_payment(struct run *r, const struct payment *p, struct error *err)
{
	struct ledger_chain chain = { 0 };
	struct order_state st;
	bool ok;

	ok = store_ledger_chain(r->f.store, p->cid, p->partner_order_id, &chain, ctl_call().deadline_boot_ms, err) && order_state(&chain, p->tid, &st, err) &&
	    compare(r, p->cid, p->partner_order_id, p->tid, p, st.refunded.total, err);
	ledger_chain_clear(&chain);
	return ok;
}

/* All payments of the day, before the first question: so that it is known how many there will be. *list is the caller's to free. */
static bool
gather_payments(const struct run *r, struct payment **list, size_t *n, struct error *err)
{
	struct store_history h = { .cids = r->cids, .n_cids = r->n_cids, .from_ms = r->from_ms, .to_ms = r->to_ms, .limit = PAGE };
	bool more = true;

	*list = NULL;
	*n = 0;
	while (more) {
		struct payment *page, *grown;
		size_t n_page;

		if (!store_history(r->f.store, &h, &page, &n_page, &more, ctl_call().deadline_boot_ms, err))
			return false;
		grown = reallocarray(*list, *n + n_page + 1, sizeof(**list));
		if (grown == NULL) {
			free(page);
			return error_set(err, ERR_INTERNAL, "out of memory");
		}
		*list = grown;
		if (n_page > 0) {
			memcpy(grown + *n, page, n_page * sizeof(*page));
			*n += n_page;
			h.after.approved_at_ms = grown[*n - 1].approved_at_ms;
			memcpy(h.after.tid, grown[*n - 1].tid, sizeof(h.after.tid));
		}
		free(page);
	}
	return true;
}

static bool
compare_payments(struct run *r, struct error *err)
{
	struct payment *list;
	size_t n;
	bool ok = gather_payments(r, &list, &n, err);

	r->all = n;
	for (size_t i = 0; ok && i < n; i++)
		ok = compare_payment(r, &list[i], err);
	free(list);
	return ok;
}

/* An approve of the day that the ledger does not take for a capture. Under the event that began it, so each once. */
static bool
compare_event(struct run *r, const struct ledger_event *e, struct error *err)
{
	struct ledger_chain chain = { 0 };
	struct order_state st = { 0 };
	bool ok, last;

	if (e->kind != LK_APPROVING || e->at_ms >= r->to_ms)
		return true;
	ok = store_ledger_chain(r->f.store, e->cid, e->partner_order_id, &chain, ctl_call().deadline_boot_ms, err) && order_state(&chain, e->tid, &st, err);
	last = ok && st.approving != NULL && st.approving->n == e->n;
	for (size_t i = 0; ok && last && i < chain.n; i++)	/* a capture of this tid is compared as a payment */
		last = !(chain.ev[i].has_payment && strcmp(chain.ev[i].tid, e->tid) == 0);
	if (ok && last && st.approving->deadline_ms + 2000 < clock_wall_ms())
		ok = compare(r, e->cid, e->partner_order_id, e->tid, NULL, 0, err);
	ledger_chain_clear(&chain);
	return ok;
}

static bool
compare_events(struct run *r, struct error *err)
{
	int64_t from = r->from_ms;
	bool ok = true, more = true;

	while (ok && more) {
		struct ledger_event *list;
		int64_t last = from;
		size_t n;

		ok = store_ledger_since(r->f.store, from, EVENTS, &list, &n, ctl_call().deadline_boot_ms, err);
		for (size_t i = 0; i < n; i++) {
			ok = ok && compare_event(r, &list[i], err);
			last = list[i].at_ms;
			ledger_event_clear(&list[i]);
		}
		free(list);
		more = n == EVENTS && last < r->to_ms;
		from = last > from ? last : from + 1;
	}
	return ok;
}

static void
sum_up(const struct run *r)
{
	int64_t all = 0;

	for (int d = 0; d < D__MAX; d++)
		all += r->by_difference[d];
	fprintf(stderr, tr("compared %" PRId64 ": equal %" PRId64, "비교 %" PRId64 "건: 같음 %" PRId64), all, r->by_difference[D_EQUAL]);
	for (int d = D_EQUAL + 1; d < D__MAX; d++)
		if (r->by_difference[d] > 0)
			fprintf(stderr, ", %s %" PRId64, differences[d].word, r->by_difference[d]);
	fputc('\n', stderr);
}

enum ctl_exit
ctl_reconcile(const struct options *o, const struct conf *conf)
{
	const char *cids[CONF_MERCHANTS_MAX];
	struct run r = { .cids = cids, .n_cids = ctl_cids(conf, cids), .rows = ROWS(columns) };
	struct error err;
	bool ok;

	if (o->day == NULL || strlen(o->day) != strlen("2026-03-05") || !clock_parse_when(o->day, &r.from_ms)) {
		fputs(tr("roompayctl: reconcile needs --day YYYY-MM-DD (Korean time)\n",
		    "roompayctl: reconcile에는 --day YYYY-MM-DD(한국 시각)가 필요합니다\n"), stderr);
		return CTL_USAGE;
	}
	r.to_ms = r.from_ms + DAY_MS;
	ok = ctl_open(&r.f, conf, CTL_STORE | CTL_KAKAOPAY, &err) && compare_payments(&r, &err) && compare_events(&r, &err);
	progress_end();
	ctl_close(&r.f);
	if (!ok) {	/* the part of a day that was compared says nothing of the day */
		rows_clear(&r.rows);
		return ctl_complain("reconcile", &err);
	}
	if (!rows_print(&r.rows, o, tr("no difference", "차이가 없습니다")))
		return CTL_FAILED;
	sum_up(&r);
	for (int d = D_EQUAL + 1; d < D__MAX; d++)
		if (r.by_difference[d] > 0)
			return CTL_FAILED;
	return CTL_OK;
}
