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
#include "operate/status.h"

enum { LOOK_MS = 5000 };

/* What is so, and what to do: the same sentences as readyz, which are English alone. */
static const char *
fence_text(enum site_fence f)
{
	static const char *const korean[] = {
		[SITE_OPEN] = "",
		[SITE_STORE_AWAY] = "데이터베이스가 답하지 않습니다",
		[SITE_QUEUE_AWAY] = "큐가 답하지 않습니다: systemctl status roompay-queued",
		[SITE_OTHER_QUEUE] =
		    "데이터베이스는 다른 큐를 이 사이트의 큐로 알고 있습니다. 그 저널을 되돌려 놓거나 roompayctl queue "
		    "adopt",
		[SITE_ADOPTING] =
		    "받아들인 큐에 roompay-courier가 원장의 내용을 알려 주는 중입니다. 기다리세요",
		[SITE_OLD_DATABASE] = "데이터베이스가 큐보다 오래되었습니다: roompayctl restore",
	};

	return tr(site_fence_text(f), korean[f]);
}

static const char *
detail_of(const struct operate_status *s)
{
	switch (s->site) {
	case OPERATE_FIRST_QUEUE:
		return tr("the site has no queue yet: the first program that serves takes this one",
		    "사이트에 아직 큐가 없습니다. 먼저 시작하는 프로그램이 이 큐를 씁니다");
	case OPERATE_NO_ROOM:
		return tr("the queue's disk is full, and it grants nothing new: make room there",
		    "큐의 디스크가 가득 차 새로 잡지 않습니다. 공간을 비우세요");
	case OPERATE_FENCED:
		return fence_text(s->fence);
	case OPERATE_OPEN:
		break;
	}
	return tr("payments can be taken", "결제를 받고 있습니다");
}

static int64_t
live_holds(const struct operate_status *s)
{
	int64_t n = 0;

	for (int i = 0; i < HOLD__MAX; i++)
		if (hold_state_is_live((enum hold_state)i))
			n += s->holds[i];
	return n;
}

static void
add_counts(struct buf *b, const struct operate_status *s)
{
	static const char *const words[] = { [OPERATE_COURIER_UNKNOWN] = "unknown",
		[OPERATE_COURIER_OK] = "ok",
		[OPERATE_COURIER_AWAY] = "away" };

	json_add_str_member(b, "courier", words[s->courier]);
	if (s->courier_looked_ms != 0)
		json_add_time_member(b, "courierLookedAt", s->courier_looked_ms);
	if (s->has_owed) {
		json_add_int_member(b, "messagesOwed", s->owed);
		if (s->owed > 0)
			json_add_time_member(b, "oldestMessageAt", s->owed_since_ms);
		json_add_int_member(b, "openWork", s->open);
		if (s->open > 0)
			json_add_time_member(b, "oldestWorkAt", s->open_since_ms);
	}
	if (s->has_holds) {
		json_add_member(b, "holds");
		buf_add_char(b, '{');
		for (int i = 0; i < HOLD__MAX; i++)
			if (hold_state_is_live((enum hold_state)i))
				json_add_int_member(b, hold_state_name((enum hold_state)i),
				    s->holds[i]);
		buf_add_char(b, '}');
	}
	if (s->members > 0)
		json_add_int_member(b, "members", s->members);
}

static bool
print_json(const struct operate_status *s)
{
	struct buf b = BUF_INIT;

	buf_add_char(&b, '{');
	json_add_str_member(&b, "version", PACKAGE_VERSION);
	json_add_bool_member(&b, "ready", s->site == OPERATE_OPEN);
	json_add_str_member(&b, "detail", detail_of(s));
	json_add_str_member(&b, "store", s->store ? "ok" : "unavailable");
	json_add_str_member(&b, "queue", s->queue ? "ok" : "unavailable");
	if (s->store && s->claim.number > 0)
		json_add_str_member(&b, "siteQueue", s->claim.queue_id);
	if (s->queue) {
		json_add_str_member(&b, "runningQueue", s->hello.id);
		json_add_time_member(&b, "runningSince", clock_wall_ms() - s->hello.up_ms);
		if (s->hello.fence[0] != '\0')
			json_add_str_member(&b, "fence", s->hello.fence);
	}
	add_counts(&b, s);
	buf_add_char(&b, '}');
	return ctl_print(&b);
}

