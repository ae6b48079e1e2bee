/* The life of an order: what its chain of events says, and which event may come next. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "money/ledger.h"
#include "money/order.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

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
			assert_string_not_equal(attempt_state_name((enum attempt_state)a),
			    attempt_state_name((enum attempt_state)b));
	for (size_t i = 0; i < 4; i++) {
		static const char *const no_words[] = { "", "Approved", "approved ", "charged" };
		enum ledger_kind k;

		assert_false(ledger_kind_parse(no_words[i], &k));
	}
}

/*
 * A chain written as words: "approving" is of tid A, "B:approving" of tid B, "review+" is a review
 * with a payment. approved always has one. The numbers are 1, 2, ...
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
		snprintf(text + len, sizeof(text) - len, " %d",
		    all[i] == NULL ? 0 : (int)all[i]->n);
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
			fail_msg("%s (%s): %s, not %s", rows[i].sentence, rows[i].chain, got,
			    rows[i].state);
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
		{ "an approving never written leaves it ready", "abandoned", NULL,
		    "ready 1 0 0 0" },
		{ "five refused tokens, then captured",
		    "approving refused approving refused approving refused approving refused "
		    "approving refused approving approved",
		    NULL, "approved 12 11 12 0" },
		{ "unknown", "approving unknown", NULL, "unknown 2 1 0 0" },
		{ "unknown may be said twice", "approving unknown unknown", NULL,
		    "unknown 3 1 0 0" },
		{ "unknown, then captured", "approving unknown approved", NULL,
		    "approved 3 1 3 0" },
		{ "unknown, then declined", "approving unknown declined", NULL,
		    "declined 3 1 0 0" },
		{ "unknown, then an operator", "approving unknown review", NULL, "review 3 1 0 0" },
		{ "unknown, then approved again after inquiry",
		    "approving unknown approving approved", NULL, "approved 4 3 4 0" },
		{ "a worker died, the next one inquired and goes on",
		    "approving approving approved", NULL, "approved 3 2 3 0" },
		{ "not executed now says nothing of an earlier send",
		    "approving unknown approving not_executed", NULL, "unknown 4 3 0 0" },
		{ "nor does a refused token", "approving unknown approving refused", NULL,
		    "unknown 4 3 0 0" },
		{ "nor after a worker that died", "approving approving not_executed", NULL,
		    "unknown 3 2 0 0" },
		{ "an approving never written changes nothing of an open one",
		    "approving unknown abandoned", NULL, "unknown 2 1 0 0" },
		{ "nor of one without outcome", "approving abandoned", NULL, "approving 1 1 0 0" },
		{ "which still gets its outcome", "approving abandoned approved", NULL,
		    "approved 3 1 3 0" },
		{ "review without a payment is no capture", "approving review", NULL,
		    "review 2 1 0 0" },
		{ "review with a payment is one", "approving review+", NULL, "review 2 1 2 0" },
		{ "an operator approves", "approving review+ approved", NULL, "approved 3 1 3 0" },
		{ "an operator finds that nothing was captured", "approving review+ declined", NULL,
		    "declined 3 1 0 0" },
		{ "a late capture after declined", "approving declined approved", NULL,
		    "approved 3 1 3 0" },
		{ "a late capture after not executed", "approving not_executed approved", NULL,
		    "approved 3 1 3 0" },
		{ "a late capture that does not agree", "approving declined review+", NULL,
		    "review 3 1 3 0" },
		{ "removed sets a mark and nothing else", "approving approved removed", NULL,
		    "approved 2 1 2 3" },
		{ "removed twice: the last", "approving approved removed removed", NULL,
		    "approved 2 1 2 4" },
		{ "notes change nothing", "note approving note approved note removed note", NULL,
		    "approved 4 2 4 6" },
		{ "unbookable", "approving approved unbookable", NULL, "unbookable 3 1 2 0" },
		{ "unbookable and refunded", "approving approved unbookable refunding refunded",
		    NULL, "refunded 5 1 2 0" },
		{ "a refund under way", "approving approved refunding", NULL,
		    "refund_unknown 3 1 2 0" },
		{ "a refund whose end is not known", "approving approved refunding refund_unknown",
		    NULL, "refund_unknown 3 1 2 0" },
		{ "a refund that failed", "approving approved refunding refund_failed", NULL,
		    "approved 4 1 2 0" },
		{ "a second refund that failed",
		    "approving approved refunding part_refunded refunding refund_failed", NULL,
		    "part_refunded 6 1 2 0" },
		{ "a refund that failed after unbookable",
		    "approving approved unbookable refunding refund_unknown refund_failed", NULL,
		    "unbookable 6 1 2 0" },
		{ "refunded outside", "approving approved refunded", NULL, "refunded 3 1 2 0" },
		{ "a refund that does not agree stays captured",
		    "approving approved refunding review", NULL, "review 4 1 2 0" },
		{ "a refunded one is removed",
		    "approving approved removed refunding refunded removed", NULL,
		    "refunded 5 1 2 6" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void
an_order_is_captured_once(void **state)
{
	static const struct life_row rows[] = {
		{ "the next attempt after declined", "approving declined B:approving B:approved",
		    NULL, "approved 4 3 4 0" },
		{ "the first attempt keeps its own end",
		    "approving declined B:approving B:approved", "A", "declined 2 1 0 0" },
		{ "the second its own", "approving declined B:approving B:approved", "B",
		    "approved 4 3 4 0" },
		{ "the next attempt after a refused token", "approving refused B:approving", NULL,
		    "approving 3 3 0 0" },
		{ "the next attempt after an abandoned one", "abandoned B:approving", NULL,
		    "approving 2 2 0 0" },
		{ "back to the first", "approving refused B:approving B:declined approving", NULL,
		    "approving 5 5 0 0" },
		{ "a late capture of the first is the order's",
		    "approving declined B:approving B:declined approved", NULL,
		    "approved 5 1 5 0" },
		{ "also while the second is under way",
		    "approving declined B:approving approved B:declined", NULL,
		    "declined 5 3 4 0" },
		{ "of two captures the first attempt's is told",
		    "approving declined B:approving approved B:approved", NULL,
		    "approved 5 3 4 0" },
		{ "and each tid tells its own",
		    "approving declined B:approving approved B:approved", "B", "approved 5 3 5 0" },
		{ "removed is the captured one's", "approving approved removed B:removed", NULL,
		    "approved 2 1 2 3" },
		{ "no second attempt while one is under way", "approving B:approving", NULL,
		    "illegal" },
		{ "none while one is unknown", "approving unknown B:approving", NULL, "illegal" },
		{ "none while an operator looks", "approving review B:approving", NULL, "illegal" },
		{ "none after a capture", "approving approved B:approving", NULL, "illegal" },
		{ "none after a capture, even refunded", "approving approved refunded B:approving",
		    NULL, "illegal" },
		{ "none after a late capture", "approving declined approved B:approving", NULL,
		    "illegal" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

/* What order_may_begin allows is what order_state takes. */
static void
an_attempt_may_begin_where_its_approving_is_legal(void **state)
{
	static const struct {
		const char *chain, *tid;
		bool may;
	} rows[] = {
		{ "", NULL, true }, { "", "A", true }, { "approving", "A", true },
		{ "approving", "B", false }, { "approving", NULL, false },
		{ "approving unknown", "A", true }, { "approving unknown", "B", false },
		{ "approving refused", "B", true }, { "approving declined", NULL, true },
		{ "approving declined B:approving", "B", true },
		{ "approving declined B:approving", NULL, false },
		{ "approving declined review", "B", false },
		{ "approving declined B:approving B:refused review", "B", false },
		{ "approving approved", "B", false }, { "approving approved removed", NULL, false },
		{ "approving approved refunded", NULL, false }, { "abandoned", "B", true },
		{ "approved", NULL, false }, /* damage */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ledger_chain c = chain(rows[i].chain);
		struct ledger_event *e = &c.ev[c.n];
		struct order_state s;

		if (order_may_begin(&c, rows[i].tid) != rows[i].may)
			fail_msg("%s, then %s", rows[i].chain,
			    rows[i].tid == NULL ? "a new one" : rows[i].tid);
		e->kind = LK_APPROVING;
		e->n = (int64_t)++c.n;
		strcpy(e->tid, rows[i].tid == NULL ? "N" : rows[i].tid);
		assert_int_equal(order_state(&c, NULL, &s, NULL), rows[i].may);
		ledger_chain_clear(&c);
	}
}

