/* Sockets and the loop around the commands: one thread, one sync of the journal a turn. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "booking/hold_table.h"
#include "queue/disk/journal.h"
#include "queue/disk/order_log.h"
#include "queued/listener.h"

struct server_options {
	const uint32_t *uids;		/* who may connect; none: the daemon's own and root */
	size_t n_uids;
	struct hold_table *table;
	struct journal *journal;
	struct order_log *log;
	struct hold_load limits;
};

/* The whole table for journal_snapshot_write: `table` is a struct hold_table. */
bool server_snapshot_source(void *table, journal_emit *emit, void *ctx);

/* Serves until SIGTERM or SIGINT, which the caller has blocked (true), or until the journal fails (false):
 * then no answer has left that is not on the disk. */
bool server_run(const struct server_options *o, struct listener *l,
    struct error *err) __attribute__((warn_unused_result));
