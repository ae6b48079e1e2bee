/* The query string of a URL as an object of texts. So the same rules check query strings and
 * bodies. */
#pragma once

#include <stdbool.h>

#include "json/field.h"

struct json_object;

/* Reads "a=1&b=%ED%95%9C", decoded as HTML forms are (base/form.h). The caller releases *out with
 * json_object_put. A name that comes twice is an error in *errors. A value with a NUL, or that is
 * not UTF-8, becomes a control character, which every rule refuses. False: no memory; errors->bad
 * is set, too. */
bool query_read(const char *query, struct json_object **out, struct field_errors *errors)
    __attribute__((warn_unused_result));
