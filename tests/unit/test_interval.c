/* Weekly intervals: the boundaries of days and of the week, intervals that touch, and their
 * text. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "booking/interval.h"
#include "booking/week.h"

static void
an_interval_is_made_of_a_day_and_two_minutes_of_it(void **state)
{
	static const struct {
		const char *what;
		int day, start, end;
		bool ok;
		int at, until;
	} rows[] = {
		{ "the first minute of the week", 0, 0, 1, true, 0, 1 },
		{ "the last minute of the week", 6, 1439, 1440, true, 10079, 10080 },
		{ "a whole Sunday", 0, 0, 1440, true, 0, 1440 },
		{ "day 7 is Sunday too", 7, 600, 720, true, 600, 720 },
		{ "Monday half past nine", 1, 570, 600, true, 2010, 2040 },
		{ "a whole Saturday", 6, 0, 1440, true, 8640, 10080 },
		{ "no day -1", -1, 0, 1, false, 0, 0 },
		{ "no day 8", 8, 0, 1, false, 0, 0 },
		{ "no empty interval", 1, 600, 600, false, 0, 0 },
		{ "not backwards", 1, 601, 600, false, 0, 0 },
		{ "not before midnight", 1, -1, 10, false, 0, 0 },
		{ "not past midnight", 1, 1439, 1441, false, 0, 0 },
	};
	struct interval iv;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (interval_make(rows[i].day, rows[i].start, rows[i].end, &iv) != rows[i].ok)
			fail_msg("%s", rows[i].what);
		if (rows[i].ok && (iv.start != rows[i].at || iv.end != rows[i].until))
			fail_msg("%s: %d-%d", rows[i].what, iv.start, iv.end);
	}
}

static void
intervals_that_only_touch_do_not_overlap(void **state)
{
	static const struct {
		int16_t a0, a1, b0, b1;
		bool overlap;
	} rows[] = {
		{ 600, 720, 720, 840, false },
		{ 600, 720, 719, 840, true },
		{ 600, 720, 600, 720, true },
		{ 600, 720, 630, 660, true },
		{ 600, 601, 601, 602, false },
		{ 0, 1440, 1440, 2880, false },
		{ 0, 1, 10079, 10080, false },
		{ 0, 1440, 0, 1, true },
		{ 0, 1440, 1439, 1440, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct interval a = { rows[i].a0, rows[i].a1 }, b = { rows[i].b0, rows[i].b1 };
		struct interval_set sa = { .iv = { a }, .n = 1 }, sb = { .iv = { b }, .n = 1 };

		if (interval_overlaps(a, b) != rows[i].overlap ||
		    interval_overlaps(b, a) != rows[i].overlap ||
		    interval_set_overlaps(&sa, &sb) != rows[i].overlap ||
		    interval_set_overlaps(&sb, &sa) != rows[i].overlap)
			fail_msg("row %zu", i);
	}
}

static void
normalizing_sorts_and_names_two_intervals_that_overlap(void **state)
{
	struct interval_set s = { .iv = { { 300, 400 }, { 100, 200 }, { 200, 300 } }, .n = 3 };
	struct interval_set clash = {
		.iv = { { 500, 600 }, { 100, 200 }, { 0, 50 }, { 150, 160 } },
		.n = 4,
	};
	struct interval_set before = clash, none = { .n = 0 };
	size_t a = 99, b = 99;

	(void)state;
	assert_true(interval_set_normalize(&s, &a, &b));
	assert_int_equal(s.iv[0].start, 100);
	assert_int_equal(s.iv[1].start, 200);
	assert_int_equal(s.iv[2].start, 300);
	assert_false(interval_set_normalize(&clash, &a, &b));
	assert_int_equal(a, 1);
	assert_int_equal(b, 3);
	assert_true(interval_set_equal(&clash, &before));
	assert_true(interval_set_normalize(&none, &a, &b));
}

static void
two_sets_overlap_if_any_two_of_their_intervals_do(void **state)
{
	struct interval_set a = { .n = 0 }, b = { .n = 0 };

	(void)state;
	for (int16_t i = 0; i < INTERVALS_MAX; i++) { /* 64 of each, in turns */
		a.iv[a.n++] = (struct interval){ (int16_t)(20 * i), (int16_t)(20 * i + 10) };
		b.iv[b.n++] = (struct interval){ (int16_t)(20 * i + 10), (int16_t)(20 * i + 20) };
	}
	assert_false(interval_set_overlaps(&a, &b));
	assert_false(interval_set_equal(&a, &b));
	assert_true(interval_set_equal(&a, &a));
	b.iv[INTERVALS_MAX - 1].start--;
	assert_true(interval_set_overlaps(&a, &b));
	assert_true(interval_set_overlaps(&b, &a));
	b.n = 0;
	assert_false(interval_set_overlaps(&a, &b));
	assert_false(interval_set_overlaps(&b, &a));
}

