#include "config.h"

#include "pair_queue.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "queue/client/transport.h"
#include "queue/wire/proto.h"
#include "queue/wire/verb.h"

enum { DAEMONS = 2, READ_ALIKE_MS = 2000 };

struct pair {
	struct transport transport; /* first: a pair is a transport */
	struct transport *daemon[DAEMONS];
	unsigned turn;
};

/* How far this daemon has read the log; -1: it does not say. */
static long long
number_of(struct transport *t)
{
	static const char name[] = "log_number:";
	struct buf line = BUF_INIT, answer = BUF_INIT;
	long long n = -1;
	const char *at;

	buf_add_str(&line, "s stats\n");
	if (t->exchange(t, "s", &line, false, clock_boot_ms() + 1000, &answer, NULL) &&
	    (at = strstr(buf_str(&answer), name)) != NULL)
		n = strtoll(at + sizeof(name) - 1, NULL, 10);
	buf_clear(&line);
	buf_clear(&answer);
	return n;
}

static void
wait_until_alike(struct pair *p)
{
	int64_t until_ms = clock_boot_ms() + READ_ALIKE_MS;

	while (number_of(p->daemon[0]) != number_of(p->daemon[1]) && clock_boot_ms() < until_ms)
		usleep(1000);
}

/* Looks and pokes do not go through the log: they are for the first one. */
static bool
goes_through_the_log(const struct buf *line)
{
	struct buf copy = BUF_INIT;
	struct proto_message m;
	enum verb_id verb;
	bool yes;

	buf_add(&copy, line->data, line->len);
	yes = proto_parse(copy.data, copy.len - 1, &m, NULL) == PROTO_OK &&
	    verb_check(&m, &verb, NULL) && verb_get(verb)->decide != NULL;
	buf_clear(&copy);
	return yes;
}

static bool
exchange(struct transport *t, const char *tag, const struct buf *line, bool waits,
    int64_t deadline_boot_ms, struct buf *answer, struct error *err)
{
	struct pair *p = (struct pair *)(void *)t;
	struct transport *d = p->daemon[goes_through_the_log(line) ? p->turn++ % DAEMONS : 0];

	wait_until_alike(p);
	memcpy(d->expected, t->expected, sizeof(d->expected));
	return d->exchange(d, tag, line, waits, deadline_boot_ms, answer, err);
}

static void
reset(struct transport *t)
{
	struct pair *p = (struct pair *)(void *)t;

	for (int i = 0; i < DAEMONS; i++)
		p->daemon[i]->reset(p->daemon[i]);
}

static void
pair_free(struct transport **t)
{
	struct pair *p = (struct pair *)(void *)*t;

	for (int i = 0; i < DAEMONS; i++)
		p->daemon[i]->free(&p->daemon[i]);
	free(p);
	*t = NULL;
}

struct queue *
queue_open_pair(const char *socket, const char *other_socket)
{
	struct pair *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->daemon[0] = client_new(socket);
	p->daemon[1] = client_new(other_socket);
	if (p->daemon[0] == NULL || p->daemon[1] == NULL)
		abort();
	p->transport.exchange = exchange;
	p->transport.reset = reset;
	p->transport.free = pair_free;
	return queue_over(&p->transport);
}
