#include "config.h"

#include "queued/server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "queue/wire/proto.h"
#include "queued/command.h"

enum {
	CONNECTIONS_MAX = 8192,
	FDS_RESERVED = 32,  /* for the journal, the loop, the log */
	ACCEPT_MAX = 1024,  /* in one turn */
	READ_CHUNK = 65536, /* from one connection in one turn, so that nobody fills a turn */
	OUT_ENOUGH = 65536, /* bytes of unread answers: then no more requests are read */
	STALL_MS = 10000,   /* then a client that reads no answers is cut off */
};

struct conn {
	struct peer peer; /* first: a connection is a peer */
	struct server *server;
	uv_poll_t poll;
	int fd;
	int events; /* that uv_poll waits for */
	struct buf in;
	int64_t stalled_since_boot_ms; /* 0: it reads its answers */
	bool closed;
	TAILQ_ENTRY(conn) all;
};

TAILQ_HEAD(conns, conn);

struct server {
	const struct server_options *options;
	struct listener *listener;
	struct commands *commands;
	uv_loop_t loop;
	uv_poll_t accepting, ticking, log;
	uv_check_t turn_end;
	/* active while a client that reads again has requests in memory */
	uv_idle_t more;
	uv_signal_t term, interrupt, child;
	int timer_fd;
	int64_t timer_boot_ms; /* when it fires; INT64_MAX: off */
	struct conns conns;
	int64_t n_conns, max_conns, n_stalled;
	bool full; /* the log has said so */
	bool failed;
	struct error why;
};

/* ---- connections */

static void
on_closed(uv_handle_t *h)
{
	struct conn *c = h->data;

	free(c);
}

static void
set_stalled(struct conn *c, int64_t since_boot_ms)
{
	c->server->n_stalled += (since_boot_ms != 0) - (c->stalled_since_boot_ms != 0);
	c->stalled_since_boot_ms = since_boot_ms;
}

static void
conn_close(struct conn *c)
{
	struct server *s = c->server;

	if (c->closed)
		return;
	c->closed = true;
	set_stalled(c, 0);
	command_peer_gone(s->commands, &c->peer);
	TAILQ_REMOVE(&s->conns, c, all);
	command_set_connections(s->commands, --s->n_conns);
	buf_clear(&c->in);
	uv_poll_stop(&c->poll);
	close(c->fd);
	uv_close((uv_handle_t *)&c->poll, on_closed);
}

static void on_conn(uv_poll_t *h, int status, int events);
static void on_more(uv_idle_t *h);

static void
poll_for(struct conn *c, int events)
{
	if (c->closed || c->events == events)
		return;
	c->events = events;
	uv_poll_start(&c->poll, events, on_conn);
}

/* Carries out the whole lines that have arrived, as long as the client reads its answers. */
static void
take_lines(struct conn *c)
{
	struct server *s = c->server;
	struct now now = clock_now();
	size_t pos = 0;

	while (c->peer.out.len < OUT_ENOUGH) {
		char *lf = memchr(c->in.data + pos, '\n', c->in.len - pos);
		size_t len = lf == NULL ? c->in.len - pos : (size_t)(lf - c->in.data) - pos;

		if (len >= PROTO_LINE_MAX) {
			conn_close(c);
			return;
		}
		if (lf == NULL)
			break;
		if (!command_line(s->commands, &c->peer, c->in.data + pos, len, now)) {
			log_event(LOG_LEVEL_WARN, "client_garbage", KV_INT("fd", c->fd),
			    KV_STR("meaning", "it does not speak the protocol; it was cut off"),
			    KV_STR("todo", "find the program that uses [queue] socket"));
			conn_close(c);
			return;
		}
		pos += len + 1;
	}
	buf_drop_front(&c->in, pos);
	if (c->in.len == 0 && c->in.cap > READ_CHUNK)
		buf_clear(&c->in); /* an idle connection keeps no buffer */
}

static bool
has_line(const struct conn *c)
{
	return c->in.len > 0 && memchr(c->in.data, '\n', c->in.len) != NULL;
}

