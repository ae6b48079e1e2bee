#include "config.h"

#include "provider/kakaopay/kakaopay.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/guard.h"
#include "base/log.h"
#include "provider/kakaopay/exchange.h"
#include "provider/kakaopay/message.h"
#include "provider/kakaopay/outcome.h"
#include "site/metrics.h"

enum { AUTH_CAP = 4096 + 32, URL_CAP = CONF_TEXT_CAP + 64, GUARD_AFTER_MS = 1000 };

struct kakaopay {
	struct provider provider; /* first: a provider is its kakaopay */
	const struct conf *conf;
	struct exchange *exchange;
	struct buf body; /* of requests: grown once, so that no copy of a pg_token is left behind,
			    and wiped after each call */
	struct exchange_reply reply;
};

static bool
check_merchants(const struct conf *conf, struct error *err)
{
	for (size_t i = 0; i < conf->n_merchants; i++) {
		const struct conf_merchant *m = &conf->merchants[i];

		if (!secret_is_token(&m->key))
			return error_set(err, ERR_INPUT, "merchant %s: key_file holds no key",
			    m->cid);
		if (secret_is_set(&m->cid_secret) && !secret_is_token(&m->cid_secret))
			return error_set(err, ERR_INPUT,
			    "merchant %s: cid_secret_file holds no cid_secret", m->cid);
		if (strncmp(m->base_url, "https://", 8) != 0 && !conf_is_loopback(m->base_url))
			return error_set(err, ERR_INPUT,
			    "merchant %s: base_url is neither https nor http to a loopback address",
			    m->cid);
	}
	return true;
}

static const struct provider_calls calls;

static void
end_kakaopay(struct provider *p)
{
	struct kakaopay *k = (struct kakaopay *)p;

	exchange_free(&k->exchange);
	buf_clear(&k->body);
	buf_clear(&k->reply.body);
	free(k);
}

