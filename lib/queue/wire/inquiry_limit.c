#include "config.h"

#include "queue/wire/inquiry_limit.h"

int64_t
inquiry_limit_take(struct inquiry_limit *l, uint64_t id, int64_t boot_ms)
{
	int64_t again_ms = boot_ms;

	for (unsigned i = 0; i < INQUIRY_KEPT; i++) {
		int64_t of_hold = l->kept[i].boot_ms + INQUIRY_OF_HOLD_MS;

		if (l->kept[i].id == id && of_hold > again_ms)
			again_ms = of_hold;
	}
	if (l->kept[l->newest].id != 0 && l->kept[l->newest].boot_ms + INQUIRY_OF_ANY_MS > again_ms)
		again_ms = l->kept[l->newest].boot_ms + INQUIRY_OF_ANY_MS;
	if (again_ms > boot_ms)
		return again_ms - boot_ms;
	l->newest = (l->newest + 1) % INQUIRY_KEPT;
	l->kept[l->newest].id = id;
	l->kept[l->newest].boot_ms = boot_ms;
	return 0;
}
