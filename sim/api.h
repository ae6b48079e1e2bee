/* The API of both generations on the wire: who asks, what is asked, which fault meets it, what is
 * answered and when. What KakaoPay decides is payment.c's. src: KakaoPay API notes, sections 0, 4
 * and 8. */
#pragma once

#include <stdbool.h>

#include "sim/sim.h"

/* Whether the path is one of the API's (known or not): "/v1/payment/...", "/online/v1/payment/...".
 */
bool api_owns(const char *path);
void api_handle(struct sim *sim, struct request *rq);
