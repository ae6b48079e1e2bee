#include "config.h"

#include "flow/restore.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/text.h"
#include "flow/attempt.h"
#include "flow/follow.h"
#include "flow/inquiry.h"
#include "flow/record.h"
#include "flow/refund.h"

enum { CALL_MS = 10000 };

struct memory {		       /* of one tid */
	struct memory *next;   /* by the number of its approving */
	enum hold_state state; /* as last noted */
	char tid[TID_CAP], key[KEY_CAP], user[USER_CAP], room[ROOM_CAP];
	char *attempt;
	uint64_t token;
	int64_t n;
};

struct remembered { /* an order */
	UT_hash_handle hh;
	char cid[CID_CAP], order[ORDER_CAP];
	int64_t last_n; /* the ledger reached to here */
	struct memory *attempts;
	char name[CID_CAP + ORDER_CAP];
};

struct restorer {
	struct remembered *orders; /* the one that was noted last stands last */
};

/* ---- what the log says */

struct restorer *
restorer_new(void)
{
	return calloc(1, sizeof(struct restorer));
}

void
restorer_free(struct restorer **r)
{
	struct remembered *o, *next;

	if (*r == NULL)
		return;
	HASH_ITER(hh, (*r)->orders, o, next) {
		HASH_DEL((*r)->orders, o);
		while (o->attempts != NULL) {
			struct memory *m = o->attempts;

			o->attempts = m->next;
			free(m->attempt);
			free(m);
		}
		free(o);
	}
	free(*r);
	*r = NULL;
}

static struct remembered *
get_order(struct restorer *r, const struct order_entry *e)
{
	char name[CID_CAP + ORDER_CAP];
	struct remembered *o;

	snprintf(name, sizeof(name), "%s/%s", e->cid, e->order);
	HASH_FIND_STR(r->orders, name, o);
	if (o != NULL)
		HASH_DEL(r->orders, o); /* to the end */
	else if ((o = calloc(1, sizeof(*o))) == NULL)
		return NULL;
	memcpy(o->name, name, sizeof(name));
	memcpy(o->cid, e->cid, sizeof(o->cid));
	memcpy(o->order, e->order, sizeof(o->order));
	HASH_ADD_STR(r->orders, name, o);
	return o;
}

static struct memory *
get_attempt(struct remembered *o, const struct order_entry *e)
{
	struct memory *m, **at;

	for (m = o->attempts; m != NULL; m = m->next)
		if (strcmp(m->tid, e->tid) == 0)
			return m;
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return NULL;
	memcpy(m->tid, e->tid, sizeof(m->tid));
	m->n = e->n;
	for (at = &o->attempts; *at != NULL && (*at)->n <= m->n; at = &(*at)->next)
		;
	m->next = *at;
	*at = m;
	return m;
}

bool
restorer_add(struct restorer *r, const struct order_entry *e, struct error *err)
{
	struct remembered *o;
	struct memory *m;

	if (e->tid[0] == '\0')
		return true;
	o = get_order(r, e);
	m = o == NULL ? NULL : get_attempt(o, e);
	if (m == NULL)
		return error_set(err, ERR_INTERNAL, "out of memory");
	/* a grant of n was given to one who had read the chain to n - 1 */
	if (o->last_n < e->last_n)
		o->last_n = e->last_n;
	if (o->last_n < e->n - 1)
		o->last_n = e->n - 1;
	m->state = e->state;
	memcpy(m->user, e->user, sizeof(m->user));
	memcpy(m->room, e->room, sizeof(m->room));
	m->token = e->token;
	if (e->n > m->n)
		m->n = e->n;
	if (e->key[0] != '\0')
		memcpy(m->key, e->key, sizeof(m->key));
	if (e->attempt[0] != '\0' && m->attempt == NULL &&
	    (m->attempt = strdup(e->attempt)) == NULL)
		return error_set(err, ERR_INTERNAL, "out of memory");
	return true;
}

/* ---- one order */

struct work {
	struct flow *f;
	const struct restore_options *o;
	const struct remembered *order;
	struct flow_call call;
	struct ledger_chain chain;
	int64_t next_n;
	char what[400]; /* what is told of it */
	bool failed;	/* this order alone */
};

static bool
fail(struct work *w, const char *tid, const char *why)
{
	snprintf(w->what, sizeof(w->what), "%s: %.300s", tid, why);
	w->failed = true;
	return true;
}

