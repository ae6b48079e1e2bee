/* An operator drops a hold. One that may be charged must be settled first. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "flow/flow.h"

enum operate_release {
	RELEASE_DONE,		/* or would be, in a dry run */
	RELEASE_READY_CALL,	/* its ready call is under way: it ends by itself within seconds */
	RELEASE_MAY_BE_CHARGED, /* approving, unknown or in review: settle it first */
	RELEASE_NOTHING_HELD,	/* it holds no time any more */
	RELEASE_CHANGED,	/* it changed meanwhile, or the flow refused: out->detail */
	RELEASE__MAX
};
struct operate_released {
	enum hold_state was;
	bool noted; /* the reason stands in the ledger; a hold that never came to an approve has
		       none */
	char detail[200]; /* of RELEASE_CHANGED; may be "" */
};

/* Why not, in a sentence. */
const char *operate_release_text(enum operate_release r, bool korean);
/* What may be released. */
enum operate_release operate_may_release(enum hold_state s);
/* h: as the queue has just shown it. False: the store or the queue; nothing was released. */
bool operate_release(struct flow *f, const struct flow_call *c, const struct queue_hold *h,
    const char *const *cids, size_t n_cids, const char *reason, bool dry_run,
    enum operate_release *how, struct operate_released *out, struct error *err);
