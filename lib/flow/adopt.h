/* Rebuilds a new queue from the ledger after the old one's journal was lost, then opens it. The
 * courier's part of `roompayctl queue adopt`. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "flow/flow.h"

enum adopt_step {
	ADOPT_WAITS, /* calls granted or times guarded by the lost queue may still run: try again at
		      *again_boot_ms */
	ADOPT_DONE,  /* it is open */
	ADOPT_FAILED, /* store or queue: *err. Start again from the beginning */
};
/*
 * f->queue is the adopted one (SITE_ADOPTING). up_ms: since its daemon started. The order matters:
 * wait until all deadlines are over; make a hold again of every open attempt, and of every paid one
 * whose hold was not removed; remember every order of the last 35 days; open the queue. May be
 * repeated, also by two couriers at once.
 */
enum adopt_step flow_adopt(struct flow *f, int64_t up_ms, bool (*stop)(void *ctx), void *ctx,
    int64_t *again_boot_ms, struct error *err);
