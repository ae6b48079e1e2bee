/* approvePayment: who is granted a charge, and what becomes of the hold by its outcome. */
#include "config.h"

#include "hold_world.h"

/* Two outcomes that take no money. */
static const struct {
	const char *what;
	enum hold_outcome outcome;
} ends[] = {
	{ "refused", HO_REFUSED },
	{ "restored", HO_RESTORED },
};

static void
a_fencing_token_only_grows_even_over_restarts(void **state)
{
	uint64_t id, last = 0;

	WORLD(w);
	for (int i = 0; i < 4; i++) {
		char order[20];

		snprintf(order, sizeof(order), "o%d", i);
		id = world_opened(&w, "a", ROOM1, order, "0-60");
		for (int round = 0; round < 3; round++) {
			uint64_t token = world_granted(&w, id, 2 * round + 1);

			assert_true(token > last);
			last = token;
			assert_int_equal(world_outcome(&w, id, token, HO_RESTORED, 2 * round + 2),
			    HA_OK);
		}
		assert_int_equal(world_remove(&w, id, false, 0), HA_OK);
		world_pass(&w, 2 * DAY);
		world_expire(&w); /* nothing of the hold is left */
		world_restart(&w);
	}
	world_close(&w);
}

static void
a_ledger_number_that_the_queue_has_seen_is_not_granted_again(void **state)
{
	uint64_t id, token;

	WORLD(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	token = world_granted(&w, id, 5);
	assert_int_equal(world_outcome(&w, id, token, HO_REFUSED, 6), HA_OK);
	assert_int_equal(world_approve(&w, id, 5), HA_LEDGER_BEHIND);
	assert_int_equal(world_approve(&w, id, 6), HA_LEDGER_BEHIND);
	assert_int_equal(w.a.hold.last_n, 6);
	assert_int_equal(world_remove(&w, id, false, 0), HA_OK);
	id = world_opened(&w, "b", ROOM2, "o1", "0-60"); /* another attempt of this order */
	assert_int_equal(world_approve(&w, id, 6), HA_LEDGER_BEHIND);
	assert_int_equal(world_approve(&w, id, 7), HA_OK);
	world_close(&w);
}

static void
a_ledger_number_under_which_nothing_was_written_is_granted_again(void **state)
{
	uint64_t id, token;

	WORLD(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	token = world_granted(&w, id, 3);
	assert_int_equal(world_outcome(&w, id, token, HO_RESTORED, 0), HA_OK);
	/* the chain has reached 2 */
	assert_int_equal(world_approve(&w, id, 2), HA_LEDGER_BEHIND);
	assert_int_equal(world_approve(&w, id, 3), HA_OK);
	world_close(&w);
}

static void
a_second_approve_waits_for_the_first_until_its_deadline(void **state)
{
	uint64_t id, token;

	WORLD(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	token = world_granted(&w, id, 1);
	assert_int_equal(w.a.hold.deadline_boot_ms, w.now.boot_ms + 11 * SECOND);
	assert_int_equal(world_approve(&w, id, 1), HA_WAIT);
	assert_int_equal(w.a.hold.id, id);
	w.load.waiters = w.load.max_all;
	assert_int_equal(world_approve(&w, id, 1), HA_IN_PROGRESS);
	w.load.waiters = w.load.max_all - 1;
	assert_int_equal(world_approve(&w, id, 1), HA_WAIT);
	world_pass(&w, 13 * SECOND - 1);
	assert_int_equal(world_approve(&w, id, 1), HA_WAIT);
	world_pass(&w, 1);
	/* its caller cannot send any more */
	assert_int_equal(world_approve(&w, id, 1), HA_OK);
	assert_int_equal(w.a.hold.before, HOLD_APPROVING);
	assert_true(w.a.hold.token > token);
	assert_int_equal(world_outcome(&w, id, token, HO_APPROVED, 2), HA_STALE_TOKEN);
	assert_int_equal(world_outcome(&w, id, 0, HO_APPROVED, 2), HA_STALE_TOKEN);
	world_close(&w);
}

static void
approvals_are_granted_beyond_the_limit_of_ready_calls(void **state)
{
	uint64_t id;

	WORLD(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	w.load.calls = w.load.max_all;
	assert_int_equal(world_approve(&w, id, 1), HA_BUSY);
	w.load.calls = w.load.max_all - 1;
	assert_int_equal(world_hold(&w, "b", ROOM2, "o2", "0-60"), HA_BUSY);
	assert_int_equal(world_approve(&w, id, 1), HA_OK);
	world_close(&w);
}

static void
each_state_of_a_hold_has_its_answer_to_approve(void **state)
{
	uint64_t id, token;

	WORLD(w);
	assert_int_equal(world_approve(&w, 1, 1), HA_NO_HOLD);
	id = world_held(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(world_approve(&w, id, 1), HA_IN_PROGRESS); /* held */
	assert_int_equal(world_ready(&w, id, "X1"), HA_OK);
	token = world_granted(&w, id, 1); /* ready */
	assert_int_equal(w.a.hold.before, HOLD_READY);
	assert_int_equal(world_outcome(&w, id, token, HO_UNKNOWN, 2), HA_OK);
	token = world_granted(&w, id, 3); /* unknown */
	assert_int_equal(w.a.hold.before, HOLD_UNKNOWN);
	assert_int_equal(world_outcome(&w, id, token, HO_REVIEW, 4), HA_OK);
	assert_int_equal(world_approve(&w, id, 5), HA_IN_PROGRESS); /* review */
	assert_int_equal(world_outcome(&w, id, token, HO_APPROVED, 5), HA_OK);
	assert_int_equal(world_approve(&w, id, 6), HA_ORDER_PAID); /* approved */
	assert_int_equal(world_remove(&w, id, true, 6), HA_OK);
	assert_int_equal(world_approve(&w, id, 7), HA_ORDER_PAID); /* removed, paid */
	id = world_opened(&w, "a", ROOM1, "o2", "60-120");
	assert_int_equal(world_outcome(&w, id, world_granted(&w, id, 1), HO_DECLINED, 2), HA_OK);
	assert_int_equal(world_approve(&w, id, 3), HA_FENCED); /* declined */
	id = world_opened(&w, "a", ROOM1, "o3", "60-120");
	assert_int_equal(world_remove(&w, id, false, 0), HA_OK);
	assert_int_equal(world_approve(&w, id, 1), HA_FENCED); /* removed, not paid */
	world_close(&w);
}

static void
a_first_approve_finds_its_hold_and_is_granted_in_one_step(void **state)
{
	uint64_t id;

	WORLD(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(world_approve_first(&w, "a", ROOM1, "TC0MERCHANT," CID), HA_OK);
	assert_int_equal(w.a.hold.id, id);
	assert_int_equal(w.a.hold.state, HOLD_APPROVING);
	assert_int_equal(w.a.hold.before, HOLD_READY);
	assert_int_equal(w.a.hold.n, 1);
	assert_true(w.a.hold.token > 0);
	assert_int_equal(w.a.hold.deadline_boot_ms, w.now.boot_ms + 11 * SECOND);
	assert_int_equal(world_outcome(&w, id, w.a.hold.token, HO_APPROVED, 2), HA_OK);
	assert_int_equal(world_state(&w, "T1"), HOLD_APPROVED);
	world_close(&w);
}

static void
assert_refused_first(struct world *w, const char *cids, enum hold_answer_code c)
{
	if (world_approve_first(w, "a", ROOM1, cids) != c)
		fail_msg("%s: %s", cids, hold_answer_name(w->a.code));
	assert_int_equal(w->a.record.len, 0);
	if (c == HA_NOT_FIRST)
		assert_int_equal(w->a.hold.id, 0); /* it may be another merchant's */
}

static void
a_hold_with_a_past_gets_no_first_approve(void **state)
{
	uint64_t id, token;

	WORLD(w);
	assert_refused_first(&w, CID, HA_NO_HOLD);
	id = world_held(&w, "a", ROOM1, "o1", "0-60");
	assert_refused_first(&w, CID, HA_NOT_FIRST);
	assert_int_equal(world_ready(&w, id, "X1"), HA_OK);
	token = world_granted(&w, id, 1);
	assert_refused_first(&w, CID, HA_NOT_FIRST); /* it does not wait */
	assert_int_equal(world_outcome(&w, id, token, HO_RESTORED, 0), HA_OK);
	assert_refused_first(&w, CID, HA_NOT_FIRST); /* ready, but it was granted once */
	assert_int_equal(world_remove(&w, id, false, 0), HA_OK);
	assert_refused_first(&w, CID, HA_NOT_FIRST);
	world_opened(&w, "a", ROOM1, "o2", "0-60");
	world_pass(&w, 10 * MINUTE);
	assert_refused_first(&w, CID, HA_NOT_FIRST); /* expired */
	world_close(&w);
}

static void
an_order_with_a_ledger_number_gets_no_first_approve(void **state)
{
	struct error err = { 0 };

	WORLD(w);
	hold_answer_clear(&w.a);
	assert_int_equal(world_done(&w,
			     hold_table_remember(w.t, CID, "o1", 1, false, w.now, &w.a, &err),
			     &err),
	    HA_OK);
	world_opened(&w, "a", ROOM1, "o1", "0-60");
	assert_refused_first(&w, CID, HA_NOT_FIRST);
	world_close(&w);
}

static void
a_hold_of_another_merchant_gets_no_first_approve(void **state)
{
	static const char *const others[] = { "TC0ONETIM", "TC0ONETIMES", "XTC0ONETIME", ",",
		"TC0ONETIM,E", "TC0ONETIMX,XC0ONETIME" };

	WORLD(w);
	world_opened(&w, "a", ROOM1, "o1", "0-60");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_refused_first(&w, others[i], HA_NOT_FIRST);
	assert_int_equal(world_state(&w, "T1"), HOLD_READY);
	assert_int_equal(world_approve_first(&w, "a", ROOM1, CID ",TC0ONETIMX"), HA_OK);
	world_close(&w);
}

static void
a_first_approve_has_the_limits_of_any_other(void **state)
{
	WORLD(w);
	world_opened(&w, "a", ROOM1, "o1", "0-60");
	w.load.calls = w.load.max_all;
	assert_refused_first(&w, CID, HA_BUSY);
	w.load.calls = w.load.max_all - 1;
	assert_int_equal(world_approve_first(&w, "a", ROOM1, CID), HA_OK);
	world_close(&w);
}

static void
an_unknown_charge_may_be_inquired_after_the_window(void **state)
{
	uint64_t id, token;

	WORLD(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	token = world_granted(&w, id, 1);
	world_pass(&w, HOUR);
	token = world_granted(&w, id, 2);
	assert_int_equal(w.a.hold.before, HOLD_APPROVING);
	assert_int_equal(world_outcome(&w, id, token, HO_UNKNOWN, 3), HA_OK);
	token = world_granted(&w, id, 4);
	assert_int_equal(w.a.hold.before, HOLD_UNKNOWN);
	world_close(&w);
}

static void
a_refused_token_and_a_restored_attempt_leave_the_hold_as_it_was(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct world w;
		uint64_t id, token;

		world_open(&w);
		id = world_opened(&w, "a", ROOM1, "o1", "0-60");
		world_pass(&w, MINUTE);
		token = world_granted(&w, id, 1);
		assert_int_equal(world_outcome(&w, id, token, ends[i].outcome, 2), HA_OK);
		assert_int_equal(w.a.hold.state, HOLD_READY);
		/* as before */
		assert_int_equal(w.a.hold.expires_boot_ms, w.now.boot_ms + 9 * MINUTE);
		/* a repeat */
		assert_int_equal(world_outcome(&w, id, token, ends[i].outcome, 2), HA_OK);
		assert_int_equal(w.a.record.len, 0);
		assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_REPLAY);
		assert_string_equal(w.a.hold.answer, "{\"tid\":\"answer\"}");
		/* granted while it was ready, given back after it expired */
		token = world_granted(&w, id, 3);
		world_pass(&w, 9 * MINUTE);
		assert_int_equal(world_outcome(&w, id, token, ends[i].outcome, 4), HA_OK);
		assert_int_equal(w.a.hold.state, HOLD_EXPIRED);
		assert_int_equal(world_state(&w, "T1"), HOLD_EXPIRED);
		world_close(&w);
	}
}

static void
a_restored_grant_does_not_settle_an_unknown_charge(void **state)
{
	static const int64_t numbers[] = { 0, 4 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct world w;
		uint64_t id, token;

		world_open(&w);
		id = world_opened(&w, "a", ROOM1, "o1", "0-60");
		assert_int_equal(world_outcome(&w, id, world_granted(&w, id, 1), HO_UNKNOWN, 2),
		    HA_OK);
		token = world_granted(&w, id, 3);
		assert_int_equal(world_outcome(&w, id, token, i == 0 ? HO_RESTORED : HO_REFUSED,
				     numbers[i]),
		    HA_OK);
		assert_int_equal(w.a.hold.state, HOLD_UNKNOWN);
		assert_int_equal(world_state(&w, "T1"), HOLD_UNKNOWN);
		assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_SLOT_HELD);
		world_close(&w);
	}
}

static void
only_the_ledger_can_say_that_a_vanished_worker_sent_nothing(void **state)
{
	uint64_t id, token;

	WORLD(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	world_granted(&w, id, 1); /* and its worker vanishes */
	world_pass(&w, 13 * SECOND);
	token = world_granted(&w, id, 1);
	assert_int_equal(world_outcome(&w, id, token, HO_RESTORED, 0), HA_OK);
	assert_int_equal(w.a.hold.state, HOLD_UNKNOWN); /* the first worker may have sent */
	/* the ledger has `abandoned` as 1 */
	assert_int_equal(world_outcome(&w, id, token, HO_RESTORED, 1), HA_OK);
	assert_int_equal(w.a.hold.state, HOLD_READY);
	assert_int_equal(world_hold(&w, "a", ROOM1, "o1", "0-60"), HA_REPLAY);
	assert_string_equal(w.a.hold.answer, "{\"tid\":\"answer\"}");
	world_granted(&w, id, 2);
	world_pass(&w, 13 * SECOND);
	token = world_granted(&w, id, 2);
	/* and the ledger says so */
	assert_int_equal(world_outcome(&w, id, token, HO_REFUSED, 3), HA_OK);
	assert_int_equal(w.a.hold.state, HOLD_READY);
	world_close(&w);
}

static void
a_sixth_approve_is_refused_after_five_refused_tokens_in_a_minute(void **state)
{
	uint64_t id;

	WORLD(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	for (int i = 0; i < 5; i++) {
		uint64_t token = world_granted(&w, id, 2 * i + 1);

		assert_int_equal(world_outcome(&w, id, token, HO_REFUSED, 2 * i + 2), HA_OK);
		/* a repeat counts once */
		assert_int_equal(world_outcome(&w, id, token, HO_REFUSED, 2 * i + 2), HA_OK);
		world_pass(&w, 10 * SECOND);
	}
	assert_int_equal(world_approve(&w, id, 11), HA_TOO_MANY_REFUSED);
	assert_int_equal(w.a.retry_ms, 10 * SECOND);
	world_restart(&w);
	world_pass(&w, 10 * SECOND - 1);
	assert_int_equal(world_approve(&w, id, 11), HA_TOO_MANY_REFUSED);
	world_pass(&w, 1);
	assert_int_equal(world_outcome(&w, id, world_granted(&w, id, 11), HO_REFUSED, 12), HA_OK);
	/* the second was within the minute */
	assert_int_equal(world_approve(&w, id, 13), HA_TOO_MANY_REFUSED);
	assert_int_equal(w.a.retry_ms, 10 * SECOND);
	world_close(&w);
}

/* A caller that repeats an approve with an unknown outcome, or whose workers die, inquires and
 * sends no more often than a caller with a wrong token. */
static void
a_sixth_approve_in_a_minute_is_refused_however_the_others_ended(void **state)
{
	static const struct {
		const char *what;
		enum hold_outcome how;
		int64_t n;
		bool dies;
	} ways[] = {
		{ "its end is not known, and the ledger says so", HO_UNKNOWN, 2, false },
		{ "its end is not known, and nothing is written", HO_UNKNOWN, 0, false },
		{ "not executed", HO_RESTORED, 2, false },
		{ "the worker dies", HO__MAX, 0, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct world w;
		uint64_t id;
		int64_t n = 1;

		world_open(&w);
		w.limits.max_tries_per_min = 3;
		world_restart(&w);
		id = world_opened(&w, "a", ROOM1, "o1", "0-60");
		for (int k = 0; k < 3; k++, n += 2) {
			uint64_t token = world_granted(&w, id, n);

			if (ways[i].dies)
				world_pass(&w, 13 * SECOND);
			else
				assert_int_equal(world_outcome(&w, id, token, ways[i].how,
						     ways[i].n == 0 ? 0 : n + 1),
				    HA_OK);
		}
		world_restart(&w);
		if (world_approve(&w, id, n) != HA_TOO_MANY_REFUSED)
			fail_msg("%s: a fourth grant within the minute", ways[i].what);
		assert_int_equal(w.a.record.len, 0);
		assert_true(w.a.retry_ms > 0 && w.a.retry_ms <= MINUTE);
		world_pass(&w, w.a.retry_ms);
		assert_int_equal(world_approve(&w, id, n), HA_OK);
		world_close(&w);
	}
}

/* The store was away before anything was written. The user may try again as often as it takes. */
static void
a_grant_under_which_nothing_was_sent_is_not_counted(void **state)
{
	uint64_t id, token;

	WORLD(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	for (int k = 0; k < 20; k++)
		assert_int_equal(world_outcome(&w, id, world_granted(&w, id, 1), HO_RESTORED, 0),
		    HA_OK);
	for (int k = 0; k < 5; k++) { /* an unknown one begins with an inquiry, so it counts */
		token = world_granted(&w, id, 2 * k + 1);
		assert_int_equal(world_outcome(&w, id, token, k == 0 ? HO_UNKNOWN : HO_RESTORED,
				     k == 0 ? 2 : 0),
		    HA_OK);
	}
	assert_int_equal(world_approve(&w, id, 11), HA_TOO_MANY_REFUSED);
	world_close(&w);
}

static void
a_repeated_outcome_changes_nothing(void **state)
{
	static const struct {
		enum hold_outcome first, then;
		enum hold_state s;
	} rows[] = {
		{ HO_APPROVED, HO_APPROVED, HOLD_APPROVED },
		{ HO_APPROVED, HO_DECLINED, HOLD_APPROVED },
		{ HO_APPROVED, HO_UNKNOWN, HOLD_APPROVED },
		{ HO_APPROVED, HO_REVIEW, HOLD_APPROVED },
		{ HO_APPROVED, HO_RESTORED, HOLD_APPROVED },
		{ HO_DECLINED, HO_DECLINED, HOLD_DECLINED },
		{ HO_DECLINED, HO_UNKNOWN, HOLD_DECLINED },
		{ HO_DECLINED, HO_RESTORED, HOLD_DECLINED },
		{ HO_DECLINED, HO_REVIEW, HOLD_DECLINED },
		{ HO_DECLINED, HO_APPROVED, HOLD_APPROVED },
		{ HO_UNKNOWN, HO_UNKNOWN, HOLD_UNKNOWN },
		{ HO_UNKNOWN, HO_RESTORED, HOLD_UNKNOWN },
		{ HO_UNKNOWN, HO_REFUSED, HOLD_UNKNOWN },
		{ HO_UNKNOWN, HO_DECLINED, HOLD_DECLINED },
		{ HO_UNKNOWN, HO_REVIEW, HOLD_REVIEW },
		{ HO_UNKNOWN, HO_APPROVED, HOLD_APPROVED },
		{ HO_REVIEW, HO_REVIEW, HOLD_REVIEW },
		{ HO_REVIEW, HO_UNKNOWN, HOLD_REVIEW },
		{ HO_REVIEW, HO_RESTORED, HOLD_REVIEW },
		{ HO_REVIEW, HO_DECLINED, HOLD_DECLINED },
		{ HO_REVIEW, HO_APPROVED, HOLD_APPROVED },
		{ HO_REFUSED, HO_APPROVED, HOLD_APPROVED },
		{ HO_RESTORED, HO_APPROVED, HOLD_APPROVED },
		{ HO_RESTORED, HO_DECLINED, HOLD_READY },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;
		uint64_t id, token;

		world_open(&w);
		id = world_opened(&w, "a", ROOM1, "o1", "0-60");
		token = world_granted(&w, id, 1);
		assert_int_equal(world_outcome(&w, id, token, rows[i].first, 2), HA_OK);
		assert_int_equal(world_outcome(&w, id, token, rows[i].then, 2), HA_OK);
		if (world_state(&w, "T1") != rows[i].s)
			fail_msg("row %zu: %s", i, hold_state_name(w.a.hold.state));
		assert_int_equal(world_hold(&w, "a", ROOM2, "o1", "0-60") == HA_ORDER_PAID,
		    rows[i].s == HOLD_APPROVED);
		world_close(&w);
	}
}

static void
a_declined_payment_frees_its_time_and_its_order(void **state)
{
	uint64_t id;

	WORLD(w);
	id = world_opened(&w, "a", ROOM1, "o1", "0-60");
	assert_int_equal(world_outcome(&w, id, world_granted(&w, id, 1), HO_DECLINED, 2), HA_OK);
	assert_int_equal(w.changed.id[0], id);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o2", "0-60"), HA_OK);
	assert_int_equal(world_hold(&w, "a", ROOM2, "o1", "0-60"), HA_OK);
	assert_int_equal(w.a.hold.last_n, 2);
	world_close(&w);
}

static void
a_late_capture_takes_its_time_back_if_it_is_free(void **state)
{
	for (int taken = 0; taken < 2; taken++) {
		uint64_t id, token;

		WORLD(w);
		id = world_opened(&w, "a", ROOM1, "o1", "0-60");
		token = world_granted(&w, id, 1);
		assert_int_equal(world_outcome(&w, id, token, HO_DECLINED, 2), HA_OK);
		if (taken)
			world_opened(&w, "b", ROOM1, "o2", "30-90");
		assert_int_equal(world_outcome(&w, id, token, HO_APPROVED, 3), HA_OK);
		assert_int_equal(world_state(&w, "T1"), taken ? HOLD_DECLINED : HOLD_APPROVED);
		/* either way */
		assert_int_equal(world_hold(&w, "a", ROOM2, "o1", "0-60"), HA_ORDER_PAID);
		assert_int_equal(world_hold(&w, "c", ROOM1, "o3", "0-30"),
		    taken ? HA_OK : HA_SLOT_HELD);
		assert_int_equal(world_outcome(&w, id, token, HO_APPROVED, 3), HA_OK);
		if (!taken)
			assert_int_equal(w.a.record.len, 0);
		world_close(&w);
	}
}

static void
a_late_capture_fences_the_other_holds_of_its_order(void **state)
{
	uint64_t first, second, third, token;

	WORLD(w);
	first = world_opened(&w, "a", ROOM1, "o1", "0-60");
	token = world_granted(&w, first, 1);
	assert_int_equal(world_outcome(&w, first, token, HO_DECLINED, 2), HA_OK);
	second = world_opened(&w, "a", ROOM2, "o1", "0-60");
	third = world_held(&w, "a", ROOM2, "o1", "60-120");
	assert_int_equal(world_outcome(&w, first, token, HO_APPROVED, 3), HA_OK);
	assert_int_equal(world_approve(&w, second, 4), HA_ORDER_PAID);
	assert_int_equal(world_ready(&w, third, "T3"), HA_IN_PROGRESS);
	assert_int_equal(world_hold(&w, "b", ROOM2, "o2", "0-120"), HA_OK);
	world_close(&w);
}

static void
a_capture_fences_a_replacement_under_way(void **state)
{
	uint64_t old, new, token;

	WORLD(w);
	old = world_opened(&w, "a", ROOM1, "o1", "0-60");
	token = world_granted(&w, old, 1);
	assert_int_equal(world_outcome(&w, old, token, HO_RESTORED, 0), HA_OK);
	new = world_held(&w, "a", ROOM1, "o2", "30-90"); /* another order */
	assert_int_equal(world_outcome(&w, old, token, HO_APPROVED, 2), HA_OK);
	assert_int_equal(world_state(&w, "T1"), HOLD_APPROVED);
	assert_int_equal(world_ready(&w, new, "T2"), HA_IN_PROGRESS);
	assert_int_equal(world_hold(&w, "b", ROOM1, "o3", "60-90"), HA_OK);
	world_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fencing_token_only_grows_even_over_restarts),
		cmocka_unit_test(a_ledger_number_that_the_queue_has_seen_is_not_granted_again),
		cmocka_unit_test(a_ledger_number_under_which_nothing_was_written_is_granted_again),
		cmocka_unit_test(a_second_approve_waits_for_the_first_until_its_deadline),
		cmocka_unit_test(approvals_are_granted_beyond_the_limit_of_ready_calls),
		cmocka_unit_test(each_state_of_a_hold_has_its_answer_to_approve),
		cmocka_unit_test(a_first_approve_finds_its_hold_and_is_granted_in_one_step),
		cmocka_unit_test(a_hold_with_a_past_gets_no_first_approve),
		cmocka_unit_test(an_order_with_a_ledger_number_gets_no_first_approve),
		cmocka_unit_test(a_hold_of_another_merchant_gets_no_first_approve),
		cmocka_unit_test(a_first_approve_has_the_limits_of_any_other),
		cmocka_unit_test(an_unknown_charge_may_be_inquired_after_the_window),
		cmocka_unit_test(a_refused_token_and_a_restored_attempt_leave_the_hold_as_it_was),
		cmocka_unit_test(a_restored_grant_does_not_settle_an_unknown_charge),
		cmocka_unit_test(only_the_ledger_can_say_that_a_vanished_worker_sent_nothing),
		cmocka_unit_test(a_sixth_approve_is_refused_after_five_refused_tokens_in_a_minute),
		cmocka_unit_test(a_sixth_approve_in_a_minute_is_refused_however_the_others_ended),
		cmocka_unit_test(a_grant_under_which_nothing_was_sent_is_not_counted),
		cmocka_unit_test(a_repeated_outcome_changes_nothing),
		cmocka_unit_test(a_declined_payment_frees_its_time_and_its_order),
		cmocka_unit_test(a_late_capture_takes_its_time_back_if_it_is_free),
		cmocka_unit_test(a_late_capture_fences_the_other_holds_of_its_order),
		cmocka_unit_test(a_capture_fences_a_replacement_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
