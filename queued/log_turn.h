/*
 * Whose turn it is to append to a shared log. Nothing depends on it but speed: whoever appends out
 * of turn may lose the race and decides again. Every daemon sees who won which number, so they
 * agree without a word: whoever has not won for longest goes first, and the winner of the last
 * number waits for those that appended lately. Alone, nobody waits.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { TURN_MAX = 64 };

struct log_turn {
	uint64_t me;
	struct {
		uint64_t by;
		int64_t won_us;
	} winner[TURN_MAX]; /* the latest first */
	unsigned n;
	int64_t append_us; /* how long one takes, smoothed */
};

void log_turn_init(struct log_turn *t, uint64_t me);
/* by has won a number. */
void log_turn_note(struct log_turn *t, uint64_t by, int64_t now_us);
/* An append of ours took so long. */
void log_turn_took(struct log_turn *t, int64_t us);
/* When to append, not before. */
int64_t log_turn_when(const struct log_turn *t, int64_t now_us);
