#include "config.h"

#include "operate/message.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "delivery/outbox.h"
#include "delivery/webhook.h"
#include "flow/answer.h"
#include "operate/find.h"

const char *
operate_message_state(const struct store_message *m)
{
	if (m->tries == 0)
		return "new";
	if (m->again_ms > m->last_try_ms)
		return "again";
	return webhook_retry_after_ms(m->tries, m->last_try_ms - m->at_ms) < 0 ? "undelivered"
									       : "waiting";
}

int64_t
operate_message_next_ms(const struct store_message *m)
{
	int64_t after_ms, at_ms;

	if (strcmp(operate_message_state(m), "waiting") != 0)
		return 0;
	after_ms = webhook_retry_after_ms(m->tries, m->last_try_ms - m->at_ms);
	at_ms = m->last_try_ms + after_ms;
	return at_ms > m->not_before_ms ? at_ms : m->not_before_ms;
}

const char *
operate_try_end(const struct store_try *t)
{
	return t->withdrawn   ? "withdrawn"
	    : t->acknowledged ? "acknowledged"
	    : t->ended	      ? "failed"
			      : "under way";
}

bool
operate_message_tid(const char *id, char tid[TID_CAP])
{
	enum outbox_kind kind;
	int64_t n;

	return outbox_parse_id(id, &kind, tid, &n);
}

/* -- one */

static bool
read_message(struct flow *f, const struct flow_call *c, const char *id, struct operate_message *out,
    struct error *err)
{
	memset(out, 0, sizeof(*out));
	text_copy(out->id, sizeof(out->id), id);
	return store_outbox_get(f->store, id, &out->m, &out->owed, c->deadline_boot_ms, err) &&
	    (!out->owed || store_outbox_tries(f->store, &out->m, c->deadline_boot_ms, err)) &&
	    store_try_list(f->store, id, &out->tries, &out->n, c->deadline_boot_ms, err);
}

bool
operate_message_get(struct flow *f, const struct flow_call *c, const char *id,
    struct operate_message *out, struct error *err)
{
	return read_message(f, c, id, out, err) &&
	    (out->owed || out->n > 0 || error_set(err, ERR_NOT_FOUND, "no such message: %s", id));
}

void
operate_message_clear(struct operate_message *m)
{
	if (m->owed)
		store_message_clear(&m->m);
	free(m->tries);
	memset(m, 0, sizeof(*m));
}

void
operate_messages_clear(struct operate_message **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		operate_message_clear(&(*list)[i]);
	free(*list);
	*list = NULL;
}

/* -- those of an order */

struct gathering {
	struct flow *f;
	const struct flow_call *c;
	struct operate_message *list;
	size_t n;
};

static bool
add_message(struct gathering *g, enum outbox_kind kind, const char *tid, int64_t n,
    struct error *err)
{
	struct operate_message m, *more;
	char id[MESSAGE_ID_CAP];

	outbox_id(kind, tid, n, id);
	if (!read_message(g->f, g->c, id, &m, err)) {
		operate_message_clear(&m);
		return false;
	}
	if (!m.owed && m.n == 0)
		return true;
	more = reallocarray(g->list, g->n + 1, sizeof(*more));
	if (more == NULL) {
		operate_message_clear(&m);
		return error_set(err, ERR_INTERNAL, "out of memory");
	}
	g->list = more;
	g->list[g->n++] = m;
	return true;
}

/* Those that follow from this event; what a tid has one of, follows from its first event. */
static bool
add_messages(struct gathering *g, const struct ledger_event *e, bool first, struct error *err)
{
	if (e->kind == LK_REFUNDED || e->kind == LK_PART_REFUNDED)
		return add_message(g, OUTBOX_REFUNDED_TO_RESERVATION, e->tid, e->n, err) &&
		    add_message(g, OUTBOX_REFUNDED_TO_GATEWAY, e->tid, e->n, err);
	return !first ||
	    (add_message(g, OUTBOX_PAYMENT_APPROVED, e->tid, 0, err) &&
		add_message(g, OUTBOX_PAYMENT_RESOLVED, e->tid, 0, err) &&
		add_message(g, OUTBOX_QUEUE_REMOVED, e->tid, 0, err));
}

