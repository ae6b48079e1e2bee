/*
 * What the daemon does between a decision and its answer, with logs that delay, lose and fail on
 * command. The shared log in memory takes the part of a database: several daemons write to it.
 */
#include "config.h"

#include "commit_site.h"

/* ---- a log with one writer */

static void
a_batch_of_one_writer_may_depend_on_itself(void **state)
{
	SITE(ONE_WRITER);

	ask_hold(s, a, 0, "a");
	ask(s, a, 1, "r ready id=1 tid=T1 answer={}");
	ask_hold_of(s, a, 2, "other", "a", "other", "660-780");
	ask_approve(s, a, 3, 1);
	turn(s, a);
	expect(a, 0, "h ok id=1 state=held ");
	expect(a, 1, "r ok id=1 state=ready ");
	expect(a, 2, "h slot-held ");
	expect(a, 3, "a ok id=1 state=approving ");
	assert_int_equal(a->f.commits, 1);
	turn(s, a);
	assert_int_equal(a->f.commits, 1); /* nothing staged, nothing committed */
	site_close(s);
}

static void
a_broken_log_ends_the_daemon_without_an_answer(void **state)
{
	for (int kind = 0; kind < 2; kind++) {
		SITE(kind);
		struct error err = { 0 };
		int64_t next;

		a->f.broken = true;
		ask_hold(s, a, 0, "a");
		assert_false(command_end_turn(a->c, s->w.now, &next, &err));
		assert_string_equal(err.msg, "broken on command");
		ask(s, a, 1, "1 hello"); /* no request is carried out any more */
		assert_false(command_end_turn(a->c, s->w.now, &next, &err));
		assert_int_equal(s->shared.n, 0);
		site_close(s);
	}
}

/* ---- a shared log */

static void
an_answer_comes_when_its_commit_is_done(void **state)
{
	SITE(SHARED);

	a->f.delays = true;
	ask_hold(s, a, 0, "a");
	turn(s, a);
	expect_silence(a, 0);
	assert_int_equal(count_of(s, a, "held"), 0);
	a->f.delays = false;
	turn(s, a);
	expect(a, 0, "h ok id=1 state=held ");
	assert_int_equal(count_of(s, a, "held"), 1);
	assert_int_equal(count_of(s, a, "calls"), 1);
	assert_int_equal(a->f.commits, 1);
	site_assert_agree(s);
	site_close(s);
}

static void
a_daemon_that_lost_a_commit_decides_again(void **state)
{
	SITE(SHARED);

	ask_hold_of(s, a, 0, "u1", "room", "o1", "600-720");
	ask_hold_of(s, b, 0, "u2", "room", "o2", "660-780");
	ask_hold_of(s, b, 1, "u3", "elsewhere", "o3", "660-780");
	turn(s, a);
	turn(s, b);
	expect(a, 0, "h ok id=1 ");
	expect(b, 0, "h slot-held conflicts=660-720 ");
	expect(b, 1, "h ok id=2 "); /* another id than it was given first */
	assert_int_equal(b->f.commits, 2);
	site_assert_agree(s);
	site_close(s);
}

static void
a_request_is_answered_even_after_a_hundred_lost_commits(void **state)
{
	SITE(SHARED);

	a->f.loses = 100;
	ask_hold(s, a, 0, "a");
	while (a->f.loses > 0) {
		turn(s, a);
		if (a->f.loses > 0)
			/* the next turn comes at once */
			assert_int_equal(a->next_boot_ms, s->w.now.boot_ms);
	}
	turn(s, a);
	expect(a, 0, "h ok id=1 ");
	assert_int_equal(a->f.commits, 101);
	site_close(s);
}

static void
a_failed_commit_is_answered_unavailable_and_changes_nothing(void **state)
{
	SITE(SHARED);

	a->f.fails = 1;
	ask_hold(s, a, 0, "a");
	ask(s, a, 1, "1 find-tid tid=T1");
	turn(s, a);
	expect(a, 0, "h unavailable message=failed%20on%20command");
	expect(a, 1, "1 unavailable ");
	assert_int_equal(count_of(s, a, "held"), 0);
	assert_int_equal(count_of(s, a, "calls"), 0);
	ask_hold(s, a, 0, "a");
	turn(s, a);
	expect(a, 0, "h ok id=1 ");
	site_assert_agree(s);
	site_close(s);
}

