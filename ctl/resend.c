/* deliveries retry, test: messages by hand. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/command.h"
#include "ctl/lang.h"
#include "ctl/progress.h"
#include "ctl/rows.h"
#include "json/write.h"
#include "operate/deliver.h"
#include "operate/json.h"

enum { TEST_WAIT_MS = 30000 };

static const struct column columns[] = {
	{ "id", { "message", "메시지" }, 0, ROWS_WHOLE },
	{ NULL, { "", "" }, 0, 0 },
	{ "error", { "why not", "못한 이유" }, 0, ROWS_WRAP },
};

struct telling {
	struct rows rows; /* what could not be sent again */
	size_t done;
};

static void
tell(void *ctx, const char *id, const struct error *err)
{
	struct telling *t = ctx;

	t->done++;
	progress_show(tr("messages:", "메시지:"), t->done, t->done);
	if (err != NULL)
		rows_add(&t->rows,
		    (struct cell[]){ cell_text(id), cell_text("FAILED"), cell_text(err->msg) });
}

static bool
print_report_json(const struct options *o, const struct operate_resend_report *r,
    const struct rows *failed)
{
	struct buf b = BUF_INIT, list = BUF_INIT;
	bool ok;

	rows_format(failed, &list);
	buf_add_char(&b, '{');
	json_add_int_member(&b, "found", r->found);
	json_add_int_member(&b, "retried", r->resent);
	json_add_int_member(&b, "failed", r->failed);
	json_add_bool_member(&b, "more", r->more);
	json_add_bool_member(&b, "dryRun", o->dry_run);
	json_add_raw_member(&b, "failures", buf_str(&list));
	buf_add_char(&b, '}');
	b.bad = b.bad || list.bad;
	ok = ctl_print(&b);
	buf_clear(&list);
	return ok;
}

static bool
print_report(const struct options *o, const struct operate_resend_report *r, struct telling *t)
{
	if (o->json)
		return print_report_json(o, r, &t->rows);
	if (t->rows.n > 0 && !rows_print(&t->rows, o, ""))
		return false;
	printf(o->dry_run
		? tr("%" PRId64 " messages would be sent once more, %" PRId64
		     " cannot be (dry run: nothing was "
		     "changed)\n",
		      "메시지 %" PRId64 "건을 다시 보낼 수 있고, %" PRId64
		      "건은 보낼 수 없습니다 (dry run: 바꾼 것 없음)\n")
		: tr("%" PRId64 " messages are sent once more, %" PRId64 " cannot be\n",
		      "메시지 %" PRId64 "건을 다시 보냅니다. %" PRId64 "건은 보낼 수 없습니다\n"),
	    r->resent, r->failed);
	if (r->more)
		puts(tr("there are more than one list holds: run it again when these are gone",
		    "목록에 다 담기지 않았습니다. 이것들이 전해진 뒤 다시 실행하세요"));
	return true;
}

static enum ctl_exit
retry_all(struct flow *f, const struct options *o, struct operate_resend *how)
{
	struct telling t = { .rows = ROWS(columns) };
	struct operate_resend_report report;
	struct error err;
	bool ok, told;

	how->tell = tell;
	how->ctx = &t;
	ok = operate_resend_all(f, how, &report, &err);
	progress_end();
	told = ok && print_report(o, &report, &t);
	rows_clear(&t.rows);
	if (!ok)
		return ctl_complain("deliveries retry", &err);
	return told && report.failed == 0 && !report.more ? CTL_OK : CTL_FAILED;
}

static bool
tell_retry(const struct options *o, const char *id)
{
	struct buf b = BUF_INIT;

	if (o->json) {
		operate_json_retried(&b, id, o->dry_run);
		return ctl_print(&b);
	}
	printf(o->dry_run ? tr("%s would be tried once more (dry run: nothing was changed)\n",
				"%s을(를) 한 번 더 보낼 수 있습니다 (dry run: 바꾼 것 없음)\n")
			  : tr("%s is tried once more; look with: deliveries show\n",
				"%s을(를) 한 번 더 보냅니다. 결과는 deliveries show\n"),
	    ctl_visible(id));
	return true;
}

