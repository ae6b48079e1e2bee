/* The queue's log in MongoDB, which roompay-queue-log writes; see store.h. */
#pragma once

#include "store/mongo_link.h"
#include "store/store.h"

bool mongo_queue_log_read(struct mongo_link *l, struct store_queue_log *out,
    bool (*each)(void *ctx, const void *record, size_t len, struct error *err), void *ctx,
    struct error *err);
bool mongo_queue_log_find(struct mongo_link *l, char queue_id[QUEUE_ID_CAP], struct error *err);
bool mongo_queue_log_renew(struct mongo_link *l, const char *old_id, const char *new_id,
    const char *reason, struct error *err);
