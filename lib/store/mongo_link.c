#include "config.h"

#include "store/mongo_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/hex.h"
#include "store/breaker.h"
#include "store/mongo_uri.h"

/*
 * A write's time is longer than the 2 s between two heartbeats of a replica set. After an election
 * a secondary may tell the new primary of its progress by heartbeats alone, for some ten seconds:
 * as long as it waits for a former primary that stands still. Each write then takes up to 2 s.
 */
enum {
	SELECT_MS = 1000,
	CONNECT_MS = 500, /* mongo_link.h */
	SOCKET_MS = 3000,
	WRITE_CONCERN_MS = 2500,
	PROBE_MS = 700,
	PATIENT_EVERY = 2,
	AT_ONCE_MS = 300,
	ANSWERS_MAX = 5
};

struct mongo_link {
	mongoc_uri_t *uri;
	char *database;
	mongoc_client_t *client;			 /* NULL: none yet */
	bson_t *light;					 /* options of a write that may be lost */
	bson_t *heavy;					 /* of one that may not */
	enum { SET_UNASKED, SET_IS, SET_IS_NOT } of_set; /* of the client's server */
	bool stale;					 /* the client failed: not used again */
	bool failed_at_once; /* the last command, without waiting: the connection was dead */
	int failures;	     /* commands in a row */
	struct breaker_handle *breaker; /* shared with the other workers */
	uint_fast32_t closings;		/* of the breaker, when the client was made */
};

/* The same for all who use the same servers and database. Without user and password: it is a file's
 * name. */
static struct breaker_handle *
open_breaker(const mongoc_uri_t *uri, const char *database)
{
	unsigned char digest[DIGEST_LEN];
	struct buf what = BUF_INIT;
	char name[32];
	bool ok;

	for (const mongoc_host_list_t *h = mongoc_uri_get_hosts(uri); h != NULL; h = h->next)
		buf_printf(&what, "%s,", h->host_and_port);
	buf_printf(&what, "/%s", database);
	ok = !what.bad && digest_sha256(buf_str(&what), what.len, digest);
	buf_clear(&what);
	if (!ok)
		return NULL;
	strcpy(name, "store-");
	hex_format(digest, 8, name + strlen(name));
	return breaker_open(name);
}

static mongoc_write_concern_t *
majority(int32_t write_concern_ms)
{
	mongoc_write_concern_t *wc = mongoc_write_concern_new();

	mongoc_write_concern_set_wmajority(wc, write_concern_ms);
	mongoc_write_concern_set_journal(wc, true);
	return wc;
}

static mongoc_write_concern_t *
primary_alone(void)
{
	mongoc_write_concern_t *wc = mongoc_write_concern_new();

	mongoc_write_concern_set_w(wc, 1);
	return wc;
}

/* Takes the concern. */
static bson_t *
options_with(mongoc_write_concern_t *wc)
{
	bson_t *opts = bson_new();

	mongoc_write_concern_append(wc, opts);
	mongoc_write_concern_destroy(wc);
	return opts;
}

struct mongo_link *
mongo_link_open(const char *text, const char *database, struct error *err)
{
	struct mongo_link *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		error_set(err, ERR_INTERNAL, "no memory");
		return NULL;
	}
	l->uri = mongo_uri_parse(text, err);
	if (l->uri == NULL ||
	    (!mongo_uri_set_times(l->uri, SELECT_MS, CONNECT_MS, SOCKET_MS) &&
		!error_set(err, ERR_INTERNAL, "libmongoc refuses an option"))) {
		mongo_link_free(&l);
		return NULL;
	}
	l->light = options_with(primary_alone());
	l->heavy = options_with(majority(WRITE_CONCERN_MS));
	l->database = strdup(database);
	l->breaker = open_breaker(l->uri, database);
	if (l->database == NULL || l->breaker == NULL) {
		error_set(err, ERR_INTERNAL, "no memory");
		mongo_link_free(&l);
	}
	return l;
}

