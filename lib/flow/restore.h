/*
 * After an older backup of the database was restored: compares what the queue remembers of each
 * order with the ledger, asks KakaoPay, and writes what is missing. The operator's `roompayctl
 * restore`.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "flow/flow.h"
#include "queue/disk/order_log.h"

struct restorer;		     /* what the queue's log says, order by order */
struct restorer *restorer_new(void); /* NULL: no memory */
void restorer_free(struct restorer **r);
/* In the order of the log. ERR_INTERNAL: no memory. */
bool restorer_add(struct restorer *r, const struct order_entry *e, struct error *err);

enum restore_end {
	RESTORE_WHOLE /* the ledger has all of it */,
	RESTORE_BEHIND /* dry run */,
	RESTORE_WRITTEN,
	RESTORE_FAILED
};
struct restore_report {
	int64_t orders, whole, behind, written, failed;
};

struct restore_options {
	const char *reason; /* kept in every event that is written */
	bool dry_run;	    /* nothing is written; KakaoPay is asked all the same */
	/* One order that was behind; may be NULL. what: a sentence. */
	void (*tell)(void *ctx, const char *cid, const char *order, enum restore_end end,
	    const char *what);
	void *ctx;
};
/* False: the store failed. May be repeated. f->queue may be NULL. Nobody else writes meanwhile,
 * since the site is fenced. */
bool flow_restore(struct flow *f, const struct restorer *r, const struct restore_options *o,
    struct restore_report *report, struct error *err);
