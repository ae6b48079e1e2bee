/* The calls to KakaoPay that clients make with what they were granted, and the requests that wait
 * for such a call or for a poke. Both belong to a connection and end with it. */
#pragma once

#include "queued/state.h"

bool callers_has_call(const struct commands *c, enum verb_call kind, uint64_t id);
/* The call of this hold belongs to the peer from now on, whoever had it before: an approve whose
 * deadline has passed may be granted again. */
void callers_begin_call(struct commands *c, enum verb_call kind, uint64_t id, struct peer *p);
void callers_end_call(struct commands *c, enum verb_call kind, uint64_t id);
/* Another machine has changed these holds: calls of ours that came back there have ended. */
void callers_end_elsewhere(struct commands *c, const struct hold_changes *changed);

/* The request waits for the call of this hold. False: there are too many waiters, or no memory. */
bool callers_park(struct commands *c, const struct request *rq, uint64_t id);
/* Tells those who wait for this call that it has come to nothing. failure: why, if known. */
void callers_dismiss(struct commands *c, enum verb_call kind, uint64_t id, const char *failure);
/* Marks the waiters whose hold has changed: their requests are decided again. */
void callers_wake(struct commands *c, const struct hold_changes *changed);
/* Takes one of those out, for the caller to free; NULL: no more. */
struct waiter *callers_next_woken(struct commands *c);
void callers_free_waiter(struct waiter *w);
/* Answers every watch. */
void callers_end_watches(struct commands *c);
/* Answers those who have waited long enough. Returns the next deadline, INT64_MAX: none. */
int64_t callers_time(struct commands *c, int64_t now_boot_ms);
/* The peer's calls end and its waiters are forgotten. */
void callers_forget(struct commands *c, const struct peer *p);
