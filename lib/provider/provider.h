/*
 * A payment provider: four calls, and what an answer means as data. KakaoPay is behind it
 * (kakaopay/); whoever tells a payment's story includes this header alone.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "money/ledger.h"
#include "money/payment.h"
#include "site/limit.h"

enum provider_outcome {
	PO_OK,		 /* it did what was asked, and said so */
	PO_NOT_SENT,	 /* DNS, connect, TLS, or the deadline before the first byte */
	PO_NOT_EXECUTED, /* it says itself that nothing was done: wrong key, quota, maintenance, ...
			  */
	PO_TOKEN_REFUSED, /* a wrong pg_token, or the user has not finished; the tid lives on */
	PO_DECLINED,	  /* refused for certain */
	PO_WINDOW_OVER,	  /* refused for certain: too late */
	PO_INQUIRE,	  /* only the inquiry tells */
	PO_UNKNOWN,	  /* sent; no answer, or none of use */
	PO__MAX
};
const char *provider_outcome_name(enum provider_outcome o);

/* Optional parameters are "" or -1 where absent. */
struct provider_ready {
	char cid[CID_CAP], partner_order_id[ORDER_CAP], partner_user_id[USER_CAP],
	    item_name[UTF8_CAP(100)];
	int64_t quantity, total_amount, tax_free_amount, vat_amount, green_deposit, install_month;
	char approval_url[UTF8_CAP(255)], cancel_url[UTF8_CAP(255)], fail_url[UTF8_CAP(255)];
	char item_code[UTF8_CAP(100)], payment_method_type[6], use_share_installment[2],
	    redirect_scheme_url[UTF8_CAP(255)];
	char available_cards[512]; /* JSON array text */
	char custom_json[1024];	   /* JSON object text of strings */
	const char *user_token;	   /* kakaoAccessToken, borrowed; only mode user_token */
};

struct provider_opened { /* ready's answer */
	char tid[TID_CAP];
	char next_redirect_app_url[1024], next_redirect_mobile_url[1024],
	    next_redirect_pc_url[1024];
	char android_app_scheme[1024], ios_app_scheme[1024]; /* may be "" */
	int64_t created_at_ms;
};

struct provider_approve {
	char cid[CID_CAP], tid[TID_CAP], partner_order_id[ORDER_CAP], partner_user_id[USER_CAP];
	const char *pg_token; /* borrowed, never logged */
	const char *payload;  /* names this send: the provider echoes it */
	int64_t total_amount;
	/* nothing is sent from here on: the provider's window is over (PO_NOT_SENT) */
	int64_t window_boot_ms;
};

enum provider_status {
	PS_PENDING,
	PS_PAID,
	PS_PART_CANCELED,
	PS_CANCELED,
	PS_FAILED /* or the user quit */,
	PS_ISSUED_SID,
	PS_STRANGE,
	PS__MAX
};
const char *provider_status_name(enum provider_status s); /* "pending", ...: as the ledger keeps it
							   */

struct provider_order { /* inquiry's answer */
	enum provider_status status;
	char status_text[64]; /* in its own words */
	/* aid from the PAYMENT action, else ""; approved_at 0 where absent; user_id not set */
	struct payment payment;
	struct amount canceled, available;
	bool has_canceled, has_available;
};

struct provider_cancel {
	char cid[CID_CAP], tid[TID_CAP];
	int64_t cancel_amount, cancel_tax_free_amount, cancel_vat_amount, cancel_available_amount;
	const char *payload;
};
struct provider_canceled {
	char aid[TID_CAP];
	enum provider_status status;
	struct amount approved_cancel, canceled, available;
	int64_t canceled_at_ms;
};

/*
 * All calls: deadline_boot_ms is when this program gives up and resets the connection; *pa tells
 * what the provider said; true whenever the call could be made at all (look at the outcome), false
 * only for ERR_INTERNAL and ERR_INPUT (unknown cid, no memory): nothing was sent then, *o is
 * PO_NOT_SENT and *pa is empty.
 * approve and cancel use a fresh connection that is not reused, and from their last look at the
 * clock until they are back a kernel timer on the boot clock (deadline + 1 s) ends the process
 * (SIGKILL), so that a worker that was stopped cannot wake up and send.
 */
struct provider;
bool provider_ready(struct provider *p, const struct provider_ready *rq, int64_t deadline_boot_ms,
    enum provider_outcome *o, struct provider_opened *out, struct provider_answer *pa,
    struct error *err);
bool provider_approve(struct provider *p, const struct provider_approve *rq,
    int64_t deadline_boot_ms, enum provider_outcome *o, struct payment *out,
    struct provider_answer *pa, struct error *err);
bool provider_order(struct provider *p, const char *cid, const char *tid, int64_t deadline_boot_ms,
    enum provider_outcome *o, struct provider_order *out, struct provider_answer *pa,
    struct error *err);
bool provider_cancel(struct provider *p, const struct provider_cancel *rq, int64_t deadline_boot_ms,
    enum provider_outcome *o, struct provider_canceled *out, struct provider_answer *pa,
    struct error *err);
void provider_free(struct provider **p);

/* What an implementation has: its own struct begins with this. */
struct provider_calls {
	bool (*ready)(struct provider *p, const struct provider_ready *rq, int64_t deadline_boot_ms,
	    enum provider_outcome *o, struct provider_opened *out, struct provider_answer *pa,
	    struct error *err);
	bool (*approve)(struct provider *p, const struct provider_approve *rq,
	    int64_t deadline_boot_ms, enum provider_outcome *o, struct payment *out,
	    struct provider_answer *pa, struct error *err);
	bool (*order)(struct provider *p, const char *cid, const char *tid,
	    int64_t deadline_boot_ms, enum provider_outcome *o, struct provider_order *out,
	    struct provider_answer *pa, struct error *err);
	bool (*cancel)(struct provider *p, const struct provider_cancel *rq,
	    int64_t deadline_boot_ms, enum provider_outcome *o, struct provider_canceled *out,
	    struct provider_answer *pa, struct error *err);
	void (*free)(struct provider *p);
};
struct provider {
	const struct provider_calls *calls;
};
