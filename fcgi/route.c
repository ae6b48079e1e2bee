#include "config.h"

#include "fcgi/route.h"

#include <stdio.h>
#include <string.h>

#include "base/conf.h"
#include "fcgi/handlers.h"

/* clang-format off */
static const struct route routes[] = {
	{ "POST", "/payReady",             ROLE_GATEWAY,                    handle_ready,   "payReady" },
	{ "POST", "/payRead",              ROLE_GATEWAY,                    handle_ready,   "payReady" },
	{ "POST", "/inspectQueue",         ROLE_GATEWAY,                    handle_ready,   "payReady" },
	{ "POST", "/approvePayment",       ROLE_GATEWAY,                    handle_approve, "approvePayment" },
	{ "POST", "/removePaymentInQueue", ROLE_GATEWAY | ROLE_RESERVATION, handle_remove,  "removePaymentInQueue" },
	{ "POST", "/cancelPayment",        ROLE_REFUND | ROLE_OPERATOR,     handle_refund,  "cancelPayment" },
	{ "GET",  "/orders",               ROLE_GATEWAY | ROLE_OPERATOR,    handle_orders,  "orders" },
	{ "GET",  "/queue",                ROLE_GATEWAY | ROLE_OPERATOR,    handle_queue,   "queue" },
	{ "GET",  "/livez",                0,                               handle_livez,   "livez" },
	{ "GET",  "/readyz",               ROLE_OPERATOR,                   handle_readyz,  "readyz" },
};
/* clang-format on */
enum { N_ROUTES = sizeof(routes) / sizeof(routes[0]), PATH_MAX_LEN = 511 };

static const struct route *
find_below(const char *prefix, const char *path)
{
	size_t len = strlen(prefix);

	if (strncmp(path, prefix, len) != 0)
		return NULL;
	for (size_t i = 0; i < N_ROUTES; i++)
		if (strcmp(path + len, routes[i].path) == 0)
			return &routes[i];
	return NULL;
}

const struct route *
route_find(const char *prefix, const char *script_name, const char *path_info, const char *request_uri)
{
	const struct route *r = NULL;
	char path[PATH_MAX_LEN + 1];
	int len;

	len = snprintf(path, sizeof(path), "%s%s", script_name == NULL ? "" : script_name, path_info == NULL ? "" : path_info);
	if (len >= 0 && len <= PATH_MAX_LEN)
		r = find_below(prefix, path);
	if (r != NULL || request_uri == NULL)
		return r;
	len = snprintf(path, sizeof(path), "%.*s", (int)strcspn(request_uri, "?"), request_uri);
	return len >= 0 && len <= PATH_MAX_LEN ? find_below(prefix, path) : NULL;
}

const struct route *
route_at(size_t i)
{
	return i < N_ROUTES ? &routes[i] : NULL;
}
