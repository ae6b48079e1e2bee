/* What a program gives away at its start, for good: root, core dumps, being looked into, new privileges. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/* user: the one to become where the program was started as root; "": it stays who it is. Its groups are the ones that the system lists for it. Then: no core dumps, no ptrace by others
 * of the same user, no new privileges by exec. ERR_INPUT: no such user; ERR_INTERNAL: the system refuses. */
bool privilege_drop(const char *user, struct error *err) __attribute__((warn_unused_result));
