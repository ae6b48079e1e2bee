/*
 * Requests on a log that may lose a commit (commit_log.h). A request is decided on the table as it
 * is, staged, and carried out when its commit is done. If it depends on something staged, or would
 * write while a commit is pending, it waits in the backlog for the next batch. Everything else is
 * answered at once.
 */
#pragma once

#include "queued/state.h"

void batch_init(struct batch *b);
void batch_clear(struct batch *b);

/* Decides a request. It is answered now, or when its batch ends, or with `unavailable` while its
 * client still waits. */
void batch_run(struct commands *c, const struct request *rq, struct now now);
/* Stages what has expired. Returns when to call again; INT64_MAX: after the next step. */
int64_t batch_expire(struct commands *c, struct now now);
/* Answers `unavailable` to clients that cannot wait any longer: nobody knows yet what becomes of
 * their requests. Returns the next such time; INT64_MAX: none. */
int64_t batch_time(struct commands *c, int64_t now_boot_ms);
/* Commits what is staged, or asks what became of it, and acts on that. False: there is no news. */
bool batch_step(struct commands *c, struct now now);
/* The peer is gone. Its staged requests go on without it, the others are forgotten. */
void batch_forget(struct commands *c, const struct peer *p);
