/* payReady: may this user pay for this room at these times? Then hold it and open a KakaoPay payment.
 * Order of work: the queue decides and holds -> the order's chain in the ledger -> KakaoPay's ready -> the queue keeps tid and answer. */
#include "config.h"

#include <inttypes.h>
#include <json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "flow/common.h"
#include "json/write.h"

/* KakaoPay's URLs name the same page, each by the same long word: it is kept once. */
enum { PAGE_MIN = 32, PAGE_CAP = 129, PAGE_MARK = '*' };

/* The longest word of the URL, if it is long; "" where there is none, or where a URL holds the mark itself. */
static void
find_page(const struct provider_opened *o, char page[PAGE_CAP])
{
	const char *const urls[] = { o->next_redirect_pc_url, o->next_redirect_app_url, o->next_redirect_mobile_url, o->android_app_scheme, o->ios_app_scheme };
	size_t best = 0, len;

	page[0] = '\0';
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
		if (strchr(urls[i], PAGE_MARK) != NULL)
			return;
	for (const char *p = urls[0]; *p != '\0'; p += len + (p[len] != '\0')) {
		len = strspn(p, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
		if (len >= PAGE_MIN && len < PAGE_CAP && len > best) {
			best = len;
			memcpy(page, p, len);
			page[len] = '\0';
		}
	}
}

static void
add_url(struct buf *b, const char *name, const char *url, const char *page)
{
	struct buf shorter = BUF_INIT;
	const char *at;

	for (; page[0] != '\0' && (at = strstr(url, page)) != NULL; url = at + strlen(page)) {
		buf_add(&shorter, url, (size_t)(at - url));
		buf_add_char(&shorter, PAGE_MARK);
	}
	buf_add_str(&shorter, url);
	if (shorter.bad)
		b->bad = true;
	else
		json_add_str_member(b, name, buf_str(&shorter));
	buf_clear(&shorter);
}

/* What does not fit is cut: it was written from what fits. */
static void
read_url(const struct json_object *o, const char *name, const char *page, char *out, size_t cap)
{
	const char *kept = json_object_get_string(json_object_object_get(o, name));
	size_t n = 0;

	for (; kept != NULL && *kept != '\0'; kept++) {
		size_t len = page[0] != '\0' && *kept == PAGE_MARK ? strlen(page) : 1;

		if (n + len >= cap)
			break;
		memcpy(out + n, len > 1 ? page : kept, len);
		n += len;
	}
	out[n] = '\0';
}

/* The answer as the queue keeps it for replays. expiresAt must come out equal each time, so the distance of the two clocks is kept with it. */
static bool
keep_answer(const struct provider_opened *o, int64_t wall_offset_ms, char out[ANSWER_MAX], struct error *err)
{
	char page[PAGE_CAP];
	struct buf b;
	bool fits;

	buf_init(&b, ANSWER_MAX - 1);
	buf_add_char(&b, '{');
	json_add_str_member(&b, "tid", o->tid);
	find_page(o, page);
	json_add_str_member(&b, "page", page);
	add_url(&b, "app", o->next_redirect_app_url, page);
	add_url(&b, "mobile", o->next_redirect_mobile_url, page);
	add_url(&b, "pc", o->next_redirect_pc_url, page);
	add_url(&b, "android", o->android_app_scheme, page);
	add_url(&b, "ios", o->ios_app_scheme, page);
	json_add_int_member(&b, "created", o->created_at_ms);
	json_add_int_member(&b, "offset", wall_offset_ms);
	buf_add_char(&b, '}');
	fits = !b.bad;
	if (fits)
		memcpy(out, buf_str(&b), b.len + 1);
	buf_clear(&b);
	return fits || error_set(err, ERR_INTERNAL, "KakaoPay's ready answer is longer than %d bytes", ANSWER_MAX);
}

static void
read_text(const struct json_object *o, const char *name, char *out, size_t cap)
{
	snprintf(out, cap, "%s", json_object_get_string(json_object_object_get(o, name)));
}

static int64_t
read_number(const struct json_object *o, const char *name)
{
	return json_object_get_int64(json_object_object_get(o, name));
}

static bool
read_kept_answer(const struct queue_hold *h, struct flow_ready_answer *out, struct error *err)
{
	struct json_object *o = json_tokener_parse(h->answer);
	char page[PAGE_CAP];

	if (!json_object_is_type(o, json_type_object)) {
		json_object_put(o);
		return error_set(err, ERR_INTERNAL, "hold %" PRIu64 " has no answer to repeat", h->id);
	}
	read_text(o, "tid", out->opened.tid, sizeof(out->opened.tid));
	read_text(o, "page", page, sizeof(page));
	read_url(o, "app", page, out->opened.next_redirect_app_url, sizeof(out->opened.next_redirect_app_url));
	read_url(o, "mobile", page, out->opened.next_redirect_mobile_url, sizeof(out->opened.next_redirect_mobile_url));
	read_url(o, "pc", page, out->opened.next_redirect_pc_url, sizeof(out->opened.next_redirect_pc_url));
	read_url(o, "android", page, out->opened.android_app_scheme, sizeof(out->opened.android_app_scheme));
	read_url(o, "ios", page, out->opened.ios_app_scheme, sizeof(out->opened.ios_app_scheme));
	out->opened.created_at_ms = read_number(o, "created");
	out->expires_wall_ms = h->expires_boot_ms + read_number(o, "offset");
	out->expires_in_ms = h->expires_boot_ms - clock_boot_ms();
	json_object_put(o);
	return true;
}

static void
answer_ready(struct flow_answer *out, const struct queue_hold *h, bool replayed)
{
	struct error err;

	error_clear(&err);
	if (!read_kept_answer(h, &out->ready, &err)) {
		flow_answer_queue_error(out, FC_FALSE, &err);
		return;
	}
	flow_answer_set(out, FR_OK, FC_FALSE, 0);
	out->replayed = replayed;
}

/* Those that waited for our ready call get our answer when it fails: result, charged and Retry-After, read by the same build of this program. */
static void
format_failure(const struct flow_answer *a, char out[64])
{
	snprintf(out, 64, "%d %d %" PRId64, (int)a->result, (int)a->charged, a->retry_ms);
}

static bool
answer_leaders_failure(struct flow_answer *out, const char *failure)
{
	int result, charged;
	int64_t retry_ms;

	if (sscanf(failure, "%d %d %" SCNd64, &result, &charged, &retry_ms) != 3)
		return false;
	if (result <= FR_OK || result >= FR__MAX || charged < FC_ABSENT || charged > FC_UNKNOWN)
		return false;
	flow_answer_set(out, (enum flow_result)result, (enum flow_charged)charged, retry_ms);
	return true;
}

static void
give_up(struct flow *f, const struct flow_call *c, uint64_t id, bool paid, const struct flow_answer *out)
{
	char failure[64];
	struct error err;

	error_clear(&err);
	format_failure(out, failure);
	if (!queue_fail(f->queue, id, paid, failure, c->deadline_boot_ms, &err))	/* the hold then expires by itself */
		log_event(LOG_LEVEL_WARN, "queue_not_told", KV_STR("outcome", "ready_failed"), KV_INT("hold", id), KV_ERR(&err));
}

/* Nothing may be opened for an order that is captured, or may be, as far as the ledger knows. */
static bool
ledger_allows(struct flow *f, const struct flow_call *c, const struct attempt *a, int64_t last_n, bool *paid, struct flow_answer *out)
{
	struct ledger_chain chain = { 0 };
	struct order_state st;
	struct error err;
	bool allowed = false;

	error_clear(&err);
	*paid = false;
	if (!store_ledger_chain(f->store, a->cid, a->partner_order_id, &chain, c->deadline_boot_ms - FLOW_SPARE_MS, &err) ||
	    !order_state(&chain, NULL, &st, &err)) {
		flow_answer_store_error(out, FC_UNKNOWN, &err);
	} else if (st.captured != NULL) {
		*paid = true;
		flow_answer_set(out, FR_ORDER_PAID, FC_TRUE, 0);
	} else if ((int64_t)chain.n < last_n) {
		flow_answer_set(out, FR_STORE_UNAVAILABLE, FC_UNKNOWN, FLOW_RETRY_MS);
		snprintf(out->detail, sizeof(out->detail), "the order's ledger ends at %zu, the queue remembers %" PRId64 ": an older database?", chain.n, last_n);
	} else if (!order_may_begin(&chain, NULL)) {
		flow_answer_set(out, FR_IN_PROGRESS, FC_UNKNOWN, FLOW_RETRY_MS);
	} else if (!order_has_room(&chain, LK_APPROVING, NULL)) {	/* nothing of it could be approved */
		flow_answer_set(out, FR_TOO_MANY_REQUESTS, FC_ABSENT, FLOW_FULL_RETRY_MS);
		snprintf(out->detail, sizeof(out->detail), "the order has %zu ledger events: the site must use another partner_order_id", chain.n);
	} else {
		allowed = true;
	}
	ledger_chain_clear(&chain);
	return allowed;
}

static bool
open_payment(struct flow *f, const struct flow_call *c, const struct flow_ready_request *rq, struct provider_opened *opened, struct flow_answer *out)
{
	enum provider_outcome o;
	struct error err;

	error_clear(&err);
	if (!provider_ready(f->provider, &rq->ready, c->deadline_boot_ms - FLOW_SPARE_MS, &o, opened, &out->provider, &err)) {
		flow_answer_set(out, FR_INTERNAL, FC_FALSE, 0);
		snprintf(out->detail, sizeof(out->detail), "%s", err.msg);
		return false;
	}
	out->has_provider = out->provider.http != 0;
	if (o == PO_OK)
		return true;
	/* A tid that we do not know can never be approved: whatever happened, nothing was charged by it and nothing will be. */
	flow_answer_set(out, o == PO_NOT_SENT ? FR_PROVIDER_UNREACHABLE : FR_PROVIDER_ERROR, FC_FALSE, 0);
	snprintf(out->detail, sizeof(out->detail), "ready: %s, http %d, code %" PRId64, provider_outcome_name(o), out->provider.http, out->provider.code);
	return false;
}

/*
 * Nothing comes of our ready call; the ledger knew of no capture before it. But the attempt that it was to replace may have been approved meanwhile: what the
 * queue now knows of the order.
 */
static enum flow_charged
charged_meanwhile(struct flow *f, const struct flow_call *c, const struct attempt *a)
{
	struct queue_answer qa;

	if (!queue_find_order(f->queue, a->cid, a->partner_order_id, c->deadline_boot_ms, &qa, NULL))
		return FC_UNKNOWN;
	if (qa.code == HA_ORDER_PAID || (qa.code == HA_OK && qa.hold.state == HOLD_APPROVED))
		return FC_TRUE;
	if (qa.code != HA_OK)
		return FC_FALSE;
	switch (qa.hold.state) {
	case HOLD_HELD:
	case HOLD_READY:
	case HOLD_EXPIRED:
	case HOLD_DECLINED:
		return FC_FALSE;
	default:		/* one that was never approving was never charged; of the others the ledger would have to tell */
		return qa.hold.token == 0 ? FC_FALSE : FC_UNKNOWN;
	}
}

/* We hold the time: look into the ledger, ask KakaoPay, tell the queue. */
static void
open_held(struct flow *f, const struct flow_call *c, const struct flow_ready_request *rq, struct queue_answer *qa, struct flow_answer *out)
{
	uint64_t id = qa->hold.id;
	struct provider_opened opened = { 0 };
	char kept[ANSWER_MAX];
	struct error err;
	struct now now;
	bool paid = false;

	error_clear(&err);
	if (!ledger_allows(f, c, &rq->attempt, qa->hold.last_n, &paid, out)) {
		give_up(f, c, id, paid, out);
		return;
	}
	if (!open_payment(f, c, rq, &opened, out)) {
		out->charged = charged_meanwhile(f, c, &rq->attempt);
		give_up(f, c, id, false, out);
		return;
	}
	now = clock_now();
	if (!keep_answer(&opened, now.wall_ms - now.boot_ms, kept, &err)) {
		flow_answer_queue_error(out, charged_meanwhile(f, c, &rq->attempt), &err);
		give_up(f, c, id, false, out);
		return;
	}
	if (!queue_ready(f->queue, id, opened.tid, kept, c->deadline_boot_ms, qa, &err))
		flow_answer_queue_error(out, charged_meanwhile(f, c, &rq->attempt), &err);
	else if (qa->code == HA_OK)
		answer_ready(out, &qa->hold, false);
	else
		flow_answer_refusal(out, qa, charged_meanwhile(f, c, &rq->attempt));
}

/* Of the order's attempts, as far as the hold in the way tells. */
static enum flow_charged
charged_by(const struct queue_answer *qa, const struct attempt *a)
{
	const struct queue_hold *h = &qa->hold;
	bool own = h->id != 0 && strcmp(h->cid, a->cid) == 0 && strcmp(h->order, a->partner_order_id) == 0;

	if (qa->code == HA_ORDER_PAID)
		return FC_TRUE;
	if (qa->code == HA_IN_PROGRESS && (!own || (h->state != HOLD_HELD && h->state != HOLD_READY)))
		return FC_UNKNOWN;
	return FC_FALSE;
}

/*
 * With its intervals: should the queue's journal be lost, its hold is made again from what the ledger keeps. Without what the queue keeps of every hold. bad: it would not
 * fit, also whole.
 */
static void
format_attempt(const struct flow_ready_request *rq, struct buf *out)
{
	struct attempt a = rq->attempt;
	struct buf set;

	buf_init(&set, sizeof(a.intervals) - 1);
	interval_set_format(&rq->set, &set);
	if (set.bad)
		out->bad = true;
	else
		memcpy(a.intervals, buf_str(&set), set.len + 1);
	attempt_format(&a, out);
	if (!out->bad) {
		buf_reset(out);
		attempt_format_short(&a, out);
	}
	buf_clear(&set);
}

void
flow_ready(struct flow *f, const struct flow_call *c, const struct flow_ready_request *rq, struct flow_answer *out)
{
	const struct conf_merchant *m = conf_merchant(f->conf, rq->attempt.cid);
	struct hold_request hr = { .cid = rq->attempt.cid, .order = rq->attempt.partner_order_id, .user = rq->attempt.user_id, .room = rq->attempt.room_id,
		.set = rq->set, .fingerprint = rq->fingerprint };
	struct queue_answer qa;
	struct error err;
	struct buf attempt;

	flow_answer_begin(out);
	error_clear(&err);
	if (f->gate != FR_OK) {
		flow_answer_set(out, f->gate, FC_UNKNOWN, FLOW_RETRY_MS);
		return;
	}
	buf_init(&attempt, ATTEMPT_MAX - 1);
	format_attempt(rq, &attempt);
	if (m == NULL || attempt.bad) {
		snprintf(out->detail, sizeof(out->detail), m == NULL ? "cid without a merchant" : "an attempt longer than %d bytes", ATTEMPT_MAX);
		buf_clear(&attempt);
		return;
	}
	hr.attempt = buf_str(&attempt);
	hr.ttl_ms = m->hold_ttl_ms;
	hr.call_ms = c->deadline_boot_ms - clock_boot_ms();
	if (!queue_hold(f->queue, &hr, c->deadline_boot_ms - FLOW_SPARE_MS, &qa, &err))
		flow_answer_queue_error(out, FC_UNKNOWN, &err);
	else if (qa.code == HA_OK)
		open_held(f, c, rq, &qa, out);
	else if (qa.code == HA_REPLAY)
		answer_ready(out, &qa.hold, true);
	else if (qa.failure[0] == '\0' || !answer_leaders_failure(out, qa.failure))
		flow_answer_refusal(out, &qa, charged_by(&qa, &rq->attempt));
	buf_clear(&attempt);
}
