/*
 * A deadline that holds even for a process that cannot look at the clock: a kernel timer on the
 * boot clock that ends the process with SIGKILL. If a worker is stopped, or its machine sleeps,
 * after its last look at the clock, then it is dead before it could act too late. One guard a
 * process; fork does not inherit it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Arm it before the last look at the clock: after that look there would be a gap in which the
 * process may be stopped. boot_ms: CLOCK_BOOTTIME; a time in the past ends the process at once.
 * ERR_INTERNAL: the kernel has no timer left, and the process is not guarded. */
bool guard_arm(int64_t boot_ms, struct error *err) __attribute__((warn_unused_result));
void guard_disarm(void); /* does nothing if no guard is armed */
