/* import check: what an older service wrote into `payments`, and mending it. */
#include "config.h"

#include <stdio.h>

#include "ctl/command.h"
#include "ctl/lang.h"
#include "ctl/rows.h"
#include "json/write.h"
#include "operate/import.h"

struct sums {
	int64_t lacks[32], right, late, odd, shift, copies, differ, has_ledger;
};

static struct sums
add_up(const struct import *im)
{
	struct sums s = { 0 };

	for (size_t i = 0; i < im->n; i++) {
		const struct import_item *it = &im->items[i];

		for (unsigned m = 0; store_foreign_member(m) != NULL; m++)
			s.lacks[m] += it->of.lacks >> m & 1;
		s.right += it->dates == IMPORT_RIGHT;
		s.late += it->dates == IMPORT_LATE;
		s.odd += it->dates == IMPORT_ODD;
		s.shift += import_will_shift(it);
		s.copies += import_will_set_aside(it);
		s.differ += it->twice == IMPORT_DIFFERS;
		s.has_ledger += it->has_ledger;
	}
	return s;
}

static const char *const
    date_words[] = { [IMPORT_RIGHT] = "right", [IMPORT_LATE] = "late", [IMPORT_ODD] = "odd" };
static const char *const twice_words[] = { [IMPORT_ONCE] = "",
	[IMPORT_FIRST] = "first",
	[IMPORT_COPY] = "copy",
	[IMPORT_DIFFERS] = "differs" };

static const char *
plan_of(const struct import_item *it)
{
	return import_will_set_aside(it) ? "set-aside" : import_will_shift(it) ? "shift" : "";
}

static const struct column columns[] = {
	{ "tid", { "tid", "tid" }, 0, ROWS_WHOLE },
	{ "id", { "_id", "_id" }, 1, ROWS_WHOLE },
	{ "approved_at", { "approved", "승인" }, 0, ROWS_WHOLE },
	{ "inserted_at", { "inserted", "저장" }, 0, ROWS_WHOLE },
	{ "dates", { "dates", "시각" }, 0, 0 },
	{ "late_minutes", { "late by", "늦은 분" }, 0, ROWS_RIGHT },
	{ "twice", { "twice", "중복" }, 0, 0 },
	{ "plan", { "plan", "할 일" }, 0, ROWS_WHOLE },
};

static void
list_items(const struct import *im, struct rows *rows)
{
	for (size_t i = 0; i < im->n; i++) {
		const struct import_item *it = &im->items[i];

		if (it->dates != IMPORT_RIGHT || it->twice != IMPORT_ONCE)
			rows_add(rows,
			    (struct cell[]){ cell_text(it->of.payment.tid), cell_text(it->of.id),
				cell_time(it->of.payment.approved_at_ms),
				cell_time(it->of.inserted_ms), cell_text(date_words[it->dates]),
				it->dates == IMPORT_LATE ? cell_int(it->late_ms / 60000)
							 : cell_text(NULL),
				cell_text(twice_words[it->twice]), cell_text(plan_of(it)) });
	}
}

static bool
print_json(const struct import *im, const struct sums *s, bool mended)
{
	struct rows rows = ROWS(columns);
	struct buf b = BUF_INIT;

	buf_add_char(&b, '{');
	json_add_int_member(&b, "ours", (int64_t)im->ours);
	json_add_int_member(&b, "foreign", (int64_t)im->n);
	json_add_int_member(&b, "withLedger", s->has_ledger);
	json_add_member(&b, "lacks");
	buf_add_char(&b, '{');
	for (unsigned m = 0; store_foreign_member(m) != NULL; m++)
		if (s->lacks[m] > 0)
			json_add_int_member(&b, store_foreign_member(m), s->lacks[m]);
	buf_add_char(&b, '}');
	json_add_int_member(&b, "datesRight", s->right);
	json_add_int_member(&b, "datesLate", s->late);
	json_add_int_member(&b, "datesOdd", s->odd);
	json_add_int_member(&b, "toShift", s->shift);
	json_add_int_member(&b, "toSetAside", s->copies);
	json_add_int_member(&b, "tidsDiffer", s->differ);
	json_add_bool_member(&b, "mended", mended);
	json_add_member(&b, "documents");
	list_items(im, &rows);
	rows_format(&rows, &b);
	buf_add_char(&b, '}');
	b.bad = b.bad || rows.bad;
	rows_clear(&rows);
	return ctl_print(&b);
}

