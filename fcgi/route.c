#include "config.h"

#include "fcgi/route.h"

#include <stdbool.h>
#include <string.h>

#include "fcgi/console.h"
#include "fcgi/handlers.h"
#include "fcgi/health.h"
#include "site/conf.h"

enum { LOOKS = ROLE_OPERATOR | ROLE_VIEWER };

/* clang-format off */
static const struct route routes[] = {
	{ "POST", "/payReady",             ROLE_GATEWAY,                      handle_ready, "payReady", 0 },
	{ "POST", "/payRead",              ROLE_GATEWAY,                      handle_ready, "payReady", 0 },
	{ "POST", "/inspectQueue",         ROLE_GATEWAY,                      handle_ready, "payReady", 0 },
	{ "POST", "/approvePayment",       ROLE_GATEWAY,                      handle_approve, "approvePayment", 0 },
	{ "POST", "/removePaymentInQueue", ROLE_GATEWAY | ROLE_RESERVATION,   handle_remove, "removePaymentInQueue", 0 },
	{ "POST", "/cancelPayment",        ROLE_REFUND | ROLE_OPERATOR,       handle_refund, "cancelPayment", 0 },
	{ "GET",  "/orders",               ROLE_GATEWAY | LOOKS,              handle_orders, "orders", 0 },
	{ "GET",  "/payments",             ROLE_GATEWAY | LOOKS,              handle_payments, "payments", 0 },
	{ "GET",  "/payments/",            ROLE_GATEWAY | LOOKS,              handle_payment, "payment", 0 },
	{ "GET",  "/refunds",              ROLE_GATEWAY | LOOKS,              handle_refunds, "refunds", 0 },
	{ "GET",  "/queue",                ROLE_GATEWAY | LOOKS,              handle_queue, "queue", 0 },
	{ "GET",  "/metrics",              LOOKS,                             handle_metrics, "metrics", ROUTE_BY_ADDRESS },
	{ "GET",  "/openapi.json",         0,                                 handle_openapi, "openapi", 0 },
	{ "GET",  "/livez",                0,                                 handle_livez, "livez", 0 },
	{ "GET",  "/readyz",               LOOKS,                             handle_readyz, "readyz", ROUTE_BY_ADDRESS },
	{ "GET",  "/console/api/me",           LOOKS,         handle_console_me,            "console_me", ROUTE_CONSOLE },
	{ "GET",  "/console/api/status",       LOOKS,         handle_console_status,        "console_status", ROUTE_CONSOLE },
	{ "GET",  "/console/api/waiting",      LOOKS,         handle_console_waiting,       "console_waiting", ROUTE_CONSOLE },
	{ "GET",  "/console/api/holds",        LOOKS,         handle_console_holds,         "console_holds", ROUTE_CONSOLE },
	{ "GET",  "/console/api/holds/",       LOOKS,         handle_console_hold,          "console_hold", ROUTE_CONSOLE },
	{ "GET",  "/console/api/payments",     LOOKS,         handle_console_payments,      "console_payments", ROUTE_CONSOLE },
	{ "GET",  "/console/api/payments/",    LOOKS,         handle_console_payment,       "console_payment", ROUTE_CONSOLE },
	{ "GET",  "/console/api/orders",       LOOKS,         handle_console_order,         "console_order", ROUTE_CONSOLE },
	{ "GET",  "/console/api/refunds",      LOOKS,         handle_console_refunds,       "console_refunds", ROUTE_CONSOLE },
	{ "GET",  "/console/api/deliveries",   LOOKS,         handle_console_deliveries,    "console_deliveries", ROUTE_CONSOLE },
	{ "GET",  "/console/api/deliveries/",  LOOKS,         handle_console_delivery,      "console_delivery", ROUTE_CONSOLE },
	{ "GET",  "/console/api/settlement",   LOOKS,         handle_console_settlement,    "console_settlement", ROUTE_CONSOLE },
	{ "GET",  "/console/api/reconcile",    LOOKS,         handle_console_reconcile,     "console_reconcile", ROUTE_CONSOLE },
	{ "POST", "/console/api/settle",       ROLE_OPERATOR, handle_console_settle,        "console_settle", ROUTE_CONSOLE },
	{ "POST", "/console/api/refund",       ROLE_OPERATOR, handle_console_refund,        "console_refund", ROUTE_CONSOLE },
	{ "POST", "/console/api/release",      ROLE_OPERATOR, handle_console_release,       "console_release", ROUTE_CONSOLE },
	{ "POST", "/console/api/retry",        ROLE_OPERATOR, handle_console_retry,         "console_retry", ROUTE_CONSOLE },
	{ "POST", "/console/api/retryAll",     ROLE_OPERATOR, handle_console_retry_all,     "console_retry_all", ROUTE_CONSOLE },
	{ "POST", "/console/api/test",         ROLE_OPERATOR, handle_console_test,          "console_test", ROUTE_CONSOLE },
	{ "POST", "/console/api/adopt",        ROLE_OPERATOR, handle_console_adopt,         "console_adopt", ROUTE_CONSOLE },
	{ "GET",  "/console",                  0,             handle_console_door,          "console", ROUTE_CONSOLE },
	{ "GET",  "/console/",                 0,             handle_console_page,          "console", ROUTE_CONSOLE | ROUTE_TREE },
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
	if (strncmp(path, r->path, len) != 0 || rest >= CALL_PARAM_CAP)
		return false;
	if (r->flags & ROUTE_TREE ? strncmp(path + len, "api/", 4) == 0
				  : (rest == 0 || strchr(path + len, '/') != NULL))
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

/* Both as one path. False: too long for any route. */
static bool
join(const char *first, size_t first_len, const char *second, char path[PATH_MAX_LEN + 1])
{
	size_t second_len = strlen(second);

	if (first_len > PATH_MAX_LEN || second_len > PATH_MAX_LEN - first_len)
		return false;
	memcpy(path, first, first_len);
	memcpy(path + first_len, second, second_len + 1);
	return true;
}

const struct route *
route_find(const char *prefix, const char *script_name, const char *path_info,
    const char *request_uri, char param[CALL_PARAM_CAP])
{
	const struct route *r = NULL;
	char path[PATH_MAX_LEN + 1];

	param[0] = '\0';
	if (script_name == NULL)
		script_name = "";
	if (join(script_name, strlen(script_name), path_info == NULL ? "" : path_info, path))
		r = find_below(prefix, path, param);
	if (r != NULL || request_uri == NULL)
		return r;
	return join(request_uri, strcspn(request_uri, "?"), "", path)
	    ? find_below(prefix, path, param)
	    : NULL;
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
