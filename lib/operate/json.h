/*
 * What operators see, as JSON: the same objects for roompayctl --json and for the console's API.
 * doc/roompayctl.json has their schemas. Each function writes one object; what there is nothing of
 * is left out. No I/O.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "flow/flow.h"
#include "operate/deliver.h"
#include "operate/message.h"
#include "operate/reconcile.h"
#include "operate/refund.h"
#include "operate/settle.h"
#include "operate/settlement.h"
#include "operate/status.h"
#include "operate/waiting.h"

void operate_json_status(struct buf *b, const struct operate_status *s, bool korean);
void operate_json_hold(struct buf *b, const struct queue_hold *h, const struct conf *conf);
void operate_json_released(struct buf *b, const struct queue_hold *h, bool dry_run);
void operate_json_event(struct buf *b, const struct ledger_event *e, bool korean);
/* An attempt of an order, and the words of explain.h. total: won that were taken, -1: no payment is
 * recorded. */
void operate_json_explained(struct buf *b, const struct flow_order_attempt *t, int64_t total,
    bool korean);
void operate_json_settled(struct buf *b, const char *cid, const char *order, const char *tid,
    const struct operate_settled *s, bool dry_run);
/* What would go back, and what went back before. */
void operate_json_refund_plan(struct buf *b, const struct flow_refund_request *rq,
    const struct operate_refund_plan *p);
/* As cancelPayment answers, with the refund's id. */
void operate_json_refund(struct buf *b, const struct flow_refund_request *rq,
    const struct flow_answer *a);
void operate_json_refund_past(struct buf *b, const struct operate_refund_past *p);
void operate_json_takings(struct buf *b, const struct operate_takings *t);
void operate_json_message(struct buf *b, const struct store_message *m);
void operate_json_message_shown(struct buf *b, const struct operate_message *m);
void operate_json_retried(struct buf *b, const char *id, bool dry_run);
void operate_json_test(struct buf *b, const char *peer, const struct operate_test *t);
void operate_json_difference(struct buf *b, const struct operate_compared *c, bool korean);
void operate_json_waiting(struct buf *b, const struct operate_waiting *w, bool korean);
void operate_json_adopted(struct buf *b, const struct operate_status *s, bool adopted, bool dry_run,
    const char *detail);
