/* The log of orders: written and read back, torn, continued in a new file, and on a full disk. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "queue/disk/order_log.h"

static const int64_t DAY_MS = 86400000;

static char dir[64];
static struct disk_io io;
static bool disk_is_full;
static ssize_t room; /* bytes that a full disk still takes */

static ssize_t
limited_pwrite(int fd, const void *data, size_t len, off_t at)
{
	if (disk_is_full && room == 0) {
		errno = ENOSPC;
		return -1;
	}
	if (disk_is_full && (ssize_t)len > room)
		len = (size_t)room;
	if (disk_is_full)
		room -= (ssize_t)len;
	return pwrite(fd, data, len, at);
}

static int
set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/order-log-XXXXXX");
	io = disk_system_io;
	io.pwrite = limited_pwrite;
	disk_is_full = false;
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static struct order_log *
open_log(void)
{
	struct error err;
	struct order_log *l = order_log_open(dir, &io, 35 * DAY_MS, clock_now(), &err);

	if (l == NULL)
		fail_msg("%s", err.msg);
	return l;
}

static struct hold_view
hold(enum hold_state s, int64_t n, const char *attempt)
{
	return (struct hold_view){
		.id = 7,
		.state = s,
		.cid = "TC0ONETIME",
		.order = "주문 1",
		.user = "u-1",
		.room = "0123456789abcdef01234567",
		.tid = "T1",
		.attempt = attempt,
		.answer = "https://never.example/told",
		.token = 9,
		.n = n,
		.last_n = n - 1,
	};
}

static struct order_entry found[64];
static size_t n_found;

static bool
keep(void *ctx, const struct order_entry *e, struct error *err)
{
	(void)ctx;
	(void)err;
	assert_true(n_found < sizeof(found) / sizeof(found[0]));
	found[n_found++] = *e;
	return true;
}

static int64_t
read_all(void)
{
	struct error err;
	int64_t torn;

	n_found = 0;
	if (!order_log_read(dir, keep, NULL, &torn, &err))
		fail_msg("%s", err.msg);
	return torn;
}

static void
what_is_noted_is_read_back(void **state)
{
	struct order_log *l = open_log();
	struct hold_view a = hold(HOLD_APPROVING, 3, "{\"total_amount\":2200}"),
			 b = hold(HOLD_APPROVED, 3, "{}");

	(void)state;
	order_log_note(l, &a, "abc");
	order_log_note(l, &b, NULL);
	assert_int_equal(read_all(), 0); /* at once, while the log is open */
	order_log_close(&l);
	l = open_log();
	b.state = HOLD_REMOVED;
	order_log_note(l, &b, NULL);
	order_log_close(&l);
	assert_int_equal(read_all(), 0);
	assert_int_equal(n_found, 3);
	assert_int_equal(found[0].state, HOLD_APPROVING);
	assert_string_equal(found[0].order, "주문 1");
	assert_string_equal(found[0].key, "abc");
	assert_string_equal(found[0].attempt, "{\"total_amount\":2200}");
	assert_string_equal(found[0].tid, "T1");
	assert_int_equal(found[0].token, 9);
	assert_int_equal(found[0].n, 3);
	assert_int_equal(found[0].last_n, 2);
	assert_int_equal(found[2].state, HOLD_REMOVED);
	assert_string_equal(found[2].key, "");
}

static void
no_redirect_url_is_written_to_the_log(void **state)
{
	struct order_log *l = open_log();
	struct hold_view a = hold(HOLD_APPROVING, 3, "{}");
	char path[128], text[4096] = "";
	FILE *f;

	(void)state;
	order_log_note(l, &a, "abc");
	order_log_close(&l);
	snprintf(path, sizeof(path), "%s/orders-0000000000000001", dir);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(text, 1, sizeof(text) - 1, f) > 50);
	fclose(f);
	assert_null(strstr(text, "never.example"));
	assert_non_null(strstr(text, "approving"));
}

