/*
 * The journal after a crash at any moment. Random runs are recorded, call by call: write, sync,
 * create, rename, remove. Then every prefix of a run is laid out as a disk might hold it: what was
 * not synced is kept, lost, or torn sector by sector. The journal must open, have every record
 * that was promised and no half of any record, and go on.
 *
 * $ROOMPAY_CRASH_STATES: how many states (1000 in `make check`); $ROOMPAY_SEED: seed of the first
 * run.
 */
#include "config.h"

#include <dirent.h>
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

#include "queue/disk/journal.h"

enum {
	FILES_MAX = 4096,
	NAMES_MAX = 64,
	OPS_MAX = 20000,
	FILE_CAP = 16384,
	SECTOR = 512,
	SEGMENT = 1536,
	NAME_CAP = 64
};

/* ---- recording */

struct op {
	enum { OP_CREATE, OP_WRITE, OP_SYNC, OP_RENAME, OP_UNLINK, OP_SYNC_DIR, OP_PROMISE } what;
	int file; /* create, write, sync */
	char from[NAME_CAP], to[NAME_CAP];
	size_t at, len;
	uint8_t *data;
	/* Records below `promised` are promised, those below `next` are written. */
	int promised, next;
};

static struct op ops[OPS_MAX];
static size_t n_ops;
/* of the recording run */
static struct {
	bool used;
	char name[NAME_CAP];
	int file;
} names[NAMES_MAX];
static int n_files, file_of_fd[1024];

static struct op *
record(int what)
{
	assert_true(n_ops < OPS_MAX);
	memset(&ops[n_ops], 0, sizeof(ops[0]));
	ops[n_ops].what = what;
	return &ops[n_ops++];
}

static int
find_name(const char *name)
{
	for (int i = 0; i < NAMES_MAX; i++)
		if (names[i].used && strcmp(names[i].name, name) == 0)
			return i;
	return -1;
}

static void
put_name(const char *name, int file)
{
	int i = find_name(name);

	for (int k = 0; i < 0; k++) {
		assert_true(k < NAMES_MAX);
		i = names[k].used ? -1 : k;
	}
	names[i].used = true;
	snprintf(names[i].name, NAME_CAP, "%s", name);
	names[i].file = file;
}

static int
r_openat(int dir, const char *name, int flags, mode_t mode)
{
	int i = find_name(name), fd;

	if ((flags & O_TRUNC) != 0 && i >= 0)
		unlinkat(dir, name, 0); /* a new file: simpler to play back than a cut one */
	fd = openat(dir, name, flags, mode);
	if (fd < 0 || (flags & O_ACCMODE) == O_RDONLY)
		return fd;
	if (i < 0 || (flags & O_TRUNC) != 0) {
		struct op *op = record(OP_CREATE);

		assert_true(n_files < FILES_MAX);
		op->file = n_files;
		snprintf(op->to, NAME_CAP, "%s", name);
		put_name(name, n_files++);
		i = find_name(name);
	}
	assert_true(fd < 1024);
	file_of_fd[fd] = names[i].file;
	return fd;
}

static ssize_t
r_pwrite(int fd, const void *data, size_t len, off_t at)
{
	struct op *op = record(OP_WRITE);

	op->file = file_of_fd[fd];
	op->at = (size_t)at;
	op->len = len;
	op->data = malloc(len);
	memcpy(op->data, data, len);
	return pwrite(fd, data, len, at);
}

static int
r_fdatasync(int fd)
{
	record(OP_SYNC)->file = file_of_fd[fd];
	return 0;
}

static int
r_fsync(int dir)
{
	(void)dir;
	record(OP_SYNC_DIR);
	return 0;
}

static int
r_rename(int dir, const char *from, const char *to)
{
	struct op *op = record(OP_RENAME);
	int i = find_name(from);

	snprintf(op->from, NAME_CAP, "%s", from);
	snprintf(op->to, NAME_CAP, "%s", to);
	assert_true(i >= 0);
	put_name(to, names[i].file);
	names[i].used = false;
	return renameat(dir, from, dir, to);
}

