/* Sizes that more than one module agrees on. Lengths count characters; UTF8_CAP is the bytes that
 * hold them. */
#pragma once

#define UTF8_CAP(chars) (4 * (chars) + 1)

enum {
	CID_CAP = UTF8_CAP(10),
	CIDS_MAX = 32,		   /* of one caller */
	CIDS_CAP = 11 * CIDS_MAX,  /* their text, with commas: 10 letters or digits each */
	ORDER_CAP = UTF8_CAP(100), /* partner_order_id */
	USER_CAP = UTF8_CAP(100),  /* userId, partner_user_id */
	ROOM_CAP = 25,		   /* ObjectId: 24 lower-case hex digits */
	TID_CAP = 21,		   /* KakaoPay: 1..20 of [0-9A-Za-z] */
	REQUEST_ID_CAP = 65,
	WHO_CAP = 65,	/* a caller's or a user's name */
	KEY_CAP = 65,	/* HMAC-SHA-256 in hex */
	NONCE_CAP = 33, /* 16 random bytes in hex */
	QUEUE_ID_CAP = 33,
	REFUND_ID_CAP = 65,
	REASON_CAP = UTF8_CAP(100),
	INTERVALS_MAX = 64,			/* of one request */
	INTERVALS_CAP = 12 * INTERVALS_MAX + 1, /* their text: 600-720,3420-3480 */
	ATTEMPT_MAX = 8192,			/* bytes of an attempt's JSON (struct attempt) */
	ANSWER_MAX = 4096,			/* bytes of the stored payReady answer */
	RESERVATION_INFO_MAX = 2048,
	MAX_WON = 1000000000,
	DEADLINE_GRACE_MS = 2000, /* after a deadline, until nobody who kept to it can still act */
};
