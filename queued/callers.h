/* Who calls KakaoPay with what was granted, and who waits for such a call or for a poke. Calls and
 * waiters belong to a connection and end with it. */
#pragma once

#include "queued/state.h"

bool callers_has_call(const struct commands *c, enum verb_call kind, uint64_t id);
/* The call of this hold is now the peer's, whoever had it before (an approve whose deadline has long
 * passed may be granted again). */
void callers_begin_call(struct commands *c, enum verb_call kind, uint64_t id, struct peer *p);
void callers_end_call(struct commands *c, enum verb_call kind, uint64_t id);

/* False: there are too many waiters, or no memory; then nothing is remembered. */
bool callers_park(struct commands *c, const struct request *rq, uint64_t id);
/* Who waits for this call hears that it has come to nothing. */
void callers_dismiss(struct commands *c, enum verb_call kind, uint64_t id, const char *failure);
/* Marks the waiters whose hold has changed: they are to be asked again. */
void callers_wake(struct commands *c, const struct hold_changes *changed);
/* Takes one of those out; NULL: no more. Its line is the caller's to clear. */
struct waiter *callers_next_woken(struct commands *c);
void callers_free_waiter(struct waiter *w);
/* Answers every watch. */
void callers_end_watches(struct commands *c);
/* Answers those who have waited long enough. Returns the next deadline, INT64_MAX: none. */
int64_t callers_time(struct commands *c, int64_t now_boot_ms);
/* The peer's calls end and its waiters are forgotten. */
void callers_forget(struct commands *c, const struct peer *p);
