#include "config.h"

#include "fcgi/url.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/loopback.h"

struct host {
	const char *at;
	size_t len;
};

static bool
is_printable(const char *url)
{
	for (const char *p = url; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
			return false;
	return strpbrk(url, "\\\"<>#") == NULL;
}

static bool
is_port(const char *text, size_t len)
{
	long port = 0;

	if (len < 1 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		port = port * 10 + (text[i] - '0');
	}
	return port >= 1 && port <= 65535;
}

/* What stands between // and the path: "host", "host:port", "[v6]:port". A user before @ is refused
 * with everything else that is no host. */
static bool
split_authority(const char *text, size_t len, struct host *host)
{
	size_t n = 0;

	if (len > 0 && text[0] == '[') {
		n = 1 + strspn(text + 1, "0123456789abcdefABCDEF:.");
		if (n >= len || text[n] != ']')
			return false;
		n++;
	} else {
		while (n < len &&
		    (isalnum((unsigned char)text[n]) || text[n] == '-' || text[n] == '.'))
			n++;
		if (n == 0 || text[0] == '-' || text[0] == '.')
			return false;
	}
	*host = (struct host){ text, n };
	return n == len || (text[n] == ':' && is_port(text + n + 1, len - n - 1));
}

static bool
host_is(struct host h, const char *name)
{
	return h.len == strlen(name) && strncasecmp(h.at, name, h.len) == 0;
}

static bool
is_allowed(struct host h, const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_url_hosts; i++)
		if (host_is(h, conf->url_hosts[i]))
			return true;
	return conf->n_url_hosts == 0;
}

enum field_code
url_check(const char *url, const struct conf *conf)
{
	bool plain = strncasecmp(url, "http://", 7) == 0;
	const char *authority = strstr(url, "://");
	struct host host;

	if (!is_printable(url) || !isalpha((unsigned char)url[0]))
		return FIELD_URL;
	if (!plain && strncasecmp(url, "https://", 8) != 0)
		return FIELD_URL_HTTPS;
	authority += 3;
	if (!split_authority(authority, strcspn(authority, "/?"), &host))
		return FIELD_URL;
	if (plain && !loopback_is_host(host.at, host.len) && !conf->url_http)
		return FIELD_URL_HTTPS;
	return is_allowed(host, conf) ? FIELD__OK : FIELD_URL_HOST;
}

enum field_code
url_check_scheme(const char *url, const struct conf *conf)
{
	static const char *const active[] = { "javascript", "vbscript", "data", "file", "blob",
		"about", "filesystem" };
	size_t len = 0;

	if (strncasecmp(url, "http:", 5) == 0 || strncasecmp(url, "https:", 6) == 0)
		return url_check(url, conf);
	while (isalnum((unsigned char)url[len]) ||
	    (len > 0 && url[len] != '\0' && strchr("+-.", url[len]) != NULL))
		len++;
	if (!is_printable(url) || !isalpha((unsigned char)url[0]) ||
	    strncmp(url + len, "://", 3) != 0)
		return FIELD_URL;
	for (size_t i = 0; i < sizeof(active) / sizeof(active[0]); i++)
		if (len == strlen(active[i]) && strncasecmp(url, active[i], len) == 0)
			return FIELD_URL;
	return FIELD__OK;
}

void
url_lower_host(char *url)
{
	char *end;

	if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
		return;
	end = strstr(url, "://") + 3;
	end += strcspn(end, "/?");
	for (char *p = url; p < end; p++)
		*p = (char)tolower((unsigned char)*p);
}
