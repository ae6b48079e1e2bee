#include "config.h"

#include "flow/attempt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

bool
flow_attempt_of_text(const char *text, const char *cid, const char *order, const char *user, const char *room, const char *tid, struct flow_attempt *out, struct error *err)
{
	struct attempt *a = &out->a;
	struct buf json;
	bool fits;

	memset(out, 0, sizeof(*out));
	if (!attempt_parse(text, a, err))
		return false;
	snprintf(a->cid, sizeof(a->cid), "%s", cid);
	snprintf(a->partner_order_id, sizeof(a->partner_order_id), "%s", order);
	snprintf(a->user_id, sizeof(a->user_id), "%s", user);
	snprintf(a->room_id, sizeof(a->room_id), "%s", room);
	snprintf(out->tid, sizeof(out->tid), "%s", tid);
	buf_init(&json, sizeof(out->json) - 1);
	attempt_format(a, &json);
	fits = !json.bad;
	if (fits)
		memcpy(out->json, buf_str(&json), json.len + 1);
	buf_clear(&json);
	return fits || error_set(err, ERR_INTERNAL, "the attempt is longer than %d bytes", ATTEMPT_MAX);
}

bool
flow_attempt_of_hold(const struct queue_hold *h, struct flow_attempt *out, struct error *err)
{
	if (!flow_attempt_of_text(h->attempt, h->cid, h->order, h->user, h->room, h->tid, out, err))
		return error_wrap(err, "hold %" PRIu64, h->id);
	out->hold_id = h->id;
	out->token = h->token;
	out->window_boot_ms = h->window_boot_ms;
	return true;
}

bool
flow_attempt_of_chain(const struct ledger_chain *c, const char *tid, struct flow_attempt *out, struct error *err)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = c->n; i-- > 0;) {
		const struct ledger_event *e = &c->ev[i];

		if (strcmp(e->tid, tid) != 0 || e->attempt == NULL)
			continue;
		if (!attempt_parse(e->attempt, &out->a, err))
			return error_wrap(err, "order#%" PRId64, e->n);
		snprintf(out->json, sizeof(out->json), "%s", e->attempt);
		snprintf(out->tid, sizeof(out->tid), "%s", tid);
		out->chain = c;
		return true;
	}
	return error_set(err, ERR_NOT_FOUND, "the chain does not speak of this tid");
}

bool
flow_chain_has_unsettled_send(const struct ledger_chain *c, const char *tid)
{
	bool open = false, unsettled = false;

	for (size_t i = 0; i < c->n; i++) {
		const struct ledger_event *e = &c->ev[i];

		if (strcmp(e->tid, tid) != 0)
			continue;
		switch (e->kind) {
		case LK_APPROVING:
			unsettled = unsettled || open;	/* the one before has no end */
			open = true;
			break;
		case LK_REFUSED:
		case LK_NOT_EXECUTED:
			open = false;
			break;
		case LK_UNKNOWN:
		case LK_REVIEW:
			open = false;
			unsettled = true;
			break;
		default:
			break;
		}
	}
	return unsettled || open;
}
