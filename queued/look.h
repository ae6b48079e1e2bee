/* The verbs that have no rule: they look at the daemon, or poke and wait for a poke. */
#pragma once

#include "queued/state.h"

/* Only for a verb without `decide`. */
void look(struct commands *c, const struct request *rq, struct now now);
