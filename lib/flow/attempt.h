/*
 * One attempt while a query works on it. It is read from the queue's hold or from the order's
 * chain, and every event, message and record of it takes its content from here. No I/O.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "money/attempt.h"
#include "money/ledger.h"
#include "money/subject.h"
#include "queue/client/queue.h"

struct flow_attempt {
	struct subject of;
	struct attempt a;	 /* what was asked of KakaoPay; its own names are those of `of` */
	char json[ATTEMPT_MAX];	 /* a, as the queue keeps it and the ledger will */
	uint64_t hold_id, token; /* 0: the queue has no such hold, or no approving was granted */
	int64_t window_boot_ms;	 /* end of KakaoPay's window, 0: not known */
	/* its outcome is, or once was, unknown: payment.resolved tells the gateway */
	bool was_unknown;
	const struct ledger_chain *chain; /* as far as it was read; NULL: not at all */
	bool keeps_work;		  /* its work items stay, whatever the outcome */
	/* ledger number of the send under way, while the chain does not have it; 0: none */
	int64_t n;
};

/* From the queue's text of it (attempt_format_short), and what the queue keeps beside.
 * ERR_INTERNAL: it does not parse. */
bool flow_attempt_of_text(const char *text, const struct subject *of, struct flow_attempt *out,
    struct error *err);
struct subject flow_subject_of_hold(const struct queue_hold *h);
/* From the queue's hold. ERR_INTERNAL: its attempt does not parse. */
bool flow_attempt_of_hold(const struct queue_hold *h, struct flow_attempt *out, struct error *err);
/* From a chain, which it borrows: the attempt under this tid; hold_id and token are 0.
 * ERR_NOT_FOUND, ERR_INTERNAL. */
bool flow_attempt_of_chain(const struct ledger_chain *c, const char *tid, struct flow_attempt *out,
    struct error *err);

/* True if an earlier send of this tid has no certain outcome. Then a refusal does not prove that
 * nothing was captured. */
bool flow_chain_has_unsettled_send(const struct ledger_chain *c, const char *tid);
