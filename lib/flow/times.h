/* What is held, as the API and the tools show it. No I/O. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "booking/interval.h"

/*
 * "day":1,"startTime":10,"endTime":11.5 - members of an object that the caller has opened.
 * in_minutes: the site's unit (time_unit of roompay.conf), else hours.
 */
void times_add_interval(struct buf *out, struct interval iv, bool in_minutes);
/* "Mon 10:00-11:30, Tue 9:00-24:00" or the same in Korean. */
void times_add_text(struct buf *out, const struct interval_set *set, bool korean);
