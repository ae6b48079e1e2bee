/* Who waits for whose call, what counts as a call, and what happens by time alone. */
#include "config.h"

#include "queue_world.h"

#include <unistd.h>

static void
a_waiter_gets_the_leaders_answer(void **state)
{
	struct fixture *f = *state;
	struct hold_request rq = request("u1", "o1", "600-720", "f1");
	int fd;

	fd = dial(f);
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_OK, "the leader");
	tell_hold(fd, "w1", "u1", "o1", "600-720", "f1", 5000);
	expect_line(fd, "w1 wait");
	tell(fd, "h1 hello\n");
	expect_line(fd, "h1 ok "); /* its connection is not held up */
	assert_false(is_readable(fd, 50));
	expect(f, queue_ready(f->q, f->a.hold.id, "T1", "{\"tid\":1}", soon(), &f->a, &f->err),
	    HA_OK, "ready");
	expect_line(fd, "w1 replay id=1 state=ready ");
	close(fd);
}

static void
a_waiter_hears_why_the_leader_failed(void **state)
{
	struct fixture *f = *state;
	struct hold_request rq = request("u1", "o1", "600-720", "f1");
	int fd;

	fd = dial(f);
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_OK, "the leader");
	tell_hold(fd, "w1", "u1", "o1", "600-720", "f1", 5000);
	expect_line(fd, "w1 wait");
	assert_true(queue_fail(f->q, f->a.hold.id, false, "{\"code\":\"provider-error\"}", soon(),
	    &f->err));
	expect_line(fd,
	    "w1 payment-in-progress retry_ms=1000 failure={\"code\":\"provider-error\"}");
	close(fd);
}

static void
a_waiter_is_answered_at_its_deadline(void **state)
{
	struct fixture *f = *state;
	struct hold_request rq = request("u1", "o1", "600-720", "f1");
	struct queue *other;
	int64_t began;

	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_OK, "the leader");
	other = queue_open_unix(f->socket);
	began = clock_boot_ms();
	expect(f, queue_hold(other, &rq, began + 300, &f->a, &f->err), HA_IN_PROGRESS,
	    "the waiter");
	assert_in_range(clock_boot_ms() - began, 295, 600);
	assert_true(f->a.retry_ms > 0);
	queue_free(&other);
}

static void
a_waiter_is_answered_at_once_when_its_leader_disconnects(void **state)
{
	struct fixture *f = *state;
	int leader, waiter;

	leader = dial(f);
	waiter = dial(f);
	tell_hold(leader, "1", "u1", "o1", "600-720", "f1", 5000);
	expect_line(leader, "1 ok ");
	tell_hold(waiter, "w", "u1", "o1", "600-720", "f1", 5000);
	expect_line(waiter, "w wait");
	close(leader);
	expect_line(waiter, "w payment-in-progress retry_ms=");
	/* there is no call to wait for */
	tell_hold(waiter, "x", "u1", "o1", "600-720", "f1", 5000);
	expect_line(waiter, "x payment-in-progress retry_ms=");
	/* ready may come over another connection */
	tell(waiter, "r ready id=1 tid=T1 answer={}\n");
	expect_line(waiter, "r ok ");
	close(waiter);
}

static void
tell_approve(int fd, const char *tag, uint64_t id)
{
	char line[200];

	snprintf(line, sizeof(line), "%s approve id=%llu n=1 key=00ff deadline=%lld\n", tag,
	    (unsigned long long)id, (long long)soon());
	tell(fd, line);
}

static void
tell_approve_first(int fd, int64_t until_boot_ms)
{
	char line[200];

	snprintf(line, sizeof(line),
	    "a approve-first user=u1 room=" ROOM " cids=" CID
	    " key=00ff deadline=%lld until=%lld\n",
	    (long long)soon(), (long long)until_boot_ms);
	tell(fd, line);
}

