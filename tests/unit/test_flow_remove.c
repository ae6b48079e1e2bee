/* removePaymentInQueue: the reservation service takes a payment out, or a gateway gives an attempt
 * up. */
#include "config.h"

#include "flow_world.h"

static void
gateway_gives_up_an_attempt_for_good(void **state)
{
	(void)state;
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	assert_int_equal(reservation_removes(NULL), FR_OK);
	assert_false(out.removed);
	assert_int_equal(gateway_removes(NULL), FR_OK);
	assert_true(out.removed && !out.replayed);
	assert_int_equal(gateway_removes(NULL), FR_OK);
	assert_true(out.removed && out.replayed);
	assert_int_equal(approve("tok"), FR_EXPIRED);
	assert_int_equal(out.charged, FC_FALSE);
	assert_int_equal(kakao.approves, 0);
}

static void
gateway_cannot_remove_what_is_paid(void **state)
{
	(void)state;
	pay_order();
	assert_int_equal(gateway_removes("T1"), FR_ORDER_PAID);
	assert_int_equal(reservation_removes(NULL), FR_OK);
	assert_true(out.removed);
	assert_int_equal(gateway_removes("T1"), FR_ORDER_PAID);
	assert_int_equal(out.charged, FC_TRUE);
}

static void
a_removal_that_the_queue_did_not_hear_leaves_its_work_item(void **state)
{
	(void)state;
	pay_order();
	queue_is_deaf = true;
	assert_int_equal(reservation_removes("T1"), FR_QUEUE_UNAVAILABLE);
	queue_is_deaf = false;
	assert_int_equal(last_kind(), LK_REMOVED);
	assert_int_equal(hold_state_of("T1"), HOLD_APPROVED);
	assert_int_equal(open_items(), 1);
	assert_int_equal(reservation_removes("T1"), FR_OK);
	assert_int_equal(open_items(), 0);
}

static void
another_queue_does_not_end_the_work_on_this_ones_hold(void **state)
{
	(void)state;
	pay_order();
	queue_is_deaf = true;
	assert_int_equal(reservation_removes("T1"), FR_QUEUE_UNAVAILABLE);
	queue_is_deaf = false;
	queue_expect(flow.queue, "ffffffffffffffffffffffffffffffff");
	assert_int_equal(reservation_removes("T1"), FR_OK); /* the ledger alone tells */
	assert_true(out.removed && out.replayed);
	assert_int_equal(open_items(), 1);
}

static void
an_approve_under_way_hides_no_earlier_removal(void **state)
{
	(void)state;
	pay_order();
	assert_int_equal(reservation_removes(NULL), FR_OK);
	assert_string_equal(out.tid, "T1");
	kakao_answers(PO_UNKNOWN, NOT_TAKEN);
	assert_int_equal(pay_ready("order-2", 14), FR_OK);
	assert_int_equal(approve("tok2"), FR_UNKNOWN);
	assert_int_equal(reservation_removes(NULL), FR_OK);
	assert_true(out.removed && out.replayed);
	assert_string_equal(out.tid, "T1");
}

static void
fail_the_ready_call(void)
{
	struct error err;

	error_clear(&err);
	assert_true(queue_fail(flow.queue, 1, false, "", clock_boot_ms() + 1000, &err));
}

static void
a_hold_that_goes_before_its_removal_was_never_there(void **state)
{
	struct hold_request rq = { .cid = "TC0ONETIME",
		.order = "order-1",
		.user = "u-1",
		.room = ROOM_A,
		.fingerprint = "f",
		.ttl_ms = 600000,
		.call_ms = 10000,
		.attempt = "{\"cid\":\"TC0ONETIME\",\"partner_order_id\":\"order-1\","
			   "\"partner_user_id\":\"p\",\"user_id\":\"u-1\","
			   "\"room_id\":\"" ROOM_A "\",\"item_name\":\"i\",\"quantity\":1,"
			   "\"total_amount\":1,\"tax_free_amount\":0,"
			   "\"reservation_info\":{}}" };
	struct queue_answer qa;
	struct error err;

	(void)state;
	error_clear(&err);
	assert_true(interval_make(1, 600, 720, &rq.set.iv[0]));
	rq.set.n = 1;
	assert_true(queue_hold(flow.queue, &rq, clock_boot_ms() + 1000, &qa, &err));
	assert_int_equal(qa.code, HA_OK);
	at_step(1, fail_the_ready_call); /* before queue_remove */
	assert_int_equal(gateway_removes(NULL), FR_OK);
	assert_false(out.removed);
}

