/* One user's claim on intervals of one room while paying: its states and the legal steps between them. No I/O. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum hold_state {
	HOLD_HELD,	/* the ready call is under way */
	HOLD_READY,	/* KakaoPay knows it, the user may pay */
	HOLD_APPROVING,	/* an approve is under way: a charge may exist */
	HOLD_UNKNOWN,	/* approve was sent, its end is not known */
	HOLD_REVIEW,	/* an operator decides */
	HOLD_APPROVED,	/* paid; guards its time until removed */
	HOLD_REMOVED,
	HOLD_DECLINED,
	HOLD_EXPIRED,	/* may be taken again in the window while nobody was granted its time */
	HOLD_FENCED,	/* can never be approved */
	HOLD__MAX
};

enum hold_event {
	HOLD_EV_READY, HOLD_EV_FAIL, HOLD_EV_APPROVE, HOLD_EV_APPROVED, HOLD_EV_DECLINED, HOLD_EV_UNKNOWN, HOLD_EV_REVIEW,
	HOLD_EV_RESTORE_READY,		/* not executed, token refused, abandoned: what it was before */
	HOLD_EV_RESTORE_EXPIRED,
	HOLD_EV_EXPIRE, HOLD_EV_FENCE, HOLD_EV_REMOVE,
	HOLD_EV__MAX
};

const char *hold_state_name(enum hold_state s);			/* "held", "ready", ... */
bool hold_state_parse(const char *name, enum hold_state *out);
/* The table. False: ERR_CONFLICT, no such step. */
bool hold_step(enum hold_state from, enum hold_event ev, enum hold_state *to, struct error *err);
/* Held, ready, approving, unknown, review, approved: nobody else gets its time. */
bool hold_state_is_live(enum hold_state s);
