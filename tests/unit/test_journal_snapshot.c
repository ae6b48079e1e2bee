/* The journal's snapshots, and a crash of any kind at each of its system calls. */
#include "config.h"

#include "journal_world.h"

#include <unistd.h>

static bool
source(void *from, journal_emit *emit, void *ctx)
{
	const char *const *texts = from;

	for (; *texts != NULL; texts++)
		if (!emit(ctx, *texts, strlen(*texts)))
			return false;
	return true;
}

static void
finish(struct fixture *f)
{
	assert_true(journal_snapshot_finish(f->j, &f->err));
	while (journal_remove_old(f->j))
		;
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
	assert_true(journal_snapshot_finish(f->j, &f->err));
	assert_true(is_there(f, FIRST));
	assert_true(journal_remove_old(f->j)); /* one file with each call */
	assert_false(is_there(f, FIRST));
	assert_false(journal_remove_old(f->j));
	add_synced(f, "new");
	assert_true(reopen(f));
	assert_string_equal(buf_str(&f->seen), "state one|state two|while it is written|new|");
	assert_true(journal_snapshot_begin(f->j, f->options.now, &f->err));
	assert_true(journal_snapshot_write(f->j, source, texts, &f->err));
	finish(f);
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
	assert_true(reopen(f)); /* killed here */
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
	finish(f);
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
	finish(f);
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
	assert_true(reopen(f)); /* killed before the snapshot was there */
	assert_false(f->report.same_boot);
	assert_true(journal_snapshot_begin(f->j, f->options.now, &f->err));
	assert_true(journal_snapshot_write(f->j, source, texts, &f->err));
	finish(f);
	assert_true(reopen(f));
	assert_true(f->report.same_boot);
	f->options.boot_id = ""; /* a system without a boot id */
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
	finish(f);
	assert_false(journal_wants_snapshot(f->j));
}

/* ---- a crash at any system call */

/* Appends "0", "1", ..., and makes a snapshot now and then, until the disk dies. Numbers below
 * synced are known to be kept. */
struct life {
	int next, synced, base; /* a snapshot says "base N": all numbers below N */
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
		else if (journal_snapshot_finish(f->j, &f->err))
			while (journal_remove_old(f->j))
				;
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
	assert_in_range(at, 200, MANY); /* every call of the run had its turn */
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
	const struct CMUnitTest tests[] = {
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
