/* approvePayment: what is sent to KakaoPay, and what its answer means for money, ledger and hold.
 */
#include "config.h"

#include "flow_world.h"

static void
a_payment_is_captured_stored_and_owed(void **state)
{
	(void)state;
	pay_order();
	assert_int_equal(out.charged, FC_TRUE);
	assert_int_equal(out.state, AS_APPROVED);
	assert_false(out.replayed);
	assert_int_equal(kakao.captures, 1);
	assert_string_equal(kakao.last.pg_token, "tok");
	assert_true(is_stored("T1"));
	assert_string_equal(out.payment.user_id, "u-1");
	assert_int_equal(messages("payment.approved"), 1);
	assert_int_equal(hold_state_of("T1"), HOLD_APPROVED);
	assert_int_equal(last_kind(), LK_APPROVED);
	assert_int_equal(open_items(), 1);
}

/* Of the last grant to approve its hold. */
static uint64_t
token_of(const char *tid)
{
	static struct queue_answer a;
	struct error err;

	assert_true(queue_find_tid(flow.queue, tid, clock_boot_ms() + 1000, &a, &err));
	assert_int_equal(a.code, HA_OK);
	return a.hold.token;
}

static void
a_caller_of_another_cid_finds_nothing(void **state)
{
	struct flow_call c = call();

	(void)state;
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	flow_approve(&flow, &c, "u-1", ROOM_A, "tok", other_cids, 1, &out);
	assert_int_equal(out.result, FR_NO_HOLD);
	assert_int_equal(token_of("T1"), 0); /* nor does it touch anything */
	assert_int_equal(approve("tok"), FR_OK);
	flow_approve(&flow, &c, "u-1", ROOM_A, "tok", other_cids, 1, &out);
	assert_int_equal(out.result, FR_NO_HOLD);
	flow_remove(&flow, &c, true, "u-1", ROOM_A, "T1", other_cids, 1, &out);
	assert_false(out.removed);
	assert_int_equal(kakao.approves, 1);
}

/* The way an inquiry, or the payment itself, differs from the usual. */
enum oddity { USUAL, SILENT, STRANGE_STATUS, OTHER_AMOUNT, FAILED };

/* clang-format off */
static const struct row {
	const char *what;
	enum provider_outcome answer;
	bool commits;
	enum oddity odd;
	int64_t code;
	enum flow_result result;
	enum flow_charged charged;
	enum ledger_kind kind;
	enum hold_state hold;
	int inquiries;
} rows[] = {
	{ "captured",
	  PO_OK, TAKEN, USUAL, 0,
	  FR_OK, FC_TRUE, LK_APPROVED, HOLD_APPROVED, 0 },
	{ "captured, but another amount",
	  PO_OK, TAKEN, OTHER_AMOUNT, 0,
	  FR_OK, FC_TRUE, LK_REVIEW, HOLD_REVIEW, 0 },
	{ "not sent",
	  PO_NOT_SENT, NOT_TAKEN, USUAL, 0,
	  FR_PROVIDER_UNREACHABLE, FC_FALSE, LK_NOT_EXECUTED, HOLD_READY, 0 },
	{ "not executed",
	  PO_NOT_EXECUTED, NOT_TAKEN, USUAL, -401,
	  FR_PROVIDER_ERROR, FC_FALSE, LK_NOT_EXECUTED, HOLD_READY, 0 },
	{ "token refused",
	  PO_TOKEN_REFUSED, NOT_TAKEN, USUAL, -708,
	  FR_TOKEN_REFUSED, FC_FALSE, LK_REFUSED, HOLD_READY, 0 },
	{ "declined",
	  PO_DECLINED, NOT_TAKEN, USUAL, -704,
	  FR_DECLINED, FC_FALSE, LK_DECLINED, HOLD_DECLINED, 0 },
	{ "window over",
	  PO_WINDOW_OVER, NOT_TAKEN, USUAL, -723,
	  FR_EXPIRED, FC_FALSE, LK_DECLINED, HOLD_DECLINED, 0 },
	{ "no answer, captured",
	  PO_UNKNOWN, TAKEN, USUAL, 0,
	  FR_OK, FC_TRUE, LK_APPROVED, HOLD_APPROVED, 1 },
	{ "no answer, captured, no inquiry",
	  PO_UNKNOWN, TAKEN, SILENT, 0,
	  FR_UNKNOWN, FC_UNKNOWN, LK_UNKNOWN, HOLD_UNKNOWN, 1 },
	{ "no answer, not captured",
	  PO_UNKNOWN, NOT_TAKEN, USUAL, 0,
	  FR_UNKNOWN, FC_UNKNOWN, LK_UNKNOWN, HOLD_UNKNOWN, 1 },
	{ "no answer, failed",
	  PO_UNKNOWN, NOT_TAKEN, FAILED, 0,
	  FR_DECLINED, FC_FALSE, LK_DECLINED, HOLD_DECLINED, 1 },
	{ "already paid, it says",
	  PO_INQUIRE, TAKEN, USUAL, -702,
	  FR_OK, FC_TRUE, LK_APPROVED, HOLD_APPROVED, 1 },
	{ "refused by the card",
	  PO_INQUIRE, NOT_TAKEN, FAILED, -780,
	  FR_DECLINED, FC_FALSE, LK_DECLINED, HOLD_DECLINED, 1 },
	{ "a status that nobody knows",
	  PO_UNKNOWN, TAKEN, STRANGE_STATUS, 0,
	  FR_UNKNOWN, FC_UNKNOWN, LK_REVIEW, HOLD_REVIEW, 1 },
	{ "captured with another amount, found by inquiry",
	  PO_UNKNOWN, TAKEN, OTHER_AMOUNT, 0,
	  FR_OK, FC_TRUE, LK_REVIEW, HOLD_REVIEW, 1 },
};
/* clang-format on */

