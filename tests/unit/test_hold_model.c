/*
 * A hold_table against a model of it. The model is a plain list of holds; it answers every
 * question by looking at all of them, and its times are masks of 24 hours. Both get the same
 * random commands. Then damaged records: whatever they do, nothing crashes.
 */
#include "config.h"

#include "booking/hold_record.h"
#include "hold_world.h"

enum {
	OPERATIONS = 20000,
	SEEDS = 20,
	USERS = 4,
	ROOMS = 5,
	ORDERS = 16,
	HOLDS_MAX = 4096,
	TRIES = 2,
	NOBODY = 1000000,
	MEMORY_MS = 20 * 60 * 1000
};

/* ---- random numbers, the same on every machine */

struct dice {
	uint64_t x;
};

static uint32_t
roll(struct dice *d, uint32_t sides)
{
	d->x ^= d->x << 13;
	d->x ^= d->x >> 7;
	d->x ^= d->x << 17;
	return (uint32_t)(d->x >> 33) % sides;
}

/* ---- the model */

struct plain {			/* a hold */
	uint64_t id;
	int user, room, order;
	uint32_t hours;
	enum hold_state state, before;
	bool doubt, paid, guarded, ready_once;
	int64_t due, expires, window, deadline;	/* due: of held, ready and guards */
	int64_t gone_at;
	uint64_t token, replaces[2];
	int64_t tries[8];
	int n_tries;
};

struct model {
	struct plain *holds;
	size_t n;
	uint64_t next_id, next_token;
	int64_t last_n[ORDERS];
	bool paid[ORDERS];
	int64_t now;
};

static bool
is_open(enum hold_state s)
{
	return s == HOLD_APPROVING || s == HOLD_UNKNOWN || s == HOLD_REVIEW;
}

static struct plain *
by_id(struct model *m, uint64_t id)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->holds[i].id == id)
			return &m->holds[i];
	return NULL;
}

static void
go(struct model *m, struct plain *h, enum hold_state s)
{
	h->state = s;
	h->gone_at = m->now;
	h->due = s == HOLD_READY ? h->expires : 0;
}

static void
forget(struct model *m, struct plain *h)
{
	*h = m->holds[--m->n];
}

/* What time alone does. */
static void
elapse(struct model *m)
{
	for (size_t i = m->n; i-- > 0;) {
		struct plain *h = &m->holds[i];

		if (h->state == HOLD_READY && h->due <= m->now)
			go(m, h, HOLD_EXPIRED);
		if (h->guarded && h->due <= m->now)
			h->guarded = false;
		if (h->state == HOLD_HELD && h->due <= m->now)
			forget(m, h);
		else if (!hold_state_is_live(h->state) && !h->guarded &&
		    h->gone_at + MEMORY_MS <= m->now)
			forget(m, h);
	}
}

static bool
replaces(const struct plain *next, const struct plain *old)
{
	return next->state == HOLD_HELD &&
	    (old->state == HOLD_READY || old->state == HOLD_EXPIRED) &&
	    (next->replaces[0] == old->id || next->replaces[1] == old->id);
}

static struct plain *
replacement_of(struct model *m, const struct plain *old)
{
	for (size_t i = 0; i < m->n; i++)
		if (replaces(&m->holds[i], old))
			return &m->holds[i];
	return NULL;
}

struct asked {
	int user, room, order;
	uint32_t hours;
};

static bool
is_same(const struct plain *h, const struct asked *q)
{
	return h->user == q->user && h->room == q->room && h->order == q->order &&
	    h->hours == q->hours;
}

static bool
is_mine(const struct plain *h, const struct asked *q)
{
	return (h->user == q->user && h->room == q->room) || h->order == q->order;
}

static bool
may_give_way(const struct plain *h, const struct asked *q)
{
	return h->state == HOLD_READY && h->user == q->user && is_mine(h, q);
}

