/*
 * What the daemon does with a request: rule, journal, counting, waiting. No sockets and no loop: lines come
 * in, answers go to a peer's buffer, time is an argument, and somebody else calls command_commit before any
 * answer leaves.
 *
 * Order for each request: decide (hold_table) -> journal_append -> hold_table_apply -> ... end of the turn:
 * one sync for all -> answers leave. Calls and waiters belong to a peer; when it goes they go.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "booking/hold_table.h"
#include "queue/disk/journal.h"
#include "queue/disk/order_log.h"

enum { PEER_OUT_MAX = 1024 * 1024 };	/* a peer with more unread answers than this is cut off */

struct peer {				/* a connection, as commands see it */
	struct buf out;			/* answers; leave after command_commit */
	bool has_news;			/* is in the list of those whose `out` grew */
	TAILQ_ENTRY(peer) news;
};

struct commands;
/* Borrows table, journal and log. limits: max_ready and max_all. */
struct commands *commands_new(struct hold_table *t, struct journal *j, struct order_log *log, const struct hold_load *limits);
void commands_free(struct commands **c);

void peer_init(struct peer *p);
/* The peer is gone: its calls stop counting, its waiters are forgotten, who waited for its calls is told
 * so. */
void command_peer_gone(struct commands *c, struct peer *p);

/* One line without LF; line[len] is writable. False: no line of the protocol, the peer is not worth
 * keeping. */
bool command_line(struct commands *c, struct peer *p, char *line, size_t len, struct now now);
/* Expires holds, answers who has waited long enough. Returns when to call again (boot clock; INT64_MAX:
 * never). */
int64_t command_time(struct commands *c, struct now now);
/* What was decided is on the disk, the answers may leave. False: it cannot be promised; end the program and
 * let no answer out. */
bool command_commit(struct commands *c, struct error *err) __attribute__((warn_unused_result));
/* Makes the journal's next segment ahead, where there is none: after the answers of a turn. Returns when to
 * call again, where the disk is full. */
int64_t command_make_room(struct commands *c, struct now now);
/* Takes one peer out of those that have news; NULL: no more. */
struct peer *command_next_news(struct commands *c);
/* Puts a peer there whose `out` is not empty for another reason: its client takes answers again. */
void command_add_news(struct commands *c, struct peer *p);
/* For stats only. */
void command_set_connections(struct commands *c, int64_t n);