bool
operate_messages_of(struct flow *f, const struct flow_call *c, const struct ledger_chain *chain,
    struct operate_message **out, size_t *n, struct error *err)
{
	struct gathering g = { .f = f, .c = c };
	bool ok = true;

	for (size_t i = 0; ok && i < chain->n; i++) {
		bool first = chain->ev[i].tid[0] != '\0';

		for (size_t k = 0; first && k < i; k++)
			first = strcmp(chain->ev[k].tid, chain->ev[i].tid) != 0;
		ok = add_messages(&g, &chain->ev[i], first, err);
	}
	if (!ok)
		operate_messages_clear(&g.list, g.n);
	*out = g.list;
	*n = ok ? g.n : 0;
	return ok;
}

/* -- what is owed */

static bool
is_wanted(const struct operate_owed *o, const struct store_message *m)
{
	const char *state = operate_message_state(m);

	return o->state == NULL || strcmp(o->state, state) == 0 ||
	    (strcmp(o->state, "failing") == 0 && m->tries > 0);
}

bool
operate_message_is_of(struct flow *f, const struct flow_call *c, const struct store_message *m,
    const char *const *cids, size_t n_cids, bool *is, struct error *err)
{
	char cid[CID_CAP], order[ORDER_CAP];

	*is = cids == NULL || outbox_is_test(m);
	if (*is)
		return true;
	if (!operate_find_order(f, c, m->tid, cid, order, err))
		return err->code == ERR_NOT_FOUND;
	*is = flow_cid_is_one_of(cid, cids, n_cids);
	return true;
}

static void
pass(struct operate_owed *o, const struct store_message *m)
{
	o->passed = m->at_ms == o->at_ms ? o->passed + 1 : 1;
	o->at_ms = m->at_ms;
}

/* Looks at one; what is wanted stays in the list, at its place. */
static bool
look_at(struct flow *f, const struct flow_call *c, struct operate_owed *o, struct store_message *m,
    bool *wanted, struct error *err)
{
	*wanted = o->peer == NULL || strcmp(o->peer, m->peer) == 0;
	if (!*wanted)
		return true;
	if (!store_outbox_tries(f->store, m, c->deadline_boot_ms, err))
		return false;
	*wanted = is_wanted(o, m);
	return !*wanted || operate_message_is_of(f, c, m, o->cids, o->n_cids, wanted, err);
}

bool
operate_list_owed(struct flow *f, const struct flow_call *c, struct operate_owed *o,
    struct store_message **out, size_t *n, bool *more, struct error *err)
{
	enum { LOOKED_AT = 500 };
	size_t skip = o->passed, limit = LOOKED_AT + skip, n_list, i;
	struct store_message *list;
	bool ok = true, wanted;

	*out = NULL;
	*n = 0;
	if (!store_outbox_since(f->store, o->at_ms, limit, &list, &n_list, c->deadline_boot_ms,
		err))
		return false;
	for (i = skip;
	     ok && i < n_list && *n < o->limit && (i == skip || clock_boot_ms() < o->until_boot_ms);
	     i++) {
		ok = look_at(f, c, o, &list[i], &wanted, err);
		pass(o, &list[i]);
		if (ok && wanted) { /* those before it stay, for their memory is theirs */
			struct store_message m = list[*n];

			list[*n] = list[i];
			list[i] = m;
			(*n)++;
		}
	}
	*more = i < n_list || n_list == limit;
	for (size_t k = ok ? *n : 0; k < n_list; k++)
		store_message_clear(&list[k]);
	if (!ok)
		*n = 0;
	*out = list;
	return ok;
}
