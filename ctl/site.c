/* status, queue adopt: the site as a whole. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/command.h"
#include "ctl/lang.h"
#include "operate/adopt.h"
#include "operate/json.h"
#include "operate/status.h"

static int64_t
live_holds(const struct operate_status *s)
{
	int64_t n = 0;

	for (int i = 0; i < HOLD__MAX; i++)
		if (hold_state_is_live((enum hold_state)i))
			n += s->holds[i];
	return n;
}

static bool
print_json(const struct operate_status *s)
{
	struct buf b = BUF_INIT;

	operate_json_status(&b, s, ctl_is_korean());
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
	if (s->has_log)
		printf(tr("           number %" PRId64 " of the log, %" PRId64
			  " behind; heard %s ago, clock %" PRId64 " ms off\n",
			   "              공유 기록 %" PRId64 "번까지, %" PRId64
			   "개 남음; %s 전에 들음, 시계 차이 %" PRId64 " ms\n"),
		    s->log_number, s->log_behind, how_long(s->log_heard_ms), s->log_clock_ms);
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
	printf("%s%s\n", tr("payments   ", "결제          "),
	    operate_status_text(s, ctl_is_korean()));
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
tell_adopted(const struct options *o, const struct operate_status *s, enum operate_adopt how)
{
	const char *sentence =
	    operate_adopt_text(o->dry_run && how == ADOPT_NOT_NEW ? ADOPT_WOULD : how,
		ctl_is_korean());
	struct buf b = BUF_INIT;

	if (!o->json) {
		puts(sentence);
		return true;
	}
	operate_json_adopted(&b, s, how == ADOPT_DONE, o->dry_run, sentence);
	return ctl_print(&b);
}

static void
show_queues(const struct operate_status *s)
{
	printf(tr("lost queue     %s\nrunning queue  %s\n",
		   "잃은 큐        %s\n지금 도는 큐   %s\n"),
	    s->claim.queue_id, s->hello.id);
}

static enum ctl_exit
adopt(const struct options *o, struct flow *f)
{
	static struct operate_status s;
	struct flow_call c = ctl_call();
	enum operate_adopt how;
	struct error err;

	if (!operate_adopt(f, &c, o->reason, o->dry_run, &s, &how, &err))
		return ctl_complain("queue adopt", &err);
	if (how != ADOPT_NOTHING && !o->json)
		show_queues(&s);
	if (how == ADOPT_NOT_NEW)
		fputs(
		    tr("The running queue is not new: it may be another site's, or an older journal of this one. Make "
		       "sure that it is meant.\n",
			"지금 도는 큐가 새것이 아닙니다. 다른 사이트의 큐이거나 이 사이트의 옛 저널일 수 "
			"있으니 맞는지 확인하세요.\n"),
		    stderr);
	if (how == ADOPT_NOT_NEW && !o->dry_run) {
		error_set(&err, ERR_CONFLICT, "%s", operate_adopt_text(how, ctl_is_korean()));
		return ctl_complain("queue adopt", &err);
	}
	return tell_adopted(o, &s, how) ? CTL_OK : CTL_FAILED;
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