static enum hold_answer_code
model_hold(struct model *m, const struct asked *q)
{
	uint64_t old[2] = { 0, 0 };
	bool same_under_way = false, other = false, replay = false, held = false, sold = false;
	int64_t count = 0;
	struct plain *h;

	if (m->paid[q->order])
		return HA_ORDER_PAID;
	for (size_t i = 0; i < m->n; i++) {
		h = &m->holds[i];
		if (is_mine(h, q)) {
			if (h->state == HOLD_HELD && is_same(h, q))
				same_under_way = true;
			else if (h->state == HOLD_HELD || is_open(h->state))
				other = true;
			else if (h->state == HOLD_READY && h->user != q->user)
				other = true;
			else if (may_give_way(h, q) && replacement_of(m, h) != NULL &&
			    !is_same(replacement_of(m, h), q))
				other = true;
			if (h->state == HOLD_READY && is_same(h, q))
				replay = true;
			if (may_give_way(h, q))
				old[h->room == q->room ? 0 : 1] = h->id;
		}
		if (h->room == q->room && (h->hours & q->hours) != 0 && !may_give_way(h, q)) {
			held |= hold_state_is_live(h->state);
			sold |= h->guarded;
		}
		if (h->user == q->user && (h->state == HOLD_READY || h->state == HOLD_HELD)) {
			struct plain *a = h->replaces[0] == 0 ? NULL : by_id(m, h->replaces[0]);
			struct plain *b = h->replaces[1] == 0 ? NULL : by_id(m, h->replaces[1]);

			if (h->state == HOLD_READY ||
			    !((a != NULL && a->state == HOLD_READY) ||
			    (b != NULL && b->state == HOLD_READY)))
				count++;
		}
	}
	if (same_under_way)
		return HA_WAIT;
	if (other)
		return HA_IN_PROGRESS;
	if (replay)
		return HA_REPLAY;
	if (held)
		return HA_SLOT_HELD;
	if (sold)
		return HA_SLOT_SOLD;
	if (old[0] == 0 && old[1] == 0 && count >= 3)
		return HA_TOO_MANY_HOLDS;
	for (size_t i = 0; i < m->n; i++) {
		h = &m->holds[i];
		if (h->state == HOLD_EXPIRED &&
		    (is_mine(h, q) || (h->room == q->room && (h->hours & q->hours) != 0)))
			go(m, h, HOLD_FENCED);
	}
	assert_true(m->n < HOLDS_MAX);
	m->holds[m->n++] = (struct plain){
		.id = m->next_id++, .user = q->user, .room = q->room, .order = q->order,
		.hours = q->hours, .state = HOLD_HELD, .due = m->now + 15 * SECOND,
		.expires = m->now + 10 * MINUTE, .window = m->now + 15 * MINUTE,
		.replaces = { old[0], old[1] },
	};
	return HA_OK;
}

static enum hold_answer_code
model_ready(struct model *m, uint64_t id)
{
	struct plain *h = by_id(m, id), *old;

	if (h == NULL)
		return HA_FENCED;
	if (h->state == HOLD_FENCED && !h->ready_once)
		return HA_IN_PROGRESS;
	if (h->state != HOLD_HELD)
		return h->ready_once && hold_state_is_live(h->state) ? HA_OK : HA_FENCED;
	for (int i = 0; i < 2; i++) {
		old = h->replaces[i] == 0 ? NULL : by_id(m, h->replaces[i]);
		if (old != NULL && (old->state == HOLD_READY || old->state == HOLD_EXPIRED) &&
		    old->room == h->room && (old->hours & h->hours) != 0 &&
		    old->expires < h->expires)
			h->expires = old->expires;
	}
	if (h->expires <= m->now) {
		forget(m, h);
		return HA_FENCED;
	}
	for (int i = 0; i < 2; i++) {
		old = h->replaces[i] == 0 ? NULL : by_id(m, h->replaces[i]);
		if (old != NULL && (old->state == HOLD_READY || old->state == HOLD_EXPIRED))
			go(m, old, HOLD_FENCED);
	}
	go(m, h, HOLD_READY);
	h->ready_once = true;
	return HA_OK;
}

static void
model_fence_others(struct model *m, const struct plain *but)
{
	m->paid[but->order] = true;
	for (size_t i = 0; i < m->n; i++) {
		struct plain *h = &m->holds[i];

		if (h != but && h->order == but->order &&
		    (h->state == HOLD_HELD || h->state == HOLD_READY || h->state == HOLD_EXPIRED))
			go(m, h, HOLD_FENCED);
	}
}

static enum hold_answer_code
model_approve(struct model *m, uint64_t id, int64_t n)
{
	struct plain *h = by_id(m, id), *next;
	int recent = 0;

	if (h == NULL)
		return HA_NO_HOLD;
	if (m->paid[h->order])
		return HA_ORDER_PAID;
	if (h->state == HOLD_FENCED || h->state == HOLD_DECLINED || h->state == HOLD_REMOVED)
		return HA_FENCED;
	if (h->state == HOLD_HELD || h->state == HOLD_REVIEW)
		return HA_IN_PROGRESS;
	if (h->state == HOLD_APPROVING && m->now < h->deadline + 2 * SECOND)
		return HA_WAIT;
	if ((h->state == HOLD_READY || h->state == HOLD_EXPIRED) && h->window <= m->now)
		return HA_EXPIRED;
	for (int i = 0; i < h->n_tries; i++)
		recent += h->tries[i] > m->now - MINUTE;
	if (recent >= TRIES)
		return HA_TOO_MANY_REFUSED;
	if (n <= m->last_n[h->order])
		return HA_LEDGER_BEHIND;
	next = replacement_of(m, h);
	if (next != NULL)
		go(m, next, HOLD_FENCED);
	/* What the rule promises: nobody else has this time. */
	for (size_t i = 0; i < m->n; i++)
		if (&m->holds[i] != h && m->holds[i].room == h->room &&
		    (m->holds[i].hours & h->hours) != 0 &&
		    (hold_state_is_live(m->holds[i].state) || m->holds[i].guarded))
			fail_msg("hold %d was granted over hold %d", (int)h->id,
			    (int)m->holds[i].id);
	h->before = h->state;
	go(m, h, HOLD_APPROVING);
	if (h->n_tries == 8)
		memmove(h->tries, h->tries + 1, (size_t)(--h->n_tries) * sizeof(h->tries[0]));
	h->tries[h->n_tries++] = m->now;
	h->deadline = m->now + 11 * SECOND;
	h->token = m->next_token++;
	if (n - 1 > m->last_n[h->order])
		m->last_n[h->order] = n - 1;
	return HA_OK;
}