static int
r_unlink(int dir, const char *name)
{
	int i = find_name(name);

	if (unlinkat(dir, name, 0) != 0)
		return -1;
	snprintf(record(OP_UNLINK)->from, NAME_CAP, "%s", name);
	if (i >= 0)
		names[i].used = false;
	return 0;
}

static const struct disk_io recording_io = { r_openat, r_pwrite, r_fdatasync, r_fsync, r_rename,
	r_unlink };

/* ---- playing a disk back */

static struct {
	size_t size;
	uint8_t data[FILE_CAP];
} durable[FILES_MAX], laid_out;
static struct {
	bool used;
	char name[NAME_CAP];
	int file;
} synced_dir[NAMES_MAX], dir_now[NAMES_MAX];
static size_t pending[OPS_MAX], n_pending; /* calls that are not synced */

static uint64_t random_state;

static uint32_t
roll(uint32_t n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % n;
}

static void
write_into(uint8_t *data, size_t *size, const struct op *op, size_t from, size_t len)
{
	assert_true(op->at + op->len <= FILE_CAP);
	memcpy(data + op->at + from, op->data + from, len);
	if (op->at + from + len > *size)
		*size = op->at + from + len;
}

#define DIR_PUT(dir, text, id) \
	do { \
		int free_ = -1, i_; \
		for (i_ = 0; i_ < NAMES_MAX; i_++) { \
			if ((dir)[i_].used && strcmp((dir)[i_].name, text) == 0) \
				break; \
			if (!(dir)[i_].used) \
				free_ = i_; \
		} \
		i_ = i_ < NAMES_MAX ? i_ : free_; \
		(dir)[i_].used = true; \
		snprintf((dir)[i_].name, NAME_CAP, "%s", text); \
		(dir)[i_].file = id; \
	} while (0)

/* Removes a name, and returns its file; -1: there is none. */
#define DIR_TAKE(dir, text, out) \
	do { \
		(out) = -1; \
		for (int i_ = 0; i_ < NAMES_MAX; i_++) \
			if ((dir)[i_].used && strcmp((dir)[i_].name, text) == 0) { \
				(out) = (dir)[i_].file; \
				(dir)[i_].used = false; \
			} \
	} while (0)

#define DIR_APPLY(dir, op) \
	do { \
		int file_; \
		if ((op)->what == OP_CREATE) { \
			DIR_PUT(dir, (op)->to, (op)->file); \
		} else { \
			DIR_TAKE(dir, (op)->from, file_); \
			if ((op)->what == OP_RENAME && file_ >= 0) \
				DIR_PUT(dir, (op)->to, file_); \
		} \
	} while (0)

/* Makes permanent what this sync covers. */
static void
play(size_t i)
{
	const struct op *op = &ops[i];
	size_t kept = 0;

	if (op->what != OP_SYNC && op->what != OP_SYNC_DIR) {
		if (op->what != OP_PROMISE)
			pending[n_pending++] = i;
		return;
	}
	for (size_t k = 0; k < n_pending; k++) {
		const struct op *p = &ops[pending[k]];
		bool lasts = op->what == OP_SYNC ? p->what == OP_WRITE && p->file == op->file
						 : p->what != OP_WRITE;

		if (!lasts)
			pending[kept++] = pending[k];
		else if (p->what == OP_WRITE)
			write_into(durable[p->file].data, &durable[p->file].size, p, 0, p->len);
		else
			DIR_APPLY(synced_dir, p);
	}
	n_pending = kept;
}

enum loss { KEPT, LOST, TORN };

static char dir_path[64];
static int dir_fd;
static bool lost_name[OPS_MAX];

/* A change of the directory is lost by itself, but with it every later change of the same names. */
static bool
is_lost(size_t k, enum loss loss)
{
	const struct op *p = &ops[pending[k]];

	if (loss != TORN)
		return loss == LOST;
	for (size_t i = 0; i < k; i++) {
		const struct op *q = &ops[pending[i]];

		if (q->what != OP_WRITE && lost_name[i] &&
		    (strcmp(q->from, p->from) == 0 || strcmp(q->to, p->from) == 0 ||
			strcmp(q->from, p->to) == 0))
			return true;
	}
	return roll(2) == 0;
}

