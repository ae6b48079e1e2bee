#include "config.h"

#include "queued/log_turn.h"

#include <string.h>

enum {
	LATELY_US = 300000,	/* whoever appended since then may want to again */
	APPEND_FIRST_US = 2000, /* before any was measured */
	SLOT_MIN_US = 200,
	SLOT_MAX_US = 3000,
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

	while (at < t->n && t->winner[at].by != by)
		at++;
	if (at == t->n && t->n < TURN_MAX)
		t->n++;
	if (at == TURN_MAX)
		at--;
	memmove(t->winner + 1, t->winner, at * sizeof(t->winner[0]));
	t->winner[0].by = by;
	t->winner[0].won_us = now_us;
}

void
log_turn_took(struct log_turn *t, int64_t us)
{
	t->append_us += (us - t->append_us) / 8;
}

int64_t
log_turn_when(const struct log_turn *t, int64_t now_us)
{
	int64_t slot_us = t->append_us / 2, before_us = 0;
	unsigned others = 0, since_me = 0;
	bool seen_me = false;

	for (unsigned i = 0; i < t->n && t->winner[i].won_us + LATELY_US > now_us; i++) {
		if (t->winner[i].by == t->me) {
			seen_me = true;
			continue;
		}
		others++;
		since_me += !seen_me;
	}
	if (!seen_me || others == 0)
		return now_us;
	if (slot_us < SLOT_MIN_US)
		slot_us = SLOT_MIN_US;
	if (slot_us > SLOT_MAX_US)
		slot_us = SLOT_MAX_US;
	before_us = (int64_t)(others - since_me) * slot_us;
	return t->winner[0].won_us + before_us;
}
