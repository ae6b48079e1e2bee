/* The hold_table answers random commands as a model of it does. */
#include "config.h"

#include "hold_pair.h"

enum { OPERATIONS = 60000, SEEDS = 60 };

static void
random_commands_are_answered_as_the_model_answers_them(void **state)
{
	static const enum hold_answer_code possible[DO__MAX][12] = {
		/* HA_OK, which is 0, ends a row, and is always possible. The model has no busy. */
		[DO_HOLD] = { HA_REPLAY, HA_WAIT, HA_ORDER_PAID, HA_IN_PROGRESS, HA_SLOT_HELD,
		    HA_SLOT_SOLD, HA_TOO_MANY_HOLDS },
		[DO_READY] = { HA_IN_PROGRESS, HA_FENCED },
		[DO_APPROVE] = { HA_WAIT, HA_ORDER_PAID, HA_IN_PROGRESS, HA_TOO_MANY_REFUSED,
		    HA_NO_HOLD, HA_EXPIRED, HA_FENCED, HA_LEDGER_BEHIND },
		[DO_APPROVE_FIRST] = { HA_NOT_FIRST },
		[DO_OUTCOME] = { HA_NO_HOLD, HA_STALE_TOKEN },
		[DO_REMOVE] = { HA_REPLAY, HA_ORDER_PAID, HA_IN_PROGRESS, HA_NO_HOLD },
	};
	struct pair p = { .op = 0 };

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		pair_open(&p, seed);
		pair_run(&p, OPERATIONS / SEEDS);
		pair_close(&p);
	}
	for (enum command c = 0; c < DO__MAX; c++) {
		/* of an order without a number there are few */
		assert_true(p.answers[c][HA_OK] > (c == DO_APPROVE_FIRST ? 30 : 100));
		for (size_t i = 0; possible[c][i] != HA_OK; i++)
			if (p.answers[c][possible[c][i]] < 3)
				fail_msg("%s: %s came up %d times", command_names[c],
				    hold_answer_name(possible[c][i]), p.answers[c][possible[c][i]]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_commands_are_answered_as_the_model_answers_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
