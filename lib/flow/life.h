/* What became of payments that are listed: their state, and what was given back and when. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "money/order.h"
#include "money/payment.h"
#include "store/store.h"

struct payment_life {
	enum attempt_state state;
	int64_t refunded;	/* won, in all */
	int64_t refunded_at_ms; /* of the last refund; 0: there is none */
};

/*
 * *out: one for each of the payments, in their order; free. Each costs the reads of its order's
 * chain. False: the store, or a chain that makes no legal life.
 */
bool payment_lives(struct store *s, const struct payment *list, size_t n, struct payment_life **out,
    int64_t deadline_boot_ms, struct error *err);
/* A refund that was carried out, of the event that says so. */
void refund_format(const struct ledger_event *e, struct buf *out);
/* The members of the site's PaymentSchema, and "state", "refunded", "refunded_at" where there was a
 * refund. */
void payment_life_format(const struct payment *p, const struct payment_life *life, struct buf *out);
