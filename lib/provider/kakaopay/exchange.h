/* One HTTP exchange with KakaoPay: a POST, its answer, a deadline. The only place of libcurl in the
 * library. What the answer means is not known here, but this is: whether a byte of the request can
 * have left. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct exchange; /* connections kept open between calls; one per process, made after fork */

enum { EXCHANGE_BODY_MAX = 64 * 1024 }; /* of an answer */

struct exchange_request {
	const char *url; /* https; http only with plain_http */
	/* value of the header: the caller has checked that it is one line, and wipes it */
	const char *authorization;
	const char *content_type;
	const char *body;
	size_t len;
	bool plain_http; /* the host is a loopback address */
	/* a connection of its own, closed by a reset: what was not delivered when we give up never
	 * will be */
	bool fresh;
	int64_t deadline_boot_ms;
};

enum exchange_sent { EXCHANGE_NOT_SENT, EXCHANGE_MAYBE_SENT };

struct exchange_reply {
	enum exchange_sent sent;
	bool complete;	     /* the answer was read to its end */
	int status;	     /* 0: none was read */
	struct buf body;     /* buf_clear by the caller */
	const char *trouble; /* why it is not complete, in libcurl's words; a constant */
};

/* SIGPIPE is ignored from here on unless the program handles it: OpenSSL writes with write(2). */
struct exchange *exchange_new(struct error *err);
void exchange_free(struct exchange **x);

/* True: look at the reply. False: ERR_INTERNAL (no memory), nothing was sent. reply->body must have
 * been initialised. */
bool exchange_run(struct exchange *x, const struct exchange_request *rq,
    struct exchange_reply *reply, struct error *err) __attribute__((warn_unused_result));
