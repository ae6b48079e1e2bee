/* Bytes as lower-case hex digits. */
#pragma once

#include <stddef.h>

/* out: 2 * n digits and a NUL. */
void hex_format(const unsigned char *bytes, size_t n, char *out);
