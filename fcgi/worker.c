#include "config.h"

#include "fcgi/worker.h"

#include <ctype.h>
#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "fcgi/call.h"
#include "fcgi/edge.h"
#include "fcgi/gate.h"
#include "site/metrics.h"

/* libfcgi has no time-outs, and its handling of SIGTERM loses requests. So the signals that end a
 * worker are blocked, except in epoll_pwait. While libfcgi reads or closes, a timer runs: its
 * signal shuts the peer's socket down, and the read ends. A peer that is slow is broken: it is a
 * web server that has already read the whole request. */
enum {
	PEER_MS = 1000,
	START_LIMIT_MS = 3000,
	ACCEPT_FAILED_MS = 50,
	LOOK_AGAIN_MS = 500,
	SOCKET_HOLDS = 4096 /* bytes that a fresh socket takes without a reader */
};

static const int stop_signals[] = { SIGTERM, SIGINT, SIGUSR1, SIGHUP };

static struct edge edge;
static FCGX_Request request;
static char body[REQUEST_MAX];
static struct buf answer_text; /* its memory is kept from one request to the next */
static volatile sig_atomic_t stopping;

static void
on_stop(int sig)
{
	(void)sig;
	stopping = 1;
}

/* ipcFd is the peer's from accept to close. shutdown instead of close: it also ends a read that
 * begins after this signal. */
static void
on_alarm(int sig)
{
	int saved = errno;

	(void)sig;
	if (request.ipcFd >= 0)
		shutdown(request.ipcFd, SHUT_RDWR);
	errno = saved;
}

/* The timer repeats: within one call, libfcgi may go from one bad peer to the next. Each peer gets
 * one period. */
static void
set_timer(int ms)
{
	struct timeval t = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	struct itimerval it = { .it_interval = t, .it_value = t };

	setitimer(ITIMER_REAL, &it, NULL);
}

static void
handle(int sig, void (*handler)(int))
{
	struct sigaction sa = { .sa_handler = handler }; /* no SA_RESTART: a read must end */

	sigemptyset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}

/* Before FCGX_Init, which installs its own handlers where it finds none. */
static void
set_signals(sigset_t *open)
{
	sigset_t blocked, alarms;

	sigemptyset(&blocked);
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	for (size_t i = 0; i < sizeof(stop_signals) / sizeof(stop_signals[0]); i++) {
		handle(stop_signals[i], on_stop);
		sigaddset(&blocked, stop_signals[i]);
	}
	handle(SIGALRM, on_alarm);
	handle(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_UNBLOCK, &alarms, NULL);
	sigprocmask(SIG_BLOCK, &blocked, open);
	for (size_t i = 0; i < sizeof(stop_signals) / sizeof(stop_signals[0]); i++)
		sigdelset(open, stop_signals[i]);
}

static const char *
param(const char *name)
{
	return FCGX_GetParam(name, request.envp);
}

/* Where a proxy adds a line of its own, some web servers hand over several: the last is its. */
static const char *
last_param(const char *name)
{
	size_t len = strlen(name);
	const char *last = NULL;

	for (char **p = request.envp; *p != NULL; p++)
		if (strncmp(*p, name, len) == 0 && (*p)[len] == '=')
			last = *p + len + 1;
	return last;
}

enum { UNTOLD = -1, NO_NUMBER = -2 };

static long
content_length(void)
{
	const char *text = param("CONTENT_LENGTH");
	char *end;
	long n;

	if (text == NULL || text[0] == '\0')
		return UNTOLD;
	errno = 0;
	n = strtol(text, &end, 10);
	return isdigit((unsigned char)text[0]) && *end == '\0' && errno == 0 ? n : NO_NUMBER;
}

/* False: the peer sent less than it announced, so there is nobody to answer. Always reads up to the
 * end of the body, even of an empty one. Apache sends the record that ends the body separately; if
 * we have answered and closed before it, Apache takes us for a broken backend and answers 503.
 * Apache gives no length for a chunked body whose end it has not seen. */
static bool
read_body(struct http_request *in)
{
	long told = content_length();
	bool more;
	int got;

	if (told == NO_NUMBER)
		return false;
	in->too_large = told > REQUEST_MAX;
	if (in->too_large)
		return true;
	got = FCGX_GetStr(body, told == UNTOLD ? REQUEST_MAX : (int)told, request.in);
	in->body = body;
	in->body_len = (size_t)got;
	more = FCGX_GetChar(request.in) != EOF;
	in->too_large = more && told == UNTOLD;
	return in->too_large ||
	    (!more && FCGX_GetError(request.in) == 0 && (told == UNTOLD || got == told));
}

static void
answer(struct http_request *in)
{
	in->method = param("REQUEST_METHOD");
	in->script_name = param("SCRIPT_NAME");
	in->path_info = param("PATH_INFO");
	in->request_uri = param("REQUEST_URI");
	in->query = param("QUERY_STRING");
	in->authorization = param("HTTP_AUTHORIZATION");
	in->content_type = param("CONTENT_TYPE");
	in->content_encoding = param("HTTP_CONTENT_ENCODING");
	in->accept = param("HTTP_ACCEPT");
	in->accept_language = param("HTTP_ACCEPT_LANGUAGE");
	in->remote_addr = param("REMOTE_ADDR");
	in->forwarded_for = last_param("HTTP_X_FORWARDED_FOR");
	in->request_id = param("HTTP_X_REQUEST_ID");
	edge_answer(&edge, in, &answer_text);
}

