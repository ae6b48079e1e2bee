/* What is owed to reservation and gateway, as messages: one table of kinds. The same facts give the
 * same message under the same id for ever. No I/O. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "money/payment.h"
#include "store/store.h"

enum outbox_kind {
	OUTBOX_PAYMENT_APPROVED, /* reservation: {userId, roomId, tid, reservationInfo, payment} */
	OUTBOX_QUEUE_REMOVED,	 /* gateway: {userId, roomId, tid, partner_order_id, state,
				    reservationInfo, payment} */
	OUTBOX_PAYMENT_RESOLVED, /* gateway: {userId, roomId, tid, partner_order_id, state, charged,
				    payment?}: the attempt had been unknown */
	OUTBOX_REFUNDED_TO_RESERVATION, /* {userId, roomId, tid, partner_order_id, state, refundId?,
					   amount {total, tax_free, vat}, canceled, left, payment}
					 */
	OUTBOX_REFUNDED_TO_GATEWAY,	/* the same */
	OUTBOX__MAX
};

struct outbox_facts {
	const char *user_id, *room_id, *tid, *partner_order_id;
	const char *state;		     /* "approved", "declined", ... */
	const char *reservation_info;	     /* JSON as the gateway sent it */
	const struct payment *payment;	     /* NULL: nothing was captured */
	const struct ledger_event *refunded; /* of payment.refunded: the event that says so */
};

/* The reservation service has answered that it cannot book: more tries would not change its mind.
 */
bool outbox_is_unbookable(const char *type, int64_t status);
/* The receiver has answered that its address is gone for good: an operator must hear of it. */
bool outbox_is_gone(const char *type, int64_t status);

/* The kind, tid and number of an id that outbox_id made. False: it is none. */
bool outbox_parse_id(const char *id, enum outbox_kind *kind, char tid[TID_CAP], int64_t *n);

/* A message that tells nothing, so that a new receiver can be tried: signed and sent like any
 * other, but once. */
bool outbox_test_message(const char *peer, const char *nonce, int64_t at_wall_ms,
    struct store_message *out, struct error *err) __attribute__((warn_unused_result));
bool outbox_is_test(const struct store_message *m);

/* "<type>.<tid>"; of payment.refunded "<type>.<tid>.<n>.<peer>", n being the number of its event.
 */
void outbox_id(enum outbox_kind kind, const char *tid, int64_t n, char out[MESSAGE_ID_CAP]);

/* May this one not be sent while `other` stands in the outbox? Of one payment, to one peer, refunds
 * are told in their order. */
bool outbox_waits_for(const struct store_message *m, const struct store_message *other);
/* For qsort, of payment.refunded alone: each one directly behind the one that it waits for. */
int outbox_compare(const struct store_message *a, const struct store_message *b);
/* It may be sent only after payment.approved of its payment was heard. */
bool outbox_follows_approved(const struct store_message *m);
/* By its last try payment.approved was taken, refused for good (unbookable), or withdrawn. */
bool outbox_was_heard(const struct store_try *last);

/* *out: store_message_clear by the caller; tries and last_try_ms are 0. ERR_INTERNAL: no memory. */
bool outbox_message(enum outbox_kind kind, const struct outbox_facts *f, int64_t at_wall_ms,
    struct store_message *out, struct error *err) __attribute__((warn_unused_result));
