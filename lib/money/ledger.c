#include "config.h"

#include "money/ledger.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[] = {
	[LK_APPROVING] = "approving",
	[LK_APPROVED] = "approved",
	[LK_DECLINED] = "declined",
	[LK_REFUSED] = "refused",
	[LK_NOT_EXECUTED] = "not_executed",
	[LK_UNKNOWN] = "unknown",
	[LK_REVIEW] = "review",
	[LK_ABANDONED] = "abandoned",
	[LK_REMOVED] = "removed",
	[LK_UNBOOKABLE] = "unbookable",
	[LK_REFUNDING] = "refunding",
	[LK_REFUNDED] = "refunded",
	[LK_PART_REFUNDED] = "part_refunded",
	[LK_REFUND_FAILED] = "refund_failed",
	[LK_REFUND_UNKNOWN] = "refund_unknown",
	[LK_NOTE] = "note",
};
static_assert(sizeof(kind_names) / sizeof(kind_names[0]) == LK__MAX, "a name for each kind");

const char *
ledger_kind_name(enum ledger_kind k)
{
	assert(k >= 0 && k < LK__MAX);
	return kind_names[k];
}

bool
ledger_kind_parse(const char *name, enum ledger_kind *out)
{
	for (int k = 0; k < LK__MAX; k++)
		if (strcmp(kind_names[k], name) == 0) {
			*out = (enum ledger_kind)k;
			return true;
		}
	return false;
}

void
ledger_event_clear(struct ledger_event *e)
{
	free(e->attempt);
	memset(e, 0, sizeof(*e));
}

void
ledger_chain_clear(struct ledger_chain *c)
{
	for (size_t i = 0; i < c->n; i++)
		ledger_event_clear(&c->ev[i]);
	free(c->ev);
	memset(c, 0, sizeof(*c));
}
