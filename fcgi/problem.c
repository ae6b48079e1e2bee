#include "config.h"

#include "fcgi/problem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fcgi/accept.h"

/* clang-format off */
static const struct problem_row rows[] = {
	[PROBLEM_MALFORMED_JSON] = { "malformed-json", 400, false, 0, {
		{ "JSON 형식이 아닙니다",
		    "본문은 RFC 8259를 그대로 따르는 JSON 객체 하나여야 합니다." },
		{ "Malformed JSON",
		    "The body must be one JSON object that follows RFC 8259 strictly." } } },
	[PROBLEM_UNAUTHENTICATED] = { "unauthenticated", 401, false, 0, {
		{ "인증이 필요합니다", "Authorization 헤더에 유효한 Bearer 토큰이 없습니다." },
		{ "Authentication required",
		    "The Authorization header holds no valid Bearer token." } } },
	[PROBLEM_FORBIDDEN] = { "forbidden", 403, false, 0, {
		{ "허용되지 않은 요청입니다",
		    "이 호출자의 역할이나 가맹점 코드(cid)로는 할 수 없는 요청입니다." },
		{ "Forbidden",
		    "This caller's roles or merchant codes (cid) do not allow it." } } },
	[PROBLEM_NO_ROUTE] = { "no-route", 404, false, 0, {
		{ "없는 주소입니다", "이 주소로 제공되는 기능이 없습니다." },
		{ "No such address", "There is nothing at this address." } } },
	[PROBLEM_METHOD_NOT_ALLOWED] = { "method-not-allowed", 405, false, 0, {
		{ "허용되지 않은 메서드입니다", "이 주소는 Allow 헤더에 적힌 메서드만 받습니다." },
		{ "Method not allowed",
		    "This address takes only the methods named in the Allow header." } } },
	[PROBLEM_TOO_LARGE] = { "too-large", 413, false, 0, {
		{ "본문이 너무 큽니다", "본문은 16 KiB를 넘을 수 없습니다." },
		{ "Body too large", "The body may not be larger than 16 KiB." } } },
	[PROBLEM_UNSUPPORTED_MEDIA_TYPE] = { "unsupported-media-type", 415, false, 0, {
		{ "지원하지 않는 형식입니다",
		    "Content-Type은 application/json(UTF-8)이어야 하며, 압축한 본문은 받지 않습니다." },
		{ "Unsupported media type",
		    "Content-Type must be application/json in UTF-8, without Content-Encoding." } } },
	[PROBLEM_INVALID_FIELDS] = { "invalid-fields", 422, false, 0, {
		{ "잘못된 값이 있습니다", "errors에 잘못된 항목이 모두 적혀 있습니다." },
		{ "Invalid fields", "Every wrong field is listed in errors." } } },
	[PROBLEM_UNKNOWN_MERCHANT] = { "unknown-merchant", 422, false, 0, {
		{ "등록되지 않은 가맹점입니다", "이 가맹점 코드(cid)는 설정되어 있지 않습니다." },
		{ "Unknown merchant", "This merchant code (cid) is not configured." } } },
	[PROBLEM_SLOT_HELD] = { "slot-held", 409, false, 5000, {
		{ "다른 이용자가 결제 중인 시간입니다",
		    "겹치는 시간을 다른 이용자가 결제하고 있습니다. conflicts를 확인해 주세요." },
		{ "Somebody is paying for this time",
		    "Another user is paying for a time that overlaps. See conflicts." } } },
	[PROBLEM_SLOT_SOLD] = { "slot-sold", 409, false, 5000, {
		{ "방금 결제가 끝난 시간입니다",
		    "겹치는 시간의 결제가 방금 끝났습니다. 예약 현황을 다시 확인해 주세요." },
		{ "This time was just sold",
		    "A time that overlaps was paid for moments ago. Look at the calendar again." } } },
	[PROBLEM_ORDER_ALREADY_PAID] = { "order-already-paid", 409, true, 0, {
		{ "이미 결제된 주문입니다", "이 주문의 결제는 이미 승인되었습니다." },
		{ "Order already paid",
		    "The payment of this order has already been approved." } } },
	[PROBLEM_PAYMENT_IN_PROGRESS] = { "payment-in-progress", 409, true, 2000, {
		{ "결제가 진행 중입니다",
		    "같은 주문이나 같은 예약의 결제가 진행 중입니다. 잠시 후 다시 시도해 주세요." },
		{ "Payment in progress",
		    "A payment of this order or of this hold is under way. Try again shortly." } } },
	[PROBLEM_PAYMENT_DECLINED] = { "payment-declined", 402, true, 0, {
		{ "결제가 거절되었습니다",
		    "카카오페이가 결제를 거절했습니다. 결제된 금액은 없으며, 처음부터 다시 결제해 주세요." },
		{ "Payment declined",
		    "KakaoPay refused the payment. Nothing was charged; start a new payment." } } },
	[PROBLEM_TOKEN_REFUSED] = { "token-refused", 409, true, 0, {
		{ "결제 인증이 확인되지 않았습니다",
		    "pg_token이 맞지 않거나 이용자가 결제 인증을 끝내지 않았습니다. 예약은 그대로 유지됩니다." },
		{ "Token refused",
		    "KakaoPay does not know this pg_token, or the user has not finished. The hold stays." } } },
	[PROBLEM_NO_HOLD] = { "no-hold", 404, false, 0, {
		{ "결제할 예약이 없습니다",
		    "이 이용자와 방으로 진행 중이거나 끝난 결제가 없습니다." },
		{ "No such hold",
		    "This user has no payment of this room to approve, and never had one." } } },
	[PROBLEM_HOLD_EXPIRED] = { "hold-expired", 410, true, 0, {
		{ "결제 시간이 지났습니다",
		    "결제 대기 시간이 끝났습니다. 처음부터 다시 결제해 주세요." },
		{ "Hold expired", "The time to pay is over. Start a new payment." } } },
	[PROBLEM_TOO_MANY_HOLDS] = { "too-many-holds", 429, false, 10000, {
		{ "결제 대기가 너무 많습니다",
		    "한 이용자가 동시에 결제할 수 있는 예약 수를 넘었습니다." },
		{ "Too many holds",
		    "This user already has as many unpaid holds as are allowed." } } },
	[PROBLEM_TOO_MANY_REQUESTS] = { "too-many-requests", 429, false, 10000, {
		{ "시도가 너무 많습니다",
		    "이 결제 또는 환불을 짧은 시간에 너무 여러 번 시도했습니다. Retry-After 뒤에 다시 시도해 주세요." },
		{ "Too many requests",
		    "This payment or refund was tried too often in a short time. Try again after Retry-After." } } },
	[PROBLEM_PROVIDER_UNREACHABLE] = { "provider-unreachable", 502, true, 0, {
		{ "카카오페이에 연결할 수 없습니다",
		    "카카오페이에 요청이 전달되지 않았습니다. 잠시 후 다시 시도해 주세요." },
		{ "KakaoPay cannot be reached",
		    "Nothing was sent to KakaoPay. Try again shortly." } } },
	[PROBLEM_PROVIDER_ERROR] = { "provider-error", 502, true, 0, {
		{ "카카오페이가 처리하지 못했습니다",
		    "카카오페이가 요청을 처리하지 않았습니다. 잠시 후 다시 시도해 주세요." },
		{ "KakaoPay did not execute it",
		    "KakaoPay did not execute the request. Try again shortly." } } },
	[PROBLEM_PROVIDER_BUSY] = { "provider-busy", 503, true, 2000, {
		{ "카카오페이 응답을 기다리는 요청이 많습니다",
		    "지금은 새 결제를 시작할 수 없습니다. 잠시 후 다시 시도해 주세요." },
		{ "Too many calls wait for KakaoPay",
		    "No further payment can be started right now. Try again shortly." } } },
	[PROBLEM_QUEUE_UNAVAILABLE] = { "queue-unavailable", 503, true, 1000, {
		{ "결제 대기열을 사용할 수 없습니다",
		    "결제 대기열에 연결할 수 없습니다. 이 요청으로 결제된 금액은 없습니다." },
		{ "The queue is not available",
		    "The payment queue cannot be reached. Nothing was charged by this request." } } },
	[PROBLEM_STORE_UNAVAILABLE] = { "store-unavailable", 503, true, 1000, {
		{ "결제 기록 저장소를 사용할 수 없습니다",
		    "결제 기록 저장소에 연결할 수 없습니다. 이 요청으로 결제된 금액은 없습니다." },
		{ "The store is not available",
		    "The store of payments cannot be reached. Nothing was charged by this request." } } },
	[PROBLEM_NOT_READY] = { "not-ready", 503, true, 5000, {
		{ "아직 준비되지 않았습니다",
		    "결제 대기열과 결제 기록을 확인하고 있습니다. 이 요청으로 결제된 금액은 없습니다." },
		{ "Not ready",
		    "Queue and store are still being checked. Nothing was charged by this request." } } },
	[PROBLEM_NO_PAYMENT] = { "no-payment", 404, false, 0, {
		{ "없는 결제입니다", "이 tid로 승인된 결제가 없습니다." },
		{ "No such payment", "Nothing was captured under this tid." } } },
	[PROBLEM_PAYMENT_IN_REVIEW] = { "payment-in-review", 409, true, 0, {
		{ "담당자 확인이 필요한 결제입니다",
		    "기록과 카카오페이의 내역이 다릅니다. 담당자가 확인하기 전에는 처리할 수 없습니다." },
		{ "Payment in review",
		    "Our record and KakaoPay's differ. An operator must look at this payment first." } } },
	[PROBLEM_REFUND_IN_PROGRESS] = { "refund-in-progress", 409, true, 2000, {
		{ "환불이 진행 중입니다",
		    "이 결제의 다른 환불이 아직 끝나지 않았습니다. 잠시 후 다시 시도해 주세요." },
		{ "Refund in progress",
		    "Another refund of this payment has not ended yet. Try again shortly." } } },
	[PROBLEM_REFUND_EXCEEDS] = { "refund-exceeds", 409, true, 0, {
		{ "환불 가능 금액을 넘었습니다",
		    "남아 있는 금액(비과세·과세 금액 각각)보다 많이 환불할 수 없습니다." },
		{ "More than is left",
		    "A refund may not exceed what is left, in all or of the tax-free or taxable part." } } },
	[PROBLEM_REFUND_MISMATCH] = { "refund-mismatch", 409, true, 0, {
		{ "같은 refundId의 다른 환불입니다",
		    "이 refundId는 다른 금액으로 이미 사용되었습니다." },
		{ "Another refund has this refundId",
		    "This refundId was used with other amounts." } } },
	[PROBLEM_REFUND_DECLINED] = { "refund-declined", 402, true, 0, {
		{ "환불이 거절되었습니다",
		    "카카오페이가 환불을 거절했습니다. 환불된 금액은 없습니다." },
		{ "Refund declined", "KakaoPay refused the refund. Nothing was given back." } } },
	[PROBLEM_CROSS_ORIGIN] = { "cross-origin", 403, false, 0, {
		{ "다른 사이트에서 온 요청입니다",
		    "콘솔의 API는 콘솔과 같은 주소에서만 쓸 수 있습니다." },
		{ "Request from another site",
		    "The console's API can be used from the console's own address alone." } } },
	[PROBLEM_NOT_KNOWN] = { "not-known", 404, false, 0, {
		{ "찾을 수 없습니다",
		    "이 번호의 결제, 주문, 선점 또는 메시지가 없습니다." },
		{ "Nothing is known under this id",
		    "There is no such payment, order, hold or message." } } },
	[PROBLEM_NOT_IN_THIS_STATE] = { "not-in-this-state", 409, false, 0, {
		{ "지금 상태에서는 할 수 없습니다",
		    "지금 상태에는 맞지 않는 요청입니다. 바꾼 것은 없습니다." },
		{ "Not in this state",
		    "This does not fit the present state. Nothing was changed." } } },
	[PROBLEM_REFUND_REPEATED] = { "refund-repeated", 409, false, 0, {
		{ "같은 금액을 방금 환불했습니다",
		    "10분 안에 이 결제에서 같은 금액을 다른 refundId로 환불했습니다. 한 번 더 환불하려면 again을 보내세요." },
		{ "The same amount was just given back",
		    "Within ten minutes the same amount of this payment was given back under another refundId. If it must go back once more, send again." } } },
	[PROBLEM_INTERNAL_ERROR] = { "internal-error", 500, true, 0, {
		{ "내부 오류가 발생했습니다",
		    "처리하는 중에 오류가 발생했습니다. 문의할 때 requestId를 알려 주세요." },
		{ "Internal error",
		    "Something went wrong on our side. Name the requestId when you ask about it." } } },
};
static_assert(sizeof(rows) / sizeof(rows[0]) == PROBLEM__MAX, "a row for each problem");

