/* deliveries list, show: what is owed to the reservation service and the gateway. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/command.h"
#include "ctl/lang.h"
#include "ctl/rows.h"
#include "delivery/webhook.h"
#include "json/write.h"

enum { LIST_MAX = 10000 };

static const char *
state_of(const struct store_message *m)
{
	if (m->tries == 0)
		return "new";
	if (m->again_ms > m->last_try_ms)
		return "again";
	return webhook_retry_after_ms(m->tries, m->last_try_ms - m->at_ms) < 0 ? "undelivered"
									       : "waiting";
}

/* By the schedule and the receiver's Retry-After; 0: at once, or never. */
static int64_t
next_of(const struct store_message *m)
{
	int64_t after_ms, at_ms;

	if (strcmp(state_of(m), "waiting") != 0)
		return 0;
	after_ms = webhook_retry_after_ms(m->tries, m->last_try_ms - m->at_ms);
	at_ms = m->last_try_ms + after_ms;
	return at_ms > m->not_before_ms ? at_ms : m->not_before_ms;
}

static void
free_list(struct store_message *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		store_message_clear(&list[i]);
	free(list);
}

static const struct column message_columns[] = {
	{ "id", { "message", "메시지" }, 0, ROWS_WHOLE },
	{ "type", { NULL, NULL }, 0, 0 },
	{ "tid", { NULL, NULL }, 0, 0 },
	{ "peer", { "peer", "상대" }, 4, 0 },
	{ "state", { "state", "상태" }, 0, 0 },
	{ "owedSince", { "owed since", "발생" }, 1, ROWS_WHOLE },
	{ "tries", { "tries", "시도" }, 5, ROWS_RIGHT },
	{ "lastTryAt", { "last try", "마지막 시도" }, 3, ROWS_WHOLE },
	{ "nextTryAt", { "next try", "다음 시도" }, 2, ROWS_WHOLE },
};

static void
add_message(struct rows *rows, const struct store_message *m)
{
	rows_add(rows,
	    (struct cell[]){ cell_text(m->id), cell_text(m->type), cell_text(m->tid),
		cell_text(m->peer), cell_text(state_of(m)), cell_time(m->at_ms), cell_int(m->tries),
		cell_time(m->last_try_ms), cell_time(next_of(m)) });
}

enum ctl_exit
ctl_deliveries_list(const struct options *o, const struct conf *conf)
{
	struct rows rows = ROWS(message_columns);
	struct store_message *list = NULL;
	struct flow f = { 0 };
	struct error err;
	size_t n = 0;
	bool ok;

	ok = ctl_open(&f, conf, CTL_STORE, &err) &&
	    store_outbox_list(f.store, LIST_MAX, &list, &n, ctl_call().deadline_boot_ms, &err);
	for (size_t i = 0; ok && i < n; i++) {
		ok = store_outbox_tries(f.store, &list[i], ctl_call().deadline_boot_ms, &err);
		if (ok)
			add_message(&rows, &list[i]);
	}
	free_list(list, n);
	ctl_close(&f);
	if (!ok) {
		rows_clear(&rows);
		return ctl_complain("deliveries list", &err);
	}
	if (n == LIST_MAX)
		fprintf(stderr,
		    tr("roompayctl: these are the oldest %d; there are more\n",
			"roompayctl: 가장 오래된 %d건입니다. 더 있습니다\n"),
		    LIST_MAX);
	return rows_print(&rows, o, tr("nothing is owed", "전하지 못한 메시지가 없습니다"))
	    ? CTL_OK
	    : CTL_FAILED;
}

static const char *
end_of(const struct store_try *t)
{
	return t->withdrawn   ? "withdrawn"
	    : t->acknowledged ? "acknowledged"
	    : t->ended	      ? "failed"
			      : "under way";
}

static const struct column try_columns[] = {
	{ "number", { "try", "시도" }, 0, ROWS_RIGHT },
	{ "at", { "at", "시각" }, 0, ROWS_WHOLE },
	{ "end", { "end", "결과" }, 0, 0 },
	{ "status", { "status", "상태 코드" }, 0, ROWS_RIGHT },
	{ "notBefore", { "not before", "이후에" }, 1, ROWS_WHOLE },
	{ "error", { "error", "오류" }, 0, ROWS_WRAP },
};

static void
add_try(struct rows *rows, const struct store_try *t)
{
	rows_add(rows,
	    (struct cell[]){ cell_int(t->number), cell_time(t->at_ms), cell_text(end_of(t)),
		t->status != 0 ? cell_int(t->status) : cell_text(NULL), cell_time(t->not_before_ms),
		cell_text(t->error) });
}

/* {id, owed, ..., body?, tries}: what the list says of it while it is owed, and what was tried. */
static bool
print_message_json(const struct store_message *m, bool owed, const char *id, struct rows *tries)
{
	struct rows one = ROWS(message_columns);
	struct buf b = BUF_INIT, list = BUF_INIT;
	bool ok;

	if (owed) {
		add_message(&one, m);
		rows_format_one(&one, 0, &b);
		b.len--; /* the brace: there is more */
	} else {
		buf_add_char(&b, '{');
		json_add_str_member(&b, "id", id);
	}
	rows_format(tries, &list);
	json_add_bool_member(&b, "owed", owed);
	if (owed)
		json_add_raw_member(&b, "body", m->body);
	else
		json_add_int_member(&b, "tries", (int64_t)(tries->n / tries->n_columns));
	json_add_raw_member(&b, "attempts", buf_str(&list));
	buf_add_char(&b, '}');
	b.bad = b.bad || list.bad || one.bad || tries->bad;
	ok = ctl_print(&b);
	buf_clear(&list);
	rows_clear(&one);
	rows_clear(tries);
	return ok;
}

enum ctl_exit
ctl_deliveries_show(const struct options *o, const struct conf *conf)
{
	struct rows rows = ROWS(try_columns);
	struct store_message m = { 0 };
	struct store_try *tries = NULL;
	struct flow f = { 0 };
	struct error err;
	bool ok, owed = false;
	size_t n = 0;

	ok = ctl_open(&f, conf, CTL_STORE, &err) &&
	    store_outbox_get(f.store, o->args[0], &m, &owed, ctl_call().deadline_boot_ms, &err) &&
	    (!owed || store_outbox_tries(f.store, &m, ctl_call().deadline_boot_ms, &err)) &&
	    store_try_list(f.store, o->args[0], &tries, &n, ctl_call().deadline_boot_ms, &err) &&
	    (owed || n > 0 ||
		error_set(&err, ERR_NOT_FOUND,
		    tr("no such message: %s", "그런 메시지가 없습니다: %s"), o->args[0]));
	for (size_t i = 0; ok && i < n; i++)
		add_try(&rows, &tries[i]);
	if (!ok)
		(void)ctl_complain("deliveries show", &err);
	else if (o->json)
		ok = print_message_json(&m, owed, o->args[0], &rows);
	else {
		if (owed)
			printf(tr("owed to %s since %s\n%s\n", "%s에 전할 것, %s부터\n%s\n"),
			    m.peer, ctl_kst(m.at_ms), ctl_visible(m.body));
		else
			puts(tr("not owed any more", "이미 전했거나 거두었습니다"));
		ok = rows_print(&rows, o, tr("never tried", "아직 시도하지 않았습니다"));
	}
	free(tries);
	store_message_clear(&m);
	ctl_close(&f);
	return ok ? CTL_OK : CTL_FAILED;
}
