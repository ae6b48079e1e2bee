/* Accept and Accept-Language: ranges with weights (RFC 9110, sections 12.4.2 and 12.5). No I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The largest weight, in thousandths, among the ranges that match `name`; -1: none does. header may
 * be NULL. */
int accept_weight(const char *header, bool (*is)(const char *range, size_t len, const char *name),
    const char *name);
