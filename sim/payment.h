/* Decides ready, approve, cancel and order as KakaoPay does, with every refusal that it documents.
 * src: KakaoPay API notes, sections 1 to 4 and 8 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sim/message.h"
#include "sim/params.h"
#include "sim/sim.h"

struct payment_call {
	struct sim *sim;
	enum call call;
	bool legacy;
	const struct params *params;
	enum fault_kind twist;	   /* how the answer is changed; see message.h */
	struct buf *reply;	   /* out: the answer of a call that was done */
	char made_tid[SIM_ID_CAP]; /* out: of ready */
};

void unsure_init(struct unsure *u);
bool refuse(struct refusal *no, int64_t code); /* always false */

/* Whether the parameters and the merchant are right. */
bool payment_check(const struct payment_call *c, struct refusal *no);
/* Carries out a call that passed payment_check. False: refused; only the refusal itself may have
 * changed the order. */
bool payment_run(struct payment_call *c, struct refusal *no);