static void
model_capture(struct model *m, struct plain *h)
{
	struct plain *next = replacement_of(m, h);

	if (h->paid)
		return;
	if (next != NULL)
		go(m, next, HOLD_FENCED);
	model_fence_others(m, h);
	if (h->state == HOLD_DECLINED || h->state == HOLD_FENCED || h->state == HOLD_REMOVED) {
		for (size_t i = 0; i < m->n; i++)
			if (m->holds[i].room == h->room && (m->holds[i].hours & h->hours) != 0 &&
			    &m->holds[i] != h &&
			    (hold_state_is_live(m->holds[i].state) || m->holds[i].guarded))
				return;
		for (size_t i = 0; i < m->n; i++)
			if (m->holds[i].room == h->room && (m->holds[i].hours & h->hours) != 0 &&
			    m->holds[i].state == HOLD_EXPIRED)
				go(m, &m->holds[i], HOLD_FENCED);
	}
	go(m, h, HOLD_APPROVED);
	h->paid = true;
}

static void
model_restore(struct model *m, struct plain *h, bool refused, int64_t n)
{
	bool sure = h->before == HOLD_READY || h->before == HOLD_EXPIRED || (n > 0 && !h->doubt);

	if (h->state != HOLD_APPROVING && (h->state != HOLD_UNKNOWN || n == 0 || h->doubt))
		return;
	if (!refused && n == 0 && h->state == HOLD_APPROVING &&
	    (h->before == HOLD_READY || h->before == HOLD_EXPIRED))
		h->n_tries--;
	go(m, h, !sure ? HOLD_UNKNOWN : h->expires <= m->now ? HOLD_EXPIRED : HOLD_READY);
}

static enum hold_answer_code
model_outcome(struct model *m, uint64_t id, uint64_t token, enum hold_outcome o, int64_t n)
{
	struct plain *h = by_id(m, id);

	if (h == NULL)
		return HA_NO_HOLD;
	if (token == 0 || token != h->token)
		return HA_STALE_TOKEN;
	if (o == HO_APPROVED)
		model_capture(m, h);
	else if (o == HO_DECLINED && is_open(h->state))
		go(m, h, HOLD_DECLINED);
	else if (o == HO_REVIEW && (h->state == HOLD_APPROVING || h->state == HOLD_UNKNOWN))
		go(m, h, HOLD_REVIEW);
	else if (o == HO_REFUSED || o == HO_RESTORED)
		model_restore(m, h, o == HO_REFUSED, n);
	else if (o == HO_UNKNOWN && (h->state == HOLD_APPROVING || h->state == HOLD_UNKNOWN)) {
		if (h->state == HOLD_APPROVING)
			go(m, h, HOLD_UNKNOWN);
		h->doubt = true;
	}
	if (n > m->last_n[h->order])
		m->last_n[h->order] = n;
	return HA_OK;
}

static enum hold_answer_code
model_remove(struct model *m, uint64_t id, bool by_reservation)
{
	struct plain *h = by_id(m, id);

	if (h == NULL)
		return HA_NO_HOLD;
	if (by_reservation) {
		if (h->state == HOLD_REMOVED && h->paid)
			return HA_REPLAY;
		if (h->state != HOLD_APPROVED)
			return HA_NO_HOLD;
		go(m, h, HOLD_REMOVED);
		h->guarded = true;
		h->due = m->now + MINUTE;
		return HA_OK;
	}
	if (is_open(h->state))
		return HA_IN_PROGRESS;
	if (h->paid)
		return HA_ORDER_PAID;
	if (h->state == HOLD_HELD || h->state == HOLD_READY)
		go(m, h, HOLD_REMOVED);
	else if (h->state == HOLD_EXPIRED)
		go(m, h, HOLD_FENCED);
	else
		return HA_REPLAY;
	return HA_OK;
}

