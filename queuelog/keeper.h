/* The thread that writes snapshots of the table, which a child of the daemon sends, and that
 * deletes what they replace. Loading the newest one is here, too. */
#pragma once

#include "queuelog/state.h"

/* fd: where the daemon's child sends its snapshots. False: no thread. */
bool keeper_start(struct state *s, int fd);
/* Gives the newest snapshot to the daemon: LOG_PART..., LOG_LOADED. */
bool keeper_load(struct state *s, struct db *d, struct error *err);
