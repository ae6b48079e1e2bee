/* Addresses of hosts as text: one spelling for each, so that they can be compared and logged. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { ADDRESS_CAP = 46 }; /* INET6_ADDRSTRLEN */

/* Reads one IPv4 or IPv6 address, strictly: no port, no brackets, no zone, no leading zeros. out is
 * its usual spelling; an IPv4-mapped IPv6 address becomes the IPv4 address. False: out is "". */
bool address_read(const char *text, size_t len, char out[ADDRESS_CAP]);