/* ---- both of them */

static const char *const users[USERS] = { "u0", "u1", "u2", "u3" };
static const char *const rooms[ROOMS] = { "000000000000000000000000", "111111111111111111111111",
	"222222222222222222222222", "333333333333333333333333", "444444444444444444444444" };

/* How often each command got each answer. */
enum command { DO_HOLD, DO_READY, DO_APPROVE, DO_OUTCOME, DO_REMOVE, DO__MAX };
static const char *const command_names[] = { "hold", "ready", "approve", "outcome", "remove" };

struct pair {
	struct world w;
	struct model m;
	struct dice d;
	int op;
	int answers[DO__MAX][HA__MAX];
};

static void
hours_to_set(uint32_t hours, char out[200])
{
	size_t len = 0;

	for (int h = 0; h < 24; h++) {
		int first = h;

		if ((hours >> h & 1) == 0)
			continue;
		while (h < 23 && (hours >> (h + 1) & 1) != 0)
			h++;
		len += (size_t)snprintf(out + len, 200 - len, "%s%d-%d", len == 0 ? "" : ",",
		    60 * first, 60 * (h + 1));
	}
}

static struct asked
ask(struct dice *d)
{
	struct asked q = { (int)roll(d, USERS), (int)roll(d, ROOMS), (int)roll(d, ORDERS), 0 };

	for (uint32_t runs = 1 + roll(d, 3); runs > 0; runs--)
		q.hours |= (((uint32_t)1 << (1 + roll(d, 4))) - 1) << roll(d, 20);
	return q;
}

static void
must(struct pair *p, enum command c, enum hold_answer_code real, enum hold_answer_code modelled)
{
	if (real != modelled)
		fail_msg("operation %d, %s: %s, the model says %s", p->op, command_names[c],
		    hold_answer_name(real), hold_answer_name(modelled));
	p->answers[c][real]++;
}

/* Mostly one of the latest holds, because the others have ended. */
static const struct plain *
any(struct pair *p)
{
	size_t n = p->m.n, late = n < 10 || roll(&p->d, 4) == 0 ? n : 10;

	return n == 0 ? NULL : &p->m.holds[n - 1 - roll(&p->d, (uint32_t)late)];
}

static void
do_hold(struct pair *p)
{
	struct asked q = ask(&p->d);
	const struct plain *h = any(p);
	char order[20], set[200], fingerprint[KEY_CAP];

	if (h != NULL && roll(&p->d, 4) == 0)	/* an equal request */
		q = (struct asked){ h->user, h->room, h->order, h->hours };
	snprintf(order, sizeof(order), "o%d", q.order);
	snprintf(fingerprint, sizeof(fingerprint), "%d/%d/%d/%x", q.user, q.room, q.order, q.hours);
	hours_to_set(q.hours, set);
	must(p, DO_HOLD,
	    world_hold_as(&p->w, users[q.user], rooms[q.room], order, set, fingerprint),
	    model_hold(&p->m, &q));
}

static void
do_outcome(struct pair *p, const struct plain *h, int64_t n)
{
	enum hold_outcome o = (enum hold_outcome)roll(&p->d, HO__MAX);
	uint64_t id = h == NULL ? NOBODY : h->id,
	    token = h == NULL || roll(&p->d, 20) == 0 ? roll(&p->d, 50) : h->token;

	if (o == HO_APPROVED && roll(&p->d, 4) != 0)
		o = HO_REFUSED;		/* else all orders would be paid soon */
	must(p, DO_OUTCOME, world_outcome(&p->w, id, token, o, n),
	    model_outcome(&p->m, id, token, o, n));
}

/* Somebody guesses tokens. */
static void
do_guesses(struct pair *p, uint64_t id)
{
	for (int i = 0; i <= TRIES; i++) {
		const struct plain *h = by_id(&p->m, id);
		int64_t n = h == NULL ? 1 : p->m.last_n[h->order] + 1;

		must(p, DO_APPROVE, world_approve(&p->w, id, n), model_approve(&p->m, id, n));
		if (p->w.a.code != HA_OK)
			return;
		must(p, DO_OUTCOME, world_outcome(&p->w, id, h->token, HO_REFUSED, n + 1),
		    model_outcome(&p->m, id, h->token, HO_REFUSED, n + 1));
	}
}

