#include "config.h"

#include "queued/log_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

enum { READ_CHUNK = 65536, DAEMON_FD = 3, SNAPSHOT_FD = 4 };

#define HELPER_NAME "roompay-queue-log"

/* Beside this program, where it is not installed; else in libexecdir. */
static void
find_program(char *out, size_t cap)
{
	ssize_t n = readlink("/proc/self/exe", out, cap - 1);
	char *slash;

	out[n > 0 ? n : 0] = '\0';
	slash = strrchr(out, '/');
	if (slash != NULL && (size_t)(slash - out) + sizeof("/" HELPER_NAME) < cap) {
		strcpy(slash, "/" HELPER_NAME);
		if (access(out, X_OK) == 0)
			return;
	}
	text_copy(out, cap, LIBEXECDIR "/" HELPER_NAME);
}

/* fds: above the two numbers that they get. */
static void
become_helper(const char *program, const char *conf_path, const int fds[2])
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(fds[0], DAEMON_FD) == DAEMON_FD && dup2(fds[1], SNAPSHOT_FD) == SNAPSHOT_FD)
		execl(program, HELPER_NAME, "-c", conf_path, (char *)NULL);
	_exit(127);
}

/* A copy that is above the numbers which the helper uses. */
static int
above(int fd)
{
	int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, SNAPSHOT_FD + 1);

	if (fd >= 0)
		close(fd);
	return copy;
}

bool
log_helper_start(struct log_helper *h, const char *conf_path, struct error *err)
{
	int main_pair[2] = { -1, -1 }, snap_pair[2] = { -1, -1 }, theirs[2];
	char program[512];

	memset(h, 0, sizeof(*h));
	find_program(program, sizeof(program));
	if (access(program, X_OK) != 0)
		return error_sys(err, ERR_INTERNAL, "%s cannot be started", program);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, main_pair) != 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, snap_pair) != 0)
		return error_sys(err, ERR_INTERNAL, "sockets for %s", HELPER_NAME);
	theirs[0] = above(main_pair[1]);
	theirs[1] = above(snap_pair[1]);
	h->fd = main_pair[0];
	h->snap_fd = snap_pair[0];
	fcntl(h->fd, F_SETFL, O_NONBLOCK);
	h->pid = fork();
	if (h->pid == 0)
		become_helper(program, conf_path, theirs);
	close(theirs[0]);
	close(theirs[1]);
	if (h->pid > 0)
		return true;
	h->pid = 0;
	return error_sys(err, ERR_INTERNAL, "start %s", program);
}

void
log_helper_stop(struct log_helper *h)
{
	if (h->pid == 0)
		return;
	close(h->fd); /* it ends by itself */
	close(h->snap_fd);
	kill(h->pid, SIGKILL); /* at once: what it has sent is as good as sent by a killed machine
				*/
	waitpid(h->pid, NULL, 0);
	buf_clear(&h->in);
	buf_clear(&h->out);
	h->pid = 0;
}

void
log_helper_flush(struct log_helper *h)
{
	size_t done = 0;

	while (done < h->out.len) {
		ssize_t n = send(h->fd, h->out.data + done, h->out.len - done, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break; /* full, or gone: then reading tells */
		done += (size_t)n;
	}
	if (done > 0)
		buf_drop_front(&h->out, done);
}

void
log_helper_send(struct log_helper *h, const struct log_frame *f)
{
	log_frame_format(f, &h->out);
	log_helper_flush(h);
}

/* True: something came. */
static bool
read_more(struct log_helper *h, bool *gone)
{
	static char chunk[READ_CHUNK];
	ssize_t n = recv(h->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

	*gone = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
	if (n > 0)
		buf_add(&h->in, chunk, (size_t)n);
	return n > 0;
}

enum log_helper_news
log_helper_next(struct log_helper *h, struct log_frame *f)
{
	bool gone = false;

	for (;;) {
		size_t left = h->in.len - h->taken;
		size_t size = left == 0 ? 0 : log_frame_size(h->in.data + h->taken, left);

		if (size > 4 + LOG_FRAME_MAX || h->in.bad)
			return HELPER_GONE;
		if (size > 0 && size <= left) {
			const char *at = h->in.data + h->taken;

			h->taken += size;
			return log_frame_parse(at, size, f) ? HELPER_FRAME : HELPER_GONE;
		}
		if (h->taken > 0) {
			buf_drop_front(&h->in, h->taken);
			h->taken = 0;
		}
		if (!read_more(h, &gone))
			return gone ? HELPER_GONE : HELPER_NOTHING;
	}
}

enum log_helper_news
log_helper_wait(struct log_helper *h, struct log_frame *f, int timeout_ms)
{
	int64_t until_ms = clock_boot_ms() + timeout_ms;
	struct pollfd p = { .fd = h->fd };

	for (;;) {
		enum log_helper_news news = log_helper_next(h, f);
		int64_t left_ms = until_ms - clock_boot_ms();

		if (news != HELPER_NOTHING || left_ms <= 0)
			return news;
		log_helper_flush(h);
		p.events = (short)(POLLIN | (h->out.len > 0 ? POLLOUT : 0));
		poll(&p, 1, (int)left_ms);
	}
}
