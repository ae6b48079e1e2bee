#include "config.h"

#include "scripted_server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"

static void
server_answer(struct server *s, int fd, enum action act)
{
	size_t len = act == ACT_BIG ? 65537 : act == ACT_FULL ? 65536 : strlen(s->body);
	struct buf b = BUF_INIT;

	buf_printf(&b,
	    "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
	    s->status, len);
	if (act == ACT_CUT)
		buf_add(&b, s->body, len / 2);
	else if (act == ACT_ANSWER)
		buf_add_str(&b, s->body);
	else
		for (size_t i = 0; i < len; i++)
			buf_add_char(&b, 'x');
	for (size_t done = 0; done < b.len;) {
		ssize_t n = send(fd, b.data + done, b.len - done, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	buf_clear(&b);
}

static void
server_hang_up(struct conn *c)
{
	close(c->fd);
	c->fd = -1;
	c->len = 0;
}

/* A whole request is there. */
static void
server_act(struct server *s, struct conn *c)
{
	int i = atomic_load(&s->requests);
	enum action act = i < ACTIONS_MAX ? s->actions[i] : ACT_CLOSE;

	memcpy(s->last, c->in, c->len + 1);
	c->len = 0;
	atomic_fetch_add(&s->requests, 1);
	if (act != ACT_CLOSE && act != ACT_SILENT)
		server_answer(s, c->fd, act);
	if (act == ACT_CLOSE || act == ACT_CUT)
		server_hang_up(c);
}

static void
server_read(struct server *s, struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->len, sizeof(c->in) - 1 - c->len, 0);
	const char *body, *length;

	if (n <= 0) {
		atomic_fetch_add(n < 0 && errno == ECONNRESET ? &s->resets : &s->closes, 1);
		server_hang_up(c);
		return;
	}
	c->len += (size_t)n;
	c->in[c->len] = '\0';
	if (c->in[0] == 0x16 && s->hang_up_on_tls) {
		server_hang_up(c);
		return;
	}
	body = strstr(c->in, "\r\n\r\n");
	length = strstr(c->in, "Content-Length: ");
	if (body != NULL && length != NULL && strlen(body + 4) >= strtoul(length + 16, NULL, 10))
		server_act(s, c);
}

static void *
server_run(void *ctx)
{
	struct server *s = ctx;

	for (;;) {
		struct pollfd p[2 + CONNS_MAX] = { { s->stop[0], POLLIN, 0 },
			{ s->listener, POLLIN, 0 } };

		for (int i = 0; i < CONNS_MAX; i++)
			p[2 + i] = (struct pollfd){ s->conns[i].fd, POLLIN, 0 };
		poll(p, COUNT(p), -1);
		if (p[0].revents != 0)
			return NULL;
		for (int i = 0; i < CONNS_MAX; i++)
			if (p[2 + i].revents != 0)
				server_read(s, &s->conns[i]);
		if (p[1].revents == 0)
			continue;
		for (int i = 0; i < CONNS_MAX; i++)
			if (s->conns[i].fd < 0) {
				s->conns[i].fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
				atomic_fetch_add(&s->accepted, 1);
				break;
			}
	}
}

int
listen_on_loopback(int *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

struct server *
server_start(const enum action *actions, size_t n)
{
	struct server *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	memcpy(s->actions, actions, n * sizeof(actions[0]));
	s->status = "200 OK";
	s->body = "{}";
	for (int i = 0; i < CONNS_MAX; i++)
		s->conns[i].fd = -1;
	assert_int_equal(pipe2(s->stop, O_CLOEXEC), 0);
	s->listener = listen_on_loopback(&s->port);
	assert_int_equal(listen(s->listener, 16), 0);
	return s;
}

void
server_go(struct server *s)
{
	assert_int_equal(pthread_create(&s->thread, NULL, server_run, s), 0);
}

void
server_stop(struct server *s)
{
	assert_int_equal(write(s->stop[1], "x", 1), 1);
	pthread_join(s->thread, NULL);
	for (int i = 0; i < CONNS_MAX; i++)
		if (s->conns[i].fd >= 0)
			close(s->conns[i].fd);
	close(s->listener);
	close(s->stop[0]);
	close(s->stop[1]);
	free(s);
}

void
sleep_ms(int ms)
{
	poll(NULL, 0, ms);
}

void
wait_for(atomic_int *counter, int value)
{
	for (int i = 0; i < 300 && atomic_load(counter) < value; i++)
		sleep_ms(10);
	assert_int_equal(atomic_load(counter), value);
}
