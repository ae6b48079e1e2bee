/* What the courier claims, when, and how ends are written down: rounds over the store in memory,
 * with time as an argument. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "courier/round.h"
#include "site/metrics.h"
#include "store/backend.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
static const int64_t t0 = 1709601651000;

static struct conf conf;
static struct store *store;
static struct round *here, *elsewhere; /* two couriers on one store */

static char metrics_dir[] = "/tmp/roompay-courier-XXXXXX";

/* How many lines of level error have told this event. */
static int64_t
count_of(const char *event)
{
	struct buf page = BUF_INIT;
	struct error err;
	char name[80];
	const char *at;
	int64_t n;

	assert_true(metrics_print(metrics_dir, &page, &err));
	snprintf(name, sizeof(name), "{event=\"%s\"} ", event);
	at = strstr(buf_str(&page), name);
	n = at == NULL ? 0 : strtoll(at + strlen(name), NULL, 10);
	buf_clear(&page);
	return n;
}

static int64_t
later_boot(void)
{
	return clock_boot_ms() + 5000;
}

static int
setup(void **state)
{
	struct error err;

	(void)state;
	memset(&conf, 0, sizeof(conf));
	conf.courier_parallel = 4;
	strcpy(conf.reservation.url, "https://reservation.example/");
	strcpy(conf.gateway.url, "https://gateway.example/");
	store = store_open_memory();
	here = round_new(&conf, store, "here");
	elsewhere = round_new(&conf, store, "elsewhere");
	assert_true(store_prepare(store, later_boot(), &err));
	round_allow(here, true);
	round_allow(elsewhere, true);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	round_free(&here);
	round_free(&elsewhere);
	store_free(&store);
	return 0;
}

static void
owe(const char *type, const char *peer, const char *tid, int64_t at_ms)
{
	struct store_message m = { .at_ms = at_ms };
	enum store_put how;
	struct error err;
	char body[] = "{}";

	snprintf(m.id, sizeof(m.id), "%s.%s", type, tid);
	snprintf(m.type, sizeof(m.type), "%s", type);
	snprintf(m.peer, sizeof(m.peer), "%s", peer);
	snprintf(m.tid, sizeof(m.tid), "%s", tid);
	m.body = body;
	assert_true(store_outbox_put(store, &m, &how, later_boot(), &err));
}

static size_t
owed(void)
{
	struct store_message *m;
	struct error err;
	size_t n;

	assert_true(store_outbox_list(store, 1000, &m, &n, later_boot(), &err));
	for (size_t i = 0; i < n; i++)
		store_message_clear(&m[i]);
	free(m);
	return n;
}

enum which { WRITE_ENDS, LOOK_WHEN_DUE, LOOK };

/* One part after the other, as the lanes of an idle courier would. */
static void
run(struct round *r, enum which which, int64_t wall_ms)
{
	struct now now = { clock_boot_ms(), wall_ms };

	assert_true(round_run(r, ROUND_WRITE_ENDS, now));
	if (which == LOOK)
		round_run(r, ROUND_LOOK, now);
	if (which != WRITE_ENDS && round_due_ms(r) <= wall_ms)
		round_run(r, ROUND_LOOK_AT_ALL, now);
	if (which != WRITE_ENDS && round_may_claim(r))
		round_run(r, ROUND_CLAIM, now);
}

/* The next task, which must be try `number`; ended as `status` at the next run. */
static void
post(struct round *r, int64_t number, int64_t status)
{
	struct task *t = round_take(r);

	if (t == NULL)
		fail_msg("nothing to post, try %lld was due", (long long)number);
	assert_int_equal(t->try.number, number);
	t->try.ended = true;
	t->try.status = status;
	t->try.acknowledged = status >= 200 && status < 300;
	round_finish(r, t);
}

/* The same; the receiver said when it wants the next. */
static void
post_put_off(struct round *r, int64_t number, int64_t status, int64_t not_before_ms)
{
	struct task *t = round_take(r);

	assert_non_null(t);
	assert_int_equal(t->try.number, number);
	t->try.ended = true;
	t->try.status = status;
	t->try.not_before_ms = not_before_ms;
	round_finish(r, t);
}

static void
assert_nothing_to_post(struct round *r)
{
	struct task *t = round_take(r);

	if (t != NULL)
		fail_msg("try %lld of %s is not due", (long long)t->try.number, t->message.id);
}

