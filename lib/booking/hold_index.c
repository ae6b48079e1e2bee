#include "config.h"

#include "booking/hold_index.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* The lists by latest change are in order of seq. A change gets the highest seq, so this loop walks
 * only while a snapshot is read. */
#define INSERT_BY_SEQ(head, h, prev, next) \
	do { \
		struct hold *at_ = (head) == NULL ? NULL : (head)->prev; \
		while (at_ != NULL && at_->seq > (h)->seq) \
			at_ = at_ == (head) ? NULL : at_->prev; \
		if (at_ == NULL) \
			DL_PREPEND2(head, h, prev, next); \
		else \
			DL_APPEND_ELEM2(head, at_, h, prev, next); \
	} while (0)

/* ---- what a hold is */

enum hold_state
hold_state_at(const struct hold *h, int64_t boot_ms)
{
	bool ends = h->life.state == HOLD_HELD || h->life.state == HOLD_READY;

	return ends && h->life.due_ms <= boot_ms ? HOLD_EXPIRED : h->life.state;
}

bool
hold_guards_at(const struct hold *h, int64_t boot_ms)
{
	if (h->life.guarded)
		return h->life.due_ms > boot_ms;
	return hold_state_is_live(hold_state_at(h, boot_ms));
}

bool
hold_is_replacing(const struct hold *h)
{
	return h->life.state == HOLD_HELD && (h->life.replaces[0] != 0 || h->life.replaces[1] != 0);
}

void
hold_get_set(const struct hold *h, struct interval_set *out)
{
	out->n = h->n_iv;
	memcpy(out->iv, h->iv, h->n_iv * sizeof(h->iv[0]));
}

static bool
can_be_replaced(enum hold_state s)
{
	return s == HOLD_READY || s == HOLD_EXPIRED;
}

/* Such a hold is `cur` of its place and of its order. */
static bool
is_current(enum hold_state s)
{
	return s == HOLD_READY || s == HOLD_APPROVING || s == HOLD_UNKNOWN || s == HOLD_REVIEW ||
	    s == HOLD_EXPIRED;
}

/* payReady's answer is kept while it may be asked for: of a hold that is ready or may become so
 * again. */
static bool
keeps_answer(const struct hold_life *l)
{
	return l->state == HOLD_HELD || l->state == HOLD_READY ||
	    (l->state == HOLD_APPROVING && !l->doubt) || (l->state == HOLD_UNKNOWN && !l->doubt);
}

/* What the rules rely on. Our own records always satisfy it; damaged ones may not. */
static bool
is_consistent(const struct hold *h)
{
	const struct hold_life *l = &h->life;
	bool has_tid = h->tid[0] != '\0', held = l->state == HOLD_HELD;
	bool ends = held || l->state == HOLD_READY || !hold_state_is_live(l->state);

	if (ends != (l->due_ms != INT64_MAX))
		return false;
	if (held ? has_tid || l->token != 0
		 : !has_tid && l->state != HOLD_REMOVED && l->state != HOLD_FENCED)
		return false;
	if (l->state == HOLD_APPROVED ? !l->paid : l->paid && l->state != HOLD_REMOVED)
		return false;
	return (!l->paid || has_tid) && (!l->guarded || (l->paid && l->state == HOLD_REMOVED));
}

/* ---- linking: the state says which lists a hold is in. To change it: unlink, change, link. */

static struct week *
week_of(const struct hold *h)
{
	struct room *r = h->place->room;

	if (h->life.state == HOLD_APPROVED || h->life.guarded || is_current(h->life.state))
		return &r->primary;
	if (h->life.state == HOLD_HELD)
		return hold_is_replacing(h) ? &r->replacing : &r->primary;
	return NULL;
}

static struct hold **
place_list(const struct hold *h)
{
	struct place *p = h->place;

	if (h->life.state == HOLD_APPROVED)
		return &p->approved;
	if (h->life.state == HOLD_REMOVED && h->life.paid)
		return &p->removed;
	/* A hold that lost to an approve never had a tid: it is kept only to answer its ready
	 * call. */
	if (h->life.state == HOLD_REMOVED || h->life.state == HOLD_DECLINED ||
	    (h->life.state == HOLD_FENCED && h->tid[0] != '\0'))
		return &p->gone;
	return NULL;
}

static bool
take_seat(struct hold **seat, struct hold *h)
{
	if (*seat != NULL)
		return false;
	*seat = h;
	return true;
}

