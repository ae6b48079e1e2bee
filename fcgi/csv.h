/* Lists as tables for a spreadsheet: RFC 4180, with a byte order mark, which Excel needs to see
 * that it is UTF-8. Times are Korean time, as the header row says. No cell holds a hidden character
 * or begins like a formula. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "fcgi/reply.h"
#include "operate/settlement.h"

struct csv_page {
	const char *path;  /* below the prefix */
	const char *query; /* of this page; may be NULL */
	const char *next;  /* the cursor of the next one, which the header Link names; NULL: none */
};

void csv_payments(struct reply *r, const struct reply_to *to, const struct csv_page *page,
    const struct payment *list, const struct payment_life *lives, size_t n);
void csv_refunds(struct reply *r, const struct reply_to *to, const struct csv_page *page,
    const struct ledger_event *list, size_t n);
void csv_takings(struct reply *r, const struct reply_to *to, const struct csv_page *page,
    const struct operate_takings *list, size_t n);
