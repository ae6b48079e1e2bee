/* One request in, one answer out: thin steps from bytes to flow and back. No FastCGI here, so tests call edge_answer as the worker does. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/conf.h"
#include "fcgi/gate.h"
#include "fcgi/reply.h"
#include "fcgi/request.h"
#include "fcgi/route.h"
#include "flow/flow.h"

struct http_request {		/* as the web server handed it over; borrowed, any text may be NULL */
	const char *method, *script_name, *path_info, *request_uri, *query, *authorization, *content_type, *content_encoding, *accept, *accept_language, *request_id, *remote_addr;
	const char *body;
	size_t body_len;
	bool too_large;		/* longer than REQUEST_MAX: not read */
	int64_t boot_ms;	/* when it was accepted */
};

/* What a worker has: made once after fork. It is large; keep it in static storage. */
struct edge {
	const struct conf *conf;
	struct flow flow;
	struct gate gate;
	unsigned char random[1024];	/* for request ids: asked for in one go, used from the end */
	size_t random_left;
	/* of the request in hand */
	char request_id[REQUEST_ID_CAP];
	struct request_ready ready;
	struct flow_answer answer;
	struct flow_order_answer order;
	struct reply reply;
};

/* Opens nothing yet: handles connect at first use. False: no memory, or a setting that KakaoPay's client refuses. */
bool edge_init(struct edge *e, const struct conf *conf, struct error *err) __attribute__((warn_unused_result));
void edge_clear(struct edge *e);

/* The whole answer in *out, as reply_format writes it, and one line in the log. */
void edge_answer(struct edge *e, const struct http_request *in, struct buf *out);

struct call {			/* what a handler sees */
	struct edge *e;
	const struct http_request *in;
	const struct conf_caller *caller;	/* NULL: open route */
	struct reply_to to;
	struct reply *reply;
	struct flow_call flow_call;
	char param[ROUTE_PARAM_CAP];	/* what stands behind the path of a route that takes one */
	char why[200];		/* for the log, never for the caller */
};

void handle_ready(struct call *c);
void handle_approve(struct call *c);
void handle_remove(struct call *c);
void handle_refund(struct call *c);
void handle_orders(struct call *c);
void handle_payments(struct call *c);
void handle_payment(struct call *c);
void handle_queue(struct call *c);
void handle_metrics(struct call *c);
void handle_openapi(struct call *c);
void handle_livez(struct call *c);
void handle_readyz(struct call *c);