static const enum problem of_result[] = {
	[FR_OK] = PROBLEM__MAX,
	[FR_UNKNOWN] = PROBLEM__MAX,
	[FR_RECORDING] = PROBLEM__MAX,
	[FR_SLOT_HELD] = PROBLEM_SLOT_HELD,
	[FR_SLOT_SOLD] = PROBLEM_SLOT_SOLD,
	[FR_ORDER_PAID] = PROBLEM_ORDER_ALREADY_PAID,
	[FR_IN_PROGRESS] = PROBLEM_PAYMENT_IN_PROGRESS,
	[FR_DECLINED] = PROBLEM_PAYMENT_DECLINED,
	[FR_TOKEN_REFUSED] = PROBLEM_TOKEN_REFUSED,
	[FR_NO_HOLD] = PROBLEM_NO_HOLD,
	[FR_EXPIRED] = PROBLEM_HOLD_EXPIRED,
	[FR_TOO_MANY_HOLDS] = PROBLEM_TOO_MANY_HOLDS,
	[FR_TOO_MANY_REQUESTS] = PROBLEM_TOO_MANY_REQUESTS,
	[FR_PROVIDER_UNREACHABLE] = PROBLEM_PROVIDER_UNREACHABLE,
	[FR_PROVIDER_ERROR] = PROBLEM_PROVIDER_ERROR,
	[FR_PROVIDER_BUSY] = PROBLEM_PROVIDER_BUSY,
	[FR_QUEUE_UNAVAILABLE] = PROBLEM_QUEUE_UNAVAILABLE,
	[FR_STORE_UNAVAILABLE] = PROBLEM_STORE_UNAVAILABLE,
	[FR_NOT_READY] = PROBLEM_NOT_READY,
	[FR_INTERNAL] = PROBLEM_INTERNAL_ERROR,
	[FR_NO_PAYMENT] = PROBLEM_NO_PAYMENT,
	[FR_IN_REVIEW] = PROBLEM_PAYMENT_IN_REVIEW,
	[FR_REFUND_UNKNOWN] = PROBLEM__MAX,
	[FR_REFUND_IN_PROGRESS] = PROBLEM_REFUND_IN_PROGRESS,
	[FR_REFUND_EXCEEDS] = PROBLEM_REFUND_EXCEEDS,
	[FR_REFUND_MISMATCH] = PROBLEM_REFUND_MISMATCH,
	[FR_REFUND_DECLINED] = PROBLEM_REFUND_DECLINED,
	[FR_TAX_FREE_REQUIRED] = PROBLEM_INVALID_FIELDS,
};
static_assert(sizeof(of_result) / sizeof(of_result[0]) == FR__MAX, "a problem for each result");

