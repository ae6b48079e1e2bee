#include "config.h"

#include "queued/state.h"

void
commands_fail(struct commands *c, const struct error *why)
{
	if (!c->failed)
		c->why = *why;
	c->failed = true;
}

const char *
commands_away(const struct commands *c)
{
	return c->log->away == NULL ? NULL : c->log->away(c->log);
}
