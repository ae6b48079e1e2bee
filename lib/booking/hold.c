#include "config.h"

#include "booking/hold.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static const char *const names[] = {
	[HOLD_HELD] = "held",
	[HOLD_READY] = "ready",
	[HOLD_APPROVING] = "approving",
	[HOLD_UNKNOWN] = "unknown",
	[HOLD_REVIEW] = "review",
	[HOLD_APPROVED] = "approved",
	[HOLD_REMOVED] = "removed",
	[HOLD_DECLINED] = "declined",
	[HOLD_EXPIRED] = "expired",
	[HOLD_FENCED] = "fenced",
};
static_assert(sizeof(names) / sizeof(names[0]) == HOLD__MAX, "a name for each state");

static const char *const event_names[] = {
	[HOLD_EV_READY] = "ready",
	[HOLD_EV_FAIL] = "fail",
	[HOLD_EV_APPROVE] = "approve",
	[HOLD_EV_APPROVED] = "approved",
	[HOLD_EV_DECLINED] = "declined",
	[HOLD_EV_UNKNOWN] = "unknown",
	[HOLD_EV_REVIEW] = "review",
	[HOLD_EV_RESTORE_READY] = "restore ready",
	[HOLD_EV_RESTORE_EXPIRED] = "restore expired",
	[HOLD_EV_EXPIRE] = "expire",
	[HOLD_EV_FENCE] = "fence",
	[HOLD_EV_REMOVE] = "remove",
};
static_assert(sizeof(event_names) / sizeof(event_names[0]) == HOLD_EV__MAX,
    "a name for each event");

/* clang-format off */
static const struct { enum hold_state from; enum hold_event ev; enum hold_state to; } steps[] = {
	{ HOLD_HELD,      HOLD_EV_READY,           HOLD_READY     },
	{ HOLD_HELD,      HOLD_EV_FAIL,            HOLD_REMOVED   },
	{ HOLD_HELD,      HOLD_EV_EXPIRE,          HOLD_EXPIRED   },
	{ HOLD_HELD,      HOLD_EV_FENCE,           HOLD_FENCED    },
	{ HOLD_HELD,      HOLD_EV_REMOVE,          HOLD_REMOVED   },

	{ HOLD_READY,     HOLD_EV_APPROVE,         HOLD_APPROVING },
	{ HOLD_READY,     HOLD_EV_EXPIRE,          HOLD_EXPIRED   },
	{ HOLD_READY,     HOLD_EV_FENCE,           HOLD_FENCED    },
	{ HOLD_READY,     HOLD_EV_REMOVE,          HOLD_REMOVED   },

	/* No EXPIRE, FENCE or REMOVE: a charge may exist, so only an outcome ends it. */
	{ HOLD_APPROVING, HOLD_EV_APPROVE,         HOLD_APPROVING },	/* deadline passed */
	{ HOLD_APPROVING, HOLD_EV_APPROVED,        HOLD_APPROVED  },
	{ HOLD_APPROVING, HOLD_EV_DECLINED,        HOLD_DECLINED  },
	{ HOLD_APPROVING, HOLD_EV_UNKNOWN,         HOLD_UNKNOWN   },
	{ HOLD_APPROVING, HOLD_EV_REVIEW,          HOLD_REVIEW    },
	{ HOLD_APPROVING, HOLD_EV_RESTORE_READY,   HOLD_READY     },
	{ HOLD_APPROVING, HOLD_EV_RESTORE_EXPIRED, HOLD_EXPIRED   },

	{ HOLD_UNKNOWN,   HOLD_EV_APPROVE,         HOLD_APPROVING },
	{ HOLD_UNKNOWN,   HOLD_EV_APPROVED,        HOLD_APPROVED  },
	{ HOLD_UNKNOWN,   HOLD_EV_DECLINED,        HOLD_DECLINED  },
	{ HOLD_UNKNOWN,   HOLD_EV_REVIEW,          HOLD_REVIEW    },
	/* A grant over a vanished worker was given back, and the ledger says that neither sent
	 * anything. */
	{ HOLD_UNKNOWN,   HOLD_EV_RESTORE_READY,   HOLD_READY     },
	{ HOLD_UNKNOWN,   HOLD_EV_RESTORE_EXPIRED, HOLD_EXPIRED   },

	{ HOLD_REVIEW,    HOLD_EV_APPROVED,        HOLD_APPROVED  },
	{ HOLD_REVIEW,    HOLD_EV_DECLINED,        HOLD_DECLINED  },

	{ HOLD_APPROVED,  HOLD_EV_REMOVE,          HOLD_REMOVED   },

	{ HOLD_EXPIRED,   HOLD_EV_APPROVE,         HOLD_APPROVING },	/* taken again */
	{ HOLD_EXPIRED,   HOLD_EV_FENCE,           HOLD_FENCED    },
	{ HOLD_EXPIRED,   HOLD_EV_REMOVE,          HOLD_REMOVED   },

	/* Late captures: KakaoPay took the money after something else was concluded. */
	{ HOLD_READY,     HOLD_EV_APPROVED,        HOLD_APPROVED  },
	{ HOLD_EXPIRED,   HOLD_EV_APPROVED,        HOLD_APPROVED  },
	{ HOLD_DECLINED,  HOLD_EV_APPROVED,        HOLD_APPROVED  },
	{ HOLD_FENCED,    HOLD_EV_APPROVED,        HOLD_APPROVED  },
	{ HOLD_REMOVED,   HOLD_EV_APPROVED,        HOLD_APPROVED  },
};
/* clang-format on */

const char *
hold_state_name(enum hold_state s)
{
	assert(s >= 0 && s < HOLD__MAX);
	return names[s];
}

bool
hold_state_parse(const char *name, enum hold_state *out)
{
	for (enum hold_state s = 0; s < HOLD__MAX; s++) {
		if (strcmp(names[s], name) == 0) {
			*out = s;
			return true;
		}
	}
	return false;
}

bool
hold_step(enum hold_state from, enum hold_event ev, enum hold_state *to, struct error *err)
{
	assert(from >= 0 && from < HOLD__MAX && ev >= 0 && ev < HOLD_EV__MAX);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (steps[i].from == from && steps[i].ev == ev) {
			*to = steps[i].to;
			return true;
		}
	}
	return error_set(err, ERR_CONFLICT, "no step \"%s\" from %s", event_names[ev], names[from]);
}

bool
hold_state_is_live(enum hold_state s)
{
	switch (s) {
	case HOLD_HELD:
	case HOLD_READY:
	case HOLD_APPROVING:
	case HOLD_UNKNOWN:
	case HOLD_REVIEW:
	case HOLD_APPROVED:
		return true;
	default:
		return false;
	}
}
