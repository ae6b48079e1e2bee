/* A connection as the commands see it, and the list of those that have answers to send. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buf.h"

enum { PEER_OUT_MAX = 1024 * 1024 }; /* a peer with more unread answers than this is cut off */

struct peer {
	struct buf out;	 /* answers; they leave after command_end_turn */
	int64_t n_works; /* its requests that wait for a commit */
	bool has_news;	 /* it is in the list of those whose `out` has grown */
	TAILQ_ENTRY(peer) news;
};

TAILQ_HEAD(news, peer);

void peer_init(struct peer *p);
/* Its client is gone: takes it out of the list, and frees its answers. */
void peer_clear(struct peer *p, struct news *list);

/* Adds the peer to the list, if it is not in it. */
void news_add(struct news *list, struct peer *p);
/* Takes one out of the list; NULL: it is empty. */
struct peer *news_take(struct news *list);
