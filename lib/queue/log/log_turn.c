#include "config.h"

#include "queue/log/log_turn.h"

#include <string.h>

enum {
	LATELY_US = 3000000, /* whoever won no number for so long is not in the line */
	MEMBER_US = 60000000,
	APPEND_FIRST_US = 2000, /* before any was measured */
	APPEND_MAX_US = 300000,
	REST_EVERY = 4, /* numbers that we won alone */
	DEAF_MAX_US = 20000,
};

void
log_turn_init(struct log_turn *t, uint64_t me)
{
	memset(t, 0, sizeof(*t));
	t->me = me;
	t->append_us = APPEND_FIRST_US;
}

static void
note_member(struct log_turn *t, uint64_t by, int64_t now_us)
{
	unsigned at = 0, oldest = 0;

	for (; at < t->n_members && t->member[at].by != by; at++)
		if (t->member[at].won_us < t->member[oldest].won_us)
			oldest = at;
	if (at == TURN_MAX)
		at = oldest;
	else if (at == t->n_members)
		t->n_members++;
	t->member[at] = (struct turn){ .by = by, .won_us = now_us };
}

void
log_turn_note(struct log_turn *t, uint64_t by, int64_t now_us)
{
	unsigned at = 0;

	note_member(t, by, now_us);
	t->alone = by == t->me ? t->alone + 1 : 0;
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
	int64_t more_us = (us < APPEND_MAX_US ? us : APPEND_MAX_US) - t->append_us;

	t->append_us += more_us / 8;
	t->differ_us += ((more_us < 0 ? -more_us : more_us) - t->differ_us) / 4;
}

/* What somebody before us in the line may need. Where appends differ much, more than the usual. */
static int64_t
slot_us(const struct log_turn *t)
{
	int64_t usual_us = t->append_us * 3 / 2, slow_us = t->append_us + 2 * t->differ_us;

	return usual_us > slow_us ? usual_us : slow_us;
}

/* Of the n that stand in the line, *at is our place; n: we are not in it. */
static unsigned
find_place(const struct log_turn *t, int64_t now_us, unsigned *at)
{
	unsigned n = t->n;

	while (n > 0 && t->line[n - 1].won_us + LATELY_US < now_us)
		n--;
	*at = 0;
	while (*at < n && t->line[*at].by != t->me)
		(*at)++;
	return n;
}

int64_t
log_turn_when(const struct log_turn *t, int64_t now_us)
{
	unsigned at, n = find_place(t, now_us, &at);

	if (at < n && at + 1 < n) /* each before us has its time */
		return t->line[0].won_us + (n - at - 1) * slot_us(t);
	if (at == 0 && n == 1 && t->alone % REST_EVERY == 0)
		return t->line[0].won_us + t->append_us;
	return now_us; /* the first of the line, or not in it */
}

int64_t
log_turn_rest(const struct log_turn *t, int64_t now_us)
{
	unsigned at, n = find_place(t, now_us, &at);
	int64_t before = at < n ? n - at - 1 : 0, rest_us = (2 * before - 3) * t->append_us / 2;

	if (before < 3)
		return now_us;
	return t->line[0].won_us + (rest_us < DEAF_MAX_US ? rest_us : DEAF_MAX_US);
}

int64_t
log_turn_members(const struct log_turn *t, int64_t now_us)
{
	int64_t n = 1;

	for (unsigned i = 0; i < t->n_members; i++)
		n += t->member[i].by != t->me && t->member[i].won_us + MEMBER_US > now_us;
	return n;
}
