/* attempt, order and payment: the JSON of an attempt, the life of an order as its chain tells it, the record of a capture. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "json/strict.h"
#include "money/attempt.h"
#include "money/order.h"
#include "money/payment.h"
#include "money/refund.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- amounts and payments */

static void
vat_is_an_eleventh_of_what_is_taxed_rounded_half_up(void **state)
{
	static const struct { int64_t total, tax_free, vat; } rows[] = {
		{ 2200, 0, 200 }, { 5900, 0, 536 }, { 270600, 0, 24600 }, { 2100, 100, 182 },
		{ 0, 0, 0 }, { 1, 0, 0 }, { 5, 0, 0 }, { 6, 0, 1 }, { 16, 0, 1 }, { 17, 0, 2 }, { 100, 100, 0 }, { 106, 100, 1 },
		{ MAX_WON, 0, 90909091 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(amount_vat(rows[i].total, rows[i].tax_free), rows[i].vat);
}

static struct payment
a_payment(void)
{
	return (struct payment){ .aid = "A5e6737334aa00bc441a", .tid = "T5e6735e51aa00bc4411", .cid = "TC0ONETIME", .partner_order_id = "ord-1001",
		.partner_user_id = "u-77", .user_id = "u \"77\"", .item_name = "\xec\xbb\xa4\xed\x94\xbc", .payment_method_type = "MONEY", .quantity = 1,
		.amount = { .total = 2200, .vat = 200, .point = 7, .discount = 8 }, .created_at_ms = 1709601630000, .approved_at_ms = 1709601651000 };
}

static void
a_payment_has_the_sites_members_in_the_sites_order(void **state)
{
	struct payment p = a_payment();
	struct buf b = BUF_INIT;

	(void)state;
	payment_format(&p, &b);
	assert_string_equal(buf_str(&b), "{\"aid\":\"A5e6737334aa00bc441a\","
	    "\"amount\":{\"total\":2200,\"tax_free\":0,\"vat\":200,\"point\":7,\"discount\":8},"
	    "\"approved_at\":\"2024-03-05T01:20:51.000Z\",\"cid\":\"TC0ONETIME\",\"created_at\":\"2024-03-05T01:20:30.000Z\","
	    "\"item_name\":\"\xec\xbb\xa4\xed\x94\xbc\",\"partner_order_id\":\"ord-1001\",\"partner_user_id\":\"u-77\","
	    "\"payment_method_type\":\"MONEY\",\"quantity\":1,\"tid\":\"T5e6735e51aa00bc4411\",\"userId\":\"u \\\"77\\\"\"}");
	buf_clear(&b);
}

static void
a_payment_without_an_aid_does_not_say_one(void **state)
{
	struct payment p = a_payment();
	struct buf b = BUF_INIT;

	(void)state;
	p.aid[0] = '\0';
	payment_format(&p, &b);
	assert_memory_equal(buf_str(&b), "{\"amount\":", 10);
	assert_true(strict_check(b.data, b.len, STRICT_DEPTH, NULL));
	buf_clear(&b);
}

/* --- attempts */

static void
fill(char *out, size_t cap, const char *piece, size_t times)
{
	size_t len = strlen(piece);

	assert_true(len * times < cap);
	for (size_t i = 0; i < times; i++)
		memcpy(out + i * len, piece, len);
	out[len * times] = '\0';
}

static struct attempt
an_attempt(void)
{
	return (struct attempt){ .cid = "TC0ONETIME", .partner_order_id = "o", .partner_user_id = "p", .user_id = "u",
		.room_id = "5f0000000000000000000001", .item_name = "i", .quantity = 1, .total_amount = 2200, .tax_free_amount = 0, .vat_amount = -1,
		.reservation_info = "{\"day\":[1,1],\"startTime\":[9.50,13e0],\"endTime\":[10,14],\"roomId\":\"5f0000000000000000000001\",\"x\":{}}" };
}

/* As large as each member may be; every character escaped where it can be. */
static struct attempt
a_full_attempt(void)
{
	struct attempt a = { .quantity = 1000000, .total_amount = MAX_WON, .tax_free_amount = MAX_WON, .vat_amount = 0 };
	size_t len = sizeof(a.reservation_info) - 1;

	fill(a.cid, sizeof(a.cid), "\xf0\x9f\x8d\xb5", 10);
	fill(a.partner_order_id, sizeof(a.partner_order_id), "\xf0\x9f\x8d\xb5", 100);
	fill(a.partner_user_id, sizeof(a.partner_user_id), "\"", 100);
	fill(a.user_id, sizeof(a.user_id), "\xea\xb0\x80", 100);
	fill(a.room_id, sizeof(a.room_id), "f", 24);
	fill(a.item_name, sizeof(a.item_name), "\\", 100);
	memset(a.reservation_info, 'x', len);
	memcpy(a.reservation_info, "{\"memo\":\"", 9);
	memcpy(a.reservation_info + len - 2, "\"}", 2);
	return a;
}

static void
assert_comes_back(const struct attempt *a)
{
	struct buf b = BUF_INIT;
	struct error err = { 0 };
	struct attempt back;

	attempt_format(a, &b);
	assert_false(b.bad);
	assert_true(b.len <= ATTEMPT_MAX);
	assert_true(strict_check(b.data, b.len, STRICT_DEPTH, NULL));
	if (!attempt_parse(buf_str(&b), &back, &err))
		fail_msg("%s", err.msg);
	assert_string_equal(back.cid, a->cid);
	assert_string_equal(back.partner_order_id, a->partner_order_id);
	assert_string_equal(back.partner_user_id, a->partner_user_id);
	assert_string_equal(back.user_id, a->user_id);
	assert_string_equal(back.room_id, a->room_id);
	assert_string_equal(back.item_name, a->item_name);
	assert_int_equal(back.quantity, a->quantity);
	assert_int_equal(back.total_amount, a->total_amount);
	assert_int_equal(back.tax_free_amount, a->tax_free_amount);
	assert_int_equal(back.vat_amount, a->vat_amount);
	assert_string_equal(back.reservation_info, a->reservation_info[0] != '\0' ? a->reservation_info : "{}");
	buf_clear(&b);
}

static void
an_attempt_comes_back_as_it_was(void **state)
{
	struct attempt plain = an_attempt(), full = a_full_attempt(), empty = { .vat_amount = 5 };

	(void)state;
	assert_comes_back(&plain);
	assert_comes_back(&full);
	assert_comes_back(&empty);
}

static void
the_short_form_leaves_out_what_the_queue_keeps(void **state)
{
	struct attempt a = a_full_attempt(), back;
	struct buf b = BUF_INIT;

	(void)state;
	attempt_format_short(&a, &b);
	assert_true(attempt_parse(buf_str(&b), &back, NULL));
	assert_string_equal(back.cid, "");
	assert_string_equal(back.partner_order_id, "");
	assert_string_equal(back.user_id, "");
	assert_string_equal(back.room_id, "");
	memcpy(back.cid, a.cid, sizeof(a.cid));
	memcpy(back.partner_order_id, a.partner_order_id, sizeof(a.partner_order_id));
	memcpy(back.user_id, a.user_id, sizeof(a.user_id));
	memcpy(back.room_id, a.room_id, sizeof(a.room_id));
	assert_string_equal(back.partner_user_id, a.partner_user_id);
	assert_string_equal(back.reservation_info, a.reservation_info);
	assert_int_equal(back.total_amount, a.total_amount);
	buf_clear(&b);
}

static void
what_is_not_our_writing_is_no_attempt(void **state)
{
#define REST "\"partner_order_id\":\"o\",\"partner_user_id\":\"p\",\"user_id\":\"u\",\"room_id\":\"r\",\"item_name\":\"i\",\"quantity\":1," \
	"\"total_amount\":1,\"tax_free_amount\":0"
	static const struct { const char *text; bool ok; } rows[] = {
		{ "{\"cid\":\"c\"," REST ",\"reservation_info\":{}}", true },
		{ "{\"cid\":\"c\"," REST ",\"reservation_info\":{},\"vat_amount\":0}", true },
		{ "{\"cid\":\"c\"," REST ",\"reservation_info\":{},\"vat_amount\":0,\"key\":\"k\"}", false },
		{ "{\"cid\":\"c\"," REST "}", false },
		{ "{\"cid\":\"c\"," REST ",\"reservation_info\":[]}", false },
		{ "{\"cid\":\"c\"," REST ",\"reservation_info\":\"{}\"}", false },
		{ "{\"cid\":\"c\"," REST ",\"reservation_info\":{},\"vat_amount\":-1}", false },
		{ "{\"cid\":\"c\"," REST ",\"reservation_info\":{},\"more\":1}", false },
		{ "{\"cid\":\"12345678901\"," REST ",\"reservation_info\":{}}", false },
		{ "{\"cid\":1," REST ",\"reservation_info\":{}}", false },
		{ "{" REST ",\"reservation_info\":{}}", true },	/* the short form */
		{ "{\"cid\":\"c\",\"cid\":\"c\"," REST ",\"reservation_info\":{}}", false },
		{ "[]", false }, { "", false }, { "{", false }, { "null", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct error err = { 0 };
		struct attempt a;

		if (attempt_parse(rows[i].text, &a, &err) != rows[i].ok)
			fail_msg("%s: %s", rows[i].text, err.msg);
		assert_int_equal(err.code, rows[i].ok ? ERR_NONE : ERR_INTERNAL);
	}
}

static void
a_reservation_info_longer_than_its_room_is_refused(void **state)
{
	struct attempt a = a_full_attempt(), back;
	struct buf b = BUF_INIT;
	struct error err = { 0 };
	char *at;

	(void)state;
	attempt_format(&a, &b);
	buf_add_char(&b, ' ');			/* room for one more x */
	at = strstr(b.data, "xxx");
	memmove(at + 1, at, strlen(at) - 1);
	assert_false(attempt_parse(b.data, &back, &err));
	assert_int_equal(err.code, ERR_INTERNAL);
	buf_clear(&b);
}

/* --- orders */

static void
kinds_and_states_have_words_of_their_own(void **state)
{
	(void)state;
	for (int k = 0; k < LK__MAX; k++) {
		enum ledger_kind back = LK__MAX;

		assert_true(ledger_kind_parse(ledger_kind_name((enum ledger_kind)k), &back));
		assert_int_equal(back, k);
	}
	for (int a = 0; a < AS__MAX; a++)
		for (int b = 0; b < a; b++)
			assert_string_not_equal(attempt_state_name((enum attempt_state)a), attempt_state_name((enum attempt_state)b));
	for (size_t i = 0; i < 4; i++) {
		static const char *const no_words[] = { "", "Approved", "approved ", "charged" };
		enum ledger_kind k;

		assert_false(ledger_kind_parse(no_words[i], &k));
	}
}

/*
 * A chain written as words: "approving" is of tid A, "B:approving" of tid B, "review+" is a review with a payment. approved always has one.
 * The numbers are 1, 2, ...
 */
static struct ledger_chain
chain(const char *text)
{
	struct ledger_chain c = { calloc(40, sizeof(*c.ev)), 0 };
	char *copy = strdup(text), *at = copy, *word;

	while ((word = strsep(&at, " ")) != NULL) {
		struct ledger_event *e = &c.ev[c.n];
		size_t len = strlen(word);

		if (len == 0)
			continue;
		strcpy(e->tid, "A");
		if (word[1] == ':') {
			e->tid[0] = word[0];
			word += 2;
			len -= 2;
		}
		if (word[len - 1] == '+') {
			e->has_payment = true;
			word[len - 1] = '\0';
		}
		if (!ledger_kind_parse(word, &e->kind))
			fail_msg("no kind: %s", word);
		e->has_payment = e->has_payment || e->kind == LK_APPROVED;
		e->n = (int64_t)++c.n;
		snprintf(e->key, sizeof(e->key), "key-%zu", c.n);
	}
	free(copy);
	return c;
}

/* "state last approving captured removed", each an event's number or 0; "illegal". */
static const char *
told(const struct ledger_chain *c, const char *tid)
{
	static char text[100];
	struct order_state s;
	struct error err = { 0 };
	const struct ledger_event *all[4];
	size_t len;

	if (!order_state(c, tid, &s, &err)) {
		assert_int_equal(err.code, ERR_INTERNAL);
		return "illegal";
	}
	assert_int_equal(err.code, ERR_NONE);
	all[0] = s.last;
	all[1] = s.approving;
	all[2] = s.captured;
	all[3] = s.removed;
	snprintf(text, sizeof(text), "%s", attempt_state_name(s.state));
	for (size_t i = 0; i < 4; i++) {
		len = strlen(text);
		snprintf(text + len, sizeof(text) - len, " %d", all[i] == NULL ? 0 : (int)all[i]->n);
	}
	return text;
}

struct life_row {
	const char *sentence, *chain, *tid, *state;
};

static void
check_rows(const struct life_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct ledger_chain c = chain(rows[i].chain);
		char got[100];

		snprintf(got, sizeof(got), "%s", told(&c, rows[i].tid));
		ledger_chain_clear(&c);
		if (strcmp(got, rows[i].state) != 0)
			fail_msg("%s (%s): %s, not %s", rows[i].sentence, rows[i].chain, got, rows[i].state);
	}
}

static void
an_attempt_lives_as_the_table_says(void **state)
{
	static const struct life_row rows[] = {
		{ "nothing happened", "", NULL, "none 0 0 0 0" },
		{ "asking for a tid that is not there", "approving", "B", "none 0 0 0 0" },
		{ "approve is under way", "approving", NULL, "approving 1 1 0 0" },
		{ "captured", "approving approved", NULL, "approved 2 1 2 0" },
		{ "declined", "approving declined", NULL, "declined 2 1 0 0" },
		{ "a refused token leaves it ready", "approving refused", NULL, "ready 2 1 0 0" },
		{ "not executed leaves it ready", "approving not_executed", NULL, "ready 2 1 0 0" },
		{ "an approving never written leaves it ready", "abandoned", NULL, "ready 1 0 0 0" },
		{ "five refused tokens, then captured", "approving refused approving refused approving refused approving refused approving refused "
		    "approving approved", NULL, "approved 12 11 12 0" },
		{ "unknown", "approving unknown", NULL, "unknown 2 1 0 0" },
		{ "unknown may be said twice", "approving unknown unknown", NULL, "unknown 3 1 0 0" },
		{ "unknown, then captured", "approving unknown approved", NULL, "approved 3 1 3 0" },
		{ "unknown, then declined", "approving unknown declined", NULL, "declined 3 1 0 0" },
		{ "unknown, then an operator", "approving unknown review", NULL, "review 3 1 0 0" },
		{ "unknown, then approved again after inquiry", "approving unknown approving approved", NULL, "approved 4 3 4 0" },
		{ "a worker died, the next one inquired and goes on", "approving approving approved", NULL, "approved 3 2 3 0" },
		{ "not executed now says nothing of an earlier send", "approving unknown approving not_executed", NULL, "unknown 4 3 0 0" },
		{ "nor does a refused token", "approving unknown approving refused", NULL, "unknown 4 3 0 0" },
		{ "nor after a worker that died", "approving approving not_executed", NULL, "unknown 3 2 0 0" },
		{ "an approving never written changes nothing of an open one", "approving unknown abandoned", NULL, "unknown 2 1 0 0" },
		{ "nor of one without outcome", "approving abandoned", NULL, "approving 1 1 0 0" },
		{ "which still gets its outcome", "approving abandoned approved", NULL, "approved 3 1 3 0" },
		{ "review without a payment is no capture", "approving review", NULL, "review 2 1 0 0" },
		{ "review with a payment is one", "approving review+", NULL, "review 2 1 2 0" },
		{ "an operator approves", "approving review+ approved", NULL, "approved 3 1 3 0" },
		{ "an operator finds that nothing was captured", "approving review+ declined", NULL, "declined 3 1 0 0" },
		{ "a late capture after declined", "approving declined approved", NULL, "approved 3 1 3 0" },
		{ "a late capture after not executed", "approving not_executed approved", NULL, "approved 3 1 3 0" },
		{ "a late capture that does not agree", "approving declined review+", NULL, "review 3 1 3 0" },
		{ "removed sets a mark and nothing else", "approving approved removed", NULL, "approved 2 1 2 3" },
		{ "removed twice: the last", "approving approved removed removed", NULL, "approved 2 1 2 4" },
		{ "notes change nothing", "note approving note approved note removed note", NULL, "approved 4 2 4 6" },
		{ "unbookable", "approving approved unbookable", NULL, "unbookable 3 1 2 0" },
		{ "unbookable and refunded", "approving approved unbookable refunding refunded", NULL, "refunded 5 1 2 0" },
		{ "a refund under way", "approving approved refunding", NULL, "refund_unknown 3 1 2 0" },
		{ "a refund whose end is not known", "approving approved refunding refund_unknown", NULL, "refund_unknown 3 1 2 0" },
		{ "a refund that failed", "approving approved refunding refund_failed", NULL, "approved 4 1 2 0" },
		{ "a second refund that failed", "approving approved refunding part_refunded refunding refund_failed", NULL, "part_refunded 6 1 2 0" },
		{ "a refund that failed after unbookable", "approving approved unbookable refunding refund_unknown refund_failed", NULL,
		    "unbookable 6 1 2 0" },
		{ "refunded outside", "approving approved refunded", NULL, "refunded 3 1 2 0" },
		{ "a refund that does not agree stays captured", "approving approved refunding review", NULL, "review 4 1 2 0" },
		{ "a refunded one is removed", "approving approved removed refunding refunded removed", NULL, "refunded 5 1 2 6" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void
an_order_is_captured_once(void **state)
{
	static const struct life_row rows[] = {
		{ "the next attempt after declined", "approving declined B:approving B:approved", NULL, "approved 4 3 4 0" },
		{ "the first attempt keeps its own end", "approving declined B:approving B:approved", "A", "declined 2 1 0 0" },
		{ "the second its own", "approving declined B:approving B:approved", "B", "approved 4 3 4 0" },
		{ "the next attempt after a refused token", "approving refused B:approving", NULL, "approving 3 3 0 0" },
		{ "the next attempt after an abandoned one", "abandoned B:approving", NULL, "approving 2 2 0 0" },
		{ "back to the first", "approving refused B:approving B:declined approving", NULL, "approving 5 5 0 0" },
		{ "a late capture of the first is the order's", "approving declined B:approving B:declined approved", NULL, "approved 5 1 5 0" },
		{ "also while the second is under way", "approving declined B:approving approved B:declined", NULL, "declined 5 3 4 0" },
		{ "of two captures the first attempt's is told", "approving declined B:approving approved B:approved", NULL, "approved 5 3 4 0" },
		{ "and each tid tells its own", "approving declined B:approving approved B:approved", "B", "approved 5 3 5 0" },
		{ "removed is the captured one's", "approving approved removed B:removed", NULL, "approved 2 1 2 3" },
		{ "no second attempt while one is under way", "approving B:approving", NULL, "illegal" },
		{ "none while one is unknown", "approving unknown B:approving", NULL, "illegal" },
		{ "none while an operator looks", "approving review B:approving", NULL, "illegal" },
		{ "none after a capture", "approving approved B:approving", NULL, "illegal" },
		{ "none after a capture, even refunded", "approving approved refunded B:approving", NULL, "illegal" },
		{ "none after a late capture", "approving declined approved B:approving", NULL, "illegal" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

/* What order_may_begin allows is what order_state takes. */
static void
an_attempt_may_begin_where_its_approving_is_legal(void **state)
{
	static const struct { const char *chain, *tid; bool may; } rows[] = {
		{ "", NULL, true },
		{ "", "A", true },
		{ "approving", "A", true },
		{ "approving", "B", false },
		{ "approving", NULL, false },
		{ "approving unknown", "A", true },
		{ "approving unknown", "B", false },
		{ "approving refused", "B", true },
		{ "approving declined", NULL, true },
		{ "approving declined B:approving", "B", true },
		{ "approving declined B:approving", NULL, false },
		{ "approving declined review", "B", false },
		{ "approving declined B:approving B:refused review", "B", false },
		{ "approving approved", "B", false },
		{ "approving approved removed", NULL, false },
		{ "approving approved refunded", NULL, false },
		{ "abandoned", "B", true },
		{ "approved", NULL, false },	/* damage */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ledger_chain c = chain(rows[i].chain);
		struct ledger_event *e = &c.ev[c.n];
		struct order_state s;

		if (order_may_begin(&c, rows[i].tid) != rows[i].may)
			fail_msg("%s, then %s", rows[i].chain, rows[i].tid == NULL ? "a new one" : rows[i].tid);
		e->kind = LK_APPROVING;
		e->n = (int64_t)++c.n;
		strcpy(e->tid, rows[i].tid == NULL ? "N" : rows[i].tid);
		assert_int_equal(order_state(&c, NULL, &s, NULL), rows[i].may);
		ledger_chain_clear(&c);
	}
}

/* For each state a chain that leads to it, and the kinds that may follow: every pair of state and kind is tried. */
static void
every_other_step_is_refused(void **state)
{
	static const struct { const char *chain; enum attempt_state state; const char *legal; } rows[] = {
		{ "", AS_NONE, "approving abandoned removed note" },
		{ "approving", AS_APPROVING, "approving approved declined refused not_executed unknown review abandoned note" },
		{ "approving approved", AS_APPROVED, "review removed unbookable refunding refunded part_refunded abandoned note" },
		{ "approving declined", AS_DECLINED, "approved review removed abandoned note" },
		{ "approving refused", AS_READY, "approving approved review abandoned removed note" },
		{ "approving unknown", AS_UNKNOWN, "approving approved declined unknown review abandoned note" },
		{ "approving review", AS_REVIEW, "approved declined removed abandoned note" },
		{ "approving approved unbookable", AS_UNBOOKABLE, "review removed refunding refunded part_refunded abandoned note" },
		{ "approving approved refunded", AS_REFUNDED, "removed abandoned note" },
		{ "approving approved part_refunded", AS_PART_REFUNDED, "review removed refunding refunded part_refunded abandoned note" },
		{ "approving approved refunding", AS_REFUND_UNKNOWN, "review removed refunded part_refunded refund_failed refund_unknown abandoned note" },
	};

	(void)state;
	assert_int_equal(COUNT(rows), AS__MAX);
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(rows[i].state, i);
		for (int k = 0; k < LK__MAX; k++) {
			const char *kind = ledger_kind_name((enum ledger_kind)k);
			char text[200], padded[200], word[40];
			struct ledger_chain c;
			struct order_state s;
			bool legal, got;

			snprintf(padded, sizeof(padded), " %s ", rows[i].legal);
			snprintf(word, sizeof(word), " %s ", kind);
			legal = strstr(padded, word) != NULL;
			snprintf(text, sizeof(text), "%s %s", rows[i].chain, kind);
			c = chain(text);
			got = order_state(&c, NULL, &s, NULL);
			c.n--;
			assert_true(order_state(&c, NULL, &s, NULL));
			assert_int_equal(s.state, rows[i].state);
			c.n++;
			ledger_chain_clear(&c);
			if (got != legal)
				fail_msg("%s while %s should be %s", kind, attempt_state_name(rows[i].state), legal ? "legal" : "refused");
		}
	}
}

/* --- refunds */

static void
a_refund_is_split_by_kakaopays_rule(void **state)
{
	static const struct { struct amount paid, refunded; int64_t amount, tax_free; enum refund_verdict v; int64_t want, want_tax_free, want_vat; } rows[] = {
		{ { 2200, 0, 200, 0, 0 }, { 0 }, -1, -1, REFUND_OK, 2200, 0, 200 },
		{ { 2200, 0, 200, 0, 0 }, { 0 }, 1000, -1, REFUND_OK, 1000, 0, 91 },
		{ { 2200, 0, 200, 0, 0 }, { 1000, 0, 91, 0, 0 }, -1, -1, REFUND_OK, 1200, 0, 109 },	/* the last one takes the rest */
		{ { 2200, 0, 200, 0, 0 }, { 1000, 0, 91, 0, 0 }, 1200, 0, REFUND_OK, 1200, 0, 109 },
		{ { 2200, 0, 200, 0, 0 }, { 1000, 0, 91, 0, 0 }, 1201, -1, REFUND_EXCEEDS, 0, 0, 0 },
		{ { 2200, 0, 200, 0, 0 }, { 2200, 0, 200, 0, 0 }, -1, -1, REFUND_EXCEEDS, 0, 0, 0 },
		{ { 2200, 0, 200, 0, 0 }, { 0 }, 1000, 1, REFUND_EXCEEDS, 0, 0, 0 },		/* nothing is tax-free */
		{ { 3000, 800, 200, 0, 0 }, { 0 }, 1000, -1, REFUND_TAX_FREE_REQUIRED, 0, 0, 0 },
		{ { 3000, 800, 200, 0, 0 }, { 0 }, -1, -1, REFUND_OK, 3000, 800, 200 },
		{ { 3000, 800, 200, 0, 0 }, { 0 }, 3000, -1, REFUND_OK, 3000, 800, 200 },
		{ { 3000, 800, 200, 0, 0 }, { 0 }, 1000, 500, REFUND_OK, 1000, 500, 45 },
		{ { 3000, 800, 200, 0, 0 }, { 0 }, 900, 801, REFUND_EXCEEDS, 0, 0, 0 },
		{ { 3000, 800, 200, 0, 0 }, { 0 }, 2300, 99, REFUND_EXCEEDS, 0, 0, 0 },	/* more than is taxable */
		{ { 3000, 800, 200, 0, 0 }, { 800, 800, 0, 0, 0 }, 1000, -1, REFUND_OK, 1000, 0, 91 },	/* no tax-free part is left to be told of */
		{ { 3000, 800, 100, 0, 0 }, { 0 }, 2200, 0, REFUND_OK, 2200, 0, 100 },	/* never more VAT than there was */
		{ { 3000, 800, 900, 0, 0 }, { 0 }, 2200, 0, REFUND_OK, 2200, 0, 900 },	/* nothing taxable is left: the rest of it */
		{ { 2200, 0, 2000, 0, 0 }, { 0 }, 1000, 0, REFUND_OK, 1000, 0, 800 },	/* what stays must be able to carry its VAT */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct refund_asked asked = { rows[i].amount, rows[i].tax_free };
		struct amount out;
		enum refund_verdict v = refund_amounts(&rows[i].paid, &rows[i].refunded, &asked, &out);

		if (v != rows[i].v || (v == REFUND_OK && (out.total != rows[i].want || out.tax_free != rows[i].want_tax_free || out.vat != rows[i].want_vat)))
			fail_msg("row %zu: %d, %lld %lld %lld", i, (int)v, (long long)out.total, (long long)out.tax_free, (long long)out.vat);
	}
}

/* Whatever the parts, they add up to the whole, and no part leaves what could not be refunded any more. */
static void
parts_add_up_to_the_whole(void **state)
{
	uint64_t seed = 7;
	int refunds = 0;

	(void)state;
	for (int run = 0; run < 2000; run++) {
		struct amount paid = { 0 }, gone = { 0 }, out;

#define ROLL(n) ((int64_t)((seed = seed * 6364136223846793005u + 1442695040888963407u) >> 33) % (n))
		paid.total = 1 + ROLL(5000);
		paid.tax_free = ROLL(paid.total + 1);
		paid.vat = ROLL(4) == 0 ? ROLL(paid.total - paid.tax_free + 1) : amount_vat(paid.total, paid.tax_free);
		for (int i = 0; i < 20 && gone.total < paid.total; i++) {
			struct refund_asked asked = { 1 + ROLL(paid.total - gone.total), -1 };

			asked.tax_free = ROLL(asked.amount + 1);
			if (i == 19)
				asked = (struct refund_asked){ -1, -1 };
			if (refund_amounts(&paid, &gone, &asked, &out) != REFUND_OK)
				continue;
			refunds++;
			gone.total += out.total;
			gone.tax_free += out.tax_free;
			gone.vat += out.vat;
			assert_true(out.vat >= 0 && out.vat <= out.total - out.tax_free);
			assert_true(gone.tax_free <= paid.tax_free && gone.vat <= paid.vat && paid.vat - gone.vat <= paid.total - gone.total - (paid.tax_free - gone.tax_free));
		}
		assert_int_equal(gone.total, paid.total);
		assert_int_equal(gone.tax_free, paid.tax_free);
		assert_int_equal(gone.vat, paid.vat);
	}
	assert_true(refunds > 4000);
}

static struct ledger_event
refund_event(int64_t n, enum ledger_kind kind, const char *id, int64_t amount)
{
	struct ledger_event e = { .n = n, .kind = kind, .tid = "T1", .has_refund = true, .refund = { .amount = amount } };

	snprintf(e.refund.id, sizeof(e.refund.id), "%s", id);
	e.has_payment = kind == LK_APPROVED;
	return e;
}

static void
refunds_are_counted_and_found_by_their_id(void **state)
{
	struct ledger_event ev[] = { refund_event(1, LK_APPROVING, "", 0), refund_event(2, LK_APPROVED, "", 0), refund_event(3, LK_REFUNDING, "a", 1000),
		refund_event(4, LK_REFUND_FAILED, "a", 1000), refund_event(5, LK_REFUNDING, "a", 1000), refund_event(6, LK_PART_REFUNDED, "a", 1000),
		refund_event(7, LK_REMOVED, "", 0), refund_event(8, LK_REFUNDING, "b", 500) };
	const struct refund_asked all = { -1, -1 }, same = { 1000, -1 }, other = { 1000, 5 };
	struct ledger_chain c = { ev, 4 };
	struct order_state st;

	(void)state;
	assert_true(order_state(&c, "T1", &st, NULL));
	assert_int_equal(st.state, AS_APPROVED);
	assert_int_equal(st.refunded.total, 0);
	assert_null(st.refunding);
	assert_ptr_equal(refund_end(&c, refund_find(&c, "T1", "a")), &ev[3]);
	c.n = 8;
	assert_true(order_state(&c, "T1", &st, NULL));
	assert_int_equal(st.state, AS_REFUND_UNKNOWN);
	assert_int_equal(st.refunded.total, 1000);
	assert_ptr_equal(st.refunding, &ev[7]);
	assert_int_equal(st.removed_as, AS_PART_REFUNDED);
	assert_ptr_equal(refund_find(&c, "T1", "a"), &ev[4]);
	assert_ptr_equal(refund_end(&c, &ev[4]), &ev[5]);
	assert_null(refund_end(&c, refund_find(&c, "T1", "b")));
	assert_null(refund_find(&c, "T1", "c"));
	assert_null(refund_find(&c, "T2", "a"));
	assert_true(refund_is_same(&ev[4].refund, &same) && !refund_is_same(&ev[4].refund, &other) && !refund_is_same(&ev[4].refund, &all));
	for (size_t i = 0; i < sizeof(ev) / sizeof(ev[0]); i++)
		ev[i].at_ms = 1000 * ev[i].n;
	assert_ptr_equal(refund_twin(&c, "T1", "new", 1000, 0), &ev[5]);
	assert_ptr_equal(refund_twin(&c, "T1", "new", 500, 0), &ev[7]);	/* it has no end yet */
	assert_null(refund_twin(&c, "T1", "new", 999, 0));
	assert_null(refund_twin(&c, "T2", "new", 1000, 0));
	assert_null(refund_twin(&c, "T1", "a", 1000, 0));		/* the same id: itself */
	assert_ptr_equal(refund_twin(&c, "T1", "new", 1000, 5999), &ev[5]);
	assert_null(refund_twin(&c, "T1", "new", 1000, 6000));
	c.n = 4;
	assert_null(refund_twin(&c, "T1", "new", 1000, 0));		/* it came to nothing */
	c.n = 8;
	ev[4].refund.all = true;
	assert_true(refund_is_same(&ev[4].refund, &same) && refund_is_same(&ev[4].refund, &all));
}

static void
a_chain_with_a_gap_is_refused(void **state)
{
	struct ledger_chain c = chain("approving approved");

	(void)state;
	c.ev[1].n = 3;
	assert_string_equal(told(&c, NULL), "illegal");
	c.ev[1].n = 2;
	c.ev[0].n = 0;
	assert_string_equal(told(&c, NULL), "illegal");
	ledger_chain_clear(&c);
}

static void
a_replay_key_leads_to_its_attempt(void **state)
{
	struct ledger_chain c = chain("approving refused approving declined B:approving B:approved");

	(void)state;
	assert_null(order_tid_of_key(&c, "key-1"));	/* refused: what became of A later is not this key's */
	assert_string_equal(order_tid_of_key(&c, "key-3"), "A");
	assert_string_equal(order_tid_of_key(&c, "key-5"), "B");
	assert_null(order_tid_of_key(&c, "key-2"));	/* not an approving */
	assert_null(order_tid_of_key(&c, "key-7"));
	c.ev[0].key[0] = '\0';
	assert_null(order_tid_of_key(&c, ""));
	strcpy(c.ev[0].key, "key-5");
	assert_string_equal(order_tid_of_key(&c, "key-5"), "B");	/* the last */
	ledger_chain_clear(&c);
}

static void
a_chain_has_room_until_it_has_none(void **state)
{
	static const struct { enum ledger_kind kind; size_t max; } rows[] = {
		{ LK_APPROVING, ORDER_ATTEMPTS_MAX }, { LK_REFUNDING, ORDER_REFUNDS_MAX }, { LK_NOTE, ORDER_NOTES_MAX }, { LK_APPROVED, 0 }, { LK_DECLINED, 0 },
		{ LK_UNKNOWN, 0 }, { LK_REVIEW, 0 }, { LK_ABANDONED, 0 }, { LK_REMOVED, 0 }, { LK_REFUNDED, 0 }, { LK_REFUND_FAILED, 0 }, { LK_REFUND_UNKNOWN, 0 },
	};
	struct ledger_chain c = { calloc(2000, sizeof(*c.ev)), 0 };

	(void)state;
	for (size_t i = 0; i < 2000; i++) {
		c.ev[i].kind = LK_REFUSED;
		strcpy(c.ev[i].tid, "A");
	}
	for (size_t i = 0; i < COUNT(rows); i++) {
		c.n = rows[i].max == 0 ? 2000 : rows[i].max - 1;
		if (!order_has_room(&c, rows[i].kind, "A"))
			fail_msg("%s: no room at %zu", ledger_kind_name(rows[i].kind), c.n);
		c.n = rows[i].max;
		if (rows[i].max != 0 && order_has_room(&c, rows[i].kind, "A"))
			fail_msg("%s: room at %zu", ledger_kind_name(rows[i].kind), c.n);
	}
	for (c.n = 0; c.n < ORDER_SENDS_MAX; c.n++) {
		assert_true(order_has_room(&c, LK_APPROVING, "A"));
		c.ev[c.n].kind = LK_APPROVING;
	}
	assert_false(order_has_room(&c, LK_APPROVING, "A"));
	assert_true(order_has_room(&c, LK_APPROVING, "B") && order_has_room(&c, LK_APPROVING, NULL));
	c.n--;
	assert_true(order_has_room(&c, LK_APPROVING, "A"));
	free(c.ev);
}

static void
refunds_that_come_to_nothing_wait_after_the_fifth_of_a_minute(void **state)
{
	static const int64_t now = INT64_C(1700000000000), second = 1000;
	/* seconds before now; the last column: ms to wait */
	static const struct { const char *what; int64_t ago[6]; size_t n; const char *tid; enum ledger_kind kind; int64_t wait; } rows[] = {
		{ "none", { 0 }, 0, "A", LK_REFUND_FAILED, 0 },
		{ "four", { 4, 3, 2, 1 }, 4, "A", LK_REFUND_FAILED, 0 },
		{ "five", { 50, 40, 30, 20, 10 }, 5, "A", LK_REFUND_FAILED, 10000 },
		{ "six: until the fifth last is a minute old", { 55, 50, 40, 30, 20, 10 }, 6, "A", LK_REFUND_FAILED, 10000 },
		{ "the fifth last is just a minute old", { 60, 40, 30, 20, 10 }, 5, "A", LK_REFUND_FAILED, 0 },
		{ "of another tid", { 5, 4, 3, 2, 1 }, 5, "B", LK_REFUND_FAILED, 0 },
		{ "carried out", { 5, 4, 3, 2, 1 }, 5, "A", LK_PART_REFUNDED, 0 },
		{ "by a clock an hour ahead", { -3600, -3600, -3600, -3600, -3600 }, 5, "A", LK_REFUND_FAILED, 60000 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ledger_event ev[6] = { 0 };
		struct ledger_chain c = { ev, rows[i].n };

		for (size_t k = 0; k < rows[i].n; k++) {
			ev[k].kind = rows[i].kind;
			ev[k].at_ms = now - rows[i].ago[k] * second;
			strcpy(ev[k].tid, rows[i].tid);
		}
		if (refund_wait_ms(&c, "A", now) != rows[i].wait)
			fail_msg("%s: %lld ms", rows[i].what, (long long)refund_wait_ms(&c, "A", now));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vat_is_an_eleventh_of_what_is_taxed_rounded_half_up),
		cmocka_unit_test(a_payment_has_the_sites_members_in_the_sites_order),
		cmocka_unit_test(a_payment_without_an_aid_does_not_say_one),
		cmocka_unit_test(an_attempt_comes_back_as_it_was),
		cmocka_unit_test(the_short_form_leaves_out_what_the_queue_keeps),
		cmocka_unit_test(what_is_not_our_writing_is_no_attempt),
		cmocka_unit_test(a_reservation_info_longer_than_its_room_is_refused),
		cmocka_unit_test(kinds_and_states_have_words_of_their_own),
		cmocka_unit_test(an_attempt_lives_as_the_table_says),
		cmocka_unit_test(an_order_is_captured_once),
		cmocka_unit_test(an_attempt_may_begin_where_its_approving_is_legal),
		cmocka_unit_test(every_other_step_is_refused),
		cmocka_unit_test(a_chain_with_a_gap_is_refused),
		cmocka_unit_test(a_replay_key_leads_to_its_attempt),
		cmocka_unit_test(a_chain_has_room_until_it_has_none),
		cmocka_unit_test(refunds_that_come_to_nothing_wait_after_the_fifth_of_a_minute),
		cmocka_unit_test(a_refund_is_split_by_kakaopays_rule),
		cmocka_unit_test(parts_add_up_to_the_whole),
		cmocka_unit_test(refunds_are_counted_and_found_by_their_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
