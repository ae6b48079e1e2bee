/* Forks workers, watches them, replaces them. Never touches store, queue or KakaoPay: their clients
 * are made after fork. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "site/conf.h"

struct master {
	const char *conf_path; /* read again on SIGHUP */
	/* the one in use, and one to read a new one into; they are swapped if that has no mistake
	 */
	struct conf *conf, *spare;
	int64_t workers; /* --workers; 0: as the configuration says */
	int listen_fd;
};

/* Serves until SIGTERM or SIGINT, then lets the workers finish (at most the deadline of a request).
 * SIGHUP reads the configuration again and replaces the workers one by one; a configuration with a
 * mistake changes nothing. Returns the exit status. */
int master_run(struct master *m);
