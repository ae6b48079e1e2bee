/* Asks KakaoPay what became of an attempt, and compares its answer with what was asked. What a
 * verdict proves: verdict.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "flow/attempt.h"
#include "flow/flow.h"
#include "flow/verdict.h"

enum {
	FLOW_SPARE_MS = 1500,	/* of the request's time, reserved for writing KakaoPay's answer to
				   the ledger */
	FLOW_INQUIRY_MS = 5000, /* one inquiry takes no longer */
	FLOW_INQUIRY_MIN_MS = 1000, /* ... and is not begun with less than this before the spare
				       time */
};

/* pa->message: KakaoPay's word for the status. */
enum flow_verdict flow_inquire(struct flow *f, const struct flow_attempt *at,
    int64_t deadline_boot_ms, struct payment *payment, struct provider_answer *pa, char why[200]);

/* Ids, quantity, total, tax-free and, where it was asked for, VAT. why: the first difference. */
bool flow_payment_matches(const struct flow_attempt *at, const struct payment *p, char why[200]);

/* Fills in the times that an inquiry may lack: a stored payment must have them. */
struct payment *flow_payment_times(struct payment *p);
