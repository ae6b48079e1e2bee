#include "config.h"

#include "fcgi/console_request.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fcgi/check.h"
#include "json/number.h"

enum { DAY_MS = 24 * 3600 * 1000, CURSOR_CAP = 100, NUMBERS_MAX = 7 };

/* -- cursors: numbers in hex and perhaps a tid, with dots between them */

static bool
parse_number(const char **p, int64_t *out)
{
	size_t digits = strspn(*p, "0123456789abcdef");

	if (digits < 1 || digits > 15)
		return false;
	*out = (int64_t)strtoull(*p, NULL, 16);
	*p += digits;
	return true;
}

/* tid: NULL: there is none. It may be empty. */
static bool
parse_cursor(const char *text, int64_t *numbers, size_t n, char *tid)
{
	for (size_t i = 0; i < n; i++)
		if ((i > 0 && *text++ != '.') || !parse_number(&text, &numbers[i]))
			return false;
	if (tid == NULL)
		return *text == '\0';
	if (*text++ != '.' || strlen(text) >= TID_CAP || check_alnum(text, NULL) != FIELD__OK)
		return false;
	strcpy(tid, text);
	return true;
}

static void
add_cursor(struct buf *out, const int64_t *numbers, size_t n, const char *tid)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s%llx", i > 0 ? "." : "", (unsigned long long)numbers[i]);
	if (tid != NULL)
		buf_printf(out, ".%s", tid);
}

static enum request_verdict
refuse(struct field_errors *errors, const char *member, enum field_code code)
{
	field_errors_add(errors, "", member, code);
	return verdict_of_fields(errors);
}

/* -- words */

static enum field_code
is_one_of(const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcmp(*words, text) == 0)
			return FIELD__OK;
	return FIELD_WORD;
}

static enum field_code
check_state(const char *text, const void *ctx)
{
	static const char *const words[] = { "approved", "review", "unbookable", "refund_unknown",
		"part_refunded", "refunded", NULL };

	(void)ctx;
	return is_one_of(text, words);
}

static enum field_code
check_message_state(const char *text, const void *ctx)
{
	static const char *const words[] = { "new", "again", "waiting", "undelivered", "failing",
		NULL };

	(void)ctx;
	return is_one_of(text, words);
}

static enum field_code
check_peer(const char *text, const void *ctx)
{
	static const char *const words[] = { "reservation", "gateway", NULL };

	(void)ctx;
	return is_one_of(text, words);
}

static enum field_code
check_as(const char *text, const void *ctx)
{
	static const char *const words[] = { "approved", "declined", NULL };

	(void)ctx;
	return is_one_of(text, words);
}

/* YYYY-MM-DD: the day in Korea. */
static enum field_code
check_day(const char *text, const void *ctx)
{
	return strlen(text) == 10 ? request_check_when(text, ctx) : FIELD_FORMAT;
}

static void
read_day(const char *day, int64_t *from_ms, int64_t *to_ms)
{
	(void)clock_parse_when(day, from_ms);
	*to_ms = *from_ms + DAY_MS;
}

static size_t
read_limit(const char *text)
{
	int64_t limit = HISTORY_LIMIT;

	if (text[0] != '\0')
		(void)number_parse_text(text, &limit);
	return (size_t)limit;
}

/* -- lists */

struct list_form {
	struct console_list l;
	char room[UTF8_CAP(100)], day[40], from[40], to[40], limit[40], cursor[TID_CAP + 24];
};

/* clang-format off */
#define RULES(of) (of), sizeof(of) / sizeof((of)[0])
#define LIST_AT(member) FIELD_AT(list_form, member)
static const struct field_rule list_rules[] = {
	{ "userId",           FIELD_STR, false, 1,  100, LIST_AT(l.h.user_id), NULL },
	{ "partner_order_id", FIELD_STR, false, 1,  100, LIST_AT(l.h.partner_order_id), NULL },
	{ "cid",              FIELD_STR, false, 10, 10,  LIST_AT(l.cid), check_alnum },
	{ "roomId",           FIELD_STR, false, 24, 24,  LIST_AT(room), check_room },
	{ "day",              FIELD_STR, false, 10, 39,  LIST_AT(day), check_day },
	{ "from",             FIELD_STR, false, 10, 39,  LIST_AT(from), request_check_when },
	{ "to",               FIELD_STR, false, 10, 39,  LIST_AT(to), request_check_when },
	{ "limit",            FIELD_STR, false, 1,  39,  LIST_AT(limit), request_check_limit },
	{ "cursor",           FIELD_STR, false, 1,  43,  LIST_AT(cursor), request_check_cursor },
	{ "tid",              FIELD_STR, false, 1,  20,  LIST_AT(l.tid), check_alnum },
	{ "state",            FIELD_STR, false, 1,  23,  LIST_AT(l.state), check_state },
};
/* clang-format on */
enum { N_LIST_RULES = sizeof(list_rules) / sizeof(list_rules[0]), N_REFUND_RULES = 9 };

