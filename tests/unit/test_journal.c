/* The journal: synced records are replayed, a torn end is cut off, damage is reported, and nothing
 * is promised that the disk does not keep. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "queue/disk/crc32c.h"
#include "queue/disk/journal.h"
#include "tests/unit/disk.h"

enum { SEGMENT = 4096, MANY = 2000 };

/* Every test has a directory of its own, and its replayed records as one text: "a|b|c|". */
struct fixture {
	char dir[64];
	struct journal *j;
	struct journal_report report;
	struct buf seen;
	struct journal_options options;
	struct error err;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	disk_reset();
	f->options = (struct journal_options){
		.io = &disk_io, .segment_size = SEGMENT, .boot_id = "boot-1", .now = { 1000, 2000 },
	};
	snprintf(f->dir, sizeof(f->dir), "/tmp/test-journal-XXXXXX");
	*state = f;
	return mkdtemp(f->dir) == NULL ? -1 : 0;
}

static void
each_file(struct fixture *f, void (*fn)(struct fixture *f, const char *name, void *ctx), void *ctx)
{
	DIR *d = opendir(f->dir);
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			fn(f, e->d_name, ctx);
	closedir(d);
}

static void
remove_file(struct fixture *f, const char *name, void *ctx)
{
	char path[400];

	(void)ctx;
	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	unlink(path);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	journal_close(&f->j);
	each_file(f, remove_file, NULL);
	rmdir(f->dir);
	buf_clear(&f->seen);
	free(f);
	return 0;
}

static bool
see(void *ctx, const void *record, size_t len, struct error *err)
{
	struct fixture *f = ctx;

	(void)err;
	buf_add(&f->seen, record, len);
	buf_add_char(&f->seen, '|');
	return true;
}

static bool
reopen(struct fixture *f)
{
	journal_close(&f->j);
	buf_reset(&f->seen);
	error_clear(&f->err);
	return journal_open(f->dir, &f->options, see, f, &f->j, &f->report, &f->err);
}

static void
add(struct fixture *f, const char *text)
{
	if (!journal_append(f->j, text, strlen(text), &f->err))
		fail_msg("append %s: %s", text, f->err.msg);
}

static void
add_synced(struct fixture *f, const char *text)
{
	add(f, text);
	if (!journal_sync(f->j, &f->err))
		fail_msg("sync %s: %s", text, f->err.msg);
}

static void
path_of(struct fixture *f, const char *name, char out[200])
{
	snprintf(out, 200, "%s/%s", f->dir, name);
}

static bool
is_there(struct fixture *f, const char *name)
{
	char path[200];

	path_of(f, name, path);
	return access(path, F_OK) == 0;
}

/* Changes bytes of a file, as a bad disk would. */
static void
scribble(struct fixture *f, const char *name, size_t at, const void *bytes, size_t len)
{
	char path[200];
	int fd;

	path_of(f, name, path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, (off_t)at), len);
	close(fd);
}

static void
read_bytes(struct fixture *f, const char *name, size_t at, void *bytes, size_t len)
{
	char path[200];
	int fd;

	path_of(f, name, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, bytes, len, (off_t)at), len);
	close(fd);
}

static void
flip(struct fixture *f, const char *name, size_t at)
{
	uint8_t b;

	read_bytes(f, name, at, &b, 1);
	b ^= 0x40;
	scribble(f, name, at, &b, 1);
}

#define FIRST "segment-0000000000000001"
#define SECOND "segment-0000000000000002"

static void
crc32c_is_castagnoli(void **state)
{
	static const uint8_t zeros[32];

	(void)state;
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(0, zeros, sizeof(zeros)), 0x8a9136aa);	/* RFC 3720, B.4 */
	assert_int_equal(crc32c(crc32c(0, "12345", 5), "6789", 4), 0xe3069283);
	assert_int_equal(crc32c(0, "", 0), 0);
}

