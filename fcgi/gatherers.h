/*
 * The master's two gatherers (store/gather.h): starts them, starts them again when they die, and
 * replaces them when the configuration is read again: those of before go when their last worker
 * has gone.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "site/conf.h"
#include "store/gather.h"

/* Workers that are started from now on go through new gatherers. Without memory or descriptors
 * there are none, and each worker asks the database itself. */
void gatherers_begin(const struct conf *conf, int listen_fd, int64_t workers);
/* What a worker inherits; NULL: there are none. */
const struct gather *gatherers_way(void);
/* The dead one may be another's child. True: it was a gatherer. */
bool gatherers_reaped(pid_t pid, int status);
void gatherers_start_missing(void);
/* After the last worker. Waits a moment until they have gone. */
void gatherers_end(void);
