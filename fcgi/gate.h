/* Are queue and store reachable, and do they belong together? If not, the worker still answers
 * refusals, replays and health checks, and tells the other requests the reason. It looks again when
 * requests come, at most once a second. Once open, the gate stays open: from then on queue and
 * store report their own failures. It closes again when the queue turns out to be another one, or
 * one that was not admitted yet. */
#pragma once

#include <stdint.h>

#include "flow/flow.h"
#include "flow/site.h"

struct gate {
	int64_t next_try_boot_ms;
	char why[200]; /* the last failure, for the log and readyz; "" */
};

/* Calls site_open and sets f->gate; takes at most limit_ms. Does nothing while the gate is open, or
 * within a second of the last try. */
void gate_try(struct gate *g, struct flow *f, int64_t limit_ms);
/* The caller has called site_open itself, and it succeeded. */
void gate_open(struct flow *f, const struct site *site);
/* Learns from a flow's result: after FR_NOT_READY the next request looks again. */
void gate_note(struct gate *g, struct flow *f, enum flow_result result);
