#include "config.h"

#include "flow/verdict.h"

bool
flow_verdict_proves(enum flow_verdict v, enum ledger_kind *kind, bool *captured)
{
	/* clang-format off */
	static const struct { bool proves; enum ledger_kind kind; bool captured; } table[] = {
		[FV_CAPTURED]           = { true,  LK_APPROVED, true },
		[FV_CAPTURED_OTHERWISE] = { true,  LK_REVIEW,   true },
		[FV_CANCELED]           = { true,  LK_APPROVED, true },
		[FV_FAILED]             = { true,  LK_DECLINED, false },
		[FV_PENDING]            = { false, LK_UNKNOWN,  false },
		[FV_STRANGE]            = { true,  LK_REVIEW,   false },
		[FV_SILENT]             = { false, LK_UNKNOWN,  false },
	};
	/* clang-format on */

	*kind = table[v].kind;
	*captured = table[v].captured;
	return table[v].proves;
}
