/*
 * One set of cases on every queue: the one in memory, and a real daemon with its journal ($ROOMPAY_QUEUED:
 * the program). What only a daemon has (other connections, waiting, restarts, bad clients) follows after
 * them.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "queue/wire/proto.h"
#include "queue/client/queue.h"

#define ROOM "64b000000000000000000001"
#define OTHER_ROOM "64b000000000000000000002"
#define CID "TC0ONETIME"

struct fixture {
	char dir[64], socket[100], conf[100];
	pid_t daemon;			/* 0: none runs */
	struct queue *q;
	struct queue_answer a;		/* the last one */
	struct error err;
};

static int64_t
soon(void)
{
	return clock_boot_ms() + 5000;
}

/* ---- a daemon of our own */

static bool
answers(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool yes;

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	yes = connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0;
	close(fd);
	return yes;
}

static pid_t
spawn(struct fixture *f, const char *log_name)
{
	char log[200];
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	snprintf(log, sizeof(log), "%s/%s", f->dir, log_name);
	dup2(open(log, O_WRONLY | O_CREAT | O_APPEND, 0600), STDERR_FILENO);
	execl(getenv("ROOMPAY_QUEUED"), "roompay-queued", "-c", f->conf, (char *)NULL);
	_exit(127);
}

static void
start_daemon(struct fixture *f)
{
	f->daemon = spawn(f, "log");
	assert_true(f->daemon > 0);
	for (int i = 0; i < 1000 && !answers(f->socket); i++) {
		if (waitpid(f->daemon, NULL, WNOHANG) == f->daemon) {
			f->daemon = 0;
			fail_msg("the daemon has ended: see %s/log", f->dir);
		}
		usleep(10000);
	}
}

static int
end_daemon(struct fixture *f, int signum)
{
	int status = -1;

	kill(f->daemon, signum);
	waitpid(f->daemon, &status, 0);
	f->daemon = 0;
	return status;
}

/* How a daemon that cannot start ends, within 5 s. */
static int
exit_code(pid_t pid)
{
	int status;

	for (int i = 0; i < 500; i++, usleep(10000))
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -1;
}

static void
write_conf(struct fixture *f, const char *queue_keys)
{
	FILE *out = fopen(f->conf, "we");

	assert_non_null(out);
	fprintf(out, "[site]\nreplay_key_file = /nonexistent\nredirect_hosts = study.test\n[queue]\nsocket = %s\ndir = %s/queue\n%s\n"
	    "[store]\nuri = mongodb://127.0.0.1:1/\n"
	    "[caller g]\nroles = gateway\ncids = " CID "\ntoken_sha256 = %064d\n"
	    "[merchant " CID "]\nmode = secret_key\nkey_file = /nonexistent\n",
	    f->socket, f->dir, queue_keys, 1);
	fclose(out);
}

static int
setup_memory(void **state)
{
	static const struct hold_limits limits = { .max_per_user = 3, .guard_ms = 60000,
	    .window_ms = 900000, .max_tries_per_min = 5,
		.removed_answer_ms = 600000, .gone_memory_ms = 86400000, .order_memory_ms = 3024000000 };
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	f->q = queue_open_memory(&limits, clock_now);
	return f->q == NULL ? -1 : 0;
}

static int
setup_daemon(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	snprintf(f->dir, sizeof(f->dir), "/tmp/test-queue-XXXXXX");
	if (mkdtemp(f->dir) == NULL)
		return -1;
	snprintf(f->socket, sizeof(f->socket), "%s/queue.sock", f->dir);
	snprintf(f->conf, sizeof(f->conf), "%s/roompay.conf", f->dir);
	write_conf(f, "max_calls_ready = 4\nmax_calls = 6");
	start_daemon(f);
	f->q = queue_open_unix(f->socket);
	/* a new queue is closed; one of a new site is admitted by whoever greets it first */
	return f->q == NULL || !queue_admit(f->q, false, 0, soon(), &f->a, &f->err) || f->a.code != HA_OK ? -1 : 0;
}

static void
remove_tree(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[512];

	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%.200s/%.200s", dir, e->d_name);
		if (e->d_name[0] != '.' && unlink(path) != 0)
			remove_tree(path);
	}
	if (d != NULL)
		closedir(d);
	rmdir(dir);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	queue_free(&f->q);
	if (f->daemon > 0)
		end_daemon(f, SIGKILL);
	if (f->dir[0] != '\0')
		remove_tree(f->dir);
	free(f);
	return 0;
}

/* ---- asking */

static struct hold_request
request(const char *user, const char *order, const char *set, const char *fingerprint)
{
	struct hold_request rq = { .cid = CID, .order = order, .user = user, .room = ROOM,
	    .fingerprint = fingerprint,
		.attempt = "{\"item_name\":\"\xea\xb0\x80 = 100%\"}", .ttl_ms = 600000, .call_ms = 12000 };
	struct error err;

	if (!interval_set_parse(set, &rq.set, &err))
		fail_msg("%s", err.msg);
	return rq;
}

