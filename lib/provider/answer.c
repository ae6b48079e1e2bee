#include "config.h"

#include "provider/answer.h"

#include <string.h>

#include "provider/kakaopay/message.h"

/* Events of older versions have no status: of an inquiry they keep KakaoPay's word for it as the
 * message. */
enum provider_status
provider_answer_status(const struct provider_answer *pa)
{
	for (int s = 0; s < PS__MAX; s++)
		if (strcmp(provider_status_name((enum provider_status)s), pa->status) == 0)
			return (enum provider_status)s;
	return kakaopay_status_of(pa->message);
}

/* An event keeps the code, not the outcome. */
bool
provider_answer_is_window_over(const struct provider_answer *pa)
{
	return pa->code == KAKAOPAY_WINDOW_OVER;
}
