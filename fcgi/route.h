/* Which path, method and role lead to which handler: one table. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "fcgi/call.h"

struct route {
	const char *method;
	const char *path;	/* one that ends with /: what follows, without another /, is a parameter */
	unsigned roles;		/* any of these (enum conf_role); 0: open to everybody */
	void (*handle)(struct call *c);
	const char *name;	/* for the log: an alias is logged under the name of what it stands for */
	bool by_address;	/* open to the addresses of [fcgi] metrics_addresses, too */
};

/* The web server's split of a path into SCRIPT_NAME and PATH_INFO is its own affair: their sum is looked at, then REQUEST_URI without its query.
 * Any may be NULL. NULL: no route. param: of a route that has one. */
const struct route *route_find(const char *prefix, const char *script_name, const char *path_info, const char *request_uri, char param[CALL_PARAM_CAP]);
/* What Allow says: a GET route serves HEAD, too, and every route answers OPTIONS. */
const char *route_allow(const struct route *r);
bool route_takes(const struct route *r, const char *method);	/* method may be NULL */
const struct route *route_at(size_t i);	/* walks the table, for tests: NULL after the last */
