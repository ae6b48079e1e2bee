/* Which path, method and role lead to which handler: one table. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "fcgi/call.h"

struct route {
	const char *method;
	/* one that ends with /: what follows, without another /, is a parameter */
	const char *path;
	unsigned roles; /* any of these (enum conf_role); 0: open to everybody */
	void (*handle)(struct call *c);
	/* for the log: an alias is logged under the name of what it stands for */
	const char *name;
	unsigned flags;
};
enum {
	ROUTE_BY_ADDRESS = 1, /* open to the addresses of [fcgi] metrics_addresses, too */
	ROUTE_CONSOLE = 2,    /* of the console: only where [console] serve = yes */
	ROUTE_TREE = 4 /* the parameter may be empty, and may hold more of /; not below api/ */
};

/* Web servers split a path into SCRIPT_NAME and PATH_INFO in different ways. So both are joined and
 * looked up; then REQUEST_URI without its query is. Any may be NULL. param gets the last part of
 * the path, where the route takes one. Returns NULL where there is no route. */
const struct route *route_find(const char *prefix, const char *script_name, const char *path_info,
    const char *request_uri, char param[CALL_PARAM_CAP]);
/* What Allow says: a GET route serves HEAD, too, and every route answers OPTIONS. */
const char *route_allow(const struct route *r);
bool route_takes(const struct route *r, const char *method); /* method may be NULL */
const struct route *route_at(size_t i); /* walks the table, for tests: NULL after the last */