static void
lay_out_file(const char *name, int file, enum loss loss)
{
	int fd;

	laid_out.size = durable[file].size;
	memcpy(laid_out.data, durable[file].data, laid_out.size);
	for (size_t k = 0; k < n_pending && loss != LOST; k++) {
		const struct op *p = &ops[pending[k]];

		if (p->what != OP_WRITE || p->file != file)
			continue;
		for (size_t from = 0, n; from < p->len; from += n) {
			n = SECTOR - (p->at + from) % SECTOR;
			if (n > p->len - from)
				n = p->len - from;
			if (loss == KEPT || roll(2) == 0) {
				if (p->at + from > laid_out.size) /* a hole */
					memset(laid_out.data + laid_out.size, 0,
					    p->at + from - laid_out.size);
				write_into(laid_out.data, &laid_out.size, p, from, n);
			}
		}
	}
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0 && write(fd, laid_out.data, laid_out.size) == (ssize_t)laid_out.size);
	close(fd);
}

static void remove_all(void);

static void
lay_out(enum loss loss)
{
	remove_all();
	memcpy(dir_now, synced_dir, sizeof(dir_now));
	for (size_t k = 0; k < n_pending; k++) {
		const struct op *p = &ops[pending[k]];

		if (p->what == OP_WRITE)
			continue;
		lost_name[k] = is_lost(k, loss);
		if (!lost_name[k])
			DIR_APPLY(dir_now, p);
	}
	for (int i = 0; i < NAMES_MAX; i++)
		if (dir_now[i].used)
			lay_out_file(dir_now[i].name, dir_now[i].file, loss);
}

static void
remove_all(void)
{
	DIR *d = opendir(dir_path);
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
}

/* ---- a run appends "0", "1", ...; a snapshot says "base N": all numbers below N */

static int next_number, promised, seen;

static bool
count(void *ctx, const void *record_, size_t len, struct error *err)
{
	char text[128];
	int n;

	(void)ctx;
	(void)err;
	assert_true(len < sizeof(text));
	memcpy(text, record_, len);
	text[len] = '\0';
	if (sscanf(text, "base %d", &n) == 1) {
		seen = n;
		return true;
	}
	if (sscanf(text, "%d", &n) != 1 || n != seen || text[len - 1] != 'x')
		fail_msg("a record that was never written: \"%s\" after %d", text, seen);
	seen++;
	return true;
}

static bool
source(void *from, journal_emit *emit, void *ctx)
{
	char text[32];

	snprintf(text, sizeof(text), "base %d", *(int *)from);
	return emit(ctx, text, strlen(text));
}

static struct journal *
open_with(const struct disk_io *io)
{
	struct journal_options o = {
		.io = io,
		.segment_size = SEGMENT,
		.boot_id = "boot",
		.now = { 1000, 2000 },
	};
	struct journal_report report;
	struct journal *j = NULL;
	struct error err;

	seen = 0;
	if (!journal_open(dir_path, &o, count, NULL, &j, &report, &err))
		fail_msg("%s", err.msg);
	return j;
}

static void
promise(void)
{
	struct op *op = record(OP_PROMISE);

	op->promised = promised;
	op->next = next_number;
}

static void
append(struct journal *j)
{
	char text[128];
	struct error err;

	snprintf(text, sizeof(text), "%d %*s", next_number, (int)(1 + roll(90)), "x");
	assert_true(journal_append(j, text, strlen(text), &err));
	next_number++;
	promise();
}

static void
take_snapshot(struct journal *j)
{
	struct error err;
	int base = next_number;

	if (!journal_has_spare(j) || !journal_snapshot_begin(j, (struct now){ 1000, 2000 }, &err))
		return;
	promised = next_number; /* begin has synced everything before it */
	promise();
	for (uint32_t i = roll(4); i > 0; i--)
		append(j);
	if (roll(6) == 0)
		journal_snapshot_abandon(j);
	else if (journal_snapshot_write(j, source, &base, &err))
		assert_true(journal_snapshot_finish(j, &err));
}

