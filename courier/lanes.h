/* The courier's rounds side by side (round.h), each on a lane of its own: a thread and a connection
 * to the store. So what is new is found and claimed while ends are still being written down, and
 * while the claims before it wait for the majority. */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/error.h"
#include "courier/task.h"
#include "site/conf.h"

enum { LANES_LOOK_MS = 20 }; /* looks at what is new begin no closer together */

struct lanes;

struct lanes_user {
	void (*post)(void *ctx, struct task *t); /* it is claimed: the callee's */
	void (*rest)(void *ctx); /* after lanes_stop: nothing runs, no end waits that could be
				    written down */
	void *ctx;
};

/* by: this courier's own name, unlike that of any other process ever. Borrows conf. */
struct lanes *lanes_new(uv_loop_t *loop, const struct conf *conf, const char *by,
    const struct lanes_user *user, struct error *err);
void lanes_close(struct lanes *l); /* nothing may run. Handles close while the loop runs on */
void lanes_free(struct lanes **l);

void lanes_begin(struct lanes *l); /* looks at all of the outbox */
/* Nothing is delivered before the database is known to be this site's: another site's messages are
 * not ours. At first it is not. */
void lanes_allow(struct lanes *l, bool allowed);
void lanes_look(struct lanes *l);		    /* something was put into the outbox */
void lanes_finish(struct lanes *l, struct task *t); /* its post has ended. Takes the task */
void lanes_stop(struct lanes *l); /* from here on ends are written down, and nothing else */
bool lanes_rest(struct lanes *l); /* nothing runs, and no end waits that could be written down */
