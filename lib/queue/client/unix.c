/*
 * One connection to roompay-queued, one request at a time, every step with a deadline.
 *
 * When may a request be sent again? A line acts only when its LF has arrived. So a connection that is found
 * closed before sending, or a send that fails, has done nothing: the line goes out once more over a fresh
 * connection (the daemon was restarted while we were idle). From the moment all bytes are with the kernel
 * the request may have been carried out, and the caller hears ERR_UNAVAILABLE; it is never sent again from
 * here. A `hold` whose answer was lost this way stays held by nobody and expires by itself shortly after
 * its call_ms; equal requests are told in-progress until then.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "queue/wire/proto.h"
#include "queue/client/transport.h"

enum {
	SILENCE_MS = 2000,	/* a daemon that says nothing for so long hangs */
	GRACE_MS = 300,		/* a waiting verb's answer comes at its deadline: the way back */
};

struct client {
	struct transport transport;	/* first: a client is a transport */
	char *path;
	int fd;				/* -1: not connected */
	char id[QUEUE_ID_CAP];		/* of the queue at the other end */
	struct buf in;			/* what came after the last line taken */
};

static void
hang_up(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	buf_reset(&c->in);
}

static bool
give_up(struct client *c, struct error *err, const char *why)
{
	hang_up(c);
	return error_set(err, ERR_UNAVAILABLE, "queue at %s: %s", c->path, why);
}

static bool
wait_for(struct client *c, short events, int64_t until_boot_ms, struct error *err)
{
	struct pollfd p = { .fd = c->fd, .events = events };

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

/* False: the line is not with the daemon as a whole, it did nothing. */
static bool
send_line(struct client *c, const char *data, size_t len, int64_t until_boot_ms, struct error *err)
{
	while (len > 0) {
		ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);

		if (n > 0) {
			data += n;
			len -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			if (!wait_for(c, POLLOUT, until_boot_ms, err))
				return false;
		} else if (n < 0 && errno != EINTR)
			return give_up(c, err, strerror(errno));
	}
	return true;
}

/* One line, without its LF, is moved from the input to the end of `line`. */
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
			return give_up(c, err, "answers with an endless line");
		if (!wait_for(c, POLLIN, until_boot_ms, err))	/* an answer is never there at once */
			return false;
		n = recv(c->fd, chunk, sizeof(chunk), 0);
		if (n > 0)
			buf_add(&c->in, chunk, (size_t)n);
		else if (n == 0)
			return give_up(c, err, "closed the connection");
		else if (errno != EAGAIN && errno != EINTR)
			return give_up(c, err, strerror(errno));
		if (c->in.bad)
			return give_up(c, err, "no memory for its answer");
	}
}

/* Every connection begins with the question who is there. */
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
	return understood || give_up(c, err, "is no queue that speaks this protocol");
}

static bool
dial(struct client *c, int64_t until_boot_ms, struct error *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	if (strlen(c->path) >= sizeof(sun.sun_path))
		return error_set(err, ERR_UNAVAILABLE, "%s is too long a path for a socket",
		    c->path);
	memcpy(sun.sun_path, c->path, strlen(c->path) + 1);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return error_sys(err, ERR_UNAVAILABLE, "socket for the queue");
	/* EAGAIN: the daemon has not accepted for so long that its backlog is full */
	if (connect(c->fd, (const struct sockaddr *)&sun, sizeof(sun)) != 0)
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
	bool pooled = c->fd >= 0;	/* where the daemon has closed it meanwhile, the first send fails */
	struct error first;	/* why the idle connection was no good: nobody's error if a fresh one is */

	if (!pooled && !dial(c, until_boot_ms, err))
		return false;
	if (!is_expected(c, err))
		return false;
	if (send_line(c, line->data, line->len, until_boot_ms, pooled ? &first : err))
		return true;
	return pooled && dial(c, until_boot_ms, err) && is_expected(c, err) &&
	    send_line(c, line->data, line->len, until_boot_ms, err);
}

static bool
is_wait(const struct buf *line, const char *tag)
{
	size_t n = strlen(tag);

	return line->len == n + 5 && memcmp(line->data, tag, n) == 0 &&
	    memcmp(line->data + n, " wait", 5) == 0;
}

static bool
exchange(struct transport *t, const char *tag, const struct buf *line, bool waits,
    int64_t deadline_boot_ms, struct buf *answer, struct error *err)
{
	struct client *c = (struct client *)(void *)t;
	int64_t until = clock_boot_ms() + SILENCE_MS,
	    end = deadline_boot_ms + (waits ? GRACE_MS : 0);

	if (until > end)
		until = end;
	if (!send_request(c, line, until, err) || !read_line(c, answer, until, err))
		return false;
	if (waits && is_wait(answer, tag)) {
		buf_reset(answer);
		if (!read_line(c, answer, end, err))
			return false;
	}
	if (c->in.len > 0)
		return give_up(c, err, "answered more than it was asked");
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
	c->transport.reset = reset;
	c->transport.free = client_free;
	c->fd = -1;
	return &c->transport;
}
