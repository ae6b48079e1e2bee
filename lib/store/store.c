#include "config.h"

#include "store/store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "store/backend.h"
#include "store/run.h"
#include "store/shape.h"

enum { CLAIMS_MAX = 10000 };

void
store_free(struct store **s)
{
	if (*s == NULL)
		return;
	(*s)->does->free(*s);
	*s = NULL;
}

void
store_message_clear(struct store_message *m)
{
	shape_clear(&shape_outbox, m);
}

/* By an id that was just composed; clears it. */
static bool
get(struct store *s, const struct shape *sh, struct buf *id, void *out, bool *found,
    int64_t deadline_boot_ms, struct error *err)
{
	bool ok;

	memset(out, 0, sh->size);
	*found = false;
	ok = id->bad ? error_set(err, ERR_INTERNAL, "no memory")
		     : s->does->get(s, sh, buf_str(id), out, found, deadline_boot_ms, err);
	buf_clear(id);
	return ok;
}

static bool
put(struct store *s, const struct shape *sh, const void *rec, enum store_put *how,
    int64_t deadline_boot_ms, struct error *err)
{
	enum store_put unasked;

	return s->does->put(s, sh, rec, how != NULL ? how : &unasked, deadline_boot_ms, err) ||
	    error_wrap(err, "%s", sh->collection);
}

static bool
get_meta(struct store *s, const char *key, struct meta *out, bool *found, int64_t deadline_boot_ms,
    struct error *err)
{
	struct buf id = BUF_INIT;

	buf_add_str(&id, key);
	return get(s, &shape_meta, &id, out, found, deadline_boot_ms, err);
}

bool
store_prepare(struct store *s, int64_t deadline_boot_ms, struct error *err)
{
	struct meta schema = { .key = "schema",
		.at_ms = clock_wall_ms(),
		.version = SCHEMA_VERSION },
		    there;
	bool found;

	if (!get_meta(s, schema.key, &there, &found, deadline_boot_ms, err))
		return false;
	if (found && there.version != SCHEMA_VERSION)
		return error_set(err, ERR_CONFLICT,
		    "the database has schema version %lld, this program knows %d",
		    (long long)there.version, SCHEMA_VERSION);
	if (found)
		return true;
	/* Written last: where the document is, the indexes are. Others who do it at the same time
	 * do the same. */
	return s->does->make_indexes(s, deadline_boot_ms, err) &&
	    put(s, &shape_meta, &schema, NULL, deadline_boot_ms, err);
}

bool
store_migrate(struct store *s, int64_t deadline_boot_ms, struct error *err)
{
	return store_prepare(s, deadline_boot_ms, err) &&
	    s->does->make_indexes(s, deadline_boot_ms, err);
}

static struct meta
claim_of(int64_t number)
{
	struct meta m = { .key = "queue" };

	if (number > 1)
		snprintf(m.key, sizeof(m.key), "queue#%lld", (long long)number);
	return m;
}

bool
store_claim_get(struct store *s, struct store_claim *out, int64_t deadline_boot_ms,
    struct error *err)
{
	struct meta asked, there;
	bool found = true;

	memset(out, 0, sizeof(*out));
	for (int64_t n = 1; n < CLAIMS_MAX; n++) {
		asked = claim_of(n);
		if (!get_meta(s, asked.key, &there, &found, deadline_boot_ms, err))
			return false;
		if (!found)
			return true;
		memcpy(out->queue_id, there.queue_id, sizeof(out->queue_id));
		out->number = n;
	}
	return error_set(err, ERR_INTERNAL, "more than %d claims of queues", CLAIMS_MAX);
}

bool
store_claim_adopt(struct store *s, const struct store_claim *old, const char *queue_id,
    const char *reason, const char *who, int64_t deadline_boot_ms, struct error *err)
{
	struct meta claim = claim_of(old->number + 1);
	enum store_put how;

	assert(strlen(queue_id) < sizeof(claim.queue_id));
	claim.at_ms = clock_wall_ms();
	strcpy(claim.queue_id, queue_id);
	if (reason != NULL)
		text_copy(claim.reason, sizeof(claim.reason), reason);
	if (who != NULL)
		text_copy(claim.who, sizeof(claim.who), who);
	return put(s, &shape_meta, &claim, &how, deadline_boot_ms, err) &&
	    (how == STORE_OURS ||
		error_set(err, ERR_CONFLICT, "another queue was adopted at the same time"));
}

