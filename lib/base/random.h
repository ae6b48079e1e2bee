/* Random bytes of the kernel's generator. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

bool random_fill(void *out, size_t n, struct error *err) __attribute__((warn_unused_result));
/* out: the bytes as 2 * n hex digits and a NUL; n is 32 at the most. */
bool random_hex(char *out, size_t n, struct error *err) __attribute__((warn_unused_result));
