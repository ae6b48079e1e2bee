#include "config.h"

#include "flow/record.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text.h"

bool
flow_make_event(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    const struct flow_event *what, struct ledger_event *out, struct error *err)
{
	struct now now = clock_now();
	struct ledger_event e = { .n = what->n,
		.kind = what->kind,
		.at_ms = now.wall_ms,
		.token = (int64_t)at->token };

	memset(out, 0, sizeof(*out));
	if (!random_hex(e.nonce, (NONCE_CAP - 1) / 2, err))
		return false;
	text_copy(e.cid, sizeof(e.cid), at->of.cid);
	text_copy(e.partner_order_id, sizeof(e.partner_order_id), at->of.order);
	text_copy(e.user_id, sizeof(e.user_id), at->of.user);
	text_copy(e.room_id, sizeof(e.room_id), at->of.room);
	text_copy(e.request_id, sizeof(e.request_id), c->request_id);
	text_copy(e.by, sizeof(e.by), f->program);
	text_copy(e.who, sizeof(e.who), c->who != NULL ? c->who : f->who != NULL ? f->who : "");
	text_copy(e.tid, sizeof(e.tid), at->of.tid);
	if (what->key != NULL)
		text_copy(e.key, sizeof(e.key), what->key);
	if (what->deadline_boot_ms != 0)
		e.deadline_ms = now.wall_ms + what->deadline_boot_ms - now.boot_ms;
	if (at->window_boot_ms != 0)
		e.window_ms = now.wall_ms + at->window_boot_ms - now.boot_ms;
	if (what->payment != NULL) {
		e.has_payment = true;
		e.payment = *what->payment;
	}
	if (what->provider != NULL)
		e.provider = *what->provider;
	if (what->refund != NULL) {
		e.has_refund = true;
		e.refund = *what->refund;
	}
	if (what->reason != NULL)
		text_copy(e.reason, sizeof(e.reason), what->reason);
	e.attempt = strdup(at->json);
	if (e.attempt == NULL)
		return error_set(err, ERR_INTERNAL, "out of memory");
	*out = e;
	return true;
}

void
flow_log_event(const struct ledger_event *e)
{
	log_event(LOG_LEVEL_INFO, "ledger", KV_STR("order", e->partner_order_id), KV_INT("n", e->n),
	    KV_STR("kind", ledger_kind_name(e->kind)));
}

bool
flow_put_event(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    const struct flow_event *what, enum store_put *how, struct error *err)
{
	struct ledger_event e;
	bool done = flow_make_event(f, c, at, what, &e, err) &&
	    store_ledger_put(f->store, &e, how, c->deadline_boot_ms, err);

	if (done && *how == STORE_OURS)
		flow_log_event(&e);
	ledger_event_clear(&e);
	return done || error_wrap(err, "%s", ledger_kind_name(what->kind));
}

void
flow_make_work(const struct flow_call *c, const struct flow_attempt *at, struct store_work *out)
{
	struct now now = clock_now();

	*out = (struct store_work){ .of = at->of,
		.n = at->n,
		.at_ms = now.wall_ms,
		.hold_id = at->hold_id,
		.deadline_ms = now.wall_ms + c->deadline_boot_ms - now.boot_ms };
}

bool
flow_put_work(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    struct error *err)
{
	struct store_work work;

	flow_make_work(c, at, &work);
	return store_work_put(f->store, &work, c->deadline_boot_ms, err);
}

bool
flow_drop_work(struct flow *f, const struct flow_call *c, const struct flow_attempt *at,
    struct error *err)
{
	for (size_t i = 0; at->chain != NULL && i < at->chain->n; i++) {
		const struct ledger_event *e = &at->chain->ev[i];

		if (e->kind == LK_APPROVING && strcmp(e->tid, at->of.tid) == 0 &&
		    !store_work_drop(f->store, at->of.tid, e->n, c->deadline_boot_ms, err))
			return false;
	}
	return at->n == 0 || store_work_drop(f->store, at->of.tid, at->n, c->deadline_boot_ms, err);
}

void
flow_drop_earlier_work(struct flow *f, const struct flow_call *c, const struct flow_attempt *at)
{
	struct order_state st;
	struct error err;

	error_clear(&err);
	if (order_state(at->chain, at->of.tid, &st, &err) && st.approving != NULL &&
	    !store_work_drop(f->store, at->of.tid, st.approving->n, c->deadline_boot_ms, &err))
		log_event(LOG_LEVEL_WARN, "work_item_left", KV_ERR(&err));
}
