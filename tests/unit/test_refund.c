/* Refunds: how one is split, how parts are counted, and when a next one must wait. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "money/order.h"
#include "money/payment.h"
#include "money/refund.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* won in all, tax-free, VAT */
/* clang-format off */
#define WON(total, tax_free, vat) { total, tax_free, vat, 0, 0 }
/* clang-format on */

static const struct split_row {
	const char *what;
	struct amount paid, refunded;
	struct refund_asked asked; /* won, tax-free; -1: not said */
	enum refund_verdict verdict;
	struct amount want;
} splits[] = {
	/* clang-format off */
	{ "all of it",
	  WON(2200, 0, 200), WON(0, 0, 0), { -1, -1 }, REFUND_OK, WON(2200, 0, 200) },
	{ "a part",
	  WON(2200, 0, 200), WON(0, 0, 0), { 1000, -1 }, REFUND_OK, WON(1000, 0, 91) },
	{ "the last one takes the rest",
	  WON(2200, 0, 200), WON(1000, 0, 91), { -1, -1 }, REFUND_OK, WON(1200, 0, 109) },
	{ "also when it is said",
	  WON(2200, 0, 200), WON(1000, 0, 91), { 1200, 0 }, REFUND_OK, WON(1200, 0, 109) },
	{ "more than is left",
	  WON(2200, 0, 200), WON(1000, 0, 91), { 1201, -1 }, REFUND_EXCEEDS, WON(0, 0, 0) },
	{ "nothing is left",
	  WON(2200, 0, 200), WON(2200, 0, 200), { -1, -1 }, REFUND_EXCEEDS, WON(0, 0, 0) },
	{ "nothing is tax-free",
	  WON(2200, 0, 200), WON(0, 0, 0), { 1000, 1 }, REFUND_EXCEEDS, WON(0, 0, 0) },
	{ "a part of what is partly tax-free",
	  WON(3000, 800, 200), WON(0, 0, 0), { 1000, -1 }, REFUND_TAX_FREE_REQUIRED, WON(0, 0, 0) },
	{ "all of what is partly tax-free",
	  WON(3000, 800, 200), WON(0, 0, 0), { -1, -1 }, REFUND_OK, WON(3000, 800, 200) },
	{ "all of it, said in won",
	  WON(3000, 800, 200), WON(0, 0, 0), { 3000, -1 }, REFUND_OK, WON(3000, 800, 200) },
	{ "a part and its tax-free part",
	  WON(3000, 800, 200), WON(0, 0, 0), { 1000, 500 }, REFUND_OK, WON(1000, 500, 45) },
	{ "more than is tax-free",
	  WON(3000, 800, 200), WON(0, 0, 0), { 900, 801 }, REFUND_EXCEEDS, WON(0, 0, 0) },
	{ "more than is taxable",
	  WON(3000, 800, 200), WON(0, 0, 0), { 2300, 99 }, REFUND_EXCEEDS, WON(0, 0, 0) },
	{ "no tax-free part is left to be told of",
	  WON(3000, 800, 200), WON(800, 800, 0), { 1000, -1 }, REFUND_OK, WON(1000, 0, 91) },
	{ "never more VAT than there was",
	  WON(3000, 800, 100), WON(0, 0, 0), { 2200, 0 }, REFUND_OK, WON(2200, 0, 100) },
	{ "nothing taxable is left: the rest of the VAT",
	  WON(3000, 800, 900), WON(0, 0, 0), { 2200, 0 }, REFUND_OK, WON(2200, 0, 900) },
	{ "what stays must be able to carry its VAT",
	  WON(2200, 0, 2000), WON(0, 0, 0), { 1000, 0 }, REFUND_OK, WON(1000, 0, 800) },
	/* clang-format on */
};

static void
a_refund_is_split_by_kakaopays_rule(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(splits); i++) {
		const struct split_row *r = &splits[i];
		struct amount out;
		enum refund_verdict v = refund_amounts(&r->paid, &r->refunded, &r->asked, &out);

		if (v != r->verdict ||
		    (v == REFUND_OK &&
			(out.total != r->want.total || out.tax_free != r->want.tax_free ||
			    out.vat != r->want.vat)))
			fail_msg("%s: %d, %lld %lld %lld", r->what, (int)v, (long long)out.total,
			    (long long)out.tax_free, (long long)out.vat);
	}
}