/* False: the store. */
static bool
put(struct work *w, const struct flow_attempt *at, struct flow_event *e, struct error *err)
{
	enum store_put how;

	e->n = w->next_n;
	if (e->reason == NULL)
		e->reason = w->o->reason;
	if (w->failed || w->o->dry_run)
		return true;
	if (!flow_put_event(w->f, &w->call, at, e, &how, err))
		return false;
	if (how == STORE_TAKEN)
		return fail(w, at->of.tid,
		    "another program writes to this order: run restore again");
	w->next_n++;
	return true;
}

static bool
put_kind(struct work *w, const struct flow_attempt *at, enum ledger_kind kind, struct error *err)
{
	struct flow_event e = { .kind = kind };

	return put(w, at, &e, err);
}

/* Empty events, so that what follows stands under the number that the queue remembers. */
static bool
pad(struct work *w, const struct flow_attempt *at, int64_t to_n, struct error *err)
{
	while (!w->failed && !w->o->dry_run && w->next_n < to_n)
		if (!put_kind(w, at, LK_NOTE, err))
			return false;
	return true;
}

static bool
attempt_of(const struct remembered *o, const struct memory *m, struct flow_attempt *at,
    struct error *err)
{
	struct subject of = { "" };

	if (m->attempt == NULL)
		return error_set(err, ERR_INTERNAL,
		    "the queue's log does not say what was asked of KakaoPay");
	text_copy(of.cid, sizeof(of.cid), o->cid);
	text_copy(of.order, sizeof(of.order), o->order);
	text_copy(of.user, sizeof(of.user), m->user);
	text_copy(of.room, sizeof(of.room), m->room);
	text_copy(of.tid, sizeof(of.tid), m->tid);
	if (!flow_attempt_of_text(m->attempt, &of, at, err))
		return false;
	at->token = m->token;
	return true;
}

/* How an attempt ended, which KakaoPay says is not captured: what the queue was told, or that
 * nobody knows. */
static enum ledger_kind
end_by_queue(enum hold_state s)
{
	switch (s) {
	case HOLD_APPROVING:
	case HOLD_UNKNOWN:
	case HOLD_REVIEW:
	case HOLD_APPROVED:
		return LK_UNKNOWN; /* the courier inquires on */
	case HOLD_DECLINED:
		return LK_DECLINED;
	default:
		return LK_NOT_EXECUTED;
	}
}

static bool
put_replay_key(struct work *w, const struct memory *m, int64_t n, struct error *err)
{
	struct store_replay r = { .n = n };
	enum store_put how;

	if (m->key[0] == '\0' || w->failed || w->o->dry_run)
		return true;
	memcpy(r.key, m->key, sizeof(r.key));
	memcpy(r.cid, w->order->cid, sizeof(r.cid));
	memcpy(r.partner_order_id, w->order->order, sizeof(r.partner_order_id));
	return store_replay_put(w->f->store, &r, &how, w->call.deadline_boot_ms, err);
}

/* The payment, and the item from which the courier does what follows. */
static bool
put_records(struct work *w, struct flow_attempt *at, int64_t n, const struct payment *payment,
    bool open, struct error *err)
{
	enum store_put how;

	at->n = n;
	if (w->failed || w->o->dry_run)
		return true;
	return (payment == NULL ||
		   store_payment_put(w->f->store, payment, &how, w->call.deadline_boot_ms, err)) &&
	    (!open || flow_put_work(w->f, &w->call, at, err));
}

/* The attempt's approving, where the chain does not have it, and its end. */
static bool
restore_attempt(struct work *w, const struct memory *m, const struct order_state *st,
    struct error *err)
{
	struct provider_answer pa = { 0 };
	struct payment payment;
	struct flow_event end = { .provider = &pa };
	struct flow_attempt at;
	enum flow_verdict v;
	struct error bad;
	char why[200];
	int64_t n;
	bool captured,
	    has = st->approving != NULL && (st->state == AS_APPROVING || st->state == AS_UNKNOWN);

