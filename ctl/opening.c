/* refund opening: a room does not open on a day of the week, and everybody who paid for it is
 * refunded. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl/command.h"
#include "ctl/lang.h"
#include "ctl/progress.h"
#include "ctl/rows.h"
#include "flow/times.h"
#include "json/write.h"
#include "operate/opening.h"

struct report {
	int64_t refunded, refunded_won, before, unknown, failed;
};

static bool
usage(const char *sentence)
{
	fprintf(stderr, "roompayctl: %s\n", sentence);
	return false;
}

/* "mon" or "1", as the site writes days; 7 is Sunday too. -1: neither. */
static int
weekday(const char *text)
{
	static const char *const names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

	if (text[0] >= '0' && text[0] <= '7' && text[1] == '\0')
		return (text[0] - '0') % 7;
	for (int i = 0; i < 7; i++)
		if (strcasecmp(names[i], text) == 0)
			return i;
	return -1;
}

/* "10-12", "9:30-12:00" */
static bool
read_hours(const char *text, int *start, int *end)
{
	int h1, m1 = 0, h2, m2 = 0, n = 0;

	if ((sscanf(text, "%2d:%2d-%2d:%2d%n", &h1, &m1, &h2, &m2, &n) != 4 || text[n] != '\0') &&
	    (m1 = m2 = n = 0, sscanf(text, "%2d-%2d%n", &h1, &h2, &n) != 2 || text[n] != '\0'))
		return false;
	*start = 60 * h1 + m1;
	*end = 60 * h2 + m2;
	return m1 >= 0 && m1 < 60 && m2 >= 0 && m2 < 60;
}

static bool
read_opening(const struct options *o, const struct conf *conf, struct operate_opening *out,
    int64_t *count)
{
	int start = 0, end = DAY_MINUTES, day = o->weekday != NULL ? weekday(o->weekday) : -1;

	*count = -1;
	if (o->room == NULL || day < 0)
		return usage(tr(
		    "refund opening needs --room and --weekday (sun, mon, ... or 0 to 7)",
		    "refund opening에는 --room과 --weekday(sun, mon, ... 또는 0~7)가 필요합니다"));
	if (!ctl_check_room(o->room) || !ctl_check_cid(o->cid, conf) ||
	    (o->from != NULL && !ctl_parse_when("from", o->from, &out->from_ms)) ||
	    (o->to != NULL && !ctl_parse_when("to", o->to, &out->to_ms)) ||
	    (o->count != NULL && !ctl_parse_number("count", o->count, 0, 1000000, count)))
		return false;
	if ((o->hours != NULL && !read_hours(o->hours, &start, &end)) ||
	    !interval_make(day, start, end, &out->when))
		return usage(tr("--hours must be like 10-12 or 9:30-12:00",
		    "--hours는 10-12 또는 9:30-12:00처럼 씁니다"));
	if (!o->dry_run && o->count == NULL)
		return usage(tr("look first with --dry-run: it says which --count to give",
		    "먼저 --dry-run으로 보세요. 어떤 --count를 쓸지 알려 줍니다"));
	for (size_t i = 0; i < ROOM_CAP - 1; i++)
		out->room_id[i] =
		    (char)(o->room[i] >= 'A' && o->room[i] <= 'F' ? o->room[i] + 32 : o->room[i]);
	return true;
}

static const struct column columns[] = {
	{ "tid", { "tid", "tid" }, 0, ROWS_WHOLE },
	{ NULL, { "approved", "승인" }, 1, ROWS_WHOLE },
	{ "partner_order_id", { "order", "주문" }, 3, 0 },
	{ "userId", { "user", "사용자" }, 2, 0 },
	{ "amount", { "goes back", "환불할 금액" }, 0, ROWS_RIGHT },
	{ "end", { "end", "결과" }, 0, ROWS_WHOLE },
	{ "error", { "why not", "못한 이유" }, 0, ROWS_WRAP },
};

static void
add_row(struct rows *rows, const struct operate_hit *h, const char *end, const char *why)
{
	rows_add(rows,
	    (struct cell[]){ cell_text(h->payment.tid), cell_time(h->payment.approved_at_ms),
		cell_text(h->payment.partner_order_id), cell_text(h->payment.user_id),
		cell_int(h->left), cell_text(end), cell_text(why) });
}

