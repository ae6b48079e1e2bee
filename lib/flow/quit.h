/* The user gave up on KakaoPay's page, and nobody told us: KakaoPay knows. */
#pragma once

#include <stdbool.h>

#include "flow/flow.h"

/*
 * Asks KakaoPay about a hold that waits for its user, as often as the queue allows. Where KakaoPay
 * says that the user gave up, or that the payment failed, the hold is removed as the gateway would
 * remove it: its attempt can never be approved, and the room is free. An approve that came before
 * wins. chain: the order's. True: queue or ledger changed, so read them again.
 */
bool flow_look_for_quit(struct flow *f, const struct flow_call *c, const struct queue_hold *h,
    const struct ledger_chain *chain);
