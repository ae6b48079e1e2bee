#include "config.h"

#include "queued/commit_times.h"

#include <stddef.h>

/* clang-format off */
static const int64_t bounds_us[COMMIT_BOUNDS] = {
	500, 1000, 2000, 5000, 10000, 25000, 50000, 100000, 1000000,
};
/* clang-format on */

void
commit_times_add(struct commit_times *t, int64_t us)
{
	size_t i = 0;

	while (i < COMMIT_BOUNDS && us > bounds_us[i])
		i++;
	t->n[i]++;
	t->total_us += us;
}

void
commit_times_format(const struct commit_times *t, struct buf *counts)
{
	buf_printf(counts, ",sync_us:%lld", (long long)t->total_us);
	for (size_t i = 0; i <= COMMIT_BOUNDS; i++)
		buf_printf(counts, ",syncs_%lld:%lld",
		    i < COMMIT_BOUNDS ? (long long)bounds_us[i] : 0, (long long)t->n[i]);
}
