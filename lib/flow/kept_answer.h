/* payReady's answer as the queue keeps it: for repeats of the same call, and for those that wait
 * while it is under way. No I/O. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "flow/flow.h"
#include "site/limit.h"

/* wall_offset_ms: of the wall clock from the boot clock now. expiresAt must come out equal each
 * time, so it is kept with the answer. ERR_INTERNAL: it does not fit. */
bool flow_keep_answer(const struct provider_opened *o, int64_t wall_offset_ms, char out[ANSWER_MAX],
    struct error *err);
/* ERR_INTERNAL: the hold has none. */
bool flow_read_kept_answer(const struct queue_hold *h, struct flow_ready_answer *out,
    struct error *err);

/* Those that wait for a ready call get its answer when it fails: result, charged and Retry-After,
 * read by the same build of this program. False: it is none. */
enum { FAILURE_CAP = 64 };
void flow_keep_failure(const struct flow_answer *a, char out[FAILURE_CAP]);
bool flow_read_kept_failure(const char *failure, struct flow_answer *out);