static void
a_record_is_parsed_only_if_it_is_whole(void **state)
{
	struct journal_record r = { .seq = 7, .prev = 8, .behind = 1, .type = JOURNAL_RECORD_TABLE,
	    .payload = (const uint8_t *)"hello", .len = 5 }, got;
	struct buf b = BUF_INIT;
	uint8_t *copy;

	(void)state;
	journal_record_format(&r, &b);
	assert_int_equal(b.len, 32);	/* 25 + 5, padded to 8 */
	assert_true(journal_record_parse((const uint8_t *)b.data, b.len, &got));
	assert_true(
	    got.seq == 7 && got.prev == 8 && got.behind == 1 && got.crc == r.crc && got.len == 5);
	assert_memory_equal(got.payload, "hello", 5);
	for (size_t left = 0; left < b.len; left++)
		assert_false(journal_record_parse((const uint8_t *)b.data, left, &got));
	for (size_t i = 0; i < 30; i++) {	/* without the padding */
		copy = malloc(b.len);
		memcpy(copy, b.data, b.len);
		copy[i] ^= 1;
		assert_false(journal_record_parse(copy, b.len, &got));
		free(copy);
	}
	buf_clear(&b);
}

static void
synced_records_are_replayed_in_order(void **state)
{
	struct fixture *f = *state;
	char id[QUEUE_ID_CAP];

	assert_true(reopen(f));
	assert_true(f->report.is_new);
	snprintf(id, sizeof(id), "%s", journal_queue_id(f->j));
	assert_int_equal(strlen(id), 32);
	add(f, "one");
	add_synced(f, "two");
	assert_false(journal_is_dirty(f->j));
	add_synced(f, "three");
	assert_true(reopen(f));
	assert_false(f->report.is_new);
	assert_true(f->report.same_boot);
	assert_int_equal(f->report.records, 3);
	assert_string_equal(buf_str(&f->seen), "one|two|three|");
	assert_string_equal(journal_queue_id(f->j), id);
	add_synced(f, "four");
	assert_true(reopen(f));
	assert_string_equal(buf_str(&f->seen), "one|two|three|four|");
}

static void
records_that_were_not_synced_may_be_lost(void **state)
{
	struct fixture *f = *state;

	assert_true(reopen(f));
	add_synced(f, "kept");
	add(f, "lost");
	assert_true(journal_is_dirty(f->j));
	assert_true(reopen(f));
	assert_string_equal(buf_str(&f->seen), "kept|");
}

static void
records_continue_over_many_segments(void **state)
{
	struct fixture *f = *state;
	struct buf want = BUF_INIT;
	struct journal_size size;
	char text[200];

	disk.short_writes = true;	/* a short write is not a failure */
	assert_true(reopen(f));
	for (int i = 0; i < 300; i++) {
		snprintf(text, sizeof(text), "%d:%0*d", i, i % 150 + 1, 7);
		buf_printf(&want, "%s|", text);
		add(f, text);
		if (i % 7 == 0)
			assert_true(journal_sync(f->j, &f->err));
	}
	assert_true(journal_sync(f->j, &f->err));
	journal_size(f->j, &size);
	assert_in_range(size.segments, 8, 20);
	assert_true(reopen(f));
	assert_string_equal(buf_str(&f->seen), buf_str(&want));
	buf_clear(&want);
}

static void
the_largest_record_fits_and_one_more_byte_does_not(void **state)
{
	struct fixture *f = *state;
	char *big = malloc(JOURNAL_RECORD_MAX + 1);

	memset(big, 'x', JOURNAL_RECORD_MAX + 1);
	f->options.segment_size = 256 * 1024;
	assert_true(reopen(f));
	assert_true(journal_append(f->j, big, JOURNAL_RECORD_MAX, &f->err));
	assert_true(journal_sync(f->j, &f->err));
	assert_false(journal_append(f->j, big, JOURNAL_RECORD_MAX + 1, &f->err));
	assert_true(journal_failed(f->j));
	assert_true(reopen(f));
	assert_int_equal(f->report.records, 1);
	free(big);
}

static void
a_second_daemon_is_kept_out(void **state)
{
	struct fixture *f = *state;
	struct journal *other = NULL;
	struct journal_report report;
	struct error err;

	assert_true(reopen(f));
	assert_false(journal_open(f->dir, &f->options, see, f, &other, &report, &err));
	assert_int_equal(err.code, ERR_BUSY);
	assert_null(other);
}

