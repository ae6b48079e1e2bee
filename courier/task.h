/* A message on its way: from the outbox to its peer, and how that ended. */
#pragma once

#include <stdbool.h>

#include "site/conf.h"
#include "store/store.h"

struct task { /* a message whose next try is ours */
	struct task *next;
	const struct conf_peer *peer;
	struct store_message message;
	bool guessed;	      /* taken for one that was never tried */
	int64_t look;	      /* the look, counted, during which it was found */
	struct store_try try; /* claimed; status, error and acknowledged are set by the post */
};
void task_free(struct task **t);
