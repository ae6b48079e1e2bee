/* The Unix socket on which the daemon listens. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

struct listener {
	int fd;
	const char *path; /* borrowed */
	dev_t dev;	  /* of the socket that was made; no other is ever unlinked */
	ino_t ino;
};

/* Makes the socket, with mode 0660. A dead socket at that path is replaced, anything else is not.
 * group: whose members may connect; "": the group of the process. err: ERR_BUSY: a program answers
 * at that path. */
bool listener_open(struct listener *l, const char *path, const char *group, struct error *err)
    __attribute__((warn_unused_result));
void listener_close(struct listener *l);