/* A crash may lose any sectors of the last write: here everything from some byte on. */
static void
a_torn_end_is_cut_at_any_byte_and_kept_in_a_file(void **state)
{
	struct fixture *f = *state;
	static const uint8_t zeros[64];
	size_t first = JOURNAL_HEADER, last = first + journal_record_size(4),
	    end = last + journal_record_size(4);
	uint8_t whole[64];

	assert_true(reopen(f));
	add_synced(f, "kept");
	add(f, "torn");
	assert_true(journal_sync(f->j, &f->err));
	read_bytes(f, FIRST, last, whole, end - last);
	/* the record has 25 + 4 bytes, the rest is padding */
	for (size_t cut = last + 29; cut > last; cut--) {
		assert_true(reopen(f));
		scribble(f, FIRST, last, whole, end - last);
		scribble(f, FIRST, cut - 1, zeros, end - cut + 1);
		assert_true(reopen(f));
		assert_string_equal(buf_str(&f->seen), "kept|");
		assert_int_equal(f->report.torn_bytes > 0, cut - 1 > last);
		assert_true(f->report.torn_bytes == 0 || is_there(f, f->report.torn_file));
		assert_true(reopen(f));
		assert_int_equal(f->report.torn_bytes, 0);	/* it is reported once */
	}
	add_synced(f, "next");
	assert_true(reopen(f));
	assert_string_equal(buf_str(&f->seen), "kept|next|");
}

/* One sync writes several sectors, and a crash may keep only the later ones. Nobody was answered by
 * them. */
static void
whole_records_after_a_lost_one_of_the_same_sync_are_a_torn_end(void **state)
{
	struct fixture *f = *state;
	size_t second = JOURNAL_HEADER + journal_record_size(4);

	assert_true(reopen(f));
	add_synced(f, "kept");
	add(f, "lost");
	add(f, "late");
	add(f, "last");
	assert_true(journal_sync(f->j, &f->err));
	flip(f, FIRST, second + JOURNAL_RECORD_HEADER);
	assert_true(reopen(f));
	assert_string_equal(buf_str(&f->seen), "kept|");
	assert_true(f->report.torn_bytes > 0);
	add_synced(f, "new");
	assert_true(reopen(f));
	assert_string_equal(buf_str(&f->seen), "kept|new|");
}

static void
a_missing_record_that_a_later_sync_relied_on_is_damage(void **state)
{
	struct fixture *f = *state;
	size_t second = JOURNAL_HEADER + journal_record_size(3);
	char place[100];
	static const uint8_t zeros[40];

	assert_true(reopen(f));
	add_synced(f, "one");
	add_synced(f, "two");
	add_synced(f, "six");
	flip(f, FIRST, second + JOURNAL_RECORD_HEADER);
	assert_false(reopen(f));
	assert_int_equal(f->err.code, ERR_INTERNAL);
	snprintf(place, sizeof(place), "%s is damaged at byte %zu", FIRST, second);
	assert_non_null(strstr(f->err.msg, place));
	scribble(f, FIRST, second, zeros, journal_record_size(3));	/* as if never written */
	assert_false(reopen(f));
	assert_non_null(strstr(f->err.msg, place));
}

/* Where a write was lost, an older block may appear: a whole record, but not the next one. */
static void
a_whole_record_out_of_sequence_is_not_replayed(void **state)
{
	static const struct {
		uint64_t seq;
		uint32_t prev_off;
		bool taken;
		const char *sentence;
	} rows[] = {
		{ 2, 0, true, "the next" },
		{ 1, 0, false, "an earlier number" },
		{ 3, 0, false, "a later number" },
		{ 2, 1, false, "another chain" },
	};
	struct fixture *f = *state;
	struct journal_record first, r;
	uint8_t bytes[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b = BUF_INIT;

		journal_close(&f->j);
		each_file(f, remove_file, NULL);
		assert_true(reopen(f));
		add_synced(f, "one");
		read_bytes(f, FIRST, JOURNAL_HEADER, bytes, sizeof(bytes));
		assert_true(journal_record_parse(bytes, sizeof(bytes), &first));
		r = (struct journal_record){
			.seq = rows[i].seq, .prev = first.crc + rows[i].prev_off,
			.behind = (uint32_t)rows[i].seq - 1, .type = JOURNAL_RECORD_TABLE,
			.payload = (const uint8_t *)"two", .len = 3,
		};
		journal_record_format(&r, &b);
		scribble(f, FIRST, JOURNAL_HEADER + journal_record_size(3), b.data, b.len);
		buf_clear(&b);
		assert_true(reopen(f));
		if (strcmp(buf_str(&f->seen), rows[i].taken ? "one|two|" : "one|") != 0)
			fail_msg("%s: %s", rows[i].sentence, buf_str(&f->seen));
		assert_int_equal(f->report.torn_bytes > 0, !rows[i].taken);
	}
}

