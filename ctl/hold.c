/* holds list, show, release: what the queue holds. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/command.h"
#include "ctl/explain.h"
#include "ctl/rows.h"
#include "flow/decide.h"

static const char *const columns[] = { "tid", "state", "room", "user", "order", "cid", "until" };

static void
add_hold(struct rows *rows, const struct queue_hold *h)
{
	struct now now = clock_now();
	int64_t until = h->state == HOLD_HELD || h->state == HOLD_READY ? now.wall_ms + h->expires_boot_ms - now.boot_ms : 0;

	rows_add(rows, (const char *[]){ h->tid[0] != '\0' ? h->tid : "-", hold_state_name(h->state), h->room, h->user, h->order, h->cid, ctl_kst(until) });
}

static bool
is_wanted(const struct options *o, const struct queue_hold *h)
{
	return (o->room == NULL || strcasecmp(o->room, h->room) == 0) && (o->user == NULL || strcmp(o->user, h->user) == 0) &&
	    (o->cid == NULL || strcmp(o->cid, h->cid) == 0);
}

enum ctl_exit
ctl_holds_list(const struct options *o, const struct conf *conf)
{
	struct rows rows = ROWS(columns);
	struct queue_answer qa;
	struct flow f = { 0 };
	uint64_t after = 0;
	struct error err;
	bool ok;

	ok = ctl_open(&f, conf, CTL_QUEUE, &err);
	while (ok) {
		ok = queue_next(f.queue, after, ctl_call().deadline_boot_ms, &qa, &err);
		if (!ok || qa.code != HA_OK)
			break;
		after = qa.hold.id;
		if (is_wanted(o, &qa.hold))
			add_hold(&rows, &qa.hold);
	}
	ctl_close(&f);
	if (!rows_print(&rows, o->json, "nothing is held") && ok)
		return CTL_FAILED;
	return ok ? CTL_OK : ctl_complain("holds list", &err);
}

static bool
find_hold(struct flow *f, const char *tid, struct queue_answer *qa, struct error *err)
{
	return queue_find_tid(f->queue, tid, ctl_call().deadline_boot_ms, qa, err) &&
	    (qa->code == HA_OK || error_set(err, ERR_NOT_FOUND, "the queue has no hold with the tid %s", tid));
}

enum ctl_exit
ctl_holds_show(const struct options *o, const struct conf *conf)
{
	bool korean = explain_is_korean(o->lang);
	struct rows rows = ROWS(columns);
	struct queue_answer qa;
	struct flow f = { 0 };
	struct error err;
	bool ok;

	ok = ctl_open(&f, conf, CTL_QUEUE, &err) && find_hold(&f, o->args[0], &qa, &err);
	ctl_close(&f);
	if (!ok)
		return ctl_complain("holds show", &err);
	add_hold(&rows, &qa.hold);
	if (!rows_print(&rows, o->json, ""))
		return CTL_FAILED;
	if (!o->json)
		printf("%s\n", explain_state(hold_state_name(qa.hold.state), FC_ABSENT, korean).happened);
	return CTL_OK;
}

/* What may be released, and how it is said to the flow that removes it. */
static bool
may_release(const struct queue_hold *h, bool *by_reservation, struct error *err)
{
	*by_reservation = h->state == HOLD_APPROVED;
	if (h->state == HOLD_READY || h->state == HOLD_EXPIRED || h->state == HOLD_APPROVED)
		return true;
	if (h->state == HOLD_HELD)
		return error_set(err, ERR_CONFLICT, "its ready call is under way: it ends by itself within seconds");
	if (h->state == HOLD_APPROVING || h->state == HOLD_UNKNOWN || h->state == HOLD_REVIEW)
		return error_set(err, ERR_CONFLICT, "it is %s and may be charged: settle it first (payment settle %s)", hold_state_name(h->state), h->tid);
	return error_set(err, ERR_CONFLICT, "it is %s: nothing is held", hold_state_name(h->state));
}

static bool
release(struct flow *f, const struct options *o, const struct conf *conf, const struct queue_hold *h, struct error *err)
{
	const char *cids[CONF_MERCHANTS_MAX];
	size_t n_cids = ctl_cids(conf, cids);
	static struct flow_answer a;
	struct flow_call c = ctl_call();
	bool by_reservation, written;

	if (!may_release(h, &by_reservation, err))
		return false;
	if (o->dry_run) {
		printf("%s is %s and would be released (dry run: nothing was changed)\n", h->tid, hold_state_name(h->state));
		return true;
	}
	if (!flow_note(f, &c, h->cid, h->order, h->tid, o->reason, &written, err))
		return false;
	flow_remove(f, &c, by_reservation, h->user, h->room, by_reservation ? h->tid : NULL, cids, n_cids, &a);
	if (a.result != FR_OK || !a.removed)
		return error_set(err, ERR_CONFLICT, "it was not released%s%s", a.detail[0] != '\0' ? ": " : ": it changed meanwhile", a.detail);
	printf("%s was %s and is released%s\n", h->tid, hold_state_name(h->state), written ? "" : "; it had no ledger yet: the reason is kept nowhere but here");
	return true;
}

enum ctl_exit
ctl_holds_release(const struct options *o, const struct conf *conf)
{
	struct queue_answer qa;
	struct flow f = { 0 };
	struct error err;
	bool ok;

	ok = ctl_open(&f, conf, CTL_STORE | CTL_QUEUE, &err) && ctl_need_site(&f, &err) && find_hold(&f, o->args[0], &qa, &err) && release(&f, o, conf, &qa.hold, &err);
	ctl_close(&f);
	return ok ? CTL_OK : ctl_complain("holds release", &err);
}
