/* A reader of JSON that follows RFC 8259 exactly. json-c only keeps the tree: its own reader
 * accepts duplicate members, single quotes, NaN and overlong UTF-8, and it cuts names at \u0000.
 * Where readers of the RFC may differ, a payment must not: duplicate members, \u0000, lone
 * surrogates, a byte order mark and deep nesting are refused. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

struct json_object;

enum { STRICT_DEPTH = 8 }; /* of requests: the outermost object is 1 */

/* One JSON text of any type, nested at most `depth` (1..64). *out: json_object_put by the caller;
 * NULL is null. A number whose value is an integer that an int64_t takes is json_type_int, however
 * it is written (11000, 11000.0, 1.1e4); any other is json_type_double, and is written again as it
 * was sent. ERR_INPUT with the reason and the byte offset; ERR_INTERNAL: no memory. */
bool strict_parse(const char *text, size_t len, int depth, struct json_object **out,
    struct error *err) __attribute__((warn_unused_result));

/* The same without the tree. */
bool strict_check(const char *text, size_t len, int depth, struct error *err)
    __attribute__((warn_unused_result));

/* The same as strict_parse, and the text must be an object: else ERR_INPUT. */
bool strict_parse_object(const char *text, size_t len, int depth, struct json_object **out,
    struct error *err) __attribute__((warn_unused_result));

struct strict_span {	/* part of a text that was read; borrowed from it */
	const char *at; /* NULL: there is none */
	size_t len;
};

/* The same, and where the value of the outermost object's member `name` stands. */
bool strict_parse_object_and_find(const char *text, size_t len, int depth, struct json_object **out,
    const char *name, struct strict_span *found, struct error *err)
    __attribute__((warn_unused_result));

/* Such a value as it was sent, without white space between tokens. */
void strict_add_compact(struct buf *out, struct strict_span value);