/* False: nothing came. */
static bool
read_some(struct conn *c)
{
	static char chunk[READ_CHUNK];
	ssize_t n = recv(c->fd, chunk, sizeof(chunk), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n > 0)
		buf_add(&c->in, chunk, (size_t)n);
	if (n <= 0 || c->in.bad)
		conn_close(c);
	else
		take_lines(c);
	return n > 0;
}

/* The client has gone. What it asked before counts all the same. */
static void
read_rest(struct conn *c)
{
	while (!c->closed && read_some(c))
		;
	conn_close(c);
}

/* Sends what is committed. The rest follows when the socket is writable again. */
static void
flush(struct conn *c, int64_t now_boot_ms)
{
	struct buf *out = &c->peer.out;
	size_t sent = 0;
	bool more;

	if (out->bad || out->len > PEER_OUT_MAX) {
		log_event(LOG_LEVEL_WARN, "client_cut_off", KV_INT("fd", c->fd),
		    KV_INT("unread", out->len),
		    KV_STR("meaning", "a client asked without reading its answers"),
		    KV_STR("todo", "if it comes back: find the program that uses [queue] socket"));
		conn_close(c);
		return;
	}
	while (sent < out->len) {
		ssize_t n = send(c->fd, out->data + sent, out->len - sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {
			/* It has gone, and hears nothing more. What it asked is read first. */
			sent = out->len;
			break;
		}
		if (n <= 0) {
			conn_close(c);
			return;
		}
		sent += (size_t)n;
	}
	if (sent == out->len)
		set_stalled(c, 0);
	else if (sent > 0 || c->stalled_since_boot_ms == 0)
		set_stalled(c, now_boot_ms);
	if (sent > 0)
		buf_drop_front(out, sent);
	if (out->len == 0 && out->cap > READ_CHUNK)
		buf_clear(out);
	more = has_line(c); /* take_lines stopped there: carry them out before reading more */
	if (more && out->len < OUT_ENOUGH)
		uv_idle_start(&c->server->more, on_more);
	poll_for(c,
	    (!more && out->len < OUT_ENOUGH ? UV_READABLE : 0) | (out->len > 0 ? UV_WRITABLE : 0));
}

static void
on_conn(uv_poll_t *h, int status, int events)
{
	struct conn *c = h->data;

	if (status < 0) { /* it closed the connection without reading all of its answers */
		read_rest(c);
		return;
	}
	if ((events & UV_WRITABLE) != 0)
		/* not sent yet: some of its answers may not be committed */
		command_add_news(c->server->commands, &c->peer);
	if ((events & UV_READABLE) != 0)
		(void)read_some(c);
}

static void
on_more(uv_idle_t *h)
{
	struct server *s = h->data;
	struct conn *c, *next;

	for (c = TAILQ_FIRST(&s->conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, all);
		if (has_line(c))
			take_lines(c);
	}
}

static bool
is_allowed(const struct server_options *o, int fd, uint32_t *uid)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	*uid = UINT32_MAX;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return false;
	*uid = peer.uid;
	if (o->n_uids == 0)
		return peer.uid == 0 || peer.uid == geteuid();
	for (size_t i = 0; i < o->n_uids; i++)
		if (o->uids[i] == peer.uid)
			return true;
	return false;
}

static bool
welcome(struct server *s, int fd)
{
	uint32_t uid;

	if (!is_allowed(s->options, fd, &uid)) {
		log_event(LOG_LEVEL_WARN, "client_refused", KV_INT("uid", uid),
		    KV_STR("meaning", "this user may not connect"),
		    KV_STR("todo", "if it is a worker's: set [queue] allow_uids"));
		return false;
	}
	if (s->n_conns < s->max_conns) {
		s->full = false;
		return true;
	}
	if (!s->full)
		log_event(LOG_LEVEL_WARN, "connections_full", KV_INT("connections", s->n_conns),
		    KV_STR("meaning", "further clients are closed at once and answer 503"),
		    KV_STR("todo", "raise the limit of open files, or run fewer workers"));
	s->full = true;
	return false;
}

static void
conn_open(struct server *s, int fd)
{
	struct conn *c = welcome(s, fd) ? calloc(1, sizeof(*c)) : NULL;

	if (c == NULL || uv_poll_init(&s->loop, &c->poll, fd) != 0) {
		free(c);
		close(fd);
		return;
	}
	peer_init(&c->peer);
	c->server = s;
	c->fd = fd;
	c->poll.data = c;
	TAILQ_INSERT_TAIL(&s->conns, c, all);
	command_set_connections(s->commands, ++s->n_conns);
	poll_for(c, UV_READABLE);
}

