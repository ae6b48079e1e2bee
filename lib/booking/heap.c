#include "config.h"

#include "booking/heap.h"

#include <stdlib.h>

static void
place(struct heap *h, struct timer *timer, size_t pos)
{
	h->at[pos] = timer;
	timer->pos = pos;
}

static void
sift_up(struct heap *h, struct timer *timer)
{
	size_t pos = timer->pos;

	for (; pos > 1 && h->at[pos / 2]->due_ms > timer->due_ms; pos /= 2)
		place(h, h->at[pos / 2], pos);
	place(h, timer, pos);
}

static void
sift_down(struct heap *h, struct timer *timer)
{
	size_t pos = timer->pos, child;

	for (; (child = 2 * pos) <= h->n; pos = child) {
		if (child < h->n && h->at[child + 1]->due_ms < h->at[child]->due_ms)
			child++;
		if (h->at[child]->due_ms >= timer->due_ms)
			break;
		place(h, h->at[child], pos);
	}
	place(h, timer, pos);
}

static void
take_out(struct heap *h, struct timer *timer)
{
	struct timer *last = h->at[h->n--];

	if (last != timer) {
		place(h, last, timer->pos);
		sift_up(h, last);
		sift_down(h, last);
	}
	timer->pos = 0;
}

static bool
put_in(struct heap *h, struct timer *timer)
{
	size_t cap = h->cap == 0 ? 64 : 2 * h->cap;
	struct timer **at;

	if (h->n + 1 >= h->cap) {
		at = realloc(h->at, cap * sizeof(struct timer *));
		if (at == NULL)
			return false;
		h->at = at;
		h->cap = cap;
	}
	place(h, timer, ++h->n);
	return true;
}

bool
heap_set(struct heap *h, struct timer *timer, int64_t due_ms)
{
	timer->due_ms = due_ms;
	if (due_ms == INT64_MAX) {
		if (timer->pos != 0)
			take_out(h, timer);
		return true;
	}
	if (timer->pos == 0 && !put_in(h, timer))
		return false;
	sift_up(h, timer);
	sift_down(h, timer);
	return true;
}

int64_t
heap_next(const struct heap *h)
{
	return h->n == 0 ? INT64_MAX : h->at[1]->due_ms;
}

struct walk {
	const struct heap *h;
	int64_t now_ms, next_ms;
	bool (*each)(void *ctx, struct timer *timer);
	void *ctx;
	bool ended;
};

/* Recursion as deep as the heap is high: log2 n. */
static void
walk_from(struct walk *w, size_t pos)
{
	struct timer *timer;

	if (pos > w->h->n)
		return;
	timer = w->h->at[pos];
	if (timer->due_ms <= w->now_ms && !w->ended && w->each(w->ctx, timer)) {
		walk_from(w, 2 * pos);
		walk_from(w, 2 * pos + 1);
		return;
	}
	if (timer->due_ms <= w->now_ms)
		w->ended = true;
	if (timer->due_ms < w->next_ms)
		w->next_ms = timer->due_ms;
}

int64_t
heap_each_due(const struct heap *h, int64_t now_ms, bool (*each)(void *ctx, struct timer *timer),
    void *ctx)
{
	struct walk w = {
		.h = h,
		.now_ms = now_ms,
		.next_ms = INT64_MAX,
		.each = each,
		.ctx = ctx,
	};

	walk_from(&w, 1);
	return w.next_ms;
}

void
heap_shift(struct heap *h, int64_t by_ms)
{
	for (size_t i = 1; i <= h->n; i++)
		h->at[i]->due_ms += by_ms;
}

void
heap_clear(struct heap *h)
{
	free(h->at);
	*h = (struct heap){ NULL, 0, 0 };
}
