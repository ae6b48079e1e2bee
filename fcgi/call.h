/* One request on its way through a worker, and what the worker has for it. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "fcgi/gate.h"
#include "fcgi/reply.h"
#include "fcgi/request.h"
#include "flow/flow.h"
#include "site/conf.h"

/* As the web server handed it over. Everything is borrowed, and any text may be NULL. */
struct http_request {
	const char *method, *script_name, *path_info, *request_uri, *query;
	const char *authorization, *accept, *accept_language;
	const char *content_type, *content_encoding, *content_length;
	const char *request_id, *remote_addr, *forwarded_for;
	/* what browsers add; the console alone looks at it */
	const char *host, *origin, *fetch_site, *if_none_match;
	const char *body;
	size_t body_len;
	bool too_large;	 /* longer than REQUEST_MAX, so the body was not read */
	int64_t boot_ms; /* when it was accepted */
};

/* What a worker has. It is made once, after fork. It is large: keep it in static storage. */
struct edge {
	const struct conf *conf;
	struct flow flow;
	struct gate gate;
	const _Atomic bool *draining; /* NULL: there is no master who could tell */
	unsigned char random[1024];   /* for request ids: read in one go, used from the end */
	size_t random_left;
	/* of the current request */
	char request_id[REQUEST_ID_CAP];
	struct request_ready ready;
	struct flow_answer answer;
	struct flow_order_answer order;
	struct reply reply;
};

enum { CALL_PARAM_CAP = 160 };

struct call { /* what a handler sees */
	struct edge *e;
	const struct http_request *in;
	const struct conf_caller *caller; /* NULL: the route is open to everybody */
	struct reply_to to;
	struct reply *reply;
	struct flow_call flow_call;
	char param[CALL_PARAM_CAP]; /* the last part of the path, where the route takes one */
	char address[ADDRESS_CAP];  /* the client's, or "-" */
	char why[200];		    /* for the log, never for the caller */
};

/* Makes the problem the reply. */
void call_problem(struct call *c, enum problem p);
/* Keeps the reason for the log. */
void call_explain(struct call *c, const char *why);
/* The flow, just before it is asked: where queue and store were away, looks at them again. */
struct flow *call_flow(struct call *c);

/* True: the request was read into its struct. False: the reply says what is wrong with it. err:
 * where the verdict is REQUEST_MALFORMED. */
bool call_take(struct call *c, enum request_verdict v, const struct field_errors *errors,
    const struct error *err);
/* False: there is no such merchant, or it is not this caller's; the reply says so. */
bool call_may_use(struct call *c, const char *cid);
/* A read of the store failed. */
void call_failed_read(struct call *c, const struct error *err);
/* Accept prefers text/csv. */
bool call_wants_csv(const struct call *c);