	error_clear(&bad);
	if (!attempt_of(w->order, m, &at, &bad))
		return fail(w, m->tid, bad.msg);
	v = flow_inquire(w->f, &at, w->call.deadline_boot_ms, &payment, &pa, why);
	if (v == FV_SILENT)
		return fail(w, m->tid, why);
	if (!flow_verdict_proves(v, &end.kind, &captured))
		end.kind = end_by_queue(m->state);
	snprintf(w->what, sizeof(w->what), "%s: %s, by KakaoPay: %.200s", m->tid,
	    ledger_kind_name(end.kind), why[0] == '\0' ? "as asked for" : why);
	if (captured)
		end.payment = flow_payment_times(&payment);
	if (!pad(w, &at, m->n, err))
		return false;
	n = has ? st->approving->n : w->next_n;
	if (!has) {
		struct flow_event approving = { .kind = LK_APPROVING,
			.key = m->key[0] != '\0' ? m->key : NULL,
			.deadline_boot_ms = clock_boot_ms() };

		if (!put_replay_key(w, m, n, err) || !put(w, &at, &approving, err))
			return false;
	}
	if (!put_records(w, &at, n, end.payment, captured || end.kind == LK_UNKNOWN, err) ||
	    !put(w, &at, &end, err))
		return false;
	return !captured || m->state != HOLD_REMOVED || put_kind(w, &at, LK_REMOVED, err);
}

static bool
may_restore(struct work *w, const struct memory *m)
{
	return order_may_begin(&w->chain, m->tid) ||
	    !fail(w, m->tid, "the ledger has another capture of this order: an operator must look");
}

static bool
read_chain(struct work *w, struct error *err)
{
	w->call = (struct flow_call){ "", clock_boot_ms() + CALL_MS, NULL };
	ledger_chain_clear(&w->chain);
	if (!store_ledger_chain(w->f->store, w->order->cid, w->order->order, &w->chain,
		w->call.deadline_boot_ms, err))
		return false;
	w->next_n = (int64_t)w->chain.n + 1;
	return true;
}

static bool
restore_order(struct work *w, struct error *err)
{
	struct flow_attempt last;
	struct error bad;

	for (const struct memory *m = w->order->attempts; m != NULL && !w->failed; m = m->next) {
		struct order_state st;

		error_clear(&bad);
		if (!read_chain(w, err))
			return false;
		if (!order_state(&w->chain, m->tid, &st, &bad))
			fail(w, m->tid, bad.msg);
		else if (st.captured == NULL &&
		    (m->n >= w->next_n || st.state == AS_APPROVING || st.state == AS_UNKNOWN) &&
		    may_restore(w, m) && !restore_attempt(w, m, &st, err))
			return false;
		if (!w->failed && attempt_of(w->order, m, &last, &bad) && m->next == NULL &&
		    !pad(w, &last, w->order->last_n + 1, err))
			return false;
	}
	return true;
}

/*
 * The copy may have been made between a capture's event and what follows it, and whoever removes a
 * hold that the queue calls approved takes payment and messages for stored (flow_is_whole).
 */
static bool
mend_paid(struct work *w, struct error *err)
{
	for (const struct memory *m = w->order->attempts; m != NULL && !w->o->dry_run;
	     m = m->next) {
		struct order_state st;
		struct flow_attempt at;
		struct error bad;

		error_clear(&bad);
		if (m->state == HOLD_APPROVED && order_state(&w->chain, m->tid, &st, &bad) &&
		    st.captured != NULL && flow_attempt_of_chain(&w->chain, m->tid, &at, &bad) &&
		    !flow_mend(w->f, &w->call, &at, &st, NULL, err))
			return false;
	}
	return true;
}

static bool
restore_one(struct flow *f, const struct remembered *order, const struct restore_options *o,
    struct restore_report *report, struct error *err)
{
	struct work w = { .f = f, .o = o, .order = order };
	enum restore_end end = RESTORE_WHOLE;
	bool ok = read_chain(&w, err);

	report->orders++;
	if (ok && (int64_t)w.chain.n >= order->last_n) {
		report->whole++;
		ok = mend_paid(&w, err);
	} else if (ok) {
		ok = restore_order(&w, err);
		end = w.failed ? RESTORE_FAILED : o->dry_run ? RESTORE_BEHIND : RESTORE_WRITTEN;
		report->behind++;
		report->failed += ok && end == RESTORE_FAILED;
		report->written += ok && end == RESTORE_WRITTEN;
		if (ok && o->tell != NULL)
			o->tell(o->ctx, order->cid, order->order, end, w.what);
	}
	ledger_chain_clear(&w.chain);
	return ok;
}

bool
flow_restore(struct flow *f, const struct restorer *r, const struct restore_options *o,
    struct restore_report *report, struct error *err)
{
	const struct remembered *order, *next;

	assert(o->reason != NULL);
	*report = (struct restore_report){ 0 };
	for (order = r->orders; order != NULL; order = next) {
		next = order->hh.next;
		if (!restore_one(f, order, o, report, err))
			return false;
	}
	return true;
}