static void
a_new_message_is_tried_at_once_and_gone_when_acknowledged(void **state)
{
	(void)state;
	owe("payment.approved", "reservation", "T1", t0);
	run(here, LOOK, t0);
	post(here, 1, 204);
	run(here, LOOK_WHEN_DUE, t0 + 10);
	assert_int_equal(owed(), 0);
	assert_nothing_to_post(here);
}

static void
a_failing_message_is_tried_by_the_schedule(void **state)
{
	static const int64_t steps[] = { 5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE,
		30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 6 * HOUR };
	int64_t now = t0;

	(void)state;
	owe("payment.approved", "reservation", "T1", t0);
	run(here, LOOK, now);
	for (int64_t i = 0; i < 9; i++) {
		post(here, i + 1, 503);
		run(here, LOOK, now + 100);
		assert_nothing_to_post(here);
		assert_true(round_due_ms(here) > now + 100 &&
		    round_due_ms(here) <=
			now + (steps[i] < ROUND_POLL_MS ? steps[i] : ROUND_POLL_MS));
		now += steps[i];
		run(here, LOOK, now - 1);
		assert_nothing_to_post(here);
		run(here, LOOK, now);
	}
	post(here, 10, 200);
	run(here, LOOK, now + 1);
	assert_int_equal(owed(), 0);
}

static void
a_receiver_that_says_when_is_not_asked_sooner(void **state)
{
	struct round *after_restart;

	(void)state;
	owe("payment.approved", "reservation", "T1", t0);
	run(here, LOOK, t0);
	run(elsewhere, LOOK, t0);
	post_put_off(here, 1, 503, t0 + HOUR); /* the schedule says 5 s */
	run(here, LOOK, t0 + 5 * SECOND);
	run(elsewhere, LOOK, t0 + 5 * SECOND);
	after_restart = round_new(&conf, store, "after a restart");
	round_allow(after_restart, true);
	for (int64_t now = t0 + 25 * SECOND; now <= t0 + HOUR - 1; now += 5 * MINUTE - 1) {
		run(here, LOOK, now);
		assert_nothing_to_post(here);
		run(elsewhere, LOOK, now);
		assert_nothing_to_post(elsewhere);
		run(after_restart, LOOK, now);
		assert_nothing_to_post(after_restart);
	}
	run(after_restart, LOOK, t0 + HOUR - 1);
	assert_nothing_to_post(after_restart);
	assert_int_equal(round_due_ms(after_restart), t0 + HOUR);
	run(after_restart, LOOK_WHEN_DUE, t0 + HOUR);
	run(here, LOOK_WHEN_DUE, t0 + HOUR);
	run(elsewhere, LOOK_WHEN_DUE, t0 + HOUR);
	assert_nothing_to_post(here);
	assert_nothing_to_post(elsewhere);
	post(after_restart, 2, 200);
	run(after_restart, LOOK, t0 + HOUR + 1);
	assert_int_equal(owed(), 0);
	round_free(&after_restart);
}

/* Counted before the other courier wrote down how its try ended. */
static void
an_end_that_comes_late_puts_off_too(void **state)
{
	(void)state;
	owe("payment.approved", "reservation", "T1", t0);
	run(elsewhere, LOOK, t0);
	run(here, LOOK, t0 + 6 * SECOND); /* it may still run */
	assert_nothing_to_post(here);
	post_put_off(elsewhere, 1, 429, t0 + 10 * MINUTE);
	run(elsewhere, WRITE_ENDS, t0 + 7 * SECOND);
	run(here, LOOK, t0 + 10 * MINUTE - 1);
	assert_nothing_to_post(here);
	run(here, LOOK, t0 + 10 * MINUTE);
	post(here, 2, 200);
}

static void
the_schedule_holds_where_it_is_later_and_an_operator_need_not_wait(void **state)
{
	struct store_message *list;
	struct error err;
	size_t n;

	(void)state;
	owe("payment.approved", "reservation", "T1", t0);
	run(here, LOOK, t0);
	post_put_off(here, 1, 503, t0 + 2 * SECOND);
	run(here, LOOK, t0 + 5 * SECOND - 1);
	assert_nothing_to_post(here);
	run(here, LOOK, t0 + 5 * SECOND);
	post_put_off(here, 2, 503, t0 + 6 * HOUR);
	run(here, LOOK, t0 + MINUTE);
	assert_nothing_to_post(here);
	assert_true(store_outbox_list(store, 10, &list, &n, later_boot(), &err));
	assert_int_equal(n, 1);
	assert_true(store_outbox_again(store, &list[0], t0 + MINUTE, later_boot(), &err));
	store_message_clear(&list[0]);
	free(list);
	run(here, LOOK, t0 + MINUTE + SECOND);
	post(here, 3, 200);
}