static void
a_journal_with_other_damage_is_not_opened(void **state)
{
	static const struct { size_t at; const char *sentence;
	} rows[] = {
		{ 0, "the magic" },
		{ 8, "the version" },
		{ 33, "the queue's id" },
		{ 50, "the boot id" },
		{ 105, "the chain" },
		{ 109, "the crc" },
		{ JOURNAL_HEADER, "the first record's length" },
		{ JOURNAL_HEADER + 9, "its number" },
		{ JOURNAL_HEADER + 17, "its prev" },
		{ JOURNAL_HEADER + 21, "its behind" },
		{ JOURNAL_HEADER + 24, "its type" },
		{ JOURNAL_HEADER + 30, "its payload" },
	};
	struct fixture *f = *state;
	char text[100];

	assert_true(reopen(f));
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "record %0*d", 60, i);
		add_synced(f, text);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		flip(f, FIRST, rows[i].at);
		if (reopen(f))
			fail_msg("%s was not missed", rows[i].sentence);
		assert_non_null(strstr(f->err.msg, FIRST));
		flip(f, FIRST, rows[i].at);
		assert_true(reopen(f));
		assert_int_equal(f->report.records, 100);
	}
	remove_file(f, SECOND, NULL);
	assert_false(reopen(f));
	assert_non_null(strstr(f->err.msg, "a segment is missing"));
}

static bool
refuse(void *ctx, const void *record, size_t len, struct error *err)
{
	(void)ctx;
	(void)record;
	(void)len;
	return error_set(err, ERR_INTERNAL, "does not fit");
}

static void
a_record_that_replay_refuses_is_named_in_the_error(void **state)
{
	struct fixture *f = *state;

	assert_true(reopen(f));
	add_synced(f, "one");
	journal_close(&f->j);
	assert_false(journal_open(f->dir, &f->options, refuse, f, &f->j, &f->report, &f->err));
	assert_non_null(strstr(f->err.msg, FIRST ", byte 512: does not fit"));
}

/* ---- a disk that fails */

static void
after_a_failed_sync_every_call_fails_and_no_sync_is_retried(void **state)
{
	struct fixture *f = *state;

	assert_true(reopen(f));
	add_synced(f, "kept");
	add(f, "doubt");
	disk.sync_fails = true;
	assert_false(journal_sync(f->j, &f->err));
	assert_int_equal(f->err.code, ERR_INTERNAL);
	assert_true(journal_failed(f->j));
	disk.sync_fails = false;
	disk.syncs = 0;
	assert_false(journal_sync(f->j, &f->err));
	assert_false(journal_append(f->j, "more", 4, &f->err));
	assert_int_equal(disk.syncs, 0);
}

static void
after_a_failed_write_every_call_fails(void **state)
{
	struct fixture *f = *state;

	assert_true(reopen(f));
	add(f, "doubt");
	disk.write_fails = true;
	disk.syncs = 0;
	assert_false(journal_sync(f->j, &f->err));
	assert_true(journal_failed(f->j));
	assert_int_equal(disk.syncs, 0);
	disk.write_fails = false;
	assert_true(reopen(f));
	assert_string_equal(buf_str(&f->seen), "");
}