static mongoc_client_t *
client_new(const mongoc_uri_t *uri, int32_t write_concern_ms, struct error *err)
{
	mongoc_client_t *client = mongoc_client_new_from_uri(uri);
	mongoc_write_concern_t *wc;
	mongoc_read_concern_t *rc;
	mongoc_read_prefs_t *primary;

	if (client == NULL) {
		error_set(err, ERR_UNAVAILABLE, "libmongoc makes no client of the uri");
		return NULL;
	}
	wc = majority(write_concern_ms);
	mongoc_client_set_write_concern(client, wc);
	mongoc_write_concern_destroy(wc);
	rc = mongoc_read_concern_new();
	mongoc_read_concern_set_level(rc, MONGOC_READ_CONCERN_LEVEL_MAJORITY);
	mongoc_client_set_read_concern(client, rc);
	mongoc_read_concern_destroy(rc);
	primary = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);
	mongoc_client_set_read_prefs(client, primary);
	mongoc_read_prefs_destroy(primary);
	mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
	return client;
}

/*
 * Of a client whose server does not answer: reset first, or the goodbye to its sessions would wait
 * for that server.
 */
static void
client_drop(mongoc_client_t *client)
{
	if (client == NULL)
		return;
	mongoc_client_reset(client);
	mongoc_client_destroy(client);
}

void
mongo_link_free(struct mongo_link **l)
{
	if (*l == NULL)
		return;
	if ((*l)->stale)
		client_drop((*l)->client);
	else
		mongoc_client_destroy((*l)->client);
	bson_destroy((*l)->light);
	bson_destroy((*l)->heavy);
	mongoc_uri_destroy((*l)->uri);
	breaker_close(&(*l)->breaker);
	free((*l)->database);
	free(*l);
	*l = NULL;
}

/*
 * One document that is written anew with the time, so that the server must write and nothing grows.
 * One command: the majority is waited for once. A duplicate means that another program's ping made
 * the document at the same time: the server writes.
 */
static bool
ping_write(mongoc_client_t *client, const char *database, bson_error_t *e, bson_t *reply)
{
	mongoc_collection_t *meta = mongoc_client_get_collection(client, database, "meta");
	bson_t *id = BCON_NEW("_id", BCON_UTF8("ping"));
	bson_t *doc = BCON_NEW("_id", BCON_UTF8("ping"), "at", BCON_DATE_TIME(clock_wall_ms()));
	bson_t *opts = BCON_NEW("upsert", BCON_BOOL(true));
	bool ok = mongoc_collection_replace_one(meta, id, doc, opts, reply, e) ||
	    (e->domain == MONGOC_ERROR_SERVER && e->code == MONGOC_ERROR_DUPLICATE_KEY &&
		!bson_has_field(reply, "writeConcernErrors"));

	bson_destroy(opts);
	bson_destroy(doc);
	bson_destroy(id);
	mongoc_collection_destroy(meta);
	return ok;
}

/*
 * Is the server back? With a client of its own and short times, so that a server that hangs costs
 * little. Every second probe waits for the majority as long as any write does: a server that needs
 * that time is there.
 */
static bool
probe(struct mongo_link *l, struct error *err)
{
	bool patient = atomic_load(&l->breaker->b->probes) % PATIENT_EVERY == 0;
	mongoc_uri_t *uri = mongoc_uri_copy(l->uri);
	mongoc_client_t *client =
	    mongo_uri_set_times(uri, PROBE_MS, CONNECT_MS, patient ? SOCKET_MS : PROBE_MS)
	    ? client_new(uri, patient ? WRITE_CONCERN_MS : PROBE_MS, err)
	    : NULL;
	bson_error_t e = { 0 };
	bson_t reply;
	bool ok;

	mongoc_uri_destroy(uri);
	if (client == NULL)
		return error_set(err, ERR_UNAVAILABLE, "libmongoc makes no client");
	ok = ping_write(client, l->database, &e, &reply);
	bson_destroy(&reply);
	if (ok) {
		mongoc_client_destroy(client);
		breaker_succeeded(l->breaker->b, clock_boot_ms());
		return true;
	}
	client_drop(client);
	breaker_still_away(l->breaker->b, clock_boot_ms());
	return error_set(err, ERR_UNAVAILABLE, "the store is away: %s", e.message);
}

