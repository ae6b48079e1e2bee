/* Reads roompay.conf. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "site/conf.h"

enum conf_user {
	CONF_FOR_FCGI = 1,
	CONF_FOR_QUEUED = 2,
	CONF_FOR_COURIER = 4,
	CONF_FOR_CTL = 8
}; /* whose secrets are read */

/* Reads PATH into *c. Every mistake is a line "PATH:LINE: what" on `out` (may be NULL); false if
 * there was any. Only the secrets that `user` needs are opened. conf_clear clears secrets. */
bool conf_read(struct conf *c, const char *path, enum conf_user user, FILE *out, struct error *err)
    __attribute__((warn_unused_result));
