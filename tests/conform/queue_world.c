#include "config.h"

#include "queue_world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "queue/wire/proto.h"

int64_t
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

pid_t
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

void
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

int
end_daemon(struct fixture *f, int signum)
{
	int status = -1;

	kill(f->daemon, signum);
	waitpid(f->daemon, &status, 0);
	f->daemon = 0;
	return status;
}

int
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

void
write_conf(struct fixture *f, const char *queue_keys)
{
	FILE *out = fopen(f->conf, "we");

	assert_non_null(out);
	fprintf(out,
	    "[site]\nreplay_key_file = /nonexistent\nredirect_hosts = study.test\n[queue]\nsocket "
	    "= %s\ndir = %s/queue\n%s\n%s\n"
	    "[store]\nuri = %s\ndatabase = %s\n"
	    "[caller g]\nroles = gateway\ncids = " CID "\ntoken_sha256 = %064d\n"
	    "[merchant " CID "]\nmode = secret_key\nkey_file = /nonexistent\n",
	    f->socket, f->dir, queue_keys, f->database[0] == '\0' ? "" : "log = mongodb",
	    f->database[0] == '\0' ? "mongodb://127.0.0.1:1/" : getenv("ROOMPAY_TEST_LOG_URI"),
	    f->database[0] == '\0' ? "unused" : f->database, 1);
	fclose(out);
}

const struct hold_limits daemon_limits = {
	.max_per_user = 3,
	.guard_ms = 60000,
	.window_ms = 900000,
	.max_tries_per_min = 5,
	.removed_answer_ms = 600000,
	.gone_memory_ms = 86400000,
	.order_memory_ms = 3024000000,
};

int
setup_memory(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	f->q = queue_open_memory(&daemon_limits, clock_now);
	return f->q == NULL ? -1 : 0;
}

static const char limits[] = "max_calls_ready = 4\nmax_calls = 6";

static bool
start_fresh(struct fixture *f)
{
	snprintf(f->dir, sizeof(f->dir), "/tmp/test-queue-XXXXXX");
	if (mkdtemp(f->dir) == NULL)
		return false;
	snprintf(f->socket, sizeof(f->socket), "%s/queue.sock", f->dir);
	snprintf(f->conf, sizeof(f->conf), "%s/roompay.conf", f->dir);
	write_conf(f, limits);
	start_daemon(f);
	f->q = queue_open_unix(f->socket);
	return f->q != NULL;
}

static int
setup_with(struct fixture *f)
{
	/* a new queue is closed until it is admitted */
	return !start_fresh(f) || !queue_admit(f->q, false, 0, soon(), &f->a, &f->err) ||
		f->a.code != HA_OK
	    ? -1
	    : 0;
}

int
setup_daemon(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	return setup_with(*state);
}

int
setup_mongodb(void **state)
{
	static unsigned n;
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	snprintf(f->database, sizeof(f->database), "roompay_queue_%d_%u", (int)getpid(), ++n);
	return setup_with(f);
}

void
lose_log(struct fixture *f)
{
	char dir[128];

	snprintf(dir, sizeof(dir), "%s/queue", f->dir);
	if (f->database[0] == '\0') {
		remove_tree(dir);
	} else {
		strcat(f->database, "_new");
		write_conf(f, limits);
	}
}

void
open_second(const struct fixture *first, struct fixture *second)
{
	memset(second, 0, sizeof(*second));
	memcpy(second->database, first->database, sizeof(second->database));
	assert_true(start_fresh(second));
}

void
close_second(struct fixture *second)
{
	queue_free(&second->q);
	end_daemon(second, SIGKILL);
	remove_tree(second->dir);
}

void
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

int
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

struct hold_request
request(const char *user, const char *order, const char *set, const char *fingerprint)
{
	struct hold_request rq = {
		.cid = CID,
		.order = order,
		.user = user,
		.room = ROOM,
		.fingerprint = fingerprint,
		.attempt = "{\"item_name\":\"\xea\xb0\x80 = 100%\"}",
		.ttl_ms = 600000,
		.call_ms = 12000,
	};
	struct error err;

	if (!interval_set_parse(set, &rq.set, &err))
		fail_msg("%s", err.msg);
	return rq;
}

void
expect(struct fixture *f, bool done, enum hold_answer_code code, const char *what)
{
	if (!done)
		fail_msg("%s: %s", what, f->err.msg);
	if (f->a.code != code)
		fail_msg("%s: %s, not %s", what, hold_answer_name(f->a.code),
		    hold_answer_name(code));
}

uint64_t
open_hold(struct fixture *f, const char *user, const char *order, const char *set, const char *tid)
{
	struct hold_request rq = request(user, order, set, order);
	uint64_t id;

	expect(f, queue_hold(f->q, &rq, soon(), &f->a, &f->err), HA_OK, "hold");
	id = f->a.hold.id;
	expect(f, queue_ready(f->q, id, tid, "{\"tid\":1}", soon(), &f->a, &f->err), HA_OK,
	    "ready");
	return id;
}

uint64_t
approve(struct fixture *f, uint64_t id, int64_t n)
{
	expect(f, queue_approve(f->q, id, n, "00ff", soon(), &f->a, &f->err), HA_OK, "approve");
	return f->a.hold.token;
}

/* ---- lines by hand */

int
dial(struct fixture *f)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", f->socket);
	assert_int_equal(connect(fd, (const struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

void
tell(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

void
tell_hold(int fd, const char *tag, const char *user, const char *order, const char *set,
    const char *fingerprint, int64_t wait_ms)
{
	char line[1000];

	snprintf(line, sizeof(line),
	    "%s hold cid=" CID " order=%s user=%s room=" ROOM " set=%s fingerprint=%s "
	    "attempt={} ttl_ms=600000 call_ms=3000 deadline=%lld\n",
	    tag, order, user, set, fingerprint, (long long)(clock_boot_ms() + wait_ms));
	tell(fd, line);
}

bool
is_readable(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) == 1;
}

const char *
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

void
expect_line(int fd, const char *begins)
{
	const char *line = hear(fd);

	if (strncmp(line, begins, strlen(begins)) != 0)
		fail_msg("heard \"%s\", not \"%s...\"", line, begins);
}

int64_t
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

void
limit_files(struct fixture *f, rlim_t bytes)
{
	struct rlimit r;

	assert_int_equal(prlimit(f->daemon, RLIMIT_FSIZE, NULL, &r), 0);
	r.rlim_cur = bytes;
	assert_int_equal(prlimit(f->daemon, RLIMIT_FSIZE, &r, NULL), 0);
}
