/* Who asks: the configured caller whose token the request carries. */
#pragma once

#include "base/conf.h"

/* Looks at every caller whatever it finds, and compares hashes in constant time. NULL: no "Bearer TOKEN", or nobody's. */
const struct conf_caller *caller_find(const struct conf *conf, const char *authorization);
bool caller_has_cid(const struct conf_caller *c, const char *cid);
/* Its cids as flow takes them; how many. */
size_t caller_cids(const struct conf_caller *c, const char *cids[CONF_CIDS_MAX]);
