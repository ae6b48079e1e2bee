#include "config.h"

#include "fcgi/csv.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

/* Quoted, nothing hidden in it, and no formula: a cell that begins like one gets an apostrophe
 * before it. */
static void
add_cell(struct buf *b, const char *text)
{
	struct buf visible = BUF_INIT;

	text_add_visible(&visible, text);
	buf_add_str(b, b->len > 0 && b->data[b->len - 1] != '\n' ? ",\"" : "\"");
	if (text[0] != '\0' && strchr("=+-@\t\r", text[0]) != NULL)
		buf_add_char(b, '\'');
	for (const char *p = buf_str(&visible); *p != '\0'; p++) {
		if (*p == '"')
			buf_add_char(b, '"');
		buf_add_char(b, *p);
	}
	buf_add_char(b, '"');
	b->bad = b->bad || visible.bad;
	buf_clear(&visible);
}

static void
add_kst(struct buf *b, int64_t wall_ms)
{
	char text[CLOCK_KST_CAP];

	clock_format_kst(wall_ms, ' ', text);
	buf_printf(b, ",\"%s\"", text);
}

static void
add_numbers(struct buf *b, const int64_t *numbers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_add_char(b, ',');
		buf_add_int(b, numbers[i]);
	}
}

/* The query of this page with the cursor of the next one. */
static void
add_link(struct buf *b, const char *prefix, const struct csv_page *page)
{
	const char *query = page->query == NULL ? "" : page->query;

	if (page->next == NULL)
		return;
	buf_printf(b, "Link: <%s%s?", prefix, page->path);
	for (const char *p = query; *(p += strspn(p, "&")) != '\0'; p += strcspn(p, "&"))
		if (strncmp(p, "cursor=", 7) != 0 && memchr(p, '>', strcspn(p, "&")) == NULL)
			buf_printf(b, "%.*s&", (int)strcspn(p, "&"), p);
	buf_printf(b, "cursor=%s>; rel=\"next\"\r\n", page->next);
}

/* name: of the file, without .csv. columns: the first line, without its end. */
static void
begin(struct reply *r, const struct reply_to *to, const struct csv_page *page, const char *name,
    const char *columns)
{
	char disposition[64];

	r->status = 200;
	snprintf(disposition, sizeof(disposition), "attachment; filename=\"%s.csv\"", name);
	reply_add_header(r, "Content-Type", "text/csv; charset=utf-8; header=present");
	reply_add_header(r, "Content-Disposition", disposition);
	add_link(&r->headers, to->conf->prefix, page);
	buf_printf(&r->body, "\xef\xbb\xbf%s\r\n", columns); /* the byte order mark first */
}

static void
add_row(struct buf *b, const struct payment *p, const struct payment_life *life)
{
	const int64_t numbers[] = { p->quantity, p->amount.total, p->amount.tax_free, p->amount.vat,
		p->amount.point, p->amount.discount };

	add_cell(b, p->tid);
	add_kst(b, p->approved_at_ms);
	add_kst(b, p->created_at_ms);
	add_cell(b, p->user_id);
	add_cell(b, p->partner_order_id);
	add_cell(b, p->partner_user_id);
	add_cell(b, p->cid);
	add_cell(b, p->aid);
	add_cell(b, p->item_name);
	add_numbers(b, numbers, sizeof(numbers) / sizeof(numbers[0]));
	add_cell(b, p->payment_method_type);
	add_cell(b, attempt_state_name(life->state));
	buf_add_char(b, ',');
	buf_add_int(b, life->refunded);
	if (life->refunded_at_ms != 0)
		add_kst(b, life->refunded_at_ms);
	else
		buf_add_str(b, ",\"\"");
	buf_add_str(b, "\r\n");
}

void
csv_payments(struct reply *r, const struct reply_to *to, const struct csv_page *page,
    const struct payment *list, const struct payment_life *lives, size_t n)
{
	struct buf *b = &r->body;

	begin(r, to, page, "payments",
	    "tid,approved_at (KST),created_at (KST),userId,partner_order_id,partner_user_id,cid,aid,item_name,"
	    "quantity,total,tax_free,vat,point,discount,payment_method_type,state,refunded,refunded_at (KST)");
	for (size_t i = 0; i < n; i++)
		add_row(b, &list[i], &lives[i]);
}

static void
add_refund(struct buf *b, const struct ledger_event *e)
{
	const int64_t numbers[] = { e->refund.amount, e->refund.tax_free, e->refund.vat,
		e->refund.canceled };

	add_cell(b, e->tid);
	add_kst(b, e->at_ms);
	add_cell(b, e->refund.id[0] != '@' ? e->refund.id : "");
	add_numbers(b, numbers, sizeof(numbers) / sizeof(numbers[0]));
	add_cell(b, attempt_state_name(e->kind == LK_REFUNDED ? AS_REFUNDED : AS_PART_REFUNDED));
	add_cell(b, e->user_id);
	add_cell(b, e->partner_order_id);
	add_cell(b, e->room_id);
	add_cell(b, e->cid);
	buf_add_str(b, "\r\n");
}

void
csv_refunds(struct reply *r, const struct reply_to *to, const struct csv_page *page,
    const struct ledger_event *list, size_t n)
{
	struct buf *b = &r->body;

	begin(r, to, page, "refunds",
	    "tid,refunded_at (KST),refundId,amount,tax_free,vat,canceled,state,userId,partner_order_id,roomId,"
	    "cid");
	for (size_t i = 0; i < n; i++)
		add_refund(b, &list[i]);
}

void
csv_takings(struct reply *r, const struct reply_to *to, const struct csv_page *page,
    const struct operate_takings *list, size_t n)
{
	struct buf *b = &r->body;

	begin(r, to, page, "settlement", "cid,captures,captured,refunds,refunded,net");
	for (size_t i = 0; i < n; i++) {
		const int64_t numbers[] = { list[i].captures, list[i].captured, list[i].refunds,
			list[i].refunded, list[i].captured - list[i].refunded };

		add_cell(b, list[i].cid);
		add_numbers(b, numbers, sizeof(numbers) / sizeof(numbers[0]));
		buf_add_str(b, "\r\n");
	}
}
