/* refund list, settlement: what went back, and what a day brought. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/command.h"
#include "ctl/lang.h"
#include "ctl/rows.h"
#include "flow/life.h"
#include "operate/json.h"
#include "operate/settlement.h"

enum { DAY_MS = 24 * 3600 * 1000 };

/* --day, or --from and --to. */
static bool
read_days(const struct options *o, int64_t *from_ms, int64_t *to_ms)
{
	if (o->day == NULL)
		return (o->from == NULL || ctl_parse_when("from", o->from, from_ms)) &&
		    (o->to == NULL || ctl_parse_when("to", o->to, to_ms));
	if (strlen(o->day) != strlen("2026-03-05") || !clock_parse_when(o->day, from_ms)) {
		fputs(tr("roompayctl: --day must be YYYY-MM-DD (Korean time)\n",
			  "roompayctl: --day는 YYYY-MM-DD(한국 시각)입니다\n"),
		    stderr);
		return false;
	}
	*to_ms = *from_ms + DAY_MS;
	return true;
}

static const struct column refund_columns[] = {
	{ NULL, { "refunded", "환불" }, 0, ROWS_WHOLE },
	{ NULL, { "tid", "tid" }, 0, ROWS_WHOLE },
	{ NULL, { "order", "주문" }, 3, 0 },
	{ NULL, { "user", "사용자" }, 2, 0 },
	{ NULL, { "won", "원" }, 0, ROWS_RIGHT },
	{ NULL, { "in all", "합계" }, 4, ROWS_RIGHT },
	{ NULL, { "refund", "환불 번호" }, 1, 0 },
	{ NULL, { "by", "누가" }, 5, 0 },
};

static bool
print_refunds(const struct options *o, const struct ledger_event *list, size_t n)
{
	struct rows rows = ROWS(refund_columns);
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < n && !o->json; i++)
		rows_add(&rows,
		    (struct cell[]){ cell_time(list[i].at_ms), cell_text(list[i].tid),
			cell_text(list[i].partner_order_id), cell_text(list[i].user_id),
			cell_int(list[i].refund.amount), cell_int(list[i].refund.canceled),
			cell_text(list[i].refund.id), cell_text(ctl_by(list[i].by, list[i].who)) });
	if (!o->json)
		return rows_print(&rows, o, tr("no refund", "환불이 없습니다"));
	buf_add_char(&b, '[');
	for (size_t i = 0; i < n; i++) {
		buf_add_str(&b, i > 0 ? ",\n" : "");
		refund_format(&list[i], &b);
	}
	buf_add_char(&b, ']');
	return ctl_print(&b);
}

enum ctl_exit
ctl_refund_list(const struct options *o, const struct conf *conf)
{
	const char *cids[CONF_MERCHANTS_MAX];
	struct store_history h = { .cids = cids, .n_cids = ctl_cids(conf, cids) };
	struct ledger_event *list = NULL;
	struct flow f = { 0 };
	int64_t limit = 50;
	bool more = false, ok, printed = false;
	struct error err;
	size_t n = 0;

	if (!ctl_take_text("user", o->user, h.user_id, sizeof(h.user_id)) ||
	    !ctl_take_text("order", o->order, h.partner_order_id, sizeof(h.partner_order_id)) ||
	    !ctl_check_cid(o->cid, conf) || !read_days(o, &h.from_ms, &h.to_ms) ||
	    (o->limit != NULL && !ctl_parse_number("limit", o->limit, 1, 10000, &limit)))
		return CTL_USAGE;
	if (o->cid != NULL) {
		cids[0] = o->cid;
		h.n_cids = 1;
	}
	h.limit = (size_t)limit;
	ok = ctl_open(&f, conf, CTL_STORE, &err) &&
	    store_refunds(f.store, &h, &list, &n, &more, ctl_call().deadline_boot_ms, &err);
	if (ok)
		printed = print_refunds(o, list, n);
	for (size_t i = 0; i < n; i++)
		ledger_event_clear(&list[i]);
	free(list);
	ctl_close(&f);
	if (!ok)
		return ctl_complain("refund list", &err);
	if (more)
		fputs(tr("roompayctl: there are more: --limit, --from and --to choose\n",
			  "roompayctl: 더 있습니다. --limit, --from, --to로 고르세요\n"),
		    stderr);
	return printed ? CTL_OK : CTL_FAILED;
}

static const struct column day_columns[] = {
	{ NULL, { "cid", "cid" }, 0, ROWS_WHOLE },
	{ NULL, { "captures", "결제" }, 0, ROWS_RIGHT },
	{ NULL, { "won", "결제 금액" }, 0, ROWS_RIGHT },
	{ NULL, { "refunds", "환불" }, 0, ROWS_RIGHT },
	{ NULL, { "won back", "환불 금액" }, 0, ROWS_RIGHT },
	{ NULL, { "net", "차액" }, 0, ROWS_RIGHT },
};

static void
add_day(struct rows *rows, const char *name, const struct operate_takings *d)
{
	rows_add(rows,
	    (struct cell[]){ cell_text(name), cell_int(d->captures), cell_int(d->captured),
		cell_int(d->refunds), cell_int(d->refunded), cell_int(d->captured - d->refunded) });
}

static bool
print_days_json(const struct operate_takings *days, size_t n)
{
	struct buf b = BUF_INIT;

	ctl_begin_list(&b);
	for (size_t i = 0; i < n; i++) {
		ctl_next_item(&b);
		operate_json_takings(&b, &days[i]);
	}
	return ctl_print_list(&b);
}

static bool
print_days(const struct options *o, const struct operate_takings *days, size_t n)
{
	struct operate_takings all = { .captures = 0 };
	struct rows rows = ROWS(day_columns);

	for (size_t i = 0; i < n; i++) {
		add_day(&rows, days[i].cid, &days[i]);
		all.captures += days[i].captures;
		all.captured += days[i].captured;
		all.refunds += days[i].refunds;
		all.refunded += days[i].refunded;
	}
	if (n > 1)
		add_day(&rows, tr("in all", "합계"), &all);
	return rows_print(&rows, o, tr("no merchant", "가맹점이 없습니다"));
}

enum ctl_exit
ctl_settlement(const struct options *o, const struct conf *conf)
{
	struct operate_takings days[CONF_MERCHANTS_MAX];
	const char *cids[CONF_MERCHANTS_MAX];
	struct operate_settlement s = { .cids = cids, .n_cids = ctl_cids(conf, cids) };
	struct flow f = { 0 };
	struct error err;
	bool ok;

	if (o->day == NULL)
		fputs(tr("roompayctl: settlement needs --day YYYY-MM-DD (Korean time)\n",
			  "roompayctl: settlement에는 --day YYYY-MM-DD(한국 시각)가 필요합니다\n"),
		    stderr);
	if (o->day == NULL || !read_days(o, &s.from_ms, &s.to_ms))
		return CTL_USAGE;
	ok = ctl_open(&f, conf, CTL_STORE, &err) && operate_settlement(&f, &s, days, &err);
	ctl_close(&f);
	if (!ok)
		return ctl_complain("settlement", &err);
	ok = o->json ? print_days_json(days, s.n_cids) : print_days(o, days, s.n_cids);
	return ok ? CTL_OK : CTL_FAILED;
}