static void
expect(struct fixture *f, bool done, enum hold_answer_code code, const char *what)
{
	if (!done)
		fail_msg("%s: %s", what, f->err.msg);
	if (f->a.code != code)
		fail_msg("%s: %s, not %s", what, hold_answer_name(f->a.code), hold_answer_name(code));
}

/* Holds and opens: the answer's id. */
static uint64_t
open_hold(struct fixture *f, const char *user, const char *order, const char *set, const char *tid)
{
	struct hold_request rq = request(user, order, set, order);
	uint64_t id;

	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_OK, "hold");
	id = f->a.hold.id;
	expect(f, queue_ready(f->q, id, tid, "{\"tid\":1}", soon(), &f->a, &f->err), HA_OK, "ready");
	return id;
}

static uint64_t
approve(struct fixture *f, uint64_t id, int64_t n)
{
	expect(f, queue_approve(f->q, id, n, "00ff", soon(), &f->a, &f->err), HA_OK, "approve");
	return f->a.hold.token;
}

/* ---- cases for every queue */

static void
a_hold_is_granted_and_shown_whole(struct fixture *f)
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
	assert_in_range(f->a.hold.window_boot_ms, now + 900000, now + 901000);
	expect(f, queue_ready(f->q, f->a.hold.id, "T1", "{\"a\": 1}", soon(), &f->a, &f->err), HA_OK,
	    "ready");
	assert_int_equal(f->a.hold.state, HOLD_READY);
	assert_string_equal(f->a.hold.tid, "T1");
	assert_in_range(f->a.hold.expires_boot_ms, now + 600000, now + 601000);
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
overlapping_times_are_refused_with_the_overlap_only(struct fixture *f)
{
	struct hold_request rq = request("u2", "o2", "660-780,3420-3480", "f2");

	open_hold(f, "u1", "o1", "600-720", "T1");
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_SLOT_HELD, "overlap");
	assert_int_equal(f->a.conflicts.n, 1);
	assert_int_equal(f->a.conflicts.iv[0].start, 660);
	assert_int_equal(f->a.conflicts.iv[0].end, 720);
	assert_true(f->a.retry_ms > 0);
	assert_int_equal(f->a.hold.id, 0);	/* never who */
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
nothing_that_stood_there_before_is_left_in_an_answer(struct fixture *f)
{
	memset(&f->a, 0xa5, sizeof(f->a));
	expect(f, queue_find(f->q, FIND_PLACE, "u1", ROOM, soon(), &f->a, &f->err), HA_NO_HOLD, "nobody");
	assert_empty(&f->a);
	memset(&f->a, 0xa5, sizeof(f->a));
	assert_false(queue_find(f->q, FIND_PLACE, "", ROOM, soon(), &f->a, &f->err));	/* no request of the protocol */
	assert_empty(&f->a);
}

static void
a_replacement_swaps_when_it_is_ready_and_leaves_when_it_fails(struct fixture *f)
{
	uint64_t old = open_hold(f, "u1", "o1", "600-720", "T1"), id;
	struct hold_request rq = request("u1", "o1", "660-780", "f2");
	struct buf json = BUF_INIT;

	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_OK, "replace");
	id = f->a.hold.id;
	assert_true(id != old);
	assert_true(queue_list(f->q, ROOM, &json, soon(), &f->err));
	assert_string_equal(buf_str(&json),
	    "[{\"start\":600,\"end\":720,\"state\":\"ready\"},{\"start\":660,\"end\":780,\"state\":\"held\"}]");
	assert_true(queue_fail(f->q, id, false, "{}", soon(), &f->err));
	expect(f, queue_find(f->q, FIND_PLACE, "u1", ROOM, soon(), &f->a, &f->err), HA_OK,
	    "the old one is as it was");
	assert_int_equal(f->a.hold.id, old);
	assert_int_equal(f->a.hold.state, HOLD_READY);
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_OK, "replace again");
	expect(f, queue_ready(f->q, f->a.hold.id, "T2", "{}", soon(), &f->a, &f->err), HA_OK,
	    "the new one is ready");
	expect(f, queue_find_tid(f->q, "T1", soon(), &f->a, &f->err), HA_OK, "the old tid is remembered");
	assert_int_equal(f->a.hold.state, HOLD_FENCED);
	expect(f, queue_approve(f->q, old, 1, "00ff", soon(), &f->a, &f->err), HA_FENCED,
	    "and can never be approved");
	buf_clear(&json);
}

