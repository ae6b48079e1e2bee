#include "config.h"

#include "provider/kakaopay/outcome.h"

#include <assert.h>
#include <stddef.h>

/*
 * What a code means, for each call. See doc/kakaopay.md, which follows KakaoPay's list.
 * An order inquiry moves nothing, so a refused one tells nothing of the payment: PO_UNKNOWN, but
 * for our own settings. at_5xx: the row also holds under a 5xx status; every other 5xx is unknown,
 * whatever its body says.
 */
#define NE PO_NOT_EXECUTED
#define TR PO_TOKEN_REFUSED
#define DE PO_DECLINED
#define WO PO_WINDOW_OVER
#define IQ PO_INQUIRE
#define UN PO_UNKNOWN
/* clang-format off */
static const struct outcome_row {
	int64_t code;
	enum provider_outcome outcome[MC__MAX];	/* ready, approve, order, cancel */
	bool at_5xx;
} rows[] = {
	{ -1,    { UN, UN, UN, UN } },		/* internal error */
	{ -2,    { NE, NE, NE, NE } },		/* missing or wrong parameter */
	{ -3,    { NE, NE, NE, NE } },		/* feature not enabled for the app */
	{ -4,    { NE, NE, NE, NE } },		/* account blocked */
	{ -5,    { NE, NE, NE, NE } },		/* no permission */
	{ -6,    { NE, NE, NE, NE } },		/* not allowed */
	{ -7,    { UN, UN, UN, UN } },		/* maintenance or internal problem */
	{ -10,   { NE, NE, NE, NE } },		/* quota */
	{ -11,   { NE, NE, NE, NE } },		/* paid quota */
	{ -401,  { NE, NE, NE, NE } },		/* wrong key */
	{ -403,  { NE, NE, NE, NE } },		/* API not among the app's */
	{ -404,  { NE, NE, NE, NE } },		/* wrong URL */
	{ -429,  { NE, NE, NE, NE } },		/* quota */
	{ -500,  { UN, UN, UN, UN } },		/* internal */
	{ -503,  { UN, UN, UN, UN } },		/* maintenance */
	{ -701,  { DE, TR, UN, DE } },		/* the user has not finished */
	{ -702,  { DE, IQ, UN, IQ } },		/* already paid */
	{ -703,  { DE, DE, UN, DE } },		/* wrong point amount */
	{ -704,  { DE, DE, UN, DE } },		/* wrong amount */
	{ -705,  { DE, DE, UN, DE } },		/* method neither card nor money */
	{ -706,  { DE, TR, UN, DE } },		/* partner_order_id is not ready's */
	{ -707,  { DE, TR, UN, DE } },		/* partner_user_id is not ready's */
	{ -708,  { DE, TR, UN, DE } },		/* wrong pg_token */
	{ -709,  { DE, IQ, UN, IQ } },		/* in no list */
	{ -710,  { DE, IQ, UN, DE } },		/* more than can be cancelled */
	{ -721,  { DE, DE, UN, DE } },		/* no such tid */
	{ -722,  { DE, DE, UN, DE } },		/* wrong amount information */
	{ -723,  { DE, WO, UN, DE } },		/* time limit passed */
	{ -724,  { DE, DE, UN, DE } },		/* wrong single-payment amount */
	{ -725,  { DE, DE, UN, DE } },		/* wrong total */
	{ -726,  { DE, DE, UN, DE } },		/* wrong order information */
	{ -730,  { NE, NE, NE, NE } },		/* wrong merchant app information */
	{ -731,  { NE, NE, NE, NE } },		/* wrong cid */
	{ -732,  { NE, NE, NE, NE } },		/* wrong gid */
	{ -733,  { NE, NE, NE, NE } },		/* wrong cid_secret */
	{ -740,  { DE, IQ, UN, IQ } },		/* in no list */
	{ -750,  { DE, DE, UN, DE } },		/* sid does not exist */
	{ -751,  { DE, DE, UN, DE } },		/* sid inactive */
	{ -752,  { DE, DE, UN, DE } },		/* sid used too often */
	{ -753,  { DE, DE, UN, DE } },		/* not the sid's user */
	{ -761,  { DE, DE, UN, DE } },		/* phone number without KakaoTalk */
	{ -780,  { DE, IQ, UN, IQ } },		/* approve failed at the method: USER_LOCKED and BANK_FIRM_UNKNOWN are not final */
	{ -781,  { DE, IQ, UN, IQ } },		/* cancel failed at the method */
	{ -782,  { DE, IQ, UN, IQ } },		/* recurring charge failed */
	{ -783,  { DE, IQ, UN, IQ } },		/* no state for an approve */
	{ -784,  { DE, IQ, UN, IQ } },		/* no state for a cancel */
	{ -785,  { DE, IQ, UN, IQ } },		/* twice at the same time */
	{ -797,  { DE, DE, UN, DE } },		/* over the limit of one payment */
	{ -798,  { NE, NE, NE, NE } },		/* IP not allowed */
	{ -799,  { NE, NE, NE, NE } },		/* domain not registered */
	{ -9798, { NE, NE, NE, NE }, .at_5xx = true },	/* maintenance */
};
/* A code in no row, with a 4xx. A refused ready opened nothing, whatever the reason. */
static const enum provider_outcome unlisted[MC__MAX] = { DE, IQ, UN, IQ };
/* clang-format on */
#undef NE
#undef TR
#undef DE
#undef WO
#undef IQ
#undef UN

enum provider_outcome
outcome_of(enum message_call call, int http, int64_t code)
{
	bool refused = http >= 400 && http < 500;

	assert(call < MC__MAX);
	if (code == 0 || http < 400)
		return PO_UNKNOWN;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].code == code)
			return refused || rows[i].at_5xx ? rows[i].outcome[call] : PO_UNKNOWN;
	if (http == 401 || http == 403 || http == 404 || http == 429)
		return PO_NOT_EXECUTED;
	return refused ? unlisted[call] : PO_UNKNOWN;
}
