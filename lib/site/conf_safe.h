/* Settings that would let people in: each is a mistake, although every key by itself is well formed. No I/O. */
#pragma once

#include "site/conf.h"

/* Who is told. title: the section as the file writes it, "caller web"; key: NULL, or the key. */
struct conf_complaint {
	void (*say)(void *ctx, const char *title, const char *key, const char *why);
	void *ctx;
};

/* Placeholders of the sample, tokens that anybody guesses, one token for several callers, redirects to any host. */
void conf_safe_check(const struct conf *c, const struct conf_complaint *to);
/* The same for the secrets that were read from files; those that were not read are passed over. */
void conf_safe_check_secrets(const struct conf *c, const struct conf_complaint *to);
