/*
 * Messages to other services, by an operator's hand: once more what is owed, again what was taken
 * (the receiver has lost its data), and one that only tries the way.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "flow/flow.h"

struct operate_resend {
	const char *reason; /* kept in the ledger of each message's order */
	bool taken_too;	    /* also what was acknowledged: it is made anew from the ledger */
	bool dry_run;
	/* operate_resend_all alone: what is owed, or happened, from then on; to this peer, NULL:
	 * both */
	int64_t since_ms;
	const char *peer;
	/* operate_resend_step alone: of payments of these; NULL: of all */
	const char *const *cids;
	size_t n_cids;
	void (*tell)(void *ctx, const char *id, const struct error *err); /* each message; err NULL:
									     done */
	void *ctx;
};
struct operate_resend_report {
	int64_t found, resent, failed;
	bool more; /* the outbox is longer than one list: run it again */
};

enum operate_resend_no { /* why a message is not sent once more */
	RESEND_OK,
	RESEND_NO_SUCH,
	RESEND_TAKEN,	  /* it was acknowledged, and taken_too is not set */
	RESEND_WITHDRAWN, /* the payment was refunded before it was told */
	RESEND_NOT_TOLD,  /* the ledger does not tell any more what it said */
	RESEND_NO__MAX
};
/* last: its last try; NULL: it was never tried. Where it is owed, it may be sent. */
enum operate_resend_no operate_may_resend(bool owed, const struct store_try *last, bool taken_too);
const char *operate_resend_no_text(enum operate_resend_no no, bool korean);

/*
 * ERR_NOT_FOUND: no such message, or it was acknowledged and taken_too is not set. ERR_CONFLICT: it
 * was withdrawn, or the ledger does not tell any more what it said.
 */
bool operate_resend(struct flow *f, const struct flow_call *c, const char *id,
    const struct operate_resend *how, struct error *err);
/*
 * A piece of what is owed, without what was taken: the oldest first, from the mark on until
 * until_boot_ms, at least one. Zeroed: the beginning. *ended: that was all of it.
 */
struct operate_resend_mark {
	int64_t at_ms; /* owed since; those before are done, */
	size_t passed; /* and so many of this millisecond */
};
bool operate_resend_step(struct flow *f, const struct flow_call *c,
    const struct operate_resend *how, int64_t until_boot_ms, struct operate_resend_mark *mark,
    struct operate_resend_report *report, bool *ended, struct error *err);
/* False: the store, or with taken_too no since_ms. What cannot be sent again is told and counted.
 * Repeatable. */
bool operate_resend_all(struct flow *f, const struct operate_resend *how,
    struct operate_resend_report *report, struct error *err);

/* A test message to this peer, and what became of it. */
struct operate_test {
	char id[MESSAGE_ID_CAP];
	bool posted; /* a courier took it; else none runs, or it cannot reach the database */
	bool ended;  /* else it is still under way */
	struct store_try try; /* status, error, acknowledged */
	int64_t took_ms;      /* from here to its end, as far as that was seen */
};
/* Waits for it, at most wait_ms. ERR_CONFLICT: the configuration names no such receiver. */
bool operate_test_peer(struct flow *f, const char *peer, int64_t wait_ms, struct operate_test *out,
    struct error *err);
