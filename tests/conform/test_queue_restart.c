/* What a daemon keeps over restarts, and what it refuses: a second daemon, other users, a full
 * disk. */
#include "config.h"

#include "queue_world.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void
a_new_queue_is_closed_and_accepts_holds_from_the_ledger(void **state)
{
	struct fixture *f = *state;
	struct hold_request rq = request("u2", "o2", "630-660", "f2");
	struct hold_handover h = {
		.cid = CID,
		.order = "o 1",
		.user = "u1",
		.room = ROOM,
		.tid = "T1",
		.attempt = "{}",
		.key = "ab",
		.state = HOLD_UNKNOWN,
		.token = 7,
		.n = 3,
		.last_n = 4,
		.window_ms = 60000,
	};
	struct queue_greeting hello;

	end_daemon(f, SIGTERM);
	lose_log(f);
	start_daemon(f);
	assert_true(interval_set_parse("600-720", &h.set, &f->err));
	assert_true(queue_hello(f->q, &hello, soon(), &f->err));
	assert_string_equal(hello.fence, "new");
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_NOT_READY, "closed");
	expect(f, queue_take_over(f->q, &h, soon(), &f->a, &f->err), HA_OK, "handed over");
	expect(f,
	    queue_remember(f->q, &(struct order_entry){ .cid = CID, .order = "o9", .last_n = 5 },
		true, soon(), &f->a, &f->err),
	    HA_OK, "remembered");
	expect(f, queue_admit(f->q, true, 50, soon(), &f->a, &f->err), HA_IN_PROGRESS,
	    "the old queue's calls may go on");
	end_daemon(f, SIGKILL);
	start_daemon(f);
	assert_true(queue_hello(f->q, &hello, soon(), &f->err));
	assert_string_equal(hello.fence, "new"); /* it is in the journal */
	assert_string_equal(hello.order, "o9");
	assert_int_equal(hello.last_n, 5);
	expect(f, queue_admit(f->q, false, 50, soon(), &f->a, &f->err), HA_OK, "admitted");
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_SLOT_HELD, "its time is held");
	expect(f, queue_overdue(f->q, 0, soon(), &f->a, &f->err), HA_OK, "it waits for an outcome");
	assert_string_equal(f->a.hold.tid, "T1");
	assert_string_equal(f->a.hold.order, "o 1");
	assert_int_equal(f->a.hold.n, 3);
	expect(f, queue_overdue(f->q, f->a.hold.id, soon(), &f->a, &f->err), HA_NO_HOLD,
	    "nothing else does");
}

static void
every_hold_is_there_after_kill_9(void **state)
{
	static const char *const cids[] = { CID };
	struct fixture *f = *state;
	struct hold_request rq = request("u3", "o3", "600-720", "f3");
	uint64_t ready, approving, approved, token;
	struct queue_greeting hello, again;
	int64_t expires;

	assert_true(queue_hello(f->q, &hello, soon(), &f->err));
	ready = open_hold(f, "u1", "o1", "600-720", "T1");
	expires = f->a.hold.expires_boot_ms;
	approving = open_hold(f, "u2", "o2", "800-900", "T2");
	expect(f, queue_approve_first(f->q, "u2", ROOM, cids, 1, "00ff", soon(), &f->a, &f->err),
	    HA_OK, "a first approve");
	assert_int_equal(f->a.hold.id, approving);
	token = f->a.hold.token;
	approved = open_hold(f, "u4", "o4", "1000-1100", "T4");
	approve(f, approved, 1);
	expect(f,
	    queue_outcome(f->q, approved, f->a.hold.token, HO_APPROVED, 2, soon(), &f->a, &f->err),
	    HA_OK, "approved");
	end_daemon(f, SIGKILL);
	assert_false(queue_find_tid(f->q, "T1", soon(), &f->a, &f->err));
	assert_int_equal(f->err.code, ERR_UNAVAILABLE);
	start_daemon(f);
	expect(f, queue_find_tid(f->q, "T1", soon(), &f->a, &f->err), HA_OK, "ready");
	assert_int_equal(f->a.hold.id, ready);
	/* two clocks are compared anew, in whole milliseconds */
	assert_in_range(f->a.hold.expires_boot_ms, expires - 1, expires + 1);
	assert_string_equal(f->a.hold.answer, "{\"tid\":1}");
	assert_string_equal(f->a.hold.attempt, "{\"item_name\":\"\xea\xb0\x80 = 100%\"}");
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_SLOT_HELD, "its time is held");
	expect(f, queue_approve_first(f->q, "u2", ROOM, cids, 1, "00ff", soon(), &f->a, &f->err),
	    HA_NOT_FIRST, "it was granted");
	expect(f, queue_outcome(f->q, approving, token, HO_UNKNOWN, 2, soon(), &f->a, &f->err),
	    HA_OK, "the token is good");
	expect(f, queue_find(f->q, FIND_APPROVED_OLDEST, "u4", ROOM, soon(), &f->a, &f->err), HA_OK,
	    "approved");
	assert_true(queue_hello(f->q, &again, soon(), &f->err));
	assert_string_equal(again.id, hello.id);
	assert_true(approve(f, ready, 1) > token); /* tokens only grow */
}

