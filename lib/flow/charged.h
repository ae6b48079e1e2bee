/* The member `charged` of an answer. No I/O. */
#pragma once

#include "flow/flow.h"

struct buf;

/* false, true or "unknown"; FC_ABSENT: nothing is added. */
void flow_charged_add(struct buf *b, enum flow_charged charged);
