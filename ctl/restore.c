/* restore: the orders that the queue remembers and the ledger lacks. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "ctl/command.h"
#include "flow/restore.h"

enum { PREPARE_MS = 10000 };

static bool
add_entry(void *ctx, const struct order_entry *e, struct error *err)
{
	return restorer_add(ctx, e, err);
}

static void
tell(void *ctx, const char *cid, const char *order, enum restore_end end, const char *what)
{
	static const char *const words[] = { [RESTORE_WHOLE] = "whole", [RESTORE_BEHIND] = "behind", [RESTORE_WRITTEN] = "written", [RESTORE_FAILED] = "FAILED" };

	(void)ctx;
	printf("%-8s %s %s  %s\n", words[end], cid, ctl_visible(order), ctl_visible(what));
}

static enum ctl_exit
restore(const struct options *o, const struct conf *conf, struct flow *f, struct restorer *r)
{
	struct restore_options how = { .reason = o->reason != NULL ? o->reason : "dry run", .dry_run = o->dry_run, .tell = tell };
	struct restore_report report;
	struct error err;
	int64_t torn;

	if (!order_log_read(conf->queue_dir, add_entry, r, &torn, &err))
		return ctl_complain("the queue's log of orders", &err);
	if (torn > 0)
		fprintf(stderr, "roompayctl: %" PRId64 " lines of the queue's log are not whole and were passed over\n", torn);
	if (!store_prepare(f->store, clock_boot_ms() + PREPARE_MS, &err) || !flow_restore(f, r, &how, &report, &err))
		return ctl_complain("restore", &err);
	printf("orders %" PRId64 ": whole %" PRId64 ", behind %" PRId64 ", written %" PRId64 ", failed %" PRId64 "%s\n", report.orders, report.whole, report.behind,
	    report.written, report.failed, o->dry_run ? " (dry run)" : "");
	return report.failed > 0 ? CTL_FAILED : CTL_OK;
}

enum ctl_exit
ctl_restore(const struct options *o, const struct conf *conf)
{
	struct restorer *r = restorer_new();
	enum ctl_exit code;
	struct flow f = { 0 };
	struct error err;

	error_set(&err, ERR_INTERNAL, "out of memory");
	code = r != NULL && ctl_open(&f, conf, CTL_STORE | CTL_KAKAOPAY, &err) ? restore(o, conf, &f, r) : ctl_complain("restore", &err);
	ctl_close(&f);
	restorer_free(&r);
	return code;
}
