/* One set of cases on every queue: the one in memory, a real daemon with its journal, and two
 * daemons on a shared log. */
#include "config.h"

#include "queue_world.h"
#include "pair_queue.h"
#include "shared_queue.h"

static void
a_granted_hold_is_shown_with_all_its_fields(struct fixture *f)
{
	struct hold_request rq = request("u 1", "o=1", "600-720,3420-3480", "f1");
	int64_t now = clock_boot_ms();

	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_OK, "hold");
	assert_true(f->a.hold.id > 0);
	assert_int_equal(f->a.hold.state, HOLD_HELD);
	assert_string_equal(f->a.hold.user, "u 1");
	assert_string_equal(f->a.hold.order, "o=1");
	assert_string_equal(f->a.hold.cid, CID);
	assert_string_equal(f->a.hold.room, ROOM);
	assert_string_equal(f->a.hold.attempt, rq.attempt);
	assert_string_equal(f->a.hold.tid, "");
	assert_in_range(f->a.hold.window_boot_ms, now + 900000, clock_boot_ms() + 900000);
	expect(f, queue_ready(f->q, f->a.hold.id, "T1", "{\"a\": 1}", soon(), &f->a, &f->err),
	    HA_OK, "ready");
	assert_int_equal(f->a.hold.state, HOLD_READY);
	assert_string_equal(f->a.hold.tid, "T1");
	assert_in_range(f->a.hold.expires_boot_ms, now + 600000, clock_boot_ms() + 600000);
}

static void
an_equal_request_gets_the_same_answer_again(struct fixture *f)
{
	struct hold_request rq = request("u1", "o1", "600-720", "o1");
	uint64_t id = open_hold(f, "u1", "o1", "600-720", "T1");

	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_REPLAY, "again");
	assert_int_equal(f->a.hold.id, id);
	assert_string_equal(f->a.hold.answer, "{\"tid\":1}");
	assert_string_equal(f->a.hold.tid, "T1");
}

static void
a_refusal_shows_only_the_overlapping_parts(struct fixture *f)
{
	struct hold_request rq = request("u2", "o2", "660-780,3420-3480", "f2");

	open_hold(f, "u1", "o1", "600-720", "T1");
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_SLOT_HELD, "overlap");
	assert_int_equal(f->a.conflicts.n, 1);
	assert_int_equal(f->a.conflicts.iv[0].start, 660);
	assert_int_equal(f->a.conflicts.iv[0].end, 720);
	assert_true(f->a.retry_ms > 0);
	assert_int_equal(f->a.hold.id, 0); /* it does not say whose they are */
	rq = request("u2", "o2", "720-780", "f2");
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_OK, "right after it");
}

static void
assert_empty(const struct queue_answer *a)
{
	assert_int_equal(a->hold.id, 0);
	assert_string_equal(a->hold.user, "");
	assert_string_equal(a->hold.tid, "");
	assert_string_equal(a->hold.attempt, "");
	assert_string_equal(a->hold.answer, "");
	assert_int_equal(a->hold.token, 0);
	assert_int_equal(a->hold.last_n, 0);
	assert_int_equal(a->conflicts.n, 0);
	assert_int_equal(a->retry_ms, 0);
	assert_string_equal(a->failure, "");
}

static void
an_answer_has_nothing_of_the_one_before_it(struct fixture *f)
{
	memset(&f->a, 0xa5, sizeof(f->a));
	expect(f, queue_find(f->q, FIND_PLACE, "u1", ROOM, soon(), &f->a, &f->err), HA_NO_HOLD,
	    "nobody");
	assert_empty(&f->a);
	memset(&f->a, 0xa5, sizeof(f->a));
	/* an invalid request */
	assert_false(queue_find(f->q, FIND_PLACE, "", ROOM, soon(), &f->a, &f->err));
	assert_empty(&f->a);
}

static void
a_replacement_takes_over_when_ready_and_vanishes_when_it_fails(struct fixture *f)
{
	uint64_t old = open_hold(f, "u1", "o1", "600-720", "T1"), id;
	struct hold_request rq = request("u1", "o1", "660-780", "f2");
	struct buf json = BUF_INIT;

	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_OK, "replace");
	id = f->a.hold.id;
	assert_true(id != old);
	assert_true(queue_list(f->q, ROOM, &json, soon(), &f->err));
	assert_string_equal(buf_str(&json),
	    "[{\"start\":600,\"end\":720,\"state\":\"ready\"},{\"start\":660,\"end\":780,\"state\":"
	    "\"held\"}]");
	assert_true(queue_fail(f->q, id, false, "{}", soon(), &f->err));
	expect(f, queue_find(f->q, FIND_PLACE, "u1", ROOM, soon(), &f->a, &f->err), HA_OK,
	    "the old one is as it was");
	assert_int_equal(f->a.hold.id, old);
	assert_int_equal(f->a.hold.state, HOLD_READY);
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_OK, "replace again");
	expect(f, queue_ready(f->q, f->a.hold.id, "T2", "{}", soon(), &f->a, &f->err), HA_OK,
	    "the new one is ready");
	expect(f, queue_find_tid(f->q, "T1", soon(), &f->a, &f->err), HA_OK,
	    "the old tid is remembered");
	assert_int_equal(f->a.hold.state, HOLD_FENCED);
	expect(f, queue_approve(f->q, old, 1, "00ff", soon(), &f->a, &f->err), HA_FENCED,
	    "and can never be approved");
	buf_clear(&json);
}

