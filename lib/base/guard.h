/* A deadline that holds even for a process that cannot look at the clock: a kernel timer on the boot clock that ends it with SIGKILL. A worker that was
 * stopped, or whose machine slept, after its last look at the clock is dead before it could act too late. One guard a process; not inherited by fork. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Arm it before the last look at the clock: whoever arms after that look has a gap in which it may be stopped. boot_ms: CLOCK_BOOTTIME; a time
 * that is over ends the process at once. ERR_INTERNAL: the kernel has no timer left, and nothing guards. */
bool guard_arm(int64_t boot_ms, struct error *err) __attribute__((warn_unused_result));
void guard_disarm(void);	/* the moment is over; nothing happens if it was not armed */
