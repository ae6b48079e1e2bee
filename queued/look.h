/* The verbs without a rule: they look at the daemon, or wait for a poke. */
#pragma once

#include "queued/state.h"

/* The verb has no `decide`. */
void look(struct commands *c, const struct request *rq);
