/* One simulated payment, its statuses, and views of it. state.h changes orders; here is neither
 * clock nor file. src: KakaoPay "single payment", statuses and value rules */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "site/limit.h"

enum { SIM_ID_CAP = 21, PAGE_ID_CAP = 65, WINDOW_MS = 15 * 60 * 1000 };

enum status {
	STATUS_READY,
	STATUS_SEND_TMS,
	STATUS_OPEN_PAYMENT,
	STATUS_SELECT_METHOD,
	STATUS_ARS_WAITING,
	STATUS_AUTH_PASSWORD, /* pg_token issued */
	STATUS_SUCCESS_PAYMENT,
	STATUS_PART_CANCEL_PAYMENT,
	STATUS_CANCEL_PAYMENT,
	STATUS_QUIT_PAYMENT,
	STATUS_FAIL_AUTH_PASSWORD,
	STATUS_FAIL_PAYMENT,
	STATUS__MAX
};
const char *status_name(enum status s); /* "READY", ... */
bool status_parse(const char *word, enum status *s);
bool status_is_legal(enum status from, enum status to);
bool status_is_pending(enum status s); /* approve may still come */

struct amount { /* won */
	int64_t total, tax_free, vat, point, discount, green_deposit;
};

struct step {
	enum status status;
	/* by the system's clock, whatever offset the simulated one has: what the inquiry's lag
	 * counts in */
	int64_t real_ms;
};

struct cancel {
	char aid[SIM_ID_CAP];
	struct amount amount;
	char *payload; /* NULL: not sent */
	int64_t at_ms, real_ms;
};

struct order { /* one tid */
	char tid[SIM_ID_CAP], page_id[PAGE_ID_CAP];
	bool legacy; /* it came through the legacy API */
	char cid[CID_CAP];
	char *partner_order_id, *partner_user_id, *item_name;
	char *item_code; /* NULL: not sent */
	char *approval_url, *cancel_url, *fail_url;
	char method[8];	   /* CARD, MONEY; "": not chosen yet */
	bool method_fixed; /* ready said so */
	int64_t quantity, install_month;
	struct amount amount;
	int64_t created_ms; /* by the simulated clock, as every *_ms here that is not real_ms */

	enum status status;
	struct step *steps;
	size_t n_steps;
	char pg_token[SIM_ID_CAP]; /* "": the user has not authenticated */

	bool is_captured;
	char aid[SIM_ID_CAP], sid[SIM_ID_CAP]; /* sid "": not a recurring cid */
	char *payload;
	int64_t approved_ms, approved_real_ms;

	struct cancel *cancels;
	size_t n_cancels;

	UT_hash_handle hh_tid, hh_page;
};

struct order *order_new(void);
void order_free(struct order **o);

/* An order as it was at real_ms. */
struct order_view {
	enum status status;
	bool is_captured;
	size_t n_cancels;
	/* left: still to be cancelled; all 0 where nothing was captured */
	struct amount canceled, left;
};
void order_view_at(const struct order *o, int64_t real_ms, struct order_view *v);
void order_view_now(const struct order *o, struct order_view *v);
