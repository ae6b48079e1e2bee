/* The sockets and the event loop around the commands: one thread, one commit a turn. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "booking/hold_table.h"
#include "queue/disk/order_log.h"
#include "queued/commit_log.h"
#include "queued/listener.h"

struct server_options {
	const uint32_t *uids; /* who may connect; none: the daemon's own user and root */
	size_t n_uids;
	struct hold_table *table;
	struct commit_log *log;
	struct order_log *orders;
	struct hold_load limits;
};

/* Serves until SIGTERM or SIGINT, which the caller has blocked: true. Or until the log is broken:
 * false, and no answer has left that is not kept. */
bool server_run(const struct server_options *o, struct listener *l, struct error *err)
    __attribute__((warn_unused_result));
