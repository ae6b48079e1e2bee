#include "config.h"

#include "flow/settle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/log.h"
#include "flow/attempt.h"
#include "flow/follow.h"
#include "flow/record.h"
#include "flow/settle_item.h"
#include "site/metrics.h"

enum { BROKEN_MS = 600000 };

struct known { /* an item that was seen before */
	UT_hash_handle hh;
	struct settle_memory memory;
	bool listed;		  /* by this sweep */
	int64_t unknown_since_ms; /* wall; 0: its end is known */
	char id[TID_CAP + 24];
};

struct settler {
	struct flow *f;
	struct known *known;
	bool told_long;
	int64_t behind_boot_ms; /* when holds that the ledger lacks are told of again */
};

struct settler *
settler_new(struct flow *f)
{
	struct settler *s = calloc(1, sizeof(*s));

	if (s != NULL)
		s->f = f;
	return s;
}

void
settler_free(struct settler **s)
{
	struct known *k, *next;

	if (*s == NULL)
		return;
	HASH_ITER(hh, (*s)->known, k, next) {
		HASH_DEL((*s)->known, k);
		free(k);
	}
	free(*s);
	*s = NULL;
}

static struct known *
find_known(struct settler *s, const char *tid, int64_t n, char id[TID_CAP + 24])
{
	struct known *k;

	snprintf(id, TID_CAP + 24, "%s#%" PRId64, tid, n);
	HASH_FIND_STR(s->known, id, k);
	return k;
}

/* An item speaks of this send. */
static bool
is_known(struct settler *s, const char *tid, int64_t n)
{
	char id[TID_CAP + 24];

	return find_known(s, tid, n, id) != NULL;
}

/* Its writer is most likely at work, and needs nobody. */
static int64_t
rest_ms(const struct store_work *item)
{
	int64_t age_ms = clock_wall_ms() - item->at_ms;

	return age_ms < 0 || age_ms > SETTLE_REST_MS ? 0 : SETTLE_REST_MS - age_ms;
}

static struct known *
get_known(struct settler *s, const struct store_work *item)
{
	char id[TID_CAP + 24];
	struct known *k = find_known(s, item->of.tid, item->n, id);

	if (k != NULL || (k = calloc(1, sizeof(*k))) == NULL)
		return k;
	memcpy(k->id, id, sizeof(k->id));
	k->memory.first_boot_ms = clock_boot_ms();
	k->memory.next_boot_ms = k->memory.first_boot_ms + rest_ms(item);
	HASH_ADD_STR(s->known, id, k);
	return k;
}

static void
forget_unlisted(struct settler *s)
{
	struct known *k, *next;

	HASH_ITER(hh, s->known, k, next) {
		if (!k->listed) {
			HASH_DEL(s->known, k);
			free(k);
		} else {
			k->listed = false;
		}
	}
}

static void
tell_open(const struct settler *s)
{
	const struct known *k, *next;
	int64_t oldest_ms = 0;

	HASH_ITER(hh, s->known, k, next)
		if (k->unknown_since_ms != 0 && (oldest_ms == 0 || k->unknown_since_ms < oldest_ms))
			oldest_ms = k->unknown_since_ms;
	metrics_set(METRIC_OPEN, HASH_COUNT(s->known));
	metrics_set(METRIC_UNKNOWN_OLDEST, oldest_ms / 1000);
}

static bool
sweep_items(struct settler *s, bool (*stop)(void *ctx), void *ctx, struct error *err)
{
	struct store_work *items = NULL;
	bool ok;
	size_t n = 0;

	ok = store_work_list(s->f->store, SETTLE_ITEMS_MAX, &items, &n,
	    clock_boot_ms() + SETTLE_STORE_MS, err);
	if (n == SETTLE_ITEMS_MAX && !s->told_long)
		log_event(LOG_LEVEL_ERROR, "open_long", KV_INT("at_least", n),
		    KV_STR("detail", "what is newer waits"));
	s->told_long = n == SETTLE_ITEMS_MAX;
	for (size_t i = 0; ok && i < n && !(stop != NULL && stop(ctx)); i++) {
		struct known *k = get_known(s, &items[i]);

		if (k == NULL) {
			ok = error_set(err, ERR_INTERNAL, "out of memory");
			break;
		}
		k->listed = true;
		if (k->memory.next_boot_ms <= clock_boot_ms())
			ok = settle_item(s->f, &items[i], &k->memory, err);
		k->unknown_since_ms = k->memory.unknown ? items[i].at_ms : 0;
	}
	free(items);
	if (ok)
		forget_unlisted(s);
	tell_open(s);
	return ok;
}

