/* Bodies become typed structs, or a list of every field that is wrong. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "fcgi/verdict.h"
#include "flow/flow.h"
#include "json/field.h"
#include "site/conf.h"

struct json_object;

enum { REQUEST_MAX = 16 * 1024 }; /* bytes of a body */

/* POST /payReady. It is large, and may be used again without being zeroed. */
struct request_ready {
	struct flow_ready_request rq;
	struct json_object *tree; /* rq.ready.user_token points into it */
	/* while it is being read */
	const struct json_object *user_info, *payment_info, *reservation_info, *cards, *custom,
	    *token;
	char top_user[USER_CAP]; /* userId beside userInfo */
};
/* *out is complete only with REQUEST_OK. Whether the merchant exists, and may be used by this
 * caller, is for the handler to ask. Call request_ready_clear in every case. */
enum request_verdict request_read_ready(const struct conf *conf, const char *body, size_t len,
    struct request_ready *out, struct field_errors *errors, struct error *err);
void request_ready_clear(struct request_ready *r);
/* Walks the rules of paymentInfo, for tests. NULL after the last. */
const struct field_rule *request_ready_rule(size_t i);

struct request_approve { /* POST /approvePayment */
	char pg_token[101];
	char user_id[USER_CAP];
	char room_id[ROOM_CAP];
};
enum request_verdict request_read_approve(const char *body, size_t len, struct request_approve *out,
    struct field_errors *errors, struct error *err);

struct request_remove { /* POST /removePaymentInQueue */
	char user_id[USER_CAP];
	char room_id[ROOM_CAP];
	char tid[TID_CAP]; /* "": not given */
};
enum request_verdict request_read_remove(const char *body, size_t len, struct request_remove *out,
    struct field_errors *errors, struct error *err);

/* POST /cancelPayment. The flow checks what depends on the payment. */
enum request_verdict request_read_refund(const char *body, size_t len,
    struct flow_refund_request *out, struct field_errors *errors, struct error *err);

struct request_order { /* GET /orders */
	char cid[CID_CAP], order[ORDER_CAP];
};
enum request_verdict request_read_order(const char *query, struct request_order *out,
    struct field_errors *errors);

struct request_history {	/* GET /payments, GET /payments/{tid} */
	struct store_history h; /* cids: the handler's to fill */
	char cid[CID_CAP];	/* "": any of the caller's */
};
enum { HISTORY_LIMIT = 50, HISTORY_LIMIT_MAX = 100 };
/* needs_owner: userId or partner_order_id is required. pages: from, to, roomId, cursor and limit
 * are allowed, too. */
enum request_verdict request_read_history(const char *query, bool needs_owner, bool pages,
    struct request_history *out, struct field_errors *errors);
/* The cursor of the page that follows this payment. */
void request_cursor(int64_t last_at_ms, const char *last_tid, struct buf *out);

bool request_parse_cursor(const char *text, struct store_mark *out);

/* What the console's requests are read with, too (console_request.c). A body that is one flat
 * object, and a query string; what is absent keeps the value that it has in *form. */
enum request_verdict request_read_flat(const char *body, size_t len, const struct field_rule *rules,
    size_t n_rules, void *form, struct field_errors *errors, struct error *err);
enum request_verdict request_read_query(const char *query, const struct field_rule *rules,
    size_t n_rules, void *form, struct field_errors *errors);
enum field_code request_check_when(const char *text, const void *ctx);
enum field_code request_check_limit(const char *text, const void *ctx);
enum field_code request_check_cursor(const char *text, const void *ctx);

/* Reads "roomId=...", the only parameter. */
enum request_verdict request_read_room(const char *query, char room_id[ROOM_CAP],
    struct field_errors *errors);
