/* What the console's handlers share: who asks, for which merchants, and how a failure is answered.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "fcgi/call.h"
#include "operate/status.h"

/* A read or an action may take so long until it says what it has, and where to go on. */
enum { CONSOLE_PIECE_MS = 3000 };

bool console_is_korean(const struct call *c);
/* The caller's merchants, or the one that the request names. False: that one is not the caller's;
 * the reply says so. */
bool console_cids(struct call *c, const char *named, const char *cids[CONF_CIDS_MAX], size_t *n);
/* Whether the caller has all merchants of the configuration: then nothing needs to be looked up. */
bool console_sees_all(const struct call *c);
/* Of a payment, an order, a hold or a message: not-known for another merchant's. */
bool console_is_of(struct call *c, const char *cid);
/* What an error of store, queue or library means for the caller. */
void console_failed(struct call *c, const struct error *err);
/* The same where only the queue was asked. */
void console_queue_failed(struct call *c, const struct error *err);
/* How the site is, also where another queue runs than the one that this worker knows. */
void console_look(struct call *c, struct operate_status *s);
/* The flow for a read: KakaoPay is not asked, so nothing is changed by looking. */
struct flow console_flow(struct call *c);
