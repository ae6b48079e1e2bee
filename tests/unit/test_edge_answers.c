/* The JSON of each query's answer. */
#include "config.h"

#include "edge_world.h"
#include "flow/answer.h"

static void
a_merchant_is_known_and_the_callers(void **state)
{
	(void)state;
	expect_problem(ask_ready("TCUNKNOWN1"), 422, "unknown-merchant");
	expect_problem(ask_ready("TCSUBSCRIP"), 403, "forbidden");
	assert_string_equal(stub.called, "");
	stub.answer.result = FR_OK;
	assert_int_equal(ask_ready("TC0ONETIME"), 200);
	assert_string_equal(stub.called, "ready");
}

static void
pay_ready_answers_what_kakaopay_opened(void **state)
{
	struct provider_opened *o = &stub.answer.ready.opened;

	(void)state;
	snprintf(o->tid, sizeof(o->tid), "T1");
	snprintf(o->next_redirect_pc_url, 1024, "https://k/pc");
	snprintf(o->next_redirect_mobile_url, 1024, "https://k/m");
	snprintf(o->next_redirect_app_url, 1024, "https://k/a");
	snprintf(o->android_app_scheme, 1024, "kakaotalk://a");
	o->created_at_ms = 1709601630000;
	stub.answer.ready.expires_wall_ms = 1709602230001;
	stub.answer.ready.expires_in_ms = 599999;
	assert_int_equal(ask_ready("TC0ONETIME"), 200);
	assert_string_equal(strstr(buf_str(&out), "\r\n\r\n") + 4,
	    "{\"tid\":\"T1\",\"next_redirect_pc_url\":\"https://k/pc\","
	    "\"next_redirect_mobile_url\":\"https://k/m\",\"next_redirect_app_url\":\"https://k/a\","
	    "\"android_app_scheme\":\"kakaotalk://a\","
	    "\"ios_app_scheme\":\"\",\"created_at\":\"2024-03-05T01:20:30.000Z\","
	    "\"hold\":{\"roomId\":\"0123456789abcdef01234567\",\"userId\":\"u-1\","
	    "\"state\":\"ready\",\"expiresAt\":\"2024-03-05T01:30:30.001Z\",\"expiresIn\":599}}");
	expect_header("Content-Type: application/json");
	expect_header("Cache-Control: no-store");
	assert_null(strstr(buf_str(&out), "Idempotent-Replayed"));
	assert_string_equal(stub.request_id, edge.request_id);
	stub.answer.replayed = true;
	assert_int_equal(ask_ready("TC0ONETIME"), 200);
	expect_header("Idempotent-Replayed: true");
}

static void
refusals_tell_what_overlaps_and_never_who(void **state)
{
	(void)state;
	stub.answer = (struct flow_answer){ .result = FR_SLOT_HELD,
		.charged = FC_FALSE,
		.retry_ms = 1001,
		.conflicts = { .iv = { { 4980, 5040 }, { 9330, 10080 } }, .n = 2 },
		.detail = "never for the caller" };
	expect_problem(ask_ready("TC0ONETIME"), 409, "slot-held");
	assert_string_equal(member("conflicts"),
	    "[{\"day\":3,\"startTime\":11,\"endTime\":12},{\"day\":6,\"startTime\":11.5,\"endTime\":24}]");
	assert_string_equal(member("charged"), "absent");
	assert_null(strstr(buf_str(&out), "never for"));
	expect_header("Retry-After: 2");
}