enum request_verdict
console_read_list(const char *query, bool payments, struct console_list *out,
    struct field_errors *errors)
{
	struct list_form f = { 0 };
	enum request_verdict v = request_read_query(query, list_rules,
	    payments ? N_LIST_RULES : N_REFUND_RULES, &f, errors);

	if (v != REQUEST_OK)
		return v;
	if (f.day[0] != '\0' && (f.from[0] != '\0' || f.to[0] != '\0'))
		return refuse(errors, "day", FIELD_BOTH);
	if (f.room[0] != '\0')
		check_read_room(f.room, f.l.h.room_id);
	if (f.from[0] != '\0')
		(void)clock_parse_when(f.from, &f.l.h.from_ms);
	if (f.to[0] != '\0')
		(void)clock_parse_when(f.to, &f.l.h.to_ms);
	if (f.day[0] != '\0')
		read_day(f.day, &f.l.h.from_ms, &f.l.h.to_ms);
	if (f.to[0] != '\0' && f.l.h.to_ms <= f.l.h.from_ms)
		return refuse(errors, "to", FIELD_OUT_OF_RANGE);
	if (f.cursor[0] != '\0')
		(void)request_parse_cursor(f.cursor, &f.l.h.after);
	f.l.h.limit = read_limit(f.limit);
	*out = f.l;
	return REQUEST_OK;
}

/* -- holds */

struct holds_form {
	struct console_holds h;
	char room[UTF8_CAP(100)], limit[40], cursor[CURSOR_CAP];
};

/* clang-format off */
static const struct field_rule holds_rules[] = {
	{ "userId", FIELD_STR, false, 1,  100, FIELD_AT(holds_form, h.user), NULL },
	{ "roomId", FIELD_STR, false, 24, 24,  FIELD_AT(holds_form, room), check_room },
	{ "cid",    FIELD_STR, false, 10, 10,  FIELD_AT(holds_form, h.cid), check_alnum },
	{ "limit",  FIELD_STR, false, 1,  39,  FIELD_AT(holds_form, limit), request_check_limit },
	{ "cursor", FIELD_STR, false, 1,  16,  FIELD_AT(holds_form, cursor), NULL },
};
/* clang-format on */

enum request_verdict
console_read_holds(const char *query, struct console_holds *out, struct field_errors *errors)
{
	struct holds_form f = { 0 };
	enum request_verdict v = request_read_query(query, RULES(holds_rules), &f, errors);
	int64_t after = 0;

	if (v != REQUEST_OK)
		return v;
	if (f.cursor[0] != '\0' && !parse_cursor(f.cursor, &after, 1, NULL))
		return refuse(errors, "cursor", FIELD_FORMAT);
	if (f.room[0] != '\0')
		check_read_room(f.room, f.h.room);
	f.h.limit = read_limit(f.limit);
	f.h.after = (uint64_t)after;
	*out = f.h;
	return REQUEST_OK;
}

void
console_holds_cursor(uint64_t after, struct buf *out)
{
	add_cursor(out, &(int64_t){ (int64_t)after }, 1, NULL);
}

/* -- messages */

struct owed_form {
	struct console_owed c;
	char limit[40], cursor[CURSOR_CAP];
};

/* clang-format off */
static const struct field_rule owed_rules[] = {
	{ "peer",   FIELD_STR, false, 1, 11, FIELD_AT(owed_form, c.peer), check_peer },
	{ "state",  FIELD_STR, false, 1, 11, FIELD_AT(owed_form, c.state), check_message_state },
	{ "limit",  FIELD_STR, false, 1, 39, FIELD_AT(owed_form, limit), request_check_limit },
	{ "cursor", FIELD_STR, false, 1, 40, FIELD_AT(owed_form, cursor), NULL },
};
/* clang-format on */

static bool
parse_owed_cursor(const char *text, int64_t *at_ms, size_t *passed)
{
	enum { PASSED_MAX = 10000 };
	int64_t n[2] = { 0 };

	if (text[0] != '\0' && (!parse_cursor(text, n, 2, NULL) || n[1] > PASSED_MAX))
		return false;
	*at_ms = n[0];
	*passed = (size_t)n[1];
	return true;
}

