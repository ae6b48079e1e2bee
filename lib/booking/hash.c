#include "config.h"

#include "booking/hash.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAP = 64 };

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t
rotl(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static uint64_t
load_le64(const uint8_t p[8])
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	return le64toh(x);
}

static uint64_t
load_rest(const uint8_t *p, size_t len)
{
	uint64_t x = 0;

	for (size_t i = 0; i < len; i++)
		x |= (uint64_t)p[i] << (8 * i);
	return x;
}

static void
sip_rounds(struct sip *s, int rounds)
{
	while (rounds-- > 0) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = rotl(s->v1, 13) ^ s->v0;
		s->v3 = rotl(s->v3, 16) ^ s->v2;
		s->v0 = rotl(s->v0, 32);
		s->v2 += s->v1;
		s->v0 += s->v3;
		s->v1 = rotl(s->v1, 17) ^ s->v2;
		s->v3 = rotl(s->v3, 21) ^ s->v0;
		s->v2 = rotl(s->v2, 32);
	}
}

static void
sip_word(struct sip *s, uint64_t m)
{
	s->v3 ^= m;
	sip_rounds(s, 2);
	s->v0 ^= m;
}

uint64_t
hash_bytes(const uint8_t key[HASH_KEY_LEN], const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t k0 = load_le64(key), k1 = load_le64(key + 8);
	struct sip s = { k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
		k1 ^ 0x7465646279746573 };
	size_t left = len;

	for (; left >= 8; left -= 8, p += 8)
		sip_word(&s, load_le64(p));
	sip_word(&s, load_rest(p, left) | (uint64_t)(len & 0xff) << 56);
	s.v2 ^= 0xff;
	sip_rounds(&s, 4);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

static struct hash_node **
bucket_of(const struct hash *h, uint64_t hash)
{
	return &h->bucket[hash & (h->cap - 1)];
}

/* If memory runs out, the table goes on with longer chains. */
static bool
grow(struct hash *h)
{
	struct hash bigger = { .cap = h->cap == 0 ? FIRST_CAP : 2 * h->cap, .n = h->n };
	struct hash_node *node, *next;

	bigger.bucket = calloc(bigger.cap, sizeof(struct hash_node *));
	if (bigger.bucket == NULL)
		return h->cap > 0;
	for (size_t i = 0; i < h->cap; i++) {
		for (node = h->bucket[i]; node != NULL; node = next) {
			struct hash_node **to = bucket_of(&bigger, node->hash);

			next = node->next;
			node->next = *to;
			*to = node;
		}
	}
	free(h->bucket);
	*h = bigger;
	return true;
}

bool
hash_add(struct hash *h, struct hash_node *node, uint64_t hash)
{
	struct hash_node **to;

	if (h->n >= h->cap && !grow(h))
		return false;
	to = bucket_of(h, hash);
	node->hash = hash;
	node->next = *to;
	*to = node;
	h->n++;
	return true;
}

void
hash_remove(struct hash *h, struct hash_node *node)
{
	struct hash_node **at = bucket_of(h, node->hash);

	while (*at != node) {
		assert(*at != NULL);
		at = &(*at)->next;
	}
	*at = node->next;
	node->next = NULL;
	h->n--;
}

static struct hash_node *
equal_from(struct hash_node *node, uint64_t hash)
{
	while (node != NULL && node->hash != hash)
		node = node->next;
	return node;
}

struct hash_node *
hash_first(const struct hash *h, uint64_t hash)
{
	return h->cap == 0 ? NULL : equal_from(*bucket_of(h, hash), hash);
}

struct hash_node *
hash_next(const struct hash_node *node)
{
	return equal_from(node->next, node->hash);
}

void
hash_drain(struct hash *h, void (*each)(struct hash_node *node))
{
	struct hash_node *node, *next;

	for (size_t i = 0; each != NULL && i < h->cap; i++) {
		for (node = h->bucket[i]; node != NULL; node = next) {
			next = node->next;
			each(node);
		}
	}
	free(h->bucket);
	*h = (struct hash){ NULL, 0, 0 };
}
