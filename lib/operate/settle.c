#include "config.h"

#include "operate/settle.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "flow/attempt.h"
#include "flow/follow.h"
#include "flow/inquiry.h"
#include "flow/record.h"
#include "flow/settle_plan.h"
#include "flow/verdict.h"

enum { TRIES = 5 };

/* English, Korean. */
static const char *const nos[][2] = {
	[SETTLE_NO_NOTHING] = { "", "" },
	[SETTLE_NO_CAPTURED] = { "KakaoPay says that money was taken: settle it as approved, then refund it",
	    "카카오페이는 돈을 받았다고 합니다. approved로 매듭지은 뒤 환불하세요" },
	[SETTLE_NO_WINDOW_OPEN] = { "KakaoPay does not say that it failed, and the window is still open: an approve may still be "
				    "captured. Wait until it is over",
	    "카카오페이가 실패라고 하지 않고 결제 유효 시간도 남아 있어 아직 승인될 수 있습니다. 끝날 때까지 기다리세요" },
	[SETTLE_NO_CAPTURE] = { "KakaoPay does not say that money was taken: there is nothing to approve",
	    "카카오페이는 돈을 받았다고 하지 않습니다. 승인할 것이 없습니다" },
	[SETTLE_NO_PROOF] = { "the inquiry proves nothing: compare with KakaoPay's console, then settle it as approved or as "
			      "declined (--as)",
	    "조회로 확인되지 않습니다. 카카오페이 콘솔과 비교한 뒤 approved 또는 declined로 매듭지으세요 (--as)" },
	[SETTLE_NO_NEED] = { "there is nothing to settle: it has its end",
	    "이미 끝난 결제라 매듭지을 것이 없습니다" },
	[SETTLE_NO_UNDER_WAY] = { "an approve is under way: wait some seconds",
	    "승인을 요청하는 중입니다. 몇 초 기다리세요" },
	[SETTLE_NO_OTHERS_WRITE] = { "other programs keep writing to this order: try again",
	    "다른 프로그램이 이 주문에 계속 쓰고 있습니다. 다시 하세요" },
};
static_assert(sizeof(nos) / sizeof(nos[0]) == SETTLE_NO__MAX, "a sentence for each");

const char *
operate_settle_no_text(enum operate_settle_no no, bool korean)
{
	assert(no < SETTLE_NO__MAX);
	return nos[no][korean];
}

static bool
refuse(struct operate_settled *out, enum operate_settle_no no, struct error *err)
{
	out->no = no;
	return error_set(err, ERR_CONFLICT, "%s", nos[no][0]);
}

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
choose(struct deciding *d, enum flow_verdict v, enum ledger_kind *kind, struct operate_settled *out,
    struct error *err)
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
			return refuse(out, SETTLE_NO_CAPTURED, err);
		if (!(proven && *kind == LK_DECLINED) && !window_is_over(d))
			return refuse(out, SETTLE_NO_WINDOW_OPEN, err);
		*kind = LK_DECLINED;
		d->has_payment = false;
		return true;
	}
	if (d->as == OPERATE_END_APPROVED) {
		if (!captured)
			return refuse(out, SETTLE_NO_CAPTURE, err);
		*kind = LK_APPROVED;
		return true;
	}
	if (!proven || *kind == LK_REVIEW)
		return refuse(out, SETTLE_NO_PROOF, err);
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
		return refuse(out, SETTLE_NO_NEED, err);
	if (d->st.state == AS_APPROVING &&
	    d->st.approving->deadline_ms + DEADLINE_GRACE_MS > clock_wall_ms())
		return refuse(out, SETTLE_NO_UNDER_WAY, err);
	v = flow_inquire(d->f, &d->at, clock_boot_ms() + FLOW_INQUIRY_MS, &d->payment, &pa, why);
	text_copy(out->kakaopay, sizeof(out->kakaopay),
	    pa.message[0] != '\0' ? pa.message
		: why[0] != '\0'  ? why
				  : "no answer");
	if (!choose(d, v, &kind, out, err))
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
	return ok && (how == STORE_OURS || refuse(out, SETTLE_NO_OTHERS_WRITE, err));
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
