/* reservationInfo: the room, and weekly times in the site's unit as minutes of the week. */
#pragma once

#include "base/buf.h"
#include "booking/interval.h"
#include "json/field.h"
#include "site/conf.h"

struct json_object;

/* Reads day (or days), startTime, endTime and roomId of the object at pointer `at`. Its other
 * members are for the calendar. Adds every wrong field to errors. If it adds none, *set is
 * normalized and room_id is in lower case. */
void schedule_read(const struct json_object *info, const char *at, const struct conf *conf,
    struct interval_set *set, char room_id[ROOM_CAP], struct field_errors *errors);

/* Adds "day":1,"startTime":10,"endTime":11.5, in the site's unit, to an object that is open. */
void schedule_add_interval(struct buf *out, struct interval iv, const struct conf *conf);