static void
on_accept(uv_poll_t *h, int status, int events)
{
	struct server *s = h->data;

	(void)events;
	for (int i = 0; status == 0 && i < ACCEPT_MAX; i++) {
		int fd = accept4(s->listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			conn_open(s, fd);
		else if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

/* ---- the end of a turn */

static void
stop_failed(struct server *s, const struct error *why)
{
	s->failed = true;
	s->why = *why;
	uv_stop(&s->loop);
}

static int64_t
cut_off_stalled(struct server *s, int64_t now_boot_ms)
{
	int64_t next_boot_ms = INT64_MAX;
	struct conn *c, *next;

	if (s->n_stalled == 0)
		return next_boot_ms;
	for (c = TAILQ_FIRST(&s->conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, all);
		if (c->stalled_since_boot_ms == 0)
			continue;
		if (c->stalled_since_boot_ms + STALL_MS <= now_boot_ms) {
			log_event(LOG_LEVEL_WARN, "client_stalled", KV_INT("fd", c->fd),
			    KV_INT("unread", c->peer.out.len),
			    KV_STR("meaning", "a client read no answer for 10 s; it was cut off"),
			    KV_STR("todo", "if it comes back: look for a program that hangs"));
			conn_close(c);
		} else if (c->stalled_since_boot_ms + STALL_MS < next_boot_ms)
			next_boot_ms = c->stalled_since_boot_ms + STALL_MS;
	}
	return next_boot_ms;
}

/* A child has ended: the one that writes a snapshot. The log sees to it at the end of this turn. */
static void
on_child(uv_signal_t *h, int signum)
{
	(void)h;
	(void)signum;
}

/* The log has news. The end of this turn asks for them. */
static void
on_log(uv_poll_t *h, int status, int events)
{
	(void)h;
	(void)status;
	(void)events;
}

static void
set_timer(struct server *s, int64_t boot_ms)
{
	struct itimerspec at = { 0 };

	if (boot_ms == s->timer_boot_ms)
		return;
	s->timer_boot_ms = boot_ms;
	if (boot_ms != INT64_MAX) {
		at.it_value.tv_sec = (time_t)(boot_ms / 1000);
		at.it_value.tv_nsec = (long)(boot_ms % 1000) * 1000000;
	}
	timerfd_settime(s->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void
on_tick(uv_poll_t *h, int status, int events)
{
	struct server *s = h->data;
	uint64_t times;
	ssize_t n = read(s->timer_fd, &times, sizeof(times));

	(void)n; /* the end of this turn looks what is due */
	(void)status;
	(void)events;
	s->timer_boot_ms = INT64_MAX;
}

static int64_t
min_of(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void
on_turn_end(uv_check_t *h)
{
	struct server *s = h->data;
	struct commit_log *log = s->options->log;
	struct now now = clock_now();
	int64_t next_boot_ms, stalled_boot_ms, tend_boot_ms;
	struct error err;
	struct peer *p;

	stalled_boot_ms = cut_off_stalled(s, now.boot_ms);
	if (!command_end_turn(s->commands, now, &next_boot_ms, &err)) {
		stop_failed(s, &err);
		return;
	}
	uv_idle_stop(&s->more);
	while ((p = command_next_news(s->commands)) != NULL)
		flush((struct conn *)(void *)p, now.boot_ms);
	if (s->n_stalled > 0)
		stalled_boot_ms = min_of(stalled_boot_ms, now.boot_ms + STALL_MS);
	if (!log->tend(log, now, &tend_boot_ms, &err)) {
		stop_failed(s, &err);
		return;
	}
	set_timer(s, min_of(next_boot_ms, min_of(stalled_boot_ms, tend_boot_ms)));
}

/* ---- begin and end */

static void
on_signal(uv_signal_t *h, int signum)
{
	struct server *s = h->data;

	log_event(LOG_LEVEL_INFO, "stopping", KV_INT("signal", signum));
	uv_stop(&s->loop);
}

/* As many connections as the limit of open files allows. */
static int64_t
room_for_connections(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return 1024 - FDS_RESERVED;
	if (r.rlim_cur < r.rlim_max && r.rlim_cur < CONNECTIONS_MAX + FDS_RESERVED) {
		r.rlim_cur = r.rlim_max < CONNECTIONS_MAX + FDS_RESERVED
		    ? r.rlim_max
		    : CONNECTIONS_MAX + FDS_RESERVED;
		setrlimit(RLIMIT_NOFILE, &r);
		getrlimit(RLIMIT_NOFILE, &r);
	}
	if (r.rlim_cur >= CONNECTIONS_MAX + FDS_RESERVED)
		return CONNECTIONS_MAX;
	return r.rlim_cur > 2 * FDS_RESERVED ? (int64_t)r.rlim_cur - FDS_RESERVED : FDS_RESERVED;
}

static bool
start(struct server *s)
{
	const struct commit_log *log = s->options->log;
	int log_fd = log->wake_fd == NULL ? -1 : log->wake_fd(log);
	int rc = uv_poll_init(&s->loop, &s->accepting, s->listener->fd);
	sigset_t end;

	if (rc == 0)
		rc = uv_poll_init(&s->loop, &s->ticking, s->timer_fd);
	if (rc == 0 && log_fd >= 0)
		rc = uv_poll_init(&s->loop, &s->log, log_fd);
	if (rc != 0 || (log_fd >= 0 && uv_poll_start(&s->log, UV_READABLE, on_log) != 0))
		return false;
	uv_check_init(&s->loop, &s->turn_end);
	uv_idle_init(&s->loop, &s->more);
	uv_signal_init(&s->loop, &s->term);
	uv_signal_init(&s->loop, &s->interrupt);
	uv_signal_init(&s->loop, &s->child);
	s->accepting.data = s->ticking.data = s->turn_end.data = s->more.data = s;
	s->term.data = s->interrupt.data = s->child.data = s;
	if (uv_poll_start(&s->accepting, UV_READABLE, on_accept) != 0 ||
	    uv_poll_start(&s->ticking, UV_READABLE, on_tick) != 0 ||
	    uv_check_start(&s->turn_end, on_turn_end) != 0 ||
	    uv_signal_start(&s->term, on_signal, SIGTERM) != 0 ||
	    uv_signal_start(&s->interrupt, on_signal, SIGINT) != 0 ||
	    uv_signal_start(&s->child, on_child, SIGCHLD) != 0)
		return false;
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigaddset(&end, SIGINT);
	return sigprocmask(SIG_UNBLOCK, &end, NULL) == 0;
}

static void
close_handle(uv_handle_t *h, void *arg)
{
	(void)arg;
	if (!uv_is_closing(h))
		uv_close(h, NULL);
}

static void
finish(struct server *s)
{
	struct conn *c;

	while ((c = TAILQ_FIRST(&s->conns)) != NULL)
		conn_close(c);
	uv_walk(&s->loop, close_handle, NULL);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	uv_loop_close(&s->loop);
	close(s->timer_fd);
	commands_free(&s->commands);
}

bool
server_run(const struct server_options *o, struct listener *l, struct error *err)
{
	struct server s = {
		.options = o,
		.listener = l,
		.timer_boot_ms = INT64_MAX,
		.max_conns = room_for_connections(),
	};

	TAILQ_INIT(&s.conns);
	s.commands = commands_new(o->table, o->log, o->orders, &o->limits);
	if (s.commands == NULL)
		return error_set(err, ERR_INTERNAL, "out of memory");
	s.timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (s.timer_fd < 0 || uv_loop_init(&s.loop) != 0) {
		error_sys(err, ERR_INTERNAL, "timer and loop");
		if (s.timer_fd >= 0)
			close(s.timer_fd);
		commands_free(&s.commands);
		return false;
	}
	if (start(&s)) {
		set_timer(&s, clock_boot_ms()); /* a turn at once: something may be due already */
		uv_run(&s.loop, UV_RUN_DEFAULT);
	} else {
		s.failed = true;
		error_set(&s.why, ERR_INTERNAL, "the event loop cannot start");
	}
	finish(&s);
	if (s.failed)
		*err = s.why;
	return !s.failed;
}
