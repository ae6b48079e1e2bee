/* How a journal is read at start, and how a torn end is cut off. */
#include "config.h"

#include "queue/disk/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/random.h"
#include "base/text.h"
#include "queue/disk/dir_lock.h"
#include "queue/disk/journal_file.h"

enum { SEGMENT_SIZE = 4 * 1024 * 1024, WINDOW_MIN = 1024 * 1024 };

struct opening {
	struct journal *j;
	struct journal_report *report;
	const struct journal_options *options;
	bool (*replay)(void *ctx, const void *record, size_t len, struct error *err);
	void *ctx;
	uint64_t snapshot;    /* the highest number; 0: none */
	uint64_t first, last; /* of the segments that it does not replace; 0: none */
	size_t n_segments;
	bool other_boot;
	uint8_t *window; /* one for all files, so that its memory is paged in once */
	size_t window_size;
};

/* A file, read through a window: a segment at once, a snapshot in parts. */
struct file {
	char name[JOURNAL_NAME_CAP];
	int fd;
	size_t size;
	uint8_t *data;	  /* the opening's window */
	size_t base, len; /* the part of the file that is in it */
	size_t pos;	  /* in the window: where to read next */
	struct journal_header header;
};

static bool
damaged(struct journal *j, const struct file *f, struct error *err, const char *why)
{
	return error_set(err, ERR_INTERNAL, "%s/%s is damaged at byte %zu: %s", j->path, f->name,
	    f->base + f->pos, why);
}

/* Makes sure that the window has a whole record, or all that is left of the file. */
static bool
refill(struct opening *o, struct file *f, struct error *err)
{
	size_t rest = f->len - f->pos;

	if (rest >= journal_record_size(JOURNAL_RECORD_MAX) || f->base + f->len == f->size)
		return true;
	memmove(f->data, f->data + f->pos, rest);
	f->base += f->pos;
	f->pos = 0;
	f->len = rest;
	while (f->len < o->window_size && f->base + f->len < f->size) {
		ssize_t n = pread(f->fd, f->data + f->len, o->window_size - f->len,
		    (off_t)(f->base + f->len));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n == 0 ? EIO : errno;
			return journal_fault(o->j, err, "read", f->name);
		}
		f->len += (size_t)n;
	}
	if (f->len > f->size - f->base)
		f->len = f->size - f->base; /* it has grown, which nobody may do */
	return true;
}

static bool
check_header(struct opening *o, struct file *f, enum journal_kind kind, uint64_t number,
    struct error *err)
{
	struct journal *j = o->j;

	if (f->size < JOURNAL_HEADER)
		return damaged(j, f, err, "the file is shorter than its header");
	if (!journal_header_parse(f->data, &f->header, err))
		return error_wrap(err, "%s/%s", j->path, f->name);
	if (f->header.kind != kind || f->header.number != number)
		return damaged(j, f, err, "its header belongs to another file");
	if (kind == JOURNAL_SEGMENT && f->size != j->segment_size)
		return damaged(j, f, err, "the file does not have the size of a segment");
	if (o->report->is_new)
		memcpy(j->header.queue_id, f->header.queue_id, sizeof(j->header.queue_id));
	else if (memcmp(j->header.queue_id, f->header.queue_id, sizeof(j->header.queue_id)) != 0)
		return damaged(j, f, err, "it belongs to another queue");
	o->report->is_new = false;
	if (f->header.boot_id[0] == '\0' || strcmp(f->header.boot_id, j->boot_id) != 0)
		o->other_boot = true;
	f->pos = JOURNAL_HEADER;
	return true;
}

static bool
open_file(struct opening *o, struct file *f, enum journal_kind kind, uint64_t number,
    struct error *err)
{
	struct stat st;

	f->data = o->window;
	f->fd = openat(o->j->dir, f->name, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0 || fstat(f->fd, &st) != 0)
		return journal_fault(o->j, err, "open", f->name);
	f->size = (size_t)st.st_size;
	return refill(o, f, err) && check_header(o, f, kind, number, err);
}

static void
close_file(struct file *f)
{
	if (f->fd >= 0)
		close(f->fd);
}

static bool
replay_one(struct opening *o, const struct file *f, const struct journal_record *r,
    struct error *err)
{
	o->report->records++;
	if (o->replay(o->ctx, r->payload, r->len, err))
		return true;
	return error_wrap(err, "%s/%s, byte %zu", o->j->path, f->name, f->base + f->pos);
}

/* A snapshot gets its name only when it is complete and synced, so any fault in it is damage. */
static bool
read_snapshot(struct opening *o, struct file *f, struct error *err)
{
	struct journal_record r, before = { 0 };

	for (;; before = r, f->pos += journal_record_size(r.len)) {
		if (!refill(o, f, err))
			return false;
		if (!journal_record_parse(f->data + f->pos, f->len - f->pos, &r) ||
		    r.seq != before.seq + 1 || r.prev != before.crc)
			return damaged(o->j, f, err, "the next record is missing");
		if (r.type == JOURNAL_RECORD_END)
			break;
		if (!replay_one(o, f, &r, err))
			return false;
	}
	if (r.len != 8 || get_u64(r.payload) != r.seq - 1 ||
	    f->base + f->pos + journal_record_size(r.len) != f->size)
		return damaged(o->j, f, err, "its last record does not match its length");
	o->j->snapshot_bytes = (int64_t)f->size;
	return true;
}