/* The last try of the schedule, put off beyond its end, is still made; and only that one. */
static void
the_last_try_may_be_put_off_beyond_72_hours(void **state)
{
	int64_t now = t0, number = 0;
	struct task *t;

	(void)state;
	owe("payment.approved", "reservation", "T1", t0);
	for (; now < t0 + 100 * HOUR; now += 5 * MINUTE) {
		run(here, LOOK, now);
		t = round_take(here);
		if (t == NULL)
			continue;
		number = t->try.number;
		t->try.ended = true;
		t->try.status = 503;
		t->try.not_before_ms =
		    now > t0 + 60 * HOUR && now < t0 + 72 * HOUR ? t0 + 73 * HOUR : 0;
		round_finish(here, t);
		if (now >= t0 + 72 * HOUR)
			break;
	}
	assert_int_equal(now, t0 + 73 * HOUR);
	run(here, LOOK, t0 + 100 * HOUR);
	assert_nothing_to_post(here);
	assert_int_equal(owed(), 1);
	assert_true(number > 10);
}

static void
a_hook_that_is_gone_is_told_once_and_tried_on(void **state)
{
	int64_t told, before;

	(void)state;
	metrics_open(metrics_dir, METRICS_COURIER);
	before = count_of("hook_gone");
	owe("queue.removed", "gateway", "T1", t0);
	owe("queue.removed", "gateway", "T2", t0 + 1);
	run(here, LOOK, t0 + 2);
	post(here, 1, 410);
	post(here, 1, 410);
	run(here, LOOK, t0 + 3);
	told = count_of("hook_gone") - before;
	run(here, LOOK, t0 + 6 * SECOND);
	post(here, 2, 410);
	post(here, 2, 200); /* well again ... */
	run(here, LOOK, t0 + 7 * SECOND);
	assert_int_equal(count_of("hook_gone") - before, told);
	run(here, LOOK, t0 + MINUTE);
	post(here, 3, 410); /* ... and gone again */
	run(here, LOOK, t0 + MINUTE + 1);
	assert_int_equal(told, 1);
	assert_int_equal(count_of("hook_gone") - before, 2);
	owe("payment.approved", "reservation", "T3", t0);
	run(here, LOOK, t0 + MINUTE + 2);
	post(here, 1, 410); /* it cannot be booked: another matter */
	run(here, LOOK, t0 + MINUTE + 3);
	assert_int_equal(count_of("hook_gone") - before, 2);
	metrics_close();
}

static void
owe_refund(const char *peer, const char *tid, int number, int64_t at_ms)
{
	struct store_message m = { .at_ms = at_ms,
		.type = "payment.refunded",
		.body = (char[]){ "{}" } };
	enum store_put how;
	struct error err;

	snprintf(m.id, sizeof(m.id), "payment.refunded.%s.%d.%s", tid, number, peer);
	snprintf(m.peer, sizeof(m.peer), "%s", peer);
	snprintf(m.tid, sizeof(m.tid), "%s", tid);
	assert_true(store_outbox_put(store, &m, &how, later_boot(), &err));
}

/* Owed anew by an operator, because the receiver has lost it. */
static void
owe_again(const char *type, const char *peer, const char *tid, int64_t at_ms)
{
	struct store_message m = { .at_ms = at_ms, .again_ms = at_ms, .body = (char[]){ "{}" } };
	enum store_put how;
	struct error err;

	snprintf(m.id, sizeof(m.id), "%s.%s", type, tid);
	snprintf(m.type, sizeof(m.type), "%s", type);
	snprintf(m.peer, sizeof(m.peer), "%s", peer);
	snprintf(m.tid, sizeof(m.tid), "%s", tid);
	assert_true(store_outbox_put(store, &m, &how, later_boot(), &err));
}

static void
what_was_taken_is_sent_again_when_an_operator_asks(void **state)
{
	(void)state;
	owe("payment.approved", "reservation", "T1", t0);
	run(here, LOOK, t0);
	post(here, 1, 200);
	run(here, LOOK, t0 + 1);
	assert_int_equal(owed(), 0);
	owe_again("payment.approved", "reservation", "T1", t0 + HOUR);
	run(here, LOOK, t0 + HOUR + 1);
	post(here, 2, 503);
	run(elsewhere, LOOK, t0 + HOUR + 2); /* it is owed like any other now */
	assert_nothing_to_post(elsewhere);
	run(here, WRITE_ENDS, t0 + HOUR + 3);
	run(elsewhere, LOOK, t0 + HOUR + MINUTE);
	post(elsewhere, 3, 200);
	run(elsewhere, LOOK, t0 + HOUR + MINUTE + 1);
	assert_int_equal(owed(), 0);
}

