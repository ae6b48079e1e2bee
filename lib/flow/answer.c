#include "config.h"

#include "flow/answer.h"

#include <string.h>

#include "base/text.h"

void
flow_answer_begin(struct flow_answer *out)
{
	out->result = FR_INTERNAL;
	out->charged = FC_UNKNOWN;
	out->replayed = out->has_provider = out->removed = out->has_payment = false;
	out->retry_ms = 0;
	out->conflicts.n = 0;
	out->provider = (struct provider_answer){ 0 };
	out->state = AS_NONE;
	out->tid[0] = out->reservation_info[0] = out->detail[0] = '\0';
}

void
flow_answer_set(struct flow_answer *out, enum flow_result result, enum flow_charged charged,
    int64_t retry_ms)
{
	out->result = result;
	out->charged = charged;
	out->retry_ms = retry_ms;
}

static void
keep_detail(struct flow_answer *out, const struct error *err)
{
	text_copy(out->detail, sizeof(out->detail), err->msg);
}

void
flow_answer_queue_error(struct flow_answer *out, enum flow_charged charged, const struct error *err)
{
	enum flow_result result = err->code == ERR_UNAVAILABLE ? FR_QUEUE_UNAVAILABLE
	    : err->code == ERR_CONFLICT			       ? FR_NOT_READY
							       : FR_INTERNAL;

	flow_answer_set(out, result, charged, result == FR_INTERNAL ? 0 : FLOW_RETRY_MS);
	keep_detail(out, err);
}

void
flow_answer_store_error(struct flow_answer *out, enum flow_charged charged, const struct error *err)
{
	bool away = err->code == ERR_UNAVAILABLE || err->code == ERR_UNCERTAIN;

	flow_answer_set(out, away ? FR_STORE_UNAVAILABLE : FR_INTERNAL, charged,
	    away ? FLOW_RETRY_MS : 0);
	keep_detail(out, err);
}

void
flow_answer_refusal(struct flow_answer *out, const struct queue_answer *qa,
    enum flow_charged charged)
{
	/* clang-format off */
	static const struct { enum flow_result result; bool queue_alone; } refusals[HA__MAX] = {
		[HA_ORDER_PAID]       = { FR_ORDER_PAID },
		[HA_IN_PROGRESS]      = { FR_IN_PROGRESS },
		[HA_WAIT]             = { FR_IN_PROGRESS },
		[HA_SLOT_HELD]        = { FR_SLOT_HELD, true },
		[HA_SLOT_SOLD]        = { FR_SLOT_SOLD, true },
		[HA_TOO_MANY_HOLDS]   = { FR_TOO_MANY_HOLDS, true },
		[HA_TOO_MANY_REFUSED] = { FR_TOO_MANY_REQUESTS, true },
		[HA_BUSY]             = { FR_PROVIDER_BUSY },
		[HA_NO_HOLD]          = { FR_NO_HOLD, true },
		[HA_EXPIRED]          = { FR_EXPIRED },
		[HA_FENCED]           = { FR_EXPIRED },
		[HA_LEDGER_BEHIND]    = { FR_STORE_UNAVAILABLE },
		[HA_STALE_TOKEN]      = { FR_IN_PROGRESS },
		[HA_NOT_READY]        = { FR_NOT_READY },
		[HA_NOT_FIRST]        = { FR_IN_PROGRESS },
	};
	/* clang-format on */
	enum flow_result result = refusals[qa->code].result;

	flow_answer_set(out, result == FR_OK ? FR_INTERNAL : result,
	    refusals[qa->code].queue_alone ? FC_ABSENT : charged, qa->retry_ms);
	if (out->retry_ms == 0 &&
	    (result == FR_IN_PROGRESS || result == FR_PROVIDER_BUSY ||
		result == FR_STORE_UNAVAILABLE))
		out->retry_ms = FLOW_RETRY_MS;
	out->conflicts = qa->conflicts;
}

bool
flow_cid_is_one_of(const char *cid, const char *const *cids, size_t n_cids)
{
	for (size_t i = 0; i < n_cids; i++)
		if (strcmp(cids[i], cid) == 0)
			return true;
	return false;
}
