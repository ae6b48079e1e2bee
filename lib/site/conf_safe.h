/* Settings that would let strangers in. Each is a mistake, although every key by itself is well
 * formed. No I/O. */
#pragma once

#include "site/conf.h"

/* Where mistakes go. title: the section as the file writes it, "caller web"; key: NULL, or its
 * name. */
struct conf_complaint {
	void (*say)(void *ctx, const char *title, const char *key, const char *why);
	void *ctx;
};

/* Placeholders of the sample, tokens that anybody can guess, one token for two callers, redirects
 * to any host. */
void conf_safe_check(const struct conf *c, const struct conf_complaint *to);
/* The same for secrets that were read from files. Those that were not read are skipped. */
void conf_safe_check_secrets(const struct conf *c, const struct conf_complaint *to);