static void
a_delayed_commit_does_not_delay_requests_that_write_nothing(void **state)
{
	static const struct {
		const char *ask, *hear;
	} rows[] = {
		{ "1 hello", "1 ok " },
		{ "1 stats", "1 ok " },
		{ "1 list room=old", "1 ok held=600-720:ready" },
		{ "1 poke", "1 ok" },
		{ "1 inquire id=7", "1 ok" },
		{ "1 inquire id=7", "1 ok retry_ms=" },
		{ "1 inquire id=8", "1 ok retry_ms=" },
		{ "1 watch seen=77 deadline=1", "1 ok pokes=" },
		{ "1 nonsense", "1 error " },
		{ "1 find-tid tid=Told", "1 ok id=1 state=ready " },
		{ "1 find what=place user=uold room=old", "1 ok id=1 " },
	};
	SITE(SHARED);

	open_hold(s, a, 0, "old");
	a->f.delays = true;
	ask_hold(s, a, 0, "new");
	turn(s, a);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ask(s, a, 1, rows[i].ask);
		turn(s, a);
		expect(a, 1, rows[i].hear);
	}
	ask_hold(s, a, 2, "old"); /* the replay of a ready hold */
	ask_hold_of(s, a, 3, "other", "old", "other", "660-780");
	turn(s, a);
	expect(a, 2, "h replay id=1 ");
	expect(a, 3, "h slot-held ");
	expect_silence(a, 0);
	site_assert_agree(s);
	expect(a, 0, "h ok id=2 ");
	site_close(s);
}

static void
requests_with_nothing_in_common_share_a_commit(void **state)
{
	SITE(SHARED);

	ask_hold(s, a, 0, "a");
	ask_hold(s, a, 1, "b");
	ask_hold(s, a, 2, "c");
	turn(s, a);
	expect(a, 0, "h ok id=1 ");
	expect(a, 1, "h ok id=2 ");
	expect(a, 2, "h ok id=3 ");
	assert_int_equal(a->f.commits, 1);
	ask(s, a, 0, "r ready id=1 tid=T1 answer={}");
	ask(s, a, 1, "r ready id=2 tid=T2 answer={}");
	turn(s, a);
	ask_approve(s, a, 0, 1);
	ask_approve(s, a, 1, 2);
	turn(s, a);
	for (int i = 0; i < 2; i++)
		expect(a, i, "r ok ");
	assert_non_null(strstr(hear(a, 0), " token=1 "));
	assert_non_null(strstr(hear(a, 1), " token=2 "));
	assert_int_equal(a->f.commits, 3);
	site_assert_agree(s);
	site_close(s);
}

