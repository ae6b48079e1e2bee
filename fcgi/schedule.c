#include "config.h"

#include "fcgi/schedule.h"

#include <ctype.h>
#include <json-c/json.h>
#include <math.h>
#include <string.h>

#include "fcgi/check.h"
#include "flow/times.h"
#include "json/write.h"

struct form {
	const struct json_object *day, *days, *start, *end;
	char room[UTF8_CAP(24)];
};

/* clang-format off */
static const struct field_rule rules[] = {
	{ "day",       FIELD_ANY, false, 0,  0,  FIELD_AT(form, day),   NULL },
	{ "days",      FIELD_ANY, false, 0,  0,  FIELD_AT(form, days),  NULL },
	{ "startTime", FIELD_ANY, true,  0,  0,  FIELD_AT(form, start), NULL },
	{ "endTime",   FIELD_ANY, true,  0,  0,  FIELD_AT(form, end),   NULL },
	{ "roomId",    FIELD_STR, true,  24, 24, FIELD_AT(form, room),  check_room },
};
/* clang-format on */

/* Hours or minutes, as a JSON number, to whole minutes of the day, 0..1440. A tolerance makes 9.1
 * hours 546 minutes, though no double is exactly 9.1. */
static enum field_code
read_time(const struct json_object *v, const struct conf *conf, int *minutes)
{
	double t;

	if (!json_object_is_type(v, json_type_int) && !json_object_is_type(v, json_type_double))
		return FIELD_TYPE;
	t = json_object_get_double(v) * (conf->time_unit_minute ? 1 : 60);
	if (!(t >= 0 && t <= DAY_MINUTES))
		return FIELD_OUT_OF_RANGE;
	if (fabs(t - round(t)) > 1e-6)
		return FIELD_FRACTION;
	*minutes = (int)lround(t);
	return FIELD__OK;
}

/* The weekdays. False where nothing else can be compared with them. */
static bool
read_days(const struct form *f, const char *at, int days[INTERVALS_MAX], size_t *n,
    struct field_errors *errors)
{
	const struct json_object *v = f->day != NULL ? f->day : f->days;
	const char *name = f->day != NULL ? "day" : "days";
	size_t before = errors->n;

	if (f->day != NULL && f->days != NULL) {
		field_errors_add(errors, at, "days", FIELD_BOTH);
		return false;
	}
	if (v == NULL)
		field_errors_add(errors, at, "day", FIELD_REQUIRED);
	else if (!json_object_is_type(v, json_type_array))
		field_errors_add(errors, at, name, FIELD_TYPE);
	else if (json_object_array_length(v) == 0)
		field_errors_add(errors, at, name, FIELD_TOO_SHORT);
	else if (json_object_array_length(v) > INTERVALS_MAX)
		field_errors_add(errors, at, name, FIELD_TOO_LONG);
	if (errors->n > before)
		return false;
	*n = json_object_array_length(v);
	for (size_t i = 0; i < *n; i++) {
		int64_t day = -1;
		enum field_code code = field_read_int(json_object_array_get_idx(v, i), 0, 7, &day);

		days[i] = (int)day;
		if (code != FIELD__OK)
			field_errors_add_index(errors, at, name, i, code);
	}
	return true;
}

/* One time for each of n days; a single number stands for all of them. What is wrong becomes -1. */
static void
read_times(const struct json_object *v, const char *at, const char *name, const struct conf *conf,
    int times[INTERVALS_MAX], size_t n, struct field_errors *errors)
{
	bool array = json_object_is_type(v, json_type_array);
	enum field_code code;

	memset(times, -1, INTERVALS_MAX * sizeof(times[0]));
	if (array && json_object_array_length(v) != n) {
		field_errors_add(errors, at, name, FIELD_LENGTHS);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		code = read_time(array ? json_object_array_get_idx(v, i) : v, conf, &times[i]);
		if (code == FIELD__OK)
			continue;
		if (!array) {
			field_errors_add(errors, at, name, code);
			return;
		}
		field_errors_add_index(errors, at, name, i, code);
	}
}

static void
add_start_error(const struct form *f, const char *at, size_t i, enum field_code code,
    struct field_errors *errors)
{
	if (json_object_is_type(f->start, json_type_array))
		field_errors_add_index(errors, at, "startTime", i, code);
	else if (i == 0)
		/* the same number for every day: said once */
		field_errors_add(errors, at, "startTime", code);
}

void
schedule_read(const struct json_object *info, const char *at, const struct conf *conf,
    struct interval_set *set, char room_id[ROOM_CAP], struct field_errors *errors)
{
	int days[INTERVALS_MAX], start[INTERVALS_MAX], end[INTERVALS_MAX];
	size_t n = 0, before = errors->n, a, b;
	struct form f = { 0 };

	field_read(info, at, rules, sizeof(rules) / sizeof(rules[0]), true, conf, &f, errors);
	if (!read_days(&f, at, days, &n, errors))
		return;
	if (f.start != NULL)
		read_times(f.start, at, "startTime", conf, start, n, errors);
	if (f.end != NULL)
		read_times(f.end, at, "endTime", conf, end, n, errors);
	if (f.start == NULL || f.end == NULL)
		return;
	for (size_t i = 0; i < n; i++)
		if (start[i] >= 0 && end[i] >= 0 && start[i] >= end[i])
			add_start_error(&f, at, i, FIELD_ORDER, errors);
	if (errors->n > before)
		return;
	set->n = n;
	for (size_t i = 0; i < n; i++)
		if (!interval_make(days[i], start[i], end[i], &set->iv[i]))
			field_errors_add_index(errors, at, f.day != NULL ? "day" : "days", i,
			    FIELD_OUT_OF_RANGE);
	if (errors->n == before && !interval_set_normalize(set, &a, &b))
		field_errors_add_index(errors, at, f.day != NULL ? "day" : "days", a > b ? a : b,
		    FIELD_OVERLAP);
	check_read_room(f.room, room_id);
}

void
schedule_add_interval(struct buf *out, struct interval iv, const struct conf *conf)
{
	times_add_interval(out, iv, conf->time_unit_minute);
}
