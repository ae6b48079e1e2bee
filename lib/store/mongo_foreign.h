/* What another program wrote into `payments`, before roompay came; see store.h. */
#pragma once

#include "base/buf.h"
#include "store/mongo_link.h"
#include "store/record.h"

/* Appends the first few tids that stand in `payments` more than once. False: there is none, or the
 * server does not say. */
bool mongo_foreign_twice(struct mongo_link *l, struct buf *out);

bool mongo_foreign_page(struct mongo_link *l, size_t limit, struct store_foreign_page *page,
    struct error *err);
bool mongo_foreign_shift(struct mongo_link *l, const struct store_foreign *of, int64_t by_ms,
    struct error *err);
bool mongo_foreign_set_aside(struct mongo_link *l, const struct store_foreign *of,
    struct error *err);
