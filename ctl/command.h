/* The commands of roompayctl: one row each, and what they share. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/conf.h"
#include "base/error.h"
#include "flow/flow.h"

enum ctl_exit { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };	/* FAILED: not done, or something is not as it should be */

struct options {			/* what stands on the command line */
	const char *config;
	const char *reason;		/* --reason; NULL: not given */
	bool dry_run, json;
	/* for some commands; NULL: not given */
	const char *as, *id, *amount, *tax_free, *lang, *user, *order, *room, *cid, *from, *to, *limit, *day;
	char **args;			/* behind the command's words */
	int n_args;
};

struct command {
	const char *words;		/* "queue adopt" */
	const char *args;		/* "[DIR]"; "": none. One in brackets may be left out */
	const char *options;		/* the names of those it knows beside the common ones, "user order"; "": none */
	const char *what;		/* a line for the usage */
	bool changes;			/* needs --reason, knows --dry-run */
	bool bare;			/* needs no configuration */
	enum ctl_exit (*run)(const struct options *o, const struct conf *conf);
};
const struct command *ctl_command(size_t i);	/* NULL: after the last */

enum ctl_exit ctl_status(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_queue_adopt(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_holds_list(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_holds_show(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_holds_release(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_payment_list(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_payment_show(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_payment_explain(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_payment_settle(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_payment_refund(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_deliveries_list(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_deliveries_show(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_deliveries_retry(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_reconcile(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_migrate(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_config_check(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_token_new(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_completion(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_restore(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_journal_check(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_journal_dump(const struct options *o, const struct conf *conf);

/* "roompayctl: WHAT: why" on stderr; CTL_FAILED. */
enum ctl_exit ctl_complain(const char *what, const struct error *err);

/* The clients that a command asks for. ctl_close in every case. */
enum ctl_client { CTL_STORE = 1, CTL_QUEUE = 2, CTL_KAKAOPAY = 4 };
bool ctl_open(struct flow *f, const struct conf *conf, unsigned clients, struct error *err);
void ctl_close(struct flow *f);
/* Lets the flows speak with the queue where it is the site's own; else they say what the ledger alone can. Changes nothing. */
void ctl_set_gate(struct flow *f);
/* The same for what moves money or holds: false, and err says why, where queue and database do not belong together or a fence holds. */
bool ctl_need_site(struct flow *f, struct error *err);
/* All cids of the configuration: an operator at the machine sees everything. How many. */
size_t ctl_cids(const struct conf *conf, const char *cids[CONF_MERCHANTS_MAX]);
/* A request of this run: an id for logs and ledger, and how long it may take. */
struct flow_call ctl_call(void);
/* Whose attempt is it? Looks among payments, open work and holds. False: ERR_NOT_FOUND, or the store. */
bool ctl_find_order(struct flow *f, const char *tid, char cid[CID_CAP], char order[ORDER_CAP], struct error *err);
/* "2026-03-05 10:20:30", Korean time; "-" for 0. Borrowed until the fourth call from now. */
const char *ctl_kst(int64_t wall_ms);
const char *ctl_int(int64_t n);		/* the same */
/* A stranger's text for the terminal: what would hide or reorder something is escaped (base/text.h). Borrowed until the fourth call from now. */
const char *ctl_visible(const char *text);