/* The client failed, or is from before the server was away. */
static bool
is_worn(const struct mongo_link *l)
{
	return l->stale || atomic_load(&l->breaker->b->closings) != l->closings;
}

static bool
have_client(struct mongo_link *l, struct error *err)
{
	uint_fast32_t closings = atomic_load(&l->breaker->b->closings);

	if (is_worn(l)) {
		client_drop(l->client);
		l->client = NULL;
		l->stale = false;
	}
	if (l->client == NULL) {
		l->client = client_new(l->uri, WRITE_CONCERN_MS, err);
		l->of_set = SET_UNASKED;
	}
	l->closings = closings;
	return l->client != NULL;
}

bool
mongo_link_reach(struct mongo_link *l, struct error *err)
{
	switch (breaker_ask(l->breaker->b, clock_boot_ms())) {
	case BREAKER_GO:
		return have_client(l, err);
	case BREAKER_PROBE:
		return probe(l, err) && have_client(l, err);
	case BREAKER_AWAY:
		break;
	}
	return error_set(err, ERR_UNAVAILABLE, "the store is away");
}

bool
mongo_link_reach_at_once(struct mongo_link *l, struct error *err)
{
	if (atomic_load(&l->breaker->b->open))
		return error_set(err, ERR_UNAVAILABLE, "the store is away");
	return have_client(l, err);
}

mongoc_collection_t *
mongo_link_collection(struct mongo_link *l, const char *name)
{
	return mongoc_client_get_collection(l->client, l->database, name);
}

const bson_t *
mongo_link_light(const struct mongo_link *l)
{
	return l->light;
}

const bson_t *
mongo_link_heavy(const struct mongo_link *l)
{
	return l->heavy;
}

bool
mongo_link_is_of_set(struct mongo_link *l)
{
	mongoc_server_description_t *sd;

	if (l->of_set != SET_UNASKED)
		return l->of_set == SET_IS;
	sd = mongoc_client_select_server(l->client, true, NULL, NULL);
	if (sd == NULL) { /* whoever writes next finds out why, with a fresh client */
		l->stale = true;
		return false;
	}
	l->of_set =
	    strcmp(mongoc_server_description_type(sd), "RSPrimary") == 0 ? SET_IS : SET_IS_NOT;
	mongoc_server_description_destroy(sd);
	return l->of_set == SET_IS;
}

void
mongo_link_renew(struct mongo_link *l)
{
	struct error err;

	if (l->client != NULL && is_worn(l) && mongo_link_reach_at_once(l, &err))
		(void)mongo_link_is_of_set(l);
}

bool
mongo_link_failed_at_once(const struct mongo_link *l)
{
	return l->failed_at_once;
}

/*
 * Codes with which a server says that it looked at the command and did nothing. Every other code
 * leaves it open.
 */