static void
a_request_that_depends_on_a_staged_one_waits_for_the_next_batch(void **state)
{
	static const struct {
		const char *what, *user, *room, *order, *set, *hear;
	} rows[] = {
		{ "the same time", "u2", "room", "o2", "660-780", "h slot-held " },
		{ "the same room", "u2", "room", "o2", "720-780", "h ok id=2 " },
		{ "the same order", "u1", "elsewhere", "o1", "600-720", "h payment-in-progress " },
		{ "the same user", "u1", "elsewhere", "o2", "600-720", "h ok id=2 " },
		{ "an equal request", "u1", "room", "o1", "600-720", "h wait" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		SITE(SHARED);

		ask_hold_of(s, a, 0, "u1", "room", "o1", "600-720");
		ask_hold_of(s, a, 1, rows[i].user, rows[i].room, rows[i].order, rows[i].set);
		assert_int_equal(a->f.commits, 0);
		turn(s, a);
		expect(a, 0, "h ok id=1 ");
		expect(a, 1, rows[i].hear);
		/* the second request has a batch of its own, or none if it was refused */
		assert_int_equal(a->f.commits, strncmp(rows[i].hear, "h ok", 4) == 0 ? 2 : 1);
		site_assert_agree(s);
		site_close(s);
	}
}

static void
a_write_during_a_pending_commit_waits_for_the_next_batch(void **state)
{
	SITE(SHARED);

	a->f.delays = true;
	ask_hold(s, a, 0, "a");
	turn(s, a);
	ask_hold(s, a, 1, "b"); /* nothing in common, but the batch is committed */
	ask_hold(s, a, 2, "c");
	turn(s, a);
	expect_silence(a, 1);
	a->f.delays = false;
	turn(s, a);
	expect(a, 0, "h ok id=1 ");
	expect(a, 1, "h ok id=2 ");
	expect(a, 2, "h ok id=3 ");
	assert_int_equal(a->f.commits, 2);
	site_assert_agree(s);
	site_close(s);
}

static void
a_batch_grows_until_its_turn_has_come(void **state)
{
	SITE(SHARED);

	a->f.waits = true;
	ask_hold(s, a, 0, "a");
	turn(s, a);
	ask_hold(s, a, 1, "b");
	ask_hold_of(s, a, 2, "u2", "a", "o2", "600-720"); /* depends on the first */
	turn(s, a);
	expect_silence(a, 0);
	assert_int_equal(a->f.commits, 0);
	a->f.waits = false;
	turn(s, a);
	expect(a, 0, "h ok id=1 ");
	expect(a, 1, "h ok id=2 ");
	expect(a, 2, "h slot-held ");
	assert_int_equal(a->f.commits, 1);
	site_assert_agree(s);
	site_close(s);
}

static void
a_batch_whose_turn_has_not_come_is_decided_again_after_news(void **state)
{
	SITE(SHARED);

	a->f.waits = true;
	ask_hold_of(s, a, 0, "u1", "room", "o1", "600-720");
	ask_hold_of(s, a, 1, "u3", "elsewhere", "o3", "660-780");
	turn(s, a);
	ask_hold_of(s, b, 0, "u2", "room", "o2", "660-780");
	turn(s, b);
	expect(b, 0, "h ok id=1 ");
	turn(s, a);
	expect(a, 0, "h slot-held conflicts=660-720 "); /* at once, without an append */
	expect_silence(a, 1);
	a->f.waits = false;
	turn(s, a);
	expect(a, 1, "h ok id=2 ");
	assert_int_equal(a->f.commits, 1);
	site_assert_agree(s);
	site_close(s);
}

static void
the_requests_of_a_connection_are_carried_out_in_order(void **state)
{
	SITE(SHARED);
	uint64_t id = open_hold(s, a, 0, "a");

	assert_int_equal(id, 1);
	ask(s, a, 0, "1 remove id=1 by=gateway n=0");
	ask(s, a, 0, "2 find-tid tid=Ta");
	turn(s, a);
	expect(a, 0, "1 ok id=1 ");
	expect(a, 0, "2 ok id=1 state=removed ");
	site_close(s);
}

static void
a_final_no_needs_an_up_to_date_table(void **state)
{
	SITE(SHARED);

	b->f.deaf = true;
	open_hold(s, a, 0, "a");
	ask(s, b, 0, "1 find-tid tid=Ta");
	ask(s, b, 1, "2 find-order cid=" CID " order=oa");
	ask_hold_of(s, b, 2, "u2", "a", "o2", "600-720"); /* b has not heard of the hold */
	turn(s, b);
	expect(b, 0, "1 ok id=1 state=ready ");
	expect(b, 1, "2 ok id=1 state=ready ");
	expect(b, 2, "h slot-held ");
	b->f.barriers = 0;
	ask(s, b, 0, "1 find-tid tid=nothing");
	turn(s, b);
	expect(b, 0, "1 no-hold");
	assert_int_equal(b->f.barriers, 1);
	ask(s, b, 0, "1 find-tid tid=Ta"); /* a hold that lives needs no barrier */
	turn(s, b);
	expect(b, 0, "1 ok ");
	assert_int_equal(b->f.barriers, 1);
	ask(s, a, 0, "1 remove id=1 by=gateway n=0");
	turn(s, a);
	expect(a, 0, "1 ok id=1 ");
	ask(s, a, 0, "1 find-tid tid=Ta"); /* one that is over does */
	a->f.barriers = 0;
	turn(s, a);
	expect(a, 0, "1 ok id=1 state=removed ");
	assert_int_equal(a->f.barriers, 1);
	site_close(s);
}

static void
ask_first(struct site *s, struct daemon *d, int peer)
{
	long long now = s->w.now.boot_ms;
	char line[160];

	snprintf(line, sizeof(line),
	    "f approve-first user=ua room=a cids=" CID " key=00ff deadline=%lld until=%lld",
	    now + 11000, now + 1000);
	ask(s, d, peer, line);
}

static void
one_first_approve_of_all_machines_is_granted(void **state)
{
	SITE(SHARED);

	b->f.deaf = true;
	open_hold(s, a, 0, "a");
	ask_first(s, b, 0); /* it has not heard of the hold: "no hold" would be final */
	ask_first(s, a, 1);
	turn(s, b);
	turn(s, a);
	expect(b, 0, "f ok id=1 state=approving before=ready ");
	expect(a, 1, "f not-first");
	assert_int_equal(count_of(s, b, "calls"), 1);
	b->f.barriers = 0;
	ask_first(s, b, 1); /* who is refused looks for itself */
	turn(s, b);
	expect(b, 1, "f not-first");
	assert_int_equal(b->f.barriers, 0);
	ask(s, b, 0, "o outcome id=1 token=1 outcome=approved n=2");
	turn(s, b);
	expect(b, 0, "o ok id=1 state=approved ");
	assert_int_equal(count_of(s, b, "calls"), 0);
	site_assert_agree(s);
	site_close(s);
}

static void
nothing_is_granted_first_to_a_client_that_hears_no_more(void **state)
{
	for (int late = 0; late < 2; late++) {
		SITE(SHARED);

		open_hold(s, a, 0, "a");
		a->f.delays = true;
		ask_hold(s, a, 1, "b");
		turn(s, a);
		ask_first(s, a, 0); /* decided when the commit has ended */
		world_pass(&s->w, 999 + late);
		a->f.delays = false;
		turn(s, a);
		expect(a, 0, late ? "f unavailable " : "f ok id=1 ");
		site_assert_agree(s);
		assert_int_equal(count_of(s, a, "approving"), !late);
		site_close(s);
	}
}

static void
a_client_that_cannot_wait_is_told_unavailable(void **state)
{
	SITE(SHARED);

	a->f.delays = true;
	ask_hold(s, a, 0, "a");
	turn(s, a);
	ask_hold(s, a, 1, "b");
	turn(s, a);
	assert_int_equal(a->next_boot_ms, s->w.now.boot_ms + 1500);
	world_pass(&s->w, 1499);
	turn(s, a);
	expect_silence(a, 0);
	world_pass(&s->w, 1);
	turn(s, a);
	expect(a, 0, "h unavailable ");
	expect(a, 1, "h unavailable ");
	a->f.delays = false;
	turn(s, a);
	expect_silence(a, 0);
	assert_int_equal(count_of(s, a, "held"), 1);  /* the staged one was kept, the other not */
	assert_int_equal(count_of(s, a, "calls"), 0); /* nobody makes a call for it */
	ask_hold(s, a, 0, "a");
	turn(s, a);
	expect(a, 0, "h payment-in-progress ");
	site_assert_agree(s);
	site_close(s);
}

static void
a_staged_request_outlives_its_client_and_one_in_the_backlog_does_not(void **state)
{
	SITE(SHARED);

	a->f.delays = true;
	ask_hold(s, a, 0, "a");
	turn(s, a);
	ask_hold(s, a, 1, "b");
	command_peer_gone(a->c, &a->peer[0]);
	command_peer_gone(a->c, &a->peer[1]);
	peer_init(&a->peer[0]);
	peer_init(&a->peer[1]);
	a->f.delays = false;
	turn(s, a);
	assert_int_equal(count_of(s, a, "held"), 1);
	assert_int_equal(count_of(s, a, "calls"), 0);
	site_assert_agree(s);
	site_close(s);
}

static void
a_lost_request_is_dropped_if_its_client_is_gone(void **state)
{
	SITE(SHARED);

	ask_hold(s, b, 0, "b");
	a->f.delays = true;
	a->f.loses = 1;
	ask_hold(s, a, 0, "a");
	turn(s, a);
	command_peer_gone(a->c, &a->peer[0]);
	peer_init(&a->peer[0]);
	a->f.delays = false;
	turn(s, a);
	turn(s, b);
	assert_int_equal(count_of(s, b, "held"), 1);
	site_assert_agree(s);
	site_close(s);
}

static void
staged_grants_count_for_the_limit_of_calls(void **state)
{
	static const char *const rooms[] = { "a", "b", "c", "d", "e" };
	SITE(SHARED);

	for (int i = 0; i < 5; i++)
		ask_hold(s, a, i, rooms[i]);
	turn(s, a);
	for (int i = 0; i < 5; i++)
		expect(a, i, i < 4 ? "h ok " : "h provider-busy ");
	assert_int_equal(count_of(s, a, "calls"), 4);
	site_close(s);
}

static void
a_hold_expires_by_one_record_for_all_daemons(void **state)
{
	SITE(SHARED);

	open_hold(s, a, 0, "a");
	for (int i = 0; i < DAEMONS; i++)
		turn(s, &s->d[i]);
	assert_int_equal(b->next_boot_ms, s->w.now.boot_ms + 600000);
	world_pass(&s->w, 600000);
	for (int i = 0; i < DAEMONS; i++)
		s->d[i].f.deaf = true; /* so all of them try */
	for (int i = 0; i < DAEMONS; i++)
		turn(s, &s->d[i]);
	assert_int_equal(s->shared.n, 3); /* hold, ready, expired */
	for (int i = 0; i < DAEMONS; i++)
		assert_int_equal(count_of(s, &s->d[i], "expired"), 1);
	site_assert_agree(s);
	site_close(s);
}

static void
expired_holds_share_a_batch_with_requests(void **state)
{
	SITE(SHARED);

	open_hold(s, a, 0, "a");
	world_pass(&s->w, 600000);
	a->f.commits = 0;
	ask_hold(s, a, 1, "b");
	ask_hold_of(s, a, 2, "u2", "a", "o2", "600-720"); /* takes the expired time */
	turn(s, a);
	expect(a, 1, "h ok ");
	expect(a, 2, "h ok ");
	site_assert_agree(s);
	site_close(s);
}

static void
expiring_is_retried_a_second_after_a_failed_commit(void **state)
{
	SITE(SHARED);

	open_hold(s, a, 0, "a");
	world_pass(&s->w, 600000);
	a->f.commits = 0;
	a->f.fails = 1;
	turn(s, a);
	assert_int_equal(a->f.commits, 1);
	assert_int_equal(a->next_boot_ms, s->w.now.boot_ms + 1000);
	world_pass(&s->w, 1000);
	turn(s, a);
	assert_int_equal(count_of(s, a, "expired"), 1);
	site_close(s);
}

/* Two holds of one room that were never live at the same time: the record of the first one's end
 * comes after the record of the second one. */
static void
a_list_is_seen_by_the_clock_of_now(void **state)
{
	SITE(SHARED);

	open_hold(s, a, 0, "a");
	turn(s, b);
	world_pass(&s->w, 599999);
	ask(s, a, 0, "1 list room=a");
	turn(s, a);
	expect(a, 0, "1 ok held=600-720:ready");
	world_pass(&s->w, 1);
	a->f.is_full = true; /* a writes nothing down */
	b->f.delays = true;  /* b does not before it knows that its batch was kept */
	ask_hold_of(s, b, 0, "u2", "a", "o2", "800-900");
	turn(s, b);
	ask(s, a, 0, "2 list room=a");
	turn(s, a);
	ask(s, a, 0, "3 list room=a");
	turn(s, a);
	assert_string_equal(hear(a, 0), "2 ok");
	assert_string_equal(hear(a, 0), "3 ok held=800-900:held");
	assert_int_equal(count_of(s, a, "expired"), 0);
	b->f.delays = false;
	turn(s, b);
	assert_int_equal(count_of(s, b, "expired"), 1);
	site_assert_agree(s);
	site_close(s);
}

/* Another machine's clock is ahead, so time in the log is, too. */
static void
the_end_that_is_told_is_the_end_by_this_machines_clock(void **state)
{
	SITE(SHARED);
	int64_t ends;

	fake_log_has_clock(&a->f, 5000000 + 800);
	fake_log_has_clock(&b->f, 5000000);
	ask_hold(s, a, 0, "x");
	turn(s, a);
	turn(s, b);
	ask_hold(s, b, 0, "a");
	turn(s, b);
	ends = strtoll(strstr(hear(b, 0), " expires=") + 9, NULL, 10);
	assert_int_equal(ends, s->w.now.boot_ms + 800 + 13000 + 2000 + 2000);
	world_pass(&s->w, ends - s->w.now.boot_ms - 1);
	ask(s, b, 0, "1 list room=a");
	turn(s, b);
	assert_string_equal(hear(b, 0), "1 ok held=600-720:held");
	assert_int_equal(b->next_boot_ms, ends);
	world_pass(&s->w, 1);
	ask(s, b, 0, "2 list room=a");
	turn(s, b);
	assert_string_equal(hear(b, 0), "2 ok");
	site_close(s);
}

static void
records_of_other_daemons_wake_waiters(void **state)
{
	SITE(SHARED);

	ask_hold(s, b, 0, "a");
	turn(s, b);
	expect(b, 0, "h ok id=1 ");
	ask_hold(s, b, 1, "a");
	turn(s, b);
	expect(b, 1, "h wait");
	turn(s, a);
	ask(s, a, 0, "r ready id=1 tid=T1 answer={}"); /* over another daemon */
	turn(s, a);
	expect(a, 0, "r ok ");
	turn(s, b);
	expect(b, 1, "h replay id=1 state=ready ");
	site_assert_agree(s);
	site_close(s);
}

static void
a_full_log_refuses_new_holds_and_accepts_outcomes(void **state)
{
	SITE(SHARED);
	uint64_t id = open_hold(s, a, 0, "a");
	char line[100];

	ask_approve(s, a, 0, id);
	turn(s, a);
	expect(a, 0, "a ok ");
	a->f.is_full = true;
	ask_hold(s, a, 1, "b");
	snprintf(line, sizeof(line), "o outcome id=%llu token=1 outcome=approved n=2",
	    (unsigned long long)id);
	ask(s, a, 0, line);
	turn(s, a);
	expect(a, 1, "h unavailable ");
	expect(a, 0, "o ok id=1 state=approved ");
	site_close(s);
}

static void
nothing_is_decided_while_the_log_is_away(void **state)
{
	static const char *const rules[] = {
		"1 find-tid tid=Ta",
		"1 remove id=1 by=gateway n=0",
		"1 list room=a",
	};
	SITE(SHARED);

	open_hold(s, a, 0, "a");
	a->f.delays = true;
	ask_hold(s, a, 1, "b");
	turn(s, a);
	a->f.is_away = true;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		ask(s, a, 0, rules[i]);
		turn(s, a);
		expect(a, 0, "1 unavailable ");
	}
	ask(s, a, 0, "2 hello");
	turn(s, a);
	expect(a, 0, "2 ok ");
	a->f.delays = false; /* what is pending goes on */
	turn(s, a);
	expect(a, 1, "h ok id=2 ");
	a->f.is_away = false;
	ask(s, a, 0, rules[0]);
	turn(s, a);
	expect(a, 0, "1 ok id=1 ");
	site_close(s);
}