static void
approve_as_in(const struct row *r)
{
	kakao_answers(r->answer, r->commits);
	kakao.inquiry_silent = r->odd == SILENT;
	kakao.strange = r->odd == STRANGE_STATUS;
	kakao.wrong_total = r->odd == OTHER_AMOUNT;
	kakao.pending_as = r->odd == FAILED ? PS_FAILED : PS_PENDING;
	kakao.code = r->code;
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	approve("tok");
}

static void
each_answer_of_kakaopay_has_its_meaning(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];

		start_over(state);
		approve_as_in(r);
		if (out.result != r->result || out.charged != r->charged ||
		    last_kind() != r->kind || hold_state_of("T1") != r->hold ||
		    kakao.inquiries != r->inquiries)
			fail_msg("%s: result %d charged %d kind %s hold %s inquiries %d", r->what,
			    (int)out.result, (int)out.charged, ledger_kind_name(last_kind()),
			    hold_state_name(hold_state_of("T1")), kakao.inquiries);
		assert_int_equal(is_stored("T1"), r->charged == FC_TRUE);
		assert_int_equal(messages("payment.approved"), r->kind == LK_APPROVED);
	}
}

static void
after_an_unknown_end_no_refusal_proves_anything(void **state)
{
	static const enum provider_outcome refusals[] = { PO_TOKEN_REFUSED, PO_DECLINED,
		PO_WINDOW_OVER, PO_NOT_EXECUTED, PO_NOT_SENT };

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		start_over(state);
		kakao_answers(PO_UNKNOWN, NOT_TAKEN);
		assert_int_equal(pay_ready("order-1", 10), FR_OK);
		assert_int_equal(approve("tok"), FR_UNKNOWN);
		kakao.answer = refusals[i];
		assert_int_equal(approve("tok"), FR_UNKNOWN);
		assert_int_equal(out.charged, FC_UNKNOWN);
		assert_int_equal(kakao.approves, 2);
		assert_int_equal(hold_state_of("T1"), HOLD_UNKNOWN);
		/* and when the inquiry at last shows the first send's capture, it is found, not
		 * made again */
		kakao.captured[1] = true;
		assert_int_equal(approve("tok"), FR_OK);
		assert_int_equal(out.charged, FC_TRUE);
		assert_int_equal(kakao.approves, 2);
		assert_int_equal(messages("payment.resolved"), 1);
	}
}