/* For each state a chain that leads to it, and the kinds that may follow: every pair of state and
 * kind is tried. */
static void
every_other_step_is_refused(void **state)
{
	static const struct {
		const char *chain;
		enum attempt_state state;
		const char *legal;
	} rows[] = {
		{ "", AS_NONE, "approving abandoned removed note" },
		{ "approving", AS_APPROVING,
		    "approving approved declined refused not_executed unknown review abandoned note" },
		{ "approving approved", AS_APPROVED,
		    "review removed unbookable refunding refunded part_refunded abandoned note" },
		{ "approving declined", AS_DECLINED, "approved review removed abandoned note" },
		{ "approving refused", AS_READY,
		    "approving approved review abandoned removed note" },
		{ "approving unknown", AS_UNKNOWN,
		    "approving approved declined unknown review abandoned note" },
		{ "approving review", AS_REVIEW, "approved declined removed abandoned note" },
		{ "approving approved unbookable", AS_UNBOOKABLE,
		    "review removed refunding refunded part_refunded abandoned note" },
		{ "approving approved refunded", AS_REFUNDED, "removed abandoned note" },
		{ "approving approved part_refunded", AS_PART_REFUNDED,
		    "review removed refunding refunded part_refunded abandoned note" },
		{ "approving approved refunding", AS_REFUND_UNKNOWN,
		    "review removed refunded part_refunded refund_failed refund_unknown abandoned note" },
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
				fail_msg("%s while %s should be %s", kind,
				    attempt_state_name(rows[i].state), legal ? "legal" : "refused");
		}
	}
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
	struct ledger_chain c =
	    chain("approving refused approving declined B:approving B:approved");

	(void)state;
	/* refused: what became of A later is not this key's */
	assert_null(order_tid_of_key(&c, "key-1"));
	assert_string_equal(order_tid_of_key(&c, "key-3"), "A");
	assert_string_equal(order_tid_of_key(&c, "key-5"), "B");
	assert_null(order_tid_of_key(&c, "key-2")); /* not an approving */
	assert_null(order_tid_of_key(&c, "key-7"));
	c.ev[0].key[0] = '\0';
	assert_null(order_tid_of_key(&c, ""));
	strcpy(c.ev[0].key, "key-5");
	assert_string_equal(order_tid_of_key(&c, "key-5"), "B"); /* the last */
	ledger_chain_clear(&c);
}

