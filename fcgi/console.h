/*
 * The operator's console: its pages and its API (doc/console.md). What is shown and done is
 * lib/operate's, as in roompayctl; here are requests and answers.
 */
#pragma once

#include <stdbool.h>

#include "site/conf.h"

struct call;
struct http_request;

/* May this address use it? */
bool console_is_for(const struct conf *conf, const char *address);
/*
 * Does a browser say that another site sends this? Programs send neither header. A token in
 * Authorization cannot be sent by another site without its being asked for first, and OPTIONS never
 * allows it: this is the second lock.
 */
bool console_is_cross_origin(const struct http_request *in);

void handle_console_door(struct call *c); /* PREFIX/console */
void handle_console_page(struct call *c); /* PREFIX/console/FILE */

/* console_read.c, console_list.c */
void handle_console_me(struct call *c);
void handle_console_status(struct call *c);
void handle_console_waiting(struct call *c);
void handle_console_holds(struct call *c);
void handle_console_hold(struct call *c);
void handle_console_payments(struct call *c);
void handle_console_payment(struct call *c);
void handle_console_order(struct call *c);
void handle_console_refunds(struct call *c);
void handle_console_deliveries(struct call *c);
void handle_console_delivery(struct call *c);
void handle_console_settlement(struct call *c);
void handle_console_reconcile(struct call *c);

/* console_act.c */
void handle_console_settle(struct call *c);
void handle_console_refund(struct call *c);
void handle_console_release(struct call *c);
void handle_console_retry(struct call *c);
void handle_console_retry_all(struct call *c);
void handle_console_test(struct call *c);
void handle_console_adopt(struct call *c);
