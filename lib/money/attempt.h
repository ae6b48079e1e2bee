/* One KakaoPay tid of an order: what was asked of KakaoPay and what the calendar needs. The
 * gateway's words, kept by the queue and in the ledger as one JSON object, so that approve, inquiry
 * and repair need nothing else. No I/O. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "site/limit.h"

struct attempt {
	char cid[CID_CAP];
	char partner_order_id[ORDER_CAP];
	char partner_user_id[USER_CAP];
	char user_id[USER_CAP];
	char room_id[ROOM_CAP];
	char item_name[UTF8_CAP(100)];
	int64_t quantity, total_amount, tax_free_amount;
	int64_t vat_amount; /* -1: not asked for */
	/* what it holds, as interval_set_format writes it, so that the hold can be made again; "":
	 * not known */
	char intervals[INTERVALS_CAP];
	char reservation_info[RESERVATION_INFO_MAX + 1]; /* JSON object as the gateway sent it */
};

/* JSON {"cid":...,"partner_order_id":...,...}; at most ATTEMPT_MAX bytes. Parse: ERR_INTERNAL on
 * anything else (our own writing). */
void attempt_format(const struct attempt *a, struct buf *out);
/* The same without cid, partner_order_id, user_id and room_id, for who keeps those beside it;
 * parsed they are "". intervals: instead of the attempt's. */
void attempt_format_short(const struct attempt *a, const char *intervals, struct buf *out);
bool attempt_parse(const char *json, struct attempt *out, struct error *err)
    __attribute__((warn_unused_result));