static void
the_socket_is_removed_at_an_orderly_end(void **state)
{
	struct fixture *f = *state;
	int status;

	status = end_daemon(f, SIGTERM);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_not_equal(access(f->socket, F_OK), 0);
}

static void
a_second_daemon_does_not_start_on_the_same_journal_or_socket(void **state)
{
	struct fixture *f = *state;
	int code;

	open_hold(f, "u1", "o1", "600-720", "T1");
	assert_int_equal(exit_code(spawn(f, "log2")), 2);
	snprintf(f->conf, sizeof(f->conf), "%s/other.conf", f->dir);
	snprintf(f->dir + strlen(f->dir), 3, "/q"); /* another journal, the same socket */
	assert_int_equal(mkdir(f->dir, 0700), 0);
	write_conf(f, "");
	code = exit_code(spawn(f, "log"));
	remove_tree(f->dir);
	f->dir[strlen(f->dir) - 2] = '\0';
	assert_int_equal(code, 2);
	expect(f, queue_find_tid(f->q, "T1", soon(), &f->a, &f->err), HA_OK,
	    "the first one is not disturbed");
}

static void
the_socket_is_open_to_owner_and_group_only(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(stat(f->socket, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
}

static void
a_user_who_is_not_allowed_is_not_served(void **state)
{
	struct fixture *f = *state;
	int fd;

	end_daemon(f, SIGTERM);
	write_conf(f, "allow_uids = 4294967294");
	start_daemon(f);
	fd = dial(f);
	assert_string_equal(hear(fd), "");
	close(fd);
	assert_false(queue_find_tid(f->q, "T1", soon(), &f->a, &f->err));
	assert_int_equal(f->err.code, ERR_UNAVAILABLE);
}

static void
a_full_disk_refuses_new_holds_and_lets_payments_end(void **state)
{
	struct fixture *f = *state;
	struct hold_request rq = request("u1", "o1", "600-720", "f1");
	static char attempt[ATTEMPT_MAX];
	struct queue_greeting hello;
	uint64_t ready, last = 0;
	int granted = 0;

	memset(attempt, 'x', ATTEMPT_MAX - 1);
	attempt[ATTEMPT_MAX - 1] = '\0';
	ready = open_hold(f, "payer", "paid", "0-10", "T1");
	limit_files(f, 4 * 1024 * 1024 - 1); /* no further segment fits */
	rq.attempt = attempt;
	while (granted < 2000 && queue_hold(f->q, &rq, soon(), &f->a, &f->err)) {
		granted++;
		last = f->a.hold.id;
		assert_int_equal(f->a.code, HA_OK);
		assert_true(queue_fail(f->q, last, false, "", soon(), &f->err));
	}
	/* the segment in use; the spare is for their ends */
	assert_in_range(granted, 400, 600);
	assert_int_equal(f->err.code, ERR_UNAVAILABLE);
	assert_true(queue_hello(f->q, &hello, soon(), &f->err));
	assert_string_equal(hello.fence, "no-room");
	expect(f, queue_find_tid(f->q, "T1", soon(), &f->a, &f->err), HA_OK, "looking goes on");
	approve(f, ready, 1);
	expect(f,
	    queue_outcome(f->q, ready, f->a.hold.token, HO_APPROVED, 2, soon(), &f->a, &f->err),
	    HA_OK, "so does paying");
	expect(f, queue_remove(f->q, ready, true, 3, soon(), &f->a, &f->err), HA_OK,
	    "and removing");
	limit_files(f, RLIM_INFINITY);
	usleep(1100000);
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_OK, "room again");
	assert_true(queue_hello(f->q, &hello, soon(), &f->err));
	assert_string_equal(hello.fence, "");
}

static void
note_snapshot(const char *name, void *found)
{
	if (strncmp(name, "snapshot-", 9) == 0 && strstr(name, ".tmp") == NULL)
		*(bool *)found = true;
}

static void
each_name(const char *dir, void (*fn)(const char *name, void *ctx), void *ctx)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		fn(e->d_name, ctx);
	closedir(d);
}

