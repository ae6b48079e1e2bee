/* The commit log of a single machine: the journal on its disk. It has one writer, so a commit is
 * never lost. One fdatasync commits all records of a turn. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "booking/hold_table.h"
#include "queue/disk/order_log.h"
#include "queued/commit_log.h"

/*
 * Opens the journal in `dir`, makes the directory if need be, and applies the records to `table`,
 * which it borrows. A new journal closes the table (doc/protocol.md, section 9). quiet_ms: how long
 * a queue in the place of a lost one must not be opened.
 * err: ERR_BUSY: another daemon uses the directory.
 */
bool disk_log_open(const char *dir, int64_t quiet_ms, struct hold_table *table,
    struct commit_log **out, struct error *err) __attribute__((warn_unused_result));

/* The log of orders, which is synced before a snapshot removes segments. It is borrowed. No
 * snapshot is made before this call. */
void disk_log_keep_orders(struct commit_log *l, struct order_log *orders);
