/*
 * The commit log that all machines of a site share, in MongoDB (doc/scale-out.md). A batch is one
 * document; whoever inserts the next number has it. The talking is done by a helper program
 * (log_helper.h); here is what the daemon knows of the log.
 *
 * Time in this log is one for all machines: the wall clock in ms, which never runs back in the log.
 * It takes the place of the boot clock in the table and in records, so all machines have the same
 * records and the same table. time() maps from this machine's boot clock. A machine whose wall
 * clock differs from the database's by more than a second serves nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "booking/hold_table.h"
#include "queue/disk/order_log.h"
#include "queued/commit_log.h"
#include "site/conf.h"

/*
 * Starts the helper and joins the log: the newest snapshot and all records after it go into
 * `table`, which is borrowed. A new log begins closed. Waits for the database as long as it is
 * away. quiet_ms: as in disk_log_open.
 * err: ERR_BUSY: another daemon uses the directory; ERR_NONE: a signal to end has come.
 */
bool mongo_log_open(const struct conf *conf, const char *conf_path, int64_t quiet_ms,
    struct hold_table *table, struct commit_log **out, struct error *err)
    __attribute__((warn_unused_result));

/* The log of orders, which is synced before a snapshot. It is borrowed. No snapshot before this. */
void mongo_log_keep_orders(struct commit_log *l, struct order_log *orders);