enum request_verdict
console_read_owed(const char *query, struct console_owed *out, struct field_errors *errors)
{
	struct owed_form f = { 0 };
	enum request_verdict v = request_read_query(query, RULES(owed_rules), &f, errors);

	if (v != REQUEST_OK)
		return v;
	if (!parse_owed_cursor(f.cursor, &f.c.o.at_ms, &f.c.o.passed))
		return refuse(errors, "cursor", FIELD_FORMAT);
	f.c.o.limit = read_limit(f.limit);
	*out = f.c;
	return REQUEST_OK;
}

void
console_owed_cursor(int64_t at_ms, size_t passed, struct buf *out)
{
	add_cursor(out, (int64_t[]){ at_ms, (int64_t)passed }, 2, NULL);
}

/* -- days */

struct day_form {
	struct console_day d;
	char cursor[CURSOR_CAP];
};

/* clang-format off */
static const struct field_rule day_rules[] = {
	{ "day",    FIELD_STR, true,  10, 10, FIELD_AT(day_form, d.day), check_day },
	{ "cid",    FIELD_STR, false, 10, 10, FIELD_AT(day_form, d.cid), check_alnum },
	{ "cursor", FIELD_STR, false, 1,  99, FIELD_AT(day_form, cursor), NULL },
};
/* clang-format on */

static enum request_verdict
read_day_form(const char *query, struct day_form *f, struct field_errors *errors)
{
	enum request_verdict v = request_read_query(query, RULES(day_rules), f, errors);

	if (v == REQUEST_OK)
		read_day(f->d.day, &f->d.from_ms, &f->d.to_ms);
	return v;
}

enum request_verdict
console_read_settlement(const char *query, struct console_day *out, struct field_errors *errors)
{
	struct day_form f = { 0 };
	enum request_verdict v = read_day_form(query, &f, errors);
	struct operate_settlement_mark *m = &f.d.settlement;
	int64_t n[3] = { 0 };

	if (v != REQUEST_OK)
		return v;
	if (f.cursor[0] != '\0' &&
	    (!parse_cursor(f.cursor, n, 3, m->after.tid) || n[0] > CONF_CIDS_MAX || n[1] > 1))
		return refuse(errors, "cursor", FIELD_FORMAT);
	m->cid = (size_t)n[0];
	m->refunds = n[1] == 1;
	m->after.approved_at_ms = n[2];
	*out = f.d;
	return REQUEST_OK;
}

void
console_settlement_cursor(const struct operate_settlement_mark *m, struct buf *out)
{
	add_cursor(out, (int64_t[]){ (int64_t)m->cid, m->refunds, m->after.approved_at_ms }, 3,
	    m->after.tid);
}

enum request_verdict
console_read_reconcile(const char *query, struct console_day *out, struct field_errors *errors)
{
	enum { COUNT_MAX = 100000000 };
	struct day_form f = { 0 };
	enum request_verdict v = read_day_form(query, &f, errors);
	struct operate_reconcile_mark *m = &f.d.reconcile;
	int64_t n[6] = { 0 };

	if (v != REQUEST_OK)
		return v;
	if (f.cursor[0] != '\0' &&
	    (!parse_cursor(f.cursor, n, 6, m->after.tid) || n[0] >= RECONCILE_END ||
		n[1] > COUNT_MAX || n[2] > COUNT_MAX || n[5] > COUNT_MAX))
		return refuse(errors, "cursor", FIELD_FORMAT);
	*m = (struct operate_reconcile_mark){ .part = (unsigned)n[0],
		.done = (size_t)n[1],
		.all = (size_t)n[2],
		.after = m->after,
		.at_ms = n[4],
		.passed = (size_t)n[5] };
	m->after.approved_at_ms = n[3];
	*out = f.d;
	return REQUEST_OK;
}

void
console_reconcile_cursor(const struct operate_reconcile_mark *m, struct buf *out)
{
	add_cursor(out,
	    (int64_t[]){ m->part, (int64_t)m->done, (int64_t)m->all, m->after.approved_at_ms,
		m->at_ms, (int64_t)m->passed },
	    6, m->after.tid);
}

/* -- actions */