struct provider *
kakaopay_new(const struct conf *conf, struct error *err)
{
	static const char zeros[MESSAGE_BODY_MAX];
	struct kakaopay *k;

	if (!check_merchants(conf, err))
		return NULL;
	k = calloc(1, sizeof(*k));
	if (k == NULL) {
		error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	k->provider.calls = &calls;
	k->conf = conf;
	buf_init(&k->body, MESSAGE_BODY_MAX);
	buf_add(&k->body, zeros, sizeof(zeros));
	k->exchange = exchange_new(err);
	if (k->exchange != NULL && !k->body.bad)
		return &k->provider;
	if (k->exchange != NULL)
		error_set(err, ERR_INTERNAL, "out of memory");
	end_kakaopay(&k->provider);
	return NULL;
}

/* One call: what it needs, and what came of it. */
struct call {
	struct kakaopay *k;
	enum message_call kind;
	const struct conf_merchant *merchant;
	const char *cid_secret;
	const char *user_token; /* ready in mode user_token; NULL: the merchant's key */
	int64_t deadline_boot_ms;
	int64_t window_boot_ms; /* INT64_MAX: no window */
	bool guarded;		/* moves money: a fresh connection, and the kernel's timer */
};

static bool
begin(struct call *c, struct kakaopay *k, enum message_call kind, const char *cid,
    int64_t deadline_boot_ms, enum provider_outcome *o, struct provider_answer *pa,
    struct error *err)
{
	*o = PO_NOT_SENT;
	memset(pa, 0, sizeof(*pa));
	*c = (struct call){ .k = k,
		.kind = kind,
		.deadline_boot_ms = deadline_boot_ms,
		.window_boot_ms = INT64_MAX,
		.guarded = kind == MC_APPROVE || kind == MC_CANCEL };
	c->merchant = conf_merchant(k->conf, cid);
	if (c->merchant == NULL)
		return error_set(err, ERR_INPUT, "no merchant has this cid");
	c->cid_secret =
	    secret_is_set(&c->merchant->cid_secret) ? c->merchant->cid_secret.text : NULL;
	buf_reset(&k->body);
	return true;
}

static bool
format_authorization(const struct call *c, char out[AUTH_CAP], struct error *err)
{
	static const char *const schemes[] = { [MODE_SECRET_KEY] = "SECRET_KEY",
		[MODE_ADMIN_KEY] = "KakaoAK",
		[MODE_USER_TOKEN] = "KakaoAK" };
	const char *scheme = schemes[c->merchant->mode], *token = c->merchant->key.text;
	int n;

	if (c->merchant->mode == MODE_USER_TOKEN && c->kind == MC_READY) {
		scheme = "Bearer";
		token = c->user_token == NULL ? "" : c->user_token;
	}
	if (!message_is_token(token))
		return error_set(err, ERR_INPUT,
		    "the access token is missing or has a character that cannot stand in a header");
	n = snprintf(out, AUTH_CAP, "%s %s", scheme, token);
	return (n > 0 && n < AUTH_CAP) || error_set(err, ERR_INPUT, "the access token is too long");
}

/* The moment after which nothing may be sent: the guard is armed before the clock is looked at for
 * the last time. */
static bool
run_guarded(struct call *c, const struct exchange_request *rq, struct error *err)
{
	struct exchange_reply *reply = &c->k->reply;
	int64_t now = clock_boot_ms();
	bool ran = true;

	if (now < c->deadline_boot_ms && now < c->window_boot_ms) { /* else the guard would end us
								       at once */
		if (!guard_arm(c->deadline_boot_ms + GUARD_AFTER_MS, err))
			return false;
		now = clock_boot_ms();
	}
	if (now >= c->deadline_boot_ms || now >= c->window_boot_ms) {
		buf_clear(&reply->body);
		*reply = (struct exchange_reply){ .sent = EXCHANGE_NOT_SENT,
			.trouble = "the deadline or the window is over" };
	} else
		ran = exchange_run(c->k->exchange, rq, reply, err);
	guard_disarm();
	return ran;
}

static bool
send_request(struct call *c, struct error *err)
{
	char url[URL_CAP], authorization[AUTH_CAP];
	struct exchange_request rq = { .url = url,
		.authorization = authorization,
		.content_type = message_content_type(c->merchant->mode),
		.body = buf_str(&c->k->body),
		.len = c->k->body.len,
		.plain_http = conf_is_loopback(c->merchant->base_url),
		.fresh = c->guarded,
		.deadline_boot_ms = c->deadline_boot_ms };
	bool ran = false;

	authorization[0] = '\0';
	if (c->k->body.bad)
		error_set(err, ERR_INPUT, "the request is longer than %d bytes", MESSAGE_BODY_MAX);
	else if (format_authorization(c, authorization, err)) {
		snprintf(url, sizeof(url), "%s%s", c->merchant->base_url,
		    message_path(c->merchant->mode, c->kind));
		ran = c->guarded ? run_guarded(c, &rq, err)
				 : exchange_run(c->k->exchange, &rq, &c->k->reply, err);
	}
	/* What was written of them: both were clean before, and the whole body would be 64 KiB.
	 * Behind the end of a body that is too long there may be more. */
	secret_wipe(authorization, strlen(authorization));
	secret_wipe(c->k->body.data, c->k->body.bad ? c->k->body.cap : c->k->body.len);
	return ran;
}

/* What the reply is before its body is read as an answer: PO_OK stands for "status 200, complete".
 */
static enum provider_outcome
classify(const struct call *c, struct provider_answer *pa)
{
	const struct exchange_reply *r = &c->k->reply;

	*pa = (struct provider_answer){ .http = r->status };
	if (!r->complete)
		return r->sent == EXCHANGE_NOT_SENT ? PO_NOT_SENT : PO_UNKNOWN;
	if (r->status == 200)
		return PO_OK;
	message_error_parse(buf_str(&r->body), r->body.len, pa);
	return outcome_of(c->kind, r->status, pa->code);
}

static bool
call(struct call *c, enum provider_outcome *o, struct provider_answer *pa, struct error *err)
{
	if (!send_request(c, err))
		return error_wrap(err, "%s", message_call_name(c->kind));
	*o = classify(c, pa);
	return true;
}

/* Told once for each call; never the body, the tid's owner or a key. */
static void
log_call(const struct call *c, int64_t began_boot_ms, enum provider_outcome o,
    const struct provider_answer *pa)
{
	const char *trouble = c->k->reply.trouble;
	int64_t ms = clock_boot_ms() - began_boot_ms;

	metrics_count(METRIC_PROVIDER_CALLS, message_call_name(c->kind), provider_outcome_name(o));
	metrics_observe_ms(METRIC_PROVIDER_SECONDS, message_call_name(c->kind), ms);
	log_event(o == PO_OK ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "kakaopay",
	    KV_STR("call", message_call_name(c->kind)), KV_STR("cid", c->merchant->cid),
	    KV_STR("outcome", provider_outcome_name(o)), KV_INT("http", pa->http),
	    KV_INT("code", pa->code), KV_INT("ms", ms),
	    KV_STR("trouble", trouble == NULL ? "" : trouble));
}

static bool
call_ready(struct provider *p, const struct provider_ready *rq, int64_t deadline_boot_ms,
    enum provider_outcome *o, struct provider_opened *out, struct provider_answer *pa,
    struct error *err)
{
	struct kakaopay *k = (struct kakaopay *)p;
	int64_t began = clock_boot_ms();
	struct call c;

	if (!begin(&c, k, MC_READY, rq->cid, deadline_boot_ms, o, pa, err))
		return false;
	c.user_token = rq->user_token;
	message_ready_format(c.merchant->mode, rq, c.cid_secret, &k->body);
	if (!call(&c, o, pa, err))
		return false;
	if (*o == PO_OK &&
	    !message_ready_parse(buf_str(&k->reply.body), k->reply.body.len,
		conf_is_loopback(c.merchant->base_url), out))
		*o = PO_UNKNOWN;
	if (*o == PO_OK && out->created_at_ms == 0)
		out->created_at_ms = clock_wall_ms();
	if (k->reply.body.data != NULL)
		secret_wipe(k->reply.body.data, k->reply.body.cap); /* redirect URLs are the user's
								       way to pay */
	log_call(&c, began, *o, pa);
	return true;
}

static bool
call_approve(struct provider *p, const struct provider_approve *rq, int64_t deadline_boot_ms,
    enum provider_outcome *o, struct payment *out, struct provider_answer *pa, struct error *err)
{
	struct kakaopay *k = (struct kakaopay *)p;
	int64_t began = clock_boot_ms();
	struct call c;

	if (!begin(&c, k, MC_APPROVE, rq->cid, deadline_boot_ms, o, pa, err))
		return false;
	c.window_boot_ms = rq->window_boot_ms;
	message_approve_format(c.merchant->mode, rq, c.cid_secret, &k->body);
	if (!call(&c, o, pa, err))
		return false;
	if (*o == PO_OK &&
	    !message_approve_parse(buf_str(&k->reply.body), k->reply.body.len, rq->cid, rq->tid,
		out))
		*o = PO_UNKNOWN;
	log_call(&c, began, *o, pa);
	return true;
}

static bool
call_order(struct provider *p, const char *cid, const char *tid, int64_t deadline_boot_ms,
    enum provider_outcome *o, struct provider_order *out, struct provider_answer *pa,
    struct error *err)
{
	struct kakaopay *k = (struct kakaopay *)p;
	int64_t began = clock_boot_ms();
	struct call c;

	if (!begin(&c, k, MC_ORDER, cid, deadline_boot_ms, o, pa, err))
		return false;
	message_order_format(c.merchant->mode, cid, tid, c.cid_secret, &k->body);
	if (!call(&c, o, pa, err))
		return false;
	if (*o == PO_OK &&
	    !message_order_parse(buf_str(&k->reply.body), k->reply.body.len, cid, tid, out))
		*o = PO_UNKNOWN;
	log_call(&c, began, *o, pa);
	return true;
}

static bool
call_cancel(struct provider *p, const struct provider_cancel *rq, int64_t deadline_boot_ms,
    enum provider_outcome *o, struct provider_canceled *out, struct provider_answer *pa,
    struct error *err)
{
	struct kakaopay *k = (struct kakaopay *)p;
	int64_t began = clock_boot_ms();
	struct call c;

	if (!begin(&c, k, MC_CANCEL, rq->cid, deadline_boot_ms, o, pa, err))
		return false;
	message_cancel_format(c.merchant->mode, rq, c.cid_secret, &k->body);
	if (!call(&c, o, pa, err))
		return false;
	if (*o == PO_OK &&
	    !message_cancel_parse(buf_str(&k->reply.body), k->reply.body.len, rq->cid, rq->tid,
		out))
		*o = PO_UNKNOWN;
	log_call(&c, began, *o, pa);
	return true;
}

static const struct provider_calls calls = { call_ready, call_approve, call_order, call_cancel,
	end_kakaopay };
