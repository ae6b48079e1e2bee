/*
 * A site of many machines in simulated time. Each machine has a daemon's commands
 * (queued/command.h: the real rules and the real batches) for each log that it uses; visitors hold
 * rooms and pay.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "clockwork.h"
#include "mongo_model.h"

struct plan {
	int machines, logs;
	/* The rooms of a log are served by a group of machines of its own. Else every machine
	 * serves every room. */
	bool by_room;
	/* Machines have tables of their own (machine_log.h). For few machines. */
	bool own_tables;
	struct mongo_place place;

	uint64_t rooms;
	/* Either so many visitors at each machine, who hold one room after the other; or so many
	 * visitors a second at the whole site, who hold and pay (0: the first kind). */
	int visitors;
	double visits_a_second;
	double hot_share; /* so many of them want one and the same hour of one room */

	int64_t warm_us, measure_us;
	int64_t lose_at_us; /* the region of the primary, with its machines; 0: never */
	bool planted;	    /* machine_log.h */
};

struct result {
	double seconds;
	int64_t granted, refused, unavailable, paid;
	struct times hold, pay; /* until the answer: of a grant; of approve and its outcome */
	/* Numbers lost: found taken by the database, or known to be without a try. */
	int64_t won, lost, taken, records, barriers;
	int worst;			/* races that one machine lost one after the other */
	double busy;			/* processors of the primary's host */
	int64_t pause_us;		/* the longest time without a grant anywhere */
	int64_t overlaps, gaps, broken; /* must be 0 */
};

void site_run(const struct plan *p, const struct costs *costs, uint64_t seed, struct result *out);
