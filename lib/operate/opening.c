#include "config.h"

#include "operate/opening.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "flow/attempt.h"

enum { PAGE = 100, CALL_MS = 15000 };

struct finding {
	struct flow *f;
	const struct operate_opening *o;
	struct operate_hit *hits;
	size_t n, cap;
};

static bool
add_hit(struct finding *x, const struct payment *p, int64_t left, struct error *err)
{
	struct operate_hit *more;

	if (x->n == x->cap) {
		x->cap = x->cap == 0 ? 64 : 2 * x->cap;
		more = reallocarray(x->hits, x->cap, sizeof(*more));
		if (more == NULL)
			return error_set(err, ERR_INTERNAL, "out of memory");
		x->hits = more;
	}
	x->hits[x->n++] = (struct operate_hit){ .payment = *p, .left = left };
	return true;
}

/* What an attempt of an old version does not say is no hit: then its times are not known here. */
static bool
is_for(const struct flow_attempt *at, struct interval when)
{
	struct interval_set set, asked = { .iv = { when }, .n = 1 };
	struct error ignored;

	return at->a.intervals[0] != '\0' && interval_set_parse(at->a.intervals, &set, &ignored) &&
	    interval_set_overlaps(&set, &asked);
}

static bool
look_at(struct finding *x, const struct payment *p, struct error *err)
{
	struct flow_attempt *at = calloc(1, sizeof(*at));
	struct ledger_chain chain = { 0 };
	struct order_state st;
	bool ok;

	ok = at != NULL || error_set(err, ERR_INTERNAL, "out of memory");
	ok = ok &&
	    store_ledger_chain(x->f->store, p->cid, p->partner_order_id, &chain,
		clock_boot_ms() + CALL_MS, err) &&
	    flow_attempt_of_chain(&chain, p->tid, at, err) && order_state(&chain, p->tid, &st, err);
	if (ok && is_for(at, x->o->when))
		ok = add_hit(x, p, p->amount.total - st.refunded.total, err);
	ledger_chain_clear(&chain);
	free(at);
	return ok;
}

bool
operate_find_opening(struct flow *f, const struct operate_opening *o, struct operate_hit **out,
    size_t *n, struct error *err)
{
	struct store_history h = { .cids = o->cids,
		.n_cids = o->n_cids,
		.from_ms = o->from_ms,
		.to_ms = o->to_ms,
		.limit = PAGE };
	struct finding x = { .f = f, .o = o };
	bool ok = true, more = true;

	memcpy(h.room_id, o->room_id, sizeof(h.room_id));
	while (ok && more) {
		struct payment *list = NULL;
		size_t n_list = 0;

		ok = store_history(f->store, &h, &list, &n_list, &more, clock_boot_ms() + CALL_MS,
		    err);
		for (size_t i = 0; ok && i < n_list; i++)
			ok = look_at(&x, &list[i], err);
		if (n_list > 0) {
			h.after.approved_at_ms = list[n_list - 1].approved_at_ms;
			memcpy(h.after.tid, list[n_list - 1].tid, sizeof(h.after.tid));
		}
		free(list);
	}
	if (!ok) {
		free(x.hits);
		x.hits = NULL;
		x.n = 0;
	}
	*out = x.hits;
	*n = x.n;
	return ok;
}

void
operate_refund_opening(struct flow *f, const struct flow_call *c, const struct operate_opening *o,
    const struct operate_hit *hit, const char *reason, struct flow_answer *a)
{
	struct flow_refund_request rq = { .asked = { -1, -1 } };

	memcpy(rq.tid, hit->payment.tid, sizeof(rq.tid));
	snprintf(rq.refund_id, sizeof(rq.refund_id), "opening-%s-%d", o->room_id,
	    o->when.start / DAY_MINUTES);
	text_copy(rq.reason, sizeof(rq.reason), reason);
	flow_refund(f, c, &rq, o->cids, o->n_cids, a);
}
