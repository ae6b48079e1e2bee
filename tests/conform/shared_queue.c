#include "config.h"

#include "shared_queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "queue/client/transport.h"
#include "queue/wire/proto.h"
#include "queue/wire/verb.h"
#include "queued/command.h"
#include "tests/unit/fake_log.h"

enum { DAEMONS = 2 };

struct daemon {
	struct fake_log log;
	struct hold_table *table;
	struct order_log *orders;
	struct commands *commands;
	struct peer peer;
};

struct site {
	struct transport transport; /* first: a site is a transport */
	struct shared_log shared;
	struct daemon daemon[DAEMONS];
	unsigned turn;
	char dir[40];
};

static bool
end_turn(struct daemon *d, struct error *err)
{
	int64_t next_boot_ms;

	if (!command_end_turn(d->commands, clock_now(), &next_boot_ms, err))
		return false;
	while (command_next_news(d->commands) != NULL)
		;
	return true;
}

/* Everybody hears of the log, then one of them is asked. Looks and pokes are for the first one:
 * they do not go through the log. */
static struct daemon *
choose(struct site *s, const struct buf *line, struct error *err)
{
	struct buf copy = BUF_INIT;
	struct proto_message m;
	enum verb_id verb = VERB_HELLO;
	bool known;

	for (int i = 0; i < DAEMONS; i++)
		if (!end_turn(&s->daemon[i], err))
			return NULL;
	buf_add(&copy, line->data, line->len);
	known = proto_parse(copy.data, copy.len - 1, &m, NULL) == PROTO_OK &&
	    verb_check(&m, &verb, NULL);
	buf_clear(&copy);
	return &s->daemon[known && verb_get(verb)->decide != NULL ? s->turn++ % DAEMONS : 0];
}

/* Moves the first line to `answer`. */
static bool
take_line(struct daemon *d, struct buf *answer)
{
	struct buf *out = &d->peer.out;
	const char *lf = out->len == 0 ? NULL : memchr(out->data, '\n', out->len);
	size_t len = lf == NULL ? 0 : (size_t)(lf - out->data);

	if (lf == NULL)
		return false;
	buf_reset(answer);
	buf_add(answer, out->data, len);
	buf_drop_front(out, len + 1);
	return true;
}

static bool
is_wait(const struct buf *answer)
{
	return answer->len > 5 && memcmp(answer->data + answer->len - 5, " wait", 5) == 0;
}

static bool
exchange(struct transport *t, const char *tag, const struct buf *line, bool waits,
    int64_t deadline_boot_ms, struct buf *answer, struct error *err)
{
	struct site *s = (struct site *)(void *)t;
	struct daemon *d = choose(s, line, err);
	struct buf copy = BUF_INIT;

	(void)tag;
	(void)waits;
	if (d == NULL)
		return false;
	if (t->expected[0] != '\0' && strcmp(t->expected, d->log.log.queue_id(&d->log.log)) != 0)
		return error_set(err, ERR_CONFLICT, "the shared queue is not %s", t->expected);
	buf_add(&copy, line->data, line->len);
	command_line(d->commands, &d->peer, copy.data, copy.len - 1, clock_now());
	buf_clear(&copy);
	while (clock_boot_ms() < deadline_boot_ms + 300) {
		if (!end_turn(d, err))
			return false;
		if (take_line(d, answer) && !is_wait(answer))
			return true;
		usleep(1000);
	}
	return error_set(err, ERR_UNAVAILABLE, "no answer in time");
}

static void
reset(struct transport *t)
{
	(void)t;
}

static void
site_free(struct transport **t)
{
	struct site *s = (struct site *)(void *)*t;
	char command[80];

	for (int i = 0; i < DAEMONS; i++) {
		command_peer_gone(s->daemon[i].commands, &s->daemon[i].peer);
		commands_free(&s->daemon[i].commands);
		hold_table_free(&s->daemon[i].table);
		order_log_close(&s->daemon[i].orders);
		fake_log_clear(&s->daemon[i].log);
	}
	shared_log_clear(&s->shared);
	snprintf(command, sizeof(command), "rm -r %s", s->dir);
	if (system(command) != 0)
		abort();
	free(s);
	*t = NULL;
}

struct queue *
queue_open_shared(const struct hold_limits *limits)
{
	const struct hold_load load = { .max_ready = 1000, .max_all = 1000 };
	struct site *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	strcpy(s->dir, "/tmp/shared-queue-XXXXXX");
	if (mkdtemp(s->dir) == NULL)
		abort();
	for (int i = 0; i < DAEMONS; i++) {
		struct daemon *d = &s->daemon[i];

		fake_log_open(&d->log, &s->shared, true);
		d->table = hold_table_new(limits);
		d->orders = order_log_open(s->dir, &disk_system_io, limits->order_memory_ms,
		    clock_now(), NULL);
		d->commands = commands_new(d->table, &d->log.log, d->orders, &load);
		if (d->table == NULL || d->orders == NULL || d->commands == NULL)
			abort();
		peer_init(&d->peer);
	}
	s->transport.exchange = exchange;
	s->transport.reset = reset;
	s->transport.free = site_free;
	return queue_over(&s->transport);
}