static void
leave_seat(struct hold **seat, const struct hold *h)
{
	if (*seat == h)
		*seat = NULL;
}

static void
link_replaced(struct hold_table *t, struct hold *h)
{
	for (size_t i = 0; i < 2; i++) {
		struct hold *old =
		    h->life.replaces[i] == 0 ? NULL : hold_index_find(t, h->life.replaces[i]);

		if (old != NULL && can_be_replaced(old->life.state) &&
		    (old->replaced_by == NULL || old->replaced_by == h))
			old->replaced_by = h;
		else
			h->life.replaces[i] = 0;
	}
}

static void
unlink_replaced(struct hold_table *t, const struct hold *h)
{
	for (size_t i = 0; i < 2; i++) {
		struct hold *old =
		    h->life.replaces[i] == 0 ? NULL : hold_index_find(t, h->life.replaces[i]);

		if (old != NULL && old->replaced_by == h)
			old->replaced_by = NULL;
	}
}

static bool
link_seats(struct hold *h)
{
	if (h->life.state == HOLD_HELD)
		return take_seat(&h->place->next, h) && take_seat(&h->order->next, h);
	if (is_current(h->life.state))
		return take_seat(&h->place->cur, h) && take_seat(&h->order->cur, h);
	return true;
}

static bool
link_hold(struct hold_table *t, struct hold *h)
{
	struct hold **list;
	struct week *week;

	if (!is_consistent(h))
		return false;
	if (h->life.state == HOLD_HELD)
		link_replaced(t, h);
	week = week_of(h);
	if ((week != NULL && !week_add(week, h->iv, h->n_iv, h)) || !link_seats(h) ||
	    !heap_set(&t->holds_due, &h->timer, h->life.due_ms))
		return false;
	list = place_list(h);
	if (list != NULL)
		INSERT_BY_SEQ(*list, h, place_prev, place_next);
	INSERT_BY_SEQ(h->order->all, h, order_prev, order_next);
	if (h->life.state == HOLD_HELD || h->life.state == HOLD_READY)
		DL_APPEND2(h->place->user->open, h, user_prev, user_next);
	t->stats.by_state[h->life.state]++;
	t->stats.guards += h->life.guarded;
	return true;
}

static void
unlink_hold(struct hold_table *t, struct hold *h)
{
	struct hold **list = place_list(h);
	struct week *week = week_of(h);

	if (week != NULL)
		week_remove(week, h->iv, h->n_iv, h);
	if (h->life.state == HOLD_HELD)
		unlink_replaced(t, h);
	leave_seat(&h->place->cur, h);
	leave_seat(&h->place->next, h);
	leave_seat(&h->order->cur, h);
	leave_seat(&h->order->next, h);
	if (list != NULL)
		DL_DELETE2(*list, h, place_prev, place_next);
	DL_DELETE2(h->order->all, h, order_prev, order_next);
	if (h->life.state == HOLD_HELD || h->life.state == HOLD_READY)
		DL_DELETE2(h->place->user->open, h, user_prev, user_next);
	t->stats.by_state[h->life.state]--;
	t->stats.guards -= h->life.guarded;
}

/* `old` is out of the way. Its replacement stands alone from now on. */
static bool
release_next(struct hold_table *t, struct hold *old)
{
	struct hold *h = old->replaced_by;

	if (h == NULL)
		return true;
	unlink_hold(t, h);
	for (size_t i = 0; i < 2; i++)
		if (h->life.replaces[i] == old->id)
			h->life.replaces[i] = 0;
	return link_hold(t, h);
}

/* ---- changes */

static bool
set_text(char **to, const char *s)
{
	char *copy;

	if (s == NULL)
		return true;
	copy = s[0] == '\0' ? NULL : strdup(s);
	if (copy == NULL && s[0] != '\0')
		return false;
	free(*to);
	*to = copy;
	return true;
}

static bool
set_tid(struct hold_table *t, struct hold *h, const char *tid)
{
	if (tid == NULL || strcmp(tid, h->tid) == 0)
		return true;
	if (h->tid[0] != '\0' || hold_index_find_tid(t, tid) != NULL)
		return false;
	memcpy(h->tid, tid, strlen(tid) + 1);
	return hold_index_put_tid(t, h);
}