/* ---- holds that no item speaks of */

static bool
tell_restored(struct flow *f, const struct flow_call *c, const struct queue_hold *h)
{
	struct queue_answer qa;

	log_event(LOG_LEVEL_WARN, "hold_restored", KV_STR("tid", h->tid), KV_INT("hold", h->id),
	    KV_INT("n", h->n));
	return queue_outcome(f->queue, h->id, h->token, HO_RESTORED, h->n, c->deadline_boot_ms, &qa,
	    NULL);
}

/*
 * The writer of this grant had its time, and the number that it was granted may be free: whoever
 * takes it now decides. Then the item speaks of it, or the hold is what it was before.
 */
static bool
settle_hold(struct flow *f, const struct queue_hold *h, bool *behind, struct error *err)
{
	struct flow_call c = { "", clock_boot_ms() + SETTLE_STORE_MS, NULL };
	struct ledger_chain chain = { 0 };
	struct flow_attempt at;
	struct order_state st;
	struct flow_event e = {
		.n = h->n,
		.kind = LK_ABANDONED,
		.reason =
		    "nobody took the number that this hold was granted by its deadline: nothing was sent"
	};
	const struct ledger_event *there;
	enum store_put how;
	bool ok = store_ledger_chain(f->store, h->cid, h->order, &chain, c.deadline_boot_ms, err) &&
	    order_state(&chain, h->tid, &st, err) && flow_attempt_of_hold(h, &at, err);

	if (!ok)
		goto out;
	at.chain = &chain;
	at.n = h->n;
	there = h->n >= 1 && h->n <= (int64_t)chain.n ? &chain.ev[h->n - 1] : NULL;
	if (st.captured != NULL || st.state == AS_DECLINED || st.state == AS_REVIEW)
		ok = flow_mend(f, &c, &at, &st, h, err);
	else if (there != NULL && there->kind == LK_APPROVING && strcmp(there->tid, h->tid) == 0 &&
	    (st.state == AS_APPROVING || st.state == AS_UNKNOWN))
		ok = flow_put_work(f, &c, &at, err);
	else if (there != NULL)
		tell_restored(f, &c, h);
	else if (h->state != HOLD_APPROVING)
		; /* unknown by the queue alone: the next approve, or the item of the send before,
		     tells */
	else if ((int64_t)chain.n + 1 < h->n)
		*behind = true;
	else if ((ok = flow_put_event(f, &c, &at, &e, &how, err)) && how == STORE_OURS)
		tell_restored(f, &c, h);
out:
	ledger_chain_clear(&chain);
	return ok;
}

static bool
sweep_holds(struct settler *s, bool (*stop)(void *ctx), void *ctx, struct error *err)
{
	bool behind, told = false;
	struct queue_answer qa;
	uint64_t after = 0;

	while (!(stop != NULL && stop(ctx)) &&
	    queue_overdue(s->f->queue, after, clock_boot_ms() + SETTLE_STORE_MS, &qa, NULL) &&
	    qa.code == HA_OK) {
		after = qa.hold.id;
		behind = false;
		if (qa.hold.state != HOLD_REVIEW && !is_known(s, qa.hold.tid, qa.hold.n) &&
		    !settle_hold(s->f, &qa.hold, &behind, err) && err->code != ERR_INTERNAL)
			return false;
		if (behind && clock_boot_ms() >= s->behind_boot_ms)
			log_event(LOG_LEVEL_ERROR, "ledger_behind", KV_STR("tid", qa.hold.tid),
			    KV_STR("order", qa.hold.order),
			    KV_STR("detail",
				"the ledger lacks events that the queue knows, so nothing is decided: was an older backup restored? Then: roompayctl restore"));
		told = told || behind;
	}
	if (told && clock_boot_ms() >= s->behind_boot_ms)
		s->behind_boot_ms = clock_boot_ms() + BROKEN_MS;
	return true;
}

bool
settler_sweep(struct settler *s, bool (*stop)(void *ctx), void *ctx, struct error *err)
{
	error_clear(err);
	return sweep_items(s, stop, ctx, err) &&
	    (s->f->gate != FR_OK || sweep_holds(s, stop, ctx, err));
}
