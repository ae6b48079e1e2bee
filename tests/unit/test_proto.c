/* Lines of the queue's protocol: what is written is read back, and nothing else is accepted. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "queue/wire/proto.h"
#include "queue/wire/verb.h"

static enum proto_result
parse(struct buf *line, struct proto_message *m, struct error *err)
{
	memset(err, 0, sizeof(*err));
	assert_int_equal(line->data[line->len - 1], '\n');
	return proto_parse(line->data, line->len - 1, m, err);
}

static enum proto_result
parse_text(const char *text, struct buf *line, struct proto_message *m, struct error *err)
{
	buf_reset(line);
	buf_add_str(line, text);
	buf_add_char(line, '\n');
	return parse(line, m, err);
}

static void
a_message_is_written_with_its_fields_in_a_fixed_order(void **state)
{
	struct buf b = BUF_INIT;
	struct proto_message m;

	(void)state;
	proto_begin(&m, "0001", "hold");
	proto_set_text(&m, ARG_ROOM, "64b0");
	proto_set_num(&m, ARG_DEADLINE, 0);
	proto_set_text(&m, ARG_CID, "TC0ONETIME");
	proto_set_text(&m, ARG_USER, ""); /* an empty text is not written */
	proto_format(&m, &b);
	assert_string_equal(buf_str(&b), "0001 hold cid=TC0ONETIME room=64b0 deadline=0\n");
	buf_clear(&b);
}

static void
arguments_are_read_in_any_order(void **state)
{
	struct buf b = BUF_INIT;
	struct proto_message m;
	struct error err;

	(void)state;
	assert_int_equal(parse_text("1 x message=hi version=2 room=64b0 deadline=5 id=9", &b, &m,
			     &err),
	    PROTO_OK);
	assert_string_equal(proto_text(&m, ARG_MESSAGE), "hi");
	assert_int_equal(proto_num(&m, ARG_VERSION), 2);
	assert_string_equal(proto_text(&m, ARG_ROOM), "64b0");
	assert_int_equal(proto_num(&m, ARG_DEADLINE), 5);
	assert_int_equal(proto_num(&m, ARG_ID), 9);
	/* behind the last field of the table */
	assert_int_equal(parse_text("1 x message=hi nosuch=1", &b, &m, &err), PROTO_WRONG);
	buf_clear(&b);
}

static void
every_byte_except_nul_survives_escaping(void **state)
{
	struct buf b = BUF_INIT;
	struct proto_message m;
	struct error err;
	char all[256];

	(void)state;
	for (int i = 0; i < 255; i++)
		all[i] = (char)(i + 1);
	all[255] = '\0';
	proto_begin(&m, "t", "x");
	proto_set_text(&m, ARG_ORDER, all);
	proto_format(&m, &b);
	for (size_t i = 0; i + 1 < b.len; i++)
		assert_in_range(b.data[i], ' ', '~');
	assert_int_equal(parse(&b, &m, &err), PROTO_OK);
	assert_string_equal(proto_text(&m, ARG_ORDER), all);
	buf_clear(&b);
}

static void
the_longest_hold_fits_a_line(void **state)
{
	struct buf b = BUF_INIT;
	struct proto_message m;
	struct error err;
	char *attempt = malloc(ATTEMPT_MAX), *answer = malloc(ANSWER_MAX), order[ORDER_CAP],
	     user[USER_CAP];

	(void)state;
	memset(attempt, 0xea, ATTEMPT_MAX - 1);
	attempt[ATTEMPT_MAX - 1] = '\0';
	memset(answer, 0xea, ANSWER_MAX - 1);
	answer[ANSWER_MAX - 1] = '\0';
	memset(order, 0xea, ORDER_CAP - 1);
	order[ORDER_CAP - 1] = '\0';
	memcpy(user, order, USER_CAP);
	proto_begin(&m, "0123456789abcdef", "order-already-paid");
	proto_set_text(&m, ARG_ATTEMPT, attempt);
	proto_set_text(&m, ARG_ANSWER, answer);
	proto_set_text(&m, ARG_ORDER, order);
	proto_set_text(&m, ARG_USER, user);
	proto_set_text(&m, ARG_FAILURE, answer);
	proto_format(&m, &b);
	/* the rest of a line has room for the numbers, short texts and 64 intervals */
	assert_in_range(b.len, 45000, PROTO_LINE_MAX - 4096);
	assert_int_equal(parse(&b, &m, &err), PROTO_OK);
	assert_string_equal(proto_text(&m, ARG_ATTEMPT), attempt);
	buf_clear(&b);
	free(attempt);
	free(answer);
}

