/* A queue in the place of a lost one is told what the ledger knows, and opened then. The courier's part of `roompayctl queue adopt`. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "flow/flow.h"

enum adopt_step {
	ADOPT_WAITS,	/* calls that the lost queue granted, or times that it guarded, may not be over: again at *again_boot_ms */
	ADOPT_DONE,	/* it is open */
	ADOPT_FAILED,	/* store or queue: *err; again, from the beginning */
};
/*
 * f->queue is the adopted one (SITE_ADOPTING). up_ms: since its daemon began. The order matters: first all deadlines are over, then every open attempt and every paid
 * one whose hold was not removed becomes a hold again, and every order of the last 35 days is remembered, then it is opened. Repeatable, also by two at once.
 */
enum adopt_step flow_adopt(struct flow *f, int64_t up_ms, bool (*stop)(void *ctx), void *ctx, int64_t *again_boot_ms, struct error *err);
