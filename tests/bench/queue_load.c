/*
 * A load of durable holds for tests/bench/holds.py. Each connection sends one request and waits for
 * its answer. Three protocols carry the same payload.
 *
 *	queue_load roompay|redis|beanstalkd|hot SOCKET[,SOCKET...] CLIENTS SECONDS
 *	-> RESULT done seconds p50_us p99_us refused p999_us
 *
 * hot: roompay, with everybody after the same time of the same room. Clients take the sockets in
 * turns.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* roompay counts a granted hold as a call to KakaoPay, until its connection closes, and refuses
 * more than 1000. So its connections are made anew now and then, which costs roompay alone. */
enum {
	CLIENTS_MAX = 1024,
	SERVERS_MAX = 64,
	SAMPLES_MAX = 400000,
	LINE = 4096,
	HOLDS_A_CONNECTION = 10
};

#define FINGERPRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ATTEMPT \
	"{\"partner_user_id\":\"p-0123456789\",\"item_name\":\"room\",\"quantity\":1," \
	"\"total_amount\":2200,\"tax_free_amount\":0,\"intervals\":\"600-720\"," \
	"\"reservation_info\":{\"day\":[1],\"startTime\":[10],\"endTime\":[12]," \
	"\"roomId\":\"64b000000000000000000001\"}}"

/* The rule of the queue for Redis: if no live hold of the room overlaps, the new one is kept with
 * its payload until it expires. */
static const char script[] =
    "local held = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[2]) "
    "for i = 1, #held do local e = string.match(held[i], '-(%d+)') "
    "if tonumber(e) > tonumber(ARGV[1]) then return 0 end end "
    "redis.call('ZADD', KEYS[1], ARGV[1], ARGV[1] .. '-' .. ARGV[2]) "
    "redis.call('SET', KEYS[2], ARGV[3], 'PX', 600000) return 1";

struct client {
	pthread_t thread;
	int number, fd;
	size_t n, refused;
	uint32_t *us;
};

static enum { ROOMPAY, REDIS, BEANSTALKD } protocol;
static int is_hot;
static const char *paths[SERVERS_MAX];
static int n_paths;
static double seconds;
static char sha[64];
static _Atomic int run_id;

static int64_t
now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

static int
dial(int client)
{
	const char *path = paths[client % n_paths];
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0)
		fail(path);
	return fd;
}

static void
ask(int fd, const char *text, size_t len, char answer[LINE])
{
	size_t n = 0;

	while (len > 0) {
		ssize_t done = write(fd, text, len);

		if (done <= 0)
			fail("write");
		text += done;
		len -= (size_t)done;
	}
	while (n == 0 || answer[n - 1] != '\n') {
		ssize_t done = read(fd, answer + n, LINE - 1 - n);

		if (done <= 0)
			fail("read");
		n += (size_t)done;
	}
	answer[n] = '\0';
}

/* Each room has forty different times; the next forty requests are for another room. */
static int
request(char out[LINE], int client, size_t i)
{
	char room[40], user[40], key[80];
	int start = (int)(i % 40) * 120, run = run_id;
	int n;

	snprintf(room, sizeof(room), "%08x%04x%012zx", (unsigned)run, (unsigned)client, i / 40);
	snprintf(user, sizeof(user), "u-%d-%d-%zu", run, client, i);
	if (is_hot) {
		strcpy(room, "64b000000000000000000001");
		start = 600;
	}
	if (protocol == ROOMPAY)
		return snprintf(out, LINE,
		    "h hold cid=TC0ONETIME order=o-%s user=%s room=%s set=%d-%d"
		    " fingerprint=" FINGERPRINT " attempt=" ATTEMPT
		    " ttl_ms=600000 call_ms=60000 deadline=%lld\n",
		    user, user, room, start, start + 60,
		    (long long)(now_ns(CLOCK_BOOTTIME) / 1000000 + 5000));
	if (protocol == BEANSTALKD) {
		char body[1024];

		n = snprintf(body, sizeof(body), "%s %s %d-%d " FINGERPRINT " " ATTEMPT, user, room,
		    start, start + 60);
		return snprintf(out, LINE, "put 0 0 600 %d\r\n%s\r\n", n, body);
	}
	n = snprintf(key, sizeof(key), "h:%s", user);
	return snprintf(out, LINE,
	    "*8\r\n$7\r\nEVALSHA\r\n$40\r\n%s\r\n$1\r\n2\r\n$24\r\n%s\r\n$%d\r\n%s\r\n"
	    "$%d\r\n%d\r\n$%d\r\n%d\r\n$%zu\r\n%s\r\n",
	    sha, room, n, key, snprintf(NULL, 0, "%d", start), start,
	    snprintf(NULL, 0, "%d", start + 60), start + 60, strlen(FINGERPRINT ATTEMPT),
	    FINGERPRINT ATTEMPT);
}

