#include "config.h"

#include "booking/week.h"

#include <stdlib.h>
#include <string.h>

/* Position of the first slot that ends after `minute`. */
static size_t
seek(const struct week *w, int16_t minute)
{
	size_t low = 0, high = w->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (w->slot[mid].iv.end <= minute)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool
reserve(struct week *w, size_t more)
{
	size_t cap = w->cap == 0 ? 4 : w->cap;
	struct week_slot *slot;

	while (cap < w->n + more)
		cap *= 2;
	if (cap == w->cap)
		return true;
	slot = realloc(w->slot, cap * sizeof(*slot));
	if (slot == NULL)
		return false;
	w->slot = slot;
	w->cap = cap;
	return true;
}

bool
week_add(struct week *w, const struct interval *iv, size_t n, void *owner)
{
	size_t at;

	for (size_t i = 0; i < n; i++)
		if (week_find(w, iv[i], 0) != NULL)
			return false;
	if (!reserve(w, n))
		return false;
	for (size_t i = 0; i < n; i++) {
		at = seek(w, iv[i].start);
		memmove(&w->slot[at + 1], &w->slot[at], (w->n - at) * sizeof(w->slot[0]));
		w->slot[at] = (struct week_slot){ iv[i], owner };
		w->n++;
	}
	return true;
}

void
week_remove(struct week *w, const struct interval *iv, size_t n, const void *owner)
{
	size_t at;

	for (size_t i = 0; i < n; i++) {
		at = seek(w, iv[i].start);
		if (at == w->n || w->slot[at].owner != owner || w->slot[at].iv.start != iv[i].start)
			continue;
		w->n--;
		memmove(&w->slot[at], &w->slot[at + 1], (w->n - at) * sizeof(w->slot[0]));
	}
}

const struct week_slot *
week_find(const struct week *w, struct interval iv, size_t from)
{
	size_t at = from > 0 ? from : seek(w, iv.start);

	return at < w->n && interval_overlaps(w->slot[at].iv, iv) ? &w->slot[at] : NULL;
}

void
week_clear(struct week *w)
{
	free(w->slot);
	*w = (struct week){ NULL, 0, 0 };
}
