/*
 * What the daemon does with a request: rule, log, counting, waiting. There are no sockets and no
 * event loop here: lines come in, answers go into a peer's buffer, time is an argument. Nothing
 * may leave a buffer before command_end_turn has returned true.
 *
 * For each request: decide (hold_table), stage (commit_log), apply, commit, answer; or commit
 * before apply, if the log may lose a commit. Calls and waiters belong to a peer and end with it.
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
/* Borrows table, log and the log of orders. limits: max_ready and max_all. NULL: no memory. */
struct commands *commands_new(struct hold_table *t, struct commit_log *log,
    struct order_log *orders, const struct hold_load *limits);
void commands_free(struct commands **c);

/* The peer (peer_init) is gone: its calls stop counting, its waiters are forgotten, and whoever
 * waited for its calls is told so. */
void command_peer_gone(struct commands *c, struct peer *p);

/* One line without its LF; line[len] is overwritten. False: it is not a line of the protocol; close
 * the connection. */
bool command_line(struct commands *c, struct peer *p, char *line, size_t len, struct now now);
/* Expires holds, answers those who have waited long enough, and commits. Then the answers of every
 * peer may leave. *next_boot_ms: when to call again at the latest; INT64_MAX: no need.
 * False: what was decided may not be kept. Let no answer out, and end the program. */
bool command_end_turn(struct commands *c, struct now now, int64_t *next_boot_ms, struct error *err)
    __attribute__((warn_unused_result));
/* Takes one peer out of those that have news; NULL: no more. */
struct peer *command_next_news(struct commands *c);
/* Adds a peer whose client reads again and still has answers in `out`. */
void command_add_news(struct commands *c, struct peer *p);
/* For stats only. */
void command_set_connections(struct commands *c, int64_t n);
