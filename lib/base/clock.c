#include "config.h"

#include "base/clock.h"

#include <assert.h>
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { KST_OFFSET_S = 9 * 3600, NOW_TRIES = 4 };

static int64_t
read_ms(clockid_t id)
{
	struct timespec ts;
	int rc = clock_gettime(id, &ts);

	assert(rc == 0);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
clock_boot_ms(void)
{
	return read_ms(CLOCK_BOOTTIME);
}

int64_t
clock_boot_us(void)
{
	struct timespec ts = { 0 };

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

struct now
clock_now(void)
{
	struct now now;
	int tries = 0;

	do { /* on a busy machine something may come between the two */
		now.boot_ms = clock_boot_ms();
		now.wall_ms = clock_wall_ms();
	} while (clock_boot_ms() > now.boot_ms + 1 && ++tries < NOW_TRIES);
	return now;
}

const char *
clock_boot_id(void)
{
	static char id[37];
	ssize_t n;
	int fd;

	if (id[0] != '\0')
		return id;
	fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return id;
	n = read(fd, id, sizeof(id) - 1);
	close(fd);
	id[n > 0 ? n : 0] = '\0';
	id[strcspn(id, "\n")] = '\0';
	return id;
}

static char *
add_digits(char *to, int n, int value)
{
	for (int i = n - 1; i >= 0; i--, value /= 10)
		to[i] = (char)('0' + value % 10);
	return to + n;
}

void
clock_format_iso(int64_t wall_ms, char out[CLOCK_ISO_CAP])
{
	int64_t s = wall_ms / 1000;
	int ms = (int)(wall_ms % 1000);
	struct tm tm;
	time_t t;

	if (ms < 0) {
		ms += 1000;
		s--;
	}
	t = (time_t)s;
	gmtime_r(&t, &tm);
	out = add_digits(out, 4, (tm.tm_year + 1900) % 10000);
	*out++ = '-';
	out = add_digits(out, 2, tm.tm_mon + 1);
	*out++ = '-';
	out = add_digits(out, 2, tm.tm_mday);
	*out++ = 'T';
	out = add_digits(out, 2, tm.tm_hour);
	*out++ = ':';
	out = add_digits(out, 2, tm.tm_min);
	*out++ = ':';
	out = add_digits(out, 2, tm.tm_sec);
	*out++ = '.';
	out = add_digits(out, 3, ms);
	*out++ = 'Z';
	*out = '\0';
}

/* False: there is no such day or time, as 31 February. */
static bool
utc_seconds(const struct tm *tm, time_t *out)
{
	struct tm back = *tm;

	*out = timegm(&back);
	return back.tm_mon == tm->tm_mon && back.tm_mday == tm->tm_mday &&
	    back.tm_hour == tm->tm_hour && back.tm_min == tm->tm_min && back.tm_sec == tm->tm_sec;
}

/* Takes exactly n digits. In asctime's form a day below 10 begins with a space. */
static bool
take_digits(const char **text, int n, bool may_be_padded, int *value)
{
	*value = 0;
	for (int i = 0; i < n; i++, ++*text) {
		if (i == 0 && may_be_padded && **text == ' ')
			continue;
		if (!isdigit((unsigned char)**text))
			return false;
		*value = 10 * *value + (**text - '0');
	}
	return true;
}

static bool
take_text(const char **text, const char *wanted)
{
	size_t len = strlen(wanted);
	bool there = strncmp(*text, wanted, len) == 0;

	*text += there ? len : 0;
	return there;
}

static bool
take_time(const char **text, struct tm *tm)
{
	return take_digits(text, 2, false, &tm->tm_hour) && take_text(text, ":") &&
	    take_digits(text, 2, false, &tm->tm_min) && take_text(text, ":") &&
	    take_digits(text, 2, false, &tm->tm_sec);
}

/* "Z", "+09:00", "-05:30": minutes east of Greenwich. */
static bool
parse_offset(const char *text, int *minutes)
{
	int h, m, end = 0;

	*minutes = 0;
	if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
		return true;
	if (strchr("+- ", text[0]) == NULL || !isdigit((unsigned char)text[1]) ||
	    sscanf(text + 1, "%2d:%2d%n", &h, &m, &end) != 2 || end != 5 || text[6] != '\0' ||
	    !isdigit((unsigned char)text[4]) || h > 23 || m > 59)
		return false;
	*minutes = (text[0] == '-' ? -1 : 1) * (h * 60 + m);
	return true;
}

bool
clock_parse_when(const char *text, int64_t *wall_ms)
{
	enum { DAY = 10, SECONDS = 19 };
	char kst[SECONDS + 1];
	int minutes, ms = 0, unit = 100;
	size_t len = strlen(text);

	if (len != DAY && len <= SECONDS)
		return false;
	snprintf(kst, sizeof(kst), "%.*s%s", len == DAY ? DAY : SECONDS, text,
	    len == DAY ? "T00:00:00" : "");
	if (!clock_parse_kst(kst, wall_ms))
		return false;
	if (len == DAY)
		return true;
	text += SECONDS;
	if (*text == '.') {
		if (!isdigit((unsigned char)*++text))
			return false;
		for (; isdigit((unsigned char)*text); text++, unit /= 10)
			ms += (*text - '0') * unit;
	}
	if (text[0] == '\0' || !parse_offset(text, &minutes))
		return false;
	*wall_ms += (int64_t)KST_OFFSET_S * 1000 - (int64_t)minutes * 60000 + ms;
	return true;
}

bool
clock_parse_kst(const char *text, int64_t *wall_ms)
{
	struct tm tm = { 0 };
	time_t t;

	if (!take_digits(&text, 4, false, &tm.tm_year) || !take_text(&text, "-") ||
	    !take_digits(&text, 2, false, &tm.tm_mon) || !take_text(&text, "-") ||
	    !take_digits(&text, 2, false, &tm.tm_mday) || !take_text(&text, "T") ||
	    !take_time(&text, &tm) || *text != '\0')
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	if (!utc_seconds(&tm, &t))
		return false;
	*wall_ms = ((int64_t)t - KST_OFFSET_S) * 1000;
	return true;
}

/* Takes one of the words from the front of *text, and says which. */
static bool
take_word(const char **text, const char *const *words, int n, int *which)
{
	for (int i = 0; i < n; i++) {
		size_t len = strlen(words[i]);

		if (strncmp(*text, words[i], len) == 0) {
			*text += len;
			*which = i;
			return true;
		}
	}
	return false;
}

static const char *const short_days[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };
static const char *const long_days[] = { "Monday", "Tuesday", "Wednesday", "Thursday", "Friday",
	"Saturday", "Sunday" };
static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
	"Oct", "Nov", "Dec" };

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool
take_fixdate(const char *text, struct tm *tm)
{
	int day;

	return take_word(&text, short_days, 7, &day) && take_text(&text, ", ") &&
	    take_digits(&text, 2, false, &tm->tm_mday) && take_text(&text, " ") &&
	    take_word(&text, months, 12, &tm->tm_mon) && take_text(&text, " ") &&
	    take_digits(&text, 4, false, &tm->tm_year) && take_text(&text, " ") &&
	    take_time(&text, tm) && strcmp(text, " GMT") == 0;
}

/*
 * "Sunday, 06-Nov-94 08:49:37 GMT". A year that seems more than 50 years ahead is the last one that
 * ended with these digits.
 */
static bool
take_rfc850(const char *text, int this_year, struct tm *tm)
{
	int day;

	if (!take_word(&text, long_days, 7, &day) || !take_text(&text, ", ") ||
	    !take_digits(&text, 2, false, &tm->tm_mday) || !take_text(&text, "-") ||
	    !take_word(&text, months, 12, &tm->tm_mon) || !take_text(&text, "-") ||
	    !take_digits(&text, 2, false, &tm->tm_year) || !take_text(&text, " ") ||
	    !take_time(&text, tm) || strcmp(text, " GMT") != 0)
		return false;
	tm->tm_year += this_year / 100 * 100;
	if (tm->tm_year > this_year + 50)
		tm->tm_year -= 100;
	else if (tm->tm_year <= this_year - 50)
		tm->tm_year += 100;
	return true;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool
take_asctime(const char *text, struct tm *tm)
{
	int day;

	return take_word(&text, short_days, 7, &day) && take_text(&text, " ") &&
	    take_word(&text, months, 12, &tm->tm_mon) && take_text(&text, " ") &&
	    take_digits(&text, 2, true, &tm->tm_mday) && take_text(&text, " ") &&
	    take_time(&text, tm) && take_text(&text, " ") &&
	    take_digits(&text, 4, false, &tm->tm_year) && *text == '\0';
}

bool
clock_parse_http(const char *text, int64_t now_wall_ms, int64_t *wall_ms)
{
	struct tm tm = { 0 }, today;
	time_t t = (time_t)(now_wall_ms / 1000);
	bool leap;

	gmtime_r(&t, &today);
	if (!take_fixdate(text, &tm) && !take_rfc850(text, today.tm_year + 1900, &tm) &&
	    !take_asctime(text, &tm))
		return false;
	tm.tm_year -= 1900;
	leap = tm.tm_sec == 60; /* the second after 59 */
	tm.tm_sec -= leap;
	if (!utc_seconds(&tm, &t))
		return false;
	*wall_ms = ((int64_t)t + leap) * 1000;
	return true;
}

void
clock_format_kst(int64_t wall_ms, char between, char out[CLOCK_KST_CAP])
{
	char iso[CLOCK_ISO_CAP];

	clock_format_iso(wall_ms + KST_OFFSET_S * INT64_C(1000), iso);
	memcpy(out, iso, CLOCK_KST_CAP - 1);
	out[sizeof("2026-03-05") - 1] = between;
	out[CLOCK_KST_CAP - 1] = '\0';
}
