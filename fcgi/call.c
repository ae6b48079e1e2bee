#include "config.h"

#include "fcgi/call.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "fcgi/accept.h"
#include "fcgi/caller.h"

enum { GATE_LIMIT_MS = 1500 };

void
call_problem(struct call *c, enum problem p)
{
	reply_problem(c->reply, &c->to, p, NULL, NULL);
}

void
call_explain(struct call *c, const char *why)
{
	size_t len = strnlen(why, sizeof(c->why) - 1);

	memcpy(c->why, why, len);
	c->why[len] = '\0';
}

struct flow *
call_flow(struct call *c)
{
	gate_try(&c->e->gate, &c->e->flow, GATE_LIMIT_MS);
	return &c->e->flow;
}

bool
call_take(struct call *c, enum request_verdict v, const struct field_errors *errors,
    const struct error *err)
{
	switch (v) {
	case REQUEST_OK:
		return true;
	case REQUEST_MALFORMED:
		call_explain(c, err->msg);
		call_problem(c, PROBLEM_MALFORMED_JSON);
		return false;
	case REQUEST_WRONG_FIELDS:
		snprintf(c->why, sizeof(c->why), "%zu wrong fields, the first %s", errors->n,
		    field_code_name(errors->e[0].code));
		reply_problem(c->reply, &c->to, PROBLEM_INVALID_FIELDS, NULL, errors);
		return false;
	case REQUEST_NO_MEMORY:
		break;
	}
	call_explain(c, "out of memory");
	call_problem(c, PROBLEM_INTERNAL_ERROR);
	return false;
}

bool
call_may_use(struct call *c, const char *cid)
{
	if (conf_merchant(c->e->conf, cid) == NULL)
		call_problem(c, PROBLEM_UNKNOWN_MERCHANT);
	else if (!caller_has_cid(c->caller, cid))
		call_problem(c, PROBLEM_FORBIDDEN);
	else
		return true;
	return false;
}

void
call_failed_read(struct call *c, const struct error *err)
{
	call_explain(c, err->msg);
	call_problem(c,
	    err->code == ERR_UNAVAILABLE ? PROBLEM_STORE_UNAVAILABLE : PROBLEM_INTERNAL_ERROR);
}

static bool
is_media_type(const char *range, size_t len, const char *type)
{
	return len == strlen(type) && strncasecmp(range, type, len) == 0;
}

bool
call_wants_csv(const struct call *c)
{
	return accept_weight(c->in->accept, is_media_type, "text/csv") > 0;
}
