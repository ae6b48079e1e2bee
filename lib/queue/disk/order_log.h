/*
 * The log of orders: what the queue keeps on disk of every order that reached approving, so that
 * the ledger can be written again if the database is lost. Files orders-N beside the journal, one
 * line an event, kept for at least 35 days (doc/protocol.md, section 10). Nothing is decided from
 * it; only `roompayctl restore` reads it.
 *
 * It is not synced with each answer. What a power failure takes from it is in the journal still,
 * and is written again at the next start (order_log_note of every hold). It is synced before the
 * journal's compaction removes segments.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "booking/hold_table.h"
#include "queue/disk/disk_io.h"
#include "queue/wire/order_entry.h"

struct order_log;

/* Continues the newest file, or begins one. Removes files that nobody wrote to for keep_ms. The
 * directory exists. NULL: err. */
struct order_log *order_log_open(const char *dir, const struct disk_io *io, int64_t keep_ms,
    struct now now, struct error *err);
/* Writes what is pending, and syncs. */
void order_log_close(struct order_log **l);

/* Notes the state that the hold has from now on. key: replay key of the approve; NULL: not known
 * here. What cannot be written now, because the disk is full, waits in memory. */
void order_log_note(struct order_log *l, const struct hold_view *h, const char *key);
/* Tries again to write what waits. True: it is too much, and no approve should begin before it is
 * written. */
bool order_log_is_behind(struct order_log *l);
/* Puts everything that was written on the disk. May be called in a forked child. */
bool order_log_sync(struct order_log *l, struct error *err);

/* Every entry of every file, in the order in which they were written. *torn: how many lines were
 * torn and skipped. The daemon may be running. err: ERR_NOT_FOUND: there is no such directory. */
bool order_log_read(const char *dir,
    bool (*each)(void *ctx, const struct order_entry *e, struct error *err), void *ctx,
    int64_t *torn, struct error *err);
