/* The Unix socket that the daemon listens at. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

struct listener {
	int fd;
	const char *path;		/* borrowed */
	dev_t dev;			/* of the socket that we made: nobody else's is ever unlinked */
	ino_t ino;
};

/* Makes the socket, mode 0660. ERR_BUSY: somebody answers at that path; a dead socket there is replaced,
 * anything else is not. */
/* group: the one whose members may connect; "": the process's own */
bool listener_open(struct listener *l, const char *path, const char *group,
    struct error *err) __attribute__((warn_unused_result));
void listener_close(struct listener *l);
