/* The system calls that the daemon may make once it serves: its files, its Unix socket, its snapshot's child. Everything else fails with EPERM, and a new program, another
 * process's memory and every address family but AF_UNIX are among it. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

bool sandbox_enter(struct error *err) __attribute__((warn_unused_result));