static void
do_one(struct pair *p)
{
	const struct plain *h = any(p);
	uint64_t id = h == NULL ? NOBODY : h->id;
	int64_t n = h == NULL ? 1 : p->m.last_n[h->order] + roll(&p->d, 3);
	bool by_reservation = roll(&p->d, 2) == 0;
	char tid[TID_CAP];

	switch (roll(&p->d, 15)) {
	case 0: case 1: case 2: case 3:
		do_hold(p);
		break;
	case 4: case 5: case 6:
		snprintf(tid, sizeof(tid), "T%u", (unsigned)id);
		must(p, DO_READY, world_ready(&p->w, id, tid), model_ready(&p->m, id));
		break;
	case 7:
		if (h != NULL && h->state == HOLD_HELD)
			forget(&p->m, by_id(&p->m, id));
		world_fail(&p->w, id, false);
		break;
	case 8: case 9: case 10:
		n += n == 0;
		must(p, DO_APPROVE, world_approve(&p->w, id, n), model_approve(&p->m, id, n));
		break;
	case 11: case 12:
		do_outcome(p, h, n);
		break;
	case 13:
		do_guesses(p, id);
		break;
	default:
		must(p, DO_REMOVE, world_remove(&p->w, id, by_reservation, 0),
		    model_remove(&p->m, id, by_reservation));
		break;
	}
}

static void
compare_states(struct pair *p)
{
	struct world *w = &p->w;
	struct model *m = &p->m;
	char tid[TID_CAP];
	int op = p->op;

	for (size_t i = 0; i < m->n; i++) {
		const struct plain *h = &m->holds[i];

		snprintf(tid, sizeof(tid), "T%u", (unsigned)h->id);
		if (!h->ready_once)
			continue;
		if (world_find_tid(w, tid) != HA_OK || w->a.hold.state != h->state ||
		    w->a.hold.token != h->token || w->a.hold.last_n != m->last_n[h->order])
			fail_msg("operation %d: hold %u is %s, the model says %s", op,
			    (unsigned)h->id,
			    w->a.code == HA_OK ? hold_state_name(w->a.hold.state) : "gone",
			    hold_state_name(h->state));
	}
	/* No two live holds of a room overlap, except a replacement and the hold that it
	 * replaces. */
	for (size_t i = 0; i < m->n; i++) {
		for (size_t j = 0; j < i; j++) {
			const struct plain *a = &m->holds[i], *b = &m->holds[j];

			if (hold_state_is_live(a->state) && hold_state_is_live(b->state) &&
			    a->room == b->room && (a->hours & b->hours) != 0 &&
			    !(a->user == b->user && (replaces(a, b) || replaces(b, a))))
				fail_msg("operation %d: holds %u and %u overlap", op,
				    (unsigned)a->id, (unsigned)b->id);
		}
	}
}

static void
open_pair(struct pair *p, uint64_t seed)
{
	world_open(&p->w);
	p->w.limits.gone_memory_ms = MEMORY_MS;
	p->w.limits.max_tries_per_min = TRIES;
	hold_table_free(&p->w.t);
	p->w.t = world_table(&p->w);
	p->w.load = (struct hold_load){ .max_ready = 1000, .max_all = 1000 };
	p->m = (struct model){
		.holds = calloc(HOLDS_MAX, sizeof(struct plain)), .next_id = 1, .next_token = 1,
		.now = p->w.now.boot_ms,
	};
	p->d.x = seed * 0x9e3779b97f4a7c15;
	assert_non_null(p->m.holds);
}

static void
close_pair(struct pair *p)
{
	world_close(&p->w);
	free(p->m.holds);
}

static void
run(struct pair *p, int operations)
{
	static const int64_t steps[] = { 0, 0, 1, 500, 5 * SECOND, 20 * SECOND, 70 * SECOND,
		3 * MINUTE };

	for (p->op = 0; p->op < operations; p->op++) {
		world_pass(&p->w,
		    roll(&p->d, 4) == 0 ? steps[roll(&p->d, sizeof(steps) / sizeof(steps[0]))] : 0);
		p->m.now = p->w.now.boot_ms;
		elapse(&p->m);
		if (roll(&p->d, 10) == 0)
			world_expire(&p->w);
		do_one(p);
		if (p->op % 50 == 0)
			compare_states(p);
		if (p->op % 400 == 399)
			world_restart(&p->w);
	}
}

