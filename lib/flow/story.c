#include "config.h"

#include "flow/story.h"

#include <inttypes.h>
#include <stdio.h>

enum next
story_store_failed(struct flow_answer *out, enum flow_charged charged, const struct error *err)
{
	flow_answer_store_error(out, charged, err);
	return DONE;
}

enum next
story_queue_failed(struct flow_answer *out, enum flow_charged charged, const struct error *err)
{
	flow_answer_queue_error(out, charged, err);
	return DONE;
}

bool
story_read_chain(struct flow *f, const char *cid, const char *order, struct ledger_chain *chain,
    int64_t deadline_boot_ms, struct error *err)
{
	ledger_chain_clear(chain);
	return store_ledger_chain(f->store, cid, order, chain, deadline_boot_ms, err);
}

bool
story_is_behind(const struct ledger_chain *chain, int64_t last_n, char why[200])
{
	if ((int64_t)chain->n >= last_n)
		return false;
	snprintf(why, 200,
	    "the order's ledger ends at %zu, the queue remembers %" PRId64 ": an older database?",
	    chain->n, last_n);
	return true;
}
