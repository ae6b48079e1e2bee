/* What an inquiry proves: one table. No I/O. */
#pragma once

#include <stdbool.h>

#include "money/ledger.h"

enum flow_verdict {
	FV_CAPTURED,	       /* *payment, as asked for */
	FV_CAPTURED_OTHERWISE, /* *payment, which differs from what was asked: review */
	FV_CANCELED,	       /* captured, and since refunded in whole or part */
	FV_FAILED,	       /* FAIL_*, QUIT_PAYMENT: not captured, and never will be */
	FV_PENDING, /* not yet approved: proves nothing while an approve may be under way */
	FV_STRANGE, /* a status that no document names: an operator decides */
	FV_SILENT,  /* no answer, or none of use */
};

/*
 * True: the verdict proves the outcome. *kind is the event to write, *captured whether money was
 * taken. False (pending, silent): it proves nothing, and *kind is LK_UNKNOWN.
 */
bool flow_verdict_proves(enum flow_verdict v, enum ledger_kind *kind, bool *captured);
