#include "config.h"

#include "fcgi/route.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "fcgi/handlers.h"
#include "fcgi/health.h"
#include "site/conf.h"

/* clang-format off */
static const struct route routes[] = {
	{ "POST", "/payReady",             ROLE_GATEWAY,                      handle_ready, "payReady", false },
	{ "POST", "/payRead",              ROLE_GATEWAY,                      handle_ready, "payReady", false },
	{ "POST", "/inspectQueue",         ROLE_GATEWAY,                      handle_ready, "payReady", false },
	{ "POST", "/approvePayment",       ROLE_GATEWAY,                      handle_approve, "approvePayment", false },
	{ "POST", "/removePaymentInQueue", ROLE_GATEWAY | ROLE_RESERVATION,   handle_remove, "removePaymentInQueue", false },
	{ "POST", "/cancelPayment",        ROLE_REFUND | ROLE_OPERATOR,       handle_refund, "cancelPayment", false },
	{ "GET",  "/orders",               ROLE_GATEWAY | ROLE_OPERATOR,      handle_orders, "orders", false },
	{ "GET",  "/payments",             ROLE_GATEWAY | ROLE_OPERATOR,      handle_payments, "payments", false },
	{ "GET",  "/payments/",            ROLE_GATEWAY | ROLE_OPERATOR,      handle_payment, "payment", false },
	{ "GET",  "/refunds",              ROLE_GATEWAY | ROLE_OPERATOR,      handle_refunds, "refunds", false },
	{ "GET",  "/queue",                ROLE_GATEWAY | ROLE_OPERATOR,      handle_queue, "queue", false },
	{ "GET",  "/metrics",              ROLE_OPERATOR,                     handle_metrics, "metrics", true },
	{ "GET",  "/openapi.json",         0,                                 handle_openapi, "openapi", false },
	{ "GET",  "/livez",                0,                                 handle_livez, "livez", false },
	{ "GET",  "/readyz",               ROLE_OPERATOR,                     handle_readyz, "readyz", true },
};
/* clang-format on */
enum { N_ROUTES = sizeof(routes) / sizeof(routes[0]), PATH_MAX_LEN = 511 };

/* `param` is empty, or what stands behind the / of a path that ends with it. */
static bool
is_route(const struct route *r, const char *path, char param[CALL_PARAM_CAP])
{
	size_t len = strlen(r->path), rest = strlen(path) - (strlen(path) < len ? 0 : len);

	if (r->path[len - 1] != '/')
		return strcmp(path, r->path) == 0;
	if (strncmp(path, r->path, len) != 0 || rest == 0 || rest >= CALL_PARAM_CAP ||
	    strchr(path + len, '/') != NULL)
		return false;
	memcpy(param, path + len, rest + 1);
	return true;
}

static const struct route *
find_below(const char *prefix, const char *path, char param[CALL_PARAM_CAP])
{
	size_t len = strlen(prefix);

	if (strncmp(path, prefix, len) != 0)
		return NULL;
	for (size_t i = 0; i < N_ROUTES; i++)
		if (is_route(&routes[i], path + len, param))
			return &routes[i];
	return NULL;
}

const struct route *
route_find(const char *prefix, const char *script_name, const char *path_info,
    const char *request_uri, char param[CALL_PARAM_CAP])
{
	const struct route *r = NULL;
	char path[PATH_MAX_LEN + 1];
	int len;

	param[0] = '\0';
	len = snprintf(path, sizeof(path), "%s%s", script_name == NULL ? "" : script_name,
	    path_info == NULL ? "" : path_info);
	if (len >= 0 && len <= PATH_MAX_LEN)
		r = find_below(prefix, path, param);
	if (r != NULL || request_uri == NULL)
		return r;
	len = snprintf(path, sizeof(path), "%.*s", (int)strcspn(request_uri, "?"), request_uri);
	return len >= 0 && len <= PATH_MAX_LEN ? find_below(prefix, path, param) : NULL;
}

static bool
is_get(const struct route *r)
{
	return strcmp(r->method, "GET") == 0;
}

const char *
route_allow(const struct route *r)
{
	return is_get(r) ? "GET, HEAD, OPTIONS" : "POST, OPTIONS";
}

bool
route_takes(const struct route *r, const char *method)
{
	return method != NULL &&
	    (strcmp(method, r->method) == 0 || (is_get(r) && strcmp(method, "HEAD") == 0));
}

const struct route *
route_at(size_t i)
{
	return i < N_ROUTES ? &routes[i] : NULL;
}