static bool
set_tries(struct hold *h, const struct try_times *tries)
{
	size_t size;

	if (tries == NULL)
		return true;
	free(h->tries);
	h->tries = NULL;
	if (tries->n == 0)
		return true;
	size = offsetof(struct try_times, ms) + tries->n * sizeof(tries->ms[0]);
	h->tries = malloc(size);
	if (h->tries == NULL)
		return false;
	memcpy(h->tries, tries, size);
	return true;
}

static bool
set_parts(struct hold_table *t, struct hold *h, const struct change *c)
{
	return set_tid(t, h, c->tid) && set_text(&h->answer, c->answer) &&
	    set_text(&h->key, c->key) && set_tries(h, c->tries);
}

static bool
steps_to(enum hold_state from, enum hold_state to)
{
	enum hold_state reached;

	for (enum hold_event ev = 0; ev < HOLD_EV__MAX; ev++)
		if (hold_step(from, ev, &reached, NULL) && reached == to)
			return true;
	return from == to;
}

/* Nothing else sets a hold's life. */
static bool
set_life(struct hold_table *t, struct hold *h, const struct hold_life *life)
{
	if (!steps_to(h->life.state, life->state))
		return false;
	unlink_hold(t, h);
	h->life = *life;
	h->seq = ++t->last_seq;
	if (life->token > t->last_token)
		t->last_token = life->token;
	if (!keeps_answer(life)) {
		free(h->answer);
		h->answer = NULL;
	}
	return link_hold(t, h) && (can_be_replaced(life->state) || release_next(t, h));
}

static void
note(const struct hold_apply *a, const struct hold *h)
{
	struct hold_changes *c = a->changed;

	if (c->n == sizeof(c->id) / sizeof(c->id[0]))
		c->all = true;
	else
		c->id[c->n++] = h->id;
}

/* An expired hold makes room for a grant. */
static bool
give_way(const struct hold_apply *a, struct hold *h, int64_t until_ms)
{
	struct hold_life life = h->life;

	if (life.state == HOLD_HELD)
		return hold_index_drop(a, h);
	note(a, h);
	if (life.state == HOLD_REMOVED) {
		life.guarded = false;
	} else {
		life.state = HOLD_FENCED;
		life.since_ms = a->boot_ms;
	}
	life.due_ms = until_ms;
	return set_life(a->t, h, &life);
}

/* replaces: holds of the same user, which the new one may overlap. */
static bool
clear_way_in(const struct hold_apply *a, const struct week *w, struct interval iv,
    const uint64_t replaces[2], int64_t until_ms)
{
	const struct week_slot *slot;
	size_t from = 0;

	while ((slot = week_find(w, iv, from)) != NULL) {
		struct hold *h = slot->owner;

		if (!hold_guards_at(h, a->boot_ms)) {
			if (!give_way(a, h, until_ms))
				return false;
			from = 0; /* all its intervals are gone, some before this one */
		} else if (h->id == replaces[0] || h->id == replaces[1]) {
			from = (size_t)(slot - w->slot) + 1;
		} else {
			return false;
		}
	}
	return true;
}

static bool
clear_way(const struct hold_apply *a, const struct hold *h, const struct change *c)
{
	struct room *r = h->place->room;

	for (size_t i = 0; i < h->n_iv; i++)
		if (!clear_way_in(a, &r->primary, h->iv[i], c->life.replaces, c->fenced_until_ms) ||
		    !clear_way_in(a, &r->replacing, h->iv[i], c->life.replaces, c->fenced_until_ms))
			return false;
	return true;
}

static void
free_hold(struct hold *h)
{
	free(h->answer);
	free(h->key);
	free(h->tries);
	free(h);
}

/* A hold that is in no list yet; NULL: no memory. */
static struct hold *
make_hold(const struct change *c)
{
	size_t iv_size = c->set.n * sizeof(c->set.iv[0]);
	size_t fingerprint_size = strlen(c->fingerprint) + 1, attempt_size = strlen(c->attempt) + 1;
	struct hold *h = calloc(1, sizeof(*h) + iv_size + fingerprint_size + attempt_size);
	char *texts;

	if (h == NULL)
		return NULL;
	h->id = c->id;
	h->n_iv = c->set.n;
	memcpy(h->iv, c->set.iv, iv_size);
	texts = (char *)h->iv + iv_size;
	h->fingerprint = memcpy(texts, c->fingerprint, fingerprint_size);
	h->attempt = memcpy(texts + fingerprint_size, c->attempt, attempt_size);
	return h;
}

