/* A queue of two daemons on one shared log (tests/unit/fake_log.h), in this process. Requests with
 * a rule go to one daemon after the other. */
#pragma once

#include "queue/client/queue.h"

struct queue *queue_open_shared(const struct hold_limits *limits);
