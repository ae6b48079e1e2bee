/* Whether queue and store are there and belong together. A worker that finds either away still serves: refusals, replays and health go on, the rest gets
 * the reason; later requests look again, at most once a second. Once open the gate stays open: queue and store then report their own absences. It closes where the
 * queue turns out to be another one, or not admitted. */
#pragma once

#include <stdint.h>

#include "flow/flow.h"
#include "flow/site.h"

struct gate {
	int64_t next_try_boot_ms;
	char why[200];		/* the last failure, for the log and readyz; "" */
};

/* site_open. Sets f->gate. Takes at most limit_ms; does nothing where the gate is open or the last try is less than a second old. */
void gate_try(struct gate *g, struct flow *f, int64_t limit_ms);
/* Somebody else's site_open found it open. */
void gate_open(struct flow *f, const struct site *site);
/* A flow has answered: after FR_NOT_READY the next request looks anew. */
void gate_note(struct gate *g, struct flow *f, enum flow_result result);