static void
parse_reads_what_format_writes(void **state)
{
	static const char *const texts[] = { "0-1", "10079-10080", "0-1440", "1980-2100,3420-3480",
		"0-1440,1440-2880", "5-6,6-7,9-10" };
	struct interval_set s;
	struct error err;
	struct buf out;

	(void)state;
	buf_init(&out, 0);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_true(interval_set_parse(texts[i], &s, &err));
		buf_reset(&out);
		interval_set_format(&s, &out);
		assert_string_equal(buf_str(&out), texts[i]);
	}
	buf_clear(&out);
}

static void
parse_refuses_what_format_would_not_write(void **state)
{
	static const char *const texts[] = {
		"",
		",",
		"-",
		"1",
		"1-",
		"-1",
		"1-1",
		"2-1",
		"01-2",
		"1-02",
		"00-1",
		"+1-2",
		" 1-2",
		"1-2 ",
		"1 -2",
		"1-2,",
		",1-2",
		"1-2,,3-4",
		"1-2;3-4",
		"1--2",
		"0x1-2",
		"10079-10081",
		"10080-10081",
		"1439-1441",
		"0-1441",
		"3-4,1-2",
		"1-3,2-4",
		"1-2,1-2",
		"99999999999999999999-1",
		"1-99999999999999999999",
		"1-2\n",
		"1.5-2",
	};
	struct interval_set s = { .n = 7 };
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		error_clear(&err);
		if (interval_set_parse(texts[i], &s, &err) || err.code != ERR_INPUT)
			fail_msg("accepted \"%s\"", texts[i]);
		assert_int_equal(s.n, 7); /* not changed */
	}
}

static void
sixty_four_intervals_are_parsed_and_sixty_five_are_refused(void **state)
{
	struct interval_set s;
	struct error err;
	struct buf text;

	(void)state;
	buf_init(&text, 0);
	for (int i = 0; i < INTERVALS_MAX; i++)
		buf_printf(&text, "%s%d-%d", i == 0 ? "" : ",", 2 * i, 2 * i + 1);
	assert_true(interval_set_parse(buf_str(&text), &s, &err));
	assert_int_equal(s.n, INTERVALS_MAX);
	buf_add_str(&text, ",9000-9001");
	assert_false(interval_set_parse(buf_str(&text), &s, &err));
	buf_clear(&text);
}

static void
a_full_week_holds_every_minute_once(void **state)
{
	struct week w = { NULL, 0, 0 };
	struct interval iv;
	int owner = 0;

	(void)state;
	for (int m = 0; m < WEEK_MINUTES; m++) { /* odd minutes first, then the even ones */
		int at = m < WEEK_MINUTES / 2 ? 2 * m + 1 : 2 * (m - WEEK_MINUTES / 2);

		iv = (struct interval){ (int16_t)at, (int16_t)(at + 1) };
		assert_true(week_add(&w, &iv, 1, &owner));
	}
	assert_int_equal(w.n, WEEK_MINUTES);
	for (size_t i = 0; i < w.n; i++)
		assert_int_equal(w.slot[i].iv.start, i);
	for (int16_t m = 0; m < WEEK_MINUTES; m++) {
		iv = (struct interval){ m, (int16_t)(m + 1) };
		assert_false(week_add(&w, &iv, 1, &owner));
		assert_int_equal(week_find(&w, iv, 0)->iv.start, m);
	}
	week_clear(&w);
}

static void
a_week_adds_all_intervals_or_none_and_removes_only_the_owners(void **state)
{
	struct interval a[] = { { 100, 200 }, { 300, 400 } }, b[] = { { 200, 300 }, { 350, 360 } },
			c[] = { { 200, 300 }, { 400, 410 } };
	struct week w = { NULL, 0, 0 };
	int one = 0, two = 0;

	(void)state;
	assert_true(week_add(&w, a, 2, &one));
	assert_false(week_add(&w, b, 2, &two));
	assert_int_equal(w.n, 2);
	assert_true(week_add(&w, c, 2, &two));
	assert_ptr_equal(week_find(&w, (struct interval){ 250, 350 }, 0)->owner, &two);
	assert_ptr_equal(week_find(&w, (struct interval){ 300, 350 }, 0)->owner, &one);
	assert_null(week_find(&w, (struct interval){ 0, 100 }, 0));
	assert_null(week_find(&w, (struct interval){ 410, 500 }, 0));
	week_remove(&w, a, 2, &two);
	assert_int_equal(w.n, 4);
	week_remove(&w, a, 2, &one);
	assert_int_equal(w.n, 2);
	assert_null(week_find(&w, (struct interval){ 300, 400 }, 0));
	week_clear(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_interval_is_made_of_a_day_and_two_minutes_of_it),
		cmocka_unit_test(intervals_that_only_touch_do_not_overlap),
		cmocka_unit_test(normalizing_sorts_and_names_two_intervals_that_overlap),
		cmocka_unit_test(two_sets_overlap_if_any_two_of_their_intervals_do),
		cmocka_unit_test(parse_reads_what_format_writes),
		cmocka_unit_test(parse_refuses_what_format_would_not_write),
		cmocka_unit_test(sixty_four_intervals_are_parsed_and_sixty_five_are_refused),
		cmocka_unit_test(a_full_week_holds_every_minute_once),
		cmocka_unit_test(a_week_adds_all_intervals_or_none_and_removes_only_the_owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
