/* What a daemon keeps of a shared log on its own disk, and the frames that it exchanges with its
 * helper. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue/log/log_frame.h"
#include "queued/log_mark.h"

#define QUEUE "0123456789abcdef0123456789abcdef"

/* ---- the mark */

struct disk {
	char dir[40], file[60];
};

static int
setup(void **state)
{
	struct disk *d = calloc(1, sizeof(*d));

	strcpy(d->dir, "/tmp/log-mark-XXXXXX");
	*state = d;
	if (mkdtemp(d->dir) == NULL)
		return -1;
	snprintf(d->file, sizeof(d->file), "%s/log-mark", d->dir);
	return 0;
}

static int
teardown(void **state)
{
	struct disk *d = *state;
	char lock[60];

	snprintf(lock, sizeof(lock), "%s/lock", d->dir);
	unlink(d->file);
	unlink(lock);
	rmdir(d->dir);
	free(d);
	return 0;
}

static void
expect_mark(const struct disk *d, uint64_t n, uint64_t nonce)
{
	struct log_mark m;
	struct error err;

	assert_true(log_mark_open(&m, d->dir, &err));
	assert_int_equal(m.n, n);
	assert_int_equal(m.nonce, nonce);
	assert_string_equal(m.queue, n == 0 ? "" : QUEUE);
	log_mark_close(&m);
}

static void
the_highest_number_is_remembered(void **state)
{
	const struct disk *d = *state;
	struct log_mark m;
	struct error err;

	expect_mark(d, 0, 0);
	assert_true(log_mark_open(&m, d->dir, &err));
	for (uint64_t n = 1; n <= 5; n++)
		log_mark_set(&m, QUEUE, n, UINT64_MAX - n);
	assert_true(log_mark_sync(&m));
	log_mark_close(&m);
	expect_mark(d, 5, UINT64_MAX - 5);
}

static void
the_mark_of_a_log_that_was_given_up_is_gone(void **state)
{
	const struct disk *d = *state;
	struct log_mark m;
	struct error err;

	assert_true(log_mark_open(&m, d->dir, &err));
	log_mark_set(&m, "ffffffffffffffffffffffffffffffff", 1000, 1);
	log_mark_set(&m, "ffffffffffffffffffffffffffffffff", 1001, 2);
	log_mark_set(&m, QUEUE, 1, 3);
	log_mark_close(&m);
	expect_mark(d, 1, 3);
}

static void
a_torn_write_leaves_the_number_before_it(void **state)
{
	const struct disk *d = *state;
	struct log_mark m;
	struct error err;
	int fd;

	assert_true(log_mark_open(&m, d->dir, &err));
	log_mark_set(&m, QUEUE, 7, 70);
	log_mark_set(&m, QUEUE, 8, 80); /* in the second slot */
	log_mark_close(&m);
	fd = open(d->file, O_WRONLY);
	assert_int_equal(pwrite(fd, "9", 1, 128 + 33), 1);
	close(fd);
	expect_mark(d, 7, 70);
}

static void
a_directory_has_one_daemon(void **state)
{
	const struct disk *d = *state;
	struct log_mark m, other;
	struct error err;

	assert_true(log_mark_open(&m, d->dir, &err));
	assert_false(log_mark_open(&other, d->dir, &err));
	assert_int_equal(err.code, ERR_BUSY);
	log_mark_close(&other);
	log_mark_close(&m);
}

/* ---- frames */

static void
a_frame_is_read_as_it_was_written(void **state)
{
	struct buf records = BUF_INIT, out = BUF_INIT;
	struct log_frame f = { .kind = LOG_APPEND,
		.n = 7,
		.nonce = UINT64_MAX,
		.prev = 3,
		.wall = -1 };
	struct log_frame back;
	const void *record;
	size_t len;
	bool bad;

	(void)state;
	log_records_add(&records, "one", 3);
	log_records_add(&records, "", 0);
	f.records = records.data;
	f.records_len = records.len;
	log_frame_format(&f, &out);
	assert_int_equal(log_frame_size(out.data, out.len), out.len);
	assert_true(log_frame_parse(out.data, out.len, &back));
	assert_int_equal(back.kind, LOG_APPEND);
	assert_int_equal(back.n, 7);
	assert_int_equal(back.nonce, UINT64_MAX);
	assert_int_equal(back.prev, 3);
	assert_int_equal(back.wall, -1);
	assert_true(log_records_next(&back.records, &back.records_len, &record, &len, &bad));
	assert_int_equal(len, 3);
	assert_memory_equal(record, "one", 3);
	assert_true(log_records_next(&back.records, &back.records_len, &record, &len, &bad));
	assert_int_equal(len, 0);
	assert_false(log_records_next(&back.records, &back.records_len, &record, &len, &bad));
	assert_false(bad);
	buf_clear(&records);
	buf_clear(&out);
}

static void
half_a_frame_is_none(void **state)
{
	struct buf out = BUF_INIT;
	struct log_frame f = { .kind = LOG_NO_ANSWER, .n = 1, .text = "why", .text_len = 3 };

	(void)state;
	log_frame_format(&f, &out);
	assert_int_equal(log_frame_size(out.data, LOG_FRAME_HEADER - 1), 0);
	for (size_t len = 0; len < out.len; len++)
		assert_false(log_frame_parse(out.data, len, &f));
	out.data[4] = LOG_FRAME__MAX;
	assert_false(log_frame_parse(out.data, out.len, &f));
	out.data[4] = 0;
	assert_false(log_frame_parse(out.data, out.len, &f));
	buf_clear(&out);
}

static void
a_record_that_is_longer_than_its_frame_is_bad(void **state)
{
	const char records[] = { 9, 0, 0, 0, 'x' };
	const char *p = records;
	size_t left = sizeof(records), len;
	const void *record;
	bool bad;

	(void)state;
	assert_false(log_records_next(&p, &left, &record, &len, &bad));
	assert_true(bad);
	left = 3;
	assert_false(log_records_next(&p, &left, &record, &len, &bad));
	assert_true(bad);
}

int
main(void)
{
#define ON_DISK(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		ON_DISK(the_highest_number_is_remembered),
		ON_DISK(the_mark_of_a_log_that_was_given_up_is_gone),
		ON_DISK(a_torn_write_leaves_the_number_before_it),
		ON_DISK(a_directory_has_one_daemon),
		cmocka_unit_test(a_frame_is_read_as_it_was_written),
		cmocka_unit_test(half_a_frame_is_none),
		cmocka_unit_test(a_record_that_is_longer_than_its_frame_is_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
