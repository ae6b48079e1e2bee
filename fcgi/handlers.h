/* The queries of doc/http.md: a handler reads the request, asks a flow and writes the reply. */
#pragma once

#include <stddef.h>

struct call;
struct payment;
struct payment_life;
struct store_history;

void handle_ready(struct call *c);
void handle_approve(struct call *c);
void handle_remove(struct call *c);
void handle_refund(struct call *c);
void handle_orders(struct call *c);
void handle_payments(struct call *c);
void handle_refunds(struct call *c);
void handle_payment(struct call *c);
void handle_queue(struct call *c);

/* As JSON or CSV, whatever Accept wants; path: of this query, below the prefix. */
void answer_payments(struct call *c, const char *path, const struct payment *list,
    const struct payment_life *lives, size_t n, const char *next);
void answer_refunds(struct call *c, const char *path, const struct store_history *h);
