#include "config.h"

#include "queued/log_turn.h"

#include <string.h>

enum {
	LATELY_US = 300000,	/* whoever won no number for so long is not in the line */
	APPEND_FIRST_US = 2000, /* before any was measured */
	APPEND_MAX_US = 20000,
};

void
log_turn_init(struct log_turn *t, uint64_t me)
{
	memset(t, 0, sizeof(*t));
	t->me = me;
	t->append_us = APPEND_FIRST_US;
}

void
log_turn_note(struct log_turn *t, uint64_t by, int64_t now_us)
{
	unsigned at = 0;

	while (at < t->n && t->line[at].by != by)
		at++;
	if (at < t->n)
		t->n = at + 1; /* those before it in the line were passed over */
	else if (t->n < TURN_MAX)
		t->n++;
	else
		at = TURN_MAX - 1;
	memmove(t->line + 1, t->line, at * sizeof(t->line[0]));
	t->line[0].by = by;
	t->line[0].won_us = now_us;
}

void
log_turn_took(struct log_turn *t, int64_t us)
{
	t->append_us += ((us < APPEND_MAX_US ? us : APPEND_MAX_US) - t->append_us) / 8;
}

int64_t
log_turn_when(const struct log_turn *t, int64_t now_us)
{
	unsigned n = t->n, at = 0;

	while (n > 0 && t->line[n - 1].won_us + LATELY_US < now_us)
		n--;
	while (at < n && t->line[at].by != t->me)
		at++;
	if (at + 1 >= n)
		return now_us; /* the first of the line, or not in it */
	/* the first has its time; then one after another */
	return t->line[0].won_us + t->append_us * 3 / 2 + (n - at - 2) * t->append_us / 2;
}
