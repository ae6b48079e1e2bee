/* reconcile: a day of the ledger against what KakaoPay says of it. Changes nothing. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/command.h"
#include "ctl/lang.h"
#include "ctl/progress.h"
#include "ctl/rows.h"
#include "operate/reconcile.h"

enum { DAY_MS = 24 * 3600 * 1000, STORE_MS = 15000 };

/* What to do about each. */
static const char *const advice[][2] = {
	[DIFF_EQUAL] = { "", "" },
	[DIFF_REFUNDED_OUTSIDE] = { "KakaoPay gave back more than the ledger knows: made in the console? the courier notes it when it "
				    "inquires",
	    "카카오페이가 원장보다 많이 환불함. 콘솔에서 했는지 확인. courier가 조회할 때 기록함" },
	[DIFF_REFUND_NOT_THERE] = { "the ledger has a refund that KakaoPay does not: call their support, do not repeat it",
	    "원장에는 있고 카카오페이에는 없는 환불. 다시 하지 말고 카카오페이에 문의" },
	[DIFF_AMOUNT] = { "KakaoPay took another amount than was recorded",
	    "카카오페이가 받은 금액이 기록과 다름" },
	[DIFF_NOT_CAPTURED] = { "recorded as paid, and KakaoPay says that it is not",
	    "결제된 것으로 기록했으나 카카오페이는 아니라고 함" },
	[DIFF_MISSING_PAYMENT] = { "KakaoPay took money, and the ledger says nothing of it: payment settle",
	    "카카오페이가 돈을 받았으나 원장에 없음: payment settle" },
	[DIFF_STRANGE] = { "a status that no document names", "어느 문서에도 없는 상태" },
	[DIFF_SILENT] = { "KakaoPay did not answer: run it again",
	    "카카오페이가 답하지 않음. 다시 실행" },
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

static void
add_row(void *ctx, const struct operate_compared *c, size_t done, size_t all)
{
	struct rows *rows = ctx;

	progress_show(tr("asking KakaoPay:", "카카오페이에 묻는 중:"), done, all);
	if (c->difference != DIFF_EQUAL)
		rows_add(rows,
		    (struct cell[]){ cell_text(difference_name(c->difference)), cell_text(c->tid),
			cell_text(c->cid), cell_text(c->order), cell_text(c->status),
			c->has_payment ? cell_int(c->total) : cell_text(NULL),
			cell_int(c->refunded),
			c->has_canceled ? cell_int(c->canceled) : cell_text(NULL),
			cell_text(advice[c->difference][ctl_is_korean()]) });
}

/* True: no difference. */
static bool
sum_up(const int64_t counts[DIFF__MAX])
{
	int64_t all = 0;

	for (int d = 0; d < DIFF__MAX; d++)
		all += counts[d];
	fprintf(stderr,
	    tr("compared %" PRId64 ": equal %" PRId64, "비교 %" PRId64 "건: 같음 %" PRId64), all,
	    counts[DIFF_EQUAL]);
	for (int d = DIFF_EQUAL + 1; d < DIFF__MAX; d++)
		if (counts[d] > 0)
			fprintf(stderr, ", %s %" PRId64, difference_name((enum difference)d),
			    counts[d]);
	fputc('\n', stderr);
	return all == counts[DIFF_EQUAL];
}

enum ctl_exit
ctl_reconcile(const struct options *o, const struct conf *conf)
{
	const char *cids[CONF_MERCHANTS_MAX];
	struct rows rows = ROWS(columns);
	struct operate_day day = { .cids = cids,
		.n_cids = ctl_cids(conf, cids),
		.on_compared = add_row,
		.ctx = &rows };
	int64_t counts[DIFF__MAX];
	struct flow f = { 0 };
	struct error err;
	bool ok;

	if (o->day == NULL || strlen(o->day) != strlen("2026-03-05") ||
	    !clock_parse_when(o->day, &day.from_ms)) {
		fputs(tr("roompayctl: reconcile needs --day YYYY-MM-DD (Korean time)\n",
			  "roompayctl: reconcile에는 --day YYYY-MM-DD(한국 시각)가 필요합니다\n"),
		    stderr);
		return CTL_USAGE;
	}
	day.to_ms = day.from_ms + DAY_MS;
	ok = ctl_open(&f, conf, CTL_STORE | CTL_KAKAOPAY, &err) &&
	    operate_reconcile(&f, &day, STORE_MS, counts, &err);
	progress_end();
	ctl_close(&f);
	if (!ok) { /* the part of a day that was compared says nothing of the day */
		rows_clear(&rows);
		return ctl_complain("reconcile", &err);
	}
	if (!rows_print(&rows, o, tr("no difference", "차이가 없습니다")))
		return CTL_FAILED;
	return sum_up(counts) ? CTL_OK : CTL_FAILED;
}