static void
a_full_disk_is_noticed_before_the_last_segment_is_full(void **state)
{
	struct fixture *f = *state;
	size_t left;

	assert_true(reopen(f));
	assert_true(journal_make_spare(f->j, &f->err));
	assert_true(journal_has_spare(f->j));
	left = journal_left(f->j);
	while (journal_left(f->j) <= left) {	/* until the spare is used up */
		left = journal_left(f->j);
		add_synced(f, "0123456789");
	}
	disk.is_full = true;
	assert_false(journal_has_spare(f->j));
	assert_false(journal_make_spare(f->j, &f->err));
	/* there is room for the ends of what was promised */
	assert_false(journal_failed(f->j));
	while (journal_left(f->j) >= journal_record_size(10))
		add_synced(f, "0123456789");
	disk.is_full = false;
	assert_true(journal_make_spare(f->j, &f->err));
	add_synced(f, "0123456789");
	assert_true(journal_make_spare(f->j, &f->err));
	disk.is_full = true;
	while (!journal_failed(f->j))	/* until the spare is full, too */
		if (journal_append(f->j, "0123456789", 10, &f->err))
			assert_true(journal_sync(f->j, &f->err) || journal_failed(f->j));
	disk.is_full = false;
	assert_true(reopen(f));
}

/* ---- snapshots */

static bool
source(void *from, journal_emit *emit, void *ctx)
{
	const char *const *texts = from;

	for (; *texts != NULL; texts++)
		if (!emit(ctx, *texts, strlen(*texts)))
			return false;
	return true;
}

static const char *const state_texts[] = { "state one", "state two", NULL };

static void
a_snapshot_replaces_the_segments_before_it(void **state)
{
	struct fixture *f = *state;
	void *texts = (void *)(uintptr_t)state_texts;

	assert_true(reopen(f));
	add_synced(f, "old");
	assert_true(journal_snapshot_begin(f->j, f->options.now, &f->err));
	add_synced(f, "while it is written");
	assert_true(journal_snapshot_write(f->j, source, texts, &f->err));
	assert_true(is_there(f, FIRST));
	assert_true(journal_snapshot_finish(f->j, &f->err));
	assert_false(is_there(f, FIRST));
	add_synced(f, "new");
	assert_true(reopen(f));
	assert_string_equal(buf_str(&f->seen), "state one|state two|while it is written|new|");
	assert_true(journal_snapshot_begin(f->j, f->options.now, &f->err));
	assert_true(journal_snapshot_write(f->j, source, texts, &f->err));
	assert_true(journal_snapshot_finish(f->j, &f->err));
	assert_false(is_there(f, "snapshot-0000000000000002"));
	assert_true(is_there(f, "snapshot-0000000000000003"));
	assert_true(reopen(f));
	assert_string_equal(buf_str(&f->seen), "state one|state two|");
}

static void
an_unfinished_snapshot_is_ignored(void **state)
{
	struct fixture *f = *state;
	void *texts = (void *)(uintptr_t)state_texts;

	assert_true(reopen(f));
	add_synced(f, "old");
	assert_true(journal_snapshot_begin(f->j, f->options.now, &f->err));
	assert_true(journal_snapshot_write(f->j, source, texts, &f->err));
	assert_true(is_there(f, "snapshot-0000000000000002.tmp"));
	assert_true(reopen(f));		/* killed here */
	assert_string_equal(buf_str(&f->seen), "old|");
	assert_false(is_there(f, "snapshot-0000000000000002.tmp"));
	assert_true(journal_snapshot_begin(f->j, f->options.now, &f->err));
	disk.is_full = true;
	assert_false(journal_snapshot_write(f->j, source, texts, &f->err));
	journal_snapshot_abandon(f->j);
	disk.is_full = false;
	add_synced(f, "goes on");
	assert_true(reopen(f));
	assert_string_equal(buf_str(&f->seen), "old|goes on|");
}

static void
replaced_files_are_removed_at_the_next_start_at_the_latest(void **state)
{
	struct fixture *f = *state;
	void *texts = (void *)(uintptr_t)state_texts;

	assert_true(reopen(f));
	add_synced(f, "old");
	assert_true(journal_snapshot_begin(f->j, f->options.now, &f->err));
	assert_true(journal_snapshot_write(f->j, source, texts, &f->err));
	disk.unlink_fails = true;
	assert_true(journal_snapshot_finish(f->j, &f->err));
	assert_true(is_there(f, FIRST));
	disk.unlink_fails = false;
	assert_true(reopen(f));
	assert_string_equal(buf_str(&f->seen), "state one|state two|");
	assert_false(is_there(f, FIRST));
}

