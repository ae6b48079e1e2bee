/* One text for each JSON value, to compare values or to take a digest of them. */
#pragma once

#include "base/buf.h"

struct json_object;

/* Members go by name, numbers and strings have one spelling each, nothing stands between tokens:
 * {"b":1.0,"a":"\u0041"} and {"a":"A","b":1} give the same text. The order of an array counts.
 * Strings are compared byte by byte: no Unicode normalization. v: from strict_parse. */
void json_add_canonical(struct buf *out, const struct json_object *v);
