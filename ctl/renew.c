/* queue renew: a new shared log in the place of one that cannot be used any more. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "ctl/command.h"
#include "ctl/lang.h"
#include "json/write.h"
#include "operate/status.h"

struct renewal {
	char before[QUEUE_ID_CAP], after[QUEUE_ID_CAP]; /* after: "" where nothing was done */
};

/* A log that its daemons use is not thrown away: its holds would be lost with it. */
static bool
may_be_given_up(const struct operate_status *s, struct error *err)
{
	if (s->queue && strcmp(s->hello.fence, "log-behind") != 0)
		return error_set(err, ERR_CONFLICT, "%s",
		    tr("this machine's queue uses the log, so there is no need for a new one: roompayctl "
		       "status",
			"이 서버의 큐가 공유 기록을 쓰고 있으므로 새 기록이 필요하지 않습니다: roompayctl status"));
	return true;
}

static bool
renew(const struct options *o, struct flow *f, struct renewal *r, struct error *err)
{
	static struct operate_status s;

	operate_status(f, &s);
	if (!may_be_given_up(&s, err) || !store_queue_log_find(f->store, r->before, err))
		return false;
	if (o->dry_run)
		return true;
	return random_hex(r->after, (QUEUE_ID_CAP - 1) / 2, err) &&
	    store_queue_log_renew(f->store, r->before, r->after, o->reason, err);
}

static bool
tell(const struct options *o, const struct renewal *r)
{
	const char *sentence = o->dry_run
	    ? tr("dry run: nothing was changed", "dry run: 바꾼 것 없음")
	    : tr("begun. Start roompay-queued on every machine, then: roompayctl queue adopt",
		  "시작했습니다. 모든 서버에서 roompay-queued를 시작한 다음: roompayctl queue adopt");
	struct buf b = BUF_INIT;

	if (!o->json) {
		printf(tr("log given up   %s\n", "버린 기록      %s\n"), r->before);
		if (!o->dry_run)
			printf(tr("new log        %s\n", "새 기록        %s\n"), r->after);
		puts(sentence);
		return true;
	}
	buf_add_char(&b, '{');
	json_add_bool_member(&b, "begun", !o->dry_run);
	json_add_bool_member(&b, "dryRun", o->dry_run);
	json_add_str_member(&b, "before", r->before);
	if (!o->dry_run)
		json_add_str_member(&b, "log", r->after);
	json_add_str_member(&b, "detail", sentence);
	buf_add_char(&b, '}');
	return ctl_print(&b);
}

enum ctl_exit
ctl_queue_renew(const struct options *o, const struct conf *conf)
{
	struct renewal r = { 0 };
	struct flow f = { 0 };
	struct error err;
	bool ok;

	error_clear(&err);
	if (conf->queue_log != QUEUE_LOG_MONGODB)
		ok = error_set(&err, ERR_CONFLICT, "%s",
		    tr("the queue's journal is on disk: roompayctl queue adopt",
			"큐의 저널이 디스크에 있습니다: roompayctl queue adopt"));
	else
		ok = ctl_open(&f, conf, CTL_STORE | CTL_QUEUE, &err) && renew(o, &f, &r, &err);
	ctl_close(&f);
	if (!ok)
		return ctl_complain("queue renew", &err);
	return tell(o, &r) ? CTL_OK : CTL_FAILED;
}