static void
a_journal_with_a_damaged_snapshot_is_not_opened(void **state)
{
	struct fixture *f = *state;
	void *texts = (void *)(uintptr_t)state_texts;
	char path[200];

	assert_true(reopen(f));
	assert_true(journal_snapshot_begin(f->j, f->options.now, &f->err));
	assert_true(journal_snapshot_write(f->j, source, texts, &f->err));
	assert_true(journal_snapshot_finish(f->j, &f->err));
	for (size_t at = JOURNAL_HEADER; at < JOURNAL_HEADER + 34; at++) {
		flip(f, "snapshot-0000000000000002", at);
		assert_false(reopen(f));
		flip(f, "snapshot-0000000000000002", at);
	}
	assert_true(reopen(f));
	journal_close(&f->j);
	path_of(f, "snapshot-0000000000000002", path);
	assert_int_equal(truncate(path, JOURNAL_HEADER + (off_t)journal_record_size(9)), 0);
	assert_false(reopen(f));
}

static void
another_boot_is_reported_until_a_snapshot_is_written_in_it(void **state)
{
	struct fixture *f = *state;
	void *texts = (void *)(uintptr_t)state_texts;

	assert_true(reopen(f));
	add_synced(f, "old");
	f->options.boot_id = "boot-2";
	assert_true(reopen(f));
	assert_false(f->report.same_boot);
	assert_true(journal_snapshot_begin(f->j, f->options.now, &f->err));
	assert_true(reopen(f));		/* killed before the snapshot was there */
	assert_false(f->report.same_boot);
	assert_true(journal_snapshot_begin(f->j, f->options.now, &f->err));
	assert_true(journal_snapshot_write(f->j, source, texts, &f->err));
	assert_true(journal_snapshot_finish(f->j, &f->err));
	assert_true(reopen(f));
	assert_true(f->report.same_boot);
	f->options.boot_id = "";	/* a system without a boot id */
	assert_true(reopen(f));
	assert_false(f->report.same_boot);
}

static void
a_grown_journal_wants_a_snapshot(void **state)
{
	struct fixture *f = *state;
	void *texts = (void *)(uintptr_t)state_texts;
	struct journal_size size;

	assert_true(reopen(f));
	assert_false(journal_wants_snapshot(f->j));
	for (int i = 0; i < 1000 && !journal_wants_snapshot(f->j); i++)
		add_synced(f, "0123456789012345678901234567890123456789");
	journal_size(f->j, &size);
	assert_int_equal(size.segments, 5);
	assert_true(journal_snapshot_begin(f->j, f->options.now, &f->err));
	assert_false(journal_wants_snapshot(f->j));
	assert_true(journal_snapshot_write(f->j, source, texts, &f->err));
	assert_true(journal_snapshot_finish(f->j, &f->err));
	assert_false(journal_wants_snapshot(f->j));
}

/* ---- a crash at any system call */

/* Appends "0", "1", ..., and makes a snapshot now and then, until the disk dies. Numbers below
 * synced are known to be kept. */
struct life {
	int next, synced, base;		/* a snapshot says "base N": all numbers below N */
};

static bool
life_source(void *from, journal_emit *emit, void *ctx)
{
	struct life *l = from;
	char text[32];

	snprintf(text, sizeof(text), "base %d", l->next);
	return emit(ctx, text, strlen(text));
}

static void
live(struct fixture *f, struct life *l)
{
	char text[100];

	for (int i = 0; i < 120; i++) {
		snprintf(text, sizeof(text), "%d %*s", l->next, i % 5 * 20, "x");
		if (!journal_append(f->j, text, strlen(text), &f->err))
			return;
		l->next++;
		if (i % 3 == 0) {
			if (!journal_sync(f->j, &f->err))
				return;
			l->synced = l->next;
		}
		journal_make_spare(f->j, &f->err);
		if (i % 20 != 19)
			continue;
		if (!journal_snapshot_begin(f->j, f->options.now, &f->err))
			return;
		l->synced = l->next;
		if (!journal_snapshot_write(f->j, life_source, l, &f->err))
			journal_snapshot_abandon(f->j);
		else
			journal_snapshot_finish(f->j, &f->err);
	}
}

