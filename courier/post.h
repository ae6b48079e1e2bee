/* Posts messages, many at once: libcurl's multi interface on the event loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/error.h"
#include "courier/round.h"

struct poster;

/* posts_max: to all receivers together; so many connections are kept open.
 * ended: the task's try holds status, error, acknowledged and ended; the task is the callee's. */
struct poster *poster_new(uv_loop_t *loop, size_t posts_max,
    void (*ended)(void *ctx, struct task *t), void *ctx, struct error *err);
/* No post may be under way. Handles close while the loop runs on: free it after that. */
void poster_close(struct poster *p);
void poster_free(struct poster **p);

/* Begins a post, or puts it in line until there is a connection. Its end is told by `ended`, also
 * when it could not begin. Takes the task. */
void poster_start(struct poster *p, struct task *t);
size_t poster_count(const struct poster *p); /* under way, or in line */
/* Gives up what is under way: the tasks are freed, their tries stay claimed and count as failed. */
void poster_abandon(struct poster *p);
