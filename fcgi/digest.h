/* SHA-256. Each process looks the algorithm up in libcrypto once: that costs more than a hash. Use
 * it only after fork. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { DIGEST_LEN = 32, DIGEST_HEX_CAP = 2 * DIGEST_LEN + 1 };

/* False: libcrypto has no memory, or no SHA-256. */
bool digest_sha256(const void *data, size_t len, unsigned char out[DIGEST_LEN])
    __attribute__((warn_unused_result));
