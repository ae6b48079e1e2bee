/* What the simulated KakaoPay knows: orders, captures, cancels, the clock. The simulator is one thread: a change here is whole before
 * the next request is looked at. Each change is a line of the state file before it is seen by anybody. src: KakaoPay "single payment",
 * statuses and value rules. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "base/error.h"
#include "base/limit.h"

enum { SIM_ID_CAP = 21, PAGE_ID_CAP = 65, WINDOW_MS = 15 * 60 * 1000 };

enum status {
	STATUS_READY,
	STATUS_SEND_TMS,
	STATUS_OPEN_PAYMENT,
	STATUS_SELECT_METHOD,
	STATUS_ARS_WAITING,
	STATUS_AUTH_PASSWORD,		/* pg_token issued */
	STATUS_SUCCESS_PAYMENT,
	STATUS_PART_CANCEL_PAYMENT,
	STATUS_CANCEL_PAYMENT,
	STATUS_QUIT_PAYMENT,
	STATUS_FAIL_AUTH_PASSWORD,
	STATUS_FAIL_PAYMENT,
	STATUS__MAX
};
const char *status_name(enum status s);		/* "READY", ... */
bool status_parse(const char *word, enum status *s);
bool status_is_legal(enum status from, enum status to);
bool status_is_pending(enum status s);		/* approve may still come */

struct amount {		/* won */
	int64_t total, tax_free, vat, point, discount, green_deposit;
};

struct step {
	enum status status;
	int64_t real_ms;	/* by the system's clock, whatever offset the simulated one has: what the inquiry's lag counts in */
};

struct cancel {
	char aid[SIM_ID_CAP];
	struct amount amount;
	char *payload;		/* NULL: not sent */
	int64_t at_ms, real_ms;
};

struct order {		/* one tid */
	char tid[SIM_ID_CAP], page_id[PAGE_ID_CAP];
	bool legacy;		/* made through the legacy API */
	char cid[CID_CAP];
	char *partner_order_id, *partner_user_id, *item_name;
	char *item_code;	/* NULL: not sent */
	char *approval_url, *cancel_url, *fail_url;
	char method[8];		/* CARD, MONEY; "": not chosen yet */
	bool method_fixed;	/* ready said so */
	int64_t quantity, install_month;
	struct amount amount;
	int64_t created_ms;	/* by the simulated clock, as every *_ms here that is not real_ms */

	enum status status;
	struct step *steps;
	size_t n_steps;
	char pg_token[SIM_ID_CAP];	/* "": the user has not authenticated */

	bool is_captured;
	char aid[SIM_ID_CAP], sid[SIM_ID_CAP];	/* sid "": not a recurring cid */
	char *payload;
	int64_t approved_ms, approved_real_ms;

	struct cancel *cancels;
	size_t n_cancels;

	UT_hash_handle hh_tid, hh_page;
};

struct cancel_ref {
	const struct order *order;
	size_t index;
};

struct state {
	struct order *by_tid, *by_page;
	struct order **captures;	/* in the order in which they were made */
	size_t n_captures, cap_captures;
	struct cancel_ref *cancels;
	size_t n_cancels, cap_cancels;
	int64_t offset_ms;		/* simulated clock - system clock */
	uint64_t random;
	int fd;				/* of the state file; -1: none */
	bool is_replaying;
};

/* Reads what an earlier run left in the file and appends to it from now on. path NULL: nothing is kept. ERR_INPUT: not a state file (the
 * message names the line), ERR_BUSY: another simulator has it. */
bool state_open(struct state *s, const char *path, struct error *err) __attribute__((warn_unused_result));
void state_close(struct state *s);
bool state_reset(struct state *s, struct error *err) __attribute__((warn_unused_result));	/* forgets everything, the file too */

int64_t state_now_ms(const struct state *s);
bool state_set_clock(struct state *s, int64_t offset_ms, struct error *err) __attribute__((warn_unused_result));

struct order *state_find(const struct state *s, const char *tid);		/* NULL: no such tid */
struct order *state_find_page(const struct state *s, const char *page_id);
size_t state_count(const struct state *s);
bool order_is_expired(const struct state *s, const struct order *o);

/* The changes. Each is ERR_CONFLICT where the status does not allow it, ERR_INTERNAL where the state file cannot be written; then nothing
 * has changed. */

/* Gives *o its tid, page and time, and takes it over (*o is NULL after) if all is well. */
bool state_add(struct state *s, struct order **o, struct order **added, struct error *err) __attribute__((warn_unused_result));
bool state_step(struct state *s, struct order *o, enum status to, struct error *err) __attribute__((warn_unused_result));
/* The user authenticated: o->pg_token is issued, or stays what it is. method: CARD, MONEY or NULL for what is fixed, else MONEY. */
bool state_pay(struct state *s, struct order *o, const char *method, struct error *err) __attribute__((warn_unused_result));
/* The money moves. Whether it may is the caller's question, but for the status. */
bool state_capture(struct state *s, struct order *o, const char *payload, struct error *err) __attribute__((warn_unused_result));
bool state_cancel(struct state *s, struct order *o, const struct amount *a, const char *payload, struct error *err)
	__attribute__((warn_unused_result));

struct order *order_new(void);
void order_free(struct order **o);

/* An order as it was at real_ms. */
struct order_view {
	enum status status;
	bool is_captured;
	size_t n_cancels;
	struct amount canceled, left;	/* left: still to be cancelled; all 0 where nothing was captured */
};
void order_view_at(const struct order *o, int64_t real_ms, struct order_view *v);
void order_view_now(const struct order *o, struct order_view *v);
