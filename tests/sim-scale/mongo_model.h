/*
 * A model of MongoDB as the shared log sees it: a replica set of three in one place or in three.
 * Times and processor costs are measured ones (measured.txt).
 *
 * An operation travels to the primary, waits there for a processor, and is done. An insert is then
 * acknowledged when a majority has it on disk. That goes in cycles: what is written while one is
 * under way waits for the next (measured: 32 writers share the processor time of a few). Of two
 * inserts with one number the first is done, and the second is told so, but not before a majority
 * has what it lost to. The primary can be lost: what a majority has stays, the rest stays or goes
 * by chance.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "clockwork.h"

enum { COST_POINTS = 10 };

/* Quantiles of a time, at 1, 5, 10, 25, 50, 75, 90, 95, 99 and 99.9 percent. */
struct cost_times {
	double us[COST_POINTS];
};

struct costs {			  /* times in microseconds */
	struct cost_times insert; /* of a writer that is alone */
	struct cost_times noise;  /* of each way there and back */
	double wait_kb;		  /* more for each KB of a document */
	double lag;		  /* until a change stream has it */
	/* Processor time: of the primary, and of all processes of one host. A cycle is what a
	 * majority needs to have on disk whatever was written before. */
	struct cpu_costs {
		double write, cycle, cycle_kb, read, event;
	} primary, host;
	double election;
	/* For comparison: inserts a second of so many writers on that one host. */
	struct {
		double by_1, by_8, by_32;
	} measured;
};
/* Reads measured.txt. Ends the program if it is not whole. */
void costs_read(struct costs *c, const char *path);

struct mongo_place {
	int regions;	    /* 1 or 3: the members are in as many */
	int64_t rtt_us;	    /* between two regions */
	int64_t near_us;    /* within a region */
	int cores;	    /* of the primary's host */
	bool one_host;	    /* everything shares these cores */
	double cpu_command; /* one_host: of a client's command, outside of MongoDB */
};

struct mongo;
struct mongo *mongo_new(struct clockwork *time, struct dice *dice, const struct costs *costs,
    const struct mongo_place *place, int logs, int followers);
void mongo_free(struct mongo **m);

enum mongo_kind { MONGO_APPEND, MONGO_READ, MONGO_BARRIER };
struct mongo_op { /* the caller's, and in use until `done` is called */
	enum mongo_kind kind;
	int log, region;
	uint64_t number, nonce; /* append: its place; read: the first number */
	struct buf records;	/* append */
	void (*done)(void *ctx);
	void *ctx;

	/* ---- the answer */
	bool is_ours; /* append: the number is ours */
	uint64_t end; /* read, barrier: the highest number that a majority has */

	struct mongo *m;
	int epoch;
	struct mongo_op *next;
};
/* Told by `done`, however long it takes: an operation whose end is not known is sent again. */
void mongo_submit(struct mongo *m, struct mongo_op *op);

/* The highest number that a change stream has brought to this region. from: what was known. */
uint64_t mongo_heard(const struct mongo *m, int log, int region, uint64_t from);
/* The records of a number: size_t length, record, ... */
const struct buf *mongo_records(const struct mongo *m, int log, uint64_t number);
uint64_t mongo_writer(const struct mongo *m, int log, uint64_t number); /* its nonce */
/*
 * Machines that share a table: whoever won a number applies it, so nobody may hear of it earlier.
 * That costs them nothing within one region, where the winner's answer is the fastest.
 */
void mongo_settle(struct mongo *m, int log, uint64_t number);
uint64_t mongo_settled(const struct mongo *m, int log);
/* A processor's time for a command, where everything is on one host. */
int64_t mongo_command_us(struct mongo *m);

/* The region of the primary is gone; another member takes its place after an election. */
void mongo_lose_primary(struct mongo *m);
/* For that long at least. */
bool mongo_is_away(const struct mongo *m, int64_t us);
int mongo_region(const struct mongo *m); /* of the primary */

struct mongo_counts {
	int64_t appended, taken, read, gaps; /* gaps: must be 0 */
	double busy;			     /* processor time used, in seconds */
};
struct mongo_counts mongo_counts(const struct mongo *m);