static void
an_approved_hold_is_removed_once_and_a_repeat_is_a_replay(struct fixture *f)
{
	uint64_t id = open_hold(f, "u1", "o1", "600-720", "T1"), token = approve(f, id, 1);
	struct hold_request rq = request("u2", "o2", "600-720", "f2");

	assert_true(token > 0);
	assert_int_equal(f->a.hold.before, HOLD_READY);
	expect(f, queue_outcome(f->q, id, token + 1, HO_APPROVED, 2, soon(), &f->a, &f->err),
	    HA_STALE_TOKEN, "another's token");
	assert_true(queue_outcome(f->q, id, token, HO_APPROVED, 2, soon(), NULL, &f->err));
	expect(f, queue_find_tid(f->q, "T1", soon(), &f->a, &f->err), HA_OK,
	    "what was only sent is heard before the next question");
	assert_int_equal(f->a.hold.state, HOLD_APPROVED);
	expect(f, queue_outcome(f->q, id, token, HO_APPROVED, 2, soon(), &f->a, &f->err), HA_OK,
	    "said again");
	expect(f, queue_find(f->q, FIND_APPROVED_OLDEST, "u1", ROOM, soon(), &f->a, &f->err), HA_OK,
	    "found");
	assert_int_equal(f->a.hold.last_n, 2);
	expect(f, queue_remove(f->q, id, true, 3, soon(), &f->a, &f->err), HA_OK, "removed");
	assert_string_equal(f->a.hold.attempt, "{\"item_name\":\"\xea\xb0\x80 = 100%\"}");
	expect(f, queue_remove(f->q, id, true, 3, soon(), &f->a, &f->err), HA_REPLAY,
	    "removed again");
	expect(f, queue_find(f->q, FIND_REMOVED_LAST, "u1", ROOM, soon(), &f->a, &f->err), HA_OK,
	    "the last answer");
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_SLOT_SOLD,
	    "its time is guarded");
	rq = request("u1", "o1", "600-720", "f3");
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_ORDER_PAID,
	    "its order is paid");
	expect(f, queue_find_order(f->q, CID, "o1", soon(), &f->a, &f->err), HA_OK, "the order");
	assert_int_equal(f->a.hold.last_n, 3);
}

static void
ask_first(struct fixture *f, const char *user, enum hold_answer_code code, const char *what)
{
	static const char *const cids[] = { "TC0MERCHNT", CID };

	expect(f, queue_approve_first(f->q, user, ROOM, cids, 2, "00ff", soon(), &f->a, &f->err),
	    code, what);
}

static void
a_first_approve_is_granted_once(struct fixture *f)
{
	static const char *const other[] = { "TC0MERCHNT" };
	uint64_t id, token;

	ask_first(f, "u1", HA_NO_HOLD, "nobody");
	id = open_hold(f, "u1", "o1", "600-720", "T1");
	expect(f, queue_approve_first(f->q, "u1", ROOM, other, 1, "00ff", soon(), &f->a, &f->err),
	    HA_NOT_FIRST, "another merchant's");
	assert_int_equal(f->a.hold.id, 0);
	assert_false(
	    queue_approve_first(f->q, "u1", ROOM, other, 0, "00ff", soon(), &f->a, &f->err));
	ask_first(f, "u1", HA_OK, "the first");
	assert_int_equal(f->a.hold.id, id);
	assert_int_equal(f->a.hold.state, HOLD_APPROVING);
	assert_int_equal(f->a.hold.before, HOLD_READY);
	assert_int_equal(f->a.hold.n, 1);
	assert_string_equal(f->a.hold.attempt, "{\"item_name\":\"\xea\xb0\x80 = 100%\"}");
	assert_true(f->a.hold.deadline_boot_ms >= clock_boot_ms());
	token = f->a.hold.token;
	ask_first(f, "u1", HA_NOT_FIRST, "it is being approved");
	expect(f, queue_outcome(f->q, id, token, HO_RESTORED, 0, soon(), &f->a, &f->err), HA_OK,
	    "given back");
	ask_first(f, "u1", HA_NOT_FIRST, "it was granted before");
	assert_true(approve(f, id, 1) > token);
	expect(f, queue_outcome(f->q, id, f->a.hold.token, HO_DECLINED, 2, soon(), &f->a, &f->err),
	    HA_OK, "declined");
	open_hold(f, "u1", "o1", "600-720", "T2");
	ask_first(f, "u1", HA_NOT_FIRST, "its order has numbers");
}

