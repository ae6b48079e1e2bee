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
	char **args;			/* behind the command's words */
	int n_args;
};

struct command {
	const char *words;		/* "queue adopt" */
	const char *args;		/* "[DIR]"; "": none */
	const char *what;		/* a line for the usage */
	bool changes;			/* needs --reason, knows --dry-run */
	enum ctl_exit (*run)(const struct options *o, const struct conf *conf);
};
const struct command *ctl_command(size_t i);	/* NULL: after the last */

enum ctl_exit ctl_status(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_queue_adopt(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_restore(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_journal_check(const struct options *o, const struct conf *conf);
enum ctl_exit ctl_journal_dump(const struct options *o, const struct conf *conf);

/* "roompayctl: WHAT: why" on stderr; CTL_FAILED. */
enum ctl_exit ctl_complain(const char *what, const struct error *err);

/* The clients that a command asks for. ctl_close in every case. */
enum ctl_client { CTL_STORE = 1, CTL_QUEUE = 2, CTL_KAKAOPAY = 4 };
bool ctl_open(struct flow *f, const struct conf *conf, unsigned clients, struct error *err);
void ctl_close(struct flow *f);
