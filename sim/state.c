#include "config.h"

#include "sim/state.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "sim/journal.h"

#define RECURRING_CID "TCSUBSCRIP"

static const char *const status_names[] = {
	[STATUS_READY] = "READY",
	[STATUS_SEND_TMS] = "SEND_TMS",
	[STATUS_OPEN_PAYMENT] = "OPEN_PAYMENT",
	[STATUS_SELECT_METHOD] = "SELECT_METHOD",
	[STATUS_ARS_WAITING] = "ARS_WAITING",
	[STATUS_AUTH_PASSWORD] = "AUTH_PASSWORD",
	[STATUS_SUCCESS_PAYMENT] = "SUCCESS_PAYMENT",
	[STATUS_PART_CANCEL_PAYMENT] = "PART_CANCEL_PAYMENT",
	[STATUS_CANCEL_PAYMENT] = "CANCEL_PAYMENT",
	[STATUS_QUIT_PAYMENT] = "QUIT_PAYMENT",
	[STATUS_FAIL_AUTH_PASSWORD] = "FAIL_AUTH_PASSWORD",
	[STATUS_FAIL_PAYMENT] = "FAIL_PAYMENT",
};
static_assert(sizeof(status_names) / sizeof(status_names[0]) == STATUS__MAX, "each status has its name");

/* clang-format off */
#define TO(s) (1u << STATUS_##s)
#define USER_STOPS (TO(QUIT_PAYMENT) | TO(FAIL_AUTH_PASSWORD))
static const unsigned legal[STATUS__MAX] = {
	[STATUS_READY]		= TO(SEND_TMS) | TO(OPEN_PAYMENT) | USER_STOPS,
	[STATUS_SEND_TMS]	= TO(OPEN_PAYMENT) | USER_STOPS,
	[STATUS_OPEN_PAYMENT]	= TO(SELECT_METHOD) | USER_STOPS,
	[STATUS_SELECT_METHOD]	= TO(ARS_WAITING) | TO(AUTH_PASSWORD) | USER_STOPS,
	[STATUS_ARS_WAITING]	= TO(AUTH_PASSWORD) | USER_STOPS,
	[STATUS_AUTH_PASSWORD]	= TO(SUCCESS_PAYMENT) | TO(FAIL_PAYMENT) | USER_STOPS,
	[STATUS_SUCCESS_PAYMENT] = TO(PART_CANCEL_PAYMENT) | TO(CANCEL_PAYMENT),
	[STATUS_PART_CANCEL_PAYMENT] = TO(PART_CANCEL_PAYMENT) | TO(CANCEL_PAYMENT),
	/* the others are final */
};
/* clang-format on */

const char *
status_name(enum status s)
{
	assert(s < STATUS__MAX);
	return status_names[s];
}

bool
status_parse(const char *word, enum status *s)
{
	for (size_t i = 0; i < STATUS__MAX; i++)
		if (strcmp(word, status_names[i]) == 0) {
			*s = (enum status)i;
			return true;
		}
	return false;
}

bool
status_is_legal(enum status from, enum status to)
{
	return (legal[from] & (1u << to)) != 0;
}

bool
status_is_pending(enum status s)
{
	return s <= STATUS_AUTH_PASSWORD;
}

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
	snprintf(out, SIM_ID_CAP, "%c%07" PRIx64 "%012" PRIx64, letter, (uint64_t)(at_ms / 1000) & 0xfffffff,
	    next_random(s) & 0xffffffffffff);
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

/* -- the store */

struct order *
order_new(void)
{
	return calloc(1, sizeof(struct order));
}

