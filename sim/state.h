/* What the simulated KakaoPay knows: orders, captures, cancels, the clock. The simulator has one
 * thread, so each change is complete before the next request. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sim/journal.h"
#include "sim/order.h"

struct cancel_ref {
	const struct order *order;
	size_t index;
};

struct state {
	struct order *by_tid, *by_page;
	struct order **captures; /* in the order in which they were made */
	size_t n_captures, cap_captures;
	struct cancel_ref *cancels;
	size_t n_cancels, cap_cancels;
	int64_t offset_ms; /* simulated clock - system clock */
	uint64_t random;
	struct journal journal; /* each change is in it before anybody sees the change */
};

/* Reads the file of an earlier run and appends to it. path NULL: nothing is kept. ERR_INPUT: not a
 * state file; the message names the line. ERR_BUSY: another simulator has it. */
bool state_open(struct state *s, const char *path, struct error *err)
    __attribute__((warn_unused_result));
void state_close(struct state *s);
/* forgets everything and empties the file */
bool state_reset(struct state *s, struct error *err) __attribute__((warn_unused_result));

int64_t state_now_ms(const struct state *s);
bool state_set_clock(struct state *s, int64_t offset_ms, struct error *err)
    __attribute__((warn_unused_result));

/* NULL: no such tid */
struct order *state_find(const struct state *s, const char *tid);
struct order *state_find_page(const struct state *s, const char *page_id);
size_t state_count(const struct state *s);
bool order_is_expired(const struct state *s, const struct order *o);

/* The changes. ERR_CONFLICT: the status does not allow it. ERR_INTERNAL: the state file cannot be
 * written. Then nothing has changed. */

/* Gives *o its tid, page and time. On success it takes the order over and sets *o to NULL. */
bool state_add(struct state *s, struct order **o, struct order **added, struct error *err)
    __attribute__((warn_unused_result));
bool state_step(struct state *s, struct order *o, enum status to, struct error *err)
    __attribute__((warn_unused_result));
/* The user has authenticated: issues o->pg_token, unless there is one. method: CARD or MONEY. NULL:
 * the one that ready fixed, else MONEY. */
bool state_pay(struct state *s, struct order *o, const char *method, struct error *err)
    __attribute__((warn_unused_result));
/* Moves the money. Only the status is checked here; the caller checks the rest. */
bool state_capture(struct state *s, struct order *o, const char *payload, struct error *err)
    __attribute__((warn_unused_result));
bool state_cancel(struct state *s, struct order *o, const struct amount *a, const char *payload,
    struct error *err) __attribute__((warn_unused_result));