/* Reads the rest of a body that is too large. Some peers look at the answer only after they have
 * sent everything. */
static void
drain(void)
{
	shutdown(request.ipcFd, SHUT_WR);
	while (read(request.ipcFd, body, sizeof(body)) > 0)
		;
}

/* Sends the answer. libfcgi would then wait until the peer closes, and a peer that goes on sending
 * would hold it for ever. What the socket has accepted will reach the peer, so there is no need to
 * wait. The timer is needed only where the answer may not fit into the socket, or where a body is
 * left to read. */
static void
finish(bool unread)
{
	bool slow = unread || answer_text.len > SOCKET_HOLDS;

	if (slow)
		set_timer(PEER_MS);
	if (!answer_text.bad)
		FCGX_PutStr(buf_str(&answer_text), (int)answer_text.len, request.out);
	FCGX_FClose(request.err);
	FCGX_FClose(request.out);
	if (unread)
		drain();
	shutdown(request.ipcFd, SHUT_RDWR);
	FCGX_Finish_r(&request);
	if (slow)
		set_timer(0);
}

static void
serve_one(_Atomic int64_t *beat)
{
	struct http_request in = { .body = body };
	bool whole;
	int rc;

	set_timer(PEER_MS);
	rc = FCGX_Accept_r(&request);
	if (rc != 0) {
		set_timer(0);
		if (rc == -EAGAIN || rc == -EINTR)
			return; /* another worker was faster, or the peer was none */
		log_event(LOG_LEVEL_WARN, "accept_failed", KV_STR("error", strerror(-rc)));
		poll(NULL, 0, ACCEPT_FAILED_MS);
		return;
	}
	in.boot_ms = clock_boot_ms();
	atomic_store(beat, in.boot_ms);
	/* a connection that is kept open would occupy this worker */
	request.keepConnection = 0;
	buf_reset(&answer_text);
	whole = read_body(&in);
	set_timer(0);
	if (whole)
		answer(&in);
	else
		log_event(LOG_LEVEL_INFO, "request_cut",
		    KV_STR("why", "the body did not come as announced"));
	secret_wipe(body, in.body_len);
	finish(in.too_large);
	atomic_store(beat, 0);
}

static bool
start(const struct conf *conf, int listen_fd, struct error *err)
{
	int flags = fcntl(listen_fd, F_GETFL);

	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TRIM_THRESHOLD, 128 * 1024);
	setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "100", 1);
	setenv("LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT", "500", 1);
	if (flags < 0 || fcntl(listen_fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return error_sys(err, ERR_INTERNAL, "listening socket");
	if (FCGX_Init() != 0 || FCGX_InitRequest(&request, listen_fd, 0) != 0)
		return error_set(err, ERR_INTERNAL, "libfcgi does not start");
	request.ipcFd = -1;
	metrics_open(conf->metrics_dir, METRICS_FCGI);
	return edge_init(&edge, conf, err);
}

/* epoll_pwait delivers a signal only while it waits. Under load it never waits: the next request is
 * already there. */
static bool
told_to_stop(void)
{
	sigset_t pending;

	if (stopping || sigpending(&pending) != 0)
		return stopping;
	for (size_t i = 0; i < sizeof(stop_signals) / sizeof(stop_signals[0]); i++)
		if (sigismember(&pending, stop_signals[i]) == 1)
			return true;
	return false;
}

/* EPOLLEXCLUSIVE: the kernel wakes one of the workers for a connection, not all of them. */
static int
watch(int listen_fd, struct error *err)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd >= 0 && epoll_ctl(fd, EPOLL_CTL_ADD, listen_fd, &ev) == 0)
		return fd;
	error_sys(err, ERR_INTERNAL, "watch the listening socket");
	return -1;
}

int
worker_run(const struct conf *conf, int listen_fd, const struct worker_share *share)
{
	static _Atomic int64_t nobody_looks;
	_Atomic int64_t *beat = share != NULL ? share->beat : &nobody_looks;
	struct epoll_event ev;
	struct error err = { 0 };
	int watched = -1;
	sigset_t open;

	set_signals(&open);
	if (!start(conf, listen_fd, &err) || (watched = watch(listen_fd, &err)) < 0) {
		log_event(LOG_LEVEL_ERROR, "worker_failed", KV_ERR(&err));
		return 1;
	}
	edge.draining = share != NULL ? share->draining : NULL;
	gate_try(&edge.gate, &edge.flow, START_LIMIT_MS);
	/* If a worker dies between its wake-up and its accept, the wake-up is lost. So the others
	 * look again after a while without one. */
	while (!told_to_stop())
		if (epoll_pwait(watched, &ev, 1, LOOK_AGAIN_MS, &open) > 0)
			serve_one(beat);
	close(watched);
	edge_clear(&edge);
	return 0;
}
