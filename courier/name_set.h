/* Names of messages, and other words no longer than one: an empty set is NULL. */
#pragma once

#include <stdbool.h>

#include "store/store.h"

struct name;

bool name_set_has(const struct name *set, const char *id);
/* False: it was there already, or there is no memory (then something may be told twice). */
bool name_set_add(struct name **set, const char *id);
void name_set_drop(struct name **set, const char *id);
void name_set_clear(struct name **set);