static void
what_was_withdrawn_is_never_sent_again(void **state)
{
	struct store_try t = { .message_id = "payment.approved.T1",
		.number = 1,
		.at_ms = t0,
		.by = "refund",
		.ended = true,
		.withdrawn = true };
	enum store_put how;
	struct error err;

	(void)state;
	assert_true(store_try_claim(store, &t, &how, later_boot(), &err));
	owe_again("payment.approved", "reservation", "T1", t0 + HOUR);
	run(here, LOOK, t0 + HOUR + 1);
	assert_nothing_to_post(here);
	assert_int_equal(owed(), 0);
}

static void
a_refund_waits_for_a_payment_that_is_sent_again(void **state)
{
	(void)state;
	owe("payment.approved", "reservation", "T1", t0);
	run(here, LOOK, t0);
	post(here, 1, 200);
	run(here, LOOK, t0 + 1);
	owe_again("payment.approved", "reservation", "T1", t0 + HOUR);
	owe_refund("reservation", "T1", 5, t0 + HOUR);
	run(here, LOOK, t0 + HOUR + 1);
	post(here, 2, 503);
	assert_nothing_to_post(here);
	run(here, LOOK, t0 + HOUR + 2);
	assert_nothing_to_post(here);
	run(here, LOOK, t0 + HOUR + MINUTE);
	post(here, 3, 200);
	assert_nothing_to_post(here);
	run(here, LOOK_WHEN_DUE, t0 + HOUR + MINUTE + 1);
	post(here, 1, 200);
}

static void
a_test_message_is_sent_once(void **state)
{
	struct task *t;

	(void)state;
	owe("roompay.test", "gateway", "a", t0);
	run(here, LOOK, t0);
	post(here, 1, 500);
	run(here, LOOK, t0 + 1);
	assert_int_equal(owed(), 0);
	owe("roompay.test", "gateway", "b", t0);
	run(here, LOOK, t0);
	t = round_take(here);
	assert_non_null(t);
	task_free(&t); /* its courier dies */
	run(elsewhere, LOOK, t0 + 10 * SECOND);
	assert_nothing_to_post(elsewhere);
	assert_int_equal(owed(), 1);
	run(elsewhere, LOOK, t0 + 30 * SECOND);
	assert_nothing_to_post(elsewhere);
	assert_int_equal(owed(), 0);
}

static void
after_72_hours_a_message_is_kept_and_tried_no_more(void **state)
{
	int64_t now = t0;

	(void)state;
	owe("payment.approved", "reservation", "T1", t0);
	for (int64_t number = 1; number <= 19; number++) {
		while (now < t0 + 73 * HOUR) {
			struct task *t;

			run(here, LOOK, now);
			t = round_take(here);
			if (t == NULL) {
				now = round_due_ms(here) > now ? round_due_ms(here) : now + SECOND;
				now += now - t0 > HOUR ? 10 * MINUTE : 0;
				continue;
			}
			assert_int_equal(t->try.number, number);
			t->try.ended = true;
			t->try.status = 500;
			round_finish(here, t);
			break;
		}
	}
	run(here, LOOK, t0 + 100 * HOUR);
	assert_nothing_to_post(here);
	assert_int_equal(owed(), 1);
}

static void
a_refund_waits_for_the_payments_message_and_for_the_refund_before(void **state)
{
	(void)state;
	owe("payment.approved", "reservation", "T1", t0);
	owe_refund("reservation", "T1", 10, t0);
	owe_refund("reservation", "T1", 9, t0);
	owe_refund("gateway", "T1", 9, t0);
	run(here, LOOK, t0);
	post(here, 1, 503);
	run(here, LOOK, t0 + 1);
	assert_nothing_to_post(here);
	run(here, LOOK, t0 + 5 * SECOND);
	post(here, 2, 200);
	assert_nothing_to_post(here);
	run(here, LOOK_WHEN_DUE, t0 + 5 * SECOND + 1); /* at once */
	assert_int_equal(owed(), 3);
	post(here, 1, 200);
	post(here, 1, 200);
	assert_nothing_to_post(here);
	run(here, LOOK_WHEN_DUE, t0 + 5 * SECOND + 2);
	assert_int_equal(owed(), 1);
	post(here, 1, 200);
	run(here, LOOK_WHEN_DUE, t0 + 5 * SECOND + 3);
	assert_int_equal(owed(), 0);
}

