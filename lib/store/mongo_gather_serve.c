/* The gatherer: gather.h. One loop: read what all workers ask, send it in few commands, answer. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/backend.h"
#include "store/mongo_deed.h"
#include "store/mongo_gather.h"
#include "store/mongo_insert.h"
#include "store/mongo_link.h"

enum { WORKERS_MAX = 1024, EVENTS_MAX = 256, TOGETHER_MOST = 64, RENEW_EVERY_MS = 200 };

/*
 * Where so many asked at the same time, the next round begins later than it could, counted from the
 * begin of that one: a millisecond for each who asked. What comes meanwhile shares its commands,
 * which costs MongoDB and us a third less.
 */
enum { CROWD = 4, APART_MOST_MS = 9 };

/* What a worker asks; NULL question: nothing now. */
struct worker {
	int fd; /* -1: an empty place */
	bson_t *question;
	int operation; /* index of operations */
	const char *collection, *member;
};

struct gatherer {
	int take, watched;
	_Atomic int64_t *busy_since; /* of struct gather */
	bool alone;		     /* nobody brings another worker */
	struct mongo_link *link;
	struct worker workers[WORKERS_MAX];
	size_t n_workers; /* places in use, with holes */
	size_t crowd;	  /* so many asked in the last round, */
	int64_t round_ms; /* which began then */
	unsigned char message[GATHER_MESSAGE_MAX];
};

/* ---- answers */

static void
forget(struct gatherer *g, struct worker *w)
{
	(void)epoll_ctl(g->watched, EPOLL_CTL_DEL, w->fd, NULL);
	close(w->fd);
	bson_destroy(w->question);
	*w = (struct worker){ .fd = -1 };
}

/* A worker that is gone hears nothing; one that does not read is no worker of ours. */
static void
answer(struct gatherer *g, struct worker *w, const bson_t *text)
{
	bson_destroy(w->question);
	w->question = NULL;
	if (send(w->fd, bson_get_data(text), text->len, MSG_NOSIGNAL | MSG_DONTWAIT) !=
	    (ssize_t)text->len)
		forget(g, w);
}

static void
answer_not_done(struct gatherer *g, struct worker *w, bool sent)
{
	bson_t text = BSON_INITIALIZER;

	bson_append_bool(&text, "done", -1, false);
	bson_append_bool(&text, "sent", -1, sent);
	answer(g, w, &text);
	bson_destroy(&text);
}

static void
none_done(struct gatherer *g, struct worker **of, size_t n, bool sent)
{
	for (size_t i = 0; i < n; i++)
		answer_not_done(g, of[i], sent);
}

/* Nobody waits for it any more. */
static bool
is_late(const struct worker *w)
{
	bson_iter_t it;

	return !bson_iter_init_find(&it, w->question, "until") ||
	    bson_iter_as_int64(&it) <= clock_boot_ms();
}

/*
 * ---- puts
 *
 * Each worker's documents are written one after the other. Those of all workers that go into one
 * collection go together; a collection waits until nobody has to write into another one before.
 * Only the last command of a round waits for the majority: what one primary took before is then
 * safe with it.
 */

struct put {
	struct worker *of;
	const char *collection[STORE_ITEMS_MAX];
	bson_t doc[STORE_ITEMS_MAX];
	size_t n, at; /* documents; the next one */
	bool begun;   /* something was sent */
	bool failed;
	bson_oid_t election; /* of the primary that took the first */
};

static bool
is_open(const struct put *p)
{
	return !p->failed && p->at < p->n;
}

static bool
read_item(const bson_iter_t *it, const char **collection, bson_t *doc)
{
	bson_iter_t in, of;
	const uint8_t *data;
	uint32_t len;

	if (!bson_iter_recurse(it, &in) || !bson_iter_recurse(it, &of) ||
	    !bson_iter_find(&in, "in") || !BSON_ITER_HOLDS_UTF8(&in) ||
	    !bson_iter_find(&of, "doc") || !BSON_ITER_HOLDS_DOCUMENT(&of))
		return false;
	*collection = bson_iter_utf8(&in, NULL);
	bson_iter_document(&of, &len, &data);
	return bson_init_static(doc, data, len);
}

