/*
 * Records to documents and back, by the columns of their shape. Built member by member: nothing that came
 * from outside is ever read as extended JSON. No I/O.
 */
#pragma once

#include <bson/bson.h>
#include <stdbool.h>

#include "base/error.h"
#include "store/shape.h"

/*
 * Appends {_id: <id>}, or the member that the shape has in its place, to an empty doc: the filter for one
 * record. ERR_INTERNAL: not UTF-8.
 */
bool mongo_doc_id(const struct shape *sh, const char *id, bson_t *doc,
    struct error *err) __attribute__((warn_unused_result));
/* Appends _id and every column. ERR_INTERNAL: a string is not UTF-8. */
bool mongo_doc_write(const struct shape *sh, const void *rec, bson_t *doc,
    struct error *err) __attribute__((warn_unused_result));
/*
 * *rec is overwritten; shape_clear by the caller. ERR_INTERNAL: a member is missing, of another type, or
 * too long; *rec is cleared then.
 */
bool mongo_doc_read(const struct shape *sh, const bson_t *doc, void *rec,
    struct error *err) __attribute__((warn_unused_result));
