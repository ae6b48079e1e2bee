/* Privileges that a program drops when it starts, for good: root, core dumps, ptrace, setuid. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/* No core dumps, no ptrace by others of the same user, no new privileges through exec.
 * ERR_INTERNAL: the system refuses. */
bool privilege_seal(struct error *err) __attribute__((warn_unused_result));
/* The same. If the program was started as root, it also becomes this user, with the groups that the
 * system lists for it; "": it stays who it is. ERR_INPUT: there is no such user. */
bool privilege_drop(const char *user, struct error *err) __attribute__((warn_unused_result));