static void
an_approved_hold_is_removed_once_and_says_so_again(struct fixture *f)
{
	uint64_t id = open_hold(f, "u1", "o1", "600-720", "T1"), token = approve(f, id, 1);
	struct hold_request rq = request("u2", "o2", "600-720", "f2");

	assert_true(token > 0);
	assert_int_equal(f->a.hold.before, HOLD_READY);
	expect(f, queue_outcome(f->q, id, token + 1, HO_APPROVED, 2, soon(), &f->a, &f->err),
	    HA_STALE_TOKEN, "another's token");
	expect(f, queue_outcome(f->q, id, token, HO_APPROVED, 2, soon(), &f->a, &f->err), HA_OK, "approved");
	expect(f, queue_outcome(f->q, id, token, HO_APPROVED, 2, soon(), &f->a, &f->err), HA_OK,
	    "said again");
	expect(f, queue_find(f->q, FIND_APPROVED_OLDEST, "u1", ROOM, soon(), &f->a, &f->err), HA_OK, "found");
	assert_int_equal(f->a.hold.last_n, 2);
	expect(f, queue_remove(f->q, id, true, 3, soon(), &f->a, &f->err), HA_OK, "removed");
	assert_string_equal(f->a.hold.attempt, "{\"item_name\":\"\xea\xb0\x80 = 100%\"}");
	expect(f, queue_remove(f->q, id, true, 3, soon(), &f->a, &f->err), HA_REPLAY, "removed again");
	expect(f, queue_find(f->q, FIND_REMOVED_LAST, "u1", ROOM, soon(), &f->a, &f->err), HA_OK,
	    "the last answer");
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_SLOT_SOLD, "its time is guarded");
	rq = request("u1", "o1", "600-720", "f3");
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_ORDER_PAID, "its order is paid");
	expect(f, queue_find_order(f->q, CID, "o1", soon(), &f->a, &f->err), HA_OK, "the order");
	assert_int_equal(f->a.hold.last_n, 3);
}

static void
a_refused_token_gives_the_hold_back_and_a_ledger_that_is_behind_does_not_get_it(struct fixture *f)
{
	uint64_t id = open_hold(f, "u1", "o1", "600-720", "T1"), token = approve(f, id, 3);

	expect(f, queue_outcome(f->q, id, token, HO_REFUSED, 4, soon(), &f->a, &f->err), HA_OK, "refused");
	assert_int_equal(f->a.hold.state, HOLD_READY);
	expect(f, queue_approve(f->q, id, 4, "00ff", soon(), &f->a, &f->err), HA_LEDGER_BEHIND,
	    "a number that was used");
	assert_true(approve(f, id, 5) > token);
	expect(f, queue_outcome(f->q, id, f->a.hold.token, HO_DECLINED, 6, soon(), &f->a, &f->err), HA_OK,
	    "declined");
	expect(f, queue_find(f->q, FIND_PLACE, "u1", ROOM, soon(), &f->a, &f->err), HA_OK, "the gone one");
	assert_int_equal(f->a.hold.state, HOLD_DECLINED);
}

static void
a_gateway_removes_what_is_not_charged(struct fixture *f)
{
	uint64_t id = open_hold(f, "u1", "o1", "600-720", "T1");
	struct buf json = BUF_INIT;

	expect(f, queue_remove(f->q, id, true, 0, soon(), &f->a, &f->err), HA_NO_HOLD,
	    "reservation has no business with it");
	expect(f, queue_remove(f->q, id, false, 0, soon(), &f->a, &f->err), HA_OK, "the gateway has");
	assert_true(queue_list(f->q, ROOM, &json, soon(), &f->err));
	assert_string_equal(buf_str(&json), "[]");
	expect(f, queue_find(f->q, FIND_PLACE, "u2", ROOM, soon(), &f->a, &f->err), HA_NO_HOLD, "nobody");
	expect(f, queue_find_tid(f->q, "T9", soon(), &f->a, &f->err), HA_NO_HOLD, "no tid");
	expect(f, queue_find_order(f->q, CID, "o9", soon(), &f->a, &f->err), HA_NO_HOLD, "no order");
	buf_clear(&json);
}

static void
a_long_list_comes_whole(struct fixture *f)
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
a_poke_is_kept_for_who_watches_later(struct fixture *f)
{
	bool poked = true;

	assert_true(queue_watch(f->q, 20, &poked, &f->err));
	assert_false(poked);
	assert_true(queue_poke(f->q, soon(), &f->err));
	assert_true(queue_poke(f->q, soon(), &f->err));
	assert_true(queue_watch(f->q, 5000, &poked, &f->err));
	assert_true(poked);
	assert_true(queue_watch(f->q, 20, &poked, &f->err));	/* both were one piece of news */
	assert_false(poked);
}