static void
a_removal_that_breaks_off_is_finished_by_its_repeat(void **state)
{
	for (int from = 1; from <= 12; from++) {
		start_over(state);
		pay_order();
		fail_steps(from, FROM_THEN_ON);
		reservation_removes("T1");
		fail_no_more();
		assert_int_equal(reservation_removes("T1"), FR_OK);
		assert_true(out.removed);
		assert_int_equal(hold_state_of("T1"), HOLD_REMOVED);
		assert_int_equal(messages("queue.removed"), 1);
		assert_int_equal(open_items(), 0);
	}
}

static void
a_removal_mends_what_approve_did_not_finish(void **state)
{
	for (int from = 12; from <= 14; from += 2) { /* `payments`, the message */
		start_over(state);
		store_memory_keeps(flow.store);
		assert_int_equal(pay_ready("order-1", 10), FR_OK);
		fail_steps(from, ONCE);
		assert_int_equal(approve("tok"), FR_RECORDING);
		fail_no_more();
		assert_int_equal(is_stored("T1"), from > 12);
		assert_false(owes_approved());
		/* approved only where both stand */
		assert_int_equal(hold_state_of("T1"), HOLD_UNKNOWN);
		assert_int_equal(reservation_removes("T1"), FR_OK);
		assert_true(is_stored("T1"));
		assert_true(owes_approved());
	}
}

/* The queue calls it approved, but it was not approve that wrote the capture down: after an older
 * copy of the database, `roompayctl restore` did. */
static void
a_removal_mends_what_was_restored(void **state)
{
	for (int with_payment = 0; with_payment <= 1; with_payment++) {
		struct ledger_chain chain;
		enum store_put how;

		start_over(state);
		pay_order();
		assert_true(store_ledger_chain(flow.store, "TC0ONETIME", "order-1", &chain,
		    clock_boot_ms() + 1000, NULL));
		restore_an_empty_backup();
		for (size_t i = 0; i < chain.n; i++) {
			strcpy(chain.ev[i].by, "ctl");
			write_event(chain.ev[i]);
			if (with_payment && chain.ev[i].kind == LK_APPROVED)
				assert_true(store_payment_put(flow.store, &chain.ev[i].payment,
				    &how, clock_boot_ms() + 1000, NULL));
		}
		ledger_chain_clear(&chain);
		assert_int_equal(hold_state_of("T1"), HOLD_APPROVED);
		assert_int_equal(reservation_removes("T1"), FR_OK);
		assert_true(is_stored("T1"));
		assert_true(owes_approved());
		drop_the_lost_database();
	}
}

/* A backup may be cut between the `approved` that approve wrote and the payment that follows it. */
static void
a_removal_looks_for_the_payment_that_a_backup_may_lack(void **state)
{
	struct ledger_chain chain;

	(void)state;
	pay_order();
	assert_true(store_ledger_chain(flow.store, "TC0ONETIME", "order-1", &chain,
	    clock_boot_ms() + 1000, NULL));
	restore_an_empty_backup();
	for (size_t i = 0; i < chain.n; i++)
		write_event(chain.ev[i]);
	ledger_chain_clear(&chain);
	assert_int_equal(hold_state_of("T1"), HOLD_APPROVED);
	assert_false(is_stored("T1"));
	assert_int_equal(reservation_removes("T1"), FR_OK);
	assert_true(is_stored("T1"));
	drop_the_lost_database();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(gateway_gives_up_an_attempt_for_good),
		TEST(gateway_cannot_remove_what_is_paid),
		TEST(a_removal_that_the_queue_did_not_hear_leaves_its_work_item),
		TEST(another_queue_does_not_end_the_work_on_this_ones_hold),
		TEST(an_approve_under_way_hides_no_earlier_removal),
		TEST(a_hold_that_goes_before_its_removal_was_never_there),
		TEST(a_removal_that_breaks_off_is_finished_by_its_repeat),
		TEST(a_removal_mends_what_approve_did_not_finish),
		TEST(a_removal_mends_what_was_restored),
		TEST(a_removal_looks_for_the_payment_that_a_backup_may_lack),
	};

	log_open("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
