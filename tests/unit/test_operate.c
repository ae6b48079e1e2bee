/* What operators do, as rules: which hold may be released, and the words for what a day's
 * comparison finds. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "operate/reconcile.h"
#include "operate/release.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_hold_that_cannot_be_charged_may_be_released),
		cmocka_unit_test(each_difference_has_a_word_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