static void
another_queue_than_the_sites_is_not_asked(struct fixture *f)
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
a_text_that_does_not_fit_is_our_own_mistake(struct fixture *f)
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

static void
a_new_queue_is_closed_and_takes_over_what_it_is_told(void **state)
{
	struct fixture *f = *state;
	struct hold_request rq = request("u2", "o2", "630-660", "f2");
	struct hold_handover h = { .cid = CID, .order = "o 1", .user = "u1", .room = ROOM, .tid = "T1", .attempt = "{}", .key = "ab",
		.state = HOLD_UNKNOWN, .token = 7, .n = 3, .last_n = 4, .window_ms = 60000 };
	struct queue_greeting hello;
	char dir[128];

	end_daemon(f, SIGTERM);
	snprintf(dir, sizeof(dir), "%s/queue", f->dir);
	remove_tree(dir);
	start_daemon(f);
	assert_true(interval_set_parse("600-720", &h.set, &f->err));
	assert_true(queue_hello(f->q, &hello, soon(), &f->err));
	assert_string_equal(hello.fence, "new");
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_NOT_READY, "closed");
	expect(f, queue_take_over(f->q, &h, soon(), &f->a, &f->err), HA_OK, "handed over");
	expect(f, queue_remember(f->q, &(struct order_entry){ .cid = CID, .order = "o9", .last_n = 5 }, true, soon(), &f->a, &f->err), HA_OK, "remembered");
	expect(f, queue_admit(f->q, true, 50, soon(), &f->a, &f->err), HA_IN_PROGRESS, "the old queue's calls may go on");
	end_daemon(f, SIGKILL);
	start_daemon(f);
	assert_true(queue_hello(f->q, &hello, soon(), &f->err));
	assert_string_equal(hello.fence, "new");	/* written down */
	assert_string_equal(hello.order, "o9");
	assert_int_equal(hello.last_n, 5);
	expect(f, queue_admit(f->q, false, 50, soon(), &f->a, &f->err), HA_OK, "admitted");
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_SLOT_HELD, "its time is held");
	expect(f, queue_overdue(f->q, 0, soon(), &f->a, &f->err), HA_OK, "it waits for an outcome");
	assert_string_equal(f->a.hold.tid, "T1");
	assert_string_equal(f->a.hold.order, "o 1");
	assert_int_equal(f->a.hold.n, 3);
	expect(f, queue_overdue(f->q, f->a.hold.id, soon(), &f->a, &f->err), HA_NO_HOLD, "nothing else does");
}

/* ---- lines by hand: other clients of the daemon */

