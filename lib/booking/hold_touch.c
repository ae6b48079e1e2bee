#include "config.h"

#include "booking/hold_touch.h"

#include <string.h>

#include "booking/hold_index.h"

/* Hashed before the name, so that a room and a user of the same name stay apart. */
enum what { A_ROOM, A_USER, AN_ORDER, A_TID };

void
hold_touch_init(struct hold_touch *t)
{
	t->n = 0;
	t->all = false;
}

static void
add_key(struct hold_touch *t, uint64_t key)
{
	if (t->n < TOUCH_MAX)
		t->key[t->n++] = key;
	else
		t->all = true;
}

static uint64_t
key_of(const struct hold_table *table, enum what what, const char *name)
{
	uint64_t both[2] = { what, hash_bytes(table->hash_key, name, strlen(name)) };

	return hash_bytes(table->hash_key, both, sizeof(both));
}

static void
add_name(struct hold_touch *t, const struct hold_table *table, enum what what, const char *name)
{
	if (name != NULL && name[0] != '\0')
		add_key(t, key_of(table, what, name));
}

static void
add_order(struct hold_touch *t, const struct hold_table *table, const char *cid, const char *order)
{
	uint64_t both[2] = { key_of(table, AN_ORDER, cid), key_of(table, AN_ORDER, order) };

	add_key(t, hash_bytes(table->hash_key, both, sizeof(both)));
}

static void
add_hold(struct hold_touch *t, const struct hold_table *table, uint64_t id)
{
	const struct hold *h = id == 0 ? NULL : hold_index_find(table, id);

	if (h == NULL)
		return;
	add_name(t, table, A_ROOM, h->place->room->name);
	add_name(t, table, A_USER, h->place->user->name);
	add_order(t, table, order_cid(h->order), order_name(h->order));
	add_name(t, table, A_TID, h->tid);
}

/* A hold that changes or is dropped may let go of the holds that it was to replace. */
static void
add_hold_and_replaced(struct hold_touch *t, const struct hold_table *table, uint64_t id)
{
	const struct hold *h = hold_index_find(table, id);

	add_hold(t, table, id);
	for (size_t i = 0; h != NULL && i < 2; i++)
		add_hold(t, table, h->life.replaces[i]);
}

static void
add_change(struct hold_touch *t, const struct hold_table *table, const struct change *c)
{
	switch (c->kind) {
	case CHANGE_HOLD:
		add_name(t, table, A_ROOM, c->room);
		add_name(t, table, A_USER, c->user);
		add_order(t, table, c->cid, c->order);
		add_name(t, table, A_TID, c->tid);
		for (size_t i = 0; i < 2; i++)
			add_hold(t, table, c->life.replaces[i]);
		break;
	case CHANGE_LIFE:
		add_name(t, table, A_TID, c->tid);
		add_hold_and_replaced(t, table, c->id);
		break;
	case CHANGE_DROP:
		add_hold_and_replaced(t, table, c->id);
		break;
	case CHANGE_ORDER:
	case CHANGE_FORGET:
		add_order(t, table, c->cid, c->order);
		break;
	case CHANGE_COUNTERS:
	case CHANGE_GATE:
		t->all = true;
		break;
	}
}

void
hold_touch_add(struct hold_touch *t, const struct hold_table *table, const void *record, size_t len)
{
	struct record_reader r;
	struct change c;

	if (!record_open(&r, record, len)) {
		t->all = true;
		return;
	}
	while (!t->all && record_next(&r, &c))
		add_change(t, table, &c);
	if (r.bad)
		t->all = true;
}

bool
hold_touch_meets(const struct hold_touch *a, const struct hold_touch *b)
{
	if (a->n + a->all == 0 || b->n + b->all == 0)
		return false;
	if (a->all || b->all)
		return true;
	for (size_t i = 0; i < a->n; i++)
		for (size_t k = 0; k < b->n; k++)
			if (a->key[i] == b->key[k])
				return true;
	return false;
}

void
hold_touch_join(struct hold_touch *a, const struct hold_touch *b)
{
	for (size_t i = 0; i < b->n; i++)
		add_key(a, b->key[i]);
	a->all = a->all || b->all;
}
