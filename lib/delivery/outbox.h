/* What is owed to reservation and gateway, as messages: one table of kinds. The same facts give the same message under the same id for ever. No I/O. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "money/payment.h"
#include "store/store.h"

enum outbox_kind {
	OUTBOX_PAYMENT_APPROVED,	/* reservation: {userId, roomId, tid, reservationInfo, payment} */
	OUTBOX_QUEUE_REMOVED,		/* gateway: {userId, roomId, tid, partner_order_id, state, reservationInfo, payment} */
	OUTBOX_PAYMENT_RESOLVED,	/* gateway: {userId, roomId, tid, partner_order_id, state, charged, payment?}: the attempt had been unknown */
	OUTBOX__MAX
};

struct outbox_facts {
	const char *user_id, *room_id, *tid, *partner_order_id;
	const char *state;		/* "approved", "declined", ... */
	const char *reservation_info;	/* JSON as the gateway sent it */
	const struct payment *payment;	/* NULL: nothing was captured */
};

/* The reservation service has answered that it cannot book: more tries would not change its mind. */
bool outbox_is_unbookable(const char *type, int64_t status);

/* "<type>.<tid>" */
void outbox_id(enum outbox_kind kind, const char *tid, char out[160]);

/* *out: store_message_clear by the caller; tries and last_try_ms are 0. id is "<type>.<tid>". ERR_INTERNAL: no memory. */
bool outbox_message(enum outbox_kind kind, const struct outbox_facts *f, int64_t at_wall_ms, struct store_message *out, struct error *err)
	__attribute__((warn_unused_result));
