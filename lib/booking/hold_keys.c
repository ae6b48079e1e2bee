/* The hash tables of a hold_table: from an id, tid, room, user, place or order to what is known of
 * it. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "booking/hold_index.h"

static uint64_t
hash_text(const struct hold_table *t, const char *s)
{
	return hash_bytes(t->hash_key, s, strlen(s));
}

static uint64_t
hash_pair(const struct hold_table *t, const void *a, size_t a_len, const void *b, size_t b_len)
{
	uint64_t both[2] = { hash_bytes(t->hash_key, a, a_len), hash_bytes(t->hash_key, b, b_len) };

	return hash_bytes(t->hash_key, both, sizeof(both));
}

static struct hold *
hold_of_id_node(struct hash_node *node)
{
	return (struct hold *)((char *)node - offsetof(struct hold, by_id));
}

static struct hold *
hold_of_tid_node(struct hash_node *node)
{
	return (struct hold *)((char *)node - offsetof(struct hold, by_tid));
}

struct hold *
hold_index_find(const struct hold_table *t, uint64_t id)
{
	struct hash_node *node = hash_first(&t->by_id, hash_bytes(t->hash_key, &id, sizeof(id)));

	while (node != NULL && hold_of_id_node(node)->id != id)
		node = hash_next(node);
	return node == NULL ? NULL : hold_of_id_node(node);
}

struct hold *
hold_index_find_tid(const struct hold_table *t, const char *tid)
{
	struct hash_node *node = hash_first(&t->by_tid, hash_text(t, tid));

	while (node != NULL && strcmp(hold_of_tid_node(node)->tid, tid) != 0)
		node = hash_next(node);
	return node == NULL ? NULL : hold_of_tid_node(node);
}

static struct room *
find_room(const struct hold_table *t, const char *room, uint64_t hash)
{
	struct hash_node *node = hash_first(&t->rooms, hash);

	while (node != NULL && strcmp(((struct room *)node)->name, room) != 0)
		node = hash_next(node);
	return (struct room *)node;
}

struct room *
hold_index_room(const struct hold_table *t, const char *room)
{
	return find_room(t, room, hash_text(t, room));
}

static struct user *
find_user(const struct hold_table *t, const char *user, uint64_t hash)
{
	struct hash_node *node = hash_first(&t->users, hash);

	while (node != NULL && strcmp(((struct user *)node)->name, user) != 0)
		node = hash_next(node);
	return (struct user *)node;
}

struct user *
hold_index_user(const struct hold_table *t, const char *user)
{
	return find_user(t, user, hash_text(t, user));
}

static uint64_t
hash_place(const struct hold_table *t, const struct user *user, const struct room *room)
{
	const void *both[2] = { user, room };

	return hash_bytes(t->hash_key, both, sizeof(both));
}

static struct place *
find_place(const struct hold_table *t, const struct user *user, const struct room *room,
    uint64_t hash)
{
	struct hash_node *node = hash_first(&t->places, hash);

	while (node != NULL &&
	    (((struct place *)node)->user != user || ((struct place *)node)->room != room))
		node = hash_next(node);
	return (struct place *)node;
}

struct place *
hold_index_place(const struct hold_table *t, const char *user, const char *room)
{
	struct user *u = hold_index_user(t, user);
	struct room *r = hold_index_room(t, room);

	return u == NULL || r == NULL ? NULL : find_place(t, u, r, hash_place(t, u, r));
}

const char *
order_cid(const struct order *o)
{
	return o->name;
}

const char *
order_name(const struct order *o)
{
	return o->name + o->order_at;
}

static struct order *
find_order(const struct hold_table *t, const char *cid, const char *order, uint64_t hash)
{
	struct hash_node *node = hash_first(&t->orders, hash);

	while (node != NULL &&
	    (strcmp(order_cid((struct order *)node), cid) != 0 ||
		strcmp(order_name((struct order *)node), order) != 0))
		node = hash_next(node);
	return (struct order *)node;
}

struct order *
hold_index_order(const struct hold_table *t, const char *cid, const char *order)
{
	return find_order(t, cid, order, hash_pair(t, cid, strlen(cid), order, strlen(order)));
}

bool
hold_index_put_id(struct hold_table *t, struct hold *h)
{
	return hash_add(&t->by_id, &h->by_id, hash_bytes(t->hash_key, &h->id, sizeof(h->id)));
}

bool
hold_index_put_tid(struct hold_table *t, struct hold *h)
{
	return hash_add(&t->by_tid, &h->by_tid, hash_text(t, h->tid));
}

/* ---- made at first use, freed with the last hold */

