/* What KakaoPay's refusals mean: one table, call by code. No I/O. Reasons: doc/kakaopay.md
 * section 4. */
#pragma once

#include <stdint.h>

#include "provider/kakaopay/message.h"
#include "provider/provider.h"

/* Of a whole answer with a status other than 200. code 0: the body was not KakaoPay's own. */
enum provider_outcome outcome_of(enum message_call call, int http, int64_t code);
