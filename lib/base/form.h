/* application/x-www-form-urlencoded, as forms and query strings are written. */
#pragma once

#include <stddef.h>

#include "base/buf.h"

/* Adds the text with everything but letters, digits and "-._~" as %XX. */
void form_encode(struct buf *out, const char *text);
/* Adds the decoded text: + is a space, %41 is A. A percent sign without two hex digits is kept. The
 * result may hold a NUL, or bytes that are not UTF-8. */
void form_decode(struct buf *out, const char *text, size_t len);