static void
random_commands_are_answered_as_the_model_answers_them(void **state)
{
	static const enum hold_answer_code possible[DO__MAX][12] = {
		/* HA_OK, which is 0, ends a row, and is always possible. The model has no busy. */
		[DO_HOLD] = { HA_REPLAY, HA_WAIT, HA_ORDER_PAID, HA_IN_PROGRESS, HA_SLOT_HELD,
		    HA_SLOT_SOLD, HA_TOO_MANY_HOLDS },
		[DO_READY] = { HA_IN_PROGRESS, HA_FENCED },
		[DO_APPROVE] = { HA_WAIT, HA_ORDER_PAID, HA_IN_PROGRESS, HA_TOO_MANY_REFUSED,
		    HA_NO_HOLD, HA_EXPIRED, HA_FENCED, HA_LEDGER_BEHIND },
		[DO_OUTCOME] = { HA_NO_HOLD, HA_STALE_TOKEN },
		[DO_REMOVE] = { HA_REPLAY, HA_ORDER_PAID, HA_IN_PROGRESS, HA_NO_HOLD },
	};
	struct pair p = { .op = 0 };

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		open_pair(&p, seed);
		run(&p, OPERATIONS / SEEDS);
		close_pair(&p);
	}
	for (enum command c = 0; c < DO__MAX; c++) {
		assert_true(p.answers[c][HA_OK] > 100);
		for (size_t i = 0; possible[c][i] != HA_OK; i++)
			if (p.answers[c][possible[c][i]] < 3)
				fail_msg("%s: %s came up %d times", command_names[c],
				    hold_answer_name(possible[c][i]), p.answers[c][possible[c][i]]);
	}
}

/* ---- damaged records */

static bool
see_one(void *ctx, const struct hold_view *h, const struct interval_set *set)
{
	size_t *n = ctx;

	*n += strlen(h->cid) + strlen(h->attempt) + strlen(h->answer) + strlen(h->tid) + set->n;
	return true;
}

/* Calls every command on a table in any condition. */
static void
prod(struct world *w)
{
	struct interval_set set = { .iv = { { 0, 1440 } }, .n = 1 };
	struct error err;
	struct buf sink;
	int64_t next;
	size_t n = 0;

	for (uint64_t id = 1; id < 12; id++) {
		struct hold_request rq = {
			.cid = CID, .order = "o1", .user = users[id % USERS],
			.room = rooms[id % ROOMS], .set = set, .fingerprint = "f", .attempt = "{}",
			.ttl_ms = 1000, .call_ms = 1000,
		};

		hold_table_hold(w->t, &rq, &w->load, w->now, &w->a, &err);
		hold_answer_clear(&w->a);
		hold_table_ready(w->t, id, "TX", "{}", w->now, &w->a, &err);
		hold_answer_clear(&w->a);
		hold_table_fail(w->t, id, true, w->now, &w->a, &err);
		hold_answer_clear(&w->a);
		hold_table_approve(w->t, id, 1000, "k", 1000, &w->load, w->now, &w->a, &err);
		hold_answer_clear(&w->a);
		for (enum hold_outcome o = 0; o < HO__MAX; o++) {
			for (uint64_t token = 0; token < 4; token++) {
				hold_table_outcome(w->t, id, token, o, 1000, w->now, &w->a, &err);
				hold_answer_clear(&w->a);
			}
		}
		hold_table_remove(w->t, id, id % 2 == 0, 1000, w->now, &w->a, &err);
		hold_answer_clear(&w->a);
	}
	buf_init(&sink, 0);
	if (hold_table_expire(w->t, (struct now){ w->now.boot_ms + DAY, 0 }, &sink, &next, &err))
		hold_table_apply(w->t, sink.data == NULL ? "" : sink.data, sink.len, NULL, &err);
	buf_clear(&sink);
	hold_table_each(w->t, NULL, see_one, &n);
	hold_table_each(w->t, rooms[0], see_one, &n);
	hold_table_rebase(w->t, false, (struct now){ 1, 1 });
	buf_init(&sink, 0);
	hold_table_snapshot(w->t, world_emit, &sink);
	buf_clear(&sink);
}

struct cut {			/* the records of a run, apart */
	const char *record[600];
	size_t len[600];
	size_t n;
};

static void
cut_journal(const struct buf *journal, struct cut *c)
{
	size_t len;

	c->n = 0;
	for (size_t at = 0; at < journal->len && c->n < 600; at += len) {
		memcpy(&len, journal->data + at, sizeof(len));
		at += sizeof(len);
		c->record[c->n] = journal->data + at;
		c->len[c->n++] = len;
	}
}

/* Applies the records before `at`, this one in its place, and those after it as far as they fit. */
static void
try_damaged(struct world *w, const struct cut *c, size_t at, const char *record, size_t len)
{
	struct error err = { 0 };
	size_t i;
	bool ok;

	w->t = world_table(w);
	for (i = 0; i < at; i++)
		assert_true(hold_table_apply(w->t, c->record[i], c->len[i], NULL, &err));
	ok = hold_table_apply(w->t, record, len, NULL, &err);
	if (!ok) {
		assert_int_equal(err.code, ERR_INTERNAL);
		/* broken from then on */
		assert_false(hold_table_apply(w->t, c->record[at], c->len[at], NULL, &err));
	}
	for (i = at + 1; ok && i < c->n && i < at + 20; i++)
		ok = hold_table_apply(w->t, c->record[i], c->len[i], NULL, &err);
	prod(w);
	hold_table_free(&w->t);
}

