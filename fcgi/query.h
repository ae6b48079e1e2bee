/* The query string of a URL as an object of texts, so that the rules for the members of bodies serve for it too. */
#pragma once

#include <stdbool.h>

#include "json/field.h"

struct json_object;

/* "a=1&b=%ED%95%9C": names and values decoded as HTML forms write them (+ is a blank). *out: json_object_put. A name that comes twice is in *errors; a value
 * that no JSON text could hold (no UTF-8, or with a NUL) becomes a control character, which no rule lets through. False: no memory (errors->bad too). */
bool query_read(const char *query, struct json_object **out, struct field_errors *errors) __attribute__((warn_unused_result));