static void
a_declined_attempt_stays_declined(void **state)
{
	(void)state;
	kakao_answers(PO_DECLINED, NOT_TAKEN);
	kakao.code = -704;
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_DECLINED);
	kakao_answers(PO_OK, TAKEN);
	assert_int_equal(approve("tok"), FR_DECLINED);
	assert_true(out.replayed);
	assert_int_equal(out.provider.code, -704);
	assert_int_equal(approve("other"), FR_DECLINED);
	assert_int_equal(kakao.approves, 1);
	assert_int_equal(pay_ready("order-1", 10), FR_OK); /* a new attempt of the order may be */
	assert_int_equal(kakao.readies, 2);
}

static void
a_token_of_another_order_is_refused_unsent(void **state)
{
	(void)state;
	kakao_answers(PO_TOKEN_REFUSED, NOT_TAKEN);
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_TOKEN_REFUSED);
	assert_int_equal(pay_ready("order-2", 14), FR_OK);
	kakao.answer = PO_OK;
	assert_int_equal(approve("tok"), FR_TOKEN_REFUSED);
	assert_int_equal(kakao.approves, 1);
}

static void
a_token_used_for_another_order_leaves_no_work(void **state)
{
	(void)state;
	kakao_answers(PO_TOKEN_REFUSED, NOT_TAKEN);
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_TOKEN_REFUSED);
	assert_int_equal(pay_ready("order-2", 14), FR_OK);
	assert_int_equal(approve("tok"), FR_TOKEN_REFUSED);
	assert_int_equal(open_items(), 0);
}

static void
a_wrong_token_never_gets_the_right_ones_answer(void **state)
{
	(void)state;
	kakao_answers(PO_TOKEN_REFUSED, NOT_TAKEN);
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	assert_int_equal(approve("wrong"), FR_TOKEN_REFUSED);
	kakao_answers(PO_UNKNOWN, TAKEN);
	kakao.inquiry_silent = true;
	assert_int_equal(approve("right"), FR_UNKNOWN);
	kakao.inquiry_silent = false;
	/* it settles what the right one began */
	assert_int_equal(approve("wrong too"), FR_ORDER_PAID);
	assert_int_equal(approve("wrong"), FR_ORDER_PAID);
	assert_int_equal(approve("right"), FR_OK);
	assert_int_equal(kakao.captures, 1);
	assert_int_equal(kakao.approves, 2);
}

/* Nothing of our own writes this today; an inquiry long after a declined attempt may. */
static void
an_order_that_is_perhaps_charged_gets_no_second_attempt(void **state)
{
	struct ledger_event review = {
		.n = 3,
		.kind = LK_REVIEW,
		.at_ms = 1,
		.cid = "TC0ONETIME",
		.partner_order_id = "order-1",
		.tid = "T1",
		.nonce = "0123456789abcdef",
	};

	(void)state;
	kakao_answers(PO_DECLINED, NOT_TAKEN);
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_DECLINED);
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	write_event(review);
	kakao_answers(PO_OK, TAKEN);
	assert_int_equal(approve("tok2"), FR_IN_PROGRESS);
	assert_int_equal(out.charged, FC_UNKNOWN);
	assert_int_equal(kakao.captures, 0);
	assert_int_equal(pay_ready("order-1", 14), FR_IN_PROGRESS);
	assert_int_equal(out.charged, FC_UNKNOWN);
}

static void
take_the_first_number(void)
{
	struct ledger_event abandoned = {
		.n = 1,
		.kind = LK_ABANDONED,
		.at_ms = 1,
		.cid = "TC0ONETIME",
		.partner_order_id = "order-1",
		.tid = "T1",
		.nonce = "0123456789abcdef",
	};

	write_event(abandoned);
}

static void
who_finds_its_number_taken_sends_nothing(void **state)
{
	(void)state;
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	/* queue, replay key twice, work item */
	at_step(4, take_the_first_number);
	assert_int_equal(approve("tok"), FR_IN_PROGRESS);
	assert_int_equal(out.charged, FC_UNKNOWN);
	assert_true(out.retry_ms > 0);
	assert_int_equal(kakao.approves, 0);
	assert_int_equal(hold_state_of("T1"), HOLD_READY); /* nothing was sent under its grant */
	assert_int_equal(approve("tok"), FR_OK);
	assert_int_equal(kakao.captures, 1);
}