static void
begin_put(struct put *p, struct worker *w)
{
	bson_iter_t it, item;

	p->of = w;
	p->n = p->at = 0;
	p->begun = false;
	p->failed = !bson_iter_init_find(&it, w->question, "put") || !bson_iter_recurse(&it, &item);
	for (; !p->failed && bson_iter_next(&item); p->n++)
		p->failed = p->n == STORE_ITEMS_MAX ||
		    !read_item(&item, &p->collection[p->n], &p->doc[p->n]);
	p->failed = p->failed || p->n == 0;
}

static void
advance(struct put *p, bool stored, const bson_oid_t *election)
{
	if (p->at == 0)
		bson_oid_copy(election, &p->election);
	p->begun = true;
	p->failed = !stored || !bson_oid_equal(election, &p->election);
	p->at++;
}

/* The next documents of these puts, which go into one collection. `last`: *safe is the primary that
 * has everything by the majority. */
static bool
insert_next(struct gatherer *g, const char *collection, struct put **of, size_t n, bool last,
    bson_oid_t *safe)
{
	const bson_t *list[TOGETHER_MOST];
	bool stored[TOGETHER_MOST], any = false;
	enum mongo_end end = MONGO_NOT_SENT;
	struct error err;

	for (size_t i = 0; i < n; i++)
		list[i] = &of[i]->doc[of[i]->at];
	if (mongo_link_reach_at_once(g->link, &err) && mongo_link_is_of_set(g->link))
		end = mongo_insert(g->link, collection, list, n, last, stored, safe);
	for (size_t i = 0; i < n; i++)
		if (end == MONGO_DONE) {
			advance(of[i], stored[i], safe);
			any = any || stored[i];
		} else {
			of[i]->failed = true;
			of[i]->begun = of[i]->begun || end == MONGO_UNKNOWN;
		}
	return last && any;
}

static bool
comes_later(const struct put *p, const char *collection)
{
	for (size_t i = p->at + 1; i < p->n; i++)
		if (strcmp(p->collection[i], collection) == 0)
			return true;
	return false;
}

/* Where to write now; NULL: everything is written. */
static const char *
next_collection(const struct put *puts, size_t n)
{
	const char *first = NULL;

	for (size_t i = 0; i < n; i++) {
		const char *c = is_open(&puts[i]) ? puts[i].collection[puts[i].at] : NULL;
		size_t k = 0;

		while (c != NULL && k < n && !(is_open(&puts[k]) && comes_later(&puts[k], c)))
			k++;
		if (c != NULL && k == n)
			return c;
		first = first == NULL ? c : first;
	}
	return first;
}

/* Writes what goes into this collection now. True: it was the last of all, and *safe is told. */
static bool
write_into(struct gatherer *g, const char *collection, struct put *puts, size_t n, bson_oid_t *safe)
{
	struct put *of[TOGETHER_MOST];
	bool last = true;
	size_t n_of = 0;

	for (size_t i = 0; i < n; i++) {
		struct put *p = &puts[i];

		p->failed = p->failed || (is_open(p) && is_late(p->of));
		if (is_open(p) && strcmp(p->collection[p->at], collection) == 0)
			of[n_of++] = p;
	}
	for (size_t i = 0; i < n; i++) {
		const struct put *p = &puts[i];

		last = last &&
		    (!is_open(p) ||
			(p->at + 1 == p->n && strcmp(p->collection[p->at], collection) == 0));
	}
	return n_of > 0 && insert_next(g, collection, of, n_of, last, safe);
}

static void
put_all(struct gatherer *g, struct worker **of, size_t n)
{
	struct put puts[TOGETHER_MOST];
	bson_t text = BSON_INITIALIZER;
	const char *collection;
	bool is_safe = false;
	bson_oid_t safe;

	for (size_t i = 0; i < n; i++)
		begin_put(&puts[i], of[i]);
	while ((collection = next_collection(puts, n)) != NULL)
		is_safe = write_into(g, collection, puts, n, &safe);
	bson_append_bool(&text, "done", -1, true);
	for (size_t i = 0; i < n; i++) {
		struct put *p = &puts[i];

		if (is_safe && !p->failed && bson_oid_equal(&p->election, &safe))
			answer(g, of[i], &text);
		else
			answer_not_done(g, of[i], p->begun);
	}
	bson_destroy(&text);
}

