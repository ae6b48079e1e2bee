/* JSON numbers without floating point: 11000, 11000.0 and 1.1e4 are one value. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Bytes of the number that begins at p: -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?
 * 0: there is none, *why says what is wrong and *at where. */
size_t number_scan(const char *p, const char *end, const char **at, const char **why);

enum number_kind {
	NUMBER_INTEGER,
	NUMBER_TOO_LARGE, /* more than an int64_t takes; may have a sign */
	NUMBER_FRACTION,  /* its value is not whole */
	NUMBER_NONE,	  /* no number at all: number_parse_text alone says so */
};
/* text: a whole number of RFC 8259, as number_scan measured it. *out only for NUMBER_INTEGER. The
 * work is bounded by len, whatever the exponent says. */
enum number_kind number_read(const char *text, size_t len, int64_t *out);
/* The same of a text that may be anything. */
enum number_kind number_parse_text(const char *text, int64_t *out);

/* One spelling of each value: the digits without zeros at both ends, and a power of ten. "-12e-1",
 * "11e3", "0". */
void number_add_canonical(struct buf *out, const char *text, size_t len);