static const char *const field_texts[][LANGUAGE__MAX] = {
	[FIELD_REQUIRED] = { "필수 항목입니다.", "This member is required." },
	[FIELD_TYPE] = { "JSON 자료형이 올바르지 않습니다.", "The JSON type is wrong." },
	[FIELD_TOO_SHORT] = { "너무 짧습니다.", "This is too short." },
	[FIELD_TOO_LONG] = { "너무 깁니다.", "This is too long." },
	[FIELD_OUT_OF_RANGE] = { "허용 범위를 벗어난 값입니다.", "This value is out of range." },
	[FIELD_CHARACTER] = {
		"제어 문자, 방향 제어 문자, 보이지 않는 문자는 쓸 수 없습니다.",
		"This has a character that is not allowed: a control, a bidirectional one, or an invisible one." },
	[FIELD_BLANK] = { "공백만 입력할 수 없습니다.", "This must not be blank." },
	[FIELD_FORMAT] = { "형식이 올바르지 않습니다.", "The format is wrong." },
	[FIELD_WORD] = { "허용된 값이 아닙니다.", "This is not one of the allowed values." },
	[FIELD_UNKNOWN] = { "알 수 없는 항목입니다.", "This member is unknown." },
	[FIELD_NOT_ALLOWED] = {
		"요청으로 보낼 수 없는 항목입니다.",
		"A request may not set this member." },
	[FIELD_BOTH] = {
		"같은 값을 두 가지 이름으로 보냈습니다.",
		"The same value was sent under two names." },
	[FIELD_URL] = {
		"사용자 정보, #, 공백이 없는 절대 URL이어야 합니다.",
		"This must be an absolute URL without user info, fragment or blanks." },
	[FIELD_URL_HTTPS] = { "https URL이어야 합니다.", "This must be an https URL." },
	[FIELD_URL_HOST] = { "허용되지 않은 호스트입니다.", "This host is not allowed." },
	[FIELD_FRACTION] = {
		"분 단위로 나누어떨어져야 합니다.",
		"This must be a whole number of minutes." },
	[FIELD_LENGTHS] = {
		"배열의 길이가 day와 같아야 합니다.",
		"This array must be as long as the array of days." },
	[FIELD_ORDER] = {
		"시작 시각은 종료 시각보다 빨라야 합니다. 자정을 넘는 예약은 24시에 끝나는 구간과 "
		"다음 날 0시에 시작하는 구간, 두 개로 나누어 보내 주세요.",
		"The start must be before the end. Send a booking that passes midnight as two intervals: "
		"one that ends at 24:00, and one of the next day that starts at 0:00." },
	[FIELD_OVERLAP] = {
		"같은 요청의 다른 구간과 겹칩니다.",
		"This interval overlaps another one of the same request." },
};
/* clang-format on */
static_assert(sizeof(field_texts) / sizeof(field_texts[0]) == FIELD__OK, "words for each code");