static int
dial(struct fixture *f)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", f->socket);
	assert_int_equal(connect(fd, (const struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

static void
say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void
say_hold(int fd, const char *tag, const char *user, const char *order, const char *set,
    const char *fingerprint, int64_t wait_ms)
{
	char line[1000];

	snprintf(line, sizeof(line), "%s hold cid=" CID " order=%s user=%s room=" ROOM " set=%s fingerprint=%s "
	    "attempt={} ttl_ms=600000 call_ms=3000 deadline=%lld\n", tag, order, user, set, fingerprint,
	    (long long)(clock_boot_ms() + wait_ms));
	say(fd, line);
}

static bool
is_readable(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) == 1;
}

/* One line within 3 s, without LF; "" where the connection was closed. Takes nothing of the next line. */
static const char *
hear(int fd)
{
	static char line[PROTO_LINE_MAX + 1];
	size_t n = 0;

	while (n < PROTO_LINE_MAX) {
		ssize_t got;
		char *lf;

		if (!is_readable(fd, 3000))
			fail_msg("no answer");
		got = recv(fd, line + n, PROTO_LINE_MAX - n, MSG_PEEK);
		if (got <= 0)
			return "";
		lf = memchr(line + n, '\n', (size_t)got);
		got = recv(fd, line + n, lf == NULL ? (size_t)got : (size_t)(lf + 1 - line) - n, 0);
		n += (size_t)got;
		if (lf != NULL) {
			*lf = '\0';
			return line;
		}
	}
	fail_msg("an endless line");
	return "";
}

static void
expect_line(int fd, const char *begins)
{
	const char *line = hear(fd);

	if (strncmp(line, begins, strlen(begins)) != 0)
		fail_msg("heard \"%s\", not \"%s...\"", line, begins);
}

static void
everything_is_there_after_a_kill(void **state)
{
	struct fixture *f = *state;
	struct hold_request rq = request("u3", "o3", "600-720", "f3");
	uint64_t ready, approving, approved, token;
	struct queue_greeting hello, again;
	int64_t expires;

	assert_true(queue_hello(f->q, &hello, soon(), &f->err));
	ready = open_hold(f, "u1", "o1", "600-720", "T1");
	expires = f->a.hold.expires_boot_ms;
	approving = open_hold(f, "u2", "o2", "800-900", "T2");
	token = approve(f, approving, 1);
	approved = open_hold(f, "u4", "o4", "1000-1100", "T4");
	approve(f, approved, 1);
	expect(f, queue_outcome(f->q, approved, f->a.hold.token, HO_APPROVED, 2, soon(), &f->a, &f->err),
	    HA_OK, "approved");
	end_daemon(f, SIGKILL);
	assert_false(queue_find_tid(f->q, "T1", soon(), &f->a, &f->err));
	assert_int_equal(f->err.code, ERR_UNAVAILABLE);
	start_daemon(f);
	expect(f, queue_find_tid(f->q, "T1", soon(), &f->a, &f->err), HA_OK, "ready");
	assert_int_equal(f->a.hold.id, ready);
	assert_int_equal(f->a.hold.expires_boot_ms, expires);
	assert_string_equal(f->a.hold.answer, "{\"tid\":1}");
	assert_string_equal(f->a.hold.attempt, "{\"item_name\":\"\xea\xb0\x80 = 100%\"}");
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_SLOT_HELD, "its time is held");
	expect(f, queue_outcome(f->q, approving, token, HO_UNKNOWN, 2, soon(), &f->a, &f->err), HA_OK,
	    "the token is good");
	expect(f, queue_find(f->q, FIND_APPROVED_OLDEST, "u4", ROOM, soon(), &f->a, &f->err), HA_OK,
	    "approved");
	assert_true(queue_hello(f->q, &again, soon(), &f->err));
	assert_string_equal(again.id, hello.id);
	assert_true(approve(f, ready, 1) > token);	/* tokens only grow */
}

static void
an_orderly_end_leaves_no_socket(void **state)
{
	struct fixture *f = *state;
	int status;

	status = end_daemon(f, SIGTERM);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_not_equal(access(f->socket, F_OK), 0);
}

static void
a_second_daemon_starts_neither_on_the_journal_nor_on_the_socket(void **state)
{
	struct fixture *f = *state;
	int code;

	open_hold(f, "u1", "o1", "600-720", "T1");
	assert_int_equal(exit_code(spawn(f, "log2")), 2);
	snprintf(f->conf, sizeof(f->conf), "%s/other.conf", f->dir);
	snprintf(f->dir + strlen(f->dir), 3, "/q");	/* another journal, the same socket */
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
the_socket_is_for_owner_and_group(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(stat(f->socket, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
}

static void
who_is_not_allowed_is_not_served(void **state)
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
a_waiter_gets_the_leaders_answer(void **state)
{
	struct fixture *f = *state;
	struct hold_request rq = request("u1", "o1", "600-720", "f1");
	int fd;

	fd = dial(f);
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_OK, "the leader");
	say_hold(fd, "w1", "u1", "o1", "600-720", "f1", 5000);
	expect_line(fd, "w1 wait");
	say(fd, "h1 hello\n");
	expect_line(fd, "h1 ok ");		/* its connection waits for nothing */
	assert_false(is_readable(fd, 50));
	expect(f, queue_ready(f->q, f->a.hold.id, "T1", "{\"tid\":1}", soon(), &f->a, &f->err), HA_OK,
	    "ready");
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
	say_hold(fd, "w1", "u1", "o1", "600-720", "f1", 5000);
	expect_line(fd, "w1 wait");
	assert_true(queue_fail(f->q, f->a.hold.id, false, "{\"code\":\"provider-error\"}", soon(), &f->err));
	expect_line(fd, "w1 payment-in-progress retry_ms=1000 failure={\"code\":\"provider-error\"}");
	close(fd);
}

static void
a_waiter_waits_no_longer_than_it_said(void **state)
{
	struct fixture *f = *state;
	struct hold_request rq = request("u1", "o1", "600-720", "f1");
	struct queue *other;
	int64_t began;

	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_OK, "the leader");
	other = queue_open_unix(f->socket);
	began = clock_boot_ms();
	expect(f, queue_hold(other, &rq, began + 300, &f->a, &f->err), HA_IN_PROGRESS, "the waiter");
	assert_in_range(clock_boot_ms() - began, 295, 600);
	assert_true(f->a.retry_ms > 0);
	queue_free(&other);
}

static void
a_waiter_whose_leader_vanishes_is_told_at_once(void **state)
{
	struct fixture *f = *state;
	int leader, waiter;

	leader = dial(f);
	waiter = dial(f);
	say_hold(leader, "1", "u1", "o1", "600-720", "f1", 5000);
	expect_line(leader, "1 ok ");
	say_hold(waiter, "w", "u1", "o1", "600-720", "f1", 5000);
	expect_line(waiter, "w wait");
	close(leader);
	expect_line(waiter, "w payment-in-progress retry_ms=");
	say_hold(waiter, "x", "u1", "o1", "600-720", "f1", 5000);	/* nobody is there to wait for */
	expect_line(waiter, "x payment-in-progress retry_ms=");
	/* ready may come over another connection */
	say(waiter, "r ready id=1 tid=T1 answer={}\n");
	expect_line(waiter, "r ok ");
	close(waiter);
}

static void
a_second_approve_is_told_to_start_again_when_the_first_has_ended(void **state)
{
	struct fixture *f = *state;
	uint64_t id, token;
	char line[200];
	int fd;

	fd = dial(f);
	id = open_hold(f, "u1", "o1", "600-720", "T1");
	token = approve(f, id, 1);
	snprintf(line, sizeof(line), "a approve id=%llu n=1 key=00ff deadline=%lld\n",
	    (unsigned long long)id, (long long)soon());
	say(fd, line);
	expect_line(fd, "a wait");
	expect(f, queue_outcome(f->q, id, token, HO_APPROVED, 2, soon(), &f->a, &f->err), HA_OK, "approved");
	expect_line(fd, "a replay");
	close(fd);
}

static int64_t
count_of(struct fixture *f, const char *name)
{
	struct buf json = BUF_INIT;
	char member[64];
	const char *at;
	int64_t n = -1;

	snprintf(member, sizeof(member), "\"%s\":", name);
	assert_true(queue_stats(f->q, &json, soon(), &f->err));
	at = strstr(buf_str(&json), member);
	if (at != NULL)
		n = strtoll(at + strlen(member), NULL, 10);
	buf_clear(&json);
	return n;
}

static void
calls_count_until_their_end_or_until_their_connection_closes(void **state)
{
	struct fixture *f = *state;
	char user[32], order[32], set[32];
	int fd[5];

	for (int i = 0; i < 5; i++) {	/* four may be under way */
		fd[i] = dial(f);
		snprintf(user, sizeof(user), "u%d", i);
		snprintf(order, sizeof(order), "o%d", i);
		snprintf(set, sizeof(set), "%d-%d", 100 * i, 100 * i + 50);
		say_hold(fd[i], "1", user, order, set, order, 5000);
		expect_line(fd[i], i < 4 ? "1 ok " : "1 provider-busy retry_ms=");
	}
	assert_int_equal(count_of(f, "calls"), 4);
	close(fd[0]);
	say_hold(fd[4], "2", "u4", "o4", "400-450", "o4", 5000);
	expect_line(fd[4], "2 ok ");
	say(fd[1], "r ready id=2 tid=T1 answer={}\n");
	expect_line(fd[1], "r ok ");
	say(fd[2], "f fail id=3 paid=0\n");
	expect_line(fd[2], "f ok ");
	assert_int_equal(count_of(f, "calls"), 2);
	for (int i = 1; i < 5; i++)
		close(fd[i]);
	while (count_of(f, "connections") > 1)
		usleep(10000);
	assert_int_equal(count_of(f, "calls"), 0);
}

static void
surplus_waiters_are_told_at_once(void **state)
{
	struct fixture *f = *state;
	struct hold_request rq = request("u1", "o1", "600-720", "f1");
	int fd;

	fd = dial(f);
	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_OK, "the leader");
	for (int i = 0; i < 5; i++)	/* one call and three waiters are four */
		say_hold(fd, "w", "u1", "o1", "600-720", "f1", 3000);
	for (int i = 0; i < 5; i++)
		expect_line(fd, i < 3 ? "w wait" : "w payment-in-progress");
	assert_int_equal(count_of(f, "waiters"), 3);
	close(fd);
	while (count_of(f, "connections") > 1)
		usleep(10000);
	assert_int_equal(count_of(f, "waiters"), 0);
}

static void
a_request_whose_time_is_over_changes_nothing(void **state)
{
	struct fixture *f = *state;
	int fd;

	fd = dial(f);
	say_hold(fd, "1", "u1", "o1", "600-720", "f1", -1);
	expect_line(fd, "1 payment-in-progress");
	say_hold(fd, "2", "u1", "o1", "600-720", "f1", 3600000);
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
	expect(f, queue_ready(f->q, f->a.hold.id, "T1", "{}", soon(), &f->a, &f->err), HA_OK, "ready");
	usleep(500000);
	expect(f, queue_find_tid(f->q, "T1", soon(), &f->a, &f->err), HA_OK, "find");
	assert_int_equal(f->a.hold.state, HOLD_EXPIRED);
	assert_int_equal(count_of(f, "expired"), 1);
}

static void
a_poke_wakes_who_watches(void **state)
{
	struct fixture *f = *state;
	char line[100];
	int fd;

	fd = dial(f);
	snprintf(line, sizeof(line), "w watch seen=0 deadline=%lld\n", (long long)soon());
	say(fd, line);
	expect_line(fd, "w wait");
	assert_true(queue_poke(f->q, soon(), &f->err));
	expect_line(fd, "w ok pokes=1");
	close(fd);
}

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
		say(fd, wrong[i]);
		expect_line(fd, "1 error message=");
	}
	say(fd, "2 hello\n3 hello\n");		/* several at once, in pieces */
	say(fd, "4 hel");
	expect_line(fd, "2 ok ");
	expect_line(fd, "3 ok ");
	say(fd, "lo\n");
	expect_line(fd, "4 ok ");
	say(fd, "\x16\x03\x01 binary\n");
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
who_reads_nothing_is_made_to_wait_and_gets_all_when_he_reads(void **state)
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
	expect(f, queue_ready(f->q, f->a.hold.id, "T1", "{}", soon(), &f->a, &f->err), HA_OK, "ready");
	fd = dial(f);
	while (sent < MANY && send(fd, "1 find-tid tid=T1\n", 18, MSG_NOSIGNAL | MSG_DONTWAIT) == 18)
		sent++;
	usleep(100000);
	assert_in_range(count_of(f, "connections"), 2, 2);	/* others are served meanwhile */
	for (size_t i = 0; i < sent; i++)
		expect_line(fd, "1 ok id=1 ");
	assert_in_range(sent, 100, MANY);
	close(fd);
}

