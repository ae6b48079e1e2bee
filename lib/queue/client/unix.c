/*
 * One connection to roompay-queued, one request at a time, every step with a deadline.
 *
 * When may a request be sent again? A line acts only once its LF has arrived. If the connection
 * was closed before, or a send fails, the line has done nothing: it is sent once more over a new
 * connection (usually the daemon was restarted while this client was idle). Once the kernel has
 * all bytes, the request may have been carried out. The caller hears ERR_UNAVAILABLE, and nothing
 * here sends it again. A `hold` whose answer is lost that way belongs to nobody and expires
 * shortly after its call_ms; until then equal requests are told that it is in progress.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "queue/wire/proto.h"
#include "queue/client/transport.h"

enum {
	SILENCE_MS = 2000, /* a daemon that is silent for so long hangs */
	RECV_MS = 1000,	   /* the socket's own time-out */
	GRACE_MS = 300,	   /* on top of the deadline, at which a waiting verb is answered */
};

struct client {
	struct transport transport; /* first: a client is a transport */
	char *path;
	int fd;		       /* -1: not connected */
	char id[QUEUE_ID_CAP]; /* of the queue at the other end */
	struct buf in;	       /* received, after the last line that was read */
	int unwanted;	       /* answers that are still to come and nobody waits for */
};

static void
hang_up(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->unwanted = 0;
	buf_reset(&c->in);
}

static bool
give_up(struct client *c, struct error *err, const char *why)
{
	hang_up(c);
	return error_set(err, ERR_UNAVAILABLE, "queue at %s: %s", c->path, why);
}

static bool
wait_for_room(struct client *c, int64_t until_boot_ms, struct error *err)
{
	struct pollfd p = { .fd = c->fd, .events = POLLOUT };

	for (;;) {
		int64_t left_ms = until_boot_ms - clock_boot_ms();
		int n;

		if (left_ms <= 0)
			return give_up(c, err, "no answer in time");
		n = poll(&p, 1, left_ms > 60000 ? 60000 : (int)left_ms);
		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return give_up(c, err, strerror(errno));
	}
}

/* False: the daemon does not have the whole line, so it did nothing. */
static bool
send_line(struct client *c, const char *data, size_t len, int64_t until_boot_ms, struct error *err)
{
	while (len > 0) {
		ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			data += n;
			len -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			if (!wait_for_room(c, until_boot_ms, err))
				return false;
		} else if (n < 0 && errno != EINTR)
			return give_up(c, err, strerror(errno));
	}
	return true;
}

/* With much time left the socket's own time-out is enough: one system call for an answer. Near the
 * deadline poll knows the time to the millisecond. Returns what recv does; -1 with EAGAIN: ask
 * again. */
static ssize_t
receive(struct client *c, char *chunk, size_t cap, int64_t until_boot_ms)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	int64_t left_ms = until_boot_ms - clock_boot_ms();

	if (left_ms < RECV_MS && poll(&p, 1, left_ms < 0 ? 0 : (int)left_ms) <= 0) {
		errno = EAGAIN;
		return -1;
	}
	return recv(c->fd, chunk, cap, 0);
}

/* Moves one line, without its LF, from the input to the end of `line`. */
static bool
read_line(struct client *c, struct buf *line, int64_t until_boot_ms, struct error *err)
{
	for (;;) {
		const char *lf = c->in.len == 0 ? NULL : memchr(c->in.data, '\n', c->in.len);
		char chunk[16384];
		ssize_t n;

		if (lf != NULL) {
			size_t len = (size_t)(lf - c->in.data);

			buf_add(line, c->in.data, len);
			buf_drop_front(&c->in, len + 1);
			return true;
		}
		if (c->in.len >= PROTO_LINE_MAX)
			return give_up(c, err, "its answer exceeds the limit of a line");
		n = receive(c, chunk, sizeof(chunk), until_boot_ms);
		if (n > 0)
			buf_add(&c->in, chunk, (size_t)n);
		else if (n == 0)
			return give_up(c, err, "closed the connection");
		else if (errno != EAGAIN && errno != EINTR)
			return give_up(c, err, strerror(errno));
		else if (clock_boot_ms() >= until_boot_ms)
			return give_up(c, err, "no answer in time");
		if (c->in.bad)
			return give_up(c, err, "out of memory for its answer");
	}
}

/* Every connection begins with hello: which queue is this? */
static bool
greet(struct client *c, int64_t until_boot_ms, struct error *err)
{
	static const char hello[] = "hello hello\n";
	struct buf line = BUF_INIT;
	struct proto_message m;
	bool understood;

	if (!send_line(c, hello, sizeof(hello) - 1, until_boot_ms, err) ||
	    !read_line(c, &line, until_boot_ms, err)) {
		buf_clear(&line);
		return false;
	}
	understood = line.len > 0 && proto_parse(line.data, line.len, &m, NULL) == PROTO_OK &&
	    strcmp(m.tag, "hello") == 0 && strcmp(m.word, "ok") == 0 &&
	    proto_num(&m, ARG_VERSION) == PROTO_VERSION && proto_has(&m, ARG_QUEUE);
	if (understood)
		memcpy(c->id, proto_text(&m, ARG_QUEUE), strlen(proto_text(&m, ARG_QUEUE)) + 1);
	buf_clear(&line);
	return understood || give_up(c, err, "does not speak this version of the queue's protocol");
}