/* clang-format off */
static void
garbage_is_told_apart_from_an_invalid_line(void **state)
{
	static const struct {
		const char *line;
		enum proto_result result;
		const char *sentence;
	} rows[] = {
		{ "1 hello", PROTO_OK, "a tag and a verb" },
		{ "0123456789abcdef hello", PROTO_OK, "the longest tag" },
		{ "0123456789abcdefg hello", PROTO_GARBAGE, "a tag one too long" },
		{ "", PROTO_GARBAGE, "nothing" },
		{ " hello", PROTO_GARBAGE, "no tag" },
		{ "a_b hello", PROTO_GARBAGE, "a tag with another character" },
		{ "1\thello", PROTO_GARBAGE, "a tab" },
		{ "1 hello\r", PROTO_GARBAGE, "a carriage return" },
		{ "1 h\xc3\xa9llo", PROTO_GARBAGE, "a byte beyond ASCII" },
		{ "1 hel\x7flo", PROTO_GARBAGE, "a delete character" },
		{ "GET / HTTP/1.1", PROTO_WRONG, "another protocol" },
		{ "1", PROTO_WRONG, "a tag alone" },
		{ "1 ", PROTO_WRONG, "a tag and a space" },
		{ "1 Hello", PROTO_WRONG, "a capital in the verb" },
		{ "1 abcdefghijklmnopqrstuvwxyzabcdef", PROTO_OK, "a word of 32" },
		{ "1 abcdefghijklmnopqrstuvwxyzabcdefg", PROTO_WRONG, "a word of 33" },
		{ "1 hello ", PROTO_WRONG, "a space at the end" },
		{ "1 hello  id=1", PROTO_WRONG, "two spaces" },
		{ "1 x id=1", PROTO_OK, "the smallest id" },
		{ "1 x id=0", PROTO_WRONG, "one below the smallest id" },
		{ "1 x id=9223372036854775807", PROTO_OK, "the largest id" },
		{ "1 x id=9223372036854775808", PROTO_WRONG, "one above the largest id" },
		{ "1 x id=99999999999999999999999", PROTO_WRONG, "far above" },
		{ "1 x id=-1", PROTO_WRONG, "a minus" },
		{ "1 x id=+1", PROTO_WRONG, "a plus" },
		{ "1 x id=01", PROTO_WRONG, "a leading zero" },
		{ "1 x id=1x", PROTO_WRONG, "a letter after the number" },
		{ "1 x id=", PROTO_WRONG, "no number" },
		{ "1 x id=1.0", PROTO_WRONG, "a fraction" },
		{ "1 x n=0", PROTO_OK, "zero where zero may be" },
		{ "1 x paid=2", PROTO_WRONG, "one above a yes" },
		{ "1 x id=1 id=1", PROTO_WRONG, "an argument twice" },
		{ "1 x ix=1", PROTO_WRONG, "an unknown argument" },
		{ "1 x =1", PROTO_WRONG, "an argument without a name" },
		{ "1 x id", PROTO_WRONG, "an argument without a value" },
		{ "1 x user=a=b", PROTO_WRONG, "an equals sign in a value" },
		{ "1 x user=", PROTO_WRONG, "an empty text" },
		{ "1 x user=%20", PROTO_OK, "an escaped space" },
		{ "1 x user=%41", PROTO_WRONG, "an escape where none is needed" },
		{ "1 x user=%ea%b0%80", PROTO_WRONG, "small hex digits" },
		{ "1 x user=%EA%B0%80", PROTO_OK, "a Korean letter" },
		{ "1 x user=%00", PROTO_WRONG, "an escaped NUL" },
		{ "1 x user=%2", PROTO_WRONG, "half an escape" },
		{ "1 x user=%", PROTO_WRONG, "a bare percent" },
		{ "1 x room=0123456789abcdef01234567", PROTO_OK,
		    "a text of 24 where 24 are allowed" },
		{ "1 x room=0123456789abcdef012345678", PROTO_WRONG, "a text of 25" },
	};
	struct buf line = BUF_INIT;
	struct proto_message m;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum proto_result got = parse_text(rows[i].line, &line, &m, &err);

		if (got != rows[i].result)
			fail_msg("%s: %d, not %d (%s)", rows[i].sentence, got, rows[i].result,
			    err.msg);
		assert_true((got == PROTO_OK) == (err.code == ERR_NONE));
		assert_true(got == PROTO_GARBAGE || m.tag[0] != '\0');
	}
	buf_clear(&line);
}
/* clang-format on */

static void
a_nul_byte_is_garbage(void **state)
{
	char line[] = "1 hel\0lo\n";
	struct proto_message m;
	struct error err;

	(void)state;
	assert_int_equal(proto_parse(line, sizeof(line) - 2, &m, &err), PROTO_GARBAGE);
}