void
order_free(struct order **op)
{
	struct order *o = *op;

	if (o == NULL)
		return;
	for (size_t i = 0; i < o->n_cancels; i++)
		free(o->cancels[i].payload);
	free(o->cancels);
	free(o->steps);
	free(o->payload);
	free(o->partner_order_id);
	free(o->partner_user_id);
	free(o->item_name);
	free(o->item_code);
	free(o->approval_url);
	free(o->cancel_url);
	free(o->fail_url);
	free(o);
	*op = NULL;
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

bool
state_open(struct state *s, const char *path, struct error *err)
{
	memset(s, 0, sizeof(*s));
	s->fd = -1;
	if (getrandom(&s->random, sizeof(s->random), 0) != (ssize_t)sizeof(s->random))
		return error_sys(err, ERR_INTERNAL, "getrandom");
	if (path == NULL)
		return true;
	s->is_replaying = true;
	if (!journal_open(s, path, err)) {
		state_close(s);
		return false;
	}
	s->is_replaying = false;
	return true;
}

void
state_close(struct state *s)
{
	forget(s);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

bool
state_reset(struct state *s, struct error *err)
{
	if (!journal_empty(s, err))
		return false;
	forget(s);
	return true;
}

int64_t
state_now_ms(const struct state *s)
{
	return clock_wall_ms() + s->offset_ms;
}

bool
state_set_clock(struct state *s, int64_t offset_ms, struct error *err)
{
	if (!journal_clock(s, offset_ms, err))
		return false;
	s->offset_ms = offset_ms;
	return true;
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
	    error_set(err, ERR_CONFLICT, "%s is %s, not to become %s", o->tid, status_name(o->status), status_name(to));
}

bool
state_add(struct state *s, struct order **op, struct order **added, struct error *err)
{
	struct order *o = *op;

	if (!reserve_steps(o, 1, err))
		return false;
	if (!s->is_replaying) {
		o->created_ms = state_now_ms(s);
		do
			make_id(s, 'T', o->created_ms, o->tid);
		while (state_find(s, o->tid) != NULL);
		make_hex(s, o->page_id, PAGE_ID_CAP - 1);
	}
	if (state_find(s, o->tid) != NULL)
		return error_set(err, ERR_CONFLICT, "%s is there twice", o->tid);
	if (!journal_ready(s, o, err))
		return false;
	HASH_ADD(hh_tid, s->by_tid, tid, strlen(o->tid), o);
	HASH_ADD(hh_page, s->by_page, page_id, strlen(o->page_id), o);
	set_status(o, STATUS_READY, o->created_ms - s->offset_ms);
	*added = o;
	*op = NULL;
	return true;
}

bool
state_step_at(struct state *s, struct order *o, enum status to, int64_t real_ms, struct error *err)
{
	if (!check_step(o, to, err) || !reserve_steps(o, 1, err) || !journal_step(s, o, to, real_ms, err))
		return false;
	set_status(o, to, real_ms);
	return true;
}

bool
state_step(struct state *s, struct order *o, enum status to, struct error *err)
{
	return state_step_at(s, o, to, clock_wall_ms(), err);
}

bool
state_pay_at(struct state *s, struct order *o, const char *method, const char *pg_token, int64_t real_ms, struct error *err)
{
	if (!status_is_pending(o->status))
		return check_step(o, STATUS_AUTH_PASSWORD, err);
	if (!reserve_steps(o, 3, err) || !journal_pay(s, o, method, pg_token, real_ms, err))
		return false;
	if (o->status < STATUS_OPEN_PAYMENT)
		set_status(o, STATUS_OPEN_PAYMENT, real_ms);
	if (o->status < STATUS_SELECT_METHOD)
		set_status(o, STATUS_SELECT_METHOD, real_ms);
	set_status(o, STATUS_AUTH_PASSWORD, real_ms);
	snprintf(o->method, sizeof(o->method), "%s", method);
	snprintf(o->pg_token, sizeof(o->pg_token), "%s", pg_token);
	return true;
}

bool
state_pay(struct state *s, struct order *o, const char *method, struct error *err)
{
	char pg_token[SIM_ID_CAP], chosen[sizeof(o->method)];

	if (o->pg_token[0] != '\0' && (o->status == STATUS_AUTH_PASSWORD || o->is_captured))
		return true;	/* a double click: the same token again */
	if (o->method_fixed || method == NULL)
		method = o->method[0] != '\0' ? o->method : "MONEY";
	snprintf(chosen, sizeof(chosen), "%s", method);
	make_hex(s, pg_token, SIM_ID_CAP - 1);
	return state_pay_at(s, o, chosen, pg_token, clock_wall_ms(), err);
}

static bool
copy_text(char **to, const char *from, struct error *err)
{
	if (from == NULL)
		return true;
	*to = strdup(from);
	return *to != NULL || no_memory(err);
}

bool
state_capture_as(struct state *s, struct order *o, const struct capture *c, struct error *err)
{
	char *payload = NULL;	/* moves to the order */

	if (!check_step(o, STATUS_SUCCESS_PAYMENT, err) || !reserve_steps(o, 1, err))
		return false;
	if (!grow(&s->captures, s->n_captures, &s->cap_captures, sizeof(*s->captures)))
		return no_memory(err);
	if (!copy_text(&payload, c->payload, err))
		return false;
	if (!journal_capture(s, o, c, err)) {
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

bool
state_capture(struct state *s, struct order *o, const char *payload, struct error *err)
{
	struct capture c = { .payload = payload, .real_ms = clock_wall_ms() };

	c.at_ms = c.real_ms + s->offset_ms;
	make_id(s, 'A', c.at_ms, c.aid);
	if (strcmp(o->cid, RECURRING_CID) == 0)
		make_id(s, 'S', c.at_ms, c.sid);
	return state_capture_as(s, o, &c, err);
}

bool
state_cancel_as(struct state *s, struct order *o, const struct cancel *c, struct error *err)
{
	struct order_view now;
	struct cancel mine = *c;
	enum status to;

	order_view_now(o, &now);
	to = c->amount.total == now.left.total ? STATUS_CANCEL_PAYMENT : STATUS_PART_CANCEL_PAYMENT;
	if (!check_step(o, to, err) || !reserve_steps(o, 1, err))
		return false;
	if (!grow_by_one(&o->cancels, o->n_cancels, sizeof(*o->cancels)) ||
	    !grow(&s->cancels, s->n_cancels, &s->cap_cancels, sizeof(*s->cancels)))
		return no_memory(err);
	mine.payload = NULL;
	if (!copy_text(&mine.payload, c->payload, err))
		return false;
	if (!journal_cancel(s, o, c, err)) {
		free(mine.payload);
		return false;
	}
	set_status(o, to, c->real_ms);
	s->cancels[s->n_cancels++] = (struct cancel_ref){ o, o->n_cancels };
	o->cancels[o->n_cancels++] = mine;
	return true;
}

bool
state_cancel(struct state *s, struct order *o, const struct amount *a, const char *payload, struct error *err)
{
	struct cancel c = { .amount = *a, .payload = (char *)(uintptr_t)payload, .real_ms = clock_wall_ms() };

	c.at_ms = c.real_ms + s->offset_ms;
	make_id(s, 'A', c.at_ms, c.aid);
	return state_cancel_as(s, o, &c, err);
}

/* -- views */

static void
amount_add(struct amount *to, const struct amount *a, int sign)
{
	to->total += sign * a->total;
	to->tax_free += sign * a->tax_free;
	to->vat += sign * a->vat;
	to->point += sign * a->point;
	to->discount += sign * a->discount;
	to->green_deposit += sign * a->green_deposit;
}

void
order_view_at(const struct order *o, int64_t real_ms, struct order_view *v)
{
	memset(v, 0, sizeof(*v));
	v->status = STATUS_READY;	/* also for an order younger than that */
	for (size_t i = 0; i < o->n_steps; i++)
		if (o->steps[i].real_ms <= real_ms)
			v->status = o->steps[i].status;
	v->is_captured = o->is_captured && o->approved_real_ms <= real_ms;
	if (!v->is_captured)
		return;
	v->left = o->amount;
	for (size_t i = 0; i < o->n_cancels && o->cancels[i].real_ms <= real_ms; i++) {
		amount_add(&v->canceled, &o->cancels[i].amount, 1);
		amount_add(&v->left, &o->cancels[i].amount, -1);
		v->n_cancels++;
	}
}

void
order_view_now(const struct order *o, struct order_view *v)
{
	order_view_at(o, INT64_MAX, v);
}