static void
a_refused_token_restores_the_hold_and_an_old_ledger_does_not_get_it(struct fixture *f)
{
	uint64_t id = open_hold(f, "u1", "o1", "600-720", "T1"), token = approve(f, id, 3);

	expect(f, queue_outcome(f->q, id, token, HO_REFUSED, 4, soon(), &f->a, &f->err), HA_OK,
	    "refused");
	assert_int_equal(f->a.hold.state, HOLD_READY);
	expect(f, queue_approve(f->q, id, 4, "00ff", soon(), &f->a, &f->err), HA_LEDGER_BEHIND,
	    "a number that was used");
	assert_true(approve(f, id, 5) > token);
	expect(f, queue_outcome(f->q, id, f->a.hold.token, HO_DECLINED, 6, soon(), &f->a, &f->err),
	    HA_OK, "declined");
	expect(f, queue_find(f->q, FIND_PLACE, "u1", ROOM, soon(), &f->a, &f->err), HA_OK,
	    "the gone one");
	assert_int_equal(f->a.hold.state, HOLD_DECLINED);
}

static void
the_gateway_removes_an_uncharged_hold(struct fixture *f)
{
	uint64_t id = open_hold(f, "u1", "o1", "600-720", "T1");
	struct buf json = BUF_INIT;

	expect(f, queue_remove(f->q, id, true, 0, soon(), &f->a, &f->err), HA_NO_HOLD,
	    "reservation has no business with it");
	expect(f, queue_remove(f->q, id, false, 0, soon(), &f->a, &f->err), HA_OK,
	    "the gateway has");
	assert_true(queue_list(f->q, ROOM, &json, soon(), &f->err));
	assert_string_equal(buf_str(&json), "[]");
	expect(f, queue_find(f->q, FIND_PLACE, "u2", ROOM, soon(), &f->a, &f->err), HA_NO_HOLD,
	    "nobody");
	expect(f, queue_find_tid(f->q, "T9", soon(), &f->a, &f->err), HA_NO_HOLD, "no tid");
	expect(f, queue_find_order(f->q, CID, "o9", soon(), &f->a, &f->err), HA_NO_HOLD,
	    "no order");
	buf_clear(&json);
}

static void
a_list_of_several_pages_is_complete(struct fixture *f)
{
	struct buf json = BUF_INIT;
	char user[32], set[1024];
	size_t n = 0, count = 0;

	/* 40 holds of 64 intervals: more than one page, more than a line */
	for (int u = 0; u < 40; u++) {
		struct buf text = BUF_INIT;

		for (int i = 0; i < 64; i++, n += 2)
			buf_printf(&text, "%s%zu-%zu", i == 0 ? "" : ",", n, n + 1);
		snprintf(set, sizeof(set), "%s", buf_str(&text));
		snprintf(user, sizeof(user), "user-%d", u);
		open_hold(f, user, user, set, user);
		buf_clear(&text);
	}
	assert_true(queue_list(f->q, ROOM, &json, soon(), &f->err));
	for (const char *s = buf_str(&json); (s = strstr(s, "\"start\"")) != NULL; s++)
		count++;
	assert_int_equal(count, 40 * 64);
	assert_int_equal(json.data[json.len - 1], ']');
	buf_clear(&json);
}

static void
counts_are_json(struct fixture *f)
{
	struct buf json = BUF_INIT;

	open_hold(f, "u1", "o1", "600-720", "T1");
	assert_true(queue_stats(f->q, &json, soon(), &f->err));
	assert_non_null(strstr(buf_str(&json), "\"ready\":1,"));
	assert_int_equal(json.data[0], '{');
	assert_int_equal(json.data[json.len - 1], '}');
	buf_clear(&json);
}

static void
a_poke_is_kept_for_a_later_watch(struct fixture *f)
{
	bool poked = true;

	assert_true(queue_watch(f->q, 20, &poked, &f->err));
	assert_false(poked);
	assert_true(queue_poke(f->q, soon(), &f->err));
	assert_true(queue_poke(f->q, soon(), &f->err));
	assert_true(queue_watch(f->q, 5000, &poked, &f->err));
	assert_true(poked);
	assert_true(queue_watch(f->q, 20, &poked, &f->err)); /* two pokes wake once */
	assert_false(poked);
}

