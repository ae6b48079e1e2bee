/* payment list, show, explain, settle. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "ctl/command.h"
#include "ctl/lang.h"
#include "ctl/rows.h"
#include "flow/life.h"
#include "operate/explain.h"
#include "operate/find.h"
#include "operate/json.h"
#include "operate/settle.h"

enum { LIST_LIMIT = 50, LIST_MAX = 10000, LIVES_MS = 600000 };

static bool
read_filters(const struct options *o, struct store_history *h)
{
	int64_t limit = LIST_LIMIT;
	bool ok = ctl_take_text("user", o->user, h->user_id, sizeof(h->user_id)) &&
	    ctl_take_text("order", o->order, h->partner_order_id, sizeof(h->partner_order_id)) &&
	    ctl_take_text("room", o->room, h->room_id, sizeof(h->room_id)) &&
	    (o->from == NULL || ctl_parse_when("from", o->from, &h->from_ms)) &&
	    (o->to == NULL || ctl_parse_when("to", o->to, &h->to_ms)) &&
	    (o->limit == NULL || ctl_parse_number("limit", o->limit, 1, LIST_MAX, &limit));

	h->limit = (size_t)limit;
	return ok;
}

static const struct column payment_columns[] = {
	{ NULL, { "approved", "승인" }, 0, ROWS_WHOLE },
	{ NULL, { "tid", "tid" }, 0, ROWS_WHOLE },
	{ NULL, { "order", "주문" }, 2, 0 },
	{ NULL, { "user", "사용자" }, 1, 0 },
	{ NULL, { "total", "금액" }, 0, ROWS_RIGHT },
	{ NULL, { "refunded", "환불" }, 0, ROWS_RIGHT },
	{ NULL, { "refunded at", "환불 시각" }, 3, ROWS_WHOLE },
	{ NULL, { "state", "상태" }, 4, 0 },
	{ NULL, { "item", "상품" }, 5, 0 },
};

/* The API's own objects, as GET /payments gives them. */
static bool
print_payments_json(const struct payment *list, const struct payment_life *lives, size_t n)
{
	struct buf b = BUF_INIT;

	buf_add_char(&b, '[');
	for (size_t i = 0; i < n; i++) {
		buf_add_str(&b, i > 0 ? ",\n" : "");
		payment_life_format(&list[i], &lives[i], &b);
	}
	buf_add_char(&b, ']');
	return ctl_print(&b);
}

static bool
print_payments(const struct options *o, const struct payment *list,
    const struct payment_life *lives, size_t n)
{
	struct rows rows = ROWS(payment_columns);

	if (o->json)
		return print_payments_json(list, lives, n);
	for (size_t i = 0; i < n; i++)
		rows_add(&rows,
		    (struct cell[]){ cell_time(list[i].approved_at_ms), cell_text(list[i].tid),
			cell_text(list[i].partner_order_id), cell_text(list[i].user_id),
			cell_int(list[i].amount.total), cell_int(lives[i].refunded),
			cell_time(lives[i].refunded_at_ms),
			cell_text(attempt_state_name(lives[i].state)),
			cell_text(list[i].item_name) });
	return rows_print(&rows, o, tr("no payment", "결제가 없습니다"));
}

enum ctl_exit
ctl_payment_list(const struct options *o, const struct conf *conf)
{
	const char *cids[CONF_MERCHANTS_MAX];
	struct store_history h = { .cids = cids, .n_cids = ctl_cids(conf, cids) };
	struct payment_life *lives = NULL;
	struct payment *list = NULL;
	struct flow f = { 0 };
	bool more = false, ok, printed = false;
	struct error err;
	size_t n = 0;

	if (!read_filters(o, &h) || !ctl_check_room(o->room) || !ctl_check_cid(o->cid, conf))
		return CTL_USAGE;
	if (o->cid != NULL) {
		cids[0] = o->cid;
		h.n_cids = 1;
	}
	ok = ctl_open(&f, conf, CTL_STORE, &err) &&
	    store_history(f.store, &h, &list, &n, &more, ctl_call().deadline_boot_ms, &err) &&
	    payment_lives(f.store, list, n, &lives, clock_boot_ms() + LIVES_MS, &err);
	if (ok)
		printed = print_payments(o, list, lives, n);
	free(lives);
	free(list);
	ctl_close(&f);
	if (!ok)
		return ctl_complain("payment list", &err);
	if (more)
		fputs(tr("roompayctl: there are more: --limit, --from and --to choose\n",
			  "roompayctl: 더 있습니다. --limit, --from, --to로 고르세요\n"),
		    stderr);
	return printed ? CTL_OK : CTL_FAILED;
}

