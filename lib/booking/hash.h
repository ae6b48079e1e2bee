/* A hash table of nodes that sit inside of what they index. Chained; hashes are SipHash-2-4 under a key, so that who chooses user and order ids cannot choose
 * collisions. The user of the table compares the whole keys. No I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HASH_KEY_LEN = 16 };

struct hash_node {
	struct hash_node *next;
	uint64_t hash;
};

struct hash {
	struct hash_node **bucket;
	size_t n;
	size_t cap;	/* buckets: 0 or a power of two */
};

/* src: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012, section 2 */
uint64_t hash_bytes(const uint8_t key[HASH_KEY_LEN], const void *data, size_t len);

/* False: no memory, nothing added. */
bool hash_add(struct hash *h, struct hash_node *node, uint64_t hash);
void hash_remove(struct hash *h, struct hash_node *node);	/* node must be in it */
/* All nodes of equal hash, one after another; NULL after the last. */
struct hash_node *hash_first(const struct hash *h, uint64_t hash);
struct hash_node *hash_next(const struct hash_node *node);
/* Empties it. `each` gets every node in no order and may free it; it must not look at the table. NULL: no node is touched, they may be gone already. */
void hash_drain(struct hash *h, void (*each)(struct hash_node *node));