static void
a_thousand_idle_connections_are_no_burden(void **state)
{
	enum { MANY = 1000 };
	struct fixture *f = *state;
	int fd[MANY];

	for (int i = 0; i < MANY; i++)
		fd[i] = dial(f);
	say(fd[MANY - 1], "1 hello\n");
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
	assert_in_range(clock_boot_ms() - began, 250, 600);	/* the caller's own deadline is nearer */
	kill(f->daemon, SIGCONT);
	expect(f, queue_find_tid(f->q, "T1", soon(), &f->a, &f->err), HA_OK, "it works again");
}

/* No file of the daemon may grow beyond this: its disk is full. */
static void
limit_files(struct fixture *f, rlim_t bytes)
{
	struct rlimit r;

	assert_int_equal(prlimit(f->daemon, RLIMIT_FSIZE, NULL, &r), 0);
	r.rlim_cur = bytes;
	assert_int_equal(prlimit(f->daemon, RLIMIT_FSIZE, &r, NULL), 0);
}

static void
a_full_disk_refuses_new_holds_and_lets_the_others_end(void **state)
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
	limit_files(f, 4 * 1024 * 1024 - 1);	/* a further segment does not fit */
	rq.attempt = attempt;
	while (granted < 2000 && queue_hold(f->q, &rq, soon(), &f->a, &f->err)) {
		granted++;
		last = f->a.hold.id;
		assert_int_equal(f->a.code, HA_OK);
		assert_true(queue_fail(f->q, last, false, "", soon(), &f->err));
	}
	assert_in_range(granted, 400, 600);	/* the segment in use; the spare is for what was promised */
	assert_int_equal(f->err.code, ERR_UNAVAILABLE);
	assert_true(queue_hello(f->q, &hello, soon(), &f->err));
	assert_string_equal(hello.fence, "no-room");
	expect(f, queue_find_tid(f->q, "T1", soon(), &f->a, &f->err), HA_OK, "looking goes on");
	approve(f, ready, 1);
	expect(f, queue_outcome(f->q, ready, f->a.hold.token, HO_APPROVED, 2, soon(), &f->a, &f->err),
	    HA_OK, "so does paying");
	expect(f, queue_remove(f->q, ready, true, 3, soon(), &f->a, &f->err), HA_OK, "and removing");
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
a_long_journal_becomes_a_snapshot_while_it_is_served(void **state)
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
	for (int i = 0; i < 4000 && !found; i++) {	/* 8 KiB each: more than four segments */
		expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_OK, "hold");
		assert_true(queue_fail(f->q, f->a.hold.id, false, "", soon(), &f->err));
		if (i > 1500 && i % 100 == 0)
			each_name(dir, note_snapshot, &found);
	}
	assert_true(found);
	open_hold(f, "later", "later", "20-30", "T2");
	end_daemon(f, SIGKILL);
	start_daemon(f);
	expect(f, queue_find_tid(f->q, "T1", soon(), &f->a, &f->err), HA_OK, "what was before the snapshot");
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
	expect(f, queue_find_order(f->q, CID, "o2", soon(), &f->a, &f->err), HA_NO_HOLD, "what was not");
}