bool
store_claim_queue(struct store *s, const char *queue_id, struct store_claim *out,
    int64_t deadline_boot_ms, struct error *err)
{
	if (!store_claim_get(s, out, deadline_boot_ms, err))
		return false;
	if (out->number == 0) {
		if (!store_claim_adopt(s, out, queue_id, NULL, NULL, deadline_boot_ms, err) &&
		    err->code != ERR_CONFLICT)
			return false;
		if (!store_claim_get(s, out, deadline_boot_ms, err))
			return false;
	}
	return strcmp(out->queue_id, queue_id) == 0 ||
	    error_set(err, ERR_CONFLICT, "the site's queue is %s, this is %s", out->queue_id,
		queue_id);
}

bool
store_ping(struct store *s, int64_t deadline_boot_ms, struct error *err)
{
	return s->does->ping(s, deadline_boot_ms, err);
}

bool
store_ledger_put(struct store *s, const struct ledger_event *e, enum store_put *how,
    int64_t deadline_boot_ms, struct error *err)
{
	assert(e->n >= 1 && e->nonce[0] != '\0');
	return put(s, &shape_ledger, e, how, deadline_boot_ms, err);
}

bool
store_ledger_get(struct store *s, const char *cid, const char *order, int64_t n,
    struct ledger_event *out, bool *found, int64_t deadline_boot_ms, struct error *err)
{
	struct buf id = BUF_INIT;

	shape_ledger_id(cid, order, n, &id);
	return get(s, &shape_ledger, &id, out, found, deadline_boot_ms, err) ||
	    error_wrap(err, "ledger");
}

bool
store_ledger_chain(struct store *s, const char *cid, const char *order, struct ledger_chain *out,
    int64_t deadline_boot_ms, struct error *err)
{
	const struct run run = { cid, order };
	void *all;

	memset(out, 0, sizeof(*out));
	if (!run_get(s, &shape_ledger, &run, &all, &out->n, deadline_boot_ms, err))
		return error_wrap(err, "ledger");
	out->ev = all;
	return true;
}

bool
store_ledger_since(struct store *s, int64_t from_ms, size_t limit, struct ledger_event **out,
    size_t *n, int64_t deadline_boot_ms, struct error *err)
{
	void *list;

	*out = NULL;
	*n = 0;
	if (!s->does->list(s, &shape_ledger, from_ms, limit, &list, n, deadline_boot_ms, err))
		return error_wrap(err, "ledger");
	*out = list;
	return true;
}

bool
store_replay_put(struct store *s, const struct store_replay *r, enum store_put *how,
    int64_t deadline_boot_ms, struct error *err)
{
	assert(r->key[0] != '\0');
	return put(s, &shape_replay, r, how, deadline_boot_ms, err);
}

bool
store_replay_get(struct store *s, const char *key, struct store_replay *out, bool *found,
    int64_t deadline_boot_ms, struct error *err)
{
	struct buf id = BUF_INIT;

	buf_add_str(&id, key);
	return get(s, &shape_replay, &id, out, found, deadline_boot_ms, err) ||
	    error_wrap(err, "replay");
}

bool
store_payment_put(struct store *s, const struct payment *p, enum store_put *how,
    int64_t deadline_boot_ms, struct error *err)
{
	assert(p->tid[0] != '\0');
	return put(s, &shape_payment, p, how, deadline_boot_ms, err);
}

bool
store_payment_get(struct store *s, const char *tid, struct payment *out, bool *found,
    int64_t deadline_boot_ms, struct error *err)
{
	struct buf id = BUF_INIT;

	buf_add_str(&id, tid);
	return get(s, &shape_payment, &id, out, found, deadline_boot_ms, err) ||
	    error_wrap(err, "payments");
}

/* A capture that was in review stands in the ledger twice, and only the record counts: each payment
 * once, as `payments` has it. */
static bool
payments_of_captures(struct store *s, const struct ledger_event *ev, size_t n, struct payment *out,
    size_t *n_out, int64_t deadline_boot_ms, struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		struct payment *p = &out[*n_out];
		bool found;

		if (!store_payment_get(s, ev[i].tid, p, &found, deadline_boot_ms, err))
			return false;
		if (found && p->approved_at_ms == ev[i].payment.approved_at_ms &&
		    (*n_out == 0 || strcmp(p[-1].tid, p->tid) != 0))
			(*n_out)++;
	}
	return true;
}

