#include "config.h"

#include "sim/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"

#define RECURRING_CID "TCSUBSCRIP"

/* -- ids */

/* SplitMix64. Ids must differ between runs; nothing depends on their being hard to guess. */
static uint64_t
next_random(struct state *s)
{
	uint64_t z = s->random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* 20 characters: a letter, the 7 low hex digits of the second, 12 more. */
static void
make_id(struct state *s, char letter, int64_t at_ms, char out[SIM_ID_CAP])
{
	snprintf(out, SIM_ID_CAP, "%c%07" PRIx64 "%012" PRIx64, letter,
	    (uint64_t)(at_ms / 1000) & 0xfffffff, next_random(s) & 0xffffffffffff);
}

static void
make_hex(struct state *s, char *out, size_t digits)
{
	uint64_t r = 0;

	for (size_t i = 0; i < digits; i++, r >>= 4) {
		if (i % 16 == 0)
			r = next_random(s);
		out[i] = "0123456789abcdef"[r & 15];
	}
	out[digits] = '\0';
}

static void
forget(struct state *s)
{
	struct order *o, *next;

	HASH_CLEAR(hh_page, s->by_page);
	HASH_ITER(hh_tid, s->by_tid, o, next) {
		HASH_DELETE(hh_tid, s->by_tid, o);
		order_free(&o);
	}
	free(s->captures);
	free(s->cancels);
	s->captures = NULL;
	s->cancels = NULL;
	s->n_captures = s->cap_captures = 0;
	s->n_cancels = s->cap_cancels = 0;
	s->offset_ms = 0;
}

int64_t
state_now_ms(const struct state *s)
{
	return clock_wall_ms() + s->offset_ms;
}

struct order *
state_find(const struct state *s, const char *tid)
{
	struct order *o = NULL;

	HASH_FIND(hh_tid, s->by_tid, tid, strlen(tid), o);
	return o;
}

struct order *
state_find_page(const struct state *s, const char *page_id)
{
	struct order *o = NULL;

	HASH_FIND(hh_page, s->by_page, page_id, strlen(page_id), o);
	return o;
}

size_t
state_count(const struct state *s)
{
	return HASH_CNT(hh_tid, s->by_tid);
}

bool
order_is_expired(const struct state *s, const struct order *o)
{
	return state_now_ms(s) - o->created_ms >= WINDOW_MS;
}

/* Room for one more of `size` bytes in the array; false: no memory, and the array is as it was. */
static bool
grow(void *array_p, size_t n, size_t *cap, size_t size)
{
	void **array = array_p, *more;
	size_t want = *cap == 0 ? 8 : 2 * *cap;

	if (n < *cap)
		return true;
	more = reallocarray(*array, want, size);
	if (more == NULL)
		return false;
	*array = more;
	*cap = want;
	return true;
}

static bool
grow_by_one(void *array_p, size_t n, size_t size)
{
	void **array = array_p, *more = reallocarray(*array, n + 1, size);

	if (more == NULL)
		return false;
	*array = more;
	return true;
}

static bool
no_memory(struct error *err)
{
	return error_set(err, ERR_INTERNAL, "out of memory");
}

/* Room for the next steps, so that nothing can fail once the state file has the line. */
static bool
reserve_steps(struct order *o, size_t more, struct error *err)
{
	struct step *steps = reallocarray(o->steps, o->n_steps + more, sizeof(*steps));

	if (steps == NULL)
		return no_memory(err);
	o->steps = steps;
	return true;
}

static void
set_status(struct order *o, enum status to, int64_t real_ms)
{
	o->status = to;
	o->steps[o->n_steps++] = (struct step){ to, real_ms };
}

static bool
check_step(const struct order *o, enum status to, struct error *err)
{
	return status_is_legal(o->status, to) ||
	    error_set(err, ERR_CONFLICT, "%s is %s, not to become %s", o->tid,
		status_name(o->status), status_name(to));
}

/* -- the changes: check, reserve what is needed, write the line, and only then change */

static bool
add_order(struct state *s, struct change *c, struct order **added, struct error *err)
{
	struct order *o = c->order;

	if (state_find(s, o->tid) != NULL)
		return error_set(err, ERR_CONFLICT, "%s is there twice", o->tid);
	if (!reserve_steps(o, 1, err) || !journal_write(&s->journal, c, err))
		return false;
	HASH_ADD(hh_tid, s->by_tid, tid, strlen(o->tid), o);
	HASH_ADD(hh_page, s->by_page, page_id, strlen(o->page_id), o);
	set_status(o, STATUS_READY, o->created_ms - s->offset_ms);
	*added = o;
	c->order = NULL;
	return true;
}

static bool
set_clock(struct state *s, const struct change *c, struct error *err)
{
	if (!journal_write(&s->journal, c, err))
		return false;
	s->offset_ms = c->offset_ms;
	return true;
}

static bool
step(struct state *s, const struct change *c, struct error *err)
{
	if (!check_step(c->order, c->to, err) || !reserve_steps(c->order, 1, err) ||
	    !journal_write(&s->journal, c, err))
		return false;
	set_status(c->order, c->to, c->real_ms);
	return true;
}

static bool
pay(struct state *s, const struct change *c, struct error *err)
{
	struct order *o = c->order;

	if (!status_is_pending(o->status))
		return check_step(o, STATUS_AUTH_PASSWORD, err);
	if (!reserve_steps(o, 3, err) || !journal_write(&s->journal, c, err))
		return false;
	if (o->status < STATUS_OPEN_PAYMENT)
		set_status(o, STATUS_OPEN_PAYMENT, c->real_ms);
	if (o->status < STATUS_SELECT_METHOD)
		set_status(o, STATUS_SELECT_METHOD, c->real_ms);
	set_status(o, STATUS_AUTH_PASSWORD, c->real_ms);
	memcpy(o->method, c->method, sizeof(o->method));
	memcpy(o->pg_token, c->pg_token, sizeof(o->pg_token));
	return true;
}

static bool
copy_text(char **to, const char *from, struct error *err)
{
	if (from == NULL)
		return true;
	*to = strdup(from);
	return *to != NULL || no_memory(err);
}

static bool
capture(struct state *s, const struct change *c, struct error *err)
{
	struct order *o = c->order;
	char *payload = NULL; /* moves to the order */

	if (!check_step(o, STATUS_SUCCESS_PAYMENT, err) || !reserve_steps(o, 1, err))
		return false;
	if (!grow(&s->captures, s->n_captures, &s->cap_captures, sizeof(*s->captures)))
		return no_memory(err);
	if (!copy_text(&payload, c->payload, err))
		return false;
	if (!journal_write(&s->journal, c, err)) {
		free(payload);
		return false;
	}
	set_status(o, STATUS_SUCCESS_PAYMENT, c->real_ms);
	o->is_captured = true;
	o->payload = payload;
	o->approved_ms = c->at_ms;
	o->approved_real_ms = c->real_ms;
	memcpy(o->aid, c->aid, sizeof(o->aid));
	memcpy(o->sid, c->sid, sizeof(o->sid));
	s->captures[s->n_captures++] = o;
	return true;
}

static bool
cancel(struct state *s, const struct change *c, struct error *err)
{
	struct cancel mine = { .amount = c->amount, .at_ms = c->at_ms, .real_ms = c->real_ms };
	struct order *o = c->order;
	struct order_view now;
	enum status to;

	order_view_now(o, &now);
	to = c->amount.total == now.left.total ? STATUS_CANCEL_PAYMENT : STATUS_PART_CANCEL_PAYMENT;
	if (!check_step(o, to, err) || !reserve_steps(o, 1, err))
		return false;
	if (!grow_by_one(&o->cancels, o->n_cancels, sizeof(*o->cancels)) ||
	    !grow(&s->cancels, s->n_cancels, &s->cap_cancels, sizeof(*s->cancels)))
		return no_memory(err);
	if (!copy_text(&mine.payload, c->payload, err))
		return false;
	if (!journal_write(&s->journal, c, err)) {
		free(mine.payload);
		return false;
	}
	memcpy(mine.aid, c->aid, sizeof(mine.aid));
	set_status(o, to, c->real_ms);
	s->cancels[s->n_cancels++] = (struct cancel_ref){ o, o->n_cancels };
	o->cancels[o->n_cancels++] = mine;
	return true;
}

/* A line of the file, carried out as it was then. */
static bool
redo(void *ctx, struct change *c, struct error *err)
{
	static bool (*const changes[CHANGE__MAX])(struct state *, const struct change *,
	    struct error *) = {
		[CHANGE_CLOCK] = set_clock,
		[CHANGE_STEP] = step,
		[CHANGE_PAY] = pay,
		[CHANGE_CAPTURE] = capture,
		[CHANGE_CANCEL] = cancel,
	};
	struct change with_order = *c;
	struct state *s = ctx;
	struct order *added;

	if (c->kind == CHANGE_READY)
		return add_order(s, c, &added, err);
	if (c->kind != CHANGE_CLOCK && (with_order.order = state_find(s, c->tid)) == NULL)
		return error_set(err, ERR_INPUT, "unknown tid");
	return changes[c->kind](s, &with_order, err);
}

/* -- the changes as callers ask for them: ids and times are made here */

bool
state_open(struct state *s, const char *path, struct error *err)
{
	memset(s, 0, sizeof(*s));
	s->journal.fd = -1;
	if (!random_fill(&s->random, sizeof(s->random), err))
		return false;
	if (path == NULL || journal_open(&s->journal, path, redo, s, err))
		return true;
	state_close(s);
	return false;
}

void
state_close(struct state *s)
{
	forget(s);
	journal_close(&s->journal);
}

bool
state_reset(struct state *s, struct error *err)
{
	if (!journal_empty(&s->journal, err))
		return false;
	forget(s);
	return true;
}

bool
state_set_clock(struct state *s, int64_t offset_ms, struct error *err)
{
	return set_clock(s, &(struct change){ .kind = CHANGE_CLOCK, .offset_ms = offset_ms }, err);
}

bool
state_add(struct state *s, struct order **op, struct order **added, struct error *err)
{
	struct change c = { .kind = CHANGE_READY, .order = *op };
	struct order *o = *op;

	o->created_ms = state_now_ms(s);
	do
		make_id(s, 'T', o->created_ms, o->tid);
	while (state_find(s, o->tid) != NULL);
	make_hex(s, o->page_id, PAGE_ID_CAP - 1);
	if (!add_order(s, &c, added, err))
		return false;
	*op = NULL;
	return true;
}

bool
state_step(struct state *s, struct order *o, enum status to, struct error *err)
{
	struct change c = { .kind = CHANGE_STEP, .order = o, .to = to, .real_ms = clock_wall_ms() };

	return step(s, &c, err);
}

bool
state_pay(struct state *s, struct order *o, const char *method, struct error *err)
{
	struct change c = { .kind = CHANGE_PAY, .order = o, .real_ms = clock_wall_ms() };

	if (o->pg_token[0] != '\0' && (o->status == STATUS_AUTH_PASSWORD || o->is_captured))
		return true; /* a double click: the same token again */
	if (o->method_fixed || method == NULL)
		method = o->method[0] != '\0' ? o->method : "MONEY";
	snprintf(c.method, sizeof(c.method), "%s", method);
	make_hex(s, c.pg_token, SIM_ID_CAP - 1);
	return pay(s, &c, err);
}

/* Money moves now, under a new aid. */
static struct change
movement(struct state *s, enum change_kind kind, struct order *o, const char *payload)
{
	struct change c = { .kind = kind,
		.order = o,
		.payload = payload,
		.real_ms = clock_wall_ms() };

	c.at_ms = c.real_ms + s->offset_ms;
	make_id(s, 'A', c.at_ms, c.aid);
	return c;
}

bool
state_capture(struct state *s, struct order *o, const char *payload, struct error *err)
{
	struct change c = movement(s, CHANGE_CAPTURE, o, payload);

	if (strcmp(o->cid, RECURRING_CID) == 0)
		make_id(s, 'S', c.at_ms, c.sid);
	return capture(s, &c, err);
}

bool
state_cancel(struct state *s, struct order *o, const struct amount *a, const char *payload,
    struct error *err)
{
	struct change c = movement(s, CHANGE_CANCEL, o, payload);

	c.amount = *a;
	return cancel(s, &c, err);
}
