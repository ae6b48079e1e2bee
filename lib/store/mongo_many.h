/* The verbs of store_backend on many records at once, in MongoDB: one command each. */
#pragma once

#include "store/backend.h"

bool mongo_get_many(struct store *s, const struct shape *sh, const char *const *ids, size_t n_ids,
    void **out, size_t *n, int64_t deadline_boot_ms, struct error *err);
bool mongo_put_many(struct store *s, const struct shape *sh, const void *const *recs, size_t n,
    enum store_put *hows, int64_t deadline_boot_ms, struct error *err);
bool mongo_replace_many(struct store *s, const struct shape *sh, const void *const *recs, size_t n,
    int64_t deadline_boot_ms, struct error *err);
bool mongo_remove_many(struct store *s, const struct shape *sh, const char *const *ids, size_t n,
    int64_t deadline_boot_ms, struct error *err);