static void
run_once(void)
{
	struct journal *j;
	struct error err;

	for (size_t i = 0; i < n_ops; i++)
		free(ops[i].data);
	n_ops = 0;
	n_files = next_number = promised = 0;
	memset(names, 0, sizeof(names));
	remove_all();
	j = open_with(&recording_io);
	for (int i = 0; i < 60; i++) {
		for (uint32_t k = 1 + roll(5); k > 0; k--)
			append(j);
		if (roll(4) != 0) {
			assert_true(journal_sync(j, &err));
			promised = next_number;
			promise();
		}
		journal_make_spare(j, &err);
		if (roll(2) == 0)
			journal_prepare(j);
		if (roll(2) == 0)
			journal_remove_old(j);
		if (roll(12) == 0)
			take_snapshot(j);
		if (roll(25) == 0) { /* an orderly end and a new start, recorded too */
			assert_true(journal_sync(j, &err));
			promised = next_number;
			promise();
			journal_close(&j);
			j = open_with(&recording_io);
			journal_make_spare(j, &err);
		}
	}
	journal_close(&j);
}

/* ---- the states of a run */

static void
check_state(int at_least, int at_most, bool goes_on)
{
	struct journal *j = open_with(&disk_system_io);
	struct error err;
	int there = seen;

	if (there < at_least || there > at_most)
		fail_msg("%d are there, %d were promised, %d written", there, at_least, at_most);
	if (goes_on) {
		char text[32];

		snprintf(text, sizeof(text), "%d x", there);
		if (!journal_append(j, text, strlen(text), &err) || !journal_sync(j, &err))
			fail_msg("%s", err.msg);
		journal_close(&j);
		j = open_with(&disk_system_io);
		assert_int_equal(seen, there + 1);
	}
	journal_close(&j);
}

static long
states_of_run(long wanted)
{
	int at_least = 0, at_most = 0;
	long states = 0;

	memset(durable, 0, sizeof(durable[0]) * (size_t)(n_files + 1));
	memset(synced_dir, 0, sizeof(synced_dir));
	n_pending = 0;
	for (size_t i = 0; i <= n_ops && states < wanted; i++) {
		uint32_t torn = n_pending > 1 ? 4 : (uint32_t)n_pending;

		for (uint32_t v = 0; v < 2 + torn; v++) {
			lay_out(v == 0 ? KEPT : v == 1 ? LOST : TORN);
			check_state(at_least, at_most + 1, roll(16) == 0);
			states++;
		}
		if (i == n_ops)
			break;
		play(i);
		if (ops[i].what == OP_PROMISE) {
			at_least = ops[i].promised;
			at_most = ops[i].next;
		}
	}
	return states;
}

static void
after_any_crash_every_promised_record_is_there(void **state)
{
	const char *wanted_text = getenv("ROOMPAY_CRASH_STATES"),
		   *seed_text = getenv("ROOMPAY_SEED");
	long wanted = wanted_text == NULL ? 1000 : atol(wanted_text), states = 0;
	uint64_t seed = seed_text == NULL ? 1 : (uint64_t)atoll(seed_text);
	int runs = 0;

	(void)state;
	for (; states < wanted; runs++) {
		random_state = seed + (uint64_t)runs;
		run_once();
		states += states_of_run(wanted - states);
	}
	print_message("crash states: %ld of %d runs, seeds from %llu\n", states, runs,
	    (unsigned long long)seed);
}

static int
set_up(void **state)
{
	(void)state;
	snprintf(dir_path, sizeof(dir_path), "%s/crash-states-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(dir_path) == NULL)
		return -1;
	dir_fd = open(dir_path, O_RDONLY | O_DIRECTORY);
	return dir_fd < 0 ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	close(dir_fd);
	remove_all();
	return rmdir(dir_path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(after_any_crash_every_promised_record_is_there,
		    set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
