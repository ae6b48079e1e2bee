#include "config.h"

#include "fcgi/worker.h"

#include <ctype.h>
#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "fcgi/arrival.h"
#include "fcgi/call.h"
#include "fcgi/edge.h"
#include "fcgi/gate.h"
#include "site/metrics.h"

/* libfcgi has no time-outs, and its handling of SIGTERM loses requests. So the signals that end a
 * worker are blocked for ever, and read from a descriptor between two requests. Connections are
 * accepted here: libfcgi only reads requests and writes answers. Where it may have to wait for the
 * peer a timer runs, whose signal shuts the peer's socket down, and the read ends. A peer that is
 * slow is broken: it is a web server that has already read the whole request. */
enum {
	PEER_MS = 1000,
	START_LIMIT_MS = 3000,
	ACCEPT_FAILED_MS = 50,
	LOOK_AGAIN_MS = 500,
	SOCKET_HOLDS = 4096, /* bytes that a fresh socket takes without a reader */
	USUAL_MAX = 8192     /* bytes of most requests, with their parameters */
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const int stop_signals[] = { SIGTERM, SIGINT, SIGUSR1, SIGHUP };

static struct edge edge;
static FCGX_Request request;
static char body[REQUEST_MAX];
static struct buf answer_text; /* its memory is kept from one request to the next */

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

/* It repeats: libfcgi may read again after a read that failed. */
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

/* Before FCGX_Init, which installs its own handlers where it finds none. Returns the descriptor
 * that becomes readable when one of the signals has come. */
static int
set_signals(void)
{
	sigset_t stop, alarms;

	sigemptyset(&stop);
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	for (size_t i = 0; i < COUNT(stop_signals); i++)
		sigaddset(&stop, stop_signals[i]);
	handle(SIGALRM, on_alarm);
	handle(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_UNBLOCK, &alarms, NULL);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	return signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* clang-format off */
static const struct {
	const char *name;
	size_t len, offset;
} params[] = {
#define PARAM(name, member) { name, sizeof(name) - 1, offsetof(struct http_request, member) }
	PARAM("REQUEST_METHOD",        method),
	PARAM("SCRIPT_NAME",           script_name),
	PARAM("PATH_INFO",             path_info),
	PARAM("REQUEST_URI",           request_uri),
	PARAM("QUERY_STRING",          query),
	PARAM("CONTENT_LENGTH",        content_length),
	PARAM("CONTENT_TYPE",          content_type),
	PARAM("HTTP_AUTHORIZATION",    authorization),
	PARAM("HTTP_CONTENT_ENCODING", content_encoding),
	PARAM("HTTP_ACCEPT",           accept),
	PARAM("HTTP_ACCEPT_LANGUAGE",  accept_language),
	PARAM("REMOTE_ADDR",           remote_addr),
	PARAM("HTTP_X_FORWARDED_FOR",  forwarded_for),
	PARAM("HTTP_X_REQUEST_ID",     request_id),
	PARAM("HTTP_HOST",             host),
	PARAM("HTTP_ORIGIN",           origin),
	PARAM("HTTP_SEC_FETCH_SITE",   fetch_site),
	PARAM("HTTP_IF_NONE_MATCH",    if_none_match),
#undef PARAM
};
/* clang-format on */

/* The first of several with one name counts; but where a proxy adds a line of X-Forwarded-For, some
 * web servers hand over several, and the last is its. */
static void
take_param(struct http_request *in, const char *text)
{
	const char *equals = strchr(text, '=');
	size_t len = equals == NULL ? 0 : (size_t)(equals - text);

	for (size_t i = 0; i < COUNT(params); i++) {
		const char **to;

		if (len != params[i].len || memcmp(text, params[i].name, len) != 0)
			continue;
		to = (const char **)(void *)((char *)in + params[i].offset);
		if (*to == NULL || to == &in->forwarded_for)
			*to = equals + 1;
		return;
	}
}

static void
take_params(struct http_request *in)
{
	for (char **p = request.envp; *p != NULL; p++)
		take_param(in, *p);
}

enum { UNTOLD = -1, NO_NUMBER = -2 };

static long
content_length(const char *text)
{
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
	long told = content_length(in->content_length);
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

/* Reads the rest of a body that is too large. Some peers look at the answer only after they have
 * sent everything. */
static void
drain(void)
{
	shutdown(request.ipcFd, SHUT_WR);
	while (read(request.ipcFd, body, sizeof(body)) > 0)
		;
}

/* Sends the answer and closes. What the socket has accepted will reach the peer, so there is no
 * need to wait until the peer closes, as libfcgi would: one that goes on sending would hold it for
 * ever. The timer is needed only where the answer may not fit into the socket, or where a body is
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
	FCGX_Finish_r(&request);
	if (slow)
		set_timer(0);
}

/* Returns the connection; -1: another worker was faster, or there is none to be had. */
static int
accept_peer(int listen_fd)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0 || errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return fd;
	log_event(LOG_LEVEL_WARN, "accept_failed", KV_STR("error", strerror(errno)));
	poll(NULL, 0, ACCEPT_FAILED_MS);
	return -1;
}

static bool
has_arrived(int fd)
{
	static unsigned char usual[USUAL_MAX];
	ssize_t n = recv(fd, usual, sizeof(usual), MSG_PEEK | MSG_DONTWAIT);
	bool whole = n > 0 && arrival_is_whole(usual, (size_t)n);

	if (n > 0)
		secret_wipe(usual, (size_t)n);
	return whole;
}

/* Lets libfcgi read from this connection. It finds it open, as if it were kept from the request
 * before, and has no listening socket to accept another one from. Detached: it closes, and does not
 * wait for the peer to do so. */
static bool
read_request(int fd, struct http_request *in)
{
	bool slow = !has_arrived(fd), whole;

	request.ipcFd = fd;
	request.keepConnection = 1;
	FCGX_Detach(&request);
	if (slow)
		set_timer(PEER_MS);
	whole = FCGX_Accept_r(&request) == 0;
	if (whole) {
		/* a connection that is kept open would occupy this worker */
		request.keepConnection = 0;
		take_params(in);
		whole = read_body(in);
		if (!whole)
			log_event(LOG_LEVEL_INFO, "request_cut",
			    KV_STR("why", "the body did not come as announced"));
	}
	if (slow)
		set_timer(0);
	return whole;
}

static void
serve_one(int listen_fd, _Atomic int64_t *beat)
{
	struct http_request in = { .body = body };
	int fd = accept_peer(listen_fd);

	if (fd < 0)
		return;
	in.boot_ms = clock_boot_ms();
	atomic_store(beat, in.boot_ms);
	buf_reset(&answer_text);
	if (read_request(fd, &in))
		edge_answer(&edge, &in, &answer_text);
	secret_wipe(body, in.body_len);
	if (request.ipcFd >= 0)
		finish(in.too_large);
	atomic_store(beat, 0);
}

static bool
start(const struct conf *conf, int listen_fd, struct error *err)
{
	int flags = fcntl(listen_fd, F_GETFL);

	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TRIM_THRESHOLD, 128 * 1024);
	if (flags < 0 || fcntl(listen_fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return error_sys(err, ERR_INTERNAL, "listening socket");
	if (FCGX_Init() != 0 || FCGX_InitRequest(&request, -1, 0) != 0)
		return error_set(err, ERR_INTERNAL, "libfcgi does not start");
	request.ipcFd = -1;
	metrics_open(conf->metrics_dir, METRICS_FCGI);
	return edge_init(&edge, conf, err);
}

/* EPOLLEXCLUSIVE: the kernel wakes one of the workers for a connection, not all of them. */
static int
watch(int listen_fd, int signal_fd, struct error *err)
{
	struct epoll_event peer = { .events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = listen_fd },
			   stop = { .events = EPOLLIN, .data.fd = signal_fd };
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd >= 0 && epoll_ctl(fd, EPOLL_CTL_ADD, listen_fd, &peer) == 0 &&
	    epoll_ctl(fd, EPOLL_CTL_ADD, signal_fd, &stop) == 0)
		return fd;
	error_sys(err, ERR_INTERNAL, "watch the listening socket");
	return -1;
}

/* False: told to stop. If a worker dies between its wake-up and its accept, the wake-up is lost. So
 * the others look again after a while without one. */
static bool
serve(int watched, int listen_fd, _Atomic int64_t *beat)
{
	struct epoll_event ev[2];
	int n = epoll_wait(watched, ev, 2, LOOK_AGAIN_MS);
	bool go_on = true;

	for (int i = 0; i < n; i++)
		if (ev[i].data.fd == listen_fd)
			serve_one(listen_fd, beat);
		else
			go_on = false;
	return go_on;
}

int
worker_run(const struct conf *conf, int listen_fd, const struct worker_share *share)
{
	static _Atomic int64_t nobody_looks;
	_Atomic int64_t *beat = share != NULL ? share->beat : &nobody_looks;
	struct error err = { 0 };
	int watched = -1, signal_fd = set_signals();

	if (!start(conf, listen_fd, &err) || (watched = watch(listen_fd, signal_fd, &err)) < 0) {
		log_event(LOG_LEVEL_ERROR, "worker_failed", KV_ERR(&err));
		return 1;
	}
	edge.draining = share != NULL ? share->draining : NULL;
	if (share != NULL && share->gather != NULL)
		store_go_through(edge.flow.store, share->gather);
	gate_try(&edge.gate, &edge.flow, START_LIMIT_MS);
	while (serve(watched, listen_fd, beat))
		;
	close(watched);
	close(signal_fd);
	edge_clear(&edge);
	return 0;
}