/* One after the other; what fails stops nobody else, and is done by the next run. */
static void
refund_all(struct flow *f, const struct options *o, const struct operate_opening *opening,
    const struct operate_hit *hits, size_t n, struct rows *rows, struct report *r)
{
	static struct flow_answer a;

	for (size_t i = 0; i < n; i++) {
		const char *end = "refunded", *why = NULL;
		struct flow_call c = ctl_call();

		if (hits[i].left == 0) {
			end = "before";
			r->before++;
		} else if (!o->dry_run) {
			operate_refund_opening(f, &c, opening, &hits[i], o->reason, &a);
			end = a.result == FR_OK		    ? end
			    : a.result == FR_REFUND_UNKNOWN ? "unknown"
							    : "failed";
			why = end[0] == 'f'
			    ? (a.detail[0] != '\0' ? a.detail : "not carried out now")
			    : NULL;
			*(a.result == FR_OK	? &r->refunded
				: end[0] == 'u' ? &r->unknown
						: &r->failed) += 1;
			r->refunded_won += a.result == FR_OK ? a.refund.amount : 0;
		} else {
			end = "would";
			r->refunded++;
			r->refunded_won += hits[i].left;
		}
		add_row(rows, &hits[i], end, why);
		progress_show(tr("refunding:", "환불 중:"), i + 1, n);
	}
	progress_end();
}

static bool
print_report(const struct options *o, const struct report *r, size_t n, struct rows *rows)
{
	struct buf b = BUF_INIT, list = BUF_INIT;
	bool ok;

	if (!o->json) {
		ok = rows_print(rows, o,
		    tr("nobody has paid for this time", "이 시간을 결제한 사람이 없습니다"));
		if (o->dry_run)
			printf(tr("%zu payments, %" PRId64 " won would go back; %" PRId64
				  " went back before (dry run: nothing was "
				  "changed). To do it: --count %zu\n",
				   "결제 %zu건, %" PRId64 "원을 환불하게 됩니다. 이미 환불 %" PRId64
				   "건 (dry run: 바꾼 것 없음). 실행하려면: --count %zu\n"),
			    n, r->refunded_won, r->before, n);
		else
			printf(tr("%" PRId64 " refunded (%" PRId64 " won), %" PRId64
				  " before, %" PRId64 " with an end that is not known "
				  "yet, %" PRId64 " failed%s\n",
				   "환불 %" PRId64 "건(%" PRId64 "원), 이미 환불 %" PRId64
				   "건, 결과 모름 %" PRId64 "건, 실패 %" PRId64 "건%s\n"),
			    r->refunded, r->refunded_won, r->before, r->unknown, r->failed,
			    r->unknown + r->failed > 0
				? tr(": run it again, nothing is paid twice",
				      ". 다시 실행하세요. 두 번 나가지 않습니다")
				: "");
		return ok;
	}
	rows_format(rows, &list);
	buf_add_char(&b, '{');
	json_add_int_member(&b, "count", (int64_t)n);
	json_add_int_member(&b, "refunded", o->dry_run ? 0 : r->refunded);
	json_add_int_member(&b, "amount", r->refunded_won);
	json_add_int_member(&b, "before", r->before);
	json_add_int_member(&b, "unknown", r->unknown);
	json_add_int_member(&b, "failed", r->failed);
	json_add_bool_member(&b, "dryRun", o->dry_run);
	json_add_raw_member(&b, "payments", buf_str(&list));
	buf_add_char(&b, '}');
	b.bad = b.bad || list.bad || rows->bad;
	buf_clear(&list);
	return ctl_print(&b);
}

enum ctl_exit
ctl_refund_opening(const struct options *o, const struct conf *conf)
{
	const char *cids[CONF_MERCHANTS_MAX];
	struct operate_opening opening = { .cids = cids, .n_cids = ctl_cids(conf, cids) };
	struct operate_hit *hits = NULL;
	struct rows rows = ROWS(columns);
	struct report report = { .refunded = 0 };
	struct flow f = { 0 };
	struct error err;
	int64_t count;
	size_t n = 0;
	bool ok;

	if (!read_opening(o, conf, &opening, &count))
		return CTL_USAGE;
	if (o->cid != NULL) {
		cids[0] = o->cid;
		opening.n_cids = 1;
	}
	ok = ctl_open(&f, conf, CTL_STORE | CTL_QUEUE | CTL_KAKAOPAY, &err) &&
	    ctl_need_site(&f, &err) && operate_find_opening(&f, &opening, &hits, &n, &err) &&
	    (o->dry_run || (int64_t)n == count ||
		error_set(&err, ERR_CONFLICT,
		    tr("there are %zu such payments and not %" PRId64
		       ": nothing was refunded. Look again with --dry-run",
			"그런 결제는 %zu건이며 %" PRId64
			"건이 아닙니다. 환불하지 않았습니다. --dry-run으로 다시 보세요"),
		    n, count));
	if (ok)
		refund_all(&f, o, &opening, hits, n, &rows, &report);
	ctl_close(&f);
	free(hits);
	if (!ok)
		return ctl_complain("refund opening", &err);
	ok = print_report(o, &report, n, &rows);
	rows_clear(&rows);
	return ok && report.unknown + report.failed == 0 ? CTL_OK : CTL_FAILED;
}
