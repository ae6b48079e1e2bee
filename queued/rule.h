/* A request that has a rule: from the decision to the answer, and to what follows from it. */
#pragma once

#include "queued/state.h"

/* The time of a decision, as the table counts. In a log it never runs back: another machine's clock
 * may be ahead of this one's, and a record of now may be read after this machine looked at its
 * own. */
struct now rule_time(const struct commands *c, struct now now);
/* Until when the client of a verb that `waits` listens: nothing is granted after it. */
int64_t rule_heard_until(const struct request *rq);
/* Changes nothing. False: it was answered with `error`. The caller clears *a. */
bool rule_decide(struct commands *c, const struct request *rq, struct now now,
    struct hold_answer *a);
/* One record for all that expires now; empty: nothing does. *next_boot_ms: when to ask again.
 * False: commands_fail was called. */
bool rule_expire(struct commands *c, struct now now, struct buf *record, int64_t *next_boot_ms);
/* True: the request must wait, or there is no room for its record, and its client was told so.
 * False: carry it out. */
bool rule_ends_early(struct commands *c, const struct request *rq, const struct hold_answer *a,
    struct now now);
/* The answer's line. Format it before anything is applied: the answer borrows from the table. */
void rule_format(const struct request *rq, const struct hold_answer *a, struct buf *line);
/* The decision holds: changes the table, sends the line, counts calls, wakes who waited. */
void rule_carry_out(struct commands *c, const struct request *rq, const struct hold_answer *a,
    const struct buf *line);
/* Changes the table. False: the record did not fit, and commands_fail was called. */
bool rule_apply(struct commands *c, const void *record, size_t len, struct hold_changes *changed);
/* Writes what a record of another machine, which was applied, means for orders into this machine's
 * log of orders. */
void rule_note_followed(struct commands *c, const void *record, size_t len);
/* Dismisses those who wait for the ready call of an expired hold: nobody will end it. */
void rule_end_expired(struct commands *c, const struct hold_changes *changed);
