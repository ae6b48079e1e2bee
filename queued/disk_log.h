/* The commit log of a single machine: the journal on its disk. One writer, so a commit is never
 * lost; one fdatasync commits all records of a turn (group commit). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "booking/hold_table.h"
#include "queue/disk/order_log.h"
#include "queued/commit_log.h"

/*
 * Opens the journal in `dir` (made where it is missing) and applies its records to `table`. A new
 * journal closes the table (section 9 of doc/protocol.md). quiet_ms: how long a queue that took
 * the place of a lost one must not grant anything.
 * ERR_BUSY: another daemon uses the directory. Borrows the table.
 */
bool disk_log_open(const char *dir, int64_t quiet_ms, struct hold_table *table,
    struct commit_log **out, struct error *err) __attribute__((warn_unused_result));

/* The orders' log that is synced before a snapshot removes segments. Borrowed. Until it is given
 * no snapshot is made. */
void disk_log_keep_orders(struct commit_log *l, struct order_log *orders);