/* A stand-in for the daemon that answers hello and then what it is told to. */
static void
an_answer_that_makes_no_sense_is_no_answer(void **state)
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

		if (pid == 0) {		/* the client */
			struct queue *q = queue_open_unix(name);
			bool done = queue_find_tid(q, "T1", clock_boot_ms() + 2000, &a, &err);

			_exit(done ? 100 : err.code);
		}
		int c = accept(fd, NULL, NULL);

		assert_string_equal(hear(c), "hello hello");
		say(c, "hello ok queue=00000000000000000000000000000001 version=1\n");
		snprintf(tag, sizeof(tag), "%s", hear(c));
		tag[strcspn(tag, " ")] = '\0';
		if (strncmp(wrong[i], "%s ok\n%s", 8) == 0)
			snprintf(answer, sizeof(answer), "%s ok\n%s ok\n", tag, tag);
		else if (strncmp(wrong[i], "%s", 2) == 0)
			snprintf(answer, sizeof(answer), "%s%s", tag, wrong[i] + 2);
		else
			snprintf(answer, sizeof(answer), "%s", wrong[i]);
		say(c, answer);
		waitpid(pid, &status, 0);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != ERR_UNAVAILABLE)
			fail_msg("answer %zu: exit %d", i, WEXITSTATUS(status));
		close(c);
	}
	close(fd);
	unlink(name);
	rmdir(path);
}

