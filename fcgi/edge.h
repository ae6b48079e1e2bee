/* One request in, one answer out: from the bytes of a request to its handler, and the answer back.
 * Knows nothing of FastCGI, so a test calls edge_answer as the worker does. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "site/conf.h"

struct edge;
struct http_request;

/* Opens no connection: clients connect at first use. False: no memory, or a setting that KakaoPay's
 * client refuses. */
bool edge_init(struct edge *e, const struct conf *conf, struct error *err)
    __attribute__((warn_unused_result));
void edge_clear(struct edge *e);

/* Puts the whole answer into *out, as reply_format writes it, and writes one line to the log. */
void edge_answer(struct edge *e, const struct http_request *in, struct buf *out);
