#include "config.h"

#include "fcgi/console.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "fcgi/assets.h"
#include "fcgi/call.h"

bool
console_is_for(const struct conf *conf, const char *address)
{
	for (size_t i = 0; i < conf->n_console_addresses; i++)
		if (strcmp(conf->console_addresses[i], address) == 0)
			return true;
	return conf->n_console_addresses == 0;
}

/* "https://host:port" against "host:port". "null" is nobody's. */
static bool
is_of_host(const char *origin, const char *host)
{
	const char *at = strstr(origin, "://");

	return at != NULL && host != NULL && strcasecmp(at + 3, host) == 0;
}

/* Browsers send Sec-Fetch-Site over https and to loopback, and Origin with each POST. The first
 * needs no Host, which a proxy may have changed. */
bool
console_is_cross_origin(const struct http_request *in)
{
	if (in->fetch_site != NULL && in->fetch_site[0] != '\0')
		return strcmp(in->fetch_site, "same-origin") != 0;
	return in->origin != NULL && in->origin[0] != '\0' && !is_of_host(in->origin, in->host);
}

void
handle_console_door(struct call *c)
{
	char to[CONF_PATH_CAP + 16];

	snprintf(to, sizeof(to), "%s/console/", c->e->conf->prefix);
	c->reply->status = 308;
	reply_add_header(c->reply, "Location", to);
}

/* What a page of ours may load and who may show it: our own files, and nobody. */
static void
add_headers(struct reply *r)
{
	static const char *const headers[][2] = {
		{ "Content-Security-Policy",
		    "default-src 'self'; base-uri 'none'; form-action 'none'; "
		    "frame-ancestors 'none'; object-src 'none'" },
		{ "Referrer-Policy", "no-referrer" },
		{ "Cross-Origin-Opener-Policy", "same-origin" },
		{ "Cross-Origin-Resource-Policy", "same-origin" },
		{ "Cross-Origin-Embedder-Policy", "require-corp" },
		{ "Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()" },
	};

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		reply_add_header(r, headers[i][0], headers[i][1]);
}

/* One of the list in If-None-Match, weak or not: a proxy that compresses makes it weak. */
static bool
is_fresh(const char *if_none_match, const char *etag)
{
	return if_none_match != NULL && strstr(if_none_match, etag) != NULL;
}

void
handle_console_page(struct call *c)
{
	const struct asset *a = assets_find(c->param[0] == '\0' ? "index.html" : c->param);

	if (a == NULL) {
		call_problem(c, PROBLEM_NO_ROUTE);
		return;
	}
	c->reply->cache = "no-cache"; /* kept, and asked for again each time */
	reply_add_header(c->reply, "ETag", a->etag);
	add_headers(c->reply);
	if (is_fresh(c->in->if_none_match, a->etag)) {
		c->reply->status = 304;
		return;
	}
	c->reply->status = 200;
	reply_add_header(c->reply, "Content-Type", a->type);
	buf_add(&c->reply->body, a->data, a->len);
}
