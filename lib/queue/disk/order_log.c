#include "config.h"

#include "queue/disk/order_log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "queue/disk/crc32c.h"
#include "queue/wire/proto.h"

enum { NAME_CAP = 64, FILE_MAX_BYTES = 16 * 1024 * 1024, PENDING_MAX = 1024 * 1024, CRC_LEN = 8 };

struct order_log {
	const struct disk_io *io;
	int dir, fd;
	uint64_t number;
	off_t at;
	int64_t keep_ms;
	struct buf pending;
	bool told; /* the log says that it cannot be written */
};

static void
name_of(uint64_t number, char out[NAME_CAP])
{
	snprintf(out, NAME_CAP, "orders-%016" PRIu64, number);
}

static bool
is_name(const char *name, uint64_t *number)
{
	char end;

	return strlen(name) == strlen("orders-") + 16 &&
	    sscanf(name, "orders-%16" SCNu64 "%c", number, &end) == 1;
}

/* ---- files */

struct files {
	uint64_t *number;
	size_t n;
};

static int
by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static bool
list_files(int dir, struct files *out, struct error *err)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;
	uint64_t number;
	bool ok = true;

	*out = (struct files){ 0 };
	if (d == NULL) {
		if (copy >= 0)
			close(copy);
		return error_sys(err, ERR_INTERNAL, "list the files of the log of orders");
	}
	while (ok && (e = readdir(d)) != NULL) {
		uint64_t *more;

		if (!is_name(e->d_name, &number))
			continue;
		more = realloc(out->number, (out->n + 1) * sizeof(*more));
		if (more == NULL) {
			ok = error_set(err, ERR_INTERNAL, "out of memory");
		} else {
			out->number = more;
			more[out->n++] = number;
		}
	}
	closedir(d);
	if (out->n > 0)
		qsort(out->number, out->n, sizeof(out->number[0]), by_number);
	return ok;
}

/* Age counts from a file's last line. The newest file stays. */
static void
remove_old(struct order_log *l, const struct files *f, int64_t now_wall_ms)
{
	char name[NAME_CAP];
	struct stat st;

	for (size_t i = 0; i + 1 < f->n; i++) {
		name_of(f->number[i], name);
		if (fstatat(l->dir, name, &st, 0) == 0 &&
		    (int64_t)st.st_mtime * 1000 + l->keep_ms < now_wall_ms)
			l->io->unlink(l->dir, name);
	}
}

