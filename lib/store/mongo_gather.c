#include "config.h"

#include "store/mongo_gather.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/mongo_doc.h"

/*
 * A gatherer answers when its command has ended, 3 s after it began at most, and then begins the
 * next: what waits longer than one command is asked of the server by the worker itself.
 */
enum {
	ANSWER_MS = 3200,
	AFTER_DEATH_MS = 200,
	AFTER_SILENCE_MS = 5000,
	SLOW_MS = 250,
	UNWANTED_MAX = 16
};

struct lane {
	int bring; /* borrowed */
	int fd;	   /* -1: none */
	int64_t not_before_ms;
	int unwanted;			   /* answers to come that nobody waits for */
	const _Atomic int64_t *busy_since; /* borrowed */
};

struct mongo_gather {
	struct lane lane[GATHER_LANES];
	unsigned char answer[GATHER_MESSAGE_MAX];
};

/* ---- the way to the gatherers */

struct gather *
gather_new(struct error *err)
{
	struct gather *g =
	    mmap(NULL, sizeof(*g), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int pair[2];

	if (g == MAP_FAILED) {
		error_sys(err, ERR_INTERNAL, "mmap");
		return NULL;
	}
	for (int i = 0; i < GATHER_LANES; i++)
		g->bring[i] = g->take[i] = -1;
	for (int i = 0; i < GATHER_LANES; i++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
			error_sys(err, ERR_INTERNAL, "socketpair");
			gather_free(&g);
			return NULL;
		}
		g->bring[i] = pair[0];
		g->take[i] = pair[1];
	}
	return g;
}

void
gather_hang_up(struct gather *g)
{
	for (int i = 0; i < GATHER_LANES; i++) {
		if (g->bring[i] >= 0)
			close(g->bring[i]);
		if (g->take[i] >= 0)
			close(g->take[i]);
	}
}

void
gather_free(struct gather **g)
{
	if (*g == NULL)
		return;
	gather_hang_up(*g);
	munmap(*g, sizeof(**g));
	*g = NULL;
}

struct mongo_gather *
mongo_gather_new(const struct gather *g)
{
	struct mongo_gather *mg = calloc(1, sizeof(*mg));

	for (int i = 0; mg != NULL && i < GATHER_LANES; i++)
		mg->lane[i] = (struct lane){ .bring = g->bring[i],
			.fd = -1,
			.busy_since = &g->busy_since[i] };
	return mg;
}

static void
hang_up(struct lane *l, int64_t for_ms)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	l->unwanted = 0;
	l->not_before_ms = clock_boot_ms() + for_ms;
}

void
mongo_gather_free(struct mongo_gather **mg)
{
	if (*mg == NULL)
		return;
	for (int i = 0; i < GATHER_LANES; i++)
		hang_up(&(*mg)->lane[i], 0);
	free(*mg);
	*mg = NULL;
}