static void
a_damaged_record_never_crashes_the_table(void **state)
{
	struct pair p = { .op = 0 };
	struct dice d = { 4711 };
	struct world victim;
	struct cut c;

	(void)state;
	open_pair(&p, 99);
	run(&p, 390);		/* without a restart, so that the journal is complete */
	victim = p.w;
	cut_journal(&p.w.journal, &c);
	assert_true(c.n > 100);
	for (size_t at = 0; at < c.n; at += 7) {
		for (int i = 0; i < 60; i++) {
			/* A copy of exactly its size, so that a sanitizer sees reads past its
			 * end. */
			size_t len = i < 20 ? roll(&d, (uint32_t)c.len[at]) : c.len[at];
			char *copy = malloc(len + 1);

			assert_non_null(copy);
			memcpy(copy, c.record[at], len);
			for (uint32_t flips = i < 20 ? 0 : 1 + roll(&d, 3); flips > 0; flips--)
				copy[roll(&d, (uint32_t)len)] = (char)(i % 2 == 0 ? roll(&d, 256) :
				    roll(&d, 12));
			copy = realloc(copy, len == 0 ? 1 : len);
			try_damaged(&victim, &c, at, copy, len);
			free(copy);
		}
	}
	close_pair(&p);
}

static void
a_truncated_record_or_another_version_is_refused(void **state)
{
	struct error err = { 0 };
	struct buf journal;
	struct cut c;

	(void)state;
	for (size_t cut = 0; ; cut++) {
		struct world w;
		struct hold_table *t;
		size_t whole;

		world_open(&w);
		world_held(&w, "a", ROOM1, "o1", "0-60,120-180");
		journal = w.journal;
		cut_journal(&journal, &c);
		whole = c.len[0];
		t = world_table(&w);
		/* 17 bytes are a record without changes */
		if (hold_table_apply(t, c.record[0], cut, NULL, &err) !=
		    (cut == whole || cut == 17))
			fail_msg("cut after %zu of %zu", cut, whole);
		hold_table_free(&t);
		world_close(&w);
		if (cut == whole)
			break;
	}
	for (int version = 0; version < 256; version++) {
		struct world w;
		struct hold_table *t;

		world_open(&w);
		world_held(&w, "a", ROOM1, "o1", "0-60");
		cut_journal(&w.journal, &c);
		w.journal.data[sizeof(size_t)] = (char)version;
		t = world_table(&w);
		assert_int_equal(hold_table_apply(t, c.record[0], c.len[0], NULL, &err),
		    version == 1);
		hold_table_free(&t);
		w.journal.data[sizeof(size_t)] = 1;
		world_close(&w);
	}
}

static void
a_record_applied_twice_does_not_fit(void **state)
{
	(void)state;
	/* even after the hold is gone: no id is used twice */
	for (int gone = 0; gone < 2; gone++) {
		struct error err = { 0 };
		struct world w;
		struct cut c;
		uint64_t id;

		world_open(&w);
		id = world_held(&w, "a", ROOM1, "o1", "0-60");
		if (gone)
			world_fail(&w, id, false);
		cut_journal(&w.journal, &c);
		assert_false(hold_table_apply(w.t, c.record[0], c.len[0], NULL, &err));
		assert_int_equal(err.code, ERR_INTERNAL);
		hold_answer_clear(&w.a);
		buf_clear(&w.journal);
		hold_table_free(&w.t);
	}
}

/* A world in which hold 1 is ready, 2 approving and 3 held; and a change that fits: 1 expires. */
static void
open_for_misfits(struct world *w, struct change *c)
{
	world_open(w);
	world_opened(w, "a", ROOM1, "o1", "0-60");
	world_granted(w, world_opened(w, "b", ROOM1, "o2", "60-120"), 3);
	world_held(w, "c", ROOM1, "o3", "120-180");
	*c = (struct change){
		.kind = CHANGE_LIFE, .id = 1,
		.life = { .state = HOLD_EXPIRED, .due_ms = w->now.boot_ms + DAY },
	};
}

static bool
try_change(struct world *w, const struct change *c)
{
	struct error err = { 0 };
	struct buf record;
	bool fits;

	record_begin(&record, w->now);
	record_add(&record, c);
	fits = hold_table_apply(w->t, record.data, record.len, NULL, &err);
	assert_true(fits || err.code == ERR_INTERNAL);
	buf_clear(&record);
	hold_answer_clear(&w->a);
	buf_clear(&w->journal);
	hold_table_free(&w->t);
	return fits;
}