static void
charged_is_what_the_flow_read(void **state)
{
	static const struct {
		enum flow_charged c;
		const char *text;
	} rows[] = {
		{ FC_ABSENT, "absent" },
		{ FC_FALSE, "false" },
		{ FC_TRUE, "true" },
		{ FC_UNKNOWN, "\"unknown\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		stub.answer =
		    (struct flow_answer){ .result = FR_IN_PROGRESS, .charged = rows[i].c };
		expect_problem(ask_ready("TC0ONETIME"), 409, "payment-in-progress");
		assert_string_equal(member("charged"), rows[i].text);
		expect_header("Retry-After: 2"); /* the table's, where the flow gave none */
		stub.answer.result = FR_TOO_MANY_HOLDS;
		expect_problem(ask_ready("TC0ONETIME"), 429, "too-many-holds");
		assert_string_equal(member("charged"), "absent");
	}
}

static void
a_declined_payment_shows_kakaopays_words(void **state)
{
	(void)state;
	stub.answer = (struct flow_answer){ .result = FR_DECLINED,
		.charged = FC_FALSE,
		.replayed = true,
		.has_provider = true,
		.provider = { .http = 400,
		    .code = -780,
		    .message = "approval failure!",
		    .method_code = "USER_LOCKED" } };
	expect_problem(ask(post("/approvePayment", "{\"pg_token\":\"t\"," PLACE "}")), 402,
	    "payment-declined");
	assert_string_equal(member("provider"),
	    "{\"code\":-780,\"message\":\"approval failure!\",\"methodResultCode\":\"USER_LOCKED\"}");
	assert_string_equal(member("charged"), "false");
	expect_header("Idempotent-Replayed: true");
}

static void
approve_payment_answers(void **state)
{
	static const char body[] = "{\"pg_token\":\"t\"," PLACE "}";

	(void)state;
	stub.answer = (struct flow_answer){ .result = FR_OK,
		.charged = FC_TRUE,
		.state = AS_APPROVED,
		.has_payment = true,
		.reservation_info = "{\"day\":[1]}",
		.payment = { .tid = "T1",
		    .cid = "TC0ONETIME",
		    .quantity = 1,
		    .amount = { .total = 2200 } } };
	assert_int_equal(ask(post("/approvePayment", body)), 200);
	assert_string_equal(member("charged"), "true");
	assert_string_equal(member("state"), "\"approved\"");
	assert_string_equal(member("reservationInfo"), "{\"day\":[1]}");
	assert_non_null(strstr(member("payment"), "\"tid\":\"T1\""));
	assert_string_equal(stub.user, "u-1");
	assert_string_equal(stub.room, "0123456789abcdef01234567");
	assert_int_equal(stub.n_cids, 1);
	assert_string_equal(stub.cid, "TC0ONETIME");
	stub.answer = (struct flow_answer){ .result = FR_UNKNOWN,
		.charged = FC_UNKNOWN,
		.tid = "T2",
		.retry_ms = 5000 };
	assert_int_equal(ask(post("/approvePayment", body)), 202);
	assert_string_equal(strstr(buf_str(&out), "\r\n\r\n") + 4,
	    "{\"charged\":\"unknown\",\"state\":\"unknown\",\"tid\":\"T2\"}");
	expect_header("Retry-After: 5");
	stub.answer =
	    (struct flow_answer){ .result = FR_RECORDING, .charged = FC_TRUE, .tid = "T3" };
	assert_int_equal(ask(post("/approvePayment", body)), 202);
	assert_string_equal(strstr(buf_str(&out), "\r\n\r\n") + 4,
	    "{\"charged\":true,\"state\":\"recording\",\"tid\":\"T3\"}");
	expect_header("Retry-After: 2");
}

static void
removals_speak_for_the_role(void **state)
{
	struct http_request rq = post("/removePaymentInQueue", "{" PLACE ",\"tid\":\"T9\"}");

	(void)state;
	stub.answer = (struct flow_answer){ .result = FR_OK };
	assert_int_equal(ask(rq), 200);
	assert_string_equal(strstr(buf_str(&out), "\r\n\r\n") + 4, "{\"removed\":false}");
	assert_false(stub.by_reservation);
	assert_string_equal(stub.tid, "T9");
	rq = post("/removePaymentInQueue", "{" PLACE "}");
	rq.authorization = "Bearer r-token";
	stub.answer = (struct flow_answer){ .result = FR_OK,
		.removed = true,
		.state = AS_APPROVED,
		.reservation_info = "{}" };
	assert_int_equal(ask(rq), 200);
	assert_string_equal(strstr(buf_str(&out), "\r\n\r\n") + 4,
	    "{\"removed\":true,\"state\":\"approved\",\"reservationInfo\":{}}");
	assert_true(stub.by_reservation);
	assert_string_equal(stub.tid, "-");
	rq.authorization = "Bearer o-token";
	expect_problem(ask(rq), 403, "forbidden");
}

static void
refunds_answer(void **state)
{
	struct http_request rq =
	    post("/cancelPayment", "{\"tid\":\"T1\",\"refundId\":\"r-1\",\"reason\":\"x\"}");

	(void)state;
	expect_problem(ask(rq), 403, "forbidden");
	rq.authorization = "Bearer o-token";
	stub.answer = (struct flow_answer){ .result = FR_OK,
		.charged = FC_TRUE,
		.state = AS_PART_REFUNDED,
		.tid = "T1",
		.refund = { 1000, 1500, 700 } };
	assert_int_equal(ask(rq), 200);
	assert_string_equal(strstr(buf_str(&out), "\r\n\r\n") + 4,
	    "{\"refunded\":true,\"tid\":\"T1\",\"state\":\"part_refunded\",\"amount\":1000,"
	    "\"canceled\":1500,\"left\":700}");
	assert_string_equal(stub.tid, "T1");
	stub.answer = (struct flow_answer){ .result = FR_REFUND_UNKNOWN,
		.charged = FC_TRUE,
		.tid = "T1",
		.retry_ms = 2000 };
	assert_int_equal(ask(rq), 202);
	assert_string_equal(strstr(buf_str(&out), "\r\n\r\n") + 4,
	    "{\"refunded\":\"unknown\",\"tid\":\"T1\"}");
	expect_header("Retry-After: 2");
	stub.answer = (struct flow_answer){ .result = FR_TAX_FREE_REQUIRED, .charged = FC_TRUE };
	expect_problem(ask(rq), 422, "invalid-fields");
	assert_non_null(strstr(buf_str(&out), "/cancel_tax_free_amount"));
	stub.answer = (struct flow_answer){ .result = FR_REFUND_EXCEEDS, .charged = FC_TRUE };
	expect_problem(ask(rq), 409, "refund-exceeds");
	assert_string_equal(member("charged"), "true");
}

static void
orders_tell_every_attempt(void **state)
{
	struct flow_order_attempt attempts[2];
	static const char query[] = "cid=TC0ONETIME&partner_order_id=o%201";

	(void)state;
	attempts[0] = (struct flow_order_attempt){ .tid = "T1",
		.state = "declined",
		.charged = FC_FALSE,
		.next = FN_START_AGAIN,
		.user_id = "u-1",
		.room_id = "r",
		.began_ms = 1000,
		.changed_ms = 2000 };
	attempts[1] = (struct flow_order_attempt){ .state = "held",
		.charged = FC_UNKNOWN,
		.next = FN_PAY,
		.user_id = "u-1",
		.room_id = "r",
		.expires_ms = 3000 };
	stub.order = (struct flow_order_answer){ .result = FR_OK,
		.state = "held",
		.charged = FC_UNKNOWN,
		.next = FN_PAY,
		.attempts = attempts,
		.n = 2 };
	assert_int_equal(ask(get("/orders", query, "Bearer g-token")), 200);
	assert_string_equal(strstr(buf_str(&out), "\r\n\r\n") + 4,
	    "{\"cid\":\"TC0ONETIME\",\"partner_order_id\":\"o 1\","
	    "\"state\":\"held\",\"charged\":\"unknown\","
	    "\"refunded\":0,\"next\":\"pay\","
	    "\"attempts\":[{\"tid\":\"T1\",\"state\":\"declined\",\"charged\":false,"
	    "\"refunded\":0,\"next\":\"start-again\","
	    "\"userId\":\"u-1\",\"roomId\":\"r\","
	    "\"beganAt\":\"1970-01-01T00:00:01.000Z\",\"changedAt\":\"1970-01-01T00:00:02.000Z\"},"
	    "{\"state\":\"held\",\"charged\":\"unknown\",\"refunded\":0,\"next\":\"pay\","
	    "\"userId\":\"u-1\",\"roomId\":\"r\","
	    "\"expiresAt\":\"1970-01-01T00:00:03.000Z\"}]}");
	stub.order =
	    (struct flow_order_answer){ .result = FR_STORE_UNAVAILABLE, .charged = FC_UNKNOWN };
	expect_problem(ask(get("/orders", query, "Bearer g-token")), 503, "store-unavailable");
	assert_string_equal(member("charged"), "\"unknown\"");
	expect_problem(ask(get("/orders", query, "Bearer r-token")), 403, "forbidden");
	expect_problem(ask(get("/orders", "cid=TC0ONETIM2&partner_order_id=o", "Bearer g-token")),
	    422, "unknown-merchant");
	expect_problem(ask(get("/orders", "cid=TC0ONETIME", "Bearer g-token")), 422,
	    "invalid-fields");
}

static void
held_times_of_a_room(void **state)
{
	(void)state;
	stub.list_text = "[{\"start\":1980,\"end\":2100,\"state\":\"ready\"},"
			 "{\"start\":0,\"end\":90,\"state\":\"held\"}]";
	assert_int_equal(ask(get("/queue", "roomId=0123456789ABCDEF01234567", "Bearer o-token")),
	    200);
	assert_string_equal(strstr(buf_str(&out), "\r\n\r\n") + 4,
	    "[{\"day\":1,\"startTime\":9,\"endTime\":11,\"state\":\"ready\"},"
	    "{\"day\":0,\"startTime\":0,\"endTime\":1.5,\"state\":\"held\"}]");
	assert_string_equal(stub.room, "0123456789abcdef01234567");
	expect_problem(ask(get("/queue", "roomId=0123456789ABCDEF01234567", NULL)), 401,
	    "unauthenticated");
	expect_problem(ask(get("/queue", "roomId=0123456789ABCDEF01234567", "Bearer r-token")), 403,
	    "forbidden");
	expect_problem(ask(get("/queue", NULL, "Bearer g-token")), 422, "invalid-fields");
	stub.list_text = "[{\"start\":5,\"end\":4,\"state\":\"ready\"}]";
	expect_problem(ask(get("/queue", "roomId=0123456789abcdef01234567", "Bearer g-token")), 500,
	    "internal-error");
	stub.list_text = "[{]";
	expect_problem(ask(get("/queue", "roomId=0123456789abcdef01234567", "Bearer g-token")), 500,
	    "internal-error");
	stub.list = false;
	expect_problem(ask(get("/queue", "roomId=0123456789abcdef01234567", "Bearer g-token")), 503,
	    "queue-unavailable");
	stub.why = ERR_CONFLICT;
	expect_problem(ask(get("/queue", "roomId=0123456789abcdef01234567", "Bearer g-token")), 503,
	    "not-ready");
}

static void
all_wrong_fields_in_the_callers_language(void **state)
{
	struct http_request rq =
	    post("/approvePayment", "{\"pg_token\":\"\",\"roomId\":\"x\",\"y\":1}");

	(void)state;
	rq.accept_language = "en-US,en;q=0.9";
	expect_problem(ask(rq), 422, "invalid-fields");
	assert_string_equal(member("errors"),
	    "[{\"pointer\":\"/pg_token\",\"code\":\"too-short\",\"detail\":\"This is too short.\"},"
	    "{\"pointer\":\"/userId\",\"code\":\"required\",\"detail\":\"This member is required.\"},"
	    "{\"pointer\":\"/roomId\",\"code\":\"too-short\",\"detail\":\"This is too short.\"},"
	    "{\"pointer\":\"/y\",\"code\":\"unknown-member\",\"detail\":\"This member is unknown.\"}]");
	assert_string_equal(member("title"), "\"Invalid fields\"");
	expect_header("Content-Language: en");
	rq.accept_language = NULL;
	ask(rq);
	expect_header("Content-Language: ko");
	assert_string_not_equal(member("title"), "\"Invalid fields\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_merchant_is_known_and_the_callers),
		TEST(pay_ready_answers_what_kakaopay_opened),
		TEST(refusals_tell_what_overlaps_and_never_who),
		TEST(charged_is_what_the_flow_read),
		TEST(a_declined_payment_shows_kakaopays_words),
		TEST(approve_payment_answers),
		TEST(removals_speak_for_the_role),
		TEST(held_times_of_a_room),
		TEST(refunds_answer),
		TEST(orders_tell_every_attempt),
		TEST(all_wrong_fields_in_the_callers_language),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
