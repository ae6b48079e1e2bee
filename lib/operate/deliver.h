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
	void (*tell)(void *ctx, const char *id, const struct error *err); /* each message; err NULL:
									     done */
	void *ctx;
};
struct operate_resend_report {
	int64_t found, resent, failed;
	bool more; /* the outbox is longer than one list: run it again */
};

/*
 * ERR_NOT_FOUND: no such message, or it was acknowledged and taken_too is not set. ERR_CONFLICT: it
 * was withdrawn, or the ledger does not tell any more what it said.
 */
bool operate_resend(struct flow *f, const struct flow_call *c, const char *id,
    const struct operate_resend *how, struct error *err);
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
