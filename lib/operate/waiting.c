#include "config.h"

#include "operate/waiting.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "flow/answer.h"

static bool
is_waiting(const struct order_state *st)
{
	switch (st->state) {
	case AS_APPROVING:
		return st->approving != NULL &&
		    st->approving->deadline_ms + DEADLINE_GRACE_MS < clock_wall_ms();
	case AS_UNKNOWN:
	case AS_REVIEW:
	case AS_UNBOOKABLE:
	case AS_REFUND_UNKNOWN:
		return true;
	default:
		return false;
	}
}

static void
fill_in(struct operate_waiting *w, const struct subject *of, const struct order_state *st)
{
	*w = (struct operate_waiting){ .of = *of,
		.state = st->state,
		.total = st->captured != NULL ? st->captured->payment.amount.total : -1,
		.refunded = st->refunded.total };
	if (st->last == NULL)
		return;
	w->since_ms = st->last->at_ms;
	text_copy(w->reason, sizeof(w->reason), st->last->reason);
}

/* One work item. An order's tid may have several: the first is enough. */
static bool
look_at(struct flow *f, const struct flow_call *c, const struct store_work *item,
    struct operate_waiting *list, size_t *n, struct error *err)
{
	struct ledger_chain chain = { 0 };
	struct order_state st;
	bool ok;

	for (size_t i = 0; i < *n; i++)
		if (strcmp(list[i].of.tid, item->of.tid) == 0)
			return true;
	ok = store_ledger_chain(f->store, item->of.cid, item->of.order, &chain, c->deadline_boot_ms,
		 err) &&
	    order_state(&chain, item->of.tid, &st, err);
	if (ok && is_waiting(&st))
		fill_in(&list[(*n)++], &item->of, &st);
	ledger_chain_clear(&chain);
	return ok;
}

bool
operate_list_waiting(struct flow *f, const struct flow_call *c, const char *const *cids,
    size_t n_cids, size_t limit, int64_t until_boot_ms, struct operate_waiting **out, size_t *n,
    bool *more, struct error *err)
{
	enum { OPEN_MAX = 10000 };
	struct store_work *items = NULL;
	size_t n_items = 0, i = 0;
	bool ok;

	*n = 0;
	*out = calloc(limit + 1, sizeof(**out));
	if (*out == NULL)
		return error_set(err, ERR_INTERNAL, "out of memory");
	ok = store_work_list(f->store, OPEN_MAX, &items, &n_items, c->deadline_boot_ms, err);
	for (; ok && i < n_items && *n < limit && (i == 0 || clock_boot_ms() < until_boot_ms); i++)
		if (flow_cid_is_one_of(items[i].of.cid, cids, n_cids))
			ok = look_at(f, c, &items[i], *out, n, err);
	*more = i < n_items || n_items == OPEN_MAX;
	free(items);
	if (!ok) {
		free(*out);
		*out = NULL;
		*n = 0;
	}
	return ok;
}

struct flow_order_attempt
operate_waiting_attempt(const struct operate_waiting *w)
{
	struct flow_order_attempt t = { .state = attempt_state_name(w->state),
		.charged = w->total >= 0 ? FC_TRUE : FC_UNKNOWN,
		.refunded = w->refunded,
		.next = FN_OPERATOR };

	memcpy(t.tid, w->of.tid, sizeof(t.tid));
	memcpy(t.user_id, w->of.user, sizeof(t.user_id));
	memcpy(t.room_id, w->of.room, sizeof(t.room_id));
	return t;
}
