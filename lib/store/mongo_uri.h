/* Connection strings of MongoDB, and what must be done before libmongoc is used. */
#pragma once

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Makes libmongoc ready. ERR_INPUT: not a URI, an option that libmongoc does not know, TLS without
 * checks. The message never quotes the URI. NULL: err. mongoc_uri_destroy by the caller. */
mongoc_uri_t *mongo_uri_parse(const char *text, struct error *err);
/* How long a client looks for a server, connects, and waits for an answer. It repeats nothing by
 * itself. */
bool mongo_uri_set_times(mongoc_uri_t *uri, int32_t select_ms, int32_t connect_ms,
    int32_t socket_ms);