static bool
replay_snapshot(struct opening *o, struct error *err)
{
	struct file f = { .fd = -1 };
	bool done;

	o->j->snapshot = o->snapshot;
	journal_snapshot_name(o->snapshot, "", f.name);
	done = open_file(o, &f, JOURNAL_SNAPSHOT, o->snapshot, err) && read_snapshot(o, &f, err);
	o->j->last_seq = f.header.first_seq - 1;
	o->j->chain = f.header.chain;
	close_file(&f);
	return done;
}

static bool
read_segment(struct opening *o, struct file *f, struct error *err)
{
	struct journal *j = o->j;
	struct journal_record r;

	while (journal_record_parse(f->data + f->pos, f->len - f->pos, &r) &&
	    r.seq == j->last_seq + 1 && r.prev == j->chain) {
		if (r.type != JOURNAL_RECORD_TABLE)
			return damaged(j, f, err, "a record of a kind that no segment has");
		if (!replay_one(o, f, &r, err))
			return false;
		j->last_seq = r.seq;
		j->chain = r.crc;
		f->pos += journal_record_size(r.len);
	}
	return true;
}

/* Was there a later record whose writer knew that the one missing at f->pos was on the disk? Then
 * that one was lost afterwards: damage. */
static bool
is_relied_on(const struct journal *j, const struct file *f)
{
	struct journal_record r;

	for (size_t at = f->pos; at + JOURNAL_RECORD_HEADER <= f->len; at += JOURNAL_ALIGN)
		if (journal_record_parse(f->data + at, f->len - at, &r) &&
		    r.seq > j->last_seq + 1 && r.seq - 1 - r.behind > j->last_seq)
			return true;
	return false;
}

