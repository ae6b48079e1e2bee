/*
 * One site as the tests of the flows see it: the flows over the queue and the store in memory, and
 * a KakaoPay of our own (flow_kakao.h). Every step of a call can fail or be intruded
 * (flow_steps.h). User "u-1" pays 2200 won for order "order-1" in ROOM_A unless a test says
 * otherwise.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "flow/flow.h"
#include "flow_kakao.h"
#include "flow_steps.h"

#define ROOM_A "00000000000000000000000a"
#define ROOM_B "00000000000000000000000b"

extern struct conf conf;
extern struct flow flow;
extern struct flow_answer out; /* of the last query that says nothing of where its answer goes */
extern const char *const our_cids[1], *const other_cids[1];

int set_up(void **state);
int tear_down(void **state);
void start_over(void **state);
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* ---- the queries, for u-1 in ROOM_A */

struct flow_call call(void);
/* Monday, two hours from `hour` on. Equal arguments are the same request. */
enum flow_result pay_ready(const char *order, int hour);
enum flow_result approve(const char *token);
/* tid NULL: the oldest payment that waits for its removal. */
enum flow_result reservation_removes(const char *tid);
enum flow_result gateway_removes(const char *tid);
/* Of T1. amount -1: all that is left. */
enum flow_result refund(const char *refund_id, int64_t amount);
/* Opens order-1 and pays it: T1. */
void pay_order(void);

/* The same, with the answer in *to. */
enum flow_result pay_ready_to(struct flow_answer *to, const char *user, const char *room,
    const char *order, int hour);
enum flow_result approve_to(struct flow_answer *to, const char *token);
enum flow_result remove_to(struct flow_answer *to, bool by_reservation, const char *tid);
enum flow_result refund_to(struct flow_answer *to, const char *refund_id, int64_t amount);

/* The number of steps of an approve of order-1, which this opens and pays. */
int steps_of_approve(void);

/* ---- the courier */

void start_courier(void);
void courier_sweeps(void);
/* Even if the store fails. */
void courier_tries(void);
/* Each time, first `apart_ms` pass. */
void courier_goes_on(int times, int64_t apart_ms);

/* ---- what stands where; none of this is a step */

enum hold_state hold_state_of(const char *tid); /* HOLD__MAX: the queue does not know it */
size_t messages(const char *type);
bool owes_approved(void); /* the reservation service is still to hear of T1 */
bool is_stored(const char *tid);
size_t open_items(void);

enum ledger_kind last_kind(void); /* of order-1; LK__MAX: none */
enum ledger_kind last_kind_of(const char *order);
size_t ledger_length(void);
bool has_event(enum ledger_kind kind);
struct order_state state_of(const char *tid); /* its pointers only say whether there is one */

/* ---- what others do to it */

void write_event(struct ledger_event e);
void webhook_was_tried(struct store_try t);
/* The real database stays aside until drop_the_lost_database. */
void restore_an_empty_backup(void);
void drop_the_lost_database(void);
void queue_forgets_everything(void);