static void
a_missing_field_reads_as_empty_or_zero(void **state)
{
	struct buf line = BUF_INIT;
	struct proto_message m;
	struct error err;

	(void)state;
	assert_int_equal(parse_text("1 x id=7", &line, &m, &err), PROTO_OK);
	assert_true(proto_has(&m, ARG_ID));
	assert_int_equal(proto_num(&m, ARG_ID), 7);
	assert_false(proto_has(&m, ARG_USER));
	assert_string_equal(proto_text(&m, ARG_USER), "");
	assert_int_equal(proto_num(&m, ARG_N), 0);
	buf_clear(&line);
}

static void
a_verb_accepts_its_arguments_and_no_others(void **state)
{
	static const struct {
		const char *line;
		const char *why;
	} rows[] = {
		{ "1 hello", NULL },
		{ "1 hello id=1", "hello has no argument id" },
		{ "1 helo", "helo is not a verb" },
		{ "1 ok", "ok is not a verb" },
		{ "1 fail id=1 paid=0", NULL },
		{ "1 fail id=1 paid=0 failure=x", NULL },
		{ "1 fail id=1", "fail needs paid" },
		{ "1 ready id=1 tid=T1", "ready needs answer" },
		{ "1 find-tid tid=T1", NULL },
		{ "1 find-tid", "find-tid needs tid" },
		{ "1 list room=r after=0", NULL },
		{ "1 approve id=1 n=1 key=00", "approve needs deadline" },
		{ "1 approve id=1 n=1 key=00 deadline=5", NULL },
		{ "1 approve-first user=u room=r cids=A,B key=00 deadline=5 until=4", NULL },
		{ "1 approve-first user=u room=r key=00 deadline=5", "approve-first needs cids" },
		{ "1 approve-first user=u room=r cids=A key=00 deadline=5 until=4 n=1",
		    "approve-first has no argument n" },
		{ "1 watch deadline=5", "watch needs seen" },
		{ "1 outcome id=1 token=1 outcome=approved n=2 paid=1",
		    "outcome has no argument paid" },
	};
	struct buf line = BUF_INIT;
	struct proto_message m;
	enum verb_id verb;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(parse_text(rows[i].line, &line, &m, &err), PROTO_OK);
		assert_int_equal(verb_check(&m, &verb, &err), rows[i].why == NULL);
		if (rows[i].why != NULL)
			assert_string_equal(err.msg, rows[i].why);
		else
			assert_string_equal(verb_name(verb), m.word);
	}
	buf_clear(&line);
}

static void
an_answer_shows_the_hold_and_the_conflicts(void **state)
{
	struct hold_answer a = { .code = HA_OK };
	struct buf conflicts = BUF_INIT, line = BUF_INIT;
	struct proto_message m;

	(void)state;
	a.hold = (struct hold_view){
		.id = 3,
		.state = HOLD_APPROVING,
		.before = HOLD_READY,
		.cid = "C",
		.order = "o 1",
		.user = "u",
		.room = "r",
		.tid = "T1",
		.attempt = "{}",
		.answer = "",
		.window_boot_ms = 900,
		.token = 5,
		.n = 2,
		.deadline_boot_ms = 13,
		.last_n = 2,
	};
	verb_answer(&m, "7", &a, &conflicts);
	proto_format(&m, &line);
	assert_string_equal(buf_str(&line),
	    "7 ok id=3 state=approving before=ready cid=C order=o%201 user=u room=r tid=T1 "
	    "window=900 token=5 n=2 "
	    "deadline=13 last_n=2 attempt={}\n");
	buf_reset(&line);
	a = (struct hold_answer){ .code = HA_SLOT_HELD, .retry_ms = 5000 };
	a.conflicts.iv[0] = (struct interval){ 600, 720 };
	a.conflicts.n = 1;
	verb_answer(&m, "8", &a, &conflicts);
	proto_format(&m, &line);
	assert_string_equal(buf_str(&line), "8 slot-held conflicts=600-720 retry_ms=5000\n");
	buf_clear(&line);
	buf_clear(&conflicts);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_written_with_its_fields_in_a_fixed_order),
		cmocka_unit_test(arguments_are_read_in_any_order),
		cmocka_unit_test(every_byte_except_nul_survives_escaping),
		cmocka_unit_test(the_longest_hold_fits_a_line),
		cmocka_unit_test(garbage_is_told_apart_from_an_invalid_line),
		cmocka_unit_test(a_nul_byte_is_garbage),
		cmocka_unit_test(a_missing_field_reads_as_empty_or_zero),
		cmocka_unit_test(a_verb_accepts_its_arguments_and_no_others),
		cmocka_unit_test(an_answer_shows_the_hold_and_the_conflicts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