/* From now on: recv waits by itself, for RECV_MS at most. connect must not wait. */
static bool
set_blocking(int fd)
{
	struct timeval t = { .tv_sec = RECV_MS / 1000, .tv_usec = RECV_MS % 1000 * 1000 };
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) == 0;
}

static bool
dial(struct client *c, int64_t until_boot_ms, struct error *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	if (strlen(c->path) >= sizeof(sun.sun_path))
		return error_set(err, ERR_UNAVAILABLE, "%s is too long for the path of a socket",
		    c->path);
	memcpy(sun.sun_path, c->path, strlen(c->path) + 1);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return error_sys(err, ERR_UNAVAILABLE, "socket for the queue");
	/* EAGAIN: the backlog of the socket is full; the daemon has not accepted for long */
	if (connect(c->fd, (const struct sockaddr *)&sun, sizeof(sun)) != 0)
		return give_up(c, err, strerror(errno));
	if (!set_blocking(c->fd))
		return give_up(c, err, strerror(errno));
	return greet(c, until_boot_ms, err);
}

static bool
is_expected(struct client *c, struct error *err)
{
	const char *expected = c->transport.expected;

	if (expected[0] == '\0' || strcmp(expected, c->id) == 0)
		return true;
	hang_up(c);
	return error_set(err, ERR_CONFLICT, "the queue at %s is %s, but this site's is %s", c->path,
	    c->id, expected);
}

static bool
send_request(struct client *c, const struct buf *line, int64_t until_boot_ms, struct error *err)
{
	bool was_open = c->fd >= 0; /* the daemon may have closed it: then the send fails */
	struct error first;	    /* of that send: no error if a new connection works */

	if (!was_open && !dial(c, until_boot_ms, err))
		return false;
	if (!is_expected(c, err))
		return false;
	if (send_line(c, line->data, line->len, until_boot_ms, was_open ? &first : err))
		return true;
	return was_open && dial(c, until_boot_ms, err) && is_expected(c, err) &&
	    send_line(c, line->data, line->len, until_boot_ms, err);
}

static bool
is_wait(const struct buf *line, const char *tag)
{
	size_t n = strlen(tag);

	return line->len == n + 5 && memcmp(line->data, tag, n) == 0 &&
	    memcmp(line->data + n, " wait", 5) == 0;
}

/* Nobody waited for it, so only the log can say that it was not as hoped. */
static void
look_at_unwanted(struct buf *line)
{
	const char *said = strchr(buf_str(line), ' ');

	if (said == NULL || strncmp(said, " ok", 3) != 0)
		log_event(LOG_LEVEL_WARN, "queue_disagrees", KV_STR("answer", buf_str(line)));
}

/* The daemon answers in the order of the requests of a connection. */
static bool
pass_over(struct client *c, struct buf *line, int64_t until_boot_ms, struct error *err)
{
	for (; c->unwanted > 0; c->unwanted--) {
		if (!read_line(c, line, until_boot_ms, err))
			return false;
		look_at_unwanted(line);
		buf_reset(line);
	}
	return true;
}

int64_t
client_listens_until(int64_t deadline_boot_ms)
{
	int64_t until_boot_ms = clock_boot_ms() + SILENCE_MS;

	return until_boot_ms < deadline_boot_ms ? until_boot_ms : deadline_boot_ms;
}

static bool
tell(struct transport *t, const struct buf *line, int64_t deadline_boot_ms, struct error *err)
{
	struct client *c = (struct client *)(void *)t;

	if (!send_request(c, line, client_listens_until(deadline_boot_ms), err))
		return false;
	c->unwanted++;
	return true;
}

static bool
exchange(struct transport *t, const char *tag, const struct buf *line, bool waits,
    int64_t deadline_boot_ms, struct buf *answer, struct error *err)
{
	struct client *c = (struct client *)(void *)t;
	int64_t end = deadline_boot_ms + (waits ? GRACE_MS : 0), until = client_listens_until(end);

	if (!send_request(c, line, until, err) || !pass_over(c, answer, until, err) ||
	    !read_line(c, answer, until, err))
		return false;
	if (waits && is_wait(answer, tag)) {
		buf_reset(answer);
		if (!read_line(c, answer, end, err))
			return false;
	}
	if (c->in.len > 0)
		return give_up(c, err, "sent more than one answer");
	return true;
}

static void
reset(struct transport *t)
{
	hang_up((struct client *)(void *)t);
}

static void
client_free(struct transport **t)
{
	struct client *c = (struct client *)(void *)*t;

	if (c == NULL)
		return;
	hang_up(c);
	buf_clear(&c->in);
	free(c->path);
	free(c);
	*t = NULL;
}

struct transport *
client_new(const char *path)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL || (c->path = strdup(path)) == NULL) {
		free(c);
		return NULL;
	}
	c->transport.exchange = exchange;
	c->transport.tell = tell;
	c->transport.reset = reset;
	c->transport.free = client_free;
	c->fd = -1;
	return &c->transport;
}