static bool
history_by_room(struct store *s, const struct store_history *h, struct payment **out, size_t *n,
    bool *full, int64_t deadline_boot_ms, struct error *err)
{
	size_t n_events = 0;
	void *list = NULL;
	bool ok;

	if (!s->does->history(s, &shape_ledger, h, &list, &n_events, deadline_boot_ms, err))
		return error_wrap(err, "ledger");
	*full = n_events == h->limit;
	*out = calloc(n_events + 1, sizeof(**out));
	ok = *out == NULL ? error_set(err, ERR_INTERNAL, "no memory")
			  : payments_of_captures(s, list, n_events, *out, n, deadline_boot_ms, err);
	for (size_t i = 0; i < n_events; i++)
		ledger_event_clear((struct ledger_event *)list + i);
	free(list);
	return ok;
}

/* Up to h->limit of them; *full: it stopped because of the limit. */
static bool
history_page(struct store *s, const struct store_history *h, struct payment **out, size_t *n,
    bool *full, int64_t deadline_boot_ms, struct error *err)
{
	void *list = NULL;

	*n = 0;
	*out = NULL;
	if (h->room_id[0] != '\0')
		return history_by_room(s, h, out, n, full, deadline_boot_ms, err);
	if (!s->does->history(s, &shape_payment, h, &list, n, deadline_boot_ms, err))
		return error_wrap(err, "payments");
	*full = *n == h->limit;
	*out = list;
	return true;
}

bool
store_history(struct store *s, const struct store_history *h, struct payment **out, size_t *n,
    bool *more, int64_t deadline_boot_ms, struct error *err)
{
	struct store_history one_more = *h;
	bool ok;

	one_more.limit = h->limit + 1;
	*more = false;
	ok = history_page(s, &one_more, out, n, more, deadline_boot_ms, err);
	if (!ok) {
		free(*out);
		*out = NULL;
		*n = 0;
	}
	if (*n > h->limit)
		*n = h->limit;
	return ok;
}

bool
store_refunds(struct store *s, const struct store_history *h, struct ledger_event **out, size_t *n,
    bool *more, int64_t deadline_boot_ms, struct error *err)
{
	struct store_history one_more = *h;
	void *list = NULL;

	*out = NULL;
	*n = 0;
	one_more.limit = h->limit + 1;
	one_more.refunds = true;
	if (!s->does->history(s, &shape_ledger, &one_more, &list, n, deadline_boot_ms, err))
		return error_wrap(err, "ledger");
	*out = list;
	*more = *n > h->limit;
	if (*more)
		ledger_event_clear(&(*out)[--*n]);
	return true;
}

bool
store_work_put(struct store *s, const struct store_work *o, int64_t deadline_boot_ms,
    struct error *err)
{
	assert(o->of.tid[0] != '\0' && o->n >= 1);
	return put(s, &shape_work, o, NULL, deadline_boot_ms, err);
}

bool
store_work_delete(struct store *s, const char *tid, int64_t n, int64_t deadline_boot_ms,
    struct error *err)
{
	struct buf id = BUF_INIT;
	bool done;

	shape_work_id(tid, n, &id);
	done = id.bad ? error_set(err, ERR_INTERNAL, "no memory")
		      : s->does->remove(s, &shape_work, buf_str(&id), deadline_boot_ms, err) ||
		error_wrap(err, "open");
	buf_clear(&id);
	return done;
}

bool
store_work_drop(struct store *s, const char *tid, int64_t n, int64_t deadline_boot_ms,
    struct error *err)
{
	struct buf id = BUF_INIT;
	bool handed_over;

	shape_work_id(tid, n, &id);
	handed_over = !id.bad && s->does->hand_over_removal != NULL &&
	    s->does->hand_over_removal(s, &shape_work, buf_str(&id), deadline_boot_ms);
	buf_clear(&id);
	return handed_over || store_work_delete(s, tid, n, deadline_boot_ms, err);
}

