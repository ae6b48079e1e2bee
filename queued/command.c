#include "config.h"

#include "queued/command.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "queue/wire/proto.h"
#include "queue/wire/verb.h"

enum {
	RETRY_MS = 1000,		/* when to come again where no rule knows better */
	WAIT_MAX_MS = 10 * 60 * 1000,	/* a deadline further away is a mistake */
	WAITERS_MAX = 10000,		/* watchers included; far above what the limits let through */
	SPARE_AGAIN_MS = 1000,		/* after the disk was full */
	OUTCOME_ROOM = 1024 * 1024,	/* bytes of the last segment kept for the ends of what was promised */
};

struct call {			/* a call to KakaoPay under way: a granted hold, or approve */
	enum verb_id verb;	/* VERB_HOLD, VERB_APPROVE */
	uint64_t id;
	struct peer *peer;
	TAILQ_ENTRY(call) all;
};

struct waiter {
	enum verb_id verb;	/* VERB_HOLD, VERB_APPROVE, VERB_WATCH */
	uint64_t id;		/* the hold; watch: 0 */
	struct peer *peer;
	char tag[PROTO_TAG_CAP];
	int64_t deadline_boot_ms;
	struct buf line;	/* the request, to ask it again */
	bool woken;
	TAILQ_ENTRY(waiter) all;
};

TAILQ_HEAD(calls, call);
TAILQ_HEAD(waiters, waiter);
TAILQ_HEAD(news, peer);

/* How long a turn's sync may take, us; what took longer than all of them is counted last. */
enum { COMMAND_SYNC_BOUNDS = 9 };
static const int64_t command_sync_bounds_us[COMMAND_SYNC_BOUNDS] = { 500, 1000, 2000, 5000, 10000, 25000, 50000, 100000, 1000000 };

struct commands {
	struct hold_table *table;
	struct journal *journal;
	struct order_log *log;
	struct hold_load load;	/* kept up to date */
	int64_t n_watchers, n_connections, pokes;
	struct calls calls;
	struct waiters waiters;
	struct news news;
	int64_t next_spare_boot_ms;
	bool is_full;		/* the disk: said so in the log */
	int64_t began_boot_ms;
	int64_t syncs[COMMAND_SYNC_BOUNDS + 1], sync_us;	/* of the journal: how many took how long, and all of them together */
	struct buf scratch;	/* an answer under construction */
	bool failed;
	struct error why;
};

struct commands *
commands_new(struct hold_table *t, struct journal *j, struct order_log *log, const struct hold_load *limits)
{
	struct commands *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->table = t;
	c->journal = j;
	c->log = log;
	c->load = *limits;
	c->began_boot_ms = clock_boot_ms();
	TAILQ_INIT(&c->calls);
	TAILQ_INIT(&c->waiters);
	TAILQ_INIT(&c->news);
	return c;
}

void
peer_init(struct peer *p)
{
	memset(p, 0, sizeof(*p));
}

/* The first failure is the one to report; after it nothing is decided any more. */
static void
fail(struct commands *c, const struct error *why)
{
	if (!c->failed)
		c->why = *why;
	c->failed = true;
}

/* ---- answers */

void
command_add_news(struct commands *c, struct peer *p)
{
	if (!p->has_news)
		TAILQ_INSERT_TAIL(&c->news, p, news);
	p->has_news = true;
}

struct peer *
command_next_news(struct commands *c)
{
	struct peer *p = TAILQ_FIRST(&c->news);

	if (p == NULL)
		return NULL;
	TAILQ_REMOVE(&c->news, p, news);
	p->has_news = false;
	return p;
}

static void
say(struct commands *c, struct peer *p, const struct proto_message *m)
{
	proto_format(m, &p->out);
	command_add_news(c, p);
}

static void
say_message(struct commands *c, struct peer *p, const char *tag, const char *word, const char *message)
{
	struct proto_message m;

	proto_begin(&m, tag, word);
	proto_set_text(&m, ARG_MESSAGE, message);
	say(c, p, &m);
}