static void *
work(void *arg)
{
	static const char *const good[] = { " ok ", ":1", "INSERTED" };
	struct client *c = arg;
	char text[LINE], answer[LINE];
	int64_t end = now_ns(CLOCK_MONOTONIC) + (int64_t)(seconds * 1e9);

	while (c->n < SAMPLES_MAX) {
		int len = request(text, c->number, c->n);
		int64_t began = now_ns(CLOCK_MONOTONIC);

		if (began >= end)
			break;
		if (protocol == ROOMPAY && c->n % HOLDS_A_CONNECTION == HOLDS_A_CONNECTION - 1) {
			close(c->fd);
			c->fd = dial(c->number);
		}
		ask(c->fd, text, (size_t)len, answer);
		c->us[c->n++] = (uint32_t)((now_ns(CLOCK_MONOTONIC) - began) / 1000);
		if (strstr(answer, good[protocol]) == NULL && c->refused++ == 0 && !is_hot)
			fprintf(stderr, "refused: %.200s\n", answer);
	}
	return NULL;
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	static struct client clients[CLIENTS_MAX];
	static uint32_t *all;
	size_t n = 0, refused = 0;
	int n_clients;
	int64_t began;
	double took;

	if (argc != 5 || (n_clients = atoi(argv[3])) < 1 || n_clients > CLIENTS_MAX)
		return 2;
	is_hot = strcmp(argv[1], "hot") == 0;
	protocol = is_hot || strcmp(argv[1], "roompay") == 0 ? ROOMPAY
	    : strcmp(argv[1], "redis") == 0		     ? REDIS
							     : BEANSTALKD;
	for (char *p = strtok(argv[2], ","); p != NULL && n_paths < SERVERS_MAX;
	     p = strtok(NULL, ","))
		paths[n_paths++] = p;
	seconds = atof(argv[4]);
	run_id = (int)getpid();
	if (protocol == REDIS) {
		char text[LINE], answer[LINE];
		int fd = dial(0),
		    len = snprintf(text, sizeof(text),
			"*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n$%zu\r\n%s\r\n", strlen(script),
			script);

		ask(fd, text, (size_t)len, answer);
		if (answer[0] != '$')
			fail(answer);
		memcpy(sha, strchr(answer, '\n') + 1, 40);
		close(fd);
	}
	for (int i = 0; i < n_clients; i++) {
		clients[i] = (struct client){ .number = i,
			.fd = dial(i),
			.us = malloc(SAMPLES_MAX * sizeof(uint32_t)) };
	}
	began = now_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < n_clients; i++)
		pthread_create(&clients[i].thread, NULL, work, &clients[i]);
	for (int i = 0; i < n_clients; i++) {
		pthread_join(clients[i].thread, NULL);
		n += clients[i].n;
		refused += clients[i].refused;
	}
	took = (double)(now_ns(CLOCK_MONOTONIC) - began) / 1e9;
	all = malloc((n + 1) * sizeof(*all));
	n = 0;
	for (int i = 0; i < n_clients; i++) {
		memcpy(all + n, clients[i].us, clients[i].n * sizeof(*all));
		n += clients[i].n;
	}
	qsort(all, n, sizeof(*all), by_value);
	printf("RESULT %zu %.3f %u %u %zu %u\n", n, took, all[n / 2], all[n * 99 / 100], refused,
	    all[n * 999 / 1000]);
	return 0;
}
