/* Bytes as hex digits. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* out: 2 * n lower-case digits and a NUL. */
void hex_format(const unsigned char *bytes, size_t n, char *out);

/* The bytes of exactly 2 * n digits, in either case. False: the text is something else. */
bool hex_parse(const char *text, unsigned char *bytes, size_t n);

/* The value of a digit in either case; -1: it is none. */
int hex_digit(char c);
