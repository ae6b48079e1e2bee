/* GET /payments as a table for a spreadsheet. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "fcgi/reply.h"

/* A page of payments as RFC 4180, with a byte order mark, which Excel needs to see that it is
 * UTF-8. Times are Korean time, as the header row says. No cell holds a hidden character or begins
 * like a formula. Where there are more payments, the header Link names the next page: the same
 * query with another cursor. */
void csv_payments(struct reply *r, const struct reply_to *to, const char *query,
    const struct payment *list, const struct payment_life *lives, size_t n, bool more);
/* The same of refunds. */
void csv_refunds(struct reply *r, const struct reply_to *to, const char *query,
    const struct ledger_event *list, size_t n, bool more);
