/* The indexes of the collections: of every query that is not by _id. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/mongo_link.h"

/* Makes those that are not there. Repeatable, while programs of this and of earlier versions run.
 * ERR_UNAVAILABLE: also where a tid stands twice. */
bool mongo_index_make(struct mongo_link *l, int64_t deadline_boot_ms, struct error *err);