static bool
keep_torn(struct opening *o, const struct file *f, size_t end, struct error *err)
{
	struct journal *j = o->j;
	char *name = o->report->torn_file;
	bool done;
	int fd;

	snprintf(name, sizeof(o->report->torn_file), "%s-%llu.torn", f->name,
	    (unsigned long long)j->last_seq + 1);
	fd = j->io->openat(j->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return journal_fault(j, err, "create", name);
	done = journal_write_all(j, fd, f->data + f->pos, end - f->pos, 0) &&
	    j->io->fdatasync(fd) == 0;
	done = done || journal_fault(j, err, "write", name);
	close(fd);
	return done && journal_sync_dir(j, err);
}

/* Nothing but zeros follows from here on. */
static size_t
end_of_data(const struct file *f)
{
	size_t end = f->len;

	while (end > f->pos && f->data[end - 1] == 0)
		end--;
	return end;
}

/* The last segment ends at its first record that is not whole. Nobody was answered by what follows:
 * it is kept in a file of its own and overwritten with zeros. */
static bool
cut_torn_end(struct opening *o, struct file *f, struct error *err)
{
	struct journal *j = o->j;
	size_t end = end_of_data(f);

	if (end == f->pos)
		return true;
	if (is_relied_on(j, f))
		return damaged(j, f, err, "a record is missing here, but later ones relied on it");
	o->report->torn_bytes = (int64_t)(end - f->pos);
	if (!keep_torn(o, f, end, err))
		return false;
	if (!journal_write_zeros(j, j->fd, f->pos, f->len) || j->io->fdatasync(j->fd) != 0)
		return journal_fault(j, err, "cut the end of", f->name);
	return true;
}

static bool
open_last(struct opening *o, struct file *f, struct error *err)
{
	struct journal *j = o->j;

	j->fd = j->io->openat(j->dir, f->name, O_WRONLY | O_CLOEXEC, 0600);
	if (j->fd < 0)
		return journal_fault(j, err, "open", f->name);
	j->offset = f->pos;
	return cut_torn_end(o, f, err);
}

static bool
replay_segment(struct opening *o, uint64_t number, struct error *err)
{
	struct journal *j = o->j;
	struct file f = { .fd = -1 };
	bool done;

	journal_segment_name(number, f.name);
	done = open_file(o, &f, JOURNAL_SEGMENT, number, err);
	if (done && (f.header.first_seq != j->last_seq + 1 || f.header.chain != j->chain))
		done = damaged(j, &f, err, "it does not continue the file before it");
	done = done && read_segment(o, &f, err);
	j->header = f.header;
	if (done && number == o->last)
		done = open_last(o, &f, err);
	else if (done && end_of_data(&f) > f.pos)
		done = damaged(j, &f, err,
		    "the next record is missing, and this is not the last segment");
	close_file(&f);
	return done;
}

/* The N of snapshot-N and segment-N. False: the name is something else. */
static bool
number_of(const char *name, const char *prefix, uint64_t *out)
{
	size_t n = strlen(prefix);
	char *end;

	if (strncmp(name, prefix, n) != 0 || strlen(name) != n + 16 ||
	    strspn(name + n, "0123456789") != 16)
		return false;
	*out = strtoull(name + n, &end, 10);
	return *out > 0;
}

static bool
each_name(struct opening *o, void (*fn)(struct opening *o, const char *name), struct error *err)
{
	int fd = dup(o->j->dir);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (d == NULL) {
		journal_fault(o->j, err, "read", ".");
		if (fd >= 0)
			close(fd);
		return false;
	}
	rewinddir(d);
	while ((e = readdir(d)) != NULL)
		fn(o, e->d_name);
	closedir(d);
	return true;
}

static void
note_snapshot(struct opening *o, const char *name)
{
	uint64_t n;

	if (number_of(name, "snapshot-", &n) && n > o->snapshot)
		o->snapshot = n;
}

static void
note_segment(struct opening *o, const char *name)
{
	uint64_t n;

	if (!number_of(name, "segment-", &n) || n < o->snapshot)
		return;
	o->n_segments++;
	if (o->first == 0 || n < o->first)
		o->first = n;
	if (n > o->last)
		o->last = n;
}

static void
remove_leftover(struct opening *o, const char *name)
{
	size_t len = strlen(name);
	uint64_t n;

	if ((len > 4 && strcmp(name + len - 4, ".tmp") == 0) ||
	    (number_of(name, "segment-", &n) && n < o->snapshot) ||
	    (number_of(name, "snapshot-", &n) && n < o->snapshot))
		o->j->io->unlink(o->j->dir, name);
}

static void
note_spare(struct journal *j)
{
	struct stat st;

	j->has_spare = fstatat(j->dir, "spare", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && (size_t)st.st_size == j->segment_size;
}

static bool
replay_files(struct opening *o, struct error *err)
{
	struct journal *j = o->j;
	uint64_t first = o->snapshot == 0 ? 1 : o->snapshot;

	if (o->n_segments == 0 && o->snapshot == 0)
		return true; /* new */
	/* snapshot N is made after segment N is begun */
	if (o->first != first || o->last - o->first + 1 != o->n_segments)
		return error_set(err, ERR_INTERNAL,
		    "%s: a segment is missing: %llu exist between %llu and %llu, the snapshot "
		    "is %llu",
		    j->path, (unsigned long long)o->n_segments, (unsigned long long)o->first,
		    (unsigned long long)o->last, (unsigned long long)o->snapshot);
	if (o->snapshot != 0 && !replay_snapshot(o, err))
		return false;
	for (uint64_t n = o->first; n <= o->last; n++)
		if (!replay_segment(o, n, err))
			return false;
	j->synced_seq = j->last_seq;
	return true;
}

static bool
open_files(struct opening *o, struct error *err)
{
	struct journal *j = o->j;

	o->report->is_new = true;
	if (!each_name(o, note_snapshot, err) || !each_name(o, note_segment, err) ||
	    !replay_files(o, err) || !each_name(o, remove_leftover, err))
		return false;
	note_spare(j);
	j->oldest = j->removed = o->snapshot == 0 ? 1 : o->snapshot;
	o->report->same_boot = !o->other_boot;
	if (o->report->is_new && !random_fill(j->header.queue_id, sizeof(j->header.queue_id), err))
		return false;
	hex_format(j->header.queue_id, sizeof(j->header.queue_id), j->queue_id);
	return !o->report->is_new || journal_begin_segment(j, o->options->now, err);
}

static bool
lock_dir(struct journal *j, const char *dir, struct error *err)
{
	text_copy(j->path, sizeof(j->path), dir);
	j->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (j->dir < 0)
		return error_sys(err, ERR_INTERNAL, "open %s", dir);
	j->lock = dir_lock(j->dir, dir, err);
	return j->lock >= 0;
}

bool
journal_open(const char *dir, const struct journal_options *options,
    bool (*replay)(void *ctx, const void *record, size_t len, struct error *err), void *ctx,
    struct journal **out, struct journal_report *report, struct error *err)
{
	struct journal *j = calloc(1, sizeof(*j));
	struct opening o = {
		.j = j,
		.report = report,
		.options = options,
		.replay = replay,
		.ctx = ctx,
	};

	memset(report, 0, sizeof(*report));
	*out = NULL;
	if (j == NULL)
		return error_set(err, ERR_INTERNAL, "out of memory");
	j->dir = j->lock = j->fd = j->next.fd = -1;
	j->io = options->io;
	j->segment_size = options->segment_size == 0 ? SEGMENT_SIZE : options->segment_size;
	text_copy(j->boot_id, sizeof(j->boot_id), options->boot_id);
	o.window_size = j->segment_size < WINDOW_MIN ? WINDOW_MIN : j->segment_size;
	o.window = malloc(o.window_size);
	if (o.window == NULL)
		error_set(err, ERR_INTERNAL, "out of memory");
	else if (lock_dir(j, dir, err) && open_files(&o, err)) {
		*out = j;
		j = NULL;
	}
	free(o.window);
	journal_close(&j);
	return *out != NULL;
}
