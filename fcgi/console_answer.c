#include "config.h"

#include "fcgi/console_answer.h"

#include "base/clock.h"
#include "fcgi/caller.h"

enum { PING_MS = 1000 };

bool
console_is_korean(const struct call *c)
{
	return c->to.language == LANGUAGE_KO;
}

bool
console_cids(struct call *c, const char *named, const char *cids[CONF_CIDS_MAX], size_t *n)
{
	*n = caller_cids(c->caller, cids);
	if (named[0] == '\0')
		return true;
	cids[0] = named;
	*n = 1;
	return call_may_use(c, named);
}

bool
console_sees_all(const struct call *c)
{
	for (size_t i = 0; i < c->e->conf->n_merchants; i++)
		if (!caller_has_cid(c->caller, c->e->conf->merchants[i].cid))
			return false;
	return true;
}

bool
console_is_of(struct call *c, const char *cid)
{
	if (caller_has_cid(c->caller, cid))
		return true;
	call_problem(c, PROBLEM_NOT_KNOWN);
	return false;
}

/* Store and queue fail with the same code: the one that answers now was not it. */
static enum problem
who_is_away(struct call *c)
{
	struct error ignored;

	return store_ping(c->e->flow.store, clock_boot_ms() + PING_MS, &ignored)
	    ? PROBLEM_QUEUE_UNAVAILABLE
	    : PROBLEM_STORE_UNAVAILABLE;
}

void
console_failed(struct call *c, const struct error *err)
{
	call_explain(c, err->msg);
	switch (err->code) {
	case ERR_NOT_FOUND:
		call_problem(c, PROBLEM_NOT_KNOWN);
		break;
	case ERR_CONFLICT: /* another queue than this site's */
		call_problem(c, PROBLEM_NOT_READY);
		break;
	case ERR_UNAVAILABLE:
	case ERR_UNCERTAIN:
		call_problem(c, who_is_away(c));
		break;
	default:
		call_problem(c, PROBLEM_INTERNAL_ERROR);
		break;
	}
}

void
console_queue_failed(struct call *c, const struct error *err)
{
	call_explain(c, err->msg);
	call_problem(c, err->code == ERR_CONFLICT ? PROBLEM_NOT_READY : PROBLEM_QUEUE_UNAVAILABLE);
}

/* A queue that is another one is not asked, and so is "away". Who looks wants to hear of it; and
 * the gate closes, as it would with the next payment. */
void
console_look(struct call *c, struct operate_status *s)
{
	struct flow *f = &c->e->flow;

	operate_status(f, s);
	if (s->queue || s->queue_err.code != ERR_CONFLICT)
		return;
	gate_note(&c->e->gate, f, FR_NOT_READY);
	queue_expect(f->queue, "");
	operate_status(f, s);
}

struct flow
console_flow(struct call *c)
{
	struct flow f = *call_flow(c);

	f.provider = NULL;
	return f;
}