static bool
bring(int to, int fd)
{
	char space[CMSG_SPACE(sizeof(fd))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof(space) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(to, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

/* The other end waits with the gatherer that comes next, where there is none now. */
static bool
call(struct lane *l)
{
	static const struct timeval patience = { ANSWER_MS / 1000, ANSWER_MS % 1000 * 1000 };
	int pair[2];
	bool ok;

	if (l->fd >= 0)
		return true;
	if (clock_boot_ms() < l->not_before_ms ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return false;
	ok = setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
	    bring(l->bring, pair[1]);
	close(pair[1]);
	l->fd = pair[0];
	if (!ok)
		hang_up(l, AFTER_SILENCE_MS);
	return ok;
}

/* ---- one question */

/* Its command takes long: the server stands still, or the majority is slow. Whoever came behind
 * would wait for two commands. */
static bool
is_slow(const struct lane *l)
{
	int64_t since = atomic_load(l->busy_since);

	return since != 0 && clock_boot_ms() - since > SLOW_MS;
}

/* False: nothing was sent. */
static bool
tell(struct lane *l, bson_t *question)
{
	bson_append_int64(question, "until", -1, clock_boot_ms() + ANSWER_MS);
	if (question->len > GATHER_MESSAGE_MAX || l->unwanted >= UNWANTED_MAX || is_slow(l) ||
	    !call(l))
		return false;
	if (send(l->fd, bson_get_data(question), question->len, MSG_NOSIGNAL | MSG_DONTWAIT) ==
	    (ssize_t)question->len)
		return true;
	hang_up(l, AFTER_DEATH_MS);
	return false;
}

static ssize_t
receive(struct mongo_gather *mg, const struct lane *l)
{
	ssize_t n;

	do
		n = recv(l->fd, mg->answer, sizeof(mg->answer), 0);
	while (n < 0 && errno == EINTR);
	return n;
}

/* Passes over the answers that nobody waits for. */
static ssize_t
hear(struct mongo_gather *mg, struct lane *l)
{
	ssize_t n = receive(mg, l);

	for (; n > 0 && l->unwanted > 0; l->unwanted--)
		n = receive(mg, l);
	return n;
}

static enum gathered
ask(struct mongo_gather *mg, enum gather_lane lane, bson_t *question, bson_t *answer)
{
	struct lane *l = &mg->lane[lane];
	bson_iter_t it;
	ssize_t n;

	if (!tell(l, question))
		return GATHERED_NOTHING;
	n = hear(mg, l);
	if (n <= 0 || !bson_init_static(answer, mg->answer, (size_t)n) ||
	    !bson_iter_init_find(&it, answer, "done")) {
		hang_up(l, n < 0 && errno != ECONNRESET ? AFTER_SILENCE_MS : AFTER_DEATH_MS);
		return GATHERED_UNKNOWN;
	}
	if (bson_iter_as_bool(&it))
		return GATHERED_DONE;
	return bson_iter_init_find(&it, answer, "sent") && !bson_iter_as_bool(&it)
	    ? GATHERED_NOTHING
	    : GATHERED_UNKNOWN;
}

enum gathered
mongo_gather_put(struct mongo_gather *mg, const char *const *collections, const bson_t *docs,
    size_t n)
{
	bson_t question = BSON_INITIALIZER, list, one, answer;
	enum gathered end;
	char index[24];

	if (mg == NULL)
		return GATHERED_NOTHING;
	bson_append_array_begin(&question, "put", -1, &list);
	for (size_t i = 0; i < n; i++) {
		snprintf(index, sizeof(index), "%zu", i);
		bson_append_document_begin(&list, index, -1, &one);
		bson_append_utf8(&one, "in", -1, collections[i], -1);
		bson_append_document(&one, "doc", -1, &docs[i]);
		bson_append_document_end(&list, &one);
	}
	bson_append_array_end(&question, &list);
	end = ask(mg, GATHER_HEAVY, &question, &answer);
	bson_destroy(&question);
	return end;
}

static void
make_removal(bson_t *question, const char *collection, const char *id)
{
	bson_append_utf8(question, "remove", -1, collection, -1);
	mongo_doc_add_words(question, "of", &id, 1);
}

enum gathered
mongo_gather_remove(struct mongo_gather *mg, const char *collection, const char *id)
{
	bson_t question = BSON_INITIALIZER, answer;
	enum gathered end;

	if (mg == NULL)
		return GATHERED_NOTHING;
	make_removal(&question, collection, id);
	end = ask(mg, GATHER_LIGHT, &question, &answer);
	bson_destroy(&question);
	return end;
}

bool
mongo_gather_tell_remove(struct mongo_gather *mg, const char *collection, const char *id)
{
	bson_t question = BSON_INITIALIZER;
	bool told;

	if (mg == NULL)
		return false;
	make_removal(&question, collection, id);
	told = tell(&mg->lane[GATHER_LIGHT], &question);
	if (told)
		mg->lane[GATHER_LIGHT].unwanted++;
	bson_destroy(&question);
	return told;
}

enum gathered
mongo_gather_find(struct mongo_gather *mg, const char *collection, const char *member,
    const char *const *words, size_t n, bson_t *docs)
{
	bson_t question = BSON_INITIALIZER, answer;
	enum gathered end;
	const uint8_t *data;
	bson_iter_t it;
	uint32_t len;

	if (mg == NULL || n > GATHER_WORDS_MAX)
		return GATHERED_NOTHING;
	bson_append_utf8(&question, "find", -1, collection, -1);
	bson_append_utf8(&question, "by", -1, member, -1);
	mongo_doc_add_words(&question, "of", words, n);
	end = ask(mg, GATHER_LIGHT, &question, &answer);
	bson_destroy(&question);
	if (end != GATHERED_DONE)
		return end;
	if (!bson_iter_init_find(&it, &answer, "docs") || !BSON_ITER_HOLDS_ARRAY(&it))
		return GATHERED_UNKNOWN;
	bson_iter_array(&it, &len, &data);
	return bson_init_static(docs, data, len) ? end : GATHERED_UNKNOWN;
}
