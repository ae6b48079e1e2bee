/* What is owed to the reservation service and the gateway, and what was tried. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/flow.h"

/* "new", "again" (an operator asked for it), "waiting" for its next try, "undelivered". Its tries
 * are filled in (store_outbox_tries). */
const char *operate_message_state(const struct store_message *m);
/* By the schedule and the receiver's Retry-After; 0: at once, or never. */
int64_t operate_message_next_ms(const struct store_message *m);
/* "under way", "failed", "acknowledged", "withdrawn" */
const char *operate_try_end(const struct store_try *t);

/* The tid that the id names. False: it names none, so it is about no payment. */
bool operate_message_tid(const char *id, char tid[TID_CAP]);

struct operate_message { /* one, with its tries */
	char id[MESSAGE_ID_CAP];
	struct store_message m; /* where it is owed */
	bool owed;
	struct store_try *tries;
	size_t n;
};
/* False: err; ERR_NOT_FOUND: it is not owed and was never tried. operate_message_clear in every
 * case. */
bool operate_message_get(struct flow *f, const struct flow_call *c, const char *id,
    struct operate_message *out, struct error *err);
void operate_message_clear(struct operate_message *m);

/* All that were ever owed about this order's attempts. *out: operate_messages_clear. */
bool operate_messages_of(struct flow *f, const struct flow_call *c,
    const struct ledger_chain *chain, struct operate_message **out, size_t *n, struct error *err);
void operate_messages_clear(struct operate_message **list, size_t n);

/*
 * Is it of a payment of these cids? NULL: of all. A test message is about no payment and is
 * everybody's; one whose payment nobody knows is nobody's.
 */
bool operate_message_is_of(struct flow *f, const struct flow_call *c, const struct store_message *m,
    const char *const *cids, size_t n_cids, bool *is, struct error *err);

/* A page of what is owed, the oldest first. */
struct operate_owed {
	const char *peer;	 /* NULL: both */
	const char *state;	 /* as above; "failing": any that was tried; NULL: all */
	const char *const *cids; /* of payments of these; NULL: of all */
	size_t n_cids;
	size_t limit;
	int64_t until_boot_ms; /* when it has looked long enough */
	/* how far it is; zeroed: the beginning */
	int64_t at_ms;
	size_t passed; /* of those that are owed since at_ms */
};
/* *out: store_message_clear each, then free. Turns the page in *o; *more: there is another one. It
 * may hold fewer than the limit, and none. */
bool operate_list_owed(struct flow *f, const struct flow_call *c, struct operate_owed *o,
    struct store_message **out, size_t *n, bool *more, struct error *err);