static void
only_the_expected_queue_is_asked(struct fixture *f)
{
	struct hold_request rq = request("u1", "o1", "600-720", "f1");
	struct queue_greeting hello;

	assert_true(queue_hello(f->q, &hello, soon(), &f->err));
	assert_int_equal(strlen(hello.id), 32);
	assert_string_equal(hello.fence, "");
	queue_expect(f->q, "00000000000000000000000000000001");
	assert_false(queue_hold(f->q, &rq, soon(), &f->a, &f->err));
	assert_int_equal(f->err.code, ERR_CONFLICT);
	queue_expect(f->q, hello.id);
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_OK, "the right one is");
}

static void
a_text_that_is_too_long_is_an_internal_error(struct fixture *f)
{
	struct hold_request rq = request("u1", "o1", "600-720", "f1");
	static char attempt[ATTEMPT_MAX + 1];

	memset(attempt, 'x', ATTEMPT_MAX);
	attempt[ATTEMPT_MAX] = '\0';
	rq.attempt = attempt;
	assert_false(queue_hold(f->q, &rq, soon(), &f->a, &f->err));
	assert_int_equal(f->err.code, ERR_INTERNAL);
	attempt[ATTEMPT_MAX - 1] = '\0';
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_OK, "the longest attempt");
	assert_string_equal(f->a.hold.attempt, attempt);
}

/* Each case has a test of its own for each queue. */
#define CASES(X) \
	X(a_granted_hold_is_shown_with_all_its_fields) \
	X(an_equal_request_gets_the_same_answer_again) \
	X(a_refusal_shows_only_the_overlapping_parts) \
	X(an_answer_has_nothing_of_the_one_before_it) \
	X(a_replacement_takes_over_when_ready_and_vanishes_when_it_fails) \
	X(an_approved_hold_is_removed_once_and_a_repeat_is_a_replay) \
	X(a_first_approve_is_granted_once) \
	X(a_refused_token_restores_the_hold_and_an_old_ledger_does_not_get_it) \
	X(the_gateway_removes_an_uncharged_hold) \
	X(a_list_of_several_pages_is_complete) \
	X(counts_are_json) \
	X(a_poke_is_kept_for_a_later_watch) \
	X(only_the_expected_queue_is_asked) \
	X(a_text_that_is_too_long_is_an_internal_error)

#define DEFINE(name) \
	static void memory_##name(void **state) \
	{ \
		name(*state); \
	} \
	static void daemon_##name(void **state) \
	{ \
		name(*state); \
	} \
	static void shared_##name(void **state) \
	{ \
		name(*state); \
	} \
	static void mongodb_##name(void **state) \
	{ \
		name(*state); \
	} \
	static void pair_##name(void **state) \
	{ \
		name(*state); \
	}
CASES(DEFINE)

static int
setup_shared(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	f->q = queue_open_shared(&daemon_limits);
	return f->q == NULL ? -1 : 0;
}

/* A second daemon on the log of the first. */
static struct fixture second;

static int
setup_pair(void **state)
{
	struct fixture *f;

	if (setup_mongodb(state) != 0)
		return -1;
	f = *state;
	open_second(f, &second);
	queue_free(&f->q);
	f->q = queue_open_pair(f->socket, second.socket);
	return f->q == NULL ? -1 : 0;
}

static int
teardown_pair(void **state)
{
	queue_free(&((struct fixture *)*state)->q);
	close_second(&second);
	return teardown(state);
}

int
main(void)
{
#define ON_EACH(name) \
	cmocka_unit_test_setup_teardown(memory_##name, setup_memory, teardown), \
	    cmocka_unit_test_setup_teardown(daemon_##name, setup_daemon, teardown), \
	    cmocka_unit_test_setup_teardown(shared_##name, setup_shared, teardown),
#define ON_BOTH(name) \
	cmocka_unit_test_setup_teardown(mongodb_##name, setup_mongodb, teardown), \
	    cmocka_unit_test_setup_teardown(pair_##name, setup_pair, teardown_pair),
	const struct CMUnitTest tests[] = { CASES(ON_EACH) };
	const struct CMUnitTest on_mongodb[] = { CASES(ON_BOTH) };

	if (getenv("ROOMPAY_QUEUED") == NULL) {
		puts("1..0 # SKIP ROOMPAY_QUEUED names no daemon");
		return 0;
	}
	if (getenv("ROOMPAY_TEST_LOG_URI") != NULL)
		return cmocka_run_group_tests(on_mongodb, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
