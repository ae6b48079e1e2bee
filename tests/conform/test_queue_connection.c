/* Clients and daemons that misbehave: garbage, answers that nobody reads, a daemon that hangs. */
#include "config.h"

#include "queue_world.h"

#include <inttypes.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "queue/wire/proto.h"

static void
a_bad_client_loses_only_its_own_connection(void **state)
{
	static const char *const wrong[] = { "1 nonsense\n", "1 hold\n", "1 find-tid tid=%00\n",
		"1 find-tid tid=1 tid=1\n", "1 hello id=x\n", "1 \n" };
	struct fixture *f = *state;
	static char longer[PROTO_LINE_MAX + 10];
	int fd;

	fd = dial(f);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		tell(fd, wrong[i]);
		expect_line(fd, "1 error message=");
	}
	tell(fd, "2 hello\n3 hello\n"); /* several at once, in pieces */
	tell(fd, "4 hel");
	expect_line(fd, "2 ok ");
	expect_line(fd, "3 ok ");
	tell(fd, "lo\n");
	expect_line(fd, "4 ok ");
	tell(fd, "\x16\x03\x01 binary\n");
	assert_string_equal(hear(fd), "");
	close(fd);
	fd = dial(f);
	memset(longer, 'x', PROTO_LINE_MAX + 9);
	longer[PROTO_LINE_MAX + 9] = '\0';
	send(fd, longer, PROTO_LINE_MAX + 9, MSG_NOSIGNAL);
	assert_string_equal(hear(fd), "");
	close(fd);
	open_hold(f, "u1", "o1", "600-720", "T1");
}

static void
a_client_that_reads_nothing_waits_and_gets_every_answer_later(void **state)
{
	enum { MANY = 3000 };
	struct fixture *f = *state;
	struct hold_request rq = request("u1", "o1", "600-720", "f1");
	static char attempt[ATTEMPT_MAX];
	size_t sent = 0;
	int fd;

	memset(attempt, 'x', ATTEMPT_MAX - 1);
	attempt[ATTEMPT_MAX - 1] = '\0';
	rq.attempt = attempt;
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_OK, "hold");
	expect(f, queue_ready(f->q, f->a.hold.id, "T1", "{}", soon(), &f->a, &f->err), HA_OK,
	    "ready");
	fd = dial(f);
	while (
	    sent < MANY && send(fd, "1 find-tid tid=T1\n", 18, MSG_NOSIGNAL | MSG_DONTWAIT) == 18)
		sent++;
	usleep(100000);
	assert_in_range(count_of(f, "connections"), 2, 2); /* others are served meanwhile */
	for (size_t i = 0; i < sent; i++)
		expect_line(fd, "1 ok id=1 ");
	assert_in_range(sent, 100, MANY);
	close(fd);
}

static void
a_thousand_idle_connections_do_not_disturb(void **state)
{
	enum { MANY = 1000 };
	struct fixture *f = *state;
	int fd[MANY];

	for (int i = 0; i < MANY; i++)
		fd[i] = dial(f);
	tell(fd[MANY - 1], "1 hello\n");
	expect_line(fd[MANY - 1], "1 ok ");
	open_hold(f, "u1", "o1", "600-720", "T1");
	assert_in_range(count_of(f, "connections"), MANY + 1, MANY + 1);
	for (int i = 0; i < MANY; i++)
		close(fd[i]);
}

static void
a_daemon_that_hangs_is_given_up_within_two_seconds(void **state)
{
	struct fixture *f = *state;
	int64_t began;
	uint64_t id;

	id = open_hold(f, "u1", "o1", "600-720", "T1");
	kill(f->daemon, SIGSTOP);
	began = clock_boot_ms();
	assert_false(queue_approve(f->q, id, 1, "00ff", began + 10000, &f->a, &f->err));
	assert_int_equal(f->err.code, ERR_UNAVAILABLE);
	assert_in_range(clock_boot_ms() - began, 1900, 2500);
	began = clock_boot_ms();
	assert_false(queue_find_tid(f->q, "T1", began + 300, &f->a, &f->err));
	assert_in_range(clock_boot_ms() - began, 250, 600); /* its own deadline is nearer */
	kill(f->daemon, SIGCONT);
	expect(f, queue_find_tid(f->q, "T1", soon(), &f->a, &f->err), HA_OK, "it works again");
}

static void
tell_approved(int fd, uint64_t id, uint64_t token)
{
	char line[120];

	snprintf(line, sizeof(line),
	    "1 outcome id=%" PRIu64 " token=%" PRIu64 " outcome=approved n=2\n", id, token);
	tell(fd, line);
}

/* On a shared log another client may see it a moment later. */
static void
expect_approved(struct fixture *f, const char *tid)
{
	int64_t end = clock_boot_ms() + 3000;

	do {
		usleep(1000);
		expect(f, queue_find_tid(f->q, tid, soon(), &f->a, &f->err), HA_OK, "find");
	} while (f->a.hold.state != HOLD_APPROVED && clock_boot_ms() < end);
	assert_int_equal(f->a.hold.state, HOLD_APPROVED);
}

/* As roompayctl does: it tells, and ends. A connection that is closed with an answer in it that
 * nobody read is in error for the daemon; what was asked before counts all the same. */