/* "TID" or "CID ORDER". tid: "" where an order was named. */
struct named {
	char tid[TID_CAP], cid[CID_CAP], order[ORDER_CAP];
	bool foreign;
};

static bool
find_named(struct flow *f, const struct options *o, struct named *n, struct error *err)
{
	struct flow_call c = ctl_call();
	struct payment p;
	bool found;

	memset(n, 0, sizeof(*n));
	if (o->n_args == 2) {
		text_copy(n->cid, sizeof(n->cid), o->args[0]);
		text_copy(n->order, sizeof(n->order), o->args[1]);
		return true;
	}
	text_copy(n->tid, sizeof(n->tid), o->args[0]);
	if (!store_payment_get(f->store, n->tid, &p, &found, c.deadline_boot_ms, err))
		return false;
	n->foreign = found && p.foreign;
	return operate_find_order(f, &c, n->tid, n->cid, n->order, err);
}

enum { EVENT_TID = 4 };
static struct column event_columns[] = {
	{ NULL, { "n", "n" }, 0, ROWS_RIGHT },
	{ NULL, { "at", "시각" }, 0, ROWS_WHOLE },
	{ NULL, { "kind", "종류" }, 0, ROWS_WHOLE },
	{ NULL, { "won", "원" }, 0, ROWS_RIGHT },
	[EVENT_TID] = { NULL, { "tid", "tid" }, 0, ROWS_WHOLE },
	{ NULL, { "by", "누가" }, 0, 0 },
	{ NULL, { "request", "요청" }, 2, 0 },
	{ NULL, { "refund", "환불" }, 1, 0 },
	{ NULL, { "reason", "이유" }, 0, ROWS_WRAP },
};

static void
add_event(struct rows *rows, const struct ledger_event *e)
{
	const char *why = e->reason[0] != '\0' ? e->reason : e->provider.message;
	struct cell won = e->has_refund ? cell_int(e->refund.amount)
	    : e->has_payment		? cell_int(e->payment.amount.total)
					: cell_text(NULL);

	rows_add(rows,
	    (struct cell[]){ cell_int(e->n), cell_time(e->at_ms),
		cell_text(ledger_kind_name(e->kind)), won, cell_text(e->tid),
		cell_text(ctl_by(e->by, e->who)), cell_text(e->request_id),
		cell_text(e->has_refund ? e->refund.id : NULL), cell_text(why) });
}

static bool
print_events_json(const struct ledger_chain *chain)
{
	struct buf b = BUF_INIT;

	ctl_begin_list(&b);
	for (size_t i = 0; i < chain->n; i++) {
		ctl_next_item(&b);
		operate_json_event(&b, &chain->ev[i], ctl_is_korean());
	}
	return ctl_print_list(&b);
}

/* Where all events speak of one tid, it stands above the table and not in each row. */
static void
print_heading(const struct named *n, const struct ledger_chain *chain)
{
	const char *tid = chain->n > 0 ? chain->ev[0].tid : "";

	for (size_t i = 1; i < chain->n; i++)
		if (strcmp(chain->ev[i].tid, tid) != 0)
			tid = "";
	printf(tr("order  %s %s (times in Korean time)\n", "주문  %s %s (한국 시각)\n"), n->cid,
	    ctl_visible(n->order));
	if (tid[0] == '\0')
		return;
	printf("tid    %s\n", tid);
	event_columns[EVENT_TID].title[0] = event_columns[EVENT_TID].title[1] = NULL;
}