/* Cut anywhere, or with any byte changed: exactly the whole lines are read. */
static void
a_torn_line_hides_no_other(void **state)
{
	struct hold_view a = hold(HOLD_APPROVING, 3, "{}");
	char path[128];
	struct stat st;
	off_t one;
	struct order_log *l = open_log();

	(void)state;
	snprintf(path, sizeof(path), "%s/orders-0000000000000001", dir);
	order_log_note(l, &a, NULL);
	order_log_close(&l);
	assert_int_equal(stat(path, &st), 0);
	one = st.st_size;
	for (off_t cut = 1; cut < one; cut++) {
		assert_int_equal(unlink(path), 0);
		l = open_log();
		order_log_note(l, &a, NULL);
		order_log_close(&l);
		assert_int_equal(truncate(path, cut), 0);
		l = open_log();
		order_log_note(l, &a, NULL);
		order_log_close(&l);
		assert_int_equal(read_all(), cut == 1 || cut == one - 1 ? 0 : 1);
		assert_int_equal(n_found, cut == one - 1 ? 2 : 1);
	}
	for (off_t at = 0; at < one; at++) {
		int fd;
		char c;

		assert_int_equal(unlink(path), 0);
		l = open_log();
		order_log_note(l, &a, NULL);
		order_log_note(l, &a, NULL);
		order_log_close(&l);
		fd = open(path, O_RDWR);
		assert_true(pread(fd, &c, 1, 1 + at) == 1);
		c ^= 1;
		assert_true(pwrite(fd, &c, 1, 1 + at) == 1);
		close(fd);
		read_all();
		assert_true(n_found <= 1);
	}
}

static void
what_a_full_disk_refuses_waits_in_memory(void **state)
{
	struct order_log *l = open_log();
	struct hold_view a = hold(HOLD_APPROVING, 3, "{}");
	static char big[8000];

	(void)state;
	order_log_note(l, &a, NULL);
	disk_is_full = true;
	room = 20;
	a.state = HOLD_APPROVED;
	order_log_note(l, &a, NULL);
	assert_false(order_log_is_behind(l));
	memset(big, 'x', sizeof(big) - 1);
	a.attempt = big;
	for (int i = 0; i < 30; i++)
		order_log_note(l, &a, NULL);
	assert_false(order_log_is_behind(l));
	for (int i = 0; i < 110; i++)
		order_log_note(l, &a, NULL);
	assert_true(order_log_is_behind(l)); /* no approve is granted now */
	disk_is_full = false;
	assert_false(order_log_is_behind(l));
	order_log_close(&l);
	n_found = 0;
}

static void
a_long_log_begins_a_new_file_and_old_files_are_removed(void **state)
{
	struct order_log *l = open_log();
	struct hold_view a = hold(HOLD_APPROVING, 3, "{}");
	struct timespec long_ago[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	static char big[8000];
	char path[128];
	struct stat st;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	a.attempt = big;
	for (int i = 0; i < 2200; i++)
		order_log_note(l, &a, NULL);
	snprintf(path, sizeof(path), "%s/orders-0000000000000002", dir);
	assert_int_equal(stat(path, &st), 0);
	snprintf(path, sizeof(path), "%s/orders-0000000000000001", dir);
	assert_int_equal(stat(path, &st), 0);
	order_log_close(&l);
	assert_int_equal(utimensat(AT_FDCWD, path, long_ago, 0), 0);
	l = open_log();
	assert_int_not_equal(stat(path, &st), 0);
	order_log_close(&l);
}

static void
a_missing_directory_is_reported(void **state)
{
	struct error err;
	int64_t torn;

	(void)state;
	assert_false(order_log_read("/nonexistent/dir", keep, NULL, &torn, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_null(order_log_open("/nonexistent/dir", &io, DAY_MS, clock_now(), &err));
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(what_is_noted_is_read_back),
		T(no_redirect_url_is_written_to_the_log),
		T(a_torn_line_hides_no_other),
		T(what_a_full_disk_refuses_waits_in_memory),
		T(a_long_log_begins_a_new_file_and_old_files_are_removed),
		T(a_missing_directory_is_reported),
	};

	log_open("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
