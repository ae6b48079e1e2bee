/* The key under which the same approvePayment finds its answer for ever. No I/O. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/secret.h"
#include "site/limit.h"

/*
 * HMAC-SHA-256 over the three, each with its length, so that no two calls share a key, in hex. The
 * token itself is kept nowhere. ERR_INTERNAL: no secret, or no memory.
 */
bool flow_replay_key(const struct secret *secret, const char *user_id, const char *room_id,
    const char *pg_token, char out[KEY_CAP], struct error *err);