static void
a_snapshot_replaces_a_long_journal_while_the_daemon_serves(void **state)
{
	struct fixture *f = *state;
	struct hold_request rq = request("u1", "o1", "600-720", "f1");
	static char attempt[ATTEMPT_MAX];
	char dir[100];
	bool found = false;
	uint64_t token;

	memset(attempt, 'x', ATTEMPT_MAX - 1);
	open_hold(f, "payer", "paid", "0-10", "T1");
	token = approve(f, f->a.hold.id, 1);
	rq.attempt = attempt;
	snprintf(dir, sizeof(dir), "%s/queue", f->dir);
	for (int i = 0; i < 4000 && !found; i++) { /* 8 KiB each: more than four segments */
		expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_OK, "hold");
		assert_true(queue_fail(f->q, f->a.hold.id, false, "", soon(), &f->err));
		if (i > 1500 && i % 100 == 0)
			each_name(dir, note_snapshot, &found);
	}
	assert_true(found);
	open_hold(f, "later", "later", "20-30", "T2");
	end_daemon(f, SIGKILL);
	start_daemon(f);
	expect(f, queue_find_tid(f->q, "T1", soon(), &f->a, &f->err), HA_OK,
	    "what was before the snapshot");
	assert_int_equal(f->a.hold.state, HOLD_APPROVING);
	assert_int_equal(f->a.hold.token, token);
	expect(f, queue_find_tid(f->q, "T2", soon(), &f->a, &f->err), HA_OK, "what came after it");
}

static void
a_journal_that_cannot_be_written_ends_the_daemon_without_an_answer(void **state)
{
	struct fixture *f = *state;
	struct hold_request rq = request("u2", "o2", "800-900", "f2");
	open_hold(f, "u1", "o1", "600-720", "T1");
	limit_files(f, 512);
	assert_false(queue_hold(f->q, &rq, soon(), &f->a, &f->err));
	assert_int_equal(f->err.code, ERR_UNAVAILABLE);
	assert_int_equal(exit_code(f->daemon), 4);
	f->daemon = 0;
	start_daemon(f);
	expect(f, queue_find_tid(f->q, "T1", soon(), &f->a, &f->err), HA_OK, "what was promised");
	expect(f, queue_find_order(f->q, CID, "o2", soon(), &f->a, &f->err), HA_NO_HOLD,
	    "what was not");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_DAEMON(a_new_queue_is_closed_and_accepts_holds_from_the_ledger),
		ON_DAEMON(every_hold_is_there_after_kill_9),
		ON_DAEMON(the_socket_is_removed_at_an_orderly_end),
		ON_DAEMON(a_second_daemon_does_not_start_on_the_same_journal_or_socket),
		ON_DAEMON(the_socket_is_open_to_owner_and_group_only),
		ON_DAEMON(a_user_who_is_not_allowed_is_not_served),
		ON_DAEMON(a_full_disk_refuses_new_holds_and_lets_payments_end),
		ON_DAEMON(a_snapshot_replaces_a_long_journal_while_the_daemon_serves),
		ON_DAEMON(a_journal_that_cannot_be_written_ends_the_daemon_without_an_answer),
	};
	/* the others are about the journal on the disk */
	const struct CMUnitTest on_mongodb[] = {
		ON_MONGODB(a_new_queue_is_closed_and_accepts_holds_from_the_ledger),
		ON_MONGODB(every_hold_is_there_after_kill_9),
		ON_MONGODB(the_socket_is_removed_at_an_orderly_end),
		ON_MONGODB(a_second_daemon_does_not_start_on_the_same_journal_or_socket),
		ON_MONGODB(the_socket_is_open_to_owner_and_group_only),
		ON_MONGODB(a_user_who_is_not_allowed_is_not_served),
	};

	if (getenv("ROOMPAY_QUEUED") == NULL) {
		puts("1..0 # SKIP ROOMPAY_QUEUED names no daemon");
		return 0;
	}
	if (getenv("ROOMPAY_TEST_LOG_URI") != NULL)
		return cmocka_run_group_tests(on_mongodb, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