static void
a_valid_change_that_does_not_fit_the_table_is_refused(void **state)
{
	static const char *const rows[] = {
		"it fits", "a hold that is not there", "no step from ready to declined",
		"an approving hold is ended by no clock", "a ready hold is ended by one",
		"a ready hold has a tid", "a tid is another's", "a tid does not change",
		"a held hold has no token", "only paid times are guarded",
		"a paid hold is approved or removed",
		"an approving hold is not dropped in favour of a grant", "intervals out of order",
		"intervals that overlap", "an interval past midnight", "no interval",
		"a second hold in a place", "a second open hold of an order",
		"a time that is taken", "an order of which nothing is known",
		"an order that was never remembered", "a token that goes back", "an unknown kind",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;
		struct change c, hold;
		int64_t later;

		open_for_misfits(&w, &c);
		later = c.life.due_ms;
		hold = (struct change){
			.kind = CHANGE_HOLD, .id = 9, .cid = CID, .order = "o9", .user = "z",
			.room = ROOM1, .fingerprint = "f", .attempt = "{}",
			.set = { .iv = { { 600, 660 }, { 700, 710 } }, .n = 2 },
			.life = { .state = HOLD_HELD, .due_ms = later }, .grant = true,
		};
		switch (i) {
		case 1: c.id = 77; break;
		case 2: c.life.state = HOLD_DECLINED; break;
		case 3: c.id = 2; c.life.state = HOLD_APPROVING; break;
		case 4:
			c.life = (struct hold_life){ .state = HOLD_READY, .due_ms = INT64_MAX };
			break;
		case 5: c.id = 3; c.life.state = HOLD_READY; break;
		case 6: c.id = 3; c.life.state = HOLD_READY; c.tid = "T1"; break;
		case 7: c.tid = "T9"; break;
		case 8: c.id = 3; c.life.state = HOLD_HELD; c.life.token = 1; break;
		case 9: c.life.state = HOLD_REMOVED; c.life.guarded = true; break;
		case 10: c.life.paid = true; break;
		case 11:
			c = hold;
			c.set = (struct interval_set){ .iv = { { 100, 110 } }, .n = 1 };
			break;
		case 12: c = hold; c.set.iv[1] = (struct interval){ 10, 20 }; break;
		case 13: c = hold; c.set.iv[1].start = 650; break;
		case 14: c = hold; c.set.iv[1] = (struct interval){ 1430, 1450 }; break;
		case 15: c = hold; c.set.n = 0; break;
		case 16: c = hold; c.user = "c"; break;
		case 17: c = hold; c.order = "o3"; break;
		case 18: c = hold; c.grant = false; c.set.iv[0].start = 30; break;
		case 19:
			c = (struct change){ .kind = CHANGE_ORDER, .cid = CID, .order = "o1" };
			break;
		case 20:
			c = (struct change){ .kind = CHANGE_FORGET, .cid = CID, .order = "o1" };
			break;
		case 21:
			c = (struct change){ .kind = CHANGE_COUNTERS,
				.last_id = 99,
				.last_token = 0,
				.last_seq = 99 };
			break;
		case 22: c.kind = (enum change_kind)99; break;
		default: break;
		}
		if (try_change(&w, &c) != (i == 0))
			fail_msg("%s", rows[i]);
	}
}

/* The bytes of a record must not change: journals that exist have them. */
static void
the_bytes_of_a_record_stay_as_they_are(void **state)
{
	static const unsigned char begin[] = {
		1,					/* version */
		0x80, 0xa8, 0x12, 0x01, 0, 0, 0, 0,	/* boot: 5 h in ms */
		0x00, 0x68, 0xe5, 0xcf, 0x8b, 1, 0, 0,	/* wall: 1.7e12 ms */
		1,					/* a whole hold */
		1, 0, 0, 0, 0, 0, 0, 0,			/* id */
		0, 0, 0, 0, 0, 0, 0, 0,			/* seq: the next one */
		10, 0, 'T', 'C', '0', 'O', 'N', 'E', 'T', 'I', 'M', 'E', 0,
		2, 0, 'o', '1', 0,
		1, 0, 'a', 0,
	};
	struct world w;
	struct cut c;

	(void)state;
	world_open(&w);
	world_held(&w, "a", ROOM1, "o1", "0-60");
	cut_journal(&w.journal, &c);
	assert_int_equal(c.n, 1);
	assert_memory_equal(c.record[0], begin, sizeof(begin));
	world_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_commands_are_answered_as_the_model_answers_them),
		cmocka_unit_test(a_damaged_record_never_crashes_the_table),
		cmocka_unit_test(a_truncated_record_or_another_version_is_refused),
		cmocka_unit_test(a_record_applied_twice_does_not_fit),
		cmocka_unit_test(a_valid_change_that_does_not_fit_the_table_is_refused),
		cmocka_unit_test(the_bytes_of_a_record_stay_as_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
