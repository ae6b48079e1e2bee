/*
 * What all rules share: one command, on its way from the question to the answer and the record.
 * Only the .c files of a hold_table see it. A command looks at the table as it is at `now`,
 * decides, and writes what follows into a record. Nothing here changes the table.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "booking/hold_index.h"

enum {
	RETRY_MS = 1000, /* something is under way */
	RETRY_BUSY_MS = 2000,
	RETRY_NO_END_MS = 30000, /* no timer ends the hold that is in the way */
	GONE_OF_PLACE_MAX = 64,	 /* of one user and room: holds remembered without an approve */
	GONE_DROPS_MAX = 8,	 /* of those in one record, so that it stays short */
	SPAN_MAX_MS = 24 * 60 * 60 * 1000, /* the longest time that a caller may ask for */
};

struct decision {
	struct hold_table *t;
	struct now now;
	struct hold_answer *out;
};

/* Begins with an empty answer. */
struct decision decision_begin(struct hold_table *t, struct now now, struct hold_answer *out);
/* False: an earlier record did not fit the table; ERR_INTERNAL. */
bool decision_usable(const struct hold_table *t, struct error *err);
/* Ends the decision. False: the record could not be written. */
bool decision_finish(struct decision *d, struct error *err);
/* NULL: there is no such hold. One that is held and whose time is over counts as forgotten. */
const struct hold *decision_find(const struct decision *d, uint64_t id);

/* The numbers that this decision would give. A record gives at most one of each. */
uint64_t decision_next_id(const struct hold_table *t);
uint64_t decision_next_token(const struct hold_table *t);

/* ---- the answer */

/* What an answer may show of the hold at this time. */
void hold_view_of(const struct hold *h, int64_t boot_ms, struct hold_view *v);
/* The answer shows this hold. */
void decision_show(struct decision *d, const struct hold *h);
/* Sets the code, and when to come again. */
void decision_answer(struct decision *d, enum hold_answer_code code, int64_t retry_ms);
/* Both: the code, and the hold that it is about. */
void decision_answer_about(struct decision *d, enum hold_answer_code code, int64_t retry_ms,
    const struct hold *h);

/* ---- the record */

/* Each adds a change to the record, and begins the record if need be. */
void decision_write(struct decision *d, const struct change *c);
void decision_write_life(struct decision *d, const struct hold *h, const struct hold_life *life);
void decision_write_drop(struct decision *d, const struct hold *h);
/* The life of h after this event, which must be legal in its state. due_ms follows from the new
 * state. */
struct hold_life decision_step(const struct decision *d, const struct hold *h, enum hold_event ev);
void decision_write_step(struct decision *d, const struct hold *h, enum hold_event ev);
/* What is known of an order now: its chain of events reaches to n at least; it is paid. */
void decision_write_order(struct decision *d, const struct order *o, int64_t n, bool paid);
/* The same, where the table may not have the order yet (o NULL). */
void decision_write_memory(struct decision *d, const char *cid, const char *order,
    const struct order *o, int64_t n, bool paid);
/* The order is paid: none of its holds except `but` can be approved any more. One that is approving
 * or unknown waits for its own outcome. */
void decision_write_paid(struct decision *d, const struct order *o, int64_t n,
    const struct hold *but);
/* Held, ready and expired holds of a paid order are fenced. */
bool hold_ends_when_paid(const struct hold *h);

/* ---- small questions */

/* Until when a hold that ended at since_ms is remembered. */
int64_t hold_gone_until(const struct hold_table *t, int64_t since_ms);
/* Calls and waiters together have reached max. */
bool hold_load_is_full(const struct hold_load *load, int64_t max);
/* 1 to INTERVALS_MAX intervals, sorted and disjoint. err: ERR_INPUT. */
bool hold_set_fits(const struct interval_set *set, struct error *err);
/* Not empty, and not longer than `cap` with its NUL. */
bool hold_text_fits(const char *s, size_t cap);