/* ---- reads and removals, of n workers with the same collection and member */

struct word {
	const char *text; /* in the worker's question */
	size_t worker;
};
struct words {
	struct word list[TOGETHER_MOST * GATHER_WORDS_MAX];
	size_t n;
};

static int
by_text(const void *a, const void *b)
{
	return strcmp(((const struct word *)a)->text, ((const struct word *)b)->text);
}

static bool
add_words_of(struct words *words, const struct worker *w, size_t index)
{
	bson_iter_t it, one;

	if (!bson_iter_init_find(&it, w->question, "of") || !bson_iter_recurse(&it, &one))
		return false;
	while (bson_iter_next(&one)) {
		if (!BSON_ITER_HOLDS_UTF8(&one) ||
		    words->n == sizeof(words->list) / sizeof(words->list[0]))
			return false;
		words->list[words->n++] = (struct word){ bson_iter_utf8(&one, NULL), index };
	}
	return true;
}

/* {member: {$in: [all the words]}} */
static void
make_filter(const struct words *words, const char *member, bson_t *filter)
{
	const char *texts[sizeof(words->list) / sizeof(words->list[0])];

	for (size_t i = 0; i < words->n; i++)
		texts[i] = words->list[i].text;
	mongo_add_words(filter, member, texts, words->n);
}

/* To everybody who asked for it. */
static void
hand_out(const struct words *words, const char *member, const bson_t *doc, bson_t *docs)
{
	struct word wanted;
	const struct word *at;
	char index[24];
	bson_iter_t it;

	if (!bson_iter_init_find(&it, doc, member) || !BSON_ITER_HOLDS_UTF8(&it))
		return;
	wanted.text = bson_iter_utf8(&it, NULL);
	at = bsearch(&wanted, words->list, words->n, sizeof(wanted), by_text);
	if (at == NULL)
		return;
	while (at > words->list && by_text(&at[-1], &wanted) == 0)
		at--;
	for (; at < words->list + words->n && by_text(at, &wanted) == 0; at++) {
		snprintf(index, sizeof(index), "%u", bson_count_keys(&docs[at->worker]));
		bson_append_document(&docs[at->worker], index, -1, doc);
	}
}

static bool
find_all(struct gatherer *g, const struct worker *like, const struct words *words, bson_t *docs)
{
	mongoc_collection_t *coll = mongo_link_collection(g->link, like->collection);
	bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER;
	int64_t began = clock_boot_ms();
	mongoc_cursor_t *cursor;
	bson_error_t e = { 0 };
	const bson_t *doc;
	bool ok;

	make_filter(words, like->member, &filter);
	bson_append_int32(&opts, "batchSize", -1, (int32_t)words->n + 1);
	cursor = mongoc_collection_find_with_opts(coll, &filter, &opts, NULL);
	while (mongoc_cursor_next(cursor, &doc))
		hand_out(words, like->member, doc, docs);
	ok = !mongoc_cursor_error(cursor, &e);
	ok = mongo_link_judge(g->link, ok, &e, NULL, began) == MONGO_DONE;
	mongoc_cursor_destroy(cursor);
	mongoc_collection_destroy(coll);
	bson_destroy(&opts);
	bson_destroy(&filter);
	return ok;
}

static void
find(struct gatherer *g, struct worker **of, size_t n)
{
	struct words words = { .n = 0 };
	bson_t docs[TOGETHER_MOST];
	bool ok = true;

	for (size_t i = 0; i < n; i++) {
		ok = ok && add_words_of(&words, of[i], i);
		bson_init(&docs[i]);
	}
	qsort(words.list, words.n, sizeof(words.list[0]), by_text);
	ok = ok && find_all(g, of[0], &words, docs);
	for (size_t i = 0; ok && i < n; i++) {
		bson_t text = BSON_INITIALIZER;

		bson_append_bool(&text, "done", -1, true);
		bson_append_array(&text, "docs", -1, &docs[i]);
		answer(g, of[i], &text);
		bson_destroy(&text);
	}
	if (!ok)
		none_done(g, of, n, false);
	for (size_t i = 0; i < n; i++)
		bson_destroy(&docs[i]);
}

