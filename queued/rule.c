#include "config.h"

#include "queued/rule.h"

#include <string.h>

#include "booking/hold_record.h"
#include "queued/callers.h"
#include "queued/say.h"

/* On a log that several machines share, other machines' clocks may be ahead of ours by so much.
 * What this machine promises to end by itself is written down as that much later. */
enum { CLOCKS_DIFFER_MS = 2000 };

/* ---- the table's time, and this machine's. What ends at a time of the table, ends here when this
 * machine's clock is there, whatever was the time of the last record. */

struct now
rule_time(const struct commands *c, struct now now)
{
	return c->log->time == NULL ? now : hold_table_time(c->table, c->log->time(c->log, now));
}

/* So much later than this machine's boot clock is the clock of the log. */
static int64_t
log_ahead_ms(const struct commands *c, struct now now)
{
	return c->log->time == NULL ? 0 : c->log->time(c->log, now).boot_ms - now.boot_ms;
}

/* The request as the table must see it. */
static const struct proto_message *
to_table_time(const struct request *rq, int64_t by_ms, struct proto_message *copy)
{
	*copy = *rq->m;
	if (proto_has(copy, ARG_DEADLINE))
		copy->num[ARG_DEADLINE] += by_ms + CLOCKS_DIFFER_MS;
	if (proto_has(copy, ARG_CALL_MS))
		copy->num[ARG_CALL_MS] += CLOCKS_DIFFER_MS;
	return copy;
}

static void
shift(int64_t *ms, int64_t by_ms)
{
	if (*ms != 0)
		*ms += by_ms;
}

/* The hold as this machine's programs must see it. */
static void
from_table_time(struct hold_view *h, int64_t by_ms)
{
	shift(&h->expires_boot_ms, -by_ms);
	shift(&h->window_boot_ms, -by_ms);
	shift(&h->deadline_boot_ms, -by_ms - CLOCKS_DIFFER_MS);
}

int64_t
rule_heard_until(const struct request *rq)
{
	int64_t deadline = proto_num(rq->m, ARG_DEADLINE), until = proto_num(rq->m, ARG_UNTIL);

	return proto_has(rq->m, ARG_UNTIL) && until < deadline ? until : deadline;
}

bool
rule_decide(struct commands *c, const struct request *rq, struct now now, struct hold_answer *a)
{
	struct now there = rule_time(c, now);
	int64_t by_ms = there.boot_ms - now.boot_ms;
	bool shared = c->log->time != NULL;
	struct hold_load load = c->load;
	struct proto_message copy;
	struct error err;

	memset(a, 0, sizeof(*a));
	load.calls += c->batch.n_calls;
	if (verb_get(rq->verb)->decide(c->table, shared ? to_table_time(rq, by_ms, &copy) : rq->m,
		&load, there, a, &err)) {
		if (shared)
			from_table_time(&a->hold, log_ahead_ms(c, now));
		return true;
	}
	say_message(c, rq->peer, rq->m->tag, "error", err.msg);
	return false;
}

bool
rule_expire(struct commands *c, struct now now, struct buf *record, int64_t *next_boot_ms)
{
	struct now there = rule_time(c, now);
	struct error err;

	if (!hold_table_expire(c->table, there, record, next_boot_ms, &err)) {
		commands_fail(c, &err);
		return false;
	}
	if (*next_boot_ms != INT64_MAX)
		*next_boot_ms -= log_ahead_ms(c, now);
	return true;
}

static void
wait_or_leave(struct commands *c, const struct request *rq, uint64_t id)
{
	if (!callers_has_call(c, verb_get(rq->verb)->begins, id) || !callers_park(c, rq, id))
		/* nobody here would end it */
		say_in_progress(c, rq->peer, rq->m->tag, "");
	else if (!rq->again)
		say_wait(c, rq->peer, rq->m->tag);
}

/* Nothing is promised unless there is room for its end. */
static bool
has_room(struct commands *c, enum verb_promise promise, struct now now)
{
	if (promise != PROMISE_NOTHING && order_log_is_behind(c->orders))
		return false;
	return c->log->has_room(c->log, promise, now);
}

bool
rule_ends_early(struct commands *c, const struct request *rq, const struct hold_answer *a,
    struct now now)
{
	if (a->code == HA_WAIT)
		wait_or_leave(c, rq, a->hold.id);
	else if (a->record.len > 0 && !has_room(c, verb_get(rq->verb)->promises, now))
		say_message(c, rq->peer, rq->m->tag, "unavailable", "no room for the journal");
	else
		return false;
	return true;
}

