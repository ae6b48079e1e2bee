/*
 * What the daemon does with a request: rule, log, counting, waiting. No sockets and no loop: lines
 * come in, answers go to a peer's buffer, time is an argument, and nothing leaves a buffer before
 * command_end_turn has said so.
 *
 * Order for each request: decide (hold_table) -> stage (commit_log) -> apply -> commit -> answer, or
 * commit -> apply, as the log demands. Calls and waiters belong to a peer; when it goes they go.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "booking/hold_table.h"
#include "queue/disk/order_log.h"
#include "queued/commit_log.h"
#include "queued/peer.h"

struct commands;
/* Borrows table, log and the orders' log. limits: max_ready and max_all. NULL: no memory. */
struct commands *commands_new(struct hold_table *t, struct commit_log *log, struct order_log *orders,
    const struct hold_load *limits);
void commands_free(struct commands **c);

/* The peer (peer_init) is gone: its calls stop counting, its waiters are forgotten, and whoever waited
 * for its calls is told so. */
void command_peer_gone(struct commands *c, struct peer *p);

/* One line without LF; line[len] is writable. False: no line of the protocol, the peer is not worth
 * keeping. */
bool command_line(struct commands *c, struct peer *p, char *line, size_t len, struct now now);
/* Expires holds, answers those who have waited long enough, and commits. After it the answers of
 * every peer may leave. *next_boot_ms: when to call again at the latest, INT64_MAX: no need. False:
 * what was decided cannot be promised; let no answer out and end the program. */
bool command_end_turn(struct commands *c, struct now now, int64_t *next_boot_ms,
    struct error *err) __attribute__((warn_unused_result));
/* Takes one peer out of those that have news; NULL: no more. */
struct peer *command_next_news(struct commands *c);
/* Puts a peer there whose `out` is not empty for another reason: its client takes answers again. */
void command_add_news(struct commands *c, struct peer *p);
/* For stats only. */
void command_set_connections(struct commands *c, int64_t n);
