/* Everything that the simulator holds. src: KakaoPay API notes, section 8 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "sim/calls.h"
#include "sim/fault.h"
#include "sim/server.h"
#include "sim/state.h"

/* What is not known for certain about KakaoPay. A careful client must be safe with every value. */
struct unsure {
	int64_t replayed_approve; /* -702 (default), -708, -723 or -785 */
	int64_t inquiry_lag_s;	  /* 0..60: the inquiry answers what was true so long ago */
	/* a tid younger than the lag is unknown (-721) instead of READY */
	bool inquiry_lag_hides;
	bool approve_after_window;     /* accepted, not -723 */
	bool wrong_token_consumes;     /* -708 ends the tid: FAIL_PAYMENT */
	bool cancel_available_ignored; /* a wrong cancel_available_amount does not matter */
	int64_t vat_rounding;	       /* -1, 0, 1: won added to the VAT that nobody sent */
	/* a cancel during an approve: both are carried out; off: -785 */
	bool approve_and_cancel_both;
};

enum { SIM_CIDS_MAX = 32 };
struct work;
struct sim {
	struct state state;
	struct faults faults;
	struct calls calls;
	struct unsure unsure;
	char cids[SIM_CIDS_MAX][CID_CAP];
	size_t n_cids;
	struct secret key, admin_key; /* not set: that generation refuses everybody */
	struct secret cid_secret;     /* not set: none is asked for */
	struct secret user_token;     /* set: Bearer is accepted by the legacy ready */
	const char *base_url;	      /* of the pages, without a slash at its end */
	struct server *server;
	struct work *waiting; /* calls that were received and are not done yet */
};
