#include "config.h"

#include "server_world.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

char database[64];
const char *server_uri;

mongoc_client_t *reader;

bson_t *
document(const char *collection, bson_t *filter)
{
	mongoc_collection_t *coll = mongoc_client_get_collection(reader, database, collection);
	mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(coll, filter, NULL, NULL);
	const bson_t *doc, *more;
	bson_t *copy = mongoc_cursor_next(cursor, &doc) ? bson_copy(doc) : NULL;

	assert_false(mongoc_cursor_next(cursor, &more));
	mongoc_cursor_destroy(cursor);
	mongoc_collection_destroy(coll);
	bson_destroy(filter);
	return copy;
}

int64_t
count(const char *collection, bson_t *filter)
{
	mongoc_collection_t *coll = mongoc_client_get_collection(reader, database, collection);
	int64_t n = mongoc_collection_count_documents(coll, filter, NULL, NULL, NULL, NULL);

	mongoc_collection_destroy(coll);
	bson_destroy(filter);
	return n;
}

/* The server's URI with the proxy in the place of its hosts. */
void
proxied_uri(int port, char out[1024])
{
	const char *hosts = strstr(server_uri, "://") + 3, *at = strchr(hosts, '@'), *rest;

	if (at != NULL)
		hosts = at + 1;
	rest = hosts + strcspn(hosts, "/?");
	snprintf(out, 1024, "%.*s127.0.0.1:%d%s%sdirectConnection=true", (int)(hosts - server_uri),
	    server_uri, port, rest[0] == '\0' ? "/" : rest, strchr(rest, '?') != NULL ? "&" : "?");
}

static int
server_port(void)
{
	mongoc_uri_t *uri = mongoc_uri_new(server_uri);
	int port = mongoc_uri_get_hosts(uri)->port;

	mongoc_uri_destroy(uri);
	return port;
}

int
open_scene(void **state)
{
	struct scene *sc = calloc(1, sizeof(*sc));
	char uri[1024];

	sc->proxy.to_port = server_port();
	proxy_start(&sc->proxy);
	proxied_uri(sc->proxy.port, uri);
	sc->store = store_open_mongo(uri, database, &err);
	*state = sc;
	return sc->store == NULL || !store_ping(sc->store, in(SOON), &err);
}

int
close_scene(void **state)
{
	struct scene *sc = *state;

	store_free(&sc->store);
	proxy_free(&sc->proxy);
	free(sc);
	return 0;
}

bool
server_is_of_a_set(void)
{
	bson_t *hello = BCON_NEW("hello", BCON_INT32(1)), reply;
	bool is = mongoc_client_command_simple(reader, "admin", hello, NULL, &reply, NULL) &&
	    bson_has_field(&reply, "setName");

	bson_destroy(&reply);
	bson_destroy(hello);
	return is;
}

void
wait_ms(int64_t ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

int
begin_all(void **state)
{
	unsigned char noise[6];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (getrandom(noise, sizeof(noise), 0) != sizeof(noise))
		return 1;
	strcpy(database, "roompay_test_");
	for (size_t i = 0; i < sizeof(noise); i++)
		sprintf(database + strlen(database), "%02x", noise[i]);
	mongoc_init();
	reader = mongoc_client_new(server_uri);
	return reader == NULL;
}

int
end_all(void **state)
{
	mongoc_database_t *db;
	bson_error_t e;
	bool ok;

	(void)state;
	db = mongoc_client_get_database(reader, database);
	ok = mongoc_database_drop(db, &e);
	mongoc_database_destroy(db);
	mongoc_client_destroy(reader);
	return !ok;
}

/* ---- many writers at the same time */

void
arena_put(struct arena *a, int round, struct store *s, const struct ledger_event *e)
{
	int *count = &a->failed;

	if (s != NULL && store_ledger_put(s, e, &how, in(SOON), &err))
		count = how == STORE_OURS ? &a->won[round] : &a->lost[round];
	__atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
}

void
race(void (*all_rounds)(struct arena *a, int self))
{
	struct arena *a =
	    mmap(NULL, sizeof(*a), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_barrierattr_t shared;
	pid_t pids[WRITERS];

	assert_true(a != MAP_FAILED);
	pthread_barrierattr_init(&shared);
	pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&a->start, &shared, WRITERS);
	pthread_barrier_init(&a->end, &shared, WRITERS);
	for (int i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			all_rounds(a, i);
			_exit(0);
		}
		assert_true(pids[i] > 0);
	}
	for (int i = 0; i < WRITERS; i++)
		waitpid(pids[i], NULL, 0);
	assert_int_equal(a->failed, 0);
	assert_int_equal(a->strange, 0);
	for (int i = 0; i < ROUNDS; i++) {
		assert_int_equal(a->won[i], 1);
		assert_int_equal(a->lost[i], WRITERS - 1);
	}
	munmap(a, sizeof(*a));
}
