#include "config.h"

#include "fcgi/call.h"

#include <string.h>

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
