#include "config.h"

#include "base/loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

bool
loopback_is_host(const char *host, size_t len)
{
	bool bracket = len > 2 && host[0] == '[' && host[len - 1] == ']';
	char text[INET6_ADDRSTRLEN];
	struct in6_addr v6;
	struct in_addr v4;

	len -= bracket ? 2 : 0;
	if (len == 0 || len >= sizeof(text))
		return false;
	memcpy(text, host + bracket, len);
	text[len] = '\0';
	if (bracket)
		return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
	return strcasecmp(text, "localhost") == 0 ||
	    (inet_pton(AF_INET, text, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
}