bool
store_work_list(struct store *s, size_t limit, struct store_work **out, size_t *n,
    int64_t deadline_boot_ms, struct error *err)
{
	void *list;

	*out = NULL;
	*n = 0;
	if (!s->does->list(s, &shape_work, 0, limit, &list, n, deadline_boot_ms, err))
		return error_wrap(err, "open");
	*out = list;
	return true;
}

bool
store_outbox_put(struct store *s, const struct store_message *m, enum store_put *how,
    int64_t deadline_boot_ms, struct error *err)
{
	assert(m->id[0] != '\0' && m->body != NULL);
	return put(s, &shape_outbox, m, how, deadline_boot_ms, err);
}

bool
store_outbox_get(struct store *s, const char *id, struct store_message *out, bool *found,
    int64_t deadline_boot_ms, struct error *err)
{
	struct buf key = BUF_INIT;

	buf_add_str(&key, id);
	return get(s, &shape_outbox, &key, out, found, deadline_boot_ms, err) ||
	    error_wrap(err, "outbox");
}

bool
store_outbox_again(struct store *s, const struct store_message *m, int64_t at_ms,
    int64_t deadline_boot_ms, struct error *err)
{
	struct store_message again = *m; /* borrows */
	bool found;

	again.again_ms = at_ms;
	if (!s->does->replace(s, &shape_outbox, &again, &found, deadline_boot_ms, err))
		return error_wrap(err, "outbox");
	return found || error_set(err, ERR_NOT_FOUND, "%s is not owed any more", m->id);
}

bool
store_outbox_delete(struct store *s, const char *id, int64_t deadline_boot_ms, struct error *err)
{
	return s->does->remove(s, &shape_outbox, id, deadline_boot_ms, err) ||
	    error_wrap(err, "outbox");
}

bool
store_outbox_delete_many(struct store *s, const char *const *ids, size_t n,
    int64_t deadline_boot_ms, struct error *err)
{
	return n == 0 || s->does->remove_many(s, &shape_outbox, ids, n, deadline_boot_ms, err) ||
	    error_wrap(err, "outbox");
}

bool
store_outbox_tries(struct store *s, struct store_message *m, int64_t deadline_boot_ms,
    struct error *err)
{
	struct store_try *tries;
	size_t n;

	if (!store_try_list(s, m->id, &tries, &n, deadline_boot_ms, err))
		return false;
	m->tries = (int64_t)n;
	if (n > 0) {
		m->last_try_ms = tries[n - 1].at_ms;
		m->not_before_ms = tries[n - 1].not_before_ms;
	}
	free(tries);
	return true;
}

bool
store_outbox_since(struct store *s, int64_t from_ms, size_t limit, struct store_message **out,
    size_t *n, int64_t deadline_boot_ms, struct error *err)
{
	void *list;

	*out = NULL;
	*n = 0;
	if (!s->does->list(s, &shape_outbox, from_ms, limit, &list, n, deadline_boot_ms, err))
		return error_wrap(err, "outbox");
	*out = list;
	return true;
}

bool
store_outbox_list(struct store *s, size_t limit, struct store_message **out, size_t *n,
    int64_t deadline_boot_ms, struct error *err)
{
	return store_outbox_since(s, 0, limit, out, n, deadline_boot_ms, err);
}

bool
store_try_claim(struct store *s, const struct store_try *t, enum store_put *how,
    int64_t deadline_boot_ms, struct error *err)
{
	assert(t->number >= 1);
	return put(s, &shape_try, t, how, deadline_boot_ms, err);
}

bool
store_try_finish(struct store *s, const struct store_try *t, int64_t deadline_boot_ms,
    struct error *err)
{
	bool found;

	if (!s->does->replace(s, &shape_try, t, &found, deadline_boot_ms, err))
		return error_wrap(err, "deliveries");
	return found ||
	    error_set(err, ERR_NOT_FOUND, "deliveries: try %lld of %s was never claimed",
		(long long)t->number, t->message_id);
}

bool
store_try_list(struct store *s, const char *message_id, struct store_try **out, size_t *n,
    int64_t deadline_boot_ms, struct error *err)
{
	const struct run run = { .name = message_id };
	void *all;

	*out = NULL;
	if (!run_get(s, &shape_try, &run, &all, n, deadline_boot_ms, err))
		return error_wrap(err, "deliveries");
	*out = all;
	return true;
}

