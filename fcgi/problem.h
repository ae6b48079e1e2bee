/* Everything that can be wrong with a request, in one table: code, status, whether it may say
 * `charged`, and its words in Korean and English. `code` never changes; title and detail follow
 * Accept-Language. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "flow/flow.h"
#include "json/field.h"

enum language { LANGUAGE_KO, LANGUAGE_EN, LANGUAGE__MAX };

/* The language that the header prefers (RFC 9110, section 12.5.4). Korean if it prefers both
 * equally or neither, or is NULL. */
enum language language_choose(const char *accept_language);
const char *language_tag(enum language l);

enum problem {
	PROBLEM_MALFORMED_JSON,
	PROBLEM_UNAUTHENTICATED,
	PROBLEM_FORBIDDEN,
	PROBLEM_NO_ROUTE,
	PROBLEM_METHOD_NOT_ALLOWED,
	PROBLEM_TOO_LARGE,
	PROBLEM_UNSUPPORTED_MEDIA_TYPE,
	PROBLEM_INVALID_FIELDS,
	PROBLEM_UNKNOWN_MERCHANT,
	PROBLEM_SLOT_HELD,
	PROBLEM_SLOT_SOLD,
	PROBLEM_ORDER_ALREADY_PAID,
	PROBLEM_PAYMENT_IN_PROGRESS,
	PROBLEM_PAYMENT_DECLINED,
	PROBLEM_TOKEN_REFUSED,
	PROBLEM_NO_HOLD,
	PROBLEM_HOLD_EXPIRED,
	PROBLEM_TOO_MANY_HOLDS,
	PROBLEM_TOO_MANY_REQUESTS,
	PROBLEM_PROVIDER_UNREACHABLE,
	PROBLEM_PROVIDER_ERROR,
	PROBLEM_PROVIDER_BUSY,
	PROBLEM_QUEUE_UNAVAILABLE,
	PROBLEM_STORE_UNAVAILABLE,
	PROBLEM_NOT_READY,
	PROBLEM_INTERNAL_ERROR,
	PROBLEM_NO_PAYMENT,
	PROBLEM_PAYMENT_IN_REVIEW,
	PROBLEM_REFUND_IN_PROGRESS,
	PROBLEM_REFUND_EXCEEDS,
	PROBLEM_REFUND_MISMATCH,
	PROBLEM_REFUND_DECLINED,
	/* of the console alone */
	PROBLEM_CROSS_ORIGIN,
	PROBLEM_NOT_KNOWN,
	PROBLEM_NOT_IN_THIS_STATE,
	PROBLEM_REFUND_REPEATED,
	PROBLEM__MAX
};

struct problem_row {
	const char *code;
	int status;
	/* false: `charged` is left out; nothing was looked up, or the queue decided alone */
	bool says_charged;
	int64_t retry_ms; /* Retry-After where the flow gave none; 0: no such header */
	struct {
		const char *title, *detail;
	} text[LANGUAGE__MAX];
};

const struct problem_row *problem_row(enum problem p);
/* PROBLEM__MAX for results that are no problem: FR_OK, FR_UNKNOWN, FR_RECORDING,
 * FR_REFUND_UNKNOWN. */
enum problem problem_of_result(enum flow_result r);
/* What a wrong field's detail says. */
const char *problem_field_text(enum field_code c, enum language l);
