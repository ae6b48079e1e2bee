/* The user's side: the page that next_redirect_*_url opens, with buttons that pay, cancel and fail.
 * Plain forms, no script. */
#pragma once

#include <stdbool.h>

#include "sim/sim.h"

bool pages_own(const char *path);
void pages_handle(struct sim *sim, struct request *rq);

/* Adds a text, escaped for HTML and for quoted attributes. */
void pages_add_escaped(struct buf *out, const char *text);
/* Adds url with pg_token=..., joined by ? or &, before its fragment. */
void pages_add_approval(struct buf *out, const char *url, const char *pg_token);
