/* What one day brought, by merchant: captures of the day, refunds of the day, and what stays. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "flow/flow.h"

struct operate_day { /* of one merchant */
	char cid[CID_CAP];
	int64_t captures, captured; /* how many, won */
	int64_t refunds, refunded;  /* those carried out on this day, whenever their payment was */
};

/* One for each of the cids, in their order; out has room for n_cids. from_ms <= time < to_ms. */
bool operate_settlement(struct flow *f, const char *const *cids, size_t n_cids, int64_t from_ms,
    int64_t to_ms, struct operate_day *out, struct error *err);
