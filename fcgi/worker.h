/* One process that answers FastCGI requests, one after another, from a listening socket that it may share with others. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/conf.h"

/* Serves until SIGTERM, SIGINT, SIGUSR1 or SIGHUP; a request in hand is finished first. beat: where it writes when its request began (boot clock, ms; 0: idle),
 * for whoever watches; may be NULL. Returns the exit status. */
int worker_run(const struct conf *conf, int listen_fd, _Atomic int64_t *beat);
