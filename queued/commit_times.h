/* How long commits took: a histogram for stats and the metrics page. */
#pragma once

#include <stdint.h>

#include "base/buf.h"

enum { COMMIT_BOUNDS = 9 };

struct commit_times {
	int64_t n[COMMIT_BOUNDS + 1]; /* the last: longer than every bound */
	int64_t total_us;
};

void commit_times_add(struct commit_times *t, int64_t us);
/* Appends ",sync_us:N,syncs_500:N,...,syncs_0:N"; the last is what took longer than every bound. */
void commit_times_format(const struct commit_times *t, struct buf *counts);
