/* restore: the orders that the queue remembers and the ledger lacks. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "ctl/command.h"
#include "ctl/lang.h"
#include "ctl/rows.h"
#include "flow/restore.h"
#include "json/write.h"

enum { PREPARE_MS = 10000 };

static const struct column columns[] = {
	{ "cid", { NULL, NULL }, 0, 0 },
	{ "partner_order_id", { NULL, NULL }, 0, 0 },
	{ "end", { NULL, NULL }, 0, 0 },
	{ "detail", { NULL, NULL }, 0, 0 },
};

struct telling {
	const struct options *o;
	struct rows rows;
};

static bool
add_entry(void *ctx, const struct order_entry *e, struct error *err)
{
	return restorer_add(ctx, e, err);
}

/* For people each order as it is done: it may take long. */
static void
tell(void *ctx, const char *cid, const char *order, enum restore_end end, const char *what)
{
	static const char *const words[] = { [RESTORE_WHOLE] = "whole",
		[RESTORE_BEHIND] = "behind",
		[RESTORE_WRITTEN] = "written",
		[RESTORE_FAILED] = "FAILED" };
	struct telling *t = ctx;

	if (t->o->json)
		rows_add(&t->rows,
		    (struct cell[]){ cell_text(cid), cell_text(order),
			cell_text(end == RESTORE_FAILED ? "failed" : words[end]),
			cell_text(what) });
	else
		printf("%-8s %s %s  %s\n", words[end], cid, ctl_visible(order), ctl_visible(what));
}

static bool
sum_up(const struct options *o, const struct restore_report *r, const struct rows *rows)
{
	struct buf b = BUF_INIT, list = BUF_INIT;
	bool ok;

	if (!o->json) {
		printf(tr("orders %" PRId64 ": whole %" PRId64 ", behind %" PRId64
			  ", written %" PRId64 ", failed %" PRId64 "%s\n",
			   "주문 %" PRId64 "건: 온전 %" PRId64 ", 빠짐 %" PRId64 ", 씀 %" PRId64
			   ", 실패 %" PRId64 "%s\n"),
		    r->orders, r->whole, r->behind, r->written, r->failed,
		    o->dry_run ? " (dry run)" : "");
		return true;
	}
	rows_format(rows, &list);
	buf_add_char(&b, '{');
	json_add_int_member(&b, "orders", r->orders);
	json_add_int_member(&b, "whole", r->whole);
	json_add_int_member(&b, "behind", r->behind);
	json_add_int_member(&b, "written", r->written);
	json_add_int_member(&b, "failed", r->failed);
	json_add_bool_member(&b, "dryRun", o->dry_run);
	json_add_raw_member(&b, "details", buf_str(&list));
	buf_add_char(&b, '}');
	b.bad = b.bad || list.bad || rows->bad;
	ok = ctl_print(&b);
	buf_clear(&list);
	return ok;
}

static enum ctl_exit
restore(const struct options *o, const struct conf *conf, struct flow *f, struct restorer *r)
{
	struct telling t = { .o = o, .rows = ROWS(columns) };
	struct restore_options how = { .reason = o->reason != NULL ? o->reason : "dry run",
		.dry_run = o->dry_run,
		.tell = tell,
		.ctx = &t };
	struct restore_report report;
	struct error err;
	int64_t torn;
	bool ok;

	if (!order_log_read(conf->queue_dir, add_entry, r, &torn, &err))
		return ctl_complain(tr("the queue's log of orders", "큐의 주문 기록"), &err);
	if (torn > 0)
		fprintf(stderr,
		    tr("roompayctl: %" PRId64
		       " lines of the queue's log are not whole and were passed over\n",
			"roompayctl: 큐의 주문 기록 %" PRId64
			"줄이 온전하지 않아 건너뛰었습니다\n"),
		    torn);
	if (!store_prepare(f->store, clock_boot_ms() + PREPARE_MS, &err) ||
	    !flow_restore(f, r, &how, &report, &err)) {
		rows_clear(&t.rows);
		return ctl_complain("restore", &err);
	}
	ok = sum_up(o, &report, &t.rows);
	rows_clear(&t.rows);
	return !ok || report.failed > 0 ? CTL_FAILED : CTL_OK;
}

enum ctl_exit
ctl_restore(const struct options *o, const struct conf *conf)
{
	struct restorer *r = restorer_new();
	enum ctl_exit code;
	struct flow f = { 0 };
	struct error err;

	error_set(&err, ERR_INTERNAL, "out of memory");
	code = r != NULL && ctl_open(&f, conf, CTL_STORE | CTL_KAKAOPAY, &err)
	    ? restore(o, conf, &f, r)
	    : ctl_complain("restore", &err);
	ctl_close(&f);
	restorer_free(&r);
	return code;
}
