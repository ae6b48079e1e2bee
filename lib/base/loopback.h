/* Does a host name this machine? The one place that says so: plain http is taken to such hosts
 * alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* host: as it stands in a URL, without the port. "localhost" in any case, 127.x.y.z with four
 * parts, [::1] in any spelling. */
bool loopback_is_host(const char *host, size_t len);
