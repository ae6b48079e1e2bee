#include "config.h"

#include "queued/look.h"

#include "base/clock.h"
#include "queued/callers.h"
#include "queued/rule.h"
#include "queued/say.h"

static void
hello(struct commands *c, const struct request *rq)
{
	struct proto_message said;

	verb_hello(&said, rq->m->tag, c->table, c->log->fence(c->log));
	proto_set_text(&said, ARG_QUEUE, c->log->queue_id(c->log));
	proto_set_num(&said, ARG_UP_MS, clock_boot_ms() - c->began_boot_ms);
	say(c, rq->peer, &said);
}

/* The same picture as the rules have: the table, seen by the clock of now. A shared log that is
 * away may have gone on without us, for ever so long. */
static void
list(struct commands *c, const struct request *rq, struct now now)
{
	const char *away = commands_away(c);
	struct buf held = BUF_INIT;
	struct proto_message said;
	uint64_t next;

	if (away != NULL) {
		say_message(c, rq->peer, rq->m->tag, "unavailable", away);
		return;
	}
	verb_list(c->table, proto_text(rq->m, ARG_ROOM), (uint64_t)proto_num(rq->m, ARG_AFTER),
	    rule_time(c, now), &held, &next);
	proto_begin(&said, rq->m->tag, "ok");
	proto_set_text(&said, ARG_HELD, buf_str(&held));
	if (next != 0)
		proto_set_num(&said, ARG_NEXT, (int64_t)next);
	say(c, rq->peer, &said);
	buf_clear(&held);
}

static void
stats(struct commands *c, const struct request *rq)
{
	struct buf counts = BUF_INIT;
	struct proto_message said;

	verb_stats(c->table, &counts);
	buf_printf(&counts, ",calls:%lld,waiters:%lld,watchers:%lld,connections:%lld",
	    (long long)c->load.calls, (long long)c->load.waiters, (long long)c->n_watchers,
	    (long long)c->n_connections);
	buf_printf(&counts, ",max_calls_ready:%lld,max_calls:%lld", (long long)c->load.max_ready,
	    (long long)c->load.max_all);
	c->log->add_counts(c->log, &counts);
	commit_times_format(&c->times, &counts);
	proto_begin(&said, rq->m->tag, "ok");
	proto_set_text(&said, ARG_COUNTS, buf_str(&counts));
	say(c, rq->peer, &said);
	buf_clear(&counts);
}

static void
poke(struct commands *c, const struct request *rq)
{
	c->pokes++;
	callers_end_watches(c);
	say_message(c, rq->peer, rq->m->tag, "ok", "");
}

static void
inquire(struct commands *c, const struct request *rq)
{
	int64_t again_ms =
	    inquiry_limit_take(&c->inquiries, (uint64_t)proto_num(rq->m, ARG_ID), clock_boot_ms());
	struct proto_message said;

	proto_begin(&said, rq->m->tag, "ok");
	if (again_ms > 0)
		proto_set_num(&said, ARG_RETRY_MS, again_ms);
	say(c, rq->peer, &said);
}

static void
watch(struct commands *c, const struct request *rq)
{
	if (proto_num(rq->m, ARG_SEEN) != c->pokes || !callers_park(c, rq, 0))
		say_pokes(c, rq->peer, rq->m->tag);
	else
		say_wait(c, rq->peer, rq->m->tag);
}

void
look(struct commands *c, const struct request *rq, struct now now)
{
	static void (*const looks[VERB__MAX])(struct commands * c, const struct request *rq) = {
		[VERB_HELLO] = hello,
		[VERB_STATS] = stats,
		[VERB_INQUIRE] = inquire,
		[VERB_POKE] = poke,
		[VERB_WATCH] = watch,
	};

	if (rq->verb == VERB_LIST)
		list(c, rq, now);
	else
		looks[rq->verb](c, rq);
}
