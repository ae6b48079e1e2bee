#include "config.h"

#include "booking/hold_decide.h"

#include <assert.h>
#include <string.h>

static const char *const answer_names[] = {
	[HA_OK] = "ok",
	[HA_REPLAY] = "replay",
	[HA_WAIT] = "wait",
	[HA_ORDER_PAID] = "order-already-paid",
	[HA_IN_PROGRESS] = "payment-in-progress",
	[HA_SLOT_HELD] = "slot-held",
	[HA_SLOT_SOLD] = "slot-sold",
	[HA_TOO_MANY_HOLDS] = "too-many-holds",
	[HA_TOO_MANY_REFUSED] = "too-many-refused",
	[HA_BUSY] = "provider-busy",
	[HA_NO_HOLD] = "no-hold",
	[HA_EXPIRED] = "hold-expired",
	[HA_FENCED] = "fenced",
	[HA_LEDGER_BEHIND] = "ledger-behind",
	[HA_STALE_TOKEN] = "stale-token",
	[HA_NOT_READY] = "not-ready",
	[HA_NOT_FIRST] = "not-first",
};
static_assert(sizeof(answer_names) / sizeof(answer_names[0]) == HA__MAX, "a name for each answer");

static const char *const outcome_names[] = {
	[HO_APPROVED] = "approved",
	[HO_DECLINED] = "declined",
	[HO_UNKNOWN] = "unknown",
	[HO_REVIEW] = "review",
	[HO_REFUSED] = "refused",
	[HO_RESTORED] = "restored",
};
static_assert(sizeof(outcome_names) / sizeof(outcome_names[0]) == HO__MAX,
    "a name for each outcome");

const char *
hold_answer_name(enum hold_answer_code c)
{
	assert(c >= 0 && c < HA__MAX);
	return answer_names[c];
}

const char *
hold_outcome_name(enum hold_outcome o)
{
	assert(o >= 0 && o < HO__MAX);
	return outcome_names[o];
}

bool
hold_outcome_parse(const char *name, enum hold_outcome *out)
{
	for (enum hold_outcome o = 0; o < HO__MAX; o++) {
		if (strcmp(outcome_names[o], name) == 0) {
			*out = o;
			return true;
		}
	}
	return false;
}

void
hold_answer_clear(struct hold_answer *a)
{
	buf_clear(&a->record);
	memset(a, 0, sizeof(*a));
}

struct decision
decision_begin(struct hold_table *t, struct now now, struct hold_answer *out)
{
	memset(out, 0, sizeof(*out));
	return (struct decision){ t, now, out };
}

bool
decision_usable(const struct hold_table *t, struct error *err)
{
	return !t->broken ||
	    error_set(err, ERR_INTERNAL, "the table is broken by an earlier record");
}

void
decision_write(struct decision *d, const struct change *c)
{
	if (d->out->record.limit == 0) /* not begun yet; one that could not be begun stays bad */
		record_begin(&d->out->record, d->now);
	record_add(&d->out->record, c);
}

bool
decision_finish(struct decision *d, struct error *err)
{
	if (!d->out->record.bad)
		return true;
	hold_answer_clear(d->out);
	return error_set(err, ERR_INTERNAL, "a record longer than %d bytes, or no memory",
	    RECORD_MAX);
}

uint64_t
decision_next_id(const struct hold_table *t)
{
	return t->last_id + t->ahead + 1;
}

uint64_t
decision_next_token(const struct hold_table *t)
{
	return t->last_token + t->ahead + 1;
}

const struct hold *
decision_find(const struct decision *d, uint64_t id)
{
	const struct hold *h = hold_index_find(d->t, id);

	return h != NULL && h->life.state == HOLD_HELD &&
		hold_state_at(h, d->now.boot_ms) != HOLD_HELD
	    ? NULL
	    : h;
}

void
decision_answer(struct decision *d, enum hold_answer_code code, int64_t retry_ms)
{
	d->out->code = code;
	d->out->retry_ms = retry_ms;
}

static const char *
text_of(const char *s)
{
	return s == NULL ? "" : s;
}

