/* reservationInfo: room and weekly times as the site writes them, to minutes of the week and back. */
#pragma once

#include "base/buf.h"
#include "base/conf.h"
#include "booking/interval.h"
#include "json/field.h"

struct json_object;

/* day (or days), startTime, endTime, roomId of the object at pointer `at`; its other members are the calendar's. Adds every wrong field to errors; where it
 * added none, *set is normalized and room_id is in lower case. */
void schedule_read(const struct json_object *info, const char *at, const struct conf *conf, struct interval_set *set, char room_id[ROOM_CAP],
	struct field_errors *errors);

/* "day":1,"startTime":10,"endTime":11.5 - members of an object that the caller has opened, in the site's unit. */
void schedule_add_interval(struct buf *out, struct interval iv, const struct conf *conf);
