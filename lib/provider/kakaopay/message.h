/* KakaoPay's bodies as structs, in both generations of its API. No I/O. The reasons stand in
 * doc/kakaopay.md. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "provider/provider.h"
#include "site/conf.h"

enum message_call { MC_READY, MC_APPROVE, MC_ORDER, MC_CANCEL, MC__MAX };
enum {
	MESSAGE_BODY_MAX = 32 * 1024
}; /* no request is longer, also when each byte is written as %XX */

const char *message_call_name(enum message_call call);

enum provider_status kakaopay_status_of(const char *word); /* PS_STRANGE: a new word */
enum { KAKAOPAY_WINDOW_OVER = -723 };			   /* the code of a refusal */

/* secret_key speaks the current API (JSON), the other modes the legacy one (form). */
const char *message_path(enum conf_mode mode, enum message_call call);
const char *message_content_type(enum conf_mode mode);

/* Requests, added to *body. cid_secret: NULL where the merchant has none. out->bad: no memory. */
void message_ready_format(enum conf_mode mode, const struct provider_ready *rq,
    const char *cid_secret, struct buf *body);
void message_approve_format(enum conf_mode mode, const struct provider_approve *rq,
    const char *cid_secret, struct buf *body);
void message_order_format(enum conf_mode mode, const char *cid, const char *tid,
    const char *cid_secret, struct buf *body);
void message_cancel_format(enum conf_mode mode, const struct provider_cancel *rq,
    const char *cid_secret, struct buf *body);

/* Answers with status 200: false where the text is not strict JSON, lacks what a payment cannot do
 * without, or speaks of another tid or cid: then it tells nothing. Members that no document names
 * are passed over. On false *out is not to be used. */
bool message_ready_parse(const char *text, size_t len, bool loopback,
    struct provider_opened *out); /* loopback: redirect URLs may be http://127.0.0.1... */
bool message_approve_parse(const char *text, size_t len, const char *cid, const char *tid,
    struct payment *out); /* user_id "" */
bool message_order_parse(const char *text, size_t len, const char *cid, const char *tid,
    struct provider_order *out);
bool message_cancel_parse(const char *text, size_t len, const char *cid, const char *tid,
    struct provider_canceled *out);

/* KakaoPay's own error body in either shape: code (negative), message, extras.method_result_code.
 * pa->http is left alone; false: not KakaoPay's, *pa is unchanged. */
bool message_error_parse(const char *text, size_t len, struct provider_answer *pa);

/* What may stand in a header: 1 or more of [A-Za-z0-9._~+/=-]. */
bool message_is_token(const char *text);
