/*
 * A model of the hold_table: a plain list of holds. It answers every question by looking at all of
 * them, and its times are masks of 24 hours.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hold_world.h"

enum {
	MODEL_ROOMS = 5,
	MODEL_USERS = 4,
	MODEL_ORDERS = 16,
	MODEL_HOLDS_MAX = 4096,
	MODEL_TRIES = 2,		  /* grants of a hold in a minute */
	MODEL_MEMORY_MS = 20 * 60 * 1000, /* of an ended hold */
};

/* Random numbers, the same on every machine. */
struct dice {
	uint64_t x;
};
uint32_t roll(struct dice *d, uint32_t sides);

struct plain { /* a hold */
	uint64_t id;
	int user, room, order;
	uint32_t hours;
	enum hold_state state, before;
	bool doubt, paid, guarded, ready_once;
	int64_t due, expires, window, deadline; /* due: of held, ready and guards */
	int64_t gone_at;
	uint64_t token, replaces[2];
	int64_t tries[8];
	int n_tries;
};

struct model {
	struct plain *holds;
	size_t n;
	uint64_t next_id, next_token;
	int64_t last_n[MODEL_ORDERS];
	bool paid[MODEL_ORDERS];
	int64_t now;
};

struct asked {
	int user, room, order;
	uint32_t hours;
};

struct plain *model_find(struct model *m, uint64_t id); /* NULL: there is no such hold */
void model_forget(struct model *m, struct plain *h);
/* `next` is held and fences `old` when it becomes ready. */
bool model_replaces(const struct plain *next, const struct plain *old);

/* What time alone does up to m->now. */
void model_pass_time(struct model *m);
/* Each does what its command does, and returns the code of the answer. */
enum hold_answer_code model_hold(struct model *m, const struct asked *q);
enum hold_answer_code model_ready(struct model *m, uint64_t id);
enum hold_answer_code model_approve(struct model *m, uint64_t id, int64_t n);
/* Says HA_NOT_FIRST also where the table says HA_NO_HOLD. */
enum hold_answer_code model_approve_first(struct model *m, int user, int room);
enum hold_answer_code model_outcome(struct model *m, uint64_t id, uint64_t token,
    enum hold_outcome o, int64_t n);
enum hold_answer_code model_remove(struct model *m, uint64_t id, bool by_reservation);