static void
a_withdrawn_message_is_never_sent_and_holds_nothing_back(void **state)
{
	struct store_try t = { .message_id = "payment.approved.T1",
		.number = 1,
		.at_ms = t0,
		.by = "refund",
		.ended = true,
		.withdrawn = true };
	enum store_put how;
	struct error err;

	(void)state;
	owe("payment.approved", "reservation", "T1", t0); /* by somebody who was late */
	assert_true(store_try_claim(store, &t, &how, later_boot(), &err));
	owe_refund("gateway", "T1", 5, t0);
	run(here, LOOK, t0);
	post(here, 1, 200);
	assert_nothing_to_post(here);
	run(here, LOOK, t0 + 6 * SECOND);
	assert_nothing_to_post(here);
	assert_int_equal(owed(), 0);
}

static void
a_failing_message_delays_no_other(void **state)
{
	(void)state;
	owe("payment.approved", "reservation", "T1", t0);
	run(here, LOOK, t0);
	owe("payment.approved", "reservation", "T2", t0 + 1); /* T1 is still being posted */
	run(here, LOOK, t0 + 1);
	post(here, 1, 503); /* T1 */
	post(here, 1, 200); /* T2 */
	run(here, LOOK, t0 + 2);
	assert_nothing_to_post(here);
	owe("payment.approved", "reservation", "T3", t0 + 3);
	run(here, LOOK, t0 + 3);
	post(here, 1, 200);
	run(here, LOOK, t0 + 4);
	assert_int_equal(owed(), 1);
}

static void
a_peer_that_hangs_keeps_no_place_from_the_other(void **state)
{
	char tid[16];
	struct task *hanging[4];

	(void)state;
	for (int i = 0; i < 6; i++) {
		snprintf(tid, sizeof(tid), "T%d", i);
		owe("payment.approved", "reservation", tid, t0 + i);
	}
	owe("queue.removed", "gateway", "T9", t0 + 9);
	run(here, LOOK, t0 + 10);
	for (int i = 0; i < 4; i++) { /* parallel = 4 */
		hanging[i] = round_take(here);
		assert_non_null(hanging[i]);
		assert_string_equal(hanging[i]->message.peer, "reservation");
	}
	post(here, 1, 200); /* the gateway's */
	assert_nothing_to_post(here);
	run(here, LOOK_WHEN_DUE, t0 + 11);
	assert_nothing_to_post(here);
	hanging[0]->try.ended = true; /* one ends: the next round looks, though nothing is due by
					 time */
	round_finish(here, hanging[0]);
	run(here, LOOK_WHEN_DUE, t0 + 12);
	post(here, 1, 200);
	assert_nothing_to_post(here);
	for (int i = 1; i < 4; i++)
		task_free(&hanging[i]);
}

static void
what_was_tried_least_goes_first(void **state)
{
	char tid[16];
	struct task *t;

	(void)state;
	for (int i = 0; i < 4; i++) {
		snprintf(tid, sizeof(tid), "T%d", i);
		owe("payment.approved", "reservation", tid, t0 + i);
	}
	run(here, LOOK, t0 + 10);
	for (int i = 0; i < 4; i++)
		post(here, 1, 503);
	run(here, WRITE_ENDS, t0 + 11);
	owe("payment.approved", "reservation", "T9", t0 + 12);
	run(here, LOOK, t0 + 10 * SECOND);
	t = round_take(here);
	assert_string_equal(t->message.tid, "T9");
	task_free(&t);
}

static void
two_couriers_try_a_message_once(void **state)
{
	(void)state;
	owe("payment.approved", "reservation", "T1", t0);
	run(here, LOOK, t0);
	run(elsewhere, LOOK, t0);
	assert_nothing_to_post(elsewhere);
	run(elsewhere, LOOK, t0 + 6 * SECOND); /* it may still run: 20 s */
	assert_nothing_to_post(elsewhere);
	post(here, 1, 503);
	run(here, WRITE_ENDS, t0 + 7 * SECOND);
	run(elsewhere, LOOK, t0 + 7 * SECOND); /* now its end is known */
	post(elsewhere, 2, 200);
	run(elsewhere, LOOK, t0 + 8 * SECOND);
	run(here, LOOK, t0 + 8 * SECOND);
	assert_nothing_to_post(here);
	assert_int_equal(owed(), 0);
}

