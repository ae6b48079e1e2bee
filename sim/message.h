/* Writes the API's answers as JSON. It decides nothing.
 * src: KakaoPay API, "response" of ready, approve, cancel, order; captured answers */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "sim/fault.h"
#include "sim/state.h"

/* A refusal. Its HTTP status and usual words come from one table. */
struct refusal {
	int64_t code;
	char msg[200];	      /* "": the usual one of the code */
	char method_code[33]; /* "": the usual extras of the code, if it has any */
};
int refusal_status(int64_t code); /* HTTP */
void message_refusal(struct buf *out, bool legacy, const struct refusal *no);

/* twist: a fault that changes the answer (EXTRA_MEMBERS ... WRONG_CID). Other faults do not. */
void message_ready(struct buf *out, const struct order *o, const char *base_url,
    enum fault_kind twist);
void message_approve(struct buf *out, const struct order *o, bool legacy, enum fault_kind twist);
/* of its last cancel */
void message_cancel(struct buf *out, const struct order *o, const char *payload,
    enum fault_kind twist);
/* as it was then */
void message_order(struct buf *out, const struct order *o, int64_t real_ms, enum fault_kind twist);
/* A capture with all details, for the control side. */
void message_capture(struct buf *out, const struct order *o);
void message_cancel_record(struct buf *out, const struct order *o, const struct cancel *c);

/* KakaoPay's time: KST without offset. */
void message_add_time(struct buf *out, const char *name, int64_t wall_ms);
