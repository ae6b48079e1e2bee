/* Whose attempt is it? */
#pragma once

#include <stdbool.h>

#include "flow/flow.h"

/* Looks among payments, open work and holds. ERR_NOT_FOUND: nobody knows the tid. */
bool operate_find_order(struct flow *f, const struct flow_call *c, const char *tid,
    char cid[CID_CAP], char order[ORDER_CAP], struct error *err);
