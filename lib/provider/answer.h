/* What a provider's answer says that the ledger kept, in an event of this version or of an older
 * one. No I/O. */
#pragma once

#include <stdbool.h>

#include "money/ledger.h"
#include "provider/provider.h"

enum provider_status provider_answer_status(const struct provider_answer *pa); /* PS_STRANGE: it
										  speaks of none */
bool provider_answer_is_window_over(const struct provider_answer *pa);
