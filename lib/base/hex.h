/* Bytes as hex digits. */
#pragma once

#include <stddef.h>

/* out: 2 * n lower-case digits and a NUL. */
void hex_format(const unsigned char *bytes, size_t n, char *out);

/* The value of a digit in either case; -1: it is none. */
int hex_digit(char c);
