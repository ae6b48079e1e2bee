/* What operators do, as rules: which hold may be released, and the words for what a day's
 * comparison finds. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "operate/adopt.h"
#include "operate/deliver.h"
#include "operate/explain.h"
#include "operate/reconcile.h"
#include "operate/release.h"
#include "operate/settle.h"

static void
only_a_hold_that_cannot_be_charged_may_be_released(void **state)
{
	static const enum operate_release rows[HOLD__MAX] = {
		[HOLD_HELD] = RELEASE_READY_CALL,
		[HOLD_READY] = RELEASE_DONE,
		[HOLD_APPROVING] = RELEASE_MAY_BE_CHARGED,
		[HOLD_UNKNOWN] = RELEASE_MAY_BE_CHARGED,
		[HOLD_REVIEW] = RELEASE_MAY_BE_CHARGED,
		[HOLD_APPROVED] = RELEASE_DONE,
		[HOLD_REMOVED] = RELEASE_NOTHING_HELD,
		[HOLD_DECLINED] = RELEASE_NOTHING_HELD,
		[HOLD_EXPIRED] = RELEASE_DONE,
		[HOLD_FENCED] = RELEASE_NOTHING_HELD,
	};

	(void)state;
	for (int s = 0; s < HOLD__MAX; s++)
		if (operate_may_release((enum hold_state)s) != rows[s])
			fail_msg("%s", hold_state_name((enum hold_state)s));
}

static void
each_difference_has_a_word_of_its_own(void **state)
{
	(void)state;
	for (int d = 0; d < DIFF__MAX; d++)
		for (int e = 0; e < d; e++)
			assert_string_not_equal(difference_name((enum difference)d),
			    difference_name((enum difference)e));
}

/* What operators read: a sentence of its own for each, in both languages. */
static void
expect_words(const char *what, int i, const char *english, const char *korean)
{
	if (english[0] == '\0' || korean[0] == '\0' || strcmp(english, korean) == 0)
		fail_msg("%s %d: \"%s\", \"%s\"", what, i, english, korean);
}

static void
everything_is_said_in_both_languages(void **state)
{
	(void)state;
	for (int i = DIFF_EQUAL + 1; i < DIFF__MAX; i++)
		expect_words("difference", i, difference_advice((enum difference)i, false),
		    difference_advice((enum difference)i, true));
	for (int i = RELEASE_DONE + 1; i < RELEASE__MAX; i++)
		expect_words("release", i, operate_release_text((enum operate_release)i, false),
		    operate_release_text((enum operate_release)i, true));
	for (int i = SETTLE_NO_NOTHING + 1; i < SETTLE_NO__MAX; i++)
		expect_words("settle", i, operate_settle_no_text((enum operate_settle_no)i, false),
		    operate_settle_no_text((enum operate_settle_no)i, true));
	for (int i = RESEND_OK + 1; i < RESEND_NO__MAX; i++)
		expect_words("resend", i, operate_resend_no_text((enum operate_resend_no)i, false),
		    operate_resend_no_text((enum operate_resend_no)i, true));
	for (int i = 0; i < ADOPT__MAX; i++)
		expect_words("adopt", i, operate_adopt_text((enum operate_adopt)i, false),
		    operate_adopt_text((enum operate_adopt)i, true));
	for (int i = 0; i < LK__MAX; i++)
		expect_words("event", i, explain_event((enum ledger_kind)i, false),
		    explain_event((enum ledger_kind)i, true));
}

static void
what_may_be_sent_again(void **state)
{
	static const struct store_try taken = { .ended = true, .acknowledged = true },
				      withdrawn = { .ended = true, .withdrawn = true };
	static const struct {
		bool owed;
		const struct store_try *last;
		bool taken_too;
		enum operate_resend_no no;
	} rows[] = {
		{ true, NULL, false, RESEND_OK },
		{ true, &taken, false, RESEND_OK },
		{ false, NULL, true, RESEND_NO_SUCH },
		{ false, &taken, false, RESEND_TAKEN },
		{ false, &taken, true, RESEND_OK },
		{ false, &withdrawn, true, RESEND_WITHDRAWN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (operate_may_resend(rows[i].owed, rows[i].last, rows[i].taken_too) != rows[i].no)
			fail_msg("row %zu", i);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_hold_that_cannot_be_charged_may_be_released),
		cmocka_unit_test(each_difference_has_a_word_of_its_own),
		cmocka_unit_test(everything_is_said_in_both_languages),
		cmocka_unit_test(what_may_be_sent_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