static bool
print_events(const struct options *o, const struct named *n, const struct ledger_chain *chain)
{
	struct rows rows = ROWS(event_columns);

	for (size_t i = 0; i < chain->n; i++)
		add_event(&rows, &chain->ev[i]);
	print_heading(n, chain);
	return rows_print(&rows, o,
	    n->foreign
		? tr("another program took this payment, before roompay: `payments` has it, the ledger does not",
		      "roompay 이전에 다른 프로그램이 받은 결제입니다. `payments`에 있고 원장에는 없습니다")
		: tr("no approve was ever begun", "승인을 시작한 적이 없습니다"));
}

enum ctl_exit
ctl_payment_show(const struct options *o, const struct conf *conf)
{
	struct flow_call c = ctl_call();
	struct ledger_chain chain = { 0 };
	struct flow f = { 0 };
	struct error err;
	struct named n;
	bool ok;

	ok = ctl_open(&f, conf, CTL_STORE | CTL_QUEUE, &err) && find_named(&f, o, &n, &err) &&
	    store_ledger_chain(f.store, n.cid, n.order, &chain, c.deadline_boot_ms, &err);
	if (!ok)
		(void)ctl_complain("payment show", &err);
	else if (o->json)
		ok = print_events_json(&chain);
	else
		ok = print_events(o, &n, &chain);
	ledger_chain_clear(&chain);
	ctl_close(&f);
	return ok ? CTL_OK : CTL_FAILED;
}

static void
explain_text(struct buf *b, const struct flow_order_attempt *t, const struct explanation *e,
    const char *charged)
{
	buf_printf(b, "%s  %s  %s", t->tid[0] != '\0' ? t->tid : "-", t->state,
	    ctl_kst(t->changed_ms));
	if (t->by[0] != '\0')
		buf_printf(b, "  %s", ctl_visible(ctl_by(t->by, t->who)));
	buf_add_char(b, '\n');
	buf_printf(b, "  %s\n  %s\n  %s%s\n", e->happened, charged, tr("Next: ", "다음: "),
	    e->next);
	for (int i = 0; i < EXPLAIN_COMMANDS && e->commands[i] != NULL; i++) {
		buf_add_str(b, "    ");
		explain_command(b, e, i, t->tid);
		buf_add_char(b, '\n');
	}
}

static bool
explain_attempt(struct flow *f, const struct flow_order_attempt *t, bool json, struct buf *b,
    struct error *err)
{
	const struct explanation *e = explain_state(t->state, ctl_is_korean());
	struct buf charged = BUF_INIT;
	bool found = false, ok = true;
	struct payment p;

	if (t->charged == FC_TRUE)
		ok = store_payment_get(f->store, t->tid, &p, &found, ctl_call().deadline_boot_ms,
		    err);
	explain_charged(&charged, t, found ? p.amount.total : -1, ctl_is_korean());
	if (ok && json) {
		ctl_next_item(b);
		operate_json_explained(b, t, found ? p.amount.total : -1, ctl_is_korean());
	} else if (ok)
		explain_text(b, t, e, buf_str(&charged));
	buf_clear(&charged);
	return ok;
}

/* Nobody has tried to pay for it. */
static const struct flow_order_attempt no_attempt = { .state = "none",
	.charged = FC_FALSE,
	.next = FN_START_AGAIN };