static void
whoever_looked_earlier_and_claims_later_finds_it_taken(void **state)
{
	(void)state;
	conf.courier_parallel = 1;
	owe("payment.approved", "reservation", "T1", t0);
	owe("payment.approved", "reservation", "T2", t0 + 1);
	run(elsewhere, LOOK, t0 + 2); /* claims T1; T2 waits for its place */
	run(here, LOOK, t0 + 3);
	post(here, 1, 503); /* T2 */
	post(elsewhere, 1, 200);
	run(elsewhere, LOOK_WHEN_DUE, t0 + 4);
	assert_nothing_to_post(elsewhere);
}

static void
a_post_of_our_own_is_never_doubled(void **state)
{
	struct store_try *tries;
	struct error err;
	struct task *t;
	size_t n;

	(void)state;
	owe("payment.approved", "reservation", "T1", t0);
	run(here, LOOK, t0);
	t = round_take(here);
	run(here, LOOK, t0 + MINUTE); /* as if the loop had stood still */
	assert_nothing_to_post(here);
	assert_true(store_try_list(store, t->try.message_id, &tries, &n, later_boot(), &err));
	assert_int_equal(n, 1);
	free(tries);
	task_free(&t);
}

static void
a_try_whose_courier_died_counts_as_failed_when_it_must_have_ended(void **state)
{
	struct task *t;

	(void)state;
	owe("payment.approved", "reservation", "T1", t0);
	run(elsewhere, LOOK, t0);
	t = round_take(elsewhere);
	assert_non_null(t);
	task_free(&t); /* and never heard of again */
	run(here, LOOK, t0 + 25 * SECOND - 1);
	assert_nothing_to_post(here);
	run(here, LOOK, t0 + 25 * SECOND);
	post(here, 2, 200);
	run(here, LOOK, t0 + 26 * SECOND);
	assert_int_equal(owed(), 0);
}

static void
an_acknowledged_message_whose_removal_was_lost_is_removed_not_sent(void **state)
{
	struct task *t;
	struct error err;

	(void)state;
	owe("payment.approved", "reservation", "T1", t0);
	run(elsewhere, LOOK, t0);
	t = round_take(elsewhere);
	t->try.ended = t->try.acknowledged = true;
	t->try.status = 200;
	assert_true(store_try_finish(store, &t->try, later_boot(), &err));
	task_free(&t); /* dead before store_outbox_delete */
	run(here, LOOK, t0 + 5 * SECOND);
	assert_nothing_to_post(here);
	assert_int_equal(owed(), 0);
}

static void
a_reservation_that_cannot_be_made_is_tried_no_more(void **state)
{
	static const int64_t statuses[] = { 409, 410, 422 };
	char tid[16];

	(void)state;
	for (int i = 0; i < 3; i++) {
		snprintf(tid, sizeof(tid), "T%d", i);
		owe("payment.approved", "reservation", tid, t0 + i);
	}
	owe("queue.removed", "gateway", "T9", t0 + 9);
	run(here, LOOK, t0 + 10);
	for (int i = 0; i < 3; i++)
		post(here, 1, statuses[i]);
	post(here, 1, 409); /* from the gateway it is a failure like any other */
	run(here, LOOK, t0 + 1 * MINUTE);
	post(here, 2, 200);
	assert_nothing_to_post(here);
	run(here, LOOK, t0 + 9 * HOUR);
	assert_nothing_to_post(here);
	run(elsewhere, LOOK, t0 + 9 * HOUR); /* also after a restart */
	assert_nothing_to_post(elsewhere);
	assert_int_equal(owed(), 3);
}

static void
a_peer_without_url_keeps_its_messages(void **state)
{
	(void)state;
	conf.gateway.url[0] = '\0';
	owe("queue.removed", "gateway", "T1", t0);
	owe("payment.approved", "reservation", "T1", t0);
	owe("x", "nobody", "T1", t0);
	run(here, LOOK, t0);
	post(here, 1, 200);
	assert_nothing_to_post(here);
	run(here, LOOK, t0 + 1);
	assert_int_equal(owed(), 2);
}

static void
nothing_is_delivered_before_queue_and_database_are_known_to_belong_together(void **state)
{
	struct round *stranger = round_new(&conf, store, "stranger");

	(void)state;
	owe("payment.approved", "reservation", "T1", t0);
	run(stranger, LOOK, t0); /* no queue has answered */
	assert_nothing_to_post(stranger);
	round_allow(stranger, true);
	run(stranger, LOOK, t0);
	post(stranger, 1, 503);
	round_allow(stranger, false); /* another site's now */
	run(stranger, LOOK, t0 + HOUR);
	assert_nothing_to_post(stranger);
	round_free(&stranger);
}

