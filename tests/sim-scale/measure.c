/*
 * What one operation of the shared log costs on a replica set: as many as fit into some seconds,
 * one after the other in each thread. measure.py runs it, and adds the processor time.
 *
 *	measure URI insert|taken|race|next|absent|stream THREADS BYTES SECONDS
 *	-> done N, lost N, and the quantiles of the time of one operation in microseconds
 *
 * insert	a new document
 * taken	a document whose number is there already
 * race		each thread tries to be the first with the next number; the time is the losers'
 * next		the documents behind the last one, by a majority read: there are none
 * absent	a document that is not there, by a linearizable read
 * stream	one thread inserts; the others follow a change stream; the time is from the
 *		acknowledgement of a document until a follower has it
 */
#include <mongoc/mongoc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SAMPLES_MAX = 400000, THREADS_MAX = 64, STREAM_MAX = 1 << 18 };

struct thread {
	pthread_t id;
	int number;
	mongoc_client_t *client;
	mongoc_collection_t *log;
	uint32_t *us;
	size_t n, done, lost;
};

static const char *uri, *what;
static int n_bytes;
static int64_t end_ns;
static _Atomic int64_t newest; /* race: the last number that is there */
static _Atomic int64_t acknowledged_ns[STREAM_MAX];
static _Atomic int followers;

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
fail(const bson_error_t *e)
{
	fprintf(stderr, "measure: %s\n", e->message);
	exit(1);
}

static void
sample(struct thread *t, int64_t ns)
{
	if (t->n < SAMPLES_MAX)
		t->us[t->n++] = (uint32_t)(ns / 1000);
}

/* True: it is there, and it is ours. */
static bool
insert(struct thread *t, const char *name, int64_t number)
{
	static const uint8_t zeros[16 * 1024 * 1024];
	char id[64];
	bson_t *d;
	bson_error_t e;
	bool ok;

	snprintf(id, sizeof(id), "%s-%lld", name, (long long)number);
	d = BCON_NEW("_id", BCON_UTF8(id), "by", BCON_INT32(t->number), "at", BCON_INT64(number),
	    "records", BCON_BIN(BSON_SUBTYPE_BINARY, zeros, (uint32_t)n_bytes));
	ok = mongoc_collection_insert_one(t->log, d, NULL, NULL, &e);
	bson_destroy(d);
	if (!ok && e.code != 11000)
		fail(&e);
	return ok;
}

static void
find(struct thread *t, bson_t *filter, bson_t *opts, const char *level)
{
	mongoc_read_concern_t *rc = mongoc_read_concern_new();
	mongoc_cursor_t *c;
	const bson_t *d;
	bson_error_t e;

	mongoc_read_concern_set_level(rc, level);
	mongoc_read_concern_append(rc, opts);
	c = mongoc_collection_find_with_opts(t->log, filter, opts, NULL);
	while (mongoc_cursor_next(c, &d))
		;
	if (mongoc_cursor_error(c, &e))
		fail(&e);
	mongoc_cursor_destroy(c);
	mongoc_read_concern_destroy(rc);
	bson_destroy(filter);
	bson_destroy(opts);
}

static void
race(struct thread *t)
{
	int64_t number = newest + 1, began = now_ns();

	if (insert(t, "race", number)) {
		t->done++;
	} else {
		t->lost++;
		sample(t, now_ns() - began);
	}
	/* both know now that the number is there */
	for (int64_t seen = newest; seen < number;)
		if (atomic_compare_exchange_weak(&newest, &seen, number))
			break;
}

static void
once(struct thread *t)
{
	char name[32];
	int64_t began = now_ns();

	if (strcmp(what, "race") == 0) {
		race(t);
		return;
	}
	snprintf(name, sizeof(name), "own-%d", t->number);
	if (strcmp(what, "insert") == 0)
		insert(t, name, (int64_t)t->done);
	else if (strcmp(what, "taken") == 0)
		insert(t, "own-0", 0);
	else if (strcmp(what, "next") == 0)
		find(t, BCON_NEW("_id", "{", "$gt", BCON_UTF8("z"), "}"),
		    BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}", "limit", BCON_INT64(16)),
		    MONGOC_READ_CONCERN_LEVEL_MAJORITY);
	else
		find(t, BCON_NEW("_id", BCON_UTF8("not-there")), bson_new(),
		    MONGOC_READ_CONCERN_LEVEL_LINEARIZABLE);
	sample(t, now_ns() - began);
	t->done++;
}

