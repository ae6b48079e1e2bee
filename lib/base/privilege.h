/* What a program gives away at its start, for good: root, core dumps, being looked into, new privileges. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/* No core dumps, no ptrace by others of the same user, no new privileges by exec. ERR_INTERNAL: the system refuses. */
bool privilege_seal(struct error *err) __attribute__((warn_unused_result));
/* The same, and where the program was started as root it becomes this user, with the groups that the system lists for it; "": it stays who it is. ERR_INPUT: no such user. */
bool privilege_drop(const char *user, struct error *err) __attribute__((warn_unused_result));
