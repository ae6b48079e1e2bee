/* How the reading of a request ended. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "json/field.h"

enum request_verdict {
	REQUEST_OK,
	REQUEST_MALFORMED,    /* not one strict JSON object: *err says where */
	REQUEST_WRONG_FIELDS, /* `errors` */
	REQUEST_NO_MEMORY,
};

enum request_verdict verdict_of_fields(const struct field_errors *errors);
enum request_verdict verdict_of_parse(bool parsed, const struct error *err);
