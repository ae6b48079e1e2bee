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
#include "operate/json.h"
#include "operate/message.h"

enum { LIST_MAX = 10000 };

static void
free_list(struct store_message *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		store_message_clear(&list[i]);
	free(list);
}

static const struct column message_columns[] = {
	{ NULL, { "message", "메시지" }, 0, ROWS_WHOLE },
	{ NULL, { "peer", "상대" }, 4, 0 },
	{ NULL, { "state", "상태" }, 0, 0 },
	{ NULL, { "owed since", "발생" }, 1, ROWS_WHOLE },
	{ NULL, { "tries", "시도" }, 5, ROWS_RIGHT },
	{ NULL, { "last try", "마지막 시도" }, 3, ROWS_WHOLE },
	{ NULL, { "next try", "다음 시도" }, 2, ROWS_WHOLE },
};

static void
add_message(struct rows *rows, const struct store_message *m)
{
	rows_add(rows,
	    (struct cell[]){ cell_text(m->id), cell_text(m->peer),
		cell_text(operate_message_state(m)), cell_time(m->at_ms), cell_int(m->tries),
		cell_time(m->last_try_ms), cell_time(operate_message_next_ms(m)) });
}

enum ctl_exit
ctl_deliveries_list(const struct options *o, const struct conf *conf)
{
	struct rows rows = ROWS(message_columns);
	struct store_message *list = NULL;
	struct buf json = BUF_INIT;
	struct flow f = { 0 };
	struct error err;
	size_t n = 0;
	bool ok;

	ctl_begin_list(&json);
	ok = ctl_open(&f, conf, CTL_STORE, &err) &&
	    store_outbox_list(f.store, LIST_MAX, &list, &n, ctl_call().deadline_boot_ms, &err);
	for (size_t i = 0; ok && i < n; i++) {
		ok = store_outbox_tries(f.store, &list[i], ctl_call().deadline_boot_ms, &err);
		if (!ok)
			break;
		add_message(&rows, &list[i]);
		ctl_next_item(&json);
		operate_json_message(&json, &list[i]);
	}
	free_list(list, n);
	ctl_close(&f);
	if (!ok) {
		rows_clear(&rows);
		buf_clear(&json);
		return ctl_complain("deliveries list", &err);
	}
	if (n == LIST_MAX)
		fprintf(stderr,
		    tr("roompayctl: these are the oldest %d; there are more\n",
			"roompayctl: 가장 오래된 %d건입니다. 더 있습니다\n"),
		    LIST_MAX);
	ok = o->json ? ctl_print_list(&json)
		     : rows_print(&rows, o, tr("nothing is owed", "전하지 못한 메시지가 없습니다"));
	rows_clear(&rows);
	buf_clear(&json);
	return ok ? CTL_OK : CTL_FAILED;
}

static const struct column try_columns[] = {
	{ NULL, { "try", "시도" }, 0, ROWS_RIGHT },
	{ NULL, { "at", "시각" }, 0, ROWS_WHOLE },
	{ NULL, { "end", "결과" }, 0, 0 },
	{ NULL, { "status", "상태 코드" }, 0, ROWS_RIGHT },
	{ NULL, { "not before", "이후에" }, 1, ROWS_WHOLE },
	{ NULL, { "error", "오류" }, 0, ROWS_WRAP },
};

static void
add_try(struct rows *rows, const struct store_try *t)
{
	rows_add(rows,
	    (struct cell[]){ cell_int(t->number), cell_time(t->at_ms),
		cell_text(operate_try_end(t)),
		t->status != 0 ? cell_int(t->status) : cell_text(NULL), cell_time(t->not_before_ms),
		cell_text(t->error) });
}

static bool
print_message(const struct options *o, const struct operate_message *m)
{
	struct rows rows = ROWS(try_columns);

	for (size_t i = 0; i < m->n; i++)
		add_try(&rows, &m->tries[i]);
	if (m->owed)
		printf(tr("owed to %s since %s\n%s\n", "%s에 전할 것, %s부터\n%s\n"), m->m.peer,
		    ctl_kst(m->m.at_ms), ctl_visible(m->m.body));
	else
		puts(tr("not owed any more", "이미 전했거나 거두었습니다"));
	return rows_print(&rows, o, tr("never tried", "아직 시도하지 않았습니다"));
}

enum ctl_exit
ctl_deliveries_show(const struct options *o, const struct conf *conf)
{
	struct operate_message m = { .owed = false };
	struct flow_call c = ctl_call();
	struct buf b = BUF_INIT;
	struct flow f = { 0 };
	struct error err;
	bool ok;

	ok = ctl_open(&f, conf, CTL_STORE, &err) &&
	    operate_message_get(&f, &c, o->args[0], &m, &err);
	if (!ok && err.code == ERR_NOT_FOUND)
		error_set(&err, ERR_NOT_FOUND,
		    tr("no such message: %s", "그런 메시지가 없습니다: %s"), o->args[0]);
	if (!ok) {
		(void)ctl_complain("deliveries show", &err);
	} else if (o->json) {
		operate_json_message_shown(&b, &m);
		ok = ctl_print(&b);
	} else {
		ok = print_message(o, &m);
	}
	operate_message_clear(&m);
	ctl_close(&f);
	return ok ? CTL_OK : CTL_FAILED;
}
