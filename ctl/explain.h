/* What happened to a payment, whether the customer is charged, what to do next: in plain Korean or English. A table; no I/O. */
#pragma once

#include <stdbool.h>

#include "flow/flow.h"

struct explanation { const char *happened, *charged, *next; };

bool explain_is_korean(const char *lang);	/* --lang, or NULL: by LC_ALL, LC_MESSAGES, LANG */
/* state: a word of struct flow_order_attempt. A word that nobody knows gets one that says so. */
struct explanation explain_state(const char *state, enum flow_charged charged, bool korean);
