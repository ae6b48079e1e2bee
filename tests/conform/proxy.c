#include "config.h"

#include "proxy.h"

#include <arpa/inet.h>
#include <bson/bson.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PAIRS = 64 };

struct pipe_pair {
	int client, server;
	enum proxy_fault fault; /* of the request that was forwarded last */
};

static int
connect_to(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void
close_pair(struct pipe_pair *p)
{
	close(p->client);
	close(p->server);
	p->client = p->server = -1;
}

/* A command of ours comes in one piece: small, and TCP_NODELAY on the other side. */
static void
forward_request(struct pipe_pair *p, struct proxy_orders *o)
{
	char data[65536];
	ssize_t len = read(p->client, data, sizeof(data));
	bool hit =
	    len > 0 && o->times > 0 && memmem(data, (size_t)len, o->word, strlen(o->word)) != NULL;

	if (hit)
		o->times--;
	if (len <= 0 || (hit && o->fault == PROXY_LOSE_REQUEST)) {
		close_pair(p);
		return;
	}
	if (memmem(data, (size_t)len, o->word, strlen(o->word)) != NULL)
		o->seen++;
	p->fault = hit ? o->fault : PROXY_FAITHFUL;
	if (write(p->server, data, (size_t)len) != len)
		close_pair(p);
}

enum { HEAD = 16 + 4 + 1 }; /* OP_MSG: header, flags, kind of the section */

static bool
is_rewritten(const char *name, enum proxy_fault fault)
{
	return fault == PROXY_OTHER_TERM
	    ? strcmp(name, "electionId") == 0
	    : strcmp(name, "writeConcernError") == 0 || strcmp(name, "ok") == 0;
}

/* The answer as a server would give it that has this fault; its first HEAD bytes stay, but for the
 * length. */
static void
falsify(const bson_t *answer, enum proxy_fault fault, bson_t *out)
{
	bson_iter_t it;
	bson_oid_t other;

	if (fault == PROXY_NOT_PRIMARY) {
		BCON_APPEND(out, "ok", BCON_DOUBLE(0), "code", BCON_INT32(10107), "codeName",
		    BCON_UTF8("NotWritablePrimary"), "errmsg", BCON_UTF8("not primary"));
		return;
	}
	for (bson_iter_init(&it, answer); bson_iter_next(&it);)
		if (!is_rewritten(bson_iter_key(&it), fault))
			bson_append_iter(out, NULL, 0, &it);
	if (fault == PROXY_OTHER_TERM) {
		bson_oid_init_from_string(&other, "7fffffff00000000000fffff");
		bson_append_oid(out, "electionId", -1, &other);
		return;
	}
	BCON_APPEND(out, "writeConcernError", "{", "code", BCON_INT32(64), "errmsg",
	    BCON_UTF8("waiting for replication timed out"), "}", "ok", BCON_DOUBLE(1));
}

static size_t
rewrite(char *data, size_t len, size_t cap, enum proxy_fault fault)
{
	bson_t answer, out = BSON_INITIALIZER;
	int32_t total;

	assert_true(len > HEAD && bson_init_static(&answer, (uint8_t *)data + HEAD, len - HEAD));
	falsify(&answer, fault, &out);
	assert_true(HEAD + out.len <= cap);
	memcpy(data + HEAD, bson_get_data(&out), out.len);
	total = (int32_t)(HEAD + out.len);
	memcpy(data, &total, sizeof(total)); /* little-endian, like every machine that runs this
						test */
	bson_destroy(&out);
	return (size_t)total;
}

static void
forward_answer(struct pipe_pair *p)
{
	char data[65536];
	ssize_t len = read(p->server, data, sizeof(data));

	if (p->fault == PROXY_MUTE && len > 0)
		return;
	if (len > 0 &&
	    (p->fault == PROXY_MISS_MAJORITY || p->fault == PROXY_NOT_PRIMARY ||
		p->fault == PROXY_OTHER_TERM))
		len = (ssize_t)rewrite(data, (size_t)len, sizeof(data), p->fault);
	if (len <= 0 || p->fault == PROXY_LOSE_ANSWER || write(p->client, data, (size_t)len) != len)
		close_pair(p);
}

static void
accept_pair(struct pipe_pair *p, int listener, int to_port)
{
	*p =
	    (struct pipe_pair){ accept(listener, NULL, NULL), connect_to(to_port), PROXY_FAITHFUL };
	if (p->client < 0 || p->server < 0)
		close_pair(p);
}

_Noreturn static void
run(int listener, int to_port, struct proxy_orders *o)
{
	struct pipe_pair pairs[PAIRS];
	struct pollfd fds[1 + 2 * PAIRS];
	size_t unused;

	for (size_t i = 0; i < PAIRS; i++)
		pairs[i] = (struct pipe_pair){ -1, -1, PROXY_FAITHFUL };
	for (;;) {
		fds[0] = (struct pollfd){ listener, POLLIN, 0 };
		for (size_t i = 0; i < PAIRS; i++) {
			fds[1 + 2 * i] = (struct pollfd){ pairs[i].client, POLLIN, 0 };
			fds[2 + 2 * i] = (struct pollfd){ pairs[i].server, POLLIN, 0 };
		}
		if (poll(fds, 1 + 2 * PAIRS, -1) < 0 && errno != EINTR)
			_exit(1);
		for (size_t i = 0; i < PAIRS; i++) {
			if (pairs[i].client >= 0 && fds[1 + 2 * i].revents != 0)
				forward_request(&pairs[i], o);
			if (pairs[i].client >= 0 && fds[2 + 2 * i].revents != 0)
				forward_answer(&pairs[i]);
		}
		for (unused = 0; unused < PAIRS && pairs[unused].client >= 0; unused++)
			continue;
		if (fds[0].revents != 0 && unused < PAIRS)
			accept_pair(&pairs[unused], listener, to_port);
	}
}

void
proxy_start(struct proxy *x)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)x->port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
	socklen_t len = sizeof(at);

	if (x->orders == NULL)
		x->orders = mmap(NULL, sizeof(*x->orders), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(fd >= 0 && x->orders != MAP_FAILED);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, PAIRS), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	x->port = ntohs(at.sin_port);
	x->pid = fork();
	if (x->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		run(fd, x->to_port, x->orders);
	}
	assert_true(x->pid > 0);
	close(fd);
}

void
proxy_stop(struct proxy *x)
{
	kill(x->pid, SIGKILL);
	waitpid(x->pid, NULL, 0);
	x->pid = 0;
}

void
proxy_free(struct proxy *x)
{
	if (x->pid > 0)
		proxy_stop(x);
	if (x->orders != NULL)
		munmap(x->orders, sizeof(*x->orders));
	x->orders = NULL;
}

void
proxy_order(struct proxy *x, enum proxy_fault f, int times, const char *word)
{
	assert_true(strlen(word) < sizeof(x->orders->word));
	strcpy(x->orders->word, word);
	x->orders->fault = f;
	x->orders->seen = 0;
	x->orders->times = times;
}
