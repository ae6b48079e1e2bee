/* The commands of roompayctl: one row each, and what they share. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/error.h"
#include "flow/flow.h"
#include "site/conf.h"

enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2
}; /* FAILED: not done, or something is not as it should be */

struct options { /* what stands on the command line */
	const char *config;
	const char *reason; /* --reason; NULL: not given */
	bool dry_run, json, wide;
	/* for some commands; NULL: not given */
	const char *as, *id, *amount, *tax_free, *again, *all, *since, *peer, *weekday, *hours,
	    *count, *lang, *user, *order, *room, *cid, *from, *to, *limit, *day, *apply;
	char **args; /* behind the command's words */
	int n_args;
};

enum {
	CTL_CHANGES = 1 /* needs --reason, knows --dry-run */,
	CTL_BARE = 2 /* needs no configuration */,
	CTL_NO_JSON = 4 /* what it prints is for a shell */
};

struct command {
	const char *words;   /* "queue adopt" */
	const char *args;    /* "[DIR]"; "": none. One in brackets may be left out */
	const char *options; /* those it knows beside the common ones, "user order"; "": none */
	const char *what[2]; /* a line for the usage, English and Korean */
	unsigned flags;
	enum ctl_exit (*run)(const struct options *o, const struct conf *conf);
};
const struct command *ctl_command(size_t i); /* NULL: after the last */

/* The options that only some commands know; *flag: it takes no value. NULL: after the last. */
const char *ctl_option(size_t i, bool *flag);

enum ctl_exit ctl_status(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_queue_adopt(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_queue_renew(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_holds_list(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_holds_show(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_holds_release(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_payment_list(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_payment_show(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_payment_explain(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_payment_settle(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_payment_refund(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_refund_list(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_refund_opening(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_settlement(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_deliveries_list(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_deliveries_show(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_deliveries_retry(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_deliveries_test(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_reconcile(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_import_check(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_migrate(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_config_check(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_token_new(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_completion(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_restore(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_journal_check(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_journal_dump(const struct options *o, const struct conf *conf);

/* "roompayctl: WHAT: why" on stderr; CTL_FAILED. */
enum ctl_exit ctl_complain(const char *what, const struct error *err);

/* What stands behind an option. False: it is a mistake, which is said; the command ends with
 * CTL_USAGE. */
bool ctl_parse_number(const char *name, const char *text, int64_t min, int64_t max, int64_t *out);
bool ctl_parse_when(const char *name, const char *text, int64_t *out);
bool ctl_take_text(const char *name, const char *text, char *out, size_t cap); /* NULL: "" */
bool ctl_check_room(const char *room);					       /* NULL is right */
bool ctl_check_cid(const char *cid, const struct conf *conf);

/* The operating system's user who runs this, behind sudo too. */
const char *ctl_who(void);

/* The clients that a command asks for. ctl_close in every case. */
enum ctl_client { CTL_STORE = 1, CTL_QUEUE = 2, CTL_KAKAOPAY = 4 };
bool ctl_open(struct flow *f, const struct conf *conf, unsigned clients, struct error *err);
void ctl_close(struct flow *f);
/* Lets the flows speak with the queue where it is the site's own; else they say what the ledger
 * alone can. Changes nothing. */
void ctl_set_gate(struct flow *f);
/* The same for what moves money or holds: false, and err says why, where queue and database do not
 * belong together or a fence holds. */
bool ctl_need_site(struct flow *f, struct error *err);
/* All cids of the configuration: an operator at the machine sees everything. How many. */
size_t ctl_cids(const struct conf *conf, const char *cids[CONF_MERCHANTS_MAX]);
/* A request of this run: an id for logs and ledger, and how long it may take. */
struct flow_call ctl_call(void);
/* Begins and ends a list as JSON, and puts a comma before each object but the first. */
void ctl_begin_list(struct buf *b);
void ctl_next_item(struct buf *b);
bool ctl_print_list(struct buf *b);
/* All of it and a line's end on standard output; empties. False: no memory, or it is gone. */
bool ctl_print(struct buf *b);
/* "2026-03-05 10:20:30", Korean time; "-" for 0. Borrowed until the fourth call from now. */
const char *ctl_kst(int64_t wall_ms);
/* "ctl (alice)": the program, and for whom. Borrowed likewise. */
const char *ctl_by(const char *by, const char *who);
const char *ctl_int(int64_t n); /* the same */
/* A stranger's text for the terminal: what would hide or reorder something is escaped
 * (base/text.h). Borrowed until the fourth call from now. */
const char *ctl_visible(const char *text);