/* Whatever the parts, they add up to the whole, and no part leaves what could not be refunded any
 * more. */
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
		paid.vat = ROLL(4) == 0 ? ROLL(paid.total - paid.tax_free + 1)
					: amount_vat(paid.total, paid.tax_free);
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
			assert_true(gone.tax_free <= paid.tax_free && gone.vat <= paid.vat &&
			    paid.vat - gone.vat <=
				paid.total - gone.total - (paid.tax_free - gone.tax_free));
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
	struct ledger_event e = { .n = n,
		.kind = kind,
		.tid = "T1",
		.has_refund = true,
		.refund = { .amount = amount } };

	snprintf(e.refund.id, sizeof(e.refund.id), "%s", id);
	e.has_payment = kind == LK_APPROVED;
	return e;
}

static void
refunds_are_counted_and_found_by_their_id(void **state)
{
	struct ledger_event ev[] = { refund_event(1, LK_APPROVING, "", 0),
		refund_event(2, LK_APPROVED, "", 0), refund_event(3, LK_REFUNDING, "a", 1000),
		refund_event(4, LK_REFUND_FAILED, "a", 1000),
		refund_event(5, LK_REFUNDING, "a", 1000),
		refund_event(6, LK_PART_REFUNDED, "a", 1000), refund_event(7, LK_REMOVED, "", 0),
		refund_event(8, LK_REFUNDING, "b", 500) };
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
	assert_true(refund_is_same(&ev[4].refund, &same) &&
	    !refund_is_same(&ev[4].refund, &other) && !refund_is_same(&ev[4].refund, &all));
	for (size_t i = 0; i < sizeof(ev) / sizeof(ev[0]); i++)
		ev[i].at_ms = 1000 * ev[i].n;
	assert_ptr_equal(refund_twin(&c, "T1", "new", 1000, 0), &ev[5]);
	assert_ptr_equal(refund_twin(&c, "T1", "new", 500, 0), &ev[7]); /* it has no end yet */
	assert_null(refund_twin(&c, "T1", "new", 999, 0));
	assert_null(refund_twin(&c, "T2", "new", 1000, 0));
	assert_null(refund_twin(&c, "T1", "a", 1000, 0)); /* the same id: itself */
	assert_ptr_equal(refund_twin(&c, "T1", "new", 1000, 5999), &ev[5]);
	assert_null(refund_twin(&c, "T1", "new", 1000, 6000));
	c.n = 4;
	assert_null(refund_twin(&c, "T1", "new", 1000, 0)); /* it came to nothing */
	c.n = 8;
	ev[4].refund.all = true;
	assert_true(refund_is_same(&ev[4].refund, &same) && refund_is_same(&ev[4].refund, &all));
}

static void
refunds_that_come_to_nothing_wait_after_the_fifth_of_a_minute(void **state)
{
	static const int64_t now = INT64_C(1700000000000), second = 1000;
	/* seconds before now; the last column: ms to wait */
	static const struct {
		const char *what;
		int64_t ago[6];
		size_t n;
		const char *tid;
		enum ledger_kind kind;
		int64_t wait;
	} rows[] = {
		{ "none", { 0 }, 0, "A", LK_REFUND_FAILED, 0 },
		{ "four", { 4, 3, 2, 1 }, 4, "A", LK_REFUND_FAILED, 0 },
		{ "five", { 50, 40, 30, 20, 10 }, 5, "A", LK_REFUND_FAILED, 10000 },
		{ "six: until the fifth last is a minute old", { 55, 50, 40, 30, 20, 10 }, 6, "A",
		    LK_REFUND_FAILED, 10000 },
		{ "the fifth last is just a minute old", { 60, 40, 30, 20, 10 }, 5, "A",
		    LK_REFUND_FAILED, 0 },
		{ "of another tid", { 5, 4, 3, 2, 1 }, 5, "B", LK_REFUND_FAILED, 0 },
		{ "carried out", { 5, 4, 3, 2, 1 }, 5, "A", LK_PART_REFUNDED, 0 },
		{ "by a clock an hour ahead", { -3600, -3600, -3600, -3600, -3600 }, 5, "A",
		    LK_REFUND_FAILED, 60000 },
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
			fail_msg("%s: %lld ms", rows[i].what,
			    (long long)refund_wait_ms(&c, "A", now));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refunds_that_come_to_nothing_wait_after_the_fifth_of_a_minute),
		cmocka_unit_test(a_refund_is_split_by_kakaopays_rule),
		cmocka_unit_test(parts_add_up_to_the_whole),
		cmocka_unit_test(refunds_are_counted_and_found_by_their_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