static void
say_in_progress(struct commands *c, struct peer *p, const char *tag, const char *failure)
{
	struct proto_message m;

	proto_begin(&m, tag, hold_answer_name(HA_IN_PROGRESS));
	proto_set_num(&m, ARG_RETRY_MS, RETRY_MS);
	proto_set_text(&m, ARG_FAILURE, failure);
	say(c, p, &m);
}

static void
say_pokes(struct commands *c, struct peer *p, const char *tag)
{
	struct proto_message m;

	proto_begin(&m, tag, "ok");
	proto_set_num(&m, ARG_POKES, c->pokes);
	say(c, p, &m);
}

/* ---- calls */

static struct call *
find_call(struct commands *c, enum verb_id verb, uint64_t id)
{
	struct call *call;

	TAILQ_FOREACH(call, &c->calls, all)
		if (call->verb == verb && call->id == id)
			return call;
	return NULL;
}

static void
end_call(struct commands *c, struct call *call)
{
	if (call == NULL)
		return;
	TAILQ_REMOVE(&c->calls, call, all);
	c->load.calls--;
	free(call);
}

/* Granted again (an approve whose deadline has long passed): the call is now the newcomer's. */
static void
begin_call(struct commands *c, enum verb_id verb, uint64_t id, struct peer *p)
{
	struct call *call = find_call(c, verb, id);

	if (call == NULL && (call = calloc(1, sizeof(*call))) == NULL)
		return;		/* counts one less: the limits are no promise */
	if (call->peer == NULL) {
		TAILQ_INSERT_TAIL(&c->calls, call, all);
		c->load.calls++;
	}
	call->verb = verb;
	call->id = id;
	call->peer = p;
}

/* ---- waiters */

static void
forget_waiter(struct commands *c, struct waiter *w)
{
	TAILQ_REMOVE(&c->waiters, w, all);
	if (w->verb == VERB_WATCH)
		c->n_watchers--;
	else
		c->load.waiters--;
	buf_clear(&w->line);
	free(w);
}

static bool
park(struct commands *c, struct peer *p, enum verb_id verb, const struct proto_message *m, uint64_t id)
{
	struct waiter *w;

	if (c->load.waiters + c->n_watchers >= WAITERS_MAX || (w = calloc(1, sizeof(*w))) == NULL)
		return false;
	w->verb = verb;
	w->id = id;
	w->peer = p;
	memcpy(w->tag, m->tag, sizeof(w->tag));
	w->deadline_boot_ms = proto_num(m, ARG_DEADLINE);
	proto_format(m, &w->line);
	TAILQ_INSERT_TAIL(&c->waiters, w, all);
	if (verb == VERB_WATCH)
		c->n_watchers++;
	else
		c->load.waiters++;
	return true;
}

/* What a waiter hears when it is of no use to wait on. */
static void
dismiss(struct commands *c, struct waiter *w, const char *failure)
{
	if (w->verb == VERB_WATCH)
		say_pokes(c, w->peer, w->tag);
	else
		say_in_progress(c, w->peer, w->tag, failure);
	forget_waiter(c, w);
}

static void
dismiss_all(struct commands *c, enum verb_id verb, uint64_t id, const char *failure)
{
	struct waiter *w, *next;

	for (w = TAILQ_FIRST(&c->waiters); w != NULL; w = next) {
		next = TAILQ_NEXT(w, all);
		if (w->verb == verb && w->id == id)
			dismiss(c, w, failure);
	}
}

static bool
has_changed(const struct hold_changes *changed, uint64_t id)
{
	for (size_t i = 0; i < changed->n; i++)
		if (changed->id[i] == id)
			return true;
	return changed->all;
}

static void
wake(struct commands *c, const struct hold_changes *changed)
{
	struct waiter *w;

	TAILQ_FOREACH(w, &c->waiters, all)
		if (w->verb != VERB_WATCH && has_changed(changed, w->id))
			w->woken = true;
}

