/* The secret that signs messages, as Standard Webhooks writes it: whsec_ and base64. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/secret.h"

enum { WEBHOOK_KEY_MIN = 24, WEBHOOK_KEY_MAX = 64 }; /* bytes */

/* Decodes it. out must be wiped. err: ERR_INPUT, without any part of the secret. */
bool webhook_key_read(const struct secret *key, unsigned char out[WEBHOOK_KEY_MAX], size_t *len,
    struct error *err) __attribute__((warn_unused_result));
