/* What another program wrote into `payments`, before roompay came. */
#pragma once

#include "base/buf.h"
#include "store/mongo_link.h"

/* Appends the first few tids that stand in `payments` more than once. False: there is none, or the
 * server does not say. */
bool mongo_foreign_twice(struct mongo_link *l, struct buf *out);
