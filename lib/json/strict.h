/* RFC 8259 to the letter, before json-c sees a byte (json-c takes duplicate members, single quotes, NaN, overlong UTF-8, and cuts keys at \u0000).
 * Stricter than the RFC where a payment must not depend on a reader's taste: no duplicate members, no \u0000, no lone surrogates, bounded
 * depth, no byte order mark. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

struct json_object;

enum { STRICT_DEPTH = 8 };	/* of requests: the outermost object is 1 */

/* One JSON text of any type, nested at most `depth` (1..64). ERR_INPUT with the reason and the byte offset. */
bool strict_check(const char *text, size_t len, int depth, struct error *err) __attribute__((warn_unused_result));

/* The same, and the text must be an object. *out: json_object_put by the caller. ERR_INPUT, ERR_INTERNAL (no memory). */
bool strict_parse_object(const char *text, size_t len, int depth, struct json_object **out, struct error *err)
	__attribute__((warn_unused_result));

/* The outermost object's member `name` as it was sent, without white space between tokens. False: not there, or text not strict. */
bool strict_member_text(const char *text, size_t len, int depth, const char *name, struct buf *out);