/* "3 s", "12 min", "5 h", "2 days" */
static const char *
how_long(int64_t ms)
{
	static char texts[4][40];
	static unsigned i;
	char *text = texts[i++ % 4];
	int64_t s = ms / 1000;

	if (s < 120)
		snprintf(text, sizeof(texts[0]), tr("%" PRId64 " s", "%" PRId64 "초"),
		    s > 0 ? s : 0);
	else if (s < 7200)
		snprintf(text, sizeof(texts[0]), tr("%" PRId64 " min", "%" PRId64 "분"), s / 60);
	else if (s < 48 * 3600)
		snprintf(text, sizeof(texts[0]), tr("%" PRId64 " h", "%" PRId64 "시간"), s / 3600);
	else
		snprintf(text, sizeof(texts[0]), tr("%" PRId64 " days", "%" PRId64 "일"),
		    s / 86400);
	return text;
}

static void
print_queue(const struct operate_status *s)
{
	const char *before = " (";

	printf("%s%s\n", tr("queue      ", "큐            "),
	    s->queue ? s->hello.id : ctl_visible(s->queue_err.msg));
	if (s->queue)
		printf(tr("           up %s%s%s\n", "              %s째 실행 중%s%s\n"),
		    how_long(s->hello.up_ms),
		    s->hello.fence[0] != '\0' ? tr(", closed: ", ", 닫힘: ") : "", s->hello.fence);
	if (s->members > 0)
		printf(tr("           %" PRId64 " machines share it\n",
			   "              서버 %" PRId64 "대가 함께 씀\n"),
		    s->members);
	if (s->store && s->claim.number > 0 &&
	    (!s->queue || strcmp(s->claim.queue_id, s->hello.id) != 0))
		printf("%s%s\n", tr("site's own ", "사이트의 큐   "), s->claim.queue_id);
	if (!s->has_holds)
		return;
	printf("%s%" PRId64, tr("holds      ", "잡은 시간     "), live_holds(s));
	for (int i = 0; i < HOLD__MAX; i++)
		if (hold_state_is_live((enum hold_state)i) && s->holds[i] > 0) {
			printf("%s%s %" PRId64, before, hold_state_name((enum hold_state)i),
			    s->holds[i]);
			before = ", ";
		}
	puts(before[0] == ',' ? ")" : "");
	if (s->holds[HOLD_REVIEW] > 0)
		printf("           %s\n",
		    tr("review: a person decides: roompayctl holds list, payment explain TID",
			"review는 사람이 정합니다: roompayctl holds list, payment explain TID"));
}

static void
print_courier(const struct operate_status *s)
{
	int64_t now = clock_wall_ms();

	printf("%s", tr("courier    ", "courier       "));
	if (s->courier == OPERATE_COURIER_UNKNOWN)
		puts(tr("not known here: it counts nothing on this machine (metrics_dir)",
		    "여기서는 알 수 없음: 이 서버에 기록이 없습니다 (metrics_dir)"));
	else
		printf(s->courier == OPERATE_COURIER_OK
			? tr("looked %s ago\n", "%s 전에 확인함\n")
			: tr("looked %s ago: it does not run: systemctl restart roompay-courier\n",
			      "%s 전에 마지막으로 확인함. 돌고 있지 않습니다: systemctl restart roompay-courier\n"),
		    how_long(now - s->courier_looked_ms));
	if (!s->has_owed)
		return;
	printf(tr("messages   %s%" PRId64 " owed", "메시지        %s%" PRId64 "건 전하지 못함"),
	    s->owed_more ? tr("at least ", "적어도 ") : "", s->owed);
	if (s->owed > 0)
		printf(tr(", the oldest for %s: roompayctl deliveries list",
			   ", 가장 오래된 것 %s: roompayctl deliveries list"),
		    how_long(now - s->owed_since_ms));
	printf(tr("\nopen       %" PRId64 " payments are not at their end",
		   "\n진행 중       %" PRId64 "건"),
	    s->open);
	if (s->open > 0)
		printf(tr(", the oldest for %s", ", 가장 오래된 것 %s"),
		    how_long(now - s->open_since_ms));
	putchar('\n');
}