/* Reads "base 7|7 x|8 x|", which must have no gap. Returns the number after the last. */
static int
count_seen(const char *s)
{
	int next = 0, n, used;

	if (sscanf(s, "base %d|%n", &n, &used) == 1) {
		next = n;
		s += used;
	}
	for (; *s != '\0'; s = strchr(s, '|') + 1) {
		assert_int_equal(sscanf(s, "%d", &n), 1);
		assert_int_equal(n, next);
		next++;
	}
	return next;
}

/* Dies at the n-th system call. False: there were not as many. */
static bool
die_and_look(struct fixture *f, int at, enum disk_loss loss)
{
	struct life l = { 0 };
	bool died;

	journal_close(&f->j);
	each_file(f, remove_file, NULL);
	disk_reset();
	disk.dies_at = at;
	disk.short_writes = at % 2 == 0;
	if (reopen(f))
		live(f, &l);
	died = disk.calls >= at;
	journal_close(&f->j);
	disk_lose(f->dir, loss, (uint32_t)at);
	disk_reset();
	if (!reopen(f))
		fail_msg("dead at call %d: %s", at, f->err.msg);
	if (count_seen(buf_str(&f->seen)) < l.synced || count_seen(buf_str(&f->seen)) > l.next)
		fail_msg("dead at call %d: %d are there, %d were promised", at,
		    count_seen(buf_str(&f->seen)), l.synced);
	add_synced(f, "more");
	assert_true(reopen(f));
	return died;
}

static void
a_kill_at_any_system_call_loses_nothing_that_was_synced(void **state)
{
	struct fixture *f = *state;
	int at = 1;

	f->options.segment_size = 1536;
	while (die_and_look(f, at, LOSE_NOTHING))
		at++;
	assert_in_range(at, 200, MANY);	/* every call of the run had its turn */
}

static void
a_power_failure_at_any_system_call_loses_nothing_that_was_synced(void **state)
{
	struct fixture *f = *state;
	int at = 1;

	f->options.segment_size = 1536;
	while (die_and_look(f, at, LOSE_ALL))
		at++;
	assert_in_range(at, 200, MANY);
}

static void
a_power_failure_that_keeps_any_sectors_loses_nothing_that_was_synced(void **state)
{
	struct fixture *f = *state;
	int at = 1;

	f->options.segment_size = 1536;
	while (die_and_look(f, at, LOSE_SOME))
		at++;
	assert_in_range(at, 200, MANY);
}

int
main(void)
{
#define IN_DIR(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc32c_is_castagnoli),
		cmocka_unit_test(a_record_is_parsed_only_if_it_is_whole),
		IN_DIR(synced_records_are_replayed_in_order),
		IN_DIR(records_that_were_not_synced_may_be_lost),
		IN_DIR(records_continue_over_many_segments),
		IN_DIR(the_largest_record_fits_and_one_more_byte_does_not),
		IN_DIR(a_second_daemon_is_kept_out),
		IN_DIR(a_torn_end_is_cut_at_any_byte_and_kept_in_a_file),
		IN_DIR(whole_records_after_a_lost_one_of_the_same_sync_are_a_torn_end),
		IN_DIR(a_missing_record_that_a_later_sync_relied_on_is_damage),
		IN_DIR(a_whole_record_out_of_sequence_is_not_replayed),
		IN_DIR(a_journal_with_other_damage_is_not_opened),
		IN_DIR(a_record_that_replay_refuses_is_named_in_the_error),
		IN_DIR(after_a_failed_sync_every_call_fails_and_no_sync_is_retried),
		IN_DIR(after_a_failed_write_every_call_fails),
		IN_DIR(a_full_disk_is_noticed_before_the_last_segment_is_full),
		IN_DIR(a_snapshot_replaces_the_segments_before_it),
		IN_DIR(an_unfinished_snapshot_is_ignored),
		IN_DIR(replaced_files_are_removed_at_the_next_start_at_the_latest),
		IN_DIR(a_journal_with_a_damaged_snapshot_is_not_opened),
		IN_DIR(another_boot_is_reported_until_a_snapshot_is_written_in_it),
		IN_DIR(a_grown_journal_wants_a_snapshot),
		IN_DIR(a_kill_at_any_system_call_loses_nothing_that_was_synced),
		IN_DIR(a_power_failure_at_any_system_call_loses_nothing_that_was_synced),
		IN_DIR(a_power_failure_that_keeps_any_sectors_loses_nothing_that_was_synced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