/* That may be lost with the server: the primary alone acknowledges it. */
static void
remove_all(struct gatherer *g, struct worker **of, size_t n)
{
	bson_t filter = BSON_INITIALIZER, text = BSON_INITIALIZER, reply;
	struct words words = { .n = 0 };
	mongoc_collection_t *coll;
	int64_t began = clock_boot_ms();
	bson_error_t e = { 0 };
	bool ok = true;

	for (size_t i = 0; i < n; i++)
		ok = ok && add_words_of(&words, of[i], i);
	if (!ok) {
		none_done(g, of, n, false);
		return;
	}
	make_filter(&words, "_id", &filter);
	coll = mongo_link_collection(g->link, of[0]->collection);
	ok = mongoc_collection_delete_many(coll, &filter, mongo_link_light(g->link), &reply, &e);
	ok = mongo_link_judge(g->link, ok, &e, NULL, began) == MONGO_DONE;
	bson_append_bool(&text, "done", -1, true);
	for (size_t i = 0; ok && i < n; i++)
		answer(g, of[i], &text);
	if (!ok)
		none_done(g, of, n, true);
	mongoc_collection_destroy(coll);
	bson_destroy(&reply);
	bson_destroy(&text);
	bson_destroy(&filter);
}

/* ---- a round */

static const struct {
	const char *name;
	void (*run)(struct gatherer *g, struct worker **of, size_t n);
} operations[] = {
	{ "put", put_all },
	{ "find", find },
	{ "remove", remove_all },
};

static bool
is_like(const struct worker *a, const struct worker *b)
{
	return a->operation == b->operation && strcmp(a->collection, b->collection) == 0 &&
	    strcmp(a->member, b->member) == 0;
}

/* What goes with this question in one command. */
static size_t
gather_like(struct gatherer *g, size_t from, struct worker **of)
{
	size_t n = 0;

	for (size_t i = from; i < g->n_workers && n < TOGETHER_MOST; i++)
		if (g->workers[i].question != NULL && is_like(&g->workers[from], &g->workers[i]))
			of[n++] = &g->workers[i];
	return n;
}

static void
drop_late(struct gatherer *g)
{
	for (size_t i = 0; i < g->n_workers; i++)
		if (g->workers[i].question != NULL && is_late(&g->workers[i]))
			answer_not_done(g, &g->workers[i], false);
}

static void
run(struct gatherer *g, struct worker **of, size_t n)
{
	atomic_store(g->busy_since, clock_boot_ms());
	operations[of[0]->operation].run(g, of, n);
	atomic_store(g->busy_since, 0);
}

static void
begin_round(struct gatherer *g)
{
	g->round_ms = clock_boot_ms();
	g->crowd = 0;
	for (size_t i = 0; i < g->n_workers; i++)
		g->crowd += g->workers[i].question != NULL;
}

/* Everything that was asked is answered. */
static void
run_round(struct gatherer *g)
{
	struct worker *of[TOGETHER_MOST];
	struct error err;
	size_t n;

	begin_round(g);
	for (size_t i = 0; i < g->n_workers;) {
		drop_late(g);
		if (g->workers[i].question == NULL) {
			i++;
			continue;
		}
		n = gather_like(g, i, of);
		if (mongo_link_reach_at_once(g->link, &err) && mongo_link_is_of_set(g->link))
			run(g, of, n);
		else
			none_done(g, of, n, false);
	}
}

/* ---- reading */

static struct worker *
empty_place(struct gatherer *g)
{
	for (size_t i = 0; i < g->n_workers; i++)
		if (g->workers[i].fd < 0)
			return &g->workers[i];
	return g->n_workers < WORKERS_MAX ? &g->workers[g->n_workers++] : NULL;
}

static void
add_worker(struct gatherer *g, int fd)
{
	struct worker *w = empty_place(g);
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = w };

	if (w == NULL || epoll_ctl(g->watched, EPOLL_CTL_ADD, fd, &ev) != 0) {
		close(fd); /* it asks the server itself */
		if (w != NULL)
			w->fd = -1;
		return;
	}
	*w = (struct worker){ .fd = fd };
}

