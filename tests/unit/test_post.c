/* How the courier uses a receiver's connections: against a receiver with an event loop like Node's,
 * which accepts one connection in each of its turns. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/clock.h"
#include "courier/post.h"

enum { CONNECTIONS = 200, POSTS = 40, LINE_MS = 10000 };

/* ---- the receiver, a thread */

struct connection {
	char got[2000];
	size_t n;
	int64_t answer_boot_ms; /* 0: nothing was asked */
};

static struct receiver {
	pthread_t thread;
	int turn_ms, answer_ms;
	atomic_bool stop;
	atomic_int accepted;
	struct pollfd fds[1 + CONNECTIONS]; /* the first one listens */
	struct connection of[1 + CONNECTIONS];
	nfds_t n;
} receiver;

/* False: it is closed. */
static bool
serve(struct connection *c, const struct pollfd *at, int64_t now_boot_ms)
{
	static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";
	ssize_t n;

	if (at->revents != 0) {
		n = read(at->fd, c->got + c->n, sizeof(c->got) - 1 - c->n);
		if (n <= 0)
			return false;
		c->n += (size_t)n;
		c->got[c->n] = '\0';
		if (strstr(c->got, "\r\n\r\n{}") != NULL)
			c->answer_boot_ms = now_boot_ms + receiver.answer_ms;
	}
	if (c->answer_boot_ms != 0 && now_boot_ms >= c->answer_boot_ms) {
		*c = (struct connection){ .n = 0 };
		return write(at->fd, answer, sizeof(answer) - 1) == (ssize_t)sizeof(answer) - 1;
	}
	return true;
}

static void *
receive(void *unused)
{
	struct receiver *r = &receiver;

	while (!atomic_load(&r->stop)) {
		if (poll(r->fds, r->n, 1) < 0)
			break;
		for (nfds_t i = 1; i < r->n; i++)
			if (r->fds[i].fd >= 0 && !serve(&r->of[i], &r->fds[i], clock_boot_ms())) {
				close(r->fds[i].fd);
				r->fds[i].fd = -1;
			}
		if (r->fds[0].revents != 0 && r->n <= CONNECTIONS) {
			r->fds[r->n].fd = accept(r->fds[0].fd, NULL, NULL);
			r->fds[r->n].events = POLLIN;
			r->fds[r->n].revents = 0;
			r->n++;
			atomic_fetch_add(&r->accepted, 1);
		}
		usleep((useconds_t)r->turn_ms * 1000);
	}
	return unused;
}

static struct conf_peer peer;

static void
start_receiver(int turn_ms, int answer_ms)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	struct receiver *r = &receiver;

	memset(r, 0, sizeof(*r));
	r->turn_ms = turn_ms;
	r->answer_ms = answer_ms;
	r->fds[0].fd = socket(AF_INET, SOCK_STREAM, 0);
	r->fds[0].events = POLLIN;
	r->n = 1;
	assert_int_equal(bind(r->fds[0].fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(r->fds[0].fd, 511), 0);
	assert_int_equal(getsockname(r->fds[0].fd, (struct sockaddr *)&at, &len), 0);
	snprintf(peer.url, sizeof(peer.url), "http://127.0.0.1:%d/", ntohs(at.sin_port));
	assert_int_equal(pthread_create(&r->thread, NULL, receive, NULL), 0);
}

static void
stop_receiver(void)
{
	atomic_store(&receiver.stop, true);
	pthread_join(receiver.thread, NULL);
	for (nfds_t i = 0; i < receiver.n; i++)
		if (receiver.fds[i].fd >= 0)
			close(receiver.fds[i].fd);
}

/* ---- the posts */

static uv_loop_t loop;
static struct poster *poster;
static int delivered;

void
task_free(struct task **t)
{
	store_message_clear(&(*t)->message);
	free(*t);
	*t = NULL;
}

static void
on_ended(void *ctx, struct task *t)
{
	assert_ptr_equal(ctx, &loop);
	assert_string_equal(t->try.error, "");
	assert_true(t->try.acknowledged);
	delivered++;
	task_free(&t);
}

/* All at once; how many ms until each is delivered. */
static int64_t
deliver(int n)
{
	int64_t began = clock_boot_ms();

	delivered = 0;
	for (int i = 0; i < n; i++) {
		struct task *t = calloc(1, sizeof(*t));

		assert_non_null(t);
		t->peer = &peer;
		snprintf(t->message.id, sizeof(t->message.id), "m%d", i);
		t->message.body = strdup("{}");
		poster_start(poster, t);
	}
	while (delivered < n) {
		uv_run(&loop, UV_RUN_ONCE);
		assert_true(clock_boot_ms() - began < LINE_MS);
	}
	return clock_boot_ms() - began;
}

static int
setup(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_true(secret_set(&peer.key, "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"));
	assert_int_equal(uv_loop_init(&loop), 0);
	poster = poster_new(&loop, 2 * POSTS, on_ended, &loop, &err);
	assert_non_null(poster);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	poster_close(poster);
	uv_run(&loop, UV_RUN_DEFAULT);
	poster_free(&poster);
	assert_int_equal(uv_loop_close(&loop), 0);
	stop_receiver();
	secret_clear(&peer.key);
	return 0;
}

static void
a_crowd_waits_for_connections_that_are_there(void **state)
{
	(void)state;
	start_receiver(15, 0);
	deliver(POSTS);
	assert_in_range(atomic_load(&receiver.accepted), 4, POSTS / 2);
}

static void
connections_are_kept_for_the_next_crowd(void **state)
{
	int accepted;

	(void)state;
	start_receiver(1, 100);
	deliver(POSTS);
	accepted = atomic_load(&receiver.accepted);
	deliver(1);
	deliver(accepted);
	assert_int_equal(atomic_load(&receiver.accepted), accepted);
}

/* Node closes it after five seconds, perhaps just now. */
static void
a_connection_that_was_idle_for_long_is_not_used(void **state)
{
	(void)state;
	start_receiver(1, 0);
	deliver(1);
	usleep(2000 * 1000);
	deliver(1);
	assert_int_equal(atomic_load(&receiver.accepted), 1);
	usleep(4100 * 1000);
	deliver(1);
	assert_int_equal(atomic_load(&receiver.accepted), 2);
}

static void
a_receiver_that_is_slow_to_answer_gets_more_connections(void **state)
{
	(void)state;
	start_receiver(1, 1000);
	assert_in_range(deliver(POSTS), 1000, 2900); /* four at a time would take ten seconds */
	assert_in_range(atomic_load(&receiver.accepted), POSTS / 2, POSTS);
	assert_in_range(deliver(POSTS), 1000, 2900);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_crowd_waits_for_connections_that_are_there),
		TEST(connections_are_kept_for_the_next_crowd),
		TEST(a_connection_that_was_idle_for_long_is_not_used),
		TEST(a_receiver_that_is_slow_to_answer_gets_more_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
