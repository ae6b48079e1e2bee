#include "config.h"

#include "flow/quit.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "flow/attempt.h"
#include "flow/inquiry.h"
#include "flow/record.h"
#include "money/order.h"

/* The caller waits for an answer that it could have at once, and the queue does not count this call
 * to KakaoPay: it is over before the queue grants the next one. */
enum { LOOK_MS = 900 };

static bool
is_granted(struct flow *f, const struct flow_call *c, uint64_t id)
{
	struct error err;
	bool granted;

	error_clear(&err);
	return queue_inquire(f->queue, id, c->deadline_boot_ms, &granted, &err) && granted;
}

/* KakaoPay's last word about the attempt. Anything but a clear end leaves it as it is. */
static bool
has_given_up(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    struct provider_answer *pa, char why[200])
{
	int64_t deadline_boot_ms = clock_boot_ms() + LOOK_MS;
	struct payment payment;
	enum flow_verdict v;

	if (deadline_boot_ms > c->deadline_boot_ms - FLOW_SPARE_MS)
		return false;
	v = flow_inquire(f, at, deadline_boot_ms, &payment, pa, why);
	log_event(LOG_LEVEL_INFO, "inquired", KV_STR("tid", at->of.tid), KV_STR("says", why));
	return v == FV_FAILED;
}

/* The ledger knows an attempt of which something was sent, and keeps why it ended. The hold is gone
 * by now, so no approve competes for the number. */
static void
note_quit(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    const struct provider_answer *pa, const char *why)
{
	struct flow_event e = {
		.n = (int64_t)at->chain->n + 1,
		.kind = LK_NOTE,
		.provider = pa,
		.reason = why,
	};
	enum store_put how;
	struct error err;

	error_clear(&err);
	if (!order_has_room(at->chain, LK_NOTE, NULL))
		return;
	if (!flow_put_event(f, c, at, &e, &how, &err))
		log_event(LOG_LEVEL_WARN, "note_left", KV_STR("tid", at->of.tid), KV_ERR(&err));
}

bool
flow_look_for_quit(struct flow *f, const struct flow_call *c, const struct queue_hold *h,
    const struct ledger_chain *chain)
{
	struct provider_answer pa = { 0 };
	struct flow_attempt at;
	struct queue_answer qa;
	struct error err;
	char why[200];

	error_clear(&err);
	if (flow_chain_has_unsettled_send(chain, h->tid) || !flow_attempt_of_hold(h, &at, &err) ||
	    !is_granted(f, c, h->id) || !has_given_up(f, c, &at, &pa, why))
		return false;
	if (!queue_remove(f->queue, h->id, false, 0, c->deadline_boot_ms, &qa, &err)) {
		log_event(LOG_LEVEL_WARN, "queue_not_told", KV_STR("tid", at.of.tid), KV_ERR(&err));
		return false;
	}
	if (qa.code != HA_OK)
		return true; /* an approve, or somebody's removal, came before */
	log_event(LOG_LEVEL_INFO, "given_up", KV_STR("tid", at.of.tid), KV_STR("says", why));
	at.chain = chain;
	if (h->token != 0)
		note_quit(f, c, &at, &pa, why);
	return true;
}
