/* holds list, show, release: what the queue holds. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/command.h"
#include "ctl/lang.h"
#include "ctl/rows.h"
#include "flow/times.h"
#include "operate/explain.h"
#include "operate/json.h"
#include "operate/release.h"

static const struct column columns[] = {
	{ NULL, { "tid", "tid" }, 0, ROWS_WHOLE },
	{ NULL, { "state", "상태" }, 0, 0 },
	{ NULL, { "room", "방" }, 0, ROWS_WHOLE },
	{ NULL, { "user", "사용자" }, 3, 0 },
	{ NULL, { "order", "주문" }, 2, 0 },
	{ NULL, { "cid", "cid" }, 4, 0 },
	{ NULL, { "until", "만료" }, 1, ROWS_WHOLE },
	{ NULL, { "held", "시간" }, 0, ROWS_WRAP },
};

/* Empty where an old queue did not say. */
static void
format_intervals(const struct queue_hold *h, struct buf *text)
{
	struct attempt *a = malloc(sizeof(*a));
	struct interval_set set = { .n = 0 };
	struct error err;

	if (a != NULL && attempt_parse(h->attempt, a, &err) && a->intervals[0] != '\0' &&
	    interval_set_parse(a->intervals, &set, &err))
		times_add_text(text, &set, ctl_is_korean());
	free(a);
}

static void
add_hold(struct rows *rows, const struct queue_hold *h)
{
	struct now now = clock_now();
	bool may_expire = h->state == HOLD_HELD || h->state == HOLD_READY;
	int64_t until = may_expire ? now.wall_ms + h->expires_boot_ms - now.boot_ms : 0;
	struct buf text = BUF_INIT;

	format_intervals(h, &text);
	rows_add(rows,
	    (struct cell[]){ cell_text(h->tid), cell_text(hold_state_name(h->state)),
		cell_text(h->room), cell_text(h->user), cell_text(h->order), cell_text(h->cid),
		cell_time(until), cell_text(buf_str(&text)) });
	rows->bad = rows->bad || text.bad;
	buf_clear(&text);
}

static bool
is_wanted(const struct options *o, const struct queue_hold *h)
{
	return (o->room == NULL || strcasecmp(o->room, h->room) == 0) &&
	    (o->user == NULL || strcmp(o->user, h->user) == 0) &&
	    (o->cid == NULL || strcmp(o->cid, h->cid) == 0);
}

enum ctl_exit
ctl_holds_list(const struct options *o, const struct conf *conf)
{
	struct rows rows = ROWS(columns);
	struct buf list = BUF_INIT;
	struct queue_answer qa;
	struct flow f = { 0 };
	uint64_t after = 0;
	struct error err;
	bool ok;

	if (!ctl_check_room(o->room) || !ctl_check_cid(o->cid, conf))
		return CTL_USAGE;
	ok = ctl_open(&f, conf, CTL_QUEUE, &err);
	ctl_begin_list(&list);
	while (ok) {
		ok = queue_next(f.queue, after, ctl_call().deadline_boot_ms, &qa, &err);
		if (!ok || qa.code != HA_OK)
			break;
		after = qa.hold.id;
		if (!is_wanted(o, &qa.hold))
			continue;
		add_hold(&rows, &qa.hold);
		ctl_next_item(&list);
		operate_json_hold(&list, &qa.hold, conf);
	}
	ctl_close(&f);
	if (!ok)
		(void)ctl_complain("holds list", &err);
	if (!ok || o->json) {
		rows_clear(&rows);
		ok = ok && ctl_print_list(&list);
		buf_clear(&list);
		return ok ? CTL_OK : CTL_FAILED;
	}
	buf_clear(&list);
	return rows_print(&rows, o, tr("nothing is held", "잡아 둔 시간이 없습니다")) ? CTL_OK
										      : CTL_FAILED;
}