/* From here on hold_index_clear frees it. */
static bool
seat_hold(struct hold_table *t, struct hold *h, const struct change *c)
{
	struct place *place = hold_index_get_place(t, c->user, c->room);
	struct order *order = place == NULL ? NULL : hold_index_get_order(t, c->cid, c->order);

	if (order == NULL || !hold_index_put_id(t, h)) {
		hold_index_put_place(t, place);
		hold_index_put_order(t, order);
		free_hold(h);
		return false;
	}
	h->place = place;
	h->order = order;
	place->holds++;
	DL_APPEND2(t->all, h, prev, following);
	return true;
}

bool
hold_index_add(const struct hold_apply *a, const struct change *c)
{
	struct hold_table *t = a->t;
	struct hold *h;

	if (c->id <= t->last_id || c->seq > INT64_MAX)
		return false;
	h = make_hold(c);
	if (h == NULL || !seat_hold(t, h, c))
		return false;
	t->last_id = c->id;
	h->life = c->life;
	if (!set_parts(t, h, c) || (c->grant && !clear_way(a, h, c)))
		return false;
	h->seq = c->seq != 0 ? c->seq : t->last_seq + 1;
	if (h->seq > t->last_seq)
		t->last_seq = h->seq;
	if (c->life.token > t->last_token)
		t->last_token = c->life.token;
	note(a, h);
	return link_hold(t, h);
}

bool
hold_index_change(const struct hold_apply *a, struct hold *h, const struct change *c)
{
	note(a, h);
	return set_parts(a->t, h, c) && (!c->grant || clear_way(a, h, c)) &&
	    set_life(a->t, h, &c->life);
}

bool
hold_index_drop(const struct hold_apply *a, struct hold *h)
{
	struct hold_table *t = a->t;
	struct place *place = h->place;
	struct order *order = h->order;
	bool fits;

	note(a, h);
	unlink_hold(t, h);
	fits = release_next(t, h);
	heap_set(&t->holds_due, &h->timer, INT64_MAX);
	hash_remove(&t->by_id, &h->by_id);
	if (h->tid[0] != '\0')
		hash_remove(&t->by_tid, &h->by_tid);
	DL_DELETE2(t->all, h, prev, following);
	place->holds--;
	free_hold(h);
	hold_index_put_place(t, place);
	hold_index_put_order(t, order);
	return fits;
}

bool
hold_index_remember(struct hold_table *t, const struct change *c)
{
	struct order *o;

	if (c->last_n == 0 && !c->paid)
		return false;
	o = hold_index_get_order(t, c->cid, c->order);
	if (o == NULL)
		return false;
	if (order_is_remembered(o))
		DL_DELETE2(t->remembered, o, prev, following);
	else
		t->stats.orders++;
	DL_APPEND2(t->remembered, o, prev, following);
	o->last_n = c->last_n;
	o->paid = c->paid;
	return heap_set(&t->orders_due, &o->timer, c->until_ms);
}

bool
hold_index_forget(struct hold_table *t, struct order *o)
{
	if (!order_is_remembered(o) || o->all != NULL)
		return false;
	heap_set(&t->orders_due, &o->timer, INT64_MAX);
	DL_DELETE2(t->remembered, o, prev, following);
	t->stats.orders--;
	o->last_n = 0;
	o->paid = false;
	hold_index_put_order(t, o);
	return true;
}

static void
free_node(struct hash_node *node)
{
	free(node);
}

static void
free_room_node(struct hash_node *node)
{
	struct room *r = (struct room *)node;

	week_clear(&r->primary);
	week_clear(&r->replacing);
	free(r);
}

/* Works on a table that broke half-way through a record, too. */
void
hold_index_clear(struct hold_table *t)
{
	struct hold *h, *next;

	for (h = t->all; h != NULL; h = next) {
		next = h->following;
		free_hold(h);
	}
	t->all = NULL;
	hash_drain(&t->by_id, NULL);
	hash_drain(&t->by_tid, NULL);
	hash_drain(&t->places, free_node);
	hash_drain(&t->orders, free_node);
	hash_drain(&t->users, free_node);
	hash_drain(&t->rooms, free_room_node);
	heap_clear(&t->holds_due);
	heap_clear(&t->orders_due);
}
