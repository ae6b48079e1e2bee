#include "config.h"

#include "flow/attempt.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

/* The other way round: who keeps the names beside the attempt's text gives them to it. */
static void
name_attempt(struct attempt *a, const struct subject *of)
{
	memcpy(a->cid, of->cid, sizeof(a->cid));
	memcpy(a->partner_order_id, of->order, sizeof(a->partner_order_id));
	memcpy(a->user_id, of->user, sizeof(a->user_id));
	memcpy(a->room_id, of->room, sizeof(a->room_id));
}

bool
flow_attempt_of_text(const char *text, const struct subject *of, struct flow_attempt *out,
    struct error *err)
{
	struct buf json;
	bool fits;

	memset(out, 0, sizeof(*out));
	if (!attempt_parse(text, &out->a, err))
		return false;
	out->of = *of;
	name_attempt(&out->a, of);
	buf_init(&json, sizeof(out->json) - 1);
	attempt_format(&out->a, &json);
	fits = !json.bad;
	if (fits)
		memcpy(out->json, buf_str(&json), json.len + 1);
	buf_clear(&json);
	return fits ||
	    error_set(err, ERR_INTERNAL, "the attempt is longer than %d bytes", ATTEMPT_MAX);
}

struct subject
flow_subject_of_hold(const struct queue_hold *h)
{
	struct subject of = { "" };

	text_copy(of.cid, sizeof(of.cid), h->cid);
	text_copy(of.order, sizeof(of.order), h->order);
	text_copy(of.user, sizeof(of.user), h->user);
	text_copy(of.room, sizeof(of.room), h->room);
	text_copy(of.tid, sizeof(of.tid), h->tid);
	return of;
}

bool
flow_attempt_of_hold(const struct queue_hold *h, struct flow_attempt *out, struct error *err)
{
	struct subject of = flow_subject_of_hold(h);

	if (!flow_attempt_of_text(h->attempt, &of, out, err))
		return error_wrap(err, "hold %" PRIu64, h->id);
	out->hold_id = h->id;
	out->token = h->token;
	out->window_boot_ms = h->window_boot_ms;
	return true;
}

static struct subject
subject_of_attempt(const struct attempt *a, const char *tid)
{
	struct subject of = { "" };

	memcpy(of.cid, a->cid, sizeof(of.cid));
	memcpy(of.order, a->partner_order_id, sizeof(of.order));
	memcpy(of.user, a->user_id, sizeof(of.user));
	memcpy(of.room, a->room_id, sizeof(of.room));
	text_copy(of.tid, sizeof(of.tid), tid);
	return of;
}

bool
flow_attempt_of_chain(const struct ledger_chain *c, const char *tid, struct flow_attempt *out,
    struct error *err)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = c->n; i-- > 0;) {
		const struct ledger_event *e = &c->ev[i];

		if (strcmp(e->tid, tid) != 0 || e->attempt == NULL || e->attempt[0] == '\0')
			continue;
		if (!attempt_parse(e->attempt, &out->a, err))
			return error_wrap(err, "order#%" PRId64, e->n);
		text_copy(out->json, sizeof(out->json), e->attempt);
		out->of = subject_of_attempt(&out->a, tid);
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
			unsettled = unsettled || open; /* the one before has no end */
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
