/* A process that answers FastCGI requests one after another. It may share the listening socket with
 * other workers. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "site/conf.h"
#include "store/gather.h"

/* What a worker shares with its master. */
struct worker_share {
	_Atomic int64_t *beat;	      /* when the current request began: boot clock, ms; 0: idle */
	const _Atomic bool *draining; /* the master was told to end and still serves */
	const struct gather *gather;  /* NULL: there are no gatherers */
};

/* Serves until SIGTERM, SIGINT, SIGUSR1 or SIGHUP, and finishes the current request first. share is
 * NULL where there is no master. Returns the exit status. */
int worker_run(const struct conf *conf, int listen_fd, const struct worker_share *share);
