/* status, queue adopt: the site as a whole. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/command.h"
#include "ctl/lang.h"
#include "flow/site.h"
#include "json/write.h"

enum { LOOK_MS = 5000 };

/* As site_open, but nothing is claimed, admitted or made. */
struct look {
	bool store, queue;
	struct store_claim claim;
	struct queue_greeting hello;
	const char *detail;		/* a sentence: what is so, and what to do */
	bool open;
	struct error store_err, queue_err;
};

static const char *
judge(struct flow *f, struct look *l)
{
	struct ledger_event e;
	bool found = true;

	if (!l->store)
		return site_fence_text(SITE_STORE_AWAY);
	if (!l->queue)
		return site_fence_text(SITE_QUEUE_AWAY);
	if (l->claim.number == 0)
		return tr("the site has no queue yet: the first program that serves takes this one",
		    "사이트에 아직 큐가 없습니다. 먼저 시작하는 프로그램이 이 큐를 씁니다");
	if (strcmp(l->claim.queue_id, l->hello.id) != 0)
		return site_fence_text(SITE_OTHER_QUEUE);
	if (strcmp(l->hello.fence, "new") == 0 && l->claim.number > 1)
		return site_fence_text(SITE_ADOPTING);
	if (l->hello.last_n > 0 &&
	    !store_ledger_get(f->store, l->hello.cid, l->hello.order, l->hello.last_n, &e, &found, clock_boot_ms() + LOOK_MS, &l->store_err))
		return site_fence_text(SITE_STORE_AWAY);
	if (!found)
		return site_fence_text(SITE_OLD_DATABASE);
	if (l->hello.last_n > 0)
		ledger_event_clear(&e);
	if (strcmp(l->hello.fence, "no-room") == 0)
		return tr("the queue's disk is full: it grants nothing new; make room on it",
		    "큐의 디스크가 가득 차 새로 잡지 않습니다. 공간을 비우세요");
	l->open = true;
	return tr("payments can be taken", "결제를 받고 있습니다");
}

static void
look_at(struct flow *f, struct look *l)
{
	memset(l, 0, sizeof(*l));
	l->store = store_claim_get(f->store, &l->claim, clock_boot_ms() + LOOK_MS, &l->store_err);
	l->queue = queue_hello(f->queue, &l->hello, clock_boot_ms() + LOOK_MS, &l->queue_err);
	l->detail = judge(f, l);
}

static bool
print_json(const struct look *l)
{
	struct buf b = BUF_INIT;

	buf_add_char(&b, '{');
	json_add_str_member(&b, "version", PACKAGE_VERSION);
	json_add_bool_member(&b, "ready", l->open);
	json_add_str_member(&b, "detail", l->detail);
	json_add_str_member(&b, "store", l->store ? "ok" : "unavailable");
	json_add_str_member(&b, "queue", l->queue ? "ok" : "unavailable");
	if (l->store && l->claim.number > 0)
		json_add_str_member(&b, "siteQueue", l->claim.queue_id);
	if (l->queue) {
		json_add_str_member(&b, "runningQueue", l->hello.id);
		json_add_time_member(&b, "runningSince", clock_wall_ms() - l->hello.up_ms);
		if (l->hello.fence[0] != '\0')
			json_add_str_member(&b, "fence", l->hello.fence);
	}
	buf_add_char(&b, '}');
	return ctl_print(&b);
}

static bool
print_table(const struct look *l)
{
	printf("%s%s\n", tr("database       ", "데이터베이스   "), l->store ? tr("answers", "답함") : l->store_err.msg);
	printf("%s%s\n", tr("queue          ", "큐             "), l->queue ? l->hello.id : l->queue_err.msg);
	if (l->queue)
		printf(tr("               up %" PRId64 " s%s%s\n", "               %" PRId64 "초째 실행 중%s%s\n"),
		    l->hello.up_ms / 1000, l->hello.fence[0] != '\0' ? tr(", closed: ", ", 닫힘: ") : "", l->hello.fence);
	if (l->store && l->claim.number > 0)
		printf("%s%s%s\n", tr("site's queue   ", "사이트의 큐    "), l->claim.queue_id,
		    l->claim.number > 1 ? tr(" (adopted)", " (받아들임)") : "");
	printf("%s%s\n", tr("payments       ", "결제           "), l->detail);
	return true;
}