/* The writer of the change streams waits a little each time, so that lag is not a queue. */
static void
write_stream(struct thread *t)
{
	while (followers > 0)
		usleep(1000);
	while (now_ns() < end_ns && t->done < STREAM_MAX) {
		insert(t, "stream", (int64_t)t->done);
		acknowledged_ns[t->done++] = now_ns();
		usleep(1000);
	}
}

static void
follow_stream(struct thread *t)
{
	bson_t pipeline = BSON_INITIALIZER, *opts = BCON_NEW("maxAwaitTimeMS", BCON_INT64(200));
	mongoc_change_stream_t *s = mongoc_collection_watch(t->log, &pipeline, opts);
	const bson_t *d;
	bson_iter_t i, at;
	bool told = false;

	while (now_ns() < end_ns + 200000000) {
		bool has = mongoc_change_stream_next(s, &d);

		if (!told)
			followers--;
		told = true;
		if (!has || !bson_iter_init(&i, d) ||
		    !bson_iter_find_descendant(&i, "fullDocument.at", &at))
			continue;
		t->done++;
		while (acknowledged_ns[bson_iter_int64(&at)] == 0 && now_ns() < end_ns)
			usleep(50); /* it came before the writer heard of it: no lag */
		sample(t, now_ns() - acknowledged_ns[bson_iter_int64(&at)]);
	}
	mongoc_change_stream_destroy(s);
	bson_destroy(opts);
}

static void *
run(void *ctx)
{
	struct thread *t = ctx;

	if (strcmp(what, "stream") == 0) {
		if (t->number == 0)
			write_stream(t);
		else
			follow_stream(t);
		return NULL;
	}
	while (now_ns() < end_ns)
		once(t);
	return NULL;
}

static void
open_thread(struct thread *t, int number)
{
	mongoc_write_concern_t *wc = mongoc_write_concern_new();
	bson_error_t e;

	t->number = number;
	t->us = calloc(SAMPLES_MAX, sizeof(*t->us));
	t->client = mongoc_client_new(uri);
	if (t->us == NULL || t->client == NULL)
		abort();
	mongoc_client_set_error_api(t->client, 2);
	t->log = mongoc_client_get_collection(t->client, "measure", "queue_log");
	mongoc_write_concern_set_w(wc, MONGOC_WRITE_CONCERN_W_MAJORITY);
	mongoc_write_concern_set_journal(wc, true);
	mongoc_collection_set_write_concern(t->log, wc);
	mongoc_write_concern_destroy(wc);
	/* connects */
	if (!mongoc_client_command_simple(t->client, "admin", BCON_NEW("ping", BCON_INT32(1)), NULL,
		NULL, &e))
		fail(&e);
}

static int
by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void
print(struct thread *threads, int n)
{
	static const double at[] = { .01, .05, .1, .25, .5, .75, .9, .95, .99, .999 };
	size_t done = 0, lost = 0, total = 0;
	uint32_t *all;

	for (int i = 0; i < n; i++)
		total += threads[i].n;
	all = calloc(total + 1, sizeof(*all));
	total = 0;
	for (int i = 0; i < n; i++) {
		memcpy(all + total, threads[i].us, threads[i].n * sizeof(*all));
		total += threads[i].n;
		done += threads[i].done;
		lost += threads[i].lost;
	}
	qsort(all, total, sizeof(*all), by_size);
	printf("done %zu\nlost %zu\n", done, lost);
	for (size_t i = 0; total > 0 && i < sizeof(at) / sizeof(at[0]); i++)
		printf("p%g %u\n", at[i] * 100, all[(size_t)(at[i] * (double)total)]);
	free(all);
}

int
main(int argc, char **argv)
{
	static struct thread threads[THREADS_MAX];
	int n = argc == 6 ? atoi(argv[3]) : 0;

	if (n < 1 || n > THREADS_MAX) {
		fprintf(stderr, "usage: measure URI KIND THREADS BYTES SECONDS\n");
		return 64;
	}
	uri = argv[1];
	what = argv[2];
	n_bytes = atoi(argv[4]);
	followers = n - 1;
	mongoc_init();
	for (int i = 0; i < n; i++)
		open_thread(&threads[i], i);
	mongoc_collection_drop(threads[0].log, NULL);
	insert(&threads[0], "own-0", 0);
	insert(&threads[0], "race", 0);
	if (strcmp(what, "insert") == 0)
		mongoc_collection_drop(threads[0].log, NULL);
	end_ns = now_ns() + (int64_t)(atof(argv[5]) * 1e9);
	for (int i = 0; i < n; i++)
		pthread_create(&threads[i].id, NULL, run, &threads[i]);
	for (int i = 0; i < n; i++)
		pthread_join(threads[i].id, NULL);
	print(threads, n);
	return 0;
}