static void
a_connection_has_at_most_64_requests_waiting(void **state)
{
	SITE(SHARED);

	a->f.delays = true;
	for (int i = 0; i < 65; i++)
		ask_hold(s, a, 0, "a");
	turn(s, a);
	expect(a, 0, "h unavailable ");
	expect_silence(a, 0);
	site_close(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_batch_of_one_writer_may_depend_on_itself),
		cmocka_unit_test(a_broken_log_ends_the_daemon_without_an_answer),
		cmocka_unit_test(an_answer_comes_when_its_commit_is_done),
		cmocka_unit_test(a_daemon_that_lost_a_commit_decides_again),
		cmocka_unit_test(a_request_is_answered_even_after_a_hundred_lost_commits),
		cmocka_unit_test(a_failed_commit_is_answered_unavailable_and_changes_nothing),
		cmocka_unit_test(a_delayed_commit_does_not_delay_requests_that_write_nothing),
		cmocka_unit_test(requests_with_nothing_in_common_share_a_commit),
		cmocka_unit_test(a_request_that_depends_on_a_staged_one_waits_for_the_next_batch),
		cmocka_unit_test(a_write_during_a_pending_commit_waits_for_the_next_batch),
		cmocka_unit_test(a_batch_grows_until_its_turn_has_come),
		cmocka_unit_test(a_batch_whose_turn_has_not_come_is_decided_again_after_news),
		cmocka_unit_test(the_requests_of_a_connection_are_carried_out_in_order),
		cmocka_unit_test(a_final_no_needs_an_up_to_date_table),
		cmocka_unit_test(one_first_approve_of_all_machines_is_granted),
		cmocka_unit_test(nothing_is_granted_first_to_a_client_that_hears_no_more),
		cmocka_unit_test(a_client_that_cannot_wait_is_told_unavailable),
		cmocka_unit_test(
		    a_staged_request_outlives_its_client_and_one_in_the_backlog_does_not),
		cmocka_unit_test(a_lost_request_is_dropped_if_its_client_is_gone),
		cmocka_unit_test(staged_grants_count_for_the_limit_of_calls),
		cmocka_unit_test(a_hold_expires_by_one_record_for_all_daemons),
		cmocka_unit_test(expired_holds_share_a_batch_with_requests),
		cmocka_unit_test(expiring_is_retried_a_second_after_a_failed_commit),
		cmocka_unit_test(a_list_is_seen_by_the_clock_of_now),
		cmocka_unit_test(the_end_that_is_told_is_the_end_by_this_machines_clock),
		cmocka_unit_test(records_of_other_daemons_wake_waiters),
		cmocka_unit_test(a_full_log_refuses_new_holds_and_accepts_outcomes),
		cmocka_unit_test(nothing_is_decided_while_the_log_is_away),
		cmocka_unit_test(a_connection_has_at_most_64_requests_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
