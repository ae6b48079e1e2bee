/*
 * What the queue keeps on disk of every order that reached approving, so that its records can be written
 * again should the database be lost: files `orders-N` beside the journal, one line an event, kept for at
 * least 35 days (doc/protocol.md, "The orders' log"). Nothing is decided from it; only `roompayctl restore`
 * reads it.
 *
 * It is not synced with each answer: what it lost in a power failure is in the journal, and is written again
 * at the next start (order_log_note of every hold). What the journal's compaction takes away is synced first.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "booking/hold_table.h"
#include "queue/disk/disk_io.h"
#include "queue/wire/order_entry.h"

struct order_log;

/* Goes on in the newest file, or begins one; removes files that nobody wrote to for `keep_ms`. dir exists. */
struct order_log *order_log_open(const char *dir, const struct disk_io *io, int64_t keep_ms, struct now now,
    struct error *err);
void order_log_close(struct order_log **l);	/* writes what is pending, syncs */

/* The hold's state as it is from now on. key: replay key of the approve, NULL: not known here. What cannot be
 * written now (the disk is full) waits in memory. */
void order_log_note(struct order_log *l, const struct hold_view *h, const char *key);
/* Too much waits: no approve should begin before it is written. Tries again. */
bool order_log_is_behind(struct order_log *l);
/* All that was written is on the disk. May be called in a forked child. */
bool order_log_sync(struct order_log *l, struct error *err);

/* Every entry of every file, in the order in which they were written. *torn: lines that are not whole, which
 * are passed over. The daemon may be running. ERR_NOT_FOUND: no such directory. */
bool order_log_read(const char *dir, bool (*each)(void *ctx, const struct order_entry *e, struct error *err),
    void *ctx, int64_t *torn, struct error *err);
