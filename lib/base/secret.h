/* Keys and tokens. Never printed, cleared on free. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct secret {
	char *text; /* NUL-terminated, NULL: not set */
	size_t len;
};

/* Reads a secret from a file: one line, surrounding white space cut, 1..4096 characters of
 * printable ASCII. path: a file; or credential:NAME, the file of that name in
 * $CREDENTIALS_DIRECTORY (systemd's LoadCredential=). */
#define SECRET_CREDENTIAL "credential:"
bool secret_read_file(struct secret *s, const char *path, struct error *err)
    __attribute__((warn_unused_result));
bool secret_set(struct secret *s, const char *text); /* copies; false: no memory */
bool secret_is_set(const struct secret *s);
/* It can stand in an Authorization header: letters, digits and ._~+/=- alone. */
bool secret_is_token(const struct secret *s);
void secret_clear(struct secret *s);
/* Overwrites len bytes in a way that the compiler keeps. */
void secret_wipe(void *p, size_t len);
