/* A hold: one user's claim on intervals of one room while paying. Its states, and the legal steps
 * between them. No I/O. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum hold_state {
	HOLD_HELD,	/* the ready call is under way */
	HOLD_READY,	/* KakaoPay knows it, the user may pay */
	HOLD_APPROVING, /* an approve is under way: a charge may exist */
	HOLD_UNKNOWN,	/* the approve was sent, its outcome is not known */
	HOLD_REVIEW,	/* an operator decides */
	HOLD_APPROVED,	/* paid; guards its time until removed */
	HOLD_REMOVED,
	HOLD_DECLINED,
	/* May be taken again within KakaoPay's window, as long as nobody else was granted its
	 * time. */
	HOLD_EXPIRED,
	HOLD_FENCED, /* can never be approved */
	HOLD__MAX
};

/* clang-format off */
enum hold_event {
	HOLD_EV_READY, HOLD_EV_FAIL, HOLD_EV_APPROVE, HOLD_EV_APPROVED, HOLD_EV_DECLINED,
	HOLD_EV_UNKNOWN, HOLD_EV_REVIEW,
	/* Not executed, token refused, or abandoned: what the hold was before. */
	HOLD_EV_RESTORE_READY, HOLD_EV_RESTORE_EXPIRED,
	HOLD_EV_EXPIRE, HOLD_EV_FENCE, HOLD_EV_REMOVE,
	HOLD_EV__MAX
};
/* clang-format on */

const char *hold_state_name(enum hold_state s); /* "held", "ready", ... */
bool hold_state_parse(const char *name, enum hold_state *out);
/* Looks the step up in the table of legal ones. err: ERR_CONFLICT: there is no such step. */
bool hold_step(enum hold_state from, enum hold_event ev, enum hold_state *to, struct error *err);
/* Held, ready, approving, unknown, review, approved: nobody else gets its time. */
bool hold_state_is_live(enum hold_state s);