static bool
is_refusal(const bson_error_t *e)
{
	static const uint32_t codes[] = {
		2,     /* BadValue */
		9,     /* FailedToParse */
		13,    /* Unauthorized */
		14,    /* TypeMismatch */
		18,    /* AuthenticationFailed */
		22,    /* InvalidBSON */
		59,    /* CommandNotFound */
		73,    /* InvalidNamespace */
		121,   /* DocumentValidationFailure */
		10334, /* BSONObjectTooLarge */
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (e->code == codes[i])
			return true;
	return false;
}

static enum mongo_end
meaning(const bson_error_t *e, const bson_t *reply)
{
	bool majority_missed = reply != NULL && bson_has_field(reply, "writeConcernErrors");

	switch (e->domain) {
	case MONGOC_ERROR_SERVER_SELECTION:
	case MONGOC_ERROR_CLIENT: /* the handshake or the log-in failed */
	case MONGOC_ERROR_SASL:
	case MONGOC_ERROR_SCRAM:
		return MONGO_NOT_SENT;
	case MONGOC_ERROR_SERVER:
		if (majority_missed)
			return MONGO_UNKNOWN;
		if (e->code == MONGOC_ERROR_DUPLICATE_KEY)
			return MONGO_DUPLICATE;
		return is_refusal(e) ? MONGO_NOT_DONE : MONGO_UNKNOWN;
	case MONGOC_ERROR_BSON:
	case MONGOC_ERROR_COMMAND: /* libmongoc itself refused the arguments */
	case MONGOC_ERROR_NAMESPACE:
		return MONGO_NOT_DONE;
	default: /* the connection broke, a strange answer, the majority missed its time */
		return MONGO_UNKNOWN;
	}
}

enum mongo_end
mongo_link_judge(struct mongo_link *l, bool ok, const bson_error_t *e, const bson_t *reply,
    int64_t began_boot_ms)
{
	enum mongo_end end = ok ? MONGO_DONE : meaning(e, reply);
	bool failed = end == MONGO_NOT_SENT || end == MONGO_UNKNOWN;
	int64_t now = clock_boot_ms();

	/* Only a write shows that there is a majority: it alone has a reply. */
	if (reply != NULL && (end == MONGO_DONE || end == MONGO_DUPLICATE))
		breaker_worked(l->breaker->b, now);
	l->failed_at_once = failed && now - began_boot_ms < AT_ONCE_MS;
	l->failures = failed ? l->failures + 1 : 0;
	l->stale = failed; /* whoever has its collections still uses it */
	/* One connection that died while it was idle is only ours. What waited in vain, or failed
	 * again on a fresh one, concerns all. A server that answers with an error is there: it must
	 * do so many times. */
	if (failed &&
	    (!l->failed_at_once ||
		l->failures > (e->domain == MONGOC_ERROR_SERVER ? ANSWERS_MAX : 1)))
		breaker_failed(l->breaker->b, began_boot_ms, now);
	return end;
}

bool
mongo_link_ping(struct mongo_link *l, struct error *err)
{
	bson_error_t e = { 0 };
	bson_t reply;
	int64_t began;
	bool ok;

	if (!mongo_link_reach(l, err))
		return false;
	began = clock_boot_ms();
	ok = ping_write(l->client, l->database, &e, &reply);
	mongo_link_judge(l, ok, &e, &reply, began);
	bson_destroy(&reply);
	return ok || error_set(err, ERR_UNAVAILABLE, "the store does not write: %s", e.message);
}

bool
mongo_link_command_until(struct mongo_link *l, const bson_t *command, int64_t deadline_boot_ms,
    struct error *err)
{
	int64_t left = deadline_boot_ms - clock_boot_ms();
	mongoc_uri_t *uri;
	mongoc_client_t *client;
	bson_error_t e = { 0 };
	bool ok;

	if (left <= 0)
		return error_set(err, ERR_UNAVAILABLE, "no time left");
	uri = mongoc_uri_copy(l->uri);
	ok = mongo_uri_set_times(uri, SELECT_MS, CONNECT_MS,
		 left < INT32_MAX ? (int32_t)left : INT32_MAX) &&
	    (client = client_new(uri, WRITE_CONCERN_MS, err)) != NULL;
	mongoc_uri_destroy(uri);
	if (!ok)
		return false;
	ok = mongoc_client_write_command_with_opts(client, l->database, command, NULL, NULL, &e);
	if (ok)
		mongoc_client_destroy(client);
	else
		client_drop(client);
	return ok || error_set(err, ERR_UNAVAILABLE, "%s", e.message);
}