/* ---- rounds side by side: another one of the same courier runs while the store works */

static struct round *beside;
static const struct store_backend *memory;
static struct store_backend watched;
static enum step { NOTHING, AFTER_LIST, AFTER_GET_MANY, BEFORE_PUT_MANY } step;
static void (*intrude)(void); /* once, at this step */
static int claims;	      /* commands */

static void
intrude_at(enum step now)
{
	void (*how)(void) = intrude;

	if (step != now || how == NULL)
		return;
	intrude = NULL;
	how();
}

static bool
watched_list(struct store *s, const struct shape *sh, int64_t from_ms, size_t limit, void **out,
    size_t *n, int64_t deadline_boot_ms, struct error *err)
{
	bool ok = memory->list(s, sh, from_ms, limit, out, n, deadline_boot_ms, err);

	intrude_at(AFTER_LIST);
	return ok;
}

static bool
watched_get_many(struct store *s, const struct shape *sh, const char *const *ids, size_t n_ids,
    void **out, size_t *n, int64_t deadline_boot_ms, struct error *err)
{
	bool ok = memory->get_many(s, sh, ids, n_ids, out, n, deadline_boot_ms, err);

	intrude_at(AFTER_GET_MANY);
	return ok;
}

static bool
watched_put_many(struct store *s, const struct shape *sh, const void *const *recs, size_t n,
    enum store_put *hows, int64_t deadline_boot_ms, struct error *err)
{
	claims++;
	intrude_at(BEFORE_PUT_MANY);
	return memory->put_many(s, sh, recs, n, hows, deadline_boot_ms, err);
}

static int
setup_beside(void **state)
{
	setup(state);
	memory = store->does;
	watched = *memory;
	watched.list = watched_list;
	watched.get_many = watched_get_many;
	watched.put_many = watched_put_many;
	store->does = &watched;
	beside = round_beside(here, store);
	assert_non_null(beside);
	claims = 0;
	step = NOTHING;
	return 0;
}

static int
teardown_beside(void **state)
{
	assert_null(intrude); /* it came to it */
	round_free(&beside);
	return teardown(state);
}

static void
look_beside(void)
{
	run(beside, LOOK, t0 + 1);
}

static void
what_is_being_claimed_is_not_claimed_again(void **state)
{
	(void)state;
	owe("payment.approved", "reservation", "T1", t0);
	step = BEFORE_PUT_MANY;
	intrude = look_beside;
	run(here, LOOK, t0 + 1);
	assert_int_equal(claims, 1);
	post(here, 1, 204);
	assert_nothing_to_post(here);
}

static void
owe_another_and_look(void)
{
	owe("payment.approved", "reservation", "T2", t0 + 1);
	run(beside, LOOK, t0 + 1);
}

static void
rounds_share_the_places(void **state)
{
	(void)state;
	conf.courier_parallel = 1;
	owe("payment.approved", "reservation", "T1", t0);
	step = BEFORE_PUT_MANY;
	intrude = owe_another_and_look;
	run(here, LOOK, t0);
	post(here, 1, 204); /* T1 */
	assert_nothing_to_post(here);
	run(here, LOOK_WHEN_DUE, t0 + 2);
	post(here, 1, 204); /* T2 */
}

static void
what_was_found_during_a_look_at_all_stays_in_line(void **state)
{
	struct task *t;

	(void)state;
	conf.courier_parallel = 1;
	owe("payment.approved", "reservation", "T1", t0);
	run(here, LOOK, t0);
	t = round_take(here);
	step = AFTER_LIST;
	intrude = owe_another_and_look;
	round_run(here, ROUND_LOOK_AT_ALL, (struct now){ clock_boot_ms(), t0 + 1 });
	t->try.ended = t->try.acknowledged = true;
	round_finish(here, t);
	assert_true(round_may_claim(here));
	round_run(here, ROUND_CLAIM, (struct now){ clock_boot_ms(), t0 + 2 });
	post(here, 1, 204); /* T2 */
}

static void
write_ends_beside(void)
{
	run(beside, WRITE_ENDS, t0 + 2);
}

static void
a_look_that_began_before_the_end_leaves_the_message(void **state)
{
	(void)state;
	owe("payment.approved", "reservation", "T1", t0);
	run(here, LOOK, t0);
	post(here, 1, 204);
	step = AFTER_LIST;
	intrude = write_ends_beside;
	round_run(here, ROUND_LOOK, (struct now){ clock_boot_ms(), t0 + 2 });
	assert_int_equal(claims, 1);
	assert_nothing_to_post(here);
	assert_int_equal(owed(), 0);
}

