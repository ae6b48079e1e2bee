/* Does the courier of this machine run? */
#pragma once

#include <stdint.h>

enum operate_courier { OPERATE_COURIER_UNKNOWN, OPERATE_COURIER_OK, OPERATE_COURIER_AWAY };

/* What the courier's own counts say. *looked_ms: when it looked last; 0: never, or nothing is
 * counted. */
enum operate_courier operate_courier(const char *metrics_dir, int64_t *looked_ms);