static void
a_chain_that_the_queue_has_forgotten_is_read_by_the_next_call(void **state)
{
	const struct ledger_event note = {
		.n = 1,
		.kind = LK_NOTE,
		.at_ms = 1,
		.cid = "TC0ONETIME",
		.partner_order_id = "order-1",
		.nonce = "0123456789abcdef",
	};

	(void)state;
	write_event(note);
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	assert_int_equal(approve("tok"), FR_IN_PROGRESS);
	assert_int_equal(kakao.approves, 0);
	assert_int_equal(hold_state_of("T1"), HOLD_READY);
	assert_int_equal(approve("tok"), FR_OK);
	assert_int_equal(last_kind(), LK_APPROVED);
	assert_int_equal(ledger_length(), 3);
}

static void
a_grant_under_which_nothing_is_sent_is_given_back_at_once(void **state)
{
	for (int from = 2; from <= 6; from += 2) { /* the replay key, the work item, `approving` */
		start_over(state);
		assert_int_equal(pay_ready("order-1", 10), FR_OK);
		fail_steps(from, ONCE);
		assert_int_equal(approve("tok"), FR_STORE_UNAVAILABLE);
		fail_no_more();
		assert_int_equal(out.charged, FC_FALSE);
		assert_int_equal(hold_state_of("T1"), HOLD_READY);
		assert_int_equal(approve("tok"), FR_OK);
	}
}

static void
be_granted_unheard(void)
{
	static struct queue_answer a;
	struct error err;

	assert_true(queue_approve_first(flow.queue, "u-1", ROOM_A, our_cids, 1, "00ff",
	    clock_boot_ms() + 11000, &a, &err));
	assert_int_equal(a.code, HA_OK);
}

static void
a_grant_whose_answer_is_lost_sends_nothing_and_ends_by_its_deadline(void **state)
{
	(void)state;
	assert_int_equal(pay_ready("order-1", 10), FR_OK);
	fail_steps(1, ONCE);
	at_step(1, be_granted_unheard);
	assert_int_equal(approve("tok"), FR_IN_PROGRESS);
	no_intruder();
	fail_no_more();
	assert_int_equal(out.charged, FC_UNKNOWN);
	assert_int_equal(kakao.approves, 0);
	assert_int_equal(ledger_length(), 0);
	assert_int_equal(approve("other"), FR_IN_PROGRESS);
	pass_ms(13000);
	assert_int_equal(approve("tok"), FR_OK);
	assert_int_equal(kakao.approves, 1);
}

static void
a_grant_of_an_attempt_that_cannot_be_read_is_given_back(void **state)
{
	struct hold_request rq = { .cid = our_cids[0],
		.order = "order-1",
		.user = "u-1",
		.room = ROOM_A,
		.fingerprint = "f",
		.attempt = "{}",
		.ttl_ms = 600000,
		.call_ms = 12000 };
	static struct queue_answer a;
	struct error err;

	(void)state;
	assert_true(interval_set_parse("0-60", &rq.set, &err));
	assert_true(queue_hold(flow.queue, &rq, clock_boot_ms() + 1000, &a, &err));
	assert_true(
	    queue_ready(flow.queue, a.hold.id, "T1", "{}", clock_boot_ms() + 1000, &a, &err));
	assert_int_not_equal(approve("tok"), FR_OK);
	assert_int_equal(out.charged, FC_UNKNOWN);
	assert_int_equal(kakao.approves, 0);
	assert_int_equal(hold_state_of("T1"), HOLD_READY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_payment_is_captured_stored_and_owed),
		TEST(a_caller_of_another_cid_finds_nothing),
		TEST(each_answer_of_kakaopay_has_its_meaning),
		TEST(after_an_unknown_end_no_refusal_proves_anything),
		TEST(a_declined_attempt_stays_declined),
		TEST(a_token_of_another_order_is_refused_unsent),
		TEST(a_token_used_for_another_order_leaves_no_work),
		TEST(a_wrong_token_never_gets_the_right_ones_answer),
		TEST(an_order_that_is_perhaps_charged_gets_no_second_attempt),
		TEST(who_finds_its_number_taken_sends_nothing),
		TEST(a_chain_that_the_queue_has_forgotten_is_read_by_the_next_call),
		TEST(a_grant_under_which_nothing_is_sent_is_given_back_at_once),
		TEST(a_grant_whose_answer_is_lost_sends_nothing_and_ends_by_its_deadline),
		TEST(a_grant_of_an_attempt_that_cannot_be_read_is_given_back),
	};

	log_open("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