enum ctl_exit
ctl_status(const struct options *o, const struct conf *conf)
{
	struct flow f = { 0 };
	struct error err;
	struct look l;

	if (!ctl_open(&f, conf, CTL_STORE | CTL_QUEUE, &err)) {
		ctl_close(&f);
		return ctl_complain("status", &err);
	}
	look_at(&f, &l);
	ctl_close(&f);
	return (o->json ? print_json : print_table)(&l) && l.open ? CTL_OK : CTL_FAILED;
}

static bool
tell_adopted(const struct options *o, const struct look *l, bool adopted, const char *sentence)
{
	struct buf b = BUF_INIT;

	if (!o->json) {
		puts(sentence);
		return true;
	}
	buf_add_char(&b, '{');
	json_add_bool_member(&b, "adopted", adopted);
	json_add_bool_member(&b, "dryRun", o->dry_run);
	if (l->claim.number > 0)
		json_add_str_member(&b, "siteQueue", l->claim.queue_id);
	json_add_str_member(&b, "runningQueue", l->hello.id);
	json_add_str_member(&b, "detail", sentence);
	buf_add_char(&b, '}');
	return ctl_print(&b);
}

/* Only a queue that is still new may take the place of a lost one. */
static bool
adopt_new(const struct options *o, struct flow *f, const struct look *l, struct error *err)
{
	bool is_new = strcmp(l->hello.fence, "new") == 0;

	if (!o->json)
		printf(tr("lost queue     %s\nrunning queue  %s\n", "잃은 큐        %s\n지금 도는 큐   %s\n"),
		    l->claim.queue_id, l->hello.id);
	if (!is_new)
		fputs(tr("The running queue is not new: it may be another site's, or an older journal of this one. Make "
		    "sure that it is meant.\n", "지금 도는 큐가 새것이 아닙니다. 다른 사이트의 큐이거나 이 사이트의 옛 저널일 수 "
		    "있으니 맞는지 확인하세요.\n"), stderr);
	if (o->dry_run)
		return true;
	if (!is_new)
		return error_set(err, ERR_CONFLICT, tr("only a queue with a new journal can be adopted: stop it, move its "
		    "directory away, start it again",
		    "새 저널의 큐만 받아들일 수 있습니다. 멈추고 디렉터리를 옮긴 뒤 다시 시작하세요"));
	return store_claim_adopt(f->store, &l->claim, l->hello.id, o->reason, clock_boot_ms() + LOOK_MS, err);
}

static enum ctl_exit
adopt(const struct options *o, struct flow *f)
{
	struct error err;
	struct look l;
	bool told;

	look_at(f, &l);
	if (!l.store)
		return ctl_complain("queue adopt: store", &l.store_err);
	if (!l.queue)
		return ctl_complain("queue adopt: queue", &l.queue_err);
	if (l.claim.number == 0 || strcmp(l.claim.queue_id, l.hello.id) == 0)
		told = tell_adopted(o, &l, false, tr("nothing to adopt: the running queue is the site's own",
		    "받아들일 것이 없습니다. 지금 도는 큐가 사이트의 큐입니다"));
	else if (!adopt_new(o, f, &l, &err))
		return ctl_complain("queue adopt", &err);
	else if (o->dry_run)
		told = tell_adopted(o, &l, false, tr("dry run: nothing was changed", "dry run: 바꾼 것 없음"));
	else
		told = tell_adopted(o, &l, true, tr("adopted. roompay-courier tells it now what the ledger knows; payments are "
		    "taken again when that is done (roompayctl status).", "받아들였습니다. 이제 roompay-courier가 원장의 내용을 "
		    "알려 주고, 끝나면 다시 결제를 받습니다 (roompayctl status)."));
	return told ? CTL_OK : CTL_FAILED;
}

enum ctl_exit
ctl_queue_adopt(const struct options *o, const struct conf *conf)
{
	struct flow f = { 0 };
	enum ctl_exit code;
	struct error err;

	code = ctl_open(&f, conf, CTL_STORE | CTL_QUEUE, &err) ? adopt(o, &f) : ctl_complain("queue adopt", &err);
	ctl_close(&f);
	return code;
}