static bool
usage(const char *sentence)
{
	fprintf(stderr, "roompayctl: %s\n", sentence);
	return false;
}

static bool
check_peer(const char *peer)
{
	return peer == NULL || strcmp(peer, "reservation") == 0 || strcmp(peer, "gateway") == 0 ||
	    usage(tr("a peer is reservation or gateway", "상대는 reservation 또는 gateway입니다"));
}

static bool
read_retry(const struct options *o, struct operate_resend *how)
{
	*how = (struct operate_resend){ .reason = o->reason,
		.taken_too = o->again != NULL,
		.dry_run = o->dry_run,
		.peer = o->peer };
	if ((o->all != NULL) == (o->n_args == 1))
		return usage(tr("deliveries retry takes a MESSAGE or --all",
		    "deliveries retry에는 MESSAGE 또는 --all이 필요합니다"));
	if (o->all == NULL && (o->since != NULL || o->peer != NULL))
		return usage(tr("--since and --peer go with --all",
		    "--since와 --peer는 --all과 함께 씁니다"));
	if (o->since != NULL && !ctl_parse_when("since", o->since, &how->since_ms))
		return false;
	if (o->all != NULL && o->again != NULL && o->since == NULL)
		return usage(tr("--all --again needs --since: since when are messages lost?",
		    "--all --again에는 --since가 필요합니다. 언제부터 잃었는지 말하세요"));
	return check_peer(o->peer);
}

enum ctl_exit
ctl_deliveries_retry(const struct options *o, const struct conf *conf)
{
	struct flow_call c = ctl_call();
	struct operate_resend how;
	struct flow f = { 0 };
	enum ctl_exit code;
	struct error err;

	if (!read_retry(o, &how))
		return CTL_USAGE;
	if (!ctl_open(&f, conf, CTL_STORE | CTL_QUEUE, &err))
		code = ctl_complain("deliveries retry", &err);
	else if (o->all != NULL)
		code = retry_all(&f, o, &how);
	else if (!operate_resend(&f, &c, o->args[0], &how, &err))
		code = ctl_complain("deliveries retry", &err);
	else
		code = tell_retry(o, o->args[0]) ? CTL_OK : CTL_FAILED;
	ctl_close(&f);
	return code;
}

/* -- a test message */

static const char *
end_of(const struct operate_test *t)
{
	if (!t->posted)
		return tr(
		    "no courier took it: does roompay-courier run, and reach queue and database?",
		    "courier가 가져가지 않았습니다. roompay-courier가 돌고 있고 큐와 데이터베이스에 닿는지 보세요");
	if (!t->ended)
		return tr("no answer yet", "아직 답이 없습니다");
	return t->try.acknowledged ? tr("taken", "받음") : tr("not taken", "받지 않음");
}

static bool
tell_test(const struct options *o, const char *peer, const struct operate_test *t)
{
	struct buf b = BUF_INIT;

	if (!o->json) {
		printf("%s: %s", peer, end_of(t));
		if (t->ended && t->try.status != 0)
			printf(" (HTTP %" PRId64 ", %" PRId64 " ms)", t->try.status, t->took_ms);
		else if (t->ended)
			printf(" (%s)", ctl_visible(t->try.error));
		putchar('\n');
		return true;
	}
	operate_json_test(&b, peer, t);
	return ctl_print(&b);
}

enum ctl_exit
ctl_deliveries_test(const struct options *o, const struct conf *conf)
{
	static struct operate_test test;
	struct flow f = { 0 };
	struct error err;
	bool ok;

	if (!check_peer(o->args[0]))
		return CTL_USAGE;
	ok = ctl_open(&f, conf, CTL_STORE | CTL_QUEUE, &err) &&
	    operate_test_peer(&f, o->args[0], TEST_WAIT_MS, &test, &err);
	ctl_close(&f);
	if (!ok)
		return ctl_complain("deliveries test", &err);
	return tell_test(o, o->args[0], &test) && test.ended && test.try.acknowledged ? CTL_OK
										      : CTL_FAILED;
}
