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
#include "operate/json.h"
#include "operate/reconcile.h"

enum { DAY_MS = 24 * 3600 * 1000, STORE_MS = 15000 };

static const struct column columns[] = {
	{ NULL, { "difference", "차이" }, 0, ROWS_WHOLE },
	{ NULL, { "tid", "tid" }, 0, ROWS_WHOLE },
	{ NULL, { "cid", "cid" }, 4, 0 },
	{ NULL, { "order", "주문" }, 3, 0 },
	{ NULL, { "kakaopay", "카카오페이" }, 2, 0 },
	{ NULL, { "total", "금액" }, 0, ROWS_RIGHT },
	{ NULL, { "refunded", "환불" }, 0, ROWS_RIGHT },
	{ NULL, { "canceled", "취소" }, 0, ROWS_RIGHT },
	{ NULL, { "what", "설명" }, 0, ROWS_WRAP },
};

struct found {
	struct rows rows;
	struct buf json;
};

static void
add_difference(void *ctx, const struct operate_compared *c, size_t done, size_t all)
{
	struct found *x = ctx;

	progress_show(tr("asking KakaoPay:", "카카오페이에 묻는 중:"), done, all);
	if (c->difference == DIFF_EQUAL)
		return;
	ctl_next_item(&x->json);
	operate_json_difference(&x->json, c, ctl_is_korean());
	rows_add(&x->rows,
	    (struct cell[]){ cell_text(difference_name(c->difference)), cell_text(c->tid),
		cell_text(c->cid), cell_text(c->order), cell_text(c->status),
		c->has_payment ? cell_int(c->total) : cell_text(NULL), cell_int(c->refunded),
		c->has_canceled ? cell_int(c->canceled) : cell_text(NULL),
		cell_text(difference_advice(c->difference, ctl_is_korean())) });
}

static bool
print_found(const struct options *o, struct found *x)
{
	bool ok = o->json ? ctl_print_list(&x->json)
			  : rows_print(&x->rows, o, tr("no difference", "차이가 없습니다"));

	rows_clear(&x->rows);
	buf_clear(&x->json);
	return ok;
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
	struct found found = { .rows = ROWS(columns) };
	struct operate_reconcile day = { .cids = cids,
		.n_cids = ctl_cids(conf, cids),
		.on_compared = add_difference,
		.ctx = &found };
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
	ctl_begin_list(&found.json);
	ok = ctl_open(&f, conf, CTL_STORE | CTL_KAKAOPAY, &err) &&
	    operate_reconcile(&f, &day, STORE_MS, counts, &err);
	progress_end();
	ctl_close(&f);
	if (!ok) { /* the part of a day that was compared says nothing of the day */
		rows_clear(&found.rows);
		buf_clear(&found.json);
		return ctl_complain("reconcile", &err);
	}
	if (!print_found(o, &found))
		return CTL_FAILED;
	return sum_up(counts) ? CTL_OK : CTL_FAILED;
}
