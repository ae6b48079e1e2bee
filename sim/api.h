/* Both generations of the API on the wire: who calls, what is asked, which fault applies, what is
 * answered and when. payment.c decides as KakaoPay would.
 * src: KakaoPay API notes, sections 0, 4 and 8 */
#pragma once

#include <stdbool.h>

#include "sim/sim.h"

/* Whether the path is one of the API's (known or not): "/v1/payment/...", "/online/v1/payment/...".
 */
bool api_owns(const char *path);
void api_handle(struct sim *sim, struct request *rq);
