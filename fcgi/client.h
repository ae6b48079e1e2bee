/* Who sent a request: the address of the client, also behind proxies. */
#pragma once

#include "base/address.h"
#include "site/conf.h"

/* peer: REMOTE_ADDR. forwarded: X-Forwarded-For, believed only as far as [fcgi] trusted_proxies
 * vouches for it: the last address there that is no trusted proxy's. Each may be NULL. out is "-"
 * where the address is not known; it is safe in a log in any case. */
void client_address(const struct conf *conf, const char *peer, const char *forwarded,
    char out[ADDRESS_CAP]);