enum ctl_exit
ctl_payment_explain(const struct options *o, const struct conf *conf)
{
	struct flow_order_answer a = { 0 };
	struct flow_call c = ctl_call();
	struct buf b = BUF_INIT;
	struct flow f = { 0 };
	struct error err;
	struct named n;
	bool ok;

	ok = ctl_open(&f, conf, CTL_STORE | CTL_QUEUE, &err) && find_named(&f, o, &n, &err);
	if (ok) {
		ctl_set_gate(&f);
		flow_order(&f, &c, n.cid, n.order, &a);
		ok = a.result == FR_OK ||
		    error_set(&err, ERR_UNAVAILABLE,
			tr("nothing certain can be said now: %s",
			    "지금은 확실히 말할 수 없습니다: %s"),
			a.detail);
	}
	if (o->json)
		buf_add_char(&b, '[');
	else
		buf_printf(&b, "%s %s %s\n", tr("order", "주문"), n.cid, ctl_visible(n.order));
	if (ok && a.n == 0)
		ok = explain_attempt(&f, &no_attempt, o->json, &b, &err);
	for (size_t i = 0; ok && i < a.n; i++)
		if (n.tid[0] == '\0' || strcmp(n.tid, a.attempts[i].tid) == 0)
			ok = explain_attempt(&f, &a.attempts[i], o->json, &b, &err);
	flow_order_clear(&a);
	ctl_close(&f);
	if (!ok) { /* half an answer would be read as a whole one */
		buf_clear(&b);
		return ctl_complain("payment explain", &err);
	}
	if (o->json)
		buf_add_char(&b, ']');
	else if (b.len > 0)
		b.data[--b.len] = '\0'; /* its line's end comes with the printing */
	return ctl_print(&b) ? CTL_OK : CTL_FAILED;
}

static bool
parse_as(const char *word, enum operate_end *as)
{
	*as = OPERATE_END_FOUND;
	if (word == NULL)
		return true;
	*as = strcmp(word, "approved") == 0 ? OPERATE_END_APPROVED : OPERATE_END_DECLINED;
	if (*as == OPERATE_END_APPROVED || strcmp(word, "declined") == 0)
		return true;
	fputs(tr("roompayctl: --as is approved or declined\n",
		  "roompayctl: --as는 approved 또는 declined입니다\n"),
	    stderr);
	return false;
}

static bool
tell_settled(const struct options *o, const struct named *n, const struct operate_settled *r)
{
	struct buf b = BUF_INIT;

	if (!o->json) {
		printf(tr("%s was %s, %s %s\n", "%s: %s 상태였고 %s %s\n"), n->tid,
		    attempt_state_name(r->before),
		    o->dry_run ? tr("would be (dry run: nothing was changed)",
				     "이렇게 됩니다 (dry run: 바꾼 것 없음):")
			       : tr("is now", "이제"),
		    attempt_state_name(r->after));
		return true;
	}
	operate_json_settled(&b, n->cid, n->order, n->tid, r, o->dry_run);
	return ctl_print(&b);
}

enum ctl_exit
ctl_payment_settle(const struct options *o, const struct conf *conf)
{
	struct flow_call c = ctl_call();
	struct operate_settled report = { 0 };
	struct flow f = { 0 };
	enum operate_end as;
	struct error err;
	struct named n;
	bool ok;

	if (!parse_as(o->as, &as))
		return CTL_USAGE;
	ok = ctl_open(&f, conf, CTL_STORE | CTL_QUEUE | CTL_KAKAOPAY, &err) &&
	    ctl_need_site(&f, &err) && find_named(&f, o, &n, &err) &&
	    operate_settle(&f, &c, n.cid, n.order, n.tid, as, o->reason, o->dry_run, &report, &err);
	ctl_close(&f);
	if (report.kakaopay[0] != '\0' && !o->json)
		printf(tr("KakaoPay says   %s\n", "카카오페이의 답   %s\n"),
		    ctl_visible(report.kakaopay));
	if (!ok && report.no != SETTLE_NO_NOTHING)
		error_set(&err, ERR_CONFLICT, "%s",
		    operate_settle_no_text(report.no, ctl_is_korean()));
	if (!ok)
		return ctl_complain("payment settle", &err);
	return tell_settled(o, &n, &report) ? CTL_OK : CTL_FAILED;
}
