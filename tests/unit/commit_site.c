#include "config.h"

#include "commit_site.h"

static void
daemon_open(struct site *s, struct daemon *d, bool may_lose)
{
	struct hold_load limits = { .max_ready = 4, .max_all = 6 };
	struct error err;

	fake_log_open(&d->f, &s->shared, may_lose);
	d->table = world_table(&s->w);
	d->orders = order_log_open(s->dir, &disk_system_io, DAY, s->w.now, &err);
	assert_non_null(d->orders);
	d->c = commands_new(d->table, &d->f.log, d->orders, &limits);
	assert_non_null(d->c);
	for (int i = 0; i < PEERS; i++)
		peer_init(&d->peer[i]);
}

struct site *
site_open(bool may_lose)
{
	struct site *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	world_open(&s->w);
	strcpy(s->dir, "/tmp/commit-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	for (int i = 0; i < DAEMONS; i++)
		daemon_open(s, &s->d[i], may_lose);
	return s;
}

void
turn(struct site *s, struct daemon *d)
{
	struct error err = { 0 };
	struct peer *p;

	if (!command_end_turn(d->c, s->w.now, &d->next_boot_ms, &err))
		fail_msg("%s", err.msg);
	while ((p = command_next_news(d->c)) != NULL) {
		size_t i = (size_t)(p - d->peer), len = strlen(d->heard[i]);

		assert_true(len + p->out.len < sizeof(d->heard[i]));
		memcpy(d->heard[i] + len, buf_str(&p->out), p->out.len + 1);
		buf_reset(&p->out);
	}
}

void
site_assert_agree(struct site *s)
{
	for (int i = 0; i < DAEMONS; i++) {
		s->d[i].f.delays = s->d[i].f.deaf = s->d[i].f.waits = false;
		turn(s, &s->d[i]);
	}
	for (int i = 0; s->d[0].f.log.may_lose && i < DAEMONS; i++) {
		struct buf applied = BUF_INIT;
		struct hold_table *replayed;

		for (size_t n = 0; n < s->d[i].f.applied; n++)
			buf_add(&applied, s->shared.batch[n].data, s->shared.batch[n].len);
		replayed = world_replay(&s->w, &applied);
		world_assert_equal(s->d[i].table, replayed);
		hold_table_free(&replayed);
		buf_clear(&applied);
	}
}

void
site_close(struct site *s)
{
	char command[128];

	for (int i = 0; i < DAEMONS; i++) {
		struct daemon *d = &s->d[i];

		for (int k = 0; k < PEERS; k++)
			command_peer_gone(d->c, &d->peer[k]);
		commands_free(&d->c);
		hold_table_free(&d->table);
		order_log_close(&d->orders);
		fake_log_clear(&d->f);
	}
	shared_log_clear(&s->shared);
	world_close(&s->w);
	snprintf(command, sizeof(command), "rm -r %s", s->dir);
	assert_int_equal(system(command), 0);
	free(s);
}

/* ---- a conversation: a connection says a line and hears one */

void
ask(struct site *s, struct daemon *d, int peer, const char *line)
{
	static char copy[70000];

	snprintf(copy, sizeof(copy), "%s", line);
	assert_true(command_line(d->c, &d->peer[peer], copy, strlen(copy), s->w.now));
}

void
ask_hold_of(struct site *s, struct daemon *d, int peer, const char *user, const char *room,
    const char *order, const char *set)
{
	char line[400];

	snprintf(line, sizeof(line),
	    "h hold cid=" CID " order=%s user=%s room=%s set=%s"
	    " fingerprint=%s%s%s attempt={} ttl_ms=600000 call_ms=13000 deadline=%lld",
	    order, user, room, set, user, room, order, (long long)(s->w.now.boot_ms + 15000));
	ask(s, d, peer, line);
}

void
ask_hold(struct site *s, struct daemon *d, int peer, const char *name)
{
	char user[20], order[20];

	snprintf(user, sizeof(user), "u%s", name);
	snprintf(order, sizeof(order), "o%s", name);
	ask_hold_of(s, d, peer, user, name, order, "600-720");
}

const char *
hear(struct daemon *d, int peer)
{
	static char line[70000];
	size_t len = strcspn(d->heard[peer], "\n");

	memcpy(line, d->heard[peer], len);
	line[len] = '\0';
	if (d->heard[peer][len] == '\n')
		len++;
	memmove(d->heard[peer], d->heard[peer] + len, strlen(d->heard[peer] + len) + 1);
	return line;
}

void
expect(struct daemon *d, int peer, const char *begin)
{
	const char *line = hear(d, peer);

	if (strncmp(line, begin, strlen(begin)) != 0 || (begin[0] == '\0' && line[0] != '\0'))
		fail_msg("heard \"%s\", not \"%s\"", line, begin);
}

int64_t
count_of(struct site *s, struct daemon *d, const char *name)
{
	char member[64];
	const char *at;

	snprintf(member, sizeof(member), "%s:", name);
	ask(s, d, PEERS - 1, "s stats");
	turn(s, d);
	at = strstr(hear(d, PEERS - 1), member);
	return at == NULL ? -1 : strtoll(at + strlen(member), NULL, 10);
}

uint64_t
open_hold(struct site *s, struct daemon *d, int peer, const char *name)
{
	char line[100];
	uint64_t id;

	ask_hold(s, d, peer, name);
	turn(s, d);
	id = strtoull(strstr(hear(d, peer), " id=") + 4, NULL, 10);
	snprintf(line, sizeof(line), "r ready id=%llu tid=T%s answer={}", (unsigned long long)id,
	    name);
	ask(s, d, peer, line);
	turn(s, d);
	expect(d, peer, "r ok ");
	return id;
}

void
ask_approve(struct site *s, struct daemon *d, int peer, uint64_t id)
{
	char line[100];

	snprintf(line, sizeof(line), "a approve id=%llu n=1 key=00ff deadline=%lld",
	    (unsigned long long)id, (long long)(s->w.now.boot_ms + 11000));
	ask(s, d, peer, line);
}
