/*
 * Whose turn it is to append to a shared log. Nothing depends on it but speed: whoever appends out
 * of turn may lose the race and decides again. Every daemon sees who won which number, so they
 * agree without a word. Those that appended lately stand in a line, and whoever won the last number
 * goes to its end. The first of the line appends at once; the others wait until it has, or could
 * have. Who is passed over had nothing to append, and leaves the line. Alone, nobody waits, and who
 * is not in the line does not wait either.
 *
 * A daemon that has never won is in nobody's line, and the last winner knows of its number before
 * all others. So a daemon that wins alone rests for a moment now and then.
 */
#pragma once

#include <stdint.h>

enum { TURN_MAX = 256 };

struct log_turn {
	uint64_t me;
	struct turn {
		uint64_t by;
		int64_t won_us;
	} line[TURN_MAX]; /* from its end: the last winner is the first here */
	unsigned n;
	int64_t append_us;	      /* how long one takes, smoothed */
	int64_t differ_us;	      /* and how far one differs from that */
	unsigned alone;		      /* numbers in a row that we won */
	struct turn member[TURN_MAX]; /* whoever won a number, in no order */
	unsigned n_members;
};

void log_turn_init(struct log_turn *t, uint64_t me);
/* by has won a number. */
void log_turn_note(struct log_turn *t, uint64_t by, int64_t now_us);
/* An append of ours took so long. */
void log_turn_took(struct log_turn *t, int64_t us);
/* When to append, not before. May be in the past. */
int64_t log_turn_when(const struct log_turn *t, int64_t now_us);
/*
 * Until when it does not matter to us what others append: at least two come before our turn even
 * then. What they append is read together at this time. May be in the past.
 */
int64_t log_turn_rest(const struct log_turn *t, int64_t now_us);
/* How many daemons won a number within the last minute, this one always counted. */
int64_t log_turn_members(const struct log_turn *t, int64_t now_us);
