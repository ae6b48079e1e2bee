/*
 * KakaoPay's four calls as structs. What an answer means is data (doc/kakaopay.md, sections 3 and 4): an outcome, never only an HTTP status.
 * src: KakaoPay's documents, as doc/kakaopay.md tells them; tests/data/kakaopay-*.json.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/error.h"
#include "base/limit.h"
#include "money/order.h"
#include "money/payment.h"

struct kakaopay;	/* one per process, made after fork; curl only behind exchange.c */
struct kakaopay *kakaopay_new(const struct conf *conf, struct error *err);
void kakaopay_free(struct kakaopay **k);

enum kakaopay_outcome {
	KO_OK,			/* 200, parsed, and what was asked */
	KO_NOT_SENT,		/* DNS, connect, TLS, or the deadline before the first byte */
	KO_NOT_EXECUTED,	/* KakaoPay's own error body: wrong key, quota, class C, -2..-6, -9798, 401, 403, 404, 429 */
	KO_TOKEN_REFUSED,	/* -701, -706..-708: class N, and the tid lives on */
	KO_DECLINED,		/* any other class N */
	KO_WINDOW_OVER,		/* -723 */
	KO_INQUIRE,		/* -702, -780, -783, ...: only the inquiry tells */
	KO_UNKNOWN,		/* sent; no body of KakaoPay's, 5xx, time-out, cut answer */
	KO__MAX
};
const char *kakaopay_outcome_name(enum kakaopay_outcome o);

/* The order of optional parameters in the request is theirs; absent: "" or -1. */
struct kakaopay_ready {
	char cid[CID_CAP], partner_order_id[ORDER_CAP], partner_user_id[USER_CAP], item_name[UTF8_CAP(100)];
	int64_t quantity, total_amount, tax_free_amount, vat_amount, green_deposit, install_month;
	char approval_url[UTF8_CAP(255)], cancel_url[UTF8_CAP(255)], fail_url[UTF8_CAP(255)];
	char item_code[UTF8_CAP(100)], payment_method_type[6], use_share_installment[2], redirect_scheme_url[UTF8_CAP(255)];
	char available_cards[512];	/* JSON array text */
	char custom_json[1024];		/* JSON object text of strings */
	const char *user_token;		/* kakaoAccessToken, borrowed; only mode user_token */
};

struct kakaopay_opened {		/* ready's answer */
	char tid[TID_CAP];
	char next_redirect_app_url[1024], next_redirect_mobile_url[1024], next_redirect_pc_url[1024];
	char android_app_scheme[1024], ios_app_scheme[1024];	/* may be "" */
	int64_t created_at_ms;
};

struct kakaopay_approve {
	char cid[CID_CAP], tid[TID_CAP], partner_order_id[ORDER_CAP], partner_user_id[USER_CAP];
	const char *pg_token;		/* borrowed, never logged */
	const char *payload;		/* names this send: KakaoPay echoes it */
	int64_t total_amount;
	int64_t window_boot_ms;		/* nothing is sent from here on: KakaoPay's window is over (KO_NOT_SENT) */
};

enum kakaopay_status { KS_PENDING, KS_PAID, KS_PART_CANCELED, KS_CANCELED, KS_FAILED /* FAIL_*, QUIT_PAYMENT */, KS_ISSUED_SID, KS_STRANGE };
enum kakaopay_status kakaopay_status_of(const char *word);	/* KS_STRANGE: a new word */
struct kakaopay_order {			/* inquiry's answer */
	enum kakaopay_status status;
	char status_text[64];
	struct payment payment;		/* aid from the PAYMENT action, else ""; approved_at 0 where absent; user_id not set */
	struct amount canceled, available;
	bool has_canceled, has_available;
};

struct kakaopay_cancel {
	char cid[CID_CAP], tid[TID_CAP];
	int64_t cancel_amount, cancel_tax_free_amount, cancel_vat_amount, cancel_available_amount;
	const char *payload;
};
struct kakaopay_canceled { char aid[TID_CAP]; enum kakaopay_status status; struct amount approved_cancel, canceled, available; int64_t canceled_at_ms; };

/* All: deadline_boot_ms is when this program gives up and resets the connection; *pa tells what KakaoPay said; true whenever the call could be made at all (look at
 * the outcome), false only for ERR_INTERNAL/ERR_INPUT (unknown cid, no memory): nothing was sent then, *o is KO_NOT_SENT and *pa is empty. approve and cancel use a fresh connection that is not reused,
 * and from their last look at the clock until they are back a kernel timer on the boot clock (deadline + 1 s) ends the process (SIGKILL), so that a worker that was
 * stopped cannot wake up and send. */
bool kakaopay_ready(struct kakaopay *k, const struct kakaopay_ready *rq, int64_t deadline_boot_ms, enum kakaopay_outcome *o, struct kakaopay_opened *out, struct provider_answer *pa, struct error *err);
bool kakaopay_approve(struct kakaopay *k, const struct kakaopay_approve *rq, int64_t deadline_boot_ms, enum kakaopay_outcome *o, struct payment *out, struct provider_answer *pa, struct error *err);
bool kakaopay_order(struct kakaopay *k, const char *cid, const char *tid, int64_t deadline_boot_ms, enum kakaopay_outcome *o, struct kakaopay_order *out, struct provider_answer *pa, struct error *err);
bool kakaopay_cancel(struct kakaopay *k, const struct kakaopay_cancel *rq, int64_t deadline_boot_ms, enum kakaopay_outcome *o, struct kakaopay_canceled *out, struct provider_answer *pa, struct error *err);