/* What the ledger tells of an attempt. */
static bool
view_of_told(const struct proto_message *m, struct hold_view *v)
{
	*v = (struct hold_view){
		.cid = proto_text(m, ARG_CID),
		.order = proto_text(m, ARG_ORDER),
		.user = proto_text(m, ARG_USER),
		.room = proto_text(m, ARG_ROOM),
		.tid = proto_text(m, ARG_TID),
		.attempt = proto_text(m, ARG_ATTEMPT),
		.token = (uint64_t)proto_num(m, ARG_TOKEN),
		.n = proto_num(m, ARG_N),
		.last_n = proto_num(m, ARG_LAST_N),
	};
	return v->tid[0] != '\0' && hold_state_parse(proto_text(m, ARG_STATE), &v->state);
}

/* Orders that reach approving are kept longer than their holds, with all that becomes of them. The
 * table does not know the request's ledger number before the record is applied. */
static void
note_order(struct commands *c, const struct request *rq, const struct hold_answer *a)
{
	enum verb_note note = verb_get(rq->verb)->notes;
	struct hold_view h = a->hold;

	if (note == NOTE_NOTHING || a->code != HA_OK)
		return;
	if (note == NOTE_TOLD) {
		if (view_of_told(rq->m, &h))
			order_log_note(c->orders, &h, proto_text(rq->m, ARG_KEY));
		return;
	}
	if (a->record.len == 0 || h.token == 0)
		return;
	if (note == NOTE_NUMBER && proto_num(rq->m, ARG_N) > h.last_n)
		h.last_n = proto_num(rq->m, ARG_N);
	order_log_note(c->orders, &h, proto_text(rq->m, ARG_KEY));
}

void
rule_note_followed(struct commands *c, const void *record, size_t len)
{
	struct record_reader r;
	struct change change;
	struct hold_view h;

	if (!record_open(&r, record, len))
		return;
	while (record_next(&r, &change))
		if ((change.kind == CHANGE_HOLD || change.kind == CHANGE_LIFE) &&
		    change.life.token != 0 && hold_table_show(c->table, change.id, &h))
			order_log_note(c->orders, &h, change.key);
}

/* A client that is gone, or has given up, makes no call with what it was granted. */
static void
count(struct commands *c, const struct request *rq, enum hold_answer_code code, uint64_t granted)
{
	const struct verb *v = verb_get(rq->verb);

	if (v->begins != CALL_NONE && code == HA_OK && rq->peer != NULL)
		callers_begin_call(c, v->begins, granted, rq->peer);
	/* an old token ends no call: by now the call belongs to somebody else */
	if (v->ends != CALL_NONE && code != HA_STALE_TOKEN)
		callers_end_call(c, v->ends, (uint64_t)proto_num(rq->m, ARG_ID));
}

bool
rule_apply(struct commands *c, const void *record, size_t len, struct hold_changes *changed)
{
	struct error err;

	memset(changed, 0, sizeof(*changed));
	if (len == 0 || hold_table_apply(c->table, record, len, changed, &err))
		return true;
	commands_fail(c, &err);
	return false;
}

void
rule_format(const struct request *rq, const struct hold_answer *a, struct buf *line)
{
	struct proto_message said;
	struct buf conflicts = BUF_INIT;

	verb_answer(&said, rq->m->tag, a, &conflicts);
	proto_format(&said, line);
	buf_clear(&conflicts);
}

void
rule_carry_out(struct commands *c, const struct request *rq, const struct hold_answer *a,
    const struct buf *line)
{
	const struct verb *v = verb_get(rq->verb);
	struct hold_changes changed;
	enum hold_answer_code code = a->code;
	uint64_t id = a->hold.id;

	if (v->failed)
		callers_dismiss(c, v->ends, (uint64_t)proto_num(rq->m, ARG_ID),
		    proto_text(rq->m, ARG_FAILURE));
	note_order(c, rq, a);
	if (!rule_apply(c, a->record.data, a->record.len, &changed))
		return;
	say_line(c, rq->peer, line);
	count(c, rq, code, id);
	callers_wake(c, &changed);
}

void
rule_end_expired(struct commands *c, const struct hold_changes *changed)
{
	for (size_t i = 0; i < changed->n; i++)
		callers_dismiss(c, CALL_READY, changed->id[i], "");
	callers_wake(c, changed);
}
