/* The queue that runs takes the place of one whose journal was lost. */
#pragma once

#include <stdbool.h>

#include "flow/flow.h"
#include "operate/status.h"

enum operate_adopt {
	ADOPT_NOTHING, /* the running queue is the site's own */
	ADOPT_WOULD,   /* a dry run */
	ADOPT_DONE,
	ADOPT_NOT_NEW, /* its journal is not new: another site's, or an older one of this site */
	ADOPT__MAX
};
const char *operate_adopt_text(enum operate_adopt how, bool korean);

/*
 * Out comes how the site is, and what was done. A dry run says ADOPT_WOULD or ADOPT_NOT_NEW as
 * well. False: store or queue did not answer; ERR_CONFLICT: another queue was adopted at the same
 * time.
 */
bool operate_adopt(struct flow *f, const struct flow_call *c, const char *reason, bool dry_run,
    struct operate_status *s, enum operate_adopt *how, struct error *err);
