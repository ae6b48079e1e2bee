/*
 * Records to BSON documents and back, by the columns of their shape. Documents are built member by
 * member: nothing from outside is ever parsed as extended JSON. No I/O.
 */
#pragma once

#include <bson/bson.h>
#include <stdbool.h>

#include "base/error.h"
#include "store/shape.h"

/*
 * Appends {_id: <id>}, or the member that the shape uses as its id, to an empty doc: the filter for
 * one record. ERR_INTERNAL: the id is not UTF-8.
 */
bool mongo_doc_id(const struct shape *sh, const char *id, bson_t *doc, struct error *err)
    __attribute__((warn_unused_result));
/* Appends {member: [words]}. */
void mongo_doc_add_words(bson_t *doc, const char *member, const char *const *words, size_t n);
/* Appends _id and every column. ERR_INTERNAL: a string is not UTF-8. */
bool mongo_doc_write(const struct shape *sh, const void *rec, bson_t *doc, struct error *err)
    __attribute__((warn_unused_result));
/*
 * Overwrites *rec; the caller clears it (shape_clear). ERR_INTERNAL: a member is missing, too long
 * or of another type; *rec is clear then. What another program wrote is read as far as it goes.
 */
bool mongo_doc_read(const struct shape *sh, const bson_t *doc, void *rec, struct error *err)
    __attribute__((warn_unused_result));
