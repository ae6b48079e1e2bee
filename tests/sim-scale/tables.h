/* The questions to the simulation, and its answers as tables in Markdown. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "mongo_model.h"

/* The plan of a site with these machines and logs, as the tables and tests have it. */
struct plan;
void plan_begin(struct plan *p, int machines, int logs);

/* name: "load", "visits", "regions", "hot", "lost", "host", "memory". False: there is none. */
bool tables_print(const char *name, const struct costs *costs, uint64_t seed);
extern const char *const tables_names[]; /* ends with NULL */
