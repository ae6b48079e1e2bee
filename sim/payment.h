/* What KakaoPay decides: ready, approve, cancel and order, with every refusal that its documents
 * name. No I/O but the state's. src: KakaoPay API notes, sections 1 to 4 and 8. */
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
	enum fault_kind twist;		/* how the answer is changed; see message.h */
	struct buf *reply;		/* out: the answer of a call that was done */
	char made_tid[SIM_ID_CAP];	/* out: of ready */
};

void unsure_init(struct unsure *u);
bool refuse(struct refusal *no, int64_t code);	/* always false */

/* Whether the parameters and the merchant are right. */
bool payment_check(const struct payment_call *c, struct refusal *no);
/* Does a call whose check was passed. False: refused, and nothing has changed but what the refusal
 * itself changes. */
bool payment_run(struct payment_call *c, struct refusal *no);
