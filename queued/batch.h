/*
 * Requests on a log that may lose (commit_log.h): they are decided on the table as it is, staged, and
 * carried out when their commit is done. What depends on something staged, and what is to be written
 * while a commit is pending, waits in the backlog for the next batch. Everything else is answered at
 * once.
 */
#pragma once

#include "queued/state.h"

void batch_init(struct batch *b);
void batch_clear(struct batch *b);

/* Decides a request; it is answered now, or by a batch, or in time with `unavailable`. */
void batch_run(struct commands *c, const struct request *rq, struct now now);
/* Stages what has expired. Returns when to call again, INT64_MAX: after the next step. */
int64_t batch_expire(struct commands *c, struct now now);
/* Tells those who have waited too long that it is not known what becomes of their request. Returns
 * the next such time, INT64_MAX: none. */
int64_t batch_time(struct commands *c, int64_t now_boot_ms);
/* Commits what is staged, or asks what became of it, and goes on from there. False: nothing is new. */
bool batch_step(struct commands *c, struct now now);
/* The peer is gone: what is staged goes on without it, what is not is forgotten. */
void batch_forget(struct commands *c, const struct peer *p);
