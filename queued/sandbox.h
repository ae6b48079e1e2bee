/* The system calls that the daemon may make once it serves: for its files, its Unix socket and the
 * child that writes a snapshot. All others fail with EPERM: it cannot start a program, look into
 * another process, or open a socket other than a Unix socket. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

bool sandbox_enter(struct error *err) __attribute__((warn_unused_result));