void
command_peer_gone(struct commands *c, struct peer *p)
{
	struct waiter *w, *next_w;
	struct call *call, *next_call;

	for (w = TAILQ_FIRST(&c->waiters); w != NULL; w = next_w) {
		next_w = TAILQ_NEXT(w, all);
		if (w->peer == p)
			forget_waiter(c, w);
	}
	for (call = TAILQ_FIRST(&c->calls); call != NULL; call = next_call) {
		next_call = TAILQ_NEXT(call, all);
		if (call->peer != p)
			continue;
		dismiss_all(c, call->verb, call->id, "");
		end_call(c, call);
	}
	if (p->has_news)
		TAILQ_REMOVE(&c->news, p, news);
	p->has_news = false;
	buf_clear(&p->out);
}

/* ---- rules */

static bool
record_and_apply(struct commands *c, const struct buf *record, struct hold_changes *changed)
{
	struct error err;

	memset(changed, 0, sizeof(*changed));
	if (record->len == 0)
		return true;
	if (journal_append(c->journal, record->data, record->len, &err) &&
	    hold_table_apply(c->table, record->data, record->len, changed, &err))
		return true;
	fail(c, &err);
	return false;
}

/* What expired has no leader that will answer: those who waited for it are told so. What is over is over
 * without being written down, too, so the last room on a full disk is left for outcomes. */
static int64_t
expire(struct commands *c, struct now now)
{
	struct buf record = BUF_INIT;
	struct hold_changes changed;
	struct error err;
	int64_t next_boot_ms = INT64_MAX;
	size_t len;

	if (!journal_has_spare(c->journal) && journal_left(c->journal) < OUTCOME_ROOM)
		return now.boot_ms + SPARE_AGAIN_MS;
	do {
		buf_clear(&record);
		if (!hold_table_expire(c->table, now, &record, &next_boot_ms, &err)) {
			fail(c, &err);
			break;
		}
		len = record.len;
		if (!record_and_apply(c, &record, &changed))
			break;
		for (size_t i = 0; i < changed.n; i++)
			dismiss_all(c, VERB_HOLD, changed.id[i], "");
		wake(c, &changed);
	} while (len > 0);
	buf_clear(&record);
	return next_boot_ms;
}

/* A full disk is said once, and once when it has room again. */
int64_t
command_make_room(struct commands *c, struct now now)
{
	struct error err;

	if (journal_has_spare(c->journal) || c->failed)
		return INT64_MAX;
	if (now.boot_ms < c->next_spare_boot_ms)
		return c->next_spare_boot_ms;
	if (journal_make_spare(c->journal, &err)) {
		if (c->is_full)
			log_event(LOG_LEVEL_INFO, "journal_has_room", KV_BOOL("holds_refused", false));
		c->is_full = false;
		return INT64_MAX;
	}
	if (!c->is_full)
		log_event(LOG_LEVEL_ERROR, "journal_no_room", KV_BOOL("holds_refused", true), KV_ERR(&err));
	c->is_full = true;
	c->next_spare_boot_ms = now.boot_ms + SPARE_AGAIN_MS;
	return c->next_spare_boot_ms;
}

/* No new promise without room for its end. */
static bool
has_room(struct commands *c, enum verb_id verb, struct now now)
{
	if (verb != VERB_HOLD && verb != VERB_APPROVE)
		return true;
	if (order_log_is_behind(c->log))
		return false;
	command_make_room(c, now);	/* else this turn has used the spare */
	return journal_has_spare(c->journal) ||
	    (verb == VERB_APPROVE && journal_left(c->journal) > OUTCOME_ROOM);
}

static void
count(struct commands *c, struct peer *p, enum verb_id verb, const struct proto_message *m,
    enum hold_answer_code code, uint64_t granted)
{
	uint64_t id = (uint64_t)proto_num(m, ARG_ID);

	if ((verb == VERB_HOLD || verb == VERB_APPROVE) && code == HA_OK)
		begin_call(c, verb, granted, p);
	if (verb == VERB_READY || verb == VERB_FAIL)
		end_call(c, find_call(c, VERB_HOLD, id));
	if (verb == VERB_OUTCOME && code == HA_OK)
		end_call(c, find_call(c, VERB_APPROVE, id));
}