static struct room *
get_room(struct hold_table *t, const char *name)
{
	uint64_t hash = hash_text(t, name);
	struct room *r = find_room(t, name, hash);

	if (r != NULL)
		return r;
	r = calloc(1, sizeof(*r));
	if (r == NULL || !hash_add(&t->rooms, &r->node, hash)) {
		free(r);
		return NULL;
	}
	memcpy(r->name, name, strlen(name) + 1);
	return r;
}

static void
put_room(struct hold_table *t, struct room *r)
{
	if (r == NULL || r->places > 0)
		return;
	hash_remove(&t->rooms, &r->node);
	week_clear(&r->primary);
	week_clear(&r->replacing);
	free(r);
}

static struct user *
get_user(struct hold_table *t, const char *name)
{
	uint64_t hash = hash_text(t, name);
	struct user *u = find_user(t, name, hash);
	size_t size = strlen(name) + 1;

	if (u != NULL)
		return u;
	u = calloc(1, sizeof(*u) + size);
	if (u == NULL || !hash_add(&t->users, &u->node, hash)) {
		free(u);
		return NULL;
	}
	memcpy(u->name, name, size);
	return u;
}

static void
put_user(struct hold_table *t, struct user *u)
{
	if (u == NULL || u->places > 0)
		return;
	hash_remove(&t->users, &u->node);
	free(u);
}

struct place *
hold_index_get_place(struct hold_table *t, const char *user, const char *room)
{
	struct user *u = get_user(t, user);
	struct room *r = get_room(t, room);
	uint64_t hash = hash_place(t, u, r);
	struct place *p = u == NULL || r == NULL ? NULL : find_place(t, u, r, hash);

	if (p != NULL)
		return p;
	p = u == NULL || r == NULL ? NULL : calloc(1, sizeof(*p));
	if (p == NULL || !hash_add(&t->places, &p->node, hash)) {
		free(p);
		put_user(t, u);
		put_room(t, r);
		return NULL;
	}
	p->user = u;
	p->room = r;
	u->places++;
	r->places++;
	return p;
}

void
hold_index_put_place(struct hold_table *t, struct place *p)
{
	if (p == NULL || p->holds > 0)
		return;
	hash_remove(&t->places, &p->node);
	p->user->places--;
	p->room->places--;
	put_user(t, p->user);
	put_room(t, p->room);
	free(p);
}

bool
order_is_remembered(const struct order *o)
{
	return o->last_n > 0 || o->paid;
}

struct order *
hold_index_get_order(struct hold_table *t, const char *cid, const char *order)
{
	size_t cid_size = strlen(cid) + 1, order_size = strlen(order) + 1;
	uint64_t hash = hash_pair(t, cid, cid_size - 1, order, order_size - 1);
	struct order *o = find_order(t, cid, order, hash);

	if (o != NULL)
		return o;
	o = calloc(1, sizeof(*o) + cid_size + order_size);
	if (o == NULL || !hash_add(&t->orders, &o->node, hash)) {
		free(o);
		return NULL;
	}
	o->order_at = cid_size;
	memcpy(o->name, cid, cid_size);
	memcpy(o->name + cid_size, order, order_size);
	return o;
}

void
hold_index_put_order(struct hold_table *t, struct order *o)
{
	if (o == NULL || o->all != NULL || order_is_remembered(o))
		return;
	hash_remove(&t->orders, &o->node);
	free(o);
}
