/* Writing JSON into a buf: the little that json-c's tree would be too much for. */
#pragma once

#include <stdint.h>

#include "base/buf.h"

/* A JSON string with its quotes. s: valid UTF-8; control characters, quote and backslash are
 * escaped. */
void json_add_string(struct buf *b, const char *s);
/* `"name":` and the value; a comma before it unless it is the first member after { or [. A name is
 * a word of ours: it has nothing to escape. */
void json_add_member(struct buf *b, const char *name);
void json_add_str_member(struct buf *b, const char *name, const char *s);
void json_add_int_member(struct buf *b, const char *name, int64_t n);
void json_add_bool_member(struct buf *b, const char *name, bool v);
/* RFC 3339 UTC with milliseconds. */
void json_add_time_member(struct buf *b, const char *name, int64_t wall_ms);
/* Nothing where there is none: the text is NULL or empty, the time is 0. */
void json_add_str_member_if(struct buf *b, const char *name, const char *s);
void json_add_time_member_if(struct buf *b, const char *name, int64_t wall_ms);
/* JSON text that is already strict, e.g. reservationInfo as it was sent. */
void json_add_raw_member(struct buf *b, const char *name, const char *json);