static void
wait_or_leave(struct commands *c, struct peer *p, enum verb_id verb, const struct proto_message *m,
    uint64_t id, bool again)
{
	struct proto_message said;

	if (find_call(c, verb, id) == NULL || !park(c, p, verb, m, id)) {
		say_in_progress(c, p, m->tag, "");	/* nobody is there who would end it */
		return;
	}
	if (again)
		return;
	proto_begin(&said, m->tag, hold_answer_name(HA_WAIT));
	say(c, p, &said);
}

/* What the ledger tells of an attempt, for the log alone. */
static bool
view_of_memory(const struct proto_message *m, struct hold_view *v)
{
	*v = (struct hold_view){ .cid = proto_text(m, ARG_CID), .order = proto_text(m, ARG_ORDER), .user = proto_text(m, ARG_USER), .room = proto_text(m, ARG_ROOM),
		.tid = proto_text(m, ARG_TID), .attempt = proto_text(m, ARG_ATTEMPT), .token = (uint64_t)proto_num(m, ARG_TOKEN), .n = proto_num(m, ARG_N),
		.last_n = proto_num(m, ARG_LAST_N) };
	return v->tid[0] != '\0' && hold_state_parse(proto_text(m, ARG_STATE), &v->state);
}

/* What reaches approving, and whatever becomes of it, is kept longer than its hold. What the ledger reached to is in the table only once this is applied. */
static void
note_order(struct commands *c, enum verb_id verb, const struct proto_message *m, const struct hold_answer *a)
{
	bool tells_n = verb == VERB_OUTCOME || verb == VERB_REMOVE;
	struct hold_view h = a->hold;

	if (verb == VERB_REMEMBER && a->code == HA_OK && view_of_memory(m, &h)) {
		order_log_note(c->log, &h, proto_text(m, ARG_KEY));
		return;
	}
	if (a->code != HA_OK || a->record.len == 0 || h.token == 0 || (!tells_n && verb != VERB_APPROVE && verb != VERB_TAKE_OVER))
		return;
	if (tells_n && proto_num(m, ARG_N) > h.last_n)
		h.last_n = proto_num(m, ARG_N);
	order_log_note(c->log, &h, proto_text(m, ARG_KEY));
}

static void
carry_out(struct commands *c, struct peer *p, enum verb_id verb, const struct proto_message *m,
    struct hold_answer *a)
{
	struct proto_message said;
	struct buf conflicts = BUF_INIT;
	struct hold_changes changed;
	enum hold_answer_code code = a->code;
	uint64_t id = a->hold.id;

	/* written down before apply: it borrows from the table */
	buf_reset(&c->scratch);
	verb_answer(&said, m->tag, a, &conflicts);
	proto_format(&said, &c->scratch);
	buf_clear(&conflicts);
	if (verb == VERB_FAIL)
		dismiss_all(c, VERB_HOLD, (uint64_t)proto_num(m, ARG_ID), proto_text(m, ARG_FAILURE));
	note_order(c, verb, m, a);
	if (!record_and_apply(c, &a->record, &changed))
		return;
	if (c->scratch.bad)
		p->out.bad = true;
	buf_add(&p->out, c->scratch.data, c->scratch.len);
	command_add_news(c, p);
	count(c, p, verb, m, code, id);
	wake(c, &changed);
}

static void
rule(struct commands *c, struct peer *p, enum verb_id verb, const struct proto_message *m, struct now now,
    bool again)
{
	struct hold_answer a;
	struct error err;

	memset(&a, 0, sizeof(a));
	if (!verb_get(verb)->decide(c->table, m, &c->load, now, &a, &err))
		say_message(c, p, m->tag, "error", err.msg);
	else if (a.code == HA_WAIT)
		wait_or_leave(c, p, verb, m, a.hold.id, again);
	else if (a.record.len > 0 && !has_room(c, verb, now))
		say_message(c, p, m->tag, "unavailable", "no room for the journal");
	else
		carry_out(c, p, verb, m, &a);
	hold_answer_clear(&a);
}