static void
a_chain_has_room_until_it_has_none(void **state)
{
	static const struct {
		enum ledger_kind kind;
		size_t max;
	} rows[] = {
		{ LK_APPROVING, ORDER_ATTEMPTS_MAX },
		{ LK_REFUNDING, ORDER_REFUNDS_MAX },
		{ LK_NOTE, ORDER_NOTES_MAX },
		{ LK_APPROVED, 0 },
		{ LK_DECLINED, 0 },
		{ LK_UNKNOWN, 0 },
		{ LK_REVIEW, 0 },
		{ LK_ABANDONED, 0 },
		{ LK_REMOVED, 0 },
		{ LK_REFUNDED, 0 },
		{ LK_REFUND_FAILED, 0 },
		{ LK_REFUND_UNKNOWN, 0 },
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
	assert_true(
	    order_has_room(&c, LK_APPROVING, "B") && order_has_room(&c, LK_APPROVING, NULL));
	c.n--;
	assert_true(order_has_room(&c, LK_APPROVING, "A"));
	free(c.ev);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_and_states_have_words_of_their_own),
		cmocka_unit_test(an_attempt_lives_as_the_table_says),
		cmocka_unit_test(an_order_is_captured_once),
		cmocka_unit_test(an_attempt_may_begin_where_its_approving_is_legal),
		cmocka_unit_test(every_other_step_is_refused),
		cmocka_unit_test(a_chain_with_a_gap_is_refused),
		cmocka_unit_test(a_replay_key_leads_to_its_attempt),
		cmocka_unit_test(a_chain_has_room_until_it_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