static void
what_a_client_told_before_it_ended_is_done(void **state)
{
	struct fixture *f = *state;
	uint64_t id = open_hold(f, "u1", "o1", "600-720", "T1"), token = approve(f, id, 1);
	int fd = dial(f);

	tell(fd, "1 find-tid tid=T1\n");
	assert_true(is_readable(fd, 3000)); /* the answer that nobody reads */
	kill(f->daemon, SIGSTOP);
	tell_approved(fd, id, token);
	close(fd);
	kill(f->daemon, SIGCONT);
	expect_approved(f, "T1");
}

/* An hour of its own for each number; tid is that of the hold. */
static void
grant(struct fixture *f, int number, char tid[16], uint64_t *id, uint64_t *token)
{
	char user[16], order[16], set[16];

	snprintf(user, sizeof(user), "u%d", number);
	snprintf(order, sizeof(order), "o%d", number);
	snprintf(set, sizeof(set), "%d-%d", number * 60, (number + 1) * 60);
	snprintf(tid, 16, "T%d", number);
	*id = open_hold(f, user, order, set, tid);
	*token = approve(f, *id, 1);
}

/* The second thing is told while the first one is written to the disk, and its answer comes to
 * nobody: at many moments, as only some of them are in between. */
static void
what_a_client_told_while_it_was_answered_is_done(void **state)
{
	enum { TIMES = 30, STEP_US = 20 };
	struct fixture *f = *state;

	for (int i = 0; i < TIMES; i++) {
		uint64_t id[2], token[2];
		char tid[2][16];
		int fd;

		for (int k = 0; k < 2; k++)
			grant(f, 2 * i + k, tid[k], &id[k], &token[k]);
		fd = dial(f);
		tell_approved(fd, id[0], token[0]);
		usleep(i * STEP_US);
		tell_approved(fd, id[1], token[1]);
		close(fd);
		expect_approved(f, tid[1]);
	}
}

/* Instead of the daemon, something that answers hello correctly and the next request as it is
 * told. */
static void
an_invalid_answer_is_answered_unavailable(void **state)
{
	static const char *const wrong[] = { "zzzz ok\n", "%s nonsense\n",
		"%s ok id=1 state=strange before=held\n", "%s ok\n%s ok\n", "\x01\n",
		"%s slot-held conflicts=9-3\n", "%s wait\n" };
	char path[] = "/tmp/test-queue-XXXXXX", name[40], tag[PROTO_TAG_CAP + 30], answer[200];
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_non_null(mkdtemp(path));
	snprintf(name, sizeof(name), "%s/s", path);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", name);
	assert_int_equal(bind(fd, (const struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fd, 5), 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct queue_answer a;
		struct error err;
		int status;
		pid_t pid = fork();

		if (pid == 0) { /* the client */
			struct queue *q = queue_open_unix(name);
			bool done = queue_find_tid(q, "T1", clock_boot_ms() + 2000, &a, &err);

			_exit(done ? 100 : err.code);
		}
		int c = accept(fd, NULL, NULL);

		assert_string_equal(hear(c), "hello hello");
		tell(c, "hello ok queue=00000000000000000000000000000001 version=1\n");
		snprintf(tag, sizeof(tag), "%s", hear(c));
		tag[strcspn(tag, " ")] = '\0';
		if (strncmp(wrong[i], "%s ok\n%s", 8) == 0)
			snprintf(answer, sizeof(answer), "%s ok\n%s ok\n", tag, tag);
		else if (strncmp(wrong[i], "%s", 2) == 0)
			snprintf(answer, sizeof(answer), "%s%s", tag, wrong[i] + 2);
		else
			snprintf(answer, sizeof(answer), "%s", wrong[i]);
		tell(c, answer);
		waitpid(pid, &status, 0);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != ERR_UNAVAILABLE)
			fail_msg("answer %zu: exit %d", i, WEXITSTATUS(status));
		close(c);
	}
	close(fd);
	unlink(name);
	rmdir(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_DAEMON(a_bad_client_loses_only_its_own_connection),
		ON_DAEMON(a_client_that_reads_nothing_waits_and_gets_every_answer_later),
		ON_DAEMON(a_thousand_idle_connections_do_not_disturb),
		ON_DAEMON(a_daemon_that_hangs_is_given_up_within_two_seconds),
		ON_DAEMON(what_a_client_told_before_it_ended_is_done),
		ON_DAEMON(what_a_client_told_while_it_was_answered_is_done),
		cmocka_unit_test(an_invalid_answer_is_answered_unavailable),
	};
	const struct CMUnitTest on_mongodb[] = {
		ON_MONGODB(a_bad_client_loses_only_its_own_connection),
		ON_MONGODB(a_client_that_reads_nothing_waits_and_gets_every_answer_later),
		ON_MONGODB(a_thousand_idle_connections_do_not_disturb),
		ON_MONGODB(a_daemon_that_hangs_is_given_up_within_two_seconds),
		ON_MONGODB(what_a_client_told_before_it_ended_is_done),
	};

	if (getenv("ROOMPAY_QUEUED") == NULL) {
		puts("1..0 # SKIP ROOMPAY_QUEUED names no daemon");
		return 0;
	}
	if (getenv("ROOMPAY_TEST_LOG_URI") != NULL)
		return cmocka_run_group_tests(on_mongodb, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