const struct problem_row *
problem_row(enum problem p)
{
	assert(p < PROBLEM__MAX);
	return &rows[p];
}

enum problem
problem_of_result(enum flow_result r)
{
	return r < FR__MAX ? of_result[r] : PROBLEM_INTERNAL_ERROR;
}

const char *
problem_field_text(enum field_code c, enum language l)
{
	assert(c < FIELD__OK);
	return field_texts[c][l];
}

const char *
language_tag(enum language l)
{
	return l == LANGUAGE_EN ? "en" : "ko";
}

/* "en-US" is English; "enm" is not. */
static bool
range_is(const char *range, size_t len, const char *tag)
{
	size_t n = strlen(tag);

	return len >= n && strncasecmp(range, tag, n) == 0 && (len == n || range[n] == '-');
}

static bool
range_is_any(const char *range, size_t len, const char *tag)
{
	(void)tag;
	return len == 1 && *range == '*';
}

enum language
language_choose(const char *accept_language)
{
	int weight[LANGUAGE__MAX], any = accept_weight(accept_language, range_is_any, "*");

	for (int l = 0; l < LANGUAGE__MAX; l++) {
		weight[l] =
		    accept_weight(accept_language, range_is, language_tag((enum language)l));
		if (weight[l] < 0) /* not named */
			weight[l] = any > 0 ? any : 0;
	}
	return weight[LANGUAGE_EN] > weight[LANGUAGE_KO] ? LANGUAGE_EN : LANGUAGE_KO;
}