static bool
open_file(struct order_log *l, struct error *err)
{
	char name[NAME_CAP];
	struct stat st;

	name_of(l->number, name);
	l->fd = l->io->openat(l->dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (l->fd < 0 || fstat(l->fd, &st) != 0)
		return error_sys(err, ERR_INTERNAL, "open %s", name);
	l->at = st.st_size;
	return true;
}

/* Begins the next file and removes old ones. If it cannot be made, the file in use goes on. */
static void
turn_over(struct order_log *l)
{
	struct files f;
	int old = l->fd;
	off_t at = l->at;

	l->number++;
	if (open_file(l, NULL)) {
		l->io->fdatasync(old);
		close(old);
		if (list_files(l->dir, &f, NULL))
			remove_old(l, &f, clock_wall_ms());
		free(f.number);
	} else {
		if (l->fd >= 0)
			close(l->fd);
		l->number--;
		l->fd = old;
		l->at = at;
	}
}

struct order_log *
order_log_open(const char *dir, const struct disk_io *io, int64_t keep_ms, struct now now,
    struct error *err)
{
	struct order_log *l = calloc(1, sizeof(*l));
	struct files f = { 0 };

	if (l == NULL) {
		error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	*l = (struct order_log){ .io = io, .fd = -1, .number = 1, .keep_ms = keep_ms };
	buf_init(&l->pending, 2 * PENDING_MAX);
	l->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->dir < 0)
		error_sys(err, ERR_INTERNAL, "open %s", dir);
	else if (list_files(l->dir, &f, err)) {
		remove_old(l, &f, now.wall_ms);
		if (f.n > 0)
			l->number = f.number[f.n - 1];
		if (open_file(l, err)) {
			free(f.number);
			/* if the last run left half a line, the next one must not continue it */
			buf_add_char(&l->pending, '\n');
			return l;
		}
	}
	free(f.number);
	order_log_close(&l);
	return NULL;
}

void
order_log_close(struct order_log **l)
{
	if (*l == NULL)
		return;
	if ((*l)->fd >= 0) {
		(void)order_log_is_behind(*l);
		(*l)->io->fdatasync((*l)->fd);
		close((*l)->fd);
	}
	if ((*l)->dir >= 0)
		close((*l)->dir);
	buf_clear(&(*l)->pending);
	free(*l);
	*l = NULL;
}

/* ---- writing */

static void
flush(struct order_log *l)
{
	size_t done = 0;
	bool failed = false;

	while (done < l->pending.len && !failed) {
		ssize_t n =
		    l->io->pwrite(l->fd, l->pending.data + done, l->pending.len - done, l->at);

		failed = n <= 0 && !(n < 0 && errno == EINTR);
		if (n > 0) {
			done += (size_t)n;
			l->at += n;
		}
	}
	if (failed && !l->told)
		log_event(LOG_LEVEL_ERROR, "orders_log_not_written",
		    KV_STR("error", strerror(errno)),
		    KV_INT("waiting_bytes", l->pending.len - done),
		    KV_STR("meaning", "payments go on; beyond 1 MiB new ones are refused"),
		    KV_STR("todo", "free disk space in [queue] dir"));
	l->told = failed;
	if (done == l->pending.len) {
		buf_reset(&l->pending);
	} else if (done > 0) {
		memmove(l->pending.data, l->pending.data + done, l->pending.len - done + 1);
		l->pending.len -= done;
	}
	if (!failed && l->at >= FILE_MAX_BYTES)
		turn_over(l);
}

bool
order_log_is_behind(struct order_log *l)
{
	if (l->pending.len > 0)
		flush(l);
	return l->pending.len > PENDING_MAX || l->pending.bad;
}

void
order_log_note(struct order_log *l, const struct hold_view *h, const char *key)
{
	size_t from = l->pending.len;
	struct proto_message m;
	char crc[CRC_LEN + 1];

	proto_begin(&m, "00000000", hold_state_name(h->state));
	proto_set_text(&m, ARG_CID, h->cid);
	proto_set_text(&m, ARG_ORDER, h->order);
	proto_set_text(&m, ARG_USER, h->user);
	proto_set_text(&m, ARG_ROOM, h->room);
	proto_set_text(&m, ARG_TID, h->tid);
	proto_set_num(&m, ARG_TOKEN, (int64_t)h->token);
	proto_set_num(&m, ARG_N, h->n);
	proto_set_num(&m, ARG_LAST_N, h->last_n);
	proto_set_text(&m, ARG_KEY, key == NULL ? "" : key);
	proto_set_text(&m, ARG_ATTEMPT, h->attempt);
	proto_format(&m, &l->pending);
	if (l->pending.bad)
		return; /* order_log_is_behind will say so */
	snprintf(crc, sizeof(crc), "%08" PRIx32,
	    crc32c(0, l->pending.data + from + CRC_LEN, l->pending.len - from - CRC_LEN));
	memcpy(l->pending.data + from, crc, CRC_LEN);
	flush(l);
}

bool
order_log_sync(struct order_log *l, struct error *err)
{
	return l->io->fdatasync(l->fd) == 0 ||
	    error_sys(err, ERR_INTERNAL, "sync the log of orders");
}

/* ---- reading */

/* line[len] is the LF; it is overwritten. */
static bool
read_line(char *line, size_t len, struct order_entry *e)
{
	struct proto_message m;
	char crc[CRC_LEN + 1];

	if (len <= CRC_LEN || line[CRC_LEN] != ' ')
		return false;
	snprintf(crc, sizeof(crc), "%08" PRIx32, crc32c(0, line + CRC_LEN, len + 1 - CRC_LEN));
	if (memcmp(crc, line, CRC_LEN) != 0 || proto_parse(line, len, &m, NULL) != PROTO_OK)
		return false;
	memset(e, 0, sizeof(*e));
	e->token = (uint64_t)proto_num(&m, ARG_TOKEN);
	e->n = proto_num(&m, ARG_N);
	e->last_n = proto_num(&m, ARG_LAST_N);
	return hold_state_parse(m.word, &e->state) &&
	    text_copy(e->cid, sizeof(e->cid), proto_text(&m, ARG_CID)) &&
	    text_copy(e->order, sizeof(e->order), proto_text(&m, ARG_ORDER)) &&
	    text_copy(e->user, sizeof(e->user), proto_text(&m, ARG_USER)) &&
	    text_copy(e->room, sizeof(e->room), proto_text(&m, ARG_ROOM)) &&
	    text_copy(e->tid, sizeof(e->tid), proto_text(&m, ARG_TID)) &&
	    text_copy(e->key, sizeof(e->key), proto_text(&m, ARG_KEY)) &&
	    text_copy(e->attempt, sizeof(e->attempt), proto_text(&m, ARG_ATTEMPT));
}

static bool
read_file(FILE *f, bool (*each)(void *ctx, const struct order_entry *e, struct error *err),
    void *ctx, int64_t *torn, struct error *err)
{
	struct order_entry *e = malloc(sizeof(*e));
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	bool ok = e != NULL || error_set(err, ERR_INTERNAL, "out of memory");

	while (ok && (len = getline(&line, &cap, f)) > 0) {
		if (len == 1)
			continue;
		if (line[len - 1] == '\n' && read_line(line, (size_t)len - 1, e))
			ok = each(ctx, e, err);
		else
			(*torn)++;
	}
	free(line);
	free(e);
	return ok;
}

bool
order_log_read(const char *path,
    bool (*each)(void *ctx, const struct order_entry *e, struct error *err), void *ctx,
    int64_t *torn, struct error *err)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct files files = { 0 };
	char name[NAME_CAP];
	bool ok;

	*torn = 0;
	if (dir < 0)
		return error_sys(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_INTERNAL, "open %s",
		    path);
	ok = list_files(dir, &files, err);
	for (size_t i = 0; ok && i < files.n; i++) {
		int fd;
		FILE *f;

		name_of(files.number[i], name);
		fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
		f = fd < 0 ? NULL : fdopen(fd, "r");
		ok = f != NULL ? read_file(f, each, ctx, torn, err)
			       : error_sys(err, ERR_INTERNAL, "open %s/%s", path, name);
		if (f != NULL)
			fclose(f);
		else if (fd >= 0)
			close(fd);
	}
	free(files.number);
	close(dir);
	return ok;
}