/* Cases for every queue have two names. */
#define CASES(X) \
	X(a_hold_is_granted_and_shown_whole) \
	X(an_equal_request_gets_the_same_answer_again) \
	X(overlapping_times_are_refused_with_the_overlap_only) \
	X(nothing_that_stood_there_before_is_left_in_an_answer) \
	X(a_replacement_swaps_when_it_is_ready_and_leaves_when_it_fails) \
	X(an_approved_hold_is_removed_once_and_says_so_again) \
	X(a_refused_token_gives_the_hold_back_and_a_ledger_that_is_behind_does_not_get_it) \
	X(a_gateway_removes_what_is_not_charged) \
	X(a_long_list_comes_whole) \
	X(counts_are_json) \
	X(a_poke_is_kept_for_who_watches_later) \
	X(another_queue_than_the_sites_is_not_asked) \
	X(a_text_that_does_not_fit_is_our_own_mistake)

#define DEFINE(name) \
	static void memory_##name(void **state) { name(*state); } \
	static void daemon_##name(void **state) { name(*state); }
CASES(DEFINE)

int
main(void)
{
#define ON_BOTH(name) cmocka_unit_test_setup_teardown(memory_##name, setup_memory, teardown), \
	cmocka_unit_test_setup_teardown(daemon_##name, setup_daemon, teardown),
#define ON_DAEMON(t) cmocka_unit_test_setup_teardown(t, setup_daemon, teardown)
	const struct CMUnitTest tests[] = {
		CASES(ON_BOTH)
		ON_DAEMON(everything_is_there_after_a_kill),
		ON_DAEMON(a_new_queue_is_closed_and_takes_over_what_it_is_told),
		ON_DAEMON(an_orderly_end_leaves_no_socket),
		ON_DAEMON(a_second_daemon_starts_neither_on_the_journal_nor_on_the_socket),
		ON_DAEMON(the_socket_is_for_owner_and_group),
		ON_DAEMON(who_is_not_allowed_is_not_served),
		ON_DAEMON(a_waiter_gets_the_leaders_answer),
		ON_DAEMON(a_waiter_hears_why_the_leader_failed),
		ON_DAEMON(a_waiter_waits_no_longer_than_it_said),
		ON_DAEMON(a_waiter_whose_leader_vanishes_is_told_at_once),
		ON_DAEMON(a_second_approve_is_told_to_start_again_when_the_first_has_ended),
		ON_DAEMON(calls_count_until_their_end_or_until_their_connection_closes),
		ON_DAEMON(surplus_waiters_are_told_at_once),
		ON_DAEMON(a_request_whose_time_is_over_changes_nothing),
		ON_DAEMON(a_hold_expires_by_itself),
		ON_DAEMON(a_poke_wakes_who_watches),
		ON_DAEMON(a_bad_client_loses_only_its_own_connection),
		ON_DAEMON(who_reads_nothing_is_made_to_wait_and_gets_all_when_he_reads),
		ON_DAEMON(a_thousand_idle_connections_are_no_burden),
		ON_DAEMON(a_daemon_that_hangs_is_given_up_within_two_seconds),
		ON_DAEMON(a_full_disk_refuses_new_holds_and_lets_the_others_end),
		ON_DAEMON(a_long_journal_becomes_a_snapshot_while_it_is_served),
		ON_DAEMON(a_journal_that_cannot_be_written_ends_the_daemon_without_an_answer),
		cmocka_unit_test(an_answer_that_makes_no_sense_is_no_answer),
	};

	if (getenv("ROOMPAY_QUEUED") == NULL) {
		puts("1..0 # SKIP ROOMPAY_QUEUED names no daemon");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
