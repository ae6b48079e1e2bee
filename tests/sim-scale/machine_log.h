/* The log of one machine as its daemon sees it (queued/commit_log.h), on the model of MongoDB. It
 * appends under the next number, reads after it has lost one, and follows a change stream. */
#pragma once

#include "mongo_model.h"
#include "queued/commit_log.h"
#include "queue/log/log_turn.h"

struct machine_log {
	struct commit_log log; /* first: it is a commit_log */
	struct mongo *mongo;
	struct clockwork *time;
	struct dice *dice;
	int number, region;
	/* Each machine has a table of its own, and applies what others wrote. Else all of them
	 * share one: whoever wins a number has decided on the table of the whole log anyway. */
	bool own_table;
	bool planted;		 /* a mistake for the tests: who lost goes on as if it had won */
	void (*wake)(void *ctx); /* poll has news */
	void *ctx;

	uint64_t applied, nonce, staged_records;
	struct buf staged;
	bool pending, is_known, is_won;
	bool looks; /* look_again will be called */
	int lost_in_a_row;
	int64_t not_before_us; /* it sends what is staged */
	int64_t sent_us;
	struct log_turn turn;
	struct mongo_op op;
	struct machine_counts {
		int64_t won, lost, records, barriers;
		int worst; /* races lost one after the other */
	} counts;
};

/* number: of the log. id: of the machine, for its nonces. */
void machine_log_open(struct machine_log *l, struct mongo *mongo, struct clockwork *time,
    struct dice *dice, int number, uint64_t id);
/* It has heard of numbers that it has not applied. A daemon does so as soon as it hears of them. */
bool machine_log_is_behind(const struct machine_log *l);
void machine_log_close(struct machine_log *l);