static void
a_waiting_approve_is_told_to_start_again_when_the_first_ends(void **state)
{
	struct fixture *f = *state;
	uint64_t id, token;
	int fd;

	fd = dial(f);
	id = open_hold(f, "u1", "o1", "600-720", "T1");
	token = approve(f, id, 1);
	tell_approve(fd, "a", id);
	expect_line(fd, "a wait");
	expect(f, queue_outcome(f->q, id, token, HO_APPROVED, 2, soon(), &f->a, &f->err), HA_OK,
	    "approved");
	expect_line(fd, "a replay");
	close(fd);
}

static void
a_first_approve_is_a_call_that_others_wait_for(void **state)
{
	struct fixture *f = *state;
	uint64_t id = open_hold(f, "u1", "o1", "600-720", "T1");
	int first = dial(f), fd = dial(f);

	tell_approve_first(first, soon());
	expect_line(first, "a ok id=1 state=approving before=ready ");
	assert_int_equal(count_of(f, "calls"), 1);
	tell_approve_first(fd, soon()); /* does not wait */
	expect_line(fd, "a not-first");
	tell_approve(fd, "b", id);
	expect_line(fd, "b wait");
	close(first);
	expect_line(fd, "b payment-in-progress retry_ms=");
	assert_int_equal(count_of(f, "calls"), 0);
	close(fd);
}

static void
a_first_approve_that_nobody_waits_for_is_not_granted(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	open_hold(f, "u1", "o1", "600-720", "T1");
	tell_approve_first(fd, clock_boot_ms());
	expect_line(fd, "a payment-in-progress");
	expect(f, queue_find_tid(f->q, "T1", soon(), &f->a, &f->err), HA_OK, "as it was");
	assert_int_equal(f->a.hold.state, HOLD_READY);
	close(fd);
}

static void
a_call_counts_until_it_ends_or_its_connection_closes(void **state)
{
	struct fixture *f = *state;
	char user[32], order[32], set[32];
	int fd[5];

	for (int i = 0; i < 5; i++) { /* four may be under way */
		fd[i] = dial(f);
		snprintf(user, sizeof(user), "u%d", i);
		snprintf(order, sizeof(order), "o%d", i);
		snprintf(set, sizeof(set), "%d-%d", 100 * i, 100 * i + 50);
		tell_hold(fd[i], "1", user, order, set, order, 5000);
		expect_line(fd[i], i < 4 ? "1 ok " : "1 provider-busy retry_ms=");
	}
	assert_int_equal(count_of(f, "calls"), 4);
	close(fd[0]);
	tell_hold(fd[4], "2", "u4", "o4", "400-450", "o4", 5000);
	expect_line(fd[4], "2 ok ");
	tell(fd[1], "r ready id=2 tid=T1 answer={}\n");
	expect_line(fd[1], "r ok ");
	tell(fd[2], "f fail id=3 paid=0\n");
	expect_line(fd[2], "f ok ");
	assert_int_equal(count_of(f, "calls"), 2);
	for (int i = 1; i < 5; i++)
		close(fd[i]);
	while (count_of(f, "connections") > 1)
		usleep(10000);
	assert_int_equal(count_of(f, "calls"), 0);
}

static void
surplus_waiters_are_answered_at_once(void **state)
{
	struct fixture *f = *state;
	struct hold_request rq = request("u1", "o1", "600-720", "f1");
	int fd;

	fd = dial(f);
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_OK, "the leader");
	for (int i = 0; i < 5; i++) /* one call and three waiters are four */
		tell_hold(fd, "w", "u1", "o1", "600-720", "f1", 3000);
	for (int i = 0; i < 5; i++)
		expect_line(fd, i < 3 ? "w wait" : "w payment-in-progress");
	assert_int_equal(count_of(f, "waiters"), 3);
	close(fd);
	while (count_of(f, "connections") > 1)
		usleep(10000);
	assert_int_equal(count_of(f, "waiters"), 0);
}

