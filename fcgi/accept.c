#include "config.h"

#include "fcgi/accept.h"

#include <ctype.h>
#include <string.h>

/* q of ";q=0.5" among an item's parameters, in thousandths; 1000 where there is none. */
static int
weight_of(const char *parameters, size_t len)
{
	const char *end = parameters + len, *q = parameters;
	int weight = 0, unit = 1000;

	while (q + 1 < end &&
	    !((*q == 'q' || *q == 'Q') && q[1] == '=' && strchr("; \t", q[-1]) != NULL))
		q++;
	if (q + 1 >= end)
		return 1000;
	for (q += 2; q < end && unit > 0; q++) {
		if (*q == '.')
			continue;
		if (!isdigit((unsigned char)*q))
			break;
		weight += unit * (*q - '0');
		unit /= 10;
	}
	return weight > 1000 ? 1000 : weight;
}

int
accept_weight(const char *header, bool (*is)(const char *range, size_t len, const char *name),
    const char *name)
{
	int best = -1;

	for (const char *p = header == NULL ? "" : header; *(p += strspn(p, ", \t")) != '\0';) {
		size_t item = strcspn(p, ","), len = strcspn(p, ",; \t");
		int w = is(p, len, name) ? weight_of(p + len, item - len) : -1;

		if (w > best)
			best = w;
		p += item;
	}
	return best;
}
