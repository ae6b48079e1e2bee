/* A server for the conformance tests: $ROOMPAY_TEST_STORE_URI, on 127.0.0.1; a database of its own,
 * dropped at the end; a proxy in between; and a reader that shares no code with the store. */
#pragma once

#include "store_cases.h"

#include <mongoc/mongoc.h>
#include <pthread.h>

#include "proxy.h"

extern char database[64];
extern const char *server_uri; /* set before begin_all */
extern mongoc_client_t *reader;

int begin_all(void **state);
int end_all(void **state);

/* They destroy the filter. document: the only one; bson_destroy by the caller. */
bson_t *document(const char *collection, bson_t *filter);
int64_t count(const char *collection, bson_t *filter);

struct scene { /* a store that reaches its server through a proxy */
	struct proxy proxy;
	struct store *store;
};

int open_scene(void **state);
int close_scene(void **state);
void proxied_uri(int port, char out[1024]); /* with the proxy in the place of the hosts */
bool server_is_of_a_set(void);		    /* only there do answers name an election */
void wait_ms(int64_t ms);

/* ---- many writers at the same time */

enum { WRITERS = 16, ROUNDS = 20 };

struct arena {			      /* shared by the processes */
	pthread_barrier_t start, end; /* of a round: all wait at both */
	int won[ROUNDS], lost[ROUNDS], failed;
	int strange; /* somebody read what is not true */
};

/* Each of WRITERS processes does this. Asserts that in each round one won, all others lost, nothing
 * failed and nothing was strange. */
void race(void (*all_rounds)(struct arena *a, int self));
void arena_put(struct arena *a, int round, struct store *s, const struct ledger_event *e);
