/* A run: records that are numbered without gaps, from 1 on. The chain of an order, the tries of a
 * message. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "store/shape.h"

struct store;

/* Whose numbers they are. */
struct run {
	const char *name, *order; /* of a try: the message; of an event: cid and order */
};

/*
 * All of them, up to the first number that is missing. *out: shape_clear each, then free; NULL
 * where there is none. Errors as of store.h.
 */
bool run_get(struct store *s, const struct shape *sh, const struct run *run, void **out, size_t *n,
    int64_t deadline_boot_ms, struct error *err);