/* One message brings one worker. */
static void
take_worker(struct gatherer *g)
{
	int fd = -1;
	char space[CMSG_SPACE(sizeof(fd))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof(space) };
	ssize_t n = recvmsg(g->take, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;

	if (n == 0)
		g->alone = true;
	if (c == NULL || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(fd)))
		return;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	add_worker(g, fd);
}

static bool
read_question(struct worker *w)
{
	bson_iter_t it;

	w->collection = w->member = "";
	for (w->operation = 0; w->operation < (int)(sizeof(operations) / sizeof(operations[0]));
	     w->operation++)
		if (bson_iter_init_find(&it, w->question, operations[w->operation].name)) {
			if (BSON_ITER_HOLDS_UTF8(&it))
				w->collection = bson_iter_utf8(&it, NULL);
			if (bson_iter_init_find(&it, w->question, "by") &&
			    BSON_ITER_HOLDS_UTF8(&it))
				w->member = bson_iter_utf8(&it, NULL);
			return true;
		}
	return false;
}

static void
hear(struct gatherer *g, struct worker *w)
{
	ssize_t n = recv(w->fd, g->message, sizeof(g->message), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || w->question != NULL ||
	    (w->question = bson_new_from_data(g->message, (size_t)n)) == NULL || !read_question(w))
		forget(g, w);
}

static bool
watch(struct gatherer *g, struct error *err)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };

	g->watched = epoll_create1(EPOLL_CLOEXEC);
	return (g->watched >= 0 && epoll_ctl(g->watched, EPOLL_CTL_ADD, g->take, &ev) == 0) ||
	    error_sys(err, ERR_INTERNAL, "epoll");
}

static bool
is_left(const struct gatherer *g)
{
	for (size_t i = 0; i < g->n_workers; i++)
		if (g->workers[i].fd >= 0)
			return false;
	return g->alone;
}

static void
let_a_crowd_come(const struct gatherer *g)
{
	int64_t apart_ms = g->crowd < APART_MOST_MS ? (int64_t)g->crowd : APART_MOST_MS;
	int64_t left_ms = g->round_ms + apart_ms - clock_boot_ms();
	const struct timespec rest = { .tv_nsec = left_ms * 1000000 };

	if (g->crowd >= CROWD && left_ms > 0)
		(void)nanosleep(&rest, NULL);
}

static bool
serve(struct gatherer *g, struct error *err)
{
	struct epoll_event events[EVENTS_MAX];

	while (!is_left(g)) {
		int n;

		let_a_crowd_come(g);
		n = epoll_wait(g->watched, events, EVENTS_MAX, RENEW_EVERY_MS);
		if (n < 0 && errno != EINTR)
			return error_sys(err, ERR_INTERNAL, "epoll");
		if (n == 0)
			mongo_link_renew(g->link);
		for (int i = 0; i < n; i++)
			if (events[i].data.ptr == NULL)
				take_worker(g);
			else
				hear(g, events[i].data.ptr);
		if (g->alone)
			(void)epoll_ctl(g->watched, EPOLL_CTL_DEL, g->take, NULL);
		run_round(g);
	}
	return true;
}

bool
gather_serve(struct gather *way, enum gather_lane lane, const char *uri, const char *database,
    struct error *err)
{
	struct gatherer *g = calloc(1, sizeof(*g));
	bool ok = g != NULL || error_set(err, ERR_INTERNAL, "no memory");

	if (ok) {
		g->take = dup(way->take[lane]);
		g->watched = -1;
		g->busy_since = &way->busy_since[lane];
		atomic_store(g->busy_since, 0); /* the one before may have died at work */
		gather_hang_up(way); /* its own ends for workers would keep it here for ever */
		ok = g->take >= 0 || error_sys(err, ERR_INTERNAL, "dup");
	}
	ok = ok && (g->link = mongo_link_open(uri, database, err)) != NULL && watch(g, err) &&
	    serve(g, err);
	if (g != NULL)
		mongo_link_free(&g->link);
	free(g);
	return ok;
}