static const void **
of_tries(const struct store_try *const *tries, size_t n, struct error *err)
{
	const void **recs = calloc(n + 1, sizeof(*recs));

	if (recs == NULL)
		error_set(err, ERR_INTERNAL, "no memory");
	for (size_t i = 0; recs != NULL && i < n; i++)
		recs[i] = tries[i];
	return recs;
}

bool
store_try_claim_many(struct store *s, const struct store_try *const *tries, size_t n,
    enum store_put *hows, int64_t deadline_boot_ms, struct error *err)
{
	const void **recs = of_tries(tries, n, err);
	bool ok = recs != NULL &&
	    (n == 0 || s->does->put_many(s, &shape_try, recs, n, hows, deadline_boot_ms, err));

	free(recs);
	return ok || error_wrap(err, "deliveries");
}

bool
store_try_finish_many(struct store *s, const struct store_try *const *tries, size_t n,
    int64_t deadline_boot_ms, struct error *err)
{
	const void **recs = of_tries(tries, n, err);
	bool ok = recs != NULL &&
	    (n == 0 || s->does->replace_many(s, &shape_try, recs, n, deadline_boot_ms, err));

	free(recs);
	return ok || error_wrap(err, "deliveries");
}

const char *
store_foreign_member(unsigned bit)
{
	static const char *const members[] = { "aid", "amount.discount", "amount.point",
		"amount.tax_free", "amount.total", "amount.vat", "approved_at", "cid", "created_at",
		"item_name", "partner_order_id", "partner_user_id", "payment_method_type",
		"quantity", "tid", "userId" };

	return bit < sizeof(members) / sizeof(members[0]) ? members[bit] : NULL;
}

bool
store_queue_log_read(struct store *s, struct store_queue_log *out,
    bool (*each)(void *ctx, const void *record, size_t len, struct error *err), void *ctx,
    struct error *err)
{
	if (s->does->queue_log == NULL)
		return error_set(err, ERR_NOT_FOUND, "this store keeps no log");
	return s->does->queue_log(s, out, each, ctx, err) || error_wrap(err, "queue_log");
}

bool
store_queue_log_find(struct store *s, char queue_id[QUEUE_ID_CAP], struct error *err)
{
	if (s->does->queue_log_find == NULL)
		return error_set(err, ERR_NOT_FOUND, "this store keeps no log");
	return s->does->queue_log_find(s, queue_id, err) || error_wrap(err, "meta");
}

bool
store_queue_log_renew(struct store *s, const char *old_id, const char *new_id, const char *reason,
    struct error *err)
{
	return s->does->queue_log_renew(s, old_id, new_id, reason, err) || error_wrap(err, "meta");
}

bool
store_foreign_next(struct store *s, struct store_foreign_page *page, struct error *err)
{
	enum { PAGE = 500 };

	page->n = page->seen = 0;
	if (s->does->foreign_page == NULL)
		return error_set(err, ERR_INTERNAL, "this store has no other writers");
	if (page->list == NULL)
		page->list = calloc(PAGE + 1, sizeof(*page->list));
	if (page->list == NULL)
		return error_set(err, ERR_INTERNAL, "no memory");
	return s->does->foreign_page(s, PAGE, page, err) || error_wrap(err, "payments");
}

bool
store_foreign_shift(struct store *s, const struct store_foreign *of, int64_t by_ms,
    struct error *err)
{
	return s->does->foreign_shift(s, of, by_ms, err) || error_wrap(err, "payments");
}

bool
store_foreign_set_aside(struct store *s, const struct store_foreign *of, struct error *err)
{
	return s->does->foreign_set_aside(s, of, err) || error_wrap(err, STORE_SET_ASIDE);
}

bool
store_foreign_note(struct store *s, const char *reason, int64_t deadline_boot_ms, struct error *err)
{
	struct meta note = { .at_ms = clock_wall_ms() }, there;
	bool found = true;

	text_copy(note.reason, sizeof(note.reason), reason);
	for (int n = 1; found; n++) {
		snprintf(note.key, sizeof(note.key), "import#%d", n);
		if (!get_meta(s, note.key, &there, &found, deadline_boot_ms, err))
			return false;
	}
	return put(s, &shape_meta, &note, NULL, deadline_boot_ms, err);
}
