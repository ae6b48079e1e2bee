/* What goes back: status, header lines, body. The JSON of each answer (doc/http.md) is written
 * here. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "fcgi/problem.h"
#include "fcgi/request.h"
#include "flow/flow.h"
#include "flow/life.h"
#include "site/conf.h"

struct reply {
	int status;
	const char *code;  /* of the problem, for the log; "" where there is none */
	const char *cache; /* Cache-Control */
	/* the answer to HEAD: headers as for GET, Content-Length too, and no body */
	bool head;
	/* "Name: value\r\n" each; Status, Content-Length and Cache-Control are added by
	 * reply_format */
	struct buf headers;
	struct buf body;
};

struct reply_to { /* for whom it is written */
	const struct conf *conf;
	const char *request_id;
	enum language language;
};

void reply_reset(struct reply *r);	/* keeps the memory */
void reply_reset_body(struct reply *r); /* what was written so far is no answer */
void reply_clear(struct reply *r);
void reply_add_header(struct reply *r, const char *name, const char *value);
/* The whole answer as a FastCGI application sends it. What could not be written for lack of memory
 * becomes a plain 500. */
void reply_format(const struct reply *r, const struct reply_to *to, struct buf *out);

/* Begins an object; whoever asks goes on with members. */
void reply_begin(struct reply *r, int status);
/* "next" and the brace at the end of such an object. */
void reply_end_page(struct reply *r, const char *next);

/* a: what the flow knows of it (charged, Retry-After, conflicts, KakaoPay's words), may be NULL.
 * errors: the wrong fields, may be NULL. */
void reply_problem(struct reply *r, const struct reply_to *to, enum problem p,
    const struct flow_answer *a, const struct field_errors *errors);

/* With a sentence of its own as `detail`, in the language of *to. more: further members as JSON
 * text,
 * "\"a\":1"; NULL: none. */
void reply_refused(struct reply *r, const struct reply_to *to, enum problem p, const char *detail,
    const char *more);

/* Each takes a->result FR_OK, FR_UNKNOWN or FR_RECORDING; any other result is its problem. */
void reply_ready(struct reply *r, const struct reply_to *to, const struct attempt *at,
    const struct flow_answer *a);
void reply_approve(struct reply *r, const struct reply_to *to, const struct flow_answer *a);
void reply_remove(struct reply *r, const struct reply_to *to, const struct flow_answer *a);

void reply_refund(struct reply *r, const struct reply_to *to, const struct flow_answer *a);

/* GET /orders */
void reply_order(struct reply *r, const struct reply_to *to, const struct request_order *rq,
    const struct flow_order_answer *a);

/* GET /payments, GET /refunds (events, as store_refunds lists them): a page, and the cursor of the
 * next one, NULL: there is none. As CSV: fcgi/csv.h. */
void reply_refunds(struct reply *r, const struct ledger_event *list, size_t n, const char *next);
void reply_payments(struct reply *r, const struct payment *list, const struct payment_life *lives,
    size_t n, const char *next);
/* GET /payments/{tid}: the payment and what became of it. False: it is none of the order's
 * attempts, and nothing was written. */
bool reply_payment(struct reply *r, const struct reply_to *to, const struct payment *p,
    const struct flow_order_answer *a);

/* GET /queue: list is the queue's own text, [{"start":MINUTE OF THE WEEK,"end":...,"state":...},
 * ...]. False: it is not. */
bool reply_held(struct reply *r, const struct reply_to *to, const char *list, size_t len);
