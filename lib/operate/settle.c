#include "config.h"

#include "operate/settle.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "flow/attempt.h"
#include "flow/follow.h"
#include "flow/inquiry.h"
#include "flow/record.h"
#include "flow/settle_plan.h"
#include "flow/verdict.h"

enum { TRIES = 5 };

struct deciding {
	struct flow *f;
	const struct flow_call *c;
	const char *tid;
	enum operate_end as;
	const char *reason;
	struct ledger_chain chain;
	struct flow_attempt at;
	struct order_state st;
	struct payment payment;
	bool has_payment;
};

static bool
read_attempt(struct deciding *d, const char *cid, const char *order, struct error *err)
{
	struct queue_answer qa;

	ledger_chain_clear(&d->chain);
	if (!store_ledger_chain(d->f->store, cid, order, &d->chain, d->c->deadline_boot_ms, err) ||
	    !flow_attempt_of_chain(&d->chain, d->tid, &d->at, err) ||
	    !order_state(&d->chain, d->tid, &d->st, err))
		return false;
	d->at.chain = &d->chain;
	d->at.was_unknown = true; /* the gateway is told */
	if (!queue_find_tid(d->f->queue, d->tid, d->c->deadline_boot_ms, &qa, err))
		return false;
	if (qa.code == HA_OK) {
		d->at.hold_id = qa.hold.id;
		d->at.token = qa.hold.token;
		d->at.window_boot_ms = qa.hold.window_boot_ms;
	}
	return true;
}

static bool
window_is_over(const struct deciding *d)
{
	enum { MARGIN_MS = 90000 };

	return d->st.approving != NULL && d->st.approving->window_ms + MARGIN_MS < clock_wall_ms();
}

/* The end that the operator's word and KakaoPay's make together. */
static bool
choose(struct deciding *d, enum flow_verdict v, enum ledger_kind *kind, struct error *err)
{
	bool captured = false;
	bool proven = flow_verdict_proves(v, kind, &captured);

	if (captured)
		d->has_payment = true;
	else if (d->st.captured != NULL) {
		d->payment = d->st.captured->payment;
		d->has_payment = true;
	}
	if (d->as == OPERATE_END_DECLINED) {
		if (captured)
			return error_set(err, ERR_CONFLICT,
			    "KakaoPay says that money was taken: refund it instead (payment settle --as approved, then payment refund)");
		if (!(proven && *kind == LK_DECLINED) && !window_is_over(d))
			return error_set(err, ERR_CONFLICT,
			    "KakaoPay does not say that it failed, and the window is still open: an approve may still be captured. Wait until it is over");
		*kind = LK_DECLINED;
		d->has_payment = false;
		return true;
	}
	if (d->as == OPERATE_END_APPROVED) {
		if (!captured)
			return error_set(err, ERR_CONFLICT,
			    "KakaoPay does not say that money was taken: there is nothing to approve");
		*kind = LK_APPROVED;
		return true;
	}
	if (!proven || *kind == LK_REVIEW)
		return error_set(err, ERR_CONFLICT,
		    "the inquiry proves nothing: compare with KakaoPay's console, then use --as approved or --as declined");
	return true;
}

static bool
write_end(struct deciding *d, enum ledger_kind kind, enum store_put *how, struct error *err)
{
	struct payment *p = kind == LK_APPROVED && d->has_payment ? &d->payment : NULL;
	struct flow_event e = { .n = (int64_t)d->chain.n + 1,
		.kind = kind,
		.payment = p,
		.reason = d->reason };

	return flow_put_event(d->f, d->c, &d->at, &e, how, err) &&
	    (*how == STORE_TAKEN || flow_finish_outcome(d->f, d->c, &d->at, e.n, kind, p, err));
}

static bool
decide(struct deciding *d, bool dry_run, struct operate_settled *out, enum store_put *how,
    struct error *err)
{
	struct provider_answer pa = { 0 };
	enum flow_verdict v;
	enum ledger_kind kind;
	char why[200] = "";

	*how = STORE_OURS;
	out->before = d->st.state;
	if (d->st.state != AS_UNKNOWN && d->st.state != AS_REVIEW && d->st.state != AS_APPROVING)
		return error_set(err, ERR_CONFLICT, "it is %s: there is nothing to settle",
		    attempt_state_name(d->st.state));
	if (d->st.state == AS_APPROVING &&
	    d->st.approving->deadline_ms + DEADLINE_GRACE_MS > clock_wall_ms())
		return error_set(err, ERR_CONFLICT, "an approve is under way: wait some seconds");
	v = flow_inquire(d->f, &d->at, clock_boot_ms() + FLOW_INQUIRY_MS, &d->payment, &pa, why);
	snprintf(out->kakaopay, sizeof(out->kakaopay), "%s",
	    pa.message[0] != '\0' ? pa.message
		: why[0] != '\0'  ? why
				  : "no answer");
	if (!choose(d, v, &kind, err))
		return false;
	out->after = kind == LK_APPROVED ? AS_APPROVED : AS_DECLINED;
	return dry_run || write_end(d, kind, how, err);
}

bool
operate_settle(struct flow *f, const struct flow_call *c, const char *cid, const char *order,
    const char *tid, enum operate_end as, const char *reason, bool dry_run,
    struct operate_settled *out, struct error *err)
{
	struct deciding d = { .f = f, .c = c, .tid = tid, .as = as, .reason = reason };
	enum store_put how = STORE_TAKEN;
	bool ok = true;

	memset(out, 0, sizeof(*out));
	for (int i = 0; ok && how == STORE_TAKEN && i < TRIES; i++) /* somebody wrote meanwhile:
								       look again */
		ok = read_attempt(&d, cid, order, err) && decide(&d, dry_run, out, &how, err);
	ledger_chain_clear(&d.chain);
	return ok &&
	    (how == STORE_OURS ||
		error_set(err, ERR_CONFLICT,
		    "other programs keep writing to this order: try again"));
}

bool
operate_note(struct flow *f, const struct flow_call *c, const char *cid, const char *order,
    const char *tid, const char *reason, bool *written, struct error *err)
{
	struct deciding d = { .f = f, .c = c, .tid = tid };
	enum store_put how = STORE_TAKEN;
	bool ok = true;

	*written = false;
	for (int i = 0; ok && how == STORE_TAKEN && i < TRIES; i++) {
		struct flow_event e = { .kind = LK_NOTE, .reason = reason };

		if (!read_attempt(&d, cid, order, err)) {
			ok = err->code == ERR_NOT_FOUND;
			break;
		}
		if (!order_has_room(&d.chain, LK_NOTE, NULL))
			break;
		e.n = (int64_t)d.chain.n + 1;
		ok = flow_put_event(f, c, &d.at, &e, &how, err);
		*written = ok && how == STORE_OURS;
	}
	ledger_chain_clear(&d.chain);
	return ok;
}