static void
print_lacks(const struct sums *s)
{
	for (unsigned m = 0; store_foreign_member(m) != NULL; m++)
		if (s->lacks[m] > 0)
			printf(tr("  %-20s is missing in %lld\n", "  %-20s 없음: %lld건\n"),
			    store_foreign_member(m), (long long)s->lacks[m]);
}

static bool
print_text(const struct options *o, const struct import *im, const struct sums *s, bool mended)
{
	struct rows rows = ROWS(columns);
	bool ok;

	printf(
	    tr("payments of ours  %zu (never touched)\nof another program %zu, of these with a ledger %lld (left alone)\n",
		"roompay의 결제  %zu건 (건드리지 않음)\n다른 프로그램의 결제 %zu건, 그중 원장이 있는 것 %lld건 (그대로 둠)\n"),
	    im->ours, im->n, (long long)s->has_ledger);
	print_lacks(s);
	printf(tr("dates: right %lld, late by a time zone %lld, odd %lld (left alone)\n",
		   "시각: 맞음 %lld, 시간대만큼 늦음 %lld, 알 수 없음 %lld (그대로 둠)\n"),
	    (long long)s->right, (long long)s->late, (long long)s->odd);
	list_items(im, &rows);
	ok = rows_print(&rows, o, tr("no document needs anything", "손볼 문서가 없습니다"));
	printf(mended
		? tr("done: %lld dates set right, %lld second copies moved to %s\n",
		      "완료: 시각 %lld건을 고치고, 사본 %lld건을 %s에 옮겼습니다\n")
		: tr("would be mended: %lld dates set right, %lld second copies moved to %s (nothing was changed)\n",
		      "고치게 됩니다: 시각 %lld건, 사본 %lld건을 %s에 옮김 (바꾼 것 없음)\n"),
	    (long long)s->shift, (long long)s->copies, STORE_SET_ASIDE);
	if (s->differ > 0)
		printf(
		    tr("%lld documents have a tid that stands in others with other members: no payment is taken until\n"
		       "each tid stands once. Compare them with KakaoPay, and move the wrong ones away yourself\n",
			"같은 tid인데 내용이 다른 문서가 %lld건 있습니다. tid마다 하나만 남을 때까지 결제를 받지 않습니다.\n"
			"카카오페이와 비교하고 틀린 문서를 직접 옮기세요\n"),
		    (long long)s->differ);
	return ok;
}

enum ctl_exit
ctl_import_check(const struct options *o, const struct conf *conf)
{
	bool mend = o->apply != NULL && !o->dry_run, ok, printed = false;
	struct import im = { 0 };
	struct flow f = { 0 };
	struct error err;
	struct sums s;

	if (mend && o->reason == NULL) {
		fputs(
		    tr("roompayctl: --apply changes something: say why with --reason\n",
			"roompayctl: --apply는 무언가를 바꿉니다. --reason으로 이유를 말하세요\n"),
		    stderr);
		return CTL_USAGE;
	}
	ok = ctl_open(&f, conf, CTL_STORE, &err) && import_look(f.store, &im, &err);
	s = add_up(&im);
	if (ok && mend && s.shift + s.copies > 0)
		ok = import_mend(f.store, &im, o->reason, &err);
	if (ok)
		printed = o->json ? print_json(&im, &s, mend) : print_text(o, &im, &s, mend);
	import_clear(&im);
	ctl_close(&f);
	if (!ok)
		return ctl_complain("import check", &err);
	return printed && s.differ == 0 && (mend || s.copies == 0) ? CTL_OK : CTL_FAILED;
}
