#include "config.h"

#include "hold_model.h"

uint32_t
roll(struct dice *d, uint32_t sides)
{
	d->x ^= d->x << 13;
	d->x ^= d->x >> 7;
	d->x ^= d->x << 17;
	return (uint32_t)(d->x >> 33) % sides;
}

static bool
is_open(enum hold_state s)
{
	return s == HOLD_APPROVING || s == HOLD_UNKNOWN || s == HOLD_REVIEW;
}

struct plain *
model_find(struct model *m, uint64_t id)
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

void
model_forget(struct model *m, struct plain *h)
{
	*h = m->holds[--m->n];
}

/* What time alone does. */
void
model_pass_time(struct model *m)
{
	for (size_t i = m->n; i-- > 0;) {
		struct plain *h = &m->holds[i];

		if (h->state == HOLD_READY && h->due <= m->now)
			go(m, h, HOLD_EXPIRED);
		if (h->guarded && h->due <= m->now)
			h->guarded = false;
		if (h->state == HOLD_HELD && h->due <= m->now)
			model_forget(m, h);
		else if (!hold_state_is_live(h->state) && !h->guarded &&
		    h->gone_at + MODEL_MEMORY_MS <= m->now)
			model_forget(m, h);
	}
}

bool
model_replaces(const struct plain *next, const struct plain *old)
{
	return next->state == HOLD_HELD &&
	    (old->state == HOLD_READY || old->state == HOLD_EXPIRED) &&
	    (next->replaces[0] == old->id || next->replaces[1] == old->id);
}

static struct plain *
replacement_of(struct model *m, const struct plain *old)
{
	for (size_t i = 0; i < m->n; i++)
		if (model_replaces(&m->holds[i], old))
			return &m->holds[i];
	return NULL;
}

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

enum hold_answer_code
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
			struct plain *a =
			    h->replaces[0] == 0 ? NULL : model_find(m, h->replaces[0]);
			struct plain *b =
			    h->replaces[1] == 0 ? NULL : model_find(m, h->replaces[1]);

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
	assert_true(m->n < MODEL_HOLDS_MAX);
	m->holds[m->n++] = (struct plain){
		.id = m->next_id++,
		.user = q->user,
		.room = q->room,
		.order = q->order,
		.hours = q->hours,
		.state = HOLD_HELD,
		.due = m->now + 15 * SECOND,
		.expires = m->now + 10 * MINUTE,
		.window = m->now + 15 * MINUTE,
		.replaces = { old[0], old[1] },
	};
	return HA_OK;
}

enum hold_answer_code
model_ready(struct model *m, uint64_t id)
{
	struct plain *h = model_find(m, id), *old;

	if (h == NULL)
		return HA_FENCED;
	if (h->state == HOLD_FENCED && !h->ready_once)
		return HA_IN_PROGRESS;
	if (h->state != HOLD_HELD)
		return h->ready_once && hold_state_is_live(h->state) ? HA_OK : HA_FENCED;
	for (int i = 0; i < 2; i++) {
		old = h->replaces[i] == 0 ? NULL : model_find(m, h->replaces[i]);
		if (old != NULL && (old->state == HOLD_READY || old->state == HOLD_EXPIRED) &&
		    old->room == h->room && (old->hours & h->hours) != 0 &&
		    old->expires < h->expires)
			h->expires = old->expires;
	}
	if (h->expires <= m->now) {
		model_forget(m, h);
		return HA_FENCED;
	}
	for (int i = 0; i < 2; i++) {
		old = h->replaces[i] == 0 ? NULL : model_find(m, h->replaces[i]);
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

enum hold_answer_code
model_approve(struct model *m, uint64_t id, int64_t n)
{
	struct plain *h = model_find(m, id), *next;
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
	if (recent >= MODEL_TRIES)
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

enum hold_answer_code
model_approve_first(struct model *m, int user, int room)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct plain *h = &m->holds[i];

		if (h->user == user && h->room == room && h->state == HOLD_READY && h->token == 0 &&
		    m->last_n[h->order] == 0)
			return model_approve(m, h->id, 1);
	}
	return HA_NOT_FIRST;
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

enum hold_answer_code
model_outcome(struct model *m, uint64_t id, uint64_t token, enum hold_outcome o, int64_t n)
{
	struct plain *h = model_find(m, id);

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

enum hold_answer_code
model_remove(struct model *m, uint64_t id, bool by_reservation)
{
	struct plain *h = model_find(m, id);

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
