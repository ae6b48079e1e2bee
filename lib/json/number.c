#include "config.h"

#include "json/number.h"

#include <string.h>

/* The digits from first to last, without the point, times ten to the power. Neither end is a 0.
 * first is NULL where the value is zero. */
struct decimal {
	bool negative;
	const char *first, *last;
	int64_t power;
};

enum { POWER_DIGITS = 15 }; /* no text is that long, so a larger exponent changes nothing */

static bool
is_digit(const char *p, const char *end)
{
	return p < end && *p >= '0' && *p <= '9';
}

/* Passes at least one digit. */
static bool
pass_digits(const char **p, const char *end)
{
	if (!is_digit(*p, end))
		return false;
	while (is_digit(*p, end))
		(*p)++;
	return true;
}

static const char *
scan(const char **p, const char *end)
{
	static const char lacks[] = "a number lacks a digit";
	const char *begin;

	*p += *p < end && **p == '-';
	begin = *p;
	if (!pass_digits(p, end))
		return lacks;
	if (*begin == '0' && *p > begin + 1) {
		*p = begin + 1;
		return "a number begins with a superfluous 0";
	}
	if (*p < end && **p == '.') {
		(*p)++;
		if (!pass_digits(p, end))
			return lacks;
	}
	if (*p < end && (**p == 'e' || **p == 'E')) {
		(*p)++;
		*p += *p < end && (**p == '+' || **p == '-');
		if (!pass_digits(p, end))
			return lacks;
	}
	return NULL;
}

size_t
number_scan(const char *p, const char *end, const char **at, const char **why)
{
	const char *begin = p;

	*why = scan(&p, end);
	*at = p;
	return *why == NULL ? (size_t)(p - begin) : 0;
}

static int64_t
read_power(const char *p, const char *end)
{
	bool negative = p < end && *p == '-';
	int64_t n = 0;
	int digits = 0;

	if (p < end && (*p == '+' || *p == '-'))
		p++;
	for (; p < end && digits < POWER_DIGITS; p++) {
		n = n * 10 + (*p - '0');
		digits += n > 0;
	}
	return negative ? -n : n;
}

static struct decimal
split(const char *text, size_t len)
{
	struct decimal d = { .negative = *text == '-' };
	const char *end = text + len, *digits_end = text, *point = NULL;

	while (digits_end < end && *digits_end != 'e' && *digits_end != 'E') {
		if (*digits_end == '.')
			point = digits_end;
		else if (*digits_end >= '1') { /* not 0, - or . */
			d.first = d.first == NULL ? digits_end : d.first;
			d.last = digits_end;
		}
		digits_end++;
	}
	if (d.first == NULL)
		return (struct decimal){ .negative = false };
	if (point == NULL)
		point = digits_end;
	d.power = d.last < point ? point - 1 - d.last : point - d.last;
	if (digits_end < end)
		d.power += read_power(digits_end + 1, end);
	return d;
}

enum number_kind
number_read(const char *text, size_t len, int64_t *out)
{
	struct decimal d = split(text, len);
	uint64_t n = 0;

	*out = 0;
	if (d.first == NULL)
		return NUMBER_INTEGER;
	if (d.power < 0)
		return NUMBER_FRACTION;
	for (const char *p = d.first; p <= d.last; p++)
		if (*p != '.' &&
		    (__builtin_mul_overflow(n, 10, &n) ||
			__builtin_add_overflow(n, (uint64_t)(*p - '0'), &n)))
			return NUMBER_TOO_LARGE;
	for (; d.power > 0; d.power--) /* ends early: n is not 0 */
		if (__builtin_mul_overflow(n, 10, &n))
			return NUMBER_TOO_LARGE;
	if (n > (uint64_t)INT64_MAX + d.negative)
		return NUMBER_TOO_LARGE;
	*out = d.negative ? (int64_t)(0 - n) : (int64_t)n;
	return NUMBER_INTEGER;
}

enum number_kind
number_parse_text(const char *text, int64_t *out)
{
	size_t len = strlen(text);
	const char *at, *why;

	*out = 0;
	return len > 0 && number_scan(text, text + len, &at, &why) == len
	    ? number_read(text, len, out)
	    : NUMBER_NONE;
}

void
number_add_canonical(struct buf *out, const char *text, size_t len)
{
	struct decimal d = split(text, len);

	if (d.first == NULL) {
		buf_add_char(out, '0');
		return;
	}
	if (d.negative)
		buf_add_char(out, '-');
	for (const char *p = d.first; p <= d.last; p++)
		if (*p != '.')
			buf_add_char(out, *p);
	if (d.power != 0) {
		buf_add_char(out, 'e');
		buf_add_int(out, d.power);
	}
}