void
hold_view_of(const struct hold *h, int64_t boot_ms, struct hold_view *v)
{
	const struct hold_life *l = &h->life;
	enum hold_state s = hold_state_at(h, boot_ms);

	*v = (struct hold_view){
		.id = h->id,
		.state = s,
		.before = l->before,
		.cid = order_cid(h->order),
		.order = order_name(h->order),
		.user = h->place->user->name,
		.room = h->place->room->name,
		.tid = h->tid,
		.attempt = h->attempt,
		.answer = text_of(h->answer),
		.expires_boot_ms = s == HOLD_HELD || s == HOLD_READY ? l->due_ms : 0,
		.window_boot_ms = l->window_ms,
		.token = l->token,
		.n = l->n,
		.deadline_boot_ms = l->deadline_ms,
		.last_n = h->order->last_n,
		.replacing = h->replaced_by != NULL,
	};
}

void
decision_show(struct decision *d, const struct hold *h)
{
	hold_view_of(h, d->now.boot_ms, &d->out->hold);
}

void
decision_answer_about(struct decision *d, enum hold_answer_code code, int64_t retry_ms,
    const struct hold *h)
{
	decision_answer(d, code, retry_ms);
	decision_show(d, h);
}

bool
hold_load_is_full(const struct hold_load *load, int64_t max)
{
	return load->calls + load->waiters >= max;
}

/* ---- the record */

void
decision_write_life(struct decision *d, const struct hold *h, const struct hold_life *life)
{
	struct change c = { .kind = CHANGE_LIFE, .id = h->id, .life = *life };

	decision_write(d, &c);
}

void
decision_write_drop(struct decision *d, const struct hold *h)
{
	struct change c = { .kind = CHANGE_DROP, .id = h->id };

	decision_write(d, &c);
}

int64_t
hold_gone_until(const struct hold_table *t, int64_t since_ms)
{
	int64_t answers = t->limits.removed_answer_ms, gone = t->limits.gone_memory_ms;

	return since_ms + (gone > answers ? gone : answers);
}

struct hold_life
decision_step(const struct decision *d, const struct hold *h, enum hold_event ev)
{
	struct hold_life l = h->life;
	bool legal = hold_step(l.state, ev, &l.state, NULL);

	assert(legal);
	l.since_ms = d->now.boot_ms;
	if (hold_state_is_live(l.state))
		l.due_ms = l.state == HOLD_READY ? l.expires_ms : INT64_MAX;
	else
		l.due_ms = hold_gone_until(d->t, d->now.boot_ms);
	return l;
}

void
decision_write_step(struct decision *d, const struct hold *h, enum hold_event ev)
{
	struct hold_life l = decision_step(d, h, ev);

	decision_write_life(d, h, &l);
}

void
decision_write_memory(struct decision *d, const char *cid, const char *order, const struct order *o,
    int64_t n, bool paid)
{
	struct change c = {
		.kind = CHANGE_ORDER,
		.cid = cid,
		.order = order,
		.last_n = o != NULL && o->last_n > n ? o->last_n : n,
		.paid = paid || (o != NULL && o->paid),
		.until_ms = d->now.boot_ms + d->t->limits.order_memory_ms,
	};

	if (c.last_n > 0 || c.paid)
		decision_write(d, &c);
}

void
decision_write_order(struct decision *d, const struct order *o, int64_t n, bool paid)
{
	decision_write_memory(d, order_cid(o), order_name(o), o, n, paid);
}

bool
hold_set_fits(const struct interval_set *set, struct error *err)
{
	struct interval_set sorted = *set;
	size_t a, b;

	return (set->n > 0 && set->n <= INTERVALS_MAX && interval_set_normalize(&sorted, &a, &b) &&
		   interval_set_equal(&sorted, set)) ||
	    error_set(err, ERR_INPUT, "the intervals are not 1 to %d, sorted and disjoint",
		INTERVALS_MAX);
}

bool
hold_text_fits(const char *s, size_t cap)
{
	size_t len = s == NULL ? 0 : strnlen(s, cap);

	return len > 0 && len < cap;
}

bool
hold_ends_when_paid(const struct hold *h)
{
	return h->life.state == HOLD_HELD || h->life.state == HOLD_READY ||
	    h->life.state == HOLD_EXPIRED;
}

void
decision_write_paid(struct decision *d, const struct order *o, int64_t n, const struct hold *but)
{
	if (o->next != NULL && o->next != but)
		decision_write_step(d, o->next, HOLD_EV_FENCE);
	if (o->cur != NULL && o->cur != but && hold_ends_when_paid(o->cur))
		decision_write_step(d, o->cur, HOLD_EV_FENCE);
	if (!o->paid || n > o->last_n)
		decision_write_order(d, o, n, true);
}
