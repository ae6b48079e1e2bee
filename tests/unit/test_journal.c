/* The journal: synced records are replayed, a torn end is cut off, damage is reported, and nothing
 * is promised that the disk does not keep. */
#include "config.h"

#include "journal_world.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "queue/disk/crc32c.h"

static void
crc32c_is_castagnoli(void **state)
{
	static const uint8_t zeros[32];

	(void)state;
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(0, zeros, sizeof(zeros)), 0x8a9136aa); /* RFC 3720, B.4 */
	assert_int_equal(crc32c(crc32c(0, "12345", 5), "6789", 4), 0xe3069283);
	assert_int_equal(crc32c(0, "", 0), 0);
}

static void
a_record_is_parsed_only_if_it_is_whole(void **state)
{
	struct journal_record r = { .seq = 7,
		.prev = 8,
		.behind = 1,
		.type = JOURNAL_RECORD_TABLE,
		.payload = (const uint8_t *)"hello",
		.len = 5 },
			      got;
	struct buf b = BUF_INIT;
	uint8_t *copy;

	(void)state;
	journal_record_format(&r, &b);
	assert_int_equal(b.len, 32); /* 25 + 5, padded to 8 */
	assert_true(journal_record_parse((const uint8_t *)b.data, b.len, &got));
	assert_true(
	    got.seq == 7 && got.prev == 8 && got.behind == 1 && got.crc == r.crc && got.len == 5);
	assert_memory_equal(got.payload, "hello", 5);
	for (size_t left = 0; left < b.len; left++)
		assert_false(journal_record_parse((const uint8_t *)b.data, left, &got));
	for (size_t i = 0; i < 30; i++) { /* without the padding */
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

	disk.short_writes = true; /* a short write is not a failure */
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

/* A child of a daemon that was killed, which ends a moment later, too. */
static void
a_child_that_is_ending_is_waited_for(void **state)
{
	struct fixture *f = *state;
	pid_t child;

	assert_true(reopen(f));
	child = fork();
	if (child == 0) {
		poll(NULL, 0, 200);
		_exit(0);
	}
	assert_true(child > 0);
	assert_true(reopen(f));
	assert_int_equal(waitpid(child, NULL, 0), child);
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
		assert_int_equal(f->report.torn_bytes, 0); /* it is reported once */
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
	scribble(f, FIRST, second, zeros, journal_record_size(3)); /* as if never written */
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
			.seq = rows[i].seq,
			.prev = first.crc + rows[i].prev_off,
			.behind = (uint32_t)rows[i].seq - 1,
			.type = JOURNAL_RECORD_TABLE,
			.payload = (const uint8_t *)"two",
			.len = 3,
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
	static const struct {
		size_t at;
		const char *sentence;
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
	while (journal_left(f->j) <= left) { /* until the spare is used up */
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
	while (!journal_failed(f->j)) /* until the spare is full, too */
		if (journal_append(f->j, "0123456789", 10, &f->err))
			assert_true(journal_sync(f->j, &f->err) || journal_failed(f->j));
	disk.is_full = false;
	assert_true(reopen(f));
}

/* Makes the segment after the spare as the daemon does, a piece in each turn. */
static void
prepare(struct fixture *f)
{
	while (journal_left(f->j) > SEGMENT / 3)
		add_synced(f, "0123456789");
	while (journal_prepare(f->j))
		;
}

static void
use_up_the_segment(struct fixture *f)
{
	size_t left;

	do {
		left = journal_left(f->j);
		add_synced(f, "0123456789");
	} while (journal_left(f->j) <= left);
}

static void
the_segment_after_the_spare_is_made_before_it_is_needed(void **state)
{
	struct fixture *f = *state;

	assert_true(reopen(f));
	assert_true(journal_make_spare(f->j, &f->err));
	assert_false(journal_prepare(f->j)); /* much too early */
	use_up_the_segment(f);
	assert_false(journal_has_spare(f->j)); /* nothing was prepared */
	assert_true(journal_make_spare(f->j, &f->err));
	prepare(f);
	use_up_the_segment(f);
	assert_true(journal_has_spare(f->j));
	prepare(f);
	assert_true(reopen(f)); /* what was prepared is forgotten, the spare is not */
	assert_true(journal_has_spare(f->j));
}

static void
a_disk_without_room_for_the_segment_after_the_spare(void **state)
{
	struct fixture *f = *state;

	assert_true(reopen(f));
	assert_true(journal_make_spare(f->j, &f->err));
	disk.is_full = true;
	prepare(f);
	assert_true(journal_has_spare(f->j));
	assert_false(journal_failed(f->j));
	disk.is_full = false;
	assert_false(journal_prepare(f->j)); /* not tried with each turn */
	use_up_the_segment(f);
	assert_false(journal_has_spare(f->j));
	assert_true(journal_make_spare(f->j, &f->err));
	prepare(f);
	use_up_the_segment(f);
	assert_true(journal_has_spare(f->j));
	assert_true(reopen(f));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc32c_is_castagnoli),
		cmocka_unit_test(a_record_is_parsed_only_if_it_is_whole),
		IN_DIR(synced_records_are_replayed_in_order),
		IN_DIR(records_that_were_not_synced_may_be_lost),
		IN_DIR(records_continue_over_many_segments),
		IN_DIR(the_largest_record_fits_and_one_more_byte_does_not),
		IN_DIR(a_second_daemon_is_kept_out),
		IN_DIR(a_child_that_is_ending_is_waited_for),
		IN_DIR(a_torn_end_is_cut_at_any_byte_and_kept_in_a_file),
		IN_DIR(whole_records_after_a_lost_one_of_the_same_sync_are_a_torn_end),
		IN_DIR(a_missing_record_that_a_later_sync_relied_on_is_damage),
		IN_DIR(a_whole_record_out_of_sequence_is_not_replayed),
		IN_DIR(a_journal_with_other_damage_is_not_opened),
		IN_DIR(a_record_that_replay_refuses_is_named_in_the_error),
		IN_DIR(after_a_failed_sync_every_call_fails_and_no_sync_is_retried),
		IN_DIR(after_a_failed_write_every_call_fails),
		IN_DIR(a_full_disk_is_noticed_before_the_last_segment_is_full),
		IN_DIR(the_segment_after_the_spare_is_made_before_it_is_needed),
		IN_DIR(a_disk_without_room_for_the_segment_after_the_spare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
