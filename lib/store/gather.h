/*
 * Group commit. The workers of one master hand what they ask of MongoDB all day to two processes,
 * the gatherers: single inserts, reads by id, and removals that may be lost. A gatherer sends what
 * it has of all workers in a few commands, and meanwhile the next ones come together. What comes
 * alone is sent at once; where several came at the same time, the next ones get a few milliseconds
 * to come together.
 *
 * Only a whole success counts. Whatever else happens to what was handed over (refused, a duplicate,
 * no answer, no gatherer), the worker asks the server itself and finds out, as it would without
 * gatherers. So a gatherer decides nothing, and may die at any time.
 *
 * A gatherer that stood still may write what it was given a long time ago. A worker's own command
 * may come late as well, in the network or in the server: the same document under the same id.
 */
#pragma once

#include "base/error.h"

struct gather;
struct store;

enum gather_lane {
	GATHER_LIGHT, /* reads, and writes that the primary alone acknowledges */
	GATHER_HEAVY, /* writes that wait for the majority: they keep nobody else waiting */
	GATHER_LANES
};

/* Before any fork: workers and gatherers inherit it. */
struct gather *gather_new(struct error *err);
void gather_free(struct gather **g);

/*
 * In a process of its own. Serves until every other process with this gather has ended or freed
 * it. False: it could not begin, or the lane is damaged.
 */
bool gather_serve(struct gather *g, enum gather_lane lane, const char *uri, const char *database,
    struct error *err);

/* In a worker: this store, opened with the same uri and database, goes through the gatherers from
 * now on. g outlives the store. */
void store_go_through(struct store *s, const struct gather *g);
