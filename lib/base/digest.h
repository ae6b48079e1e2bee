/* SHA-256 and its HMAC (RFC 2104), for any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { DIGEST_LEN = 32, DIGEST_HEX_CAP = 2 * DIGEST_LEN + 1 };

/* False: libcrypto has no memory, or no SHA-256. */
bool digest_sha256(const void *data, size_t len, unsigned char out[DIGEST_LEN])
    __attribute__((warn_unused_result));
bool digest_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
    unsigned char out[DIGEST_LEN]) __attribute__((warn_unused_result));
