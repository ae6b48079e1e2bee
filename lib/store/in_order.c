/* Several puts that nothing comes between: store_put_in_order of store.h. */
#include "config.h"

#include <assert.h>

#include "store/backend.h"
#include "store/store.h"

static const struct shape *const shapes[] = {
	[STORE_REPLAY] = &shape_replay,
	[STORE_WORK] = &shape_work,
	[STORE_EVENT] = &shape_ledger,
	[STORE_PAYMENT] = &shape_payment,
	[STORE_MESSAGE] = &shape_outbox,
};

static void
wait_as(struct store *s, enum store_wait wait)
{
	if (s->does->wait != NULL)
		s->does->wait(s, wait);
}

/* All of them, where the store can. *sent: else some may be stored. */
static bool
put_at_once(struct store *s, const struct store_item *items, size_t n, bool *sent,
    int64_t deadline_boot_ms)
{
	const struct shape *of[STORE_ITEMS_MAX];
	const void *recs[STORE_ITEMS_MAX];

	for (size_t i = 0; i < n; i++) {
		of[i] = shapes[items[i].kind];
		recs[i] = items[i].rec;
	}
	return s->does->put_at_once != NULL &&
	    s->does->put_at_once(s, of, recs, n, sent, deadline_boot_ms);
}

static bool
put_one(struct store *s, const struct store_item *item, enum store_put *how,
    int64_t deadline_boot_ms, struct error *err)
{
	switch (item->kind) {
	case STORE_REPLAY:
		return store_replay_put(s, item->rec, how, deadline_boot_ms, err);
	case STORE_WORK:
		*how = STORE_OURS;
		return store_work_put(s, item->rec, deadline_boot_ms, err);
	case STORE_EVENT:
		return store_ledger_put(s, item->rec, how, deadline_boot_ms, err);
	case STORE_PAYMENT:
		return store_payment_put(s, item->rec, how, deadline_boot_ms, err);
	case STORE_MESSAGE:
		return store_outbox_put(s, item->rec, how, deadline_boot_ms, err);
	}
	return error_set(err, ERR_INTERNAL, "no such item");
}

bool
store_put_in_order(struct store *s, const struct store_item *items, size_t n, size_t *at,
    enum store_put *how, int64_t deadline_boot_ms, struct error *err)
{
	bool sent = false, ok = true, taken = false;

	assert(n >= 1 && n <= STORE_ITEMS_MAX);
	*how = STORE_OURS;
	*at = n;
	if (put_at_once(s, items, n, &sent, deadline_boot_ms))
		return true;
	for (*at = 0; *at < n; (*at)++) {
		wait_as(s, *at + 1 < n ? STORE_MORE : STORE_LAST);
		ok = put_one(s, &items[*at], how, deadline_boot_ms, err);
		taken = ok && *how == STORE_TAKEN && items[*at].decides;
		if (!ok || taken)
			break;
	}
	*how = taken ? STORE_TAKEN : STORE_OURS;
	wait_as(s, STORE_ALONE);
	if (!ok && sent) {
		*at = n;
		if (err->code == ERR_UNAVAILABLE)
			err->code = ERR_UNCERTAIN;
	}
	return ok;
}