static bool
find_hold(struct flow *f, const char *tid, struct queue_answer *qa, struct error *err)
{
	return queue_find_tid(f->queue, tid, ctl_call().deadline_boot_ms, qa, err) &&
	    (qa->code == HA_OK ||
		error_set(err, ERR_NOT_FOUND,
		    tr("the queue has no hold with the tid %s", "큐에 tid가 %s인 것이 없습니다"),
		    tid));
}

enum ctl_exit
ctl_holds_show(const struct options *o, const struct conf *conf)
{
	struct rows rows = ROWS(columns);
	struct buf b = BUF_INIT;
	struct queue_answer qa;
	struct flow f = { 0 };
	struct error err;
	bool ok;

	ok = ctl_open(&f, conf, CTL_QUEUE, &err) && find_hold(&f, o->args[0], &qa, &err);
	ctl_close(&f);
	if (!ok)
		return ctl_complain("holds show", &err);
	if (o->json) {
		operate_json_hold(&b, &qa.hold, conf);
		ok = ctl_print(&b);
	} else {
		add_hold(&rows, &qa.hold);
		ok = rows_print(&rows, o, "");
		puts(explain_state(hold_state_name(qa.hold.state), ctl_is_korean())->happened);
	}
	return ok ? CTL_OK : CTL_FAILED;
}

static bool
complain_release(enum operate_release how, const struct queue_hold *h, const char *detail,
    struct error *err)
{
	const char *why = operate_release_text(how, ctl_is_korean());

	if (how == RELEASE_MAY_BE_CHARGED)
		return error_set(err, ERR_CONFLICT, "%s: %s (payment settle %s)",
		    hold_state_name(h->state), why, h->tid);
	return error_set(err, ERR_CONFLICT, "%s: %s%s%s", hold_state_name(h->state), why,
	    detail[0] != '\0' ? ": " : "", detail);
}

/* noted: the reason stands in the ledger. */
static bool
tell_release(const struct options *o, const struct queue_hold *h, bool noted)
{
	struct buf b = BUF_INIT;

	if (o->json) {
		operate_json_released(&b, h, o->dry_run);
		return ctl_print(&b);
	}
	if (o->dry_run)
		printf(tr("%s is %s and would be released (dry run: nothing was changed)\n",
			   "%s은(는) %s 상태이며 풀 수 있습니다 (dry run: 바꾼 것 없음)\n"),
		    h->tid, hold_state_name(h->state));
	else
		printf(tr("%s was %s and is released%s\n", "%s은(는) %s 상태였고, 풀었습니다%s\n"),
		    h->tid, hold_state_name(h->state),
		    noted ? ""
			  : tr("; it had no ledger yet: the reason is kept nowhere but here",
				"; 아직 원장이 없어 이유는 여기에만 남습니다"));
	return true;
}

static bool
release(struct flow *f, const struct options *o, const struct conf *conf,
    const struct queue_hold *h, struct error *err)
{
	const char *cids[CONF_MERCHANTS_MAX];
	size_t n_cids = ctl_cids(conf, cids);
	struct flow_call c = ctl_call();
	struct operate_released out;
	enum operate_release how;

	if (!operate_release(f, &c, h, cids, n_cids, o->reason, o->dry_run, &how, &out, err))
		return false;
	if (how != RELEASE_DONE)
		return complain_release(how, h, out.detail, err);
	return tell_release(o, h, out.noted) ||
	    error_set(err, ERR_INTERNAL, "standard output is gone");
}

enum ctl_exit
ctl_holds_release(const struct options *o, const struct conf *conf)
{
	struct queue_answer qa;
	struct flow f = { 0 };
	struct error err;
	bool ok;

	ok = ctl_open(&f, conf, CTL_STORE | CTL_QUEUE, &err) && ctl_need_site(&f, &err) &&
	    find_hold(&f, o->args[0], &qa, &err) && release(&f, o, conf, &qa.hold, &err);
	ctl_close(&f);
	return ok ? CTL_OK : ctl_complain("holds release", &err);
}
