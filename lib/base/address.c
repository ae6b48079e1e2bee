#include "config.h"

#include "base/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <string.h>

static_assert(ADDRESS_CAP == INET6_ADDRSTRLEN, "each address fits");

bool
address_read(const char *text, size_t len, char out[ADDRESS_CAP])
{
	char copy[ADDRESS_CAP];
	struct in6_addr v6;
	struct in_addr v4;

	out[0] = '\0';
	if (len >= sizeof(copy) || memchr(text, '\0', len) != NULL)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET, copy, &v4) == 1)
		return inet_ntop(AF_INET, &v4, out, ADDRESS_CAP) != NULL;
	if (inet_pton(AF_INET6, copy, &v6) != 1)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&v6))
		return inet_ntop(AF_INET, &v6.s6_addr[12], out, ADDRESS_CAP) != NULL;
	return inet_ntop(AF_INET6, &v6, out, ADDRESS_CAP) != NULL;
}
