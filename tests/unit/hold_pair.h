/* A hold_table and a model of it, which get the same random commands. Every answer is compared, and
 * the states of all holds now and then. */
#pragma once

#include <stdint.h>

#include "hold_model.h"

extern const char *const pair_users[MODEL_USERS], *const pair_rooms[MODEL_ROOMS];

enum command { DO_HOLD, DO_READY, DO_APPROVE, DO_APPROVE_FIRST, DO_OUTCOME, DO_REMOVE, DO__MAX };
extern const char *const command_names[DO__MAX];

struct pair {
	struct world w;
	struct model m;
	struct dice d;
	int op;
	int answers[DO__MAX][HA__MAX]; /* how often each command got each answer */
};

void pair_open(struct pair *p, uint64_t seed);
void pair_run(struct pair *p, int operations);
void pair_close(struct pair *p);
