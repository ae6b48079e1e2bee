/* A chained hash table. A node is a member of the thing that it finds. Hashes are SipHash-2-4
 * under a secret key, so that nobody who chooses user and order ids can make them collide. The
 * table's owner compares the whole keys. No I/O. */
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
	size_t cap; /* buckets: 0 or a power of two */
};

/* src: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012, section 2 */
uint64_t hash_bytes(const uint8_t key[HASH_KEY_LEN], const void *data, size_t len);

/* False: no memory, nothing added. */
bool hash_add(struct hash *h, struct hash_node *node, uint64_t hash);
void hash_remove(struct hash *h, struct hash_node *node); /* node must be in it */
/* All nodes with this hash, one after another; NULL after the last. */
struct hash_node *hash_first(const struct hash *h, uint64_t hash);
struct hash_node *hash_next(const struct hash_node *node);
/* Empties the table. `each` gets every node, in no order. It may free the node, but must not look
 * at the table. NULL: no node is touched; they may be freed already. */
void hash_drain(struct hash *h, void (*each)(struct hash_node *node));