static void
a_request_past_its_deadline_changes_nothing(void **state)
{
	struct fixture *f = *state;
	int fd;

	fd = dial(f);
	tell_hold(fd, "1", "u1", "o1", "600-720", "f1", -1);
	expect_line(fd, "1 payment-in-progress");
	tell_hold(fd, "2", "u1", "o1", "600-720", "f1", 3600000);
	expect_line(fd, "2 error message=deadline");
	assert_int_equal(count_of(f, "held"), 0);
	close(fd);
}

static void
a_hold_expires_by_itself(void **state)
{
	struct fixture *f = *state;
	struct hold_request rq = request("u1", "o1", "600-720", "f1");

	rq.ttl_ms = 300;
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_OK, "hold");
	expect(f, queue_ready(f->q, f->a.hold.id, "T1", "{}", soon(), &f->a, &f->err), HA_OK,
	    "ready");
	usleep(500000);
	expect(f, queue_find_tid(f->q, "T1", soon(), &f->a, &f->err), HA_OK, "find");
	assert_int_equal(f->a.hold.state, HOLD_EXPIRED);
	assert_int_equal(count_of(f, "expired"), 1);
}

static void
a_poke_wakes_a_watch(void **state)
{
	struct fixture *f = *state;
	char line[100];
	int fd;

	fd = dial(f);
	snprintf(line, sizeof(line), "w watch seen=0 deadline=%lld\n", (long long)soon());
	tell(fd, line);
	expect_line(fd, "w wait");
	assert_true(queue_poke(f->q, soon(), &f->err));
	expect_line(fd, "w ok pokes=1");
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_DAEMON(a_waiter_gets_the_leaders_answer),
		ON_DAEMON(a_waiter_hears_why_the_leader_failed),
		ON_DAEMON(a_waiter_is_answered_at_its_deadline),
		ON_DAEMON(a_waiter_is_answered_at_once_when_its_leader_disconnects),
		ON_DAEMON(a_waiting_approve_is_told_to_start_again_when_the_first_ends),
		ON_DAEMON(a_first_approve_is_a_call_that_others_wait_for),
		ON_DAEMON(a_first_approve_that_nobody_waits_for_is_not_granted),
		ON_DAEMON(a_call_counts_until_it_ends_or_its_connection_closes),
		ON_DAEMON(surplus_waiters_are_answered_at_once),
		ON_DAEMON(a_request_past_its_deadline_changes_nothing),
		ON_DAEMON(a_hold_expires_by_itself),
		ON_DAEMON(a_poke_wakes_a_watch),
	};
	const struct CMUnitTest on_mongodb[] = {
		ON_MONGODB(a_waiter_gets_the_leaders_answer),
		ON_MONGODB(a_waiter_hears_why_the_leader_failed),
		ON_MONGODB(a_waiter_is_answered_at_its_deadline),
		ON_MONGODB(a_waiter_is_answered_at_once_when_its_leader_disconnects),
		ON_MONGODB(a_waiting_approve_is_told_to_start_again_when_the_first_ends),
		ON_MONGODB(a_first_approve_is_a_call_that_others_wait_for),
		ON_MONGODB(a_first_approve_that_nobody_waits_for_is_not_granted),
		ON_MONGODB(a_call_counts_until_it_ends_or_its_connection_closes),
		ON_MONGODB(surplus_waiters_are_answered_at_once),
		ON_MONGODB(a_request_past_its_deadline_changes_nothing),
		ON_MONGODB(a_hold_expires_by_itself),
		ON_MONGODB(a_poke_wakes_a_watch),
	};

	if (getenv("ROOMPAY_QUEUED") == NULL) {
		puts("1..0 # SKIP ROOMPAY_QUEUED names no daemon");
		return 0;
	}
	if (getenv("ROOMPAY_TEST_LOG_URI") != NULL)
		return cmocka_run_group_tests(on_mongodb, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
