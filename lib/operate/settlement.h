/* What one day brought, by merchant: captures of the day, refunds of the day, and what stays. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/flow.h"

struct operate_takings { /* of one merchant */
	char cid[CID_CAP];
	int64_t captures, captured; /* how many, won */
	int64_t refunds, refunded;  /* those carried out on this day, whenever their payment was */
};

struct operate_settlement {
	const char *const *cids;
	size_t n_cids;
	int64_t from_ms, to_ms; /* from <= time < to; wall */
};
/* How far it is; zeroed: the beginning. */
struct operate_settlement_mark {
	size_t cid;   /* n_cids: it has its end */
	bool refunds; /* of this one the captures are done */
	struct store_mark after;
};

/*
 * A piece of it: goes on from the mark until until_boot_ms, at least by one page, and adds what it
 * finds to out, one for each of the cids in their order. The caller has zeroed out.
 */
bool operate_settlement_step(struct flow *f, const struct operate_settlement *s,
    int64_t until_boot_ms, struct operate_settlement_mark *mark, struct operate_takings *out,
    struct error *err);
/* The whole day. */
bool operate_settlement(struct flow *f, const struct operate_settlement *s,
    struct operate_takings *out, struct error *err);
