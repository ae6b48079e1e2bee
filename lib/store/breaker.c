#include "config.h"

#include "store/breaker.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

enum { OPEN_TRIES = 5, REST_MS = 200 };

enum breaker_answer
breaker_ask(struct breaker *b, int64_t now_ms)
{
	int_fast64_t next = atomic_load(&b->next_probe_ms);

	if (!atomic_load(&b->open))
		return BREAKER_GO;
	if (breaker_wait_ms(b, now_ms) > 0)
		return BREAKER_AWAY;
	/* of several callers at one moment one probes */
	if (!atomic_compare_exchange_strong(&b->next_probe_ms, &next, now_ms + BREAKER_PROBE_MS))
		return BREAKER_AWAY;
	atomic_fetch_add(&b->probes, 1);
	return BREAKER_PROBE;
}

void
breaker_worked(struct breaker *b, int64_t now_ms)
{
	atomic_store(&b->worked_ms, now_ms);
}

void
breaker_failed(struct breaker *b, int64_t began_ms, int64_t now_ms)
{
	int64_t worked = atomic_load(&b->worked_ms);

	/* a time to come: another clock wrote it */
	if (worked <= began_ms || worked > now_ms)
		atomic_store(&b->open, true);
}

void
breaker_still_away(struct breaker *b, int64_t now_ms)
{
	atomic_store(&b->open, true);
	if (breaker_wait_ms(b, now_ms) < REST_MS)
		atomic_store(&b->next_probe_ms, now_ms + REST_MS);
}

void
breaker_succeeded(struct breaker *b, int64_t now_ms)
{
	breaker_worked(b, now_ms);
	atomic_fetch_add(&b->closings, 1);
	atomic_store(&b->open, false);
}

int64_t
breaker_wait_ms(struct breaker *b, int64_t now_ms)
{
	int64_t wait = atomic_load(&b->next_probe_ms) - now_ms;

	/* a longer wait was written by another clock */
	return atomic_load(&b->open) && wait > 0 && wait <= BREAKER_PROBE_MS ? wait : 0;
}

/* A file of ours in shared memory, open and locked; -1: there is none to be had. */
static int
open_file(const char *path)
{
	for (int tries = 0; tries < OPEN_TRIES; tries++) {
		int fd = shm_open(path, O_RDWR | O_CREAT, 0600);
		struct stat st;

		if (fd < 0)
			return -1;
		/* The shared lock says "in use" as long as we live. It waits only for somebody
		 * who is removing the file, and then finds it removed (st_nlink). */
		if (flock(fd, LOCK_SH) == 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
		    (st.st_mode & 077) == 0 && ftruncate(fd, sizeof(struct breaker)) == 0 &&
		    st.st_nlink > 0)
			return fd;
		close(fd);
	}
	return -1;
}

static void
path_of(const char *name, char out[128])
{
	snprintf(out, 128, "/roompay-%u-%s", (unsigned)geteuid(), name);
}

struct breaker_handle *
breaker_open(const char *name)
{
	struct breaker_handle *h = calloc(1, sizeof(*h));
	char path[128];

	if (h == NULL)
		return NULL;
	h->b = &h->own;
	path_of(name, path);
	h->fd = open_file(path);
	if (h->fd >= 0) {
		void *p = mmap(NULL, sizeof(*h->b), PROT_READ | PROT_WRITE, MAP_SHARED, h->fd, 0);

		if (p != MAP_FAILED)
			h->b = p;
	}
	text_copy(h->path, sizeof(h->path), path);
	return h;
}

void
breaker_close(struct breaker_handle **h)
{
	if (*h == NULL)
		return;
	if ((*h)->b != &(*h)->own)
		munmap((*h)->b, sizeof(*(*h)->b));
	if ((*h)->fd >= 0) {
		if (flock((*h)->fd, LOCK_EX | LOCK_NB) == 0) /* we are the last user */
			shm_unlink((*h)->path);
		close((*h)->fd);
	}
	free(*h);
	*h = NULL;
}
