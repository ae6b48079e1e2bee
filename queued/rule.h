/* A request that has a rule: from the decision to its answer and to what follows from it. */
#pragma once

#include "queued/state.h"

/* Changes nothing. False: it was answered `error`. The answer is the caller's (hold_answer_clear). */
bool rule_decide(struct commands *c, const struct request *rq, struct now now, struct hold_answer *a);
/* Answers what must wait, and what there is no room for. False: it is to be carried out. */
bool rule_ends_early(struct commands *c, const struct request *rq, const struct hold_answer *a,
    struct now now);
/* The answer's line. Format it before anything is applied: the answer borrows from the table. */
void rule_format(const struct request *rq, const struct hold_answer *a, struct buf *line);
/* The decision holds: changes the table, sends the line, counts calls, wakes who waited. */
void rule_carry_out(struct commands *c, const struct request *rq, const struct hold_answer *a,
    const struct buf *line);
/* Changes the table by a record that is staged or committed. False: it did not fit; commands_fail. */
bool rule_apply(struct commands *c, const void *record, size_t len, struct hold_changes *changed);
/* Those whose hold has expired wait for a call that nobody will end. */
void rule_end_expired(struct commands *c, const struct hold_changes *changed);