static void
look_at_all_beside(void)
{
	round_run(beside, ROUND_LOOK_AT_ALL, (struct now){ clock_boot_ms(), t0 + MINUTE });
}

static void
what_another_round_began_with_meanwhile_is_left_to_it(void **state)
{
	(void)state;
	owe("payment.approved", "reservation", "T1", t0);
	run(here, LOOK, t0);
	post(here, 1, 503);
	run(here, WRITE_ENDS, t0 + 1);
	step = AFTER_GET_MANY;
	intrude = look_at_all_beside;
	look_at_all_beside();
	assert_int_equal(claims, 2);
	post(here, 2, 204);
	assert_nothing_to_post(here);
}

/* It says that it is owed again, under the same id: looked at when no earlier look can find it. */
static void
what_was_delivered_and_stands_there_again_is_removed(void **state)
{
	(void)state;
	owe("payment.approved", "reservation", "T1", t0);
	run(here, LOOK, t0);
	post(here, 1, 204);
	run(here, WRITE_ENDS, t0 + 1);
	owe("payment.approved", "reservation", "T1", t0);
	run(here, LOOK, t0 + 5 * SECOND);
	assert_int_equal(owed(), 1);
	for (int i = 1; i <= 3; i++) { /* each removal can be lost, as it waits for no majority */
		run(here, LOOK, t0 + 11 * i * SECOND);
		assert_nothing_to_post(here);
		assert_int_equal(owed(), 0);
		owe("payment.approved", "reservation", "T1", t0);
	}
}

int
main(void)
{
#define TEST_BESIDE(f) cmocka_unit_test_setup_teardown(f, setup_beside, teardown_beside)
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_new_message_is_tried_at_once_and_gone_when_acknowledged),
		TEST(a_failing_message_is_tried_by_the_schedule),
		TEST(a_receiver_that_says_when_is_not_asked_sooner),
		TEST(an_end_that_comes_late_puts_off_too),
		TEST(the_schedule_holds_where_it_is_later_and_an_operator_need_not_wait),
		TEST(the_last_try_may_be_put_off_beyond_72_hours),
		TEST(a_hook_that_is_gone_is_told_once_and_tried_on),
		TEST(what_was_taken_is_sent_again_when_an_operator_asks),
		TEST(what_was_withdrawn_is_never_sent_again),
		TEST(a_refund_waits_for_a_payment_that_is_sent_again),
		TEST(a_test_message_is_sent_once),
		TEST(after_72_hours_a_message_is_kept_and_tried_no_more),
		TEST(a_refund_waits_for_the_payments_message_and_for_the_refund_before),
		TEST(a_withdrawn_message_is_never_sent_and_holds_nothing_back),
		TEST(a_failing_message_delays_no_other),
		TEST(a_peer_that_hangs_keeps_no_place_from_the_other),
		TEST(what_was_tried_least_goes_first),
		TEST(two_couriers_try_a_message_once),
		TEST(whoever_looked_earlier_and_claims_later_finds_it_taken),
		TEST(a_post_of_our_own_is_never_doubled),
		TEST(a_try_whose_courier_died_counts_as_failed_when_it_must_have_ended),
		TEST(an_acknowledged_message_whose_removal_was_lost_is_removed_not_sent),
		TEST(a_reservation_that_cannot_be_made_is_tried_no_more),
		TEST(a_peer_without_url_keeps_its_messages),
		TEST(nothing_is_delivered_before_queue_and_database_are_known_to_belong_together),
		TEST_BESIDE(what_is_being_claimed_is_not_claimed_again),
		TEST_BESIDE(rounds_share_the_places),
		TEST_BESIDE(what_was_found_during_a_look_at_all_stays_in_line),
		TEST_BESIDE(a_look_that_began_before_the_end_leaves_the_message),
		TEST_BESIDE(what_another_round_began_with_meanwhile_is_left_to_it),
		TEST(what_was_delivered_and_stands_there_again_is_removed),
	};
	char path[sizeof(metrics_dir) + 40];
	int failed;

	if (mkdtemp(metrics_dir) == NULL)
		return 1;
	log_open("test", LOG_LEVEL_ERROR); /* undelivered and unbookable are meant to be told */
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(path, sizeof(path), "%s/courier.metrics", metrics_dir);
	unlink(path);
	rmdir(metrics_dir);
	return failed;
}