/* clang-format off */
#define ACT_AT(member) FIELD_AT(console_act, member)
#define DRY_RUN { "dryRun", FIELD_BOOL, false, 0, 0, ACT_AT(dry_run), NULL }
#define REASON  { "reason", FIELD_STR, false, 1, 100, ACT_AT(reason), NULL }
#define AGAIN   { "again",  FIELD_BOOL, false, 0, 0, ACT_AT(again), NULL }
#define TID     { "tid",    FIELD_STR, true, 1, 20, ACT_AT(tid), check_alnum }
static const struct field_rule settle_rules[] = {
	TID,
	{ "as", FIELD_STR, false, 1, 11, ACT_AT(as), check_as },
	REASON, DRY_RUN,
};
static const struct field_rule refund_rules[] = {
	TID,
	{ "refundId",               FIELD_STR, false, 1, 64,      ACT_AT(refund_id), check_name },
	{ "cancel_amount",          FIELD_INT, false, 1, MAX_WON, ACT_AT(amount), NULL },
	{ "cancel_tax_free_amount", FIELD_INT, false, 0, MAX_WON, ACT_AT(tax_free), NULL },
	REASON, AGAIN, DRY_RUN,
};
static const struct field_rule release_rules[] = { TID, REASON, DRY_RUN };
static const struct field_rule retry_rules[] = {
	{ "id", FIELD_STR, true, 1, MESSAGE_ID_CAP - 1, ACT_AT(id), check_graphic },
	REASON, AGAIN, DRY_RUN,
};
static const struct field_rule retry_all_rules[] = {
	{ "peer",   FIELD_STR, false, 1,  11, ACT_AT(peer), check_peer },
	{ "since",  FIELD_STR, false, 10, 39, ACT_AT(since), request_check_when },
	{ "cursor", FIELD_STR, false, 1,  40, ACT_AT(cursor), NULL },
	REASON, DRY_RUN,
};
static const struct field_rule test_rules[] = {
	{ "peer", FIELD_STR, true, 1, 11, ACT_AT(peer), check_peer },
};
static const struct field_rule adopt_rules[] = { REASON, DRY_RUN };
static const struct {
	const struct field_rule *rules;
	size_t n;
} acts[] = {
	[CONSOLE_SETTLE] = { RULES(settle_rules) },
	[CONSOLE_REFUND] = { RULES(refund_rules) },
	[CONSOLE_RELEASE] = { RULES(release_rules) },
	[CONSOLE_RETRY] = { RULES(retry_rules) },
	[CONSOLE_RETRY_ALL] = { RULES(retry_all_rules) },
	[CONSOLE_TEST] = { RULES(test_rules) },
	[CONSOLE_ADOPT] = { RULES(adopt_rules) },
};
/* clang-format on */

/* A member that a rule could not read is not missing as well. */
static void
require(struct field_errors *errors, const char *pointer, const char *value)
{
	if (value[0] == '\0' && !field_errors_has(errors, pointer))
		field_errors_add(errors, "", pointer + 1, FIELD_REQUIRED);
}

static void
check_refund(const struct console_act *a, struct field_errors *errors)
{
	if (!a->dry_run)
		require(errors, "/refundId", a->refund_id);
	if (a->tax_free >= 0 && a->amount < 0 && !field_errors_has(errors, "/cancel_amount"))
		field_errors_add(errors, "", "cancel_amount", FIELD_REQUIRED);
	if (a->tax_free >= 0 && a->amount >= 0 && a->tax_free > a->amount)
		field_errors_add(errors, "", "cancel_tax_free_amount", FIELD_OUT_OF_RANGE);
}

static void
read_words(struct console_act *a, struct field_errors *errors)
{
	a->end = a->as[0] == '\0'	     ? OPERATE_END_FOUND
	    : strcmp(a->as, "approved") == 0 ? OPERATE_END_APPROVED
					     : OPERATE_END_DECLINED;
	if (a->since[0] != '\0')
		(void)clock_parse_when(a->since, &a->since_ms);
	if (!parse_owed_cursor(a->cursor, &a->mark.at_ms, &a->mark.passed))
		field_errors_add(errors, "", "cursor", FIELD_FORMAT);
}

enum request_verdict
console_read_act(enum console_action what, const char *body, size_t len, struct console_act *out,
    struct field_errors *errors, struct error *err)
{
	enum request_verdict v;

	*out = (struct console_act){ .amount = -1, .tax_free = -1 };
	v = request_read_flat(body, len, acts[what].rules, acts[what].n, out, errors, err);
	if (v == REQUEST_MALFORMED || v == REQUEST_NO_MEMORY)
		return v;
	if (what != CONSOLE_TEST && !out->dry_run)
		require(errors, "/reason", out->reason);
	if (what == CONSOLE_REFUND)
		check_refund(out, errors);
	read_words(out, errors);
	return verdict_of_fields(errors);
}
