/* GET /metrics: what the site's programs counted (site/metrics.h), and what the queue tells of
 * itself now. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "queue/client/queue.h"
#include "site/conf.h"

/* Always a page in *out; false: something is missing on it, err says what. */
bool metrics_page(const struct conf *conf, struct queue *q, int64_t deadline_boot_ms,
    struct buf *out, struct error *err);
