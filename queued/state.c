#include "config.h"

#include "queued/state.h"

void
commands_fail(struct commands *c, const struct error *why)
{
	if (!c->failed)
		c->why = *why;
	c->failed = true;
}
