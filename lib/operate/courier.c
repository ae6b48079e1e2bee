#include "config.h"

#include "operate/courier.h"

#include "base/clock.h"
#include "site/metrics.h"

enum { LOOKS_EVERY_MS = 60000 };

enum operate_courier
operate_courier(const char *metrics_dir, int64_t *looked_ms)
{
	int64_t looked_s;

	*looked_ms = 0;
	if (!metrics_read(metrics_dir, METRICS_COURIER, METRIC_COURIER_LOOK, &looked_s) ||
	    looked_s == 0)
		return OPERATE_COURIER_UNKNOWN;
	*looked_ms = 1000 * looked_s;
	return clock_wall_ms() - *looked_ms <= LOOKS_EVERY_MS ? OPERATE_COURIER_OK
							      : OPERATE_COURIER_AWAY;
}
