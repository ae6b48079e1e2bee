#include "config.h"

#include "journal_world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	disk_reset();
	f->options = (struct journal_options){
		.io = &disk_io,
		.segment_size = SEGMENT,
		.boot_id = "boot-1",
		.now = { 1000, 2000 },
	};
	snprintf(f->dir, sizeof(f->dir), "/tmp/test-journal-XXXXXX");
	*state = f;
	return mkdtemp(f->dir) == NULL ? -1 : 0;
}

void
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

void
remove_file(struct fixture *f, const char *name, void *ctx)
{
	char path[400];

	(void)ctx;
	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	unlink(path);
}

int
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

bool
see(void *ctx, const void *record, size_t len, struct error *err)
{
	struct fixture *f = ctx;

	(void)err;
	buf_add(&f->seen, record, len);
	buf_add_char(&f->seen, '|');
	return true;
}

bool
reopen(struct fixture *f)
{
	journal_close(&f->j);
	buf_reset(&f->seen);
	error_clear(&f->err);
	return journal_open(f->dir, &f->options, see, f, &f->j, &f->report, &f->err);
}

void
add(struct fixture *f, const char *text)
{
	if (!journal_append(f->j, text, strlen(text), &f->err))
		fail_msg("append %s: %s", text, f->err.msg);
}

void
add_synced(struct fixture *f, const char *text)
{
	add(f, text);
	if (!journal_sync(f->j, &f->err))
		fail_msg("sync %s: %s", text, f->err.msg);
}

void
path_of(struct fixture *f, const char *name, char out[200])
{
	snprintf(out, 200, "%s/%s", f->dir, name);
}

bool
is_there(struct fixture *f, const char *name)
{
	char path[200];

	path_of(f, name, path);
	return access(path, F_OK) == 0;
}

void
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

void
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

void
flip(struct fixture *f, const char *name, size_t at)
{
	uint8_t b;

	read_bytes(f, name, at, &b, 1);
	b ^= 0x40;
	scribble(f, name, at, &b, 1);
}
