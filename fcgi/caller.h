/* Who asks: the configured caller whose token the request carries. */
#pragma once

#include "site/conf.h"

/* Compares with every caller's tokens, in constant time, so that the time says nothing. NULL: there
 * is no "Bearer TOKEN", or no caller has it. */
const struct conf_caller *caller_find(const struct conf *conf, const char *authorization);
bool caller_has_cid(const struct conf_caller *c, const char *cid);
/* Fills in its cids and returns how many. */
size_t caller_cids(const struct conf_caller *c, const char *cids[CONF_CIDS_MAX]);
