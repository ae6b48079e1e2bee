/* Standard Webhooks 1.0: ids, bodies and signatures of what is owed to other services. No I/O. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/secret.h"

enum { WEBHOOK_POST_LIMIT_MS = 20000 }; /* one try takes no longer */

/* "v1,<base64 of HMAC-SHA-256(key, id.timestamp.body)>"; key: whsec_<base64>, 24..64 bytes decoded.
 * timestamp in seconds. */
bool webhook_sign(const struct secret *key, const char *id, int64_t timestamp_s, const char *body,
    struct buf *out, struct error *err) __attribute__((warn_unused_result));
/*
 * The header webhook-signature: by the key, and by the old one too where it is set, so that a
 * receiver may change its secret at any time in between.
 */
bool webhook_sign_header(const struct secret *key, const struct secret *old_key, const char *id,
    int64_t timestamp_s, const char *body, struct buf *out, struct error *err)
    __attribute__((warn_unused_result));
/*
 * A receiver's Retry-After: the wall time in ms before which it wants no other try, at most 6 h
 * from now. 0: it says nothing that can be read, or a date that is over. value: what stands behind
 * the colon; now_wall_ms: when it was received.
 */
int64_t webhook_not_before_ms(const char *value, int64_t now_wall_ms);
/* Does Retry-After mean anything with this status? 429 and 503 alone. */
bool webhook_may_put_off(int64_t status);

/* When the next try is due: ms after the last one (the table: roompay-courier(8)), or -1: kept and
 * shown as undelivered. tries: made so far (>= 1); age_ms: since owed. */
int64_t webhook_retry_after_ms(int64_t tries, int64_t age_ms);
