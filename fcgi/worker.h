/* A process that answers FastCGI requests one after another. It may share the listening socket with
 * other workers. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "site/conf.h"

/* Serves until SIGTERM, SIGINT, SIGUSR1 or SIGHUP, and finishes the current request first. *beat is
 * when the current request began (boot clock, ms; 0: idle), for the master; beat may be NULL.
 * Returns the exit status. */
int worker_run(const struct conf *conf, int listen_fd, _Atomic int64_t *beat);
