/* The user's side: the page that next_redirect_*_url opens, with buttons that pay, cancel and fail.
 * Plain forms, no script. */
#pragma once

#include <stdbool.h>

#include "sim/sim.h"

bool pages_own(const char *path);
void pages_handle(struct sim *sim, struct request *rq);

/* A text as it may stand in HTML, also in a quoted attribute. */
void pages_add_escaped(struct buf *out, const char *text);
/* url with pg_token=... appended by ? or &, before a fragment. */
void pages_add_approval(struct buf *out, const char *url, const char *pg_token);