static bool
print_table(const struct operate_status *s)
{
	printf("%sroompay %s\n", tr("version    ", "버전          "), PACKAGE_VERSION);
	printf("%s%s\n", tr("database   ", "데이터베이스  "),
	    s->store ? tr("answers", "답함") : ctl_visible(s->store_err.msg));
	print_queue(s);
	print_courier(s);
	printf("%s%s\n", tr("payments   ", "결제          "), detail_of(s));
	return true;
}

enum ctl_exit
ctl_status(const struct options *o, const struct conf *conf)
{
	static struct operate_status s;
	struct flow f = { 0 };
	struct error err;

	if (!ctl_open(&f, conf, CTL_STORE | CTL_QUEUE, &err)) {
		ctl_close(&f);
		return ctl_complain("status", &err);
	}
	operate_status(&f, &s);
	ctl_close(&f);
	return (o->json ? print_json : print_table)(&s) && s.site == OPERATE_OPEN ? CTL_OK
										  : CTL_FAILED;
}

static bool
tell_adopted(const struct options *o, const struct operate_status *l, bool adopted,
    const char *sentence)
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
adopt_new(const struct options *o, struct flow *f, const struct operate_status *l,
    struct error *err)
{
	bool is_new = strcmp(l->hello.fence, "new") == 0;

	if (!o->json)
		printf(tr("lost queue     %s\nrunning queue  %s\n",
			   "잃은 큐        %s\n지금 도는 큐   %s\n"),
		    l->claim.queue_id, l->hello.id);
	if (!is_new)
		fputs(
		    tr("The running queue is not new: it may be another site's, or an older journal of this one. Make "
		       "sure that it is meant.\n",
			"지금 도는 큐가 새것이 아닙니다. 다른 사이트의 큐이거나 이 사이트의 옛 저널일 수 "
			"있으니 맞는지 확인하세요.\n"),
		    stderr);
	if (o->dry_run)
		return true;
	if (!is_new)
		return error_set(err, ERR_CONFLICT,
		    tr("only a queue with a new journal can be adopted: stop it, move its "
		       "directory away, start it again",
			"새 저널의 큐만 받아들일 수 있습니다. 멈추고 디렉터리를 옮긴 뒤 다시 시작하세요"));
	return store_claim_adopt(f->store, &l->claim, l->hello.id, o->reason,
	    clock_boot_ms() + LOOK_MS, err);
}

static enum ctl_exit
adopt(const struct options *o, struct flow *f)
{
	struct error err;
	static struct operate_status l;
	bool told;

	operate_status(f, &l);
	if (!l.store)
		return ctl_complain("queue adopt: store", &l.store_err);
	if (!l.queue)
		return ctl_complain("queue adopt: queue", &l.queue_err);
	if (l.claim.number == 0 || strcmp(l.claim.queue_id, l.hello.id) == 0)
		told = tell_adopted(o, &l, false,
		    tr("nothing to adopt: the running queue is the site's own",
			"받아들일 것이 없습니다. 지금 도는 큐가 사이트의 큐입니다"));
	else if (!adopt_new(o, f, &l, &err))
		return ctl_complain("queue adopt", &err);
	else if (o->dry_run)
		told = tell_adopted(o, &l, false,
		    tr("dry run: nothing was changed", "dry run: 바꾼 것 없음"));
	else
		told = tell_adopted(o, &l, true,
		    tr("adopted. roompay-courier tells it now what the ledger knows; payments are "
		       "taken again when that is done (roompayctl status).",
			"받아들였습니다. 이제 roompay-courier가 원장의 내용을 "
			"알려 주고, 끝나면 다시 결제를 받습니다 (roompayctl status)."));
	return told ? CTL_OK : CTL_FAILED;
}

enum ctl_exit
ctl_queue_adopt(const struct options *o, const struct conf *conf)
{
	struct flow f = { 0 };
	enum ctl_exit code;
	struct error err;

	code = ctl_open(&f, conf, CTL_STORE | CTL_QUEUE, &err) ? adopt(o, &f)
							       : ctl_complain("queue adopt", &err);
	ctl_close(&f);
	return code;
}
