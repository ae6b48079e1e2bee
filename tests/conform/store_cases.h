/* One set of cases for every implementation of the store, and what writing more of them takes. The
 * state of a case is the store. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "store/store.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { SOON = 10000 };
int64_t in(int64_t ms);			/* a deadline */
const char *unique(const char *prefix); /* "<prefix><number>", borrowed until the next */
struct payment a_payment(const char *tid);
struct ledger_event an_event(const char *order, int64_t n, enum ledger_kind kind,
    const char *nonce);
struct store_work an_open(const char *tid, int64_t at_ms);
struct store_message a_message(const char *tid, int64_t at_ms); /* body is not on the heap */

extern enum store_put how; /* of the last put */
extern struct error err;   /* of the last call */

#define DO(call) \
	do { \
		error_clear(&err); \
		if (!(call)) \
			fail_msg("%s", err.msg); \
	} while (0)

#define PUT(wanted, call) \
	do { \
		how = (enum store_put) - 1; \
		DO(call); \
		assert_int_equal(how, wanted); \
	} while (0)

void a_site_has_one_queue(void **state);
void an_event_comes_back_as_it_was(void **state);
void every_kind_comes_back(void **state);
void a_key_is_ours_again_and_never_anothers(void **state);
void what_was_never_put_is_not_found(void **state);
void a_chain_ends_at_the_first_missing_number(void **state);
void no_two_orders_share_a_key(void **state);
void a_replay_key_belongs_to_one_order(void **state);
void a_payment_is_one_document_however_often_it_is_put(void **state);
void the_ledger_is_listed_by_time(void **state);
void the_history_is_paged(void **state);
void refunds_are_listed_by_day(void **state);
void open_work_is_listed_oldest_first_until_deleted(void **state);
void a_message_is_listed_with_its_tries(void **state);
void a_message_keeps_its_first_content(void **state);
void a_try_is_claimed_once_and_finished(void **state);
void many_tries_are_claimed_each_for_itself(void **state);
void many_tries_are_finished_and_their_messages_deleted(void **state);
void new_messages_are_listed_from_a_time_on(void **state);
void a_long_chain_is_whole_and_in_order(void **state);

/* Tries number 1 of `n` messages, and a list of them. */
void fill_tries(struct store_try *tries, const struct store_try **list, size_t n, const char *base,
    const char *by);

/* X(case) for each of them */
#define EACH_STORE_CASE(X) \
	X(a_site_has_one_queue) \
	X(an_event_comes_back_as_it_was) \
	X(every_kind_comes_back) \
	X(a_key_is_ours_again_and_never_anothers) \
	X(what_was_never_put_is_not_found) \
	X(a_chain_ends_at_the_first_missing_number) \
	X(no_two_orders_share_a_key) \
	X(a_replay_key_belongs_to_one_order) \
	X(a_payment_is_one_document_however_often_it_is_put) \
	X(the_ledger_is_listed_by_time) \
	X(the_history_is_paged) \
	X(refunds_are_listed_by_day) \
	X(open_work_is_listed_oldest_first_until_deleted) \
	X(a_message_is_listed_with_its_tries) \
	X(a_message_keeps_its_first_content) \
	X(a_try_is_claimed_once_and_finished) \
	X(many_tries_are_claimed_each_for_itself) \
	X(many_tries_are_finished_and_their_messages_deleted) \
	X(new_messages_are_listed_from_a_time_on) \
	X(a_long_chain_is_whole_and_in_order)
