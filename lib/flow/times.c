#include "config.h"

#include "flow/times.h"

#include "json/write.h"

static void
add_time(struct buf *out, const char *name, int minutes, bool in_minutes)
{
	if (in_minutes || minutes % 60 == 0) {
		json_add_int_member(out, name, in_minutes ? minutes : minutes / 60);
		return;
	}
	json_add_member(out, name);
	buf_printf(out, "%.10g", minutes / 60.0);
}

void
times_add_interval(struct buf *out, struct interval iv, bool in_minutes)
{
	int day = iv.start / DAY_MINUTES;

	json_add_int_member(out, "day", day);
	add_time(out, "startTime", iv.start - day * DAY_MINUTES, in_minutes);
	add_time(out, "endTime", iv.end - day * DAY_MINUTES, in_minutes);
}

void
times_add_text(struct buf *out, const struct interval_set *set, bool korean)
{
	static const char *const days[2][7] = {
		{ "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" },
		{ "일", "월", "화", "수", "목", "금", "토" },
	};

	for (size_t i = 0; i < set->n; i++) {
		int day = set->iv[i].start / DAY_MINUTES;
		int start = set->iv[i].start - day * DAY_MINUTES,
		    end = set->iv[i].end - day * DAY_MINUTES;

		buf_printf(out, "%s%s %d:%02d-%d:%02d", i > 0 ? ", " : "", days[korean][day],
		    start / 60, start % 60, end / 60, end % 60);
	}
}