/* ---- verbs without a rule */

static void
hello(struct commands *c, struct peer *p, const struct proto_message *m)
{
	struct proto_message said;

	verb_hello(&said, m->tag, c->table, journal_has_spare(c->journal) ? "" : "no-room");
	proto_set_text(&said, ARG_QUEUE, journal_queue_id(c->journal));
	proto_set_num(&said, ARG_UP_MS, clock_boot_ms() - c->began_boot_ms);
	say(c, p, &said);
}

static void
list(struct commands *c, struct peer *p, const struct proto_message *m)
{
	struct buf held = BUF_INIT;
	struct proto_message said;
	uint64_t next;

	verb_list(c->table, proto_text(m, ARG_ROOM), (uint64_t)proto_num(m, ARG_AFTER), &held, &next);
	proto_begin(&said, m->tag, "ok");
	proto_set_text(&said, ARG_HELD, buf_str(&held));
	if (next != 0)
		proto_set_num(&said, ARG_NEXT, (int64_t)next);
	say(c, p, &said);
	buf_clear(&held);
}

static void
stats(struct commands *c, struct peer *p, const struct proto_message *m)
{
	struct buf counts = BUF_INIT;
	struct proto_message said;
	struct journal_size size;

	journal_size(c->journal, &size);
	verb_stats(c->table, &counts);
	buf_printf(&counts, ",calls:%lld,waiters:%lld,watchers:%lld,connections:%lld",
	    (long long)c->load.calls, (long long)c->load.waiters, (long long)c->n_watchers,
	    (long long)c->n_connections);
	buf_printf(&counts, ",max_calls_ready:%lld,max_calls:%lld", (long long)c->load.max_ready,
	    (long long)c->load.max_all);
	buf_printf(&counts, ",journal_records:%llu,journal_segments:%lld,snapshot_bytes:%lld",
	    (unsigned long long)size.last_seq, (long long)size.segments, (long long)size.snapshot_bytes);
	buf_printf(&counts, ",sync_us:%lld", (long long)c->sync_us);
	for (size_t i = 0; i <= COMMAND_SYNC_BOUNDS; i++)
		buf_printf(&counts, ",syncs_%lld:%lld", i < COMMAND_SYNC_BOUNDS ? (long long)command_sync_bounds_us[i] : 0, (long long)c->syncs[i]);
	proto_begin(&said, m->tag, "ok");
	proto_set_text(&said, ARG_COUNTS, buf_str(&counts));
	say(c, p, &said);
	buf_clear(&counts);
}

static void
poke(struct commands *c, struct peer *p, const struct proto_message *m)
{
	struct waiter *w, *next;

	c->pokes++;
	for (w = TAILQ_FIRST(&c->waiters); w != NULL; w = next) {
		next = TAILQ_NEXT(w, all);
		if (w->verb == VERB_WATCH)
			dismiss(c, w, "");
	}
	say_message(c, p, m->tag, "ok", "");
}

static void
watch(struct commands *c, struct peer *p, const struct proto_message *m)
{
	struct proto_message said;

	if (proto_num(m, ARG_SEEN) != c->pokes || !park(c, p, VERB_WATCH, m, 0)) {
		say_pokes(c, p, m->tag);
		return;
	}
	proto_begin(&said, m->tag, hold_answer_name(HA_WAIT));
	say(c, p, &said);
}

static void
look(struct commands *c, struct peer *p, enum verb_id verb, const struct proto_message *m)
{
	static void (*const looks[VERB__MAX])(struct commands *c, struct peer *p,
	    const struct proto_message *m) = {
		[VERB_HELLO] = hello, [VERB_LIST] = list, [VERB_STATS] = stats, [VERB_POKE] = poke,
		[VERB_WATCH] = watch,
	};

	looks[verb](c, p, m);
}

/* ---- the turn */

static void
execute(struct commands *c, struct peer *p, enum verb_id verb, const struct proto_message *m,
    struct now now, bool again)
{
	int64_t left_ms = proto_num(m, ARG_DEADLINE) - now.boot_ms;

