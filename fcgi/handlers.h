/* The queries of doc/http.md: a handler reads the request, asks a flow and writes the reply. */
#pragma once

struct call;

void handle_ready(struct call *c);
void handle_approve(struct call *c);
void handle_remove(struct call *c);
void handle_refund(struct call *c);
void handle_orders(struct call *c);
void handle_payments(struct call *c);
void handle_refunds(struct call *c);
void handle_payment(struct call *c);
void handle_queue(struct call *c);
