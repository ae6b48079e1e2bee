#include "config.h"

#include "fcgi/client.h"

#include <stdio.h>
#include <string.h>

static bool
is_trusted(const struct conf *conf, const char *address)
{
	for (size_t i = 0; i < conf->n_trusted_proxies; i++)
		if (strcmp(conf->trusted_proxies[i], address) == 0)
			return true;
	return false;
}

/* A web server that listens on a Unix socket has no address to tell: nginx says "unix:", others
 * say nothing. */
static bool
is_unix(const char *peer)
{
	return peer == NULL || peer[0] == '\0' || strcmp(peer, "unix:") == 0;
}

/* Takes the last item of a list off it: its length becomes *len. */
static const char *
take_last(const char *list, size_t *len, size_t *item_len)
{
	size_t end = *len, start;

	while (end > 0 && strchr(" \t", list[end - 1]) != NULL)
		end--;
	for (start = end; start > 0 && list[start - 1] != ',';)
		start--;
	*len = start > 0 ? start - 1 : 0;
	while (start < end && strchr(" \t", list[start]) != NULL)
		start++;
	*item_len = end - start;
	return list + start;
}

/* Each proxy appends the address that it was called from, so the list is read from its end. What
 * stands before the first address that is not trusted, anybody may have written. */
void
client_address(const struct conf *conf, const char *peer, const char *forwarded,
    char out[ADDRESS_CAP])
{
	size_t left = forwarded == NULL ? 0 : strlen(forwarded), len;
	char next[ADDRESS_CAP];
	bool trusted;

	if (is_unix(peer)) {
		snprintf(out, ADDRESS_CAP, "-");
		trusted = is_trusted(conf, CONF_PROXY_UNIX);
	} else if (address_read(peer, strlen(peer), out)) {
		trusted = is_trusted(conf, out);
	} else {
		snprintf(out, ADDRESS_CAP, "-");
		return;
	}
	while (trusted && left > 0) {
		const char *item = take_last(forwarded, &left, &len);

		if (!address_read(item, len, next))
			return; /* not an address: what stands before it proves nothing */
		memcpy(out, next, ADDRESS_CAP);
		trusted = is_trusted(conf, out);
	}
}