	if (verb_get(verb)->waits && left_ms > WAIT_MAX_MS)
		say_message(c, p, m->tag, "error", "deadline is too far away");
	else if (verb_get(verb)->decide == NULL)
		look(c, p, verb, m);
	else if (verb_get(verb)->waits && left_ms <= 0)
		/* asked by somebody who has given up: nothing is granted */
		say_in_progress(c, p, m->tag, "");
	else
		rule(c, p, verb, m, now, again);
}

/* A waiting hold asks again. A waiting approve must begin with the ledger, so it is told to. */
static void
ask_again(struct commands *c, struct waiter *w, struct now now)
{
	struct peer *p = w->peer;
	enum verb_id verb = w->verb;
	struct proto_message m;
	struct buf line = w->line;
	bool whole = !line.bad && proto_parse(line.data, line.len - 1, &m, NULL) == PROTO_OK;

	w->line = (struct buf)BUF_INIT;
	if (!whole || verb == VERB_APPROVE)
		say_message(c, p, w->tag, hold_answer_name(whole ? HA_REPLAY : HA_IN_PROGRESS), "");
	forget_waiter(c, w);
	if (whole && verb == VERB_HOLD)
		execute(c, p, verb, &m, now, true);
	buf_clear(&line);
}

/* Asking again may change holds and wake others. */
static void
run_woken(struct commands *c, struct now now)
{
	struct waiter *w;

	while (!c->failed) {
		TAILQ_FOREACH(w, &c->waiters, all)
			if (w->woken)
				break;
		if (w == NULL)
			return;
		ask_again(c, w, now);
	}
}

bool
command_line(struct commands *c, struct peer *p, char *line, size_t len, struct now now)
{
	struct proto_message m;
	enum proto_result result;
	enum verb_id verb;
	struct error err;

	if (c->failed)
		return true;
	result = proto_parse(line, len, &m, &err);
	if (result == PROTO_GARBAGE)
		return false;
	if (result == PROTO_WRONG || !verb_check(&m, &verb, &err)) {
		say_message(c, p, m.tag, "error", err.msg);
		return true;
	}
	expire(c, now);
	if (!c->failed)
		execute(c, p, verb, &m, now, false);
	run_woken(c, now);
	return true;
}

int64_t
command_time(struct commands *c, struct now now)
{
	struct waiter *w, *next;
	int64_t next_boot_ms;

	if (c->failed)
		return INT64_MAX;
	next_boot_ms = expire(c, now);
	run_woken(c, now);
	for (w = TAILQ_FIRST(&c->waiters); w != NULL; w = next) {
		next = TAILQ_NEXT(w, all);
		if (w->deadline_boot_ms <= now.boot_ms)
			dismiss(c, w, "");
		else if (w->deadline_boot_ms < next_boot_ms)
			next_boot_ms = w->deadline_boot_ms;
	}
	return next_boot_ms;
}

static void
note_sync(struct commands *c, int64_t us)
{
	size_t i = 0;

	while (i < COMMAND_SYNC_BOUNDS && us > command_sync_bounds_us[i])
		i++;
	c->syncs[i]++;
	c->sync_us += us;
}

bool
command_commit(struct commands *c, struct error *err)
{
	bool dirty = journal_is_dirty(c->journal), done;
	int64_t began_us = clock_boot_us();

	if (c->failed) {
		*err = c->why;
		return false;
	}
	done = journal_sync(c->journal, err);
	if (dirty)
		note_sync(c, clock_boot_us() - began_us);
	return done;
}

void
command_set_connections(struct commands *c, int64_t n)
{
	c->n_connections = n;
}

void
commands_free(struct commands **c)
{
	if (*c == NULL)
		return;
	assert(TAILQ_EMPTY(&(*c)->waiters) && TAILQ_EMPTY(&(*c)->calls));	/* every peer is gone */
	buf_clear(&(*c)->scratch);
	free(*c);
	*c = NULL;
}
