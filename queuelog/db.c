#include "config.h"

#include "queuelog/db.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/mongo_uri.h"

/* As in the store (lib/store/mongo_link.h): after an election a write may wait for two heartbeats,
 * and each new client for a member that stands still. */
enum {
	SELECT_MS = 1000,
	CONNECT_MS = 500,
	SOCKET_MS = 3000,
	NEVER_MS = 20 * 24 * 3600 * 1000, /* until libmongoc looks at the servers by itself */
};

/* Codes with which a server says that it did nothing, and would do nothing the next time. */
static bool
is_refusal(uint32_t code)
{
	static const uint32_t codes[] = {
		2,     /* BadValue */
		9,     /* FailedToParse */
		13,    /* Unauthorized */
		14,    /* TypeMismatch */
		22,    /* InvalidBSON */
		59,    /* CommandNotFound */
		72,    /* InvalidOptions */
		73,    /* InvalidNamespace */
		121,   /* DocumentValidationFailure */
		123,   /* NotAReplicaSet */
		10334, /* BSONObjectTooLarge */
		40324, /* unrecognized pipeline stage */
		40573, /* $changeStream without a replica set */
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (code == codes[i])
			return true;
	return false;
}

static void
note_connection(const mongoc_apm_command_started_t *event)
{
	struct db *d = mongoc_apm_command_started_get_context(event);
	int64_t number = mongoc_apm_command_started_get_server_connection_id(event);

	if (d->connection == 0)
		d->connection = number;
	else if (d->connection != number)
		d->strayed = true;
}

static void
watch_connection(struct db *d)
{
	mongoc_apm_callbacks_t *calls = mongoc_apm_callbacks_new();

	d->connection = 0;
	d->strayed = false;
	mongoc_apm_set_command_started_cb(calls, note_connection);
	mongoc_client_set_apm_callbacks(d->client, calls, d);
	mongoc_apm_callbacks_destroy(calls);
}

void
db_close(struct db *d)
{
	if (d->client == NULL)
		return;
	mongoc_client_reset(d->client); /* or the goodbye would wait for a server that hangs */
	mongoc_client_destroy(d->client);
	d->client = NULL;
	d->verified = false;
}

static mongoc_client_t *
client_new(const mongoc_uri_t *site, int32_t socket_ms, struct error *err)
{
	mongoc_uri_t *uri = mongoc_uri_copy(site);
	mongoc_client_t *client = NULL;

	if (mongo_uri_set_times(uri, SELECT_MS, CONNECT_MS, socket_ms) &&
	    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_HEARTBEATFREQUENCYMS, NEVER_MS) &&
	    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SOCKETCHECKINTERVALMS, NEVER_MS))
		client = mongoc_client_new_from_uri(uri);
	mongoc_uri_destroy(uri);
	if (client == NULL)
		error_set(err, ERR_INTERNAL, "libmongoc makes no client of the store's uri");
	else
		mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
	return client;
}

static bool
has_second_host(const bson_t *hello)
{
	bson_iter_t it, at;

	return bson_iter_init(&it, hello) && bson_iter_find_descendant(&it, "hosts.1", &at);
}

bool
db_connect(struct db *d, struct error *err)
{
	bson_t reply;
	bson_iter_t it;
	enum db_end end;

	db_close(d);
	d->client = client_new(d->site->uri, d->socket_ms == 0 ? SOCKET_MS : d->socket_ms, err);
	if (d->client == NULL)
		return false;
	d->verified = false;
	watch_connection(d);
	end = db_run(d, BCON_NEW("hello", BCON_INT32(1)), &reply, err);
	if (end == DB_DONE && !bson_iter_init_find(&it, &reply, "setName"))
		error_set(err, ERR_CONFLICT,
		    "the database is no replica set, and the shared log needs one: start mongod "
		    "with --replSet and run rs.initiate() once, or use log = disk");
	else if (end == DB_DONE) {
		d->is_alone = !has_second_host(&reply);
		bson_destroy(&reply);
		return true;
	}
	bson_destroy(&reply);
	db_close(d);
	return false;
}

/* ---- what a reply means */

static void
note_time(struct db *d, const bson_t *reply)
{
	uint32_t seconds, counter;
	bson_iter_t it;

	if (bson_iter_init_find(&it, reply, "operationTime") && BSON_ITER_HOLDS_TIMESTAMP(&it)) {
		bson_iter_timestamp(&it, &seconds, &counter);
		d->optime = (uint64_t)seconds << 32 | counter;
	}
}

static uint32_t
code_at(const bson_t *reply, const char *path)
{
	bson_iter_t it, at;

	return bson_iter_init(&it, reply) && bson_iter_find_descendant(&it, path, &at)
	    ? (uint32_t)bson_iter_as_int64(&at)
	    : 0;
}

/* The command went through; of its writes that is not known yet. */
static enum db_end
judge_writes(const bson_t *reply, struct error *err)
{
	uint32_t code = code_at(reply, "writeErrors.0.code");

	if (bson_has_field(reply, "writeConcernError")) {
		error_set(err, ERR_UNCERTAIN, "no majority has it yet");
		return DB_UNKNOWN;
	}
	if (code == 0)
		return DB_DONE;
	error_set(err, ERR_UNAVAILABLE, "the database answers with code %u", code);
	return code == MONGOC_ERROR_DUPLICATE_KEY ? DB_DUPLICATE
	    : is_refusal(code)			  ? DB_REFUSED
						  : DB_UNKNOWN;
}

static enum db_end
judge_error(const bson_error_t *e, struct error *err)
{
	bool no_login = e->domain == MONGOC_ERROR_CLIENT &&
	    (e->code == MONGOC_ERROR_CLIENT_AUTHENTICATE || e->code == 18);

	error_set(err, no_login ? ERR_INPUT : ERR_UNAVAILABLE, "%s", e->message);
	return no_login || (e->domain == MONGOC_ERROR_SERVER && is_refusal(e->code)) ? DB_REFUSED
										     : DB_UNKNOWN;
}

enum db_end
db_run(struct db *d, bson_t *command, bson_t *reply, struct error *err)
{
	int64_t asked_us = clock_boot_us();
	bson_error_t e = { 0 };
	enum db_end end;

	if (d->client == NULL) {
		bson_destroy(command);
		bson_init(reply);
		error_set(err, ERR_UNAVAILABLE, "not connected");
		return DB_UNKNOWN;
	}
	if (mongoc_client_command_simple(d->client, d->site->database, command, NULL, reply, &e))
		end = judge_writes(reply, err);
	else
		end = judge_error(&e, err);
	bson_destroy(command);
	if (d->strayed) {
		error_set(err, ERR_UNAVAILABLE, "the connection was replaced");
		end = DB_UNKNOWN;
	}
	if (end == DB_UNKNOWN) {
		db_close(d);
	} else {
		d->asked_us = asked_us;
		note_time(d, reply);
	}
	return end;
}

/* ---- commands */

void
db_id(const struct db_site *site, uint64_t n, char out[DB_ID_CAP])
{
	snprintf(out, DB_ID_CAP, "%s:%016" PRIu64, site->queue, n);
}

bson_t *
db_find(const char *collection, const bson_t *filter, const char *level)
{
	bson_t *command = bson_new();
	bson_t concern;

	BSON_APPEND_UTF8(command, "find", collection);
	BSON_APPEND_DOCUMENT(command, "filter", filter);
	BSON_APPEND_DOCUMENT_BEGIN(command, "readConcern", &concern);
	BSON_APPEND_UTF8(&concern, "level", level);
	bson_append_document_end(command, &concern);
	BSON_APPEND_BOOL(command, "singleBatch", true);
	return command;
}

bool
db_each(const bson_t *reply, bool (*fn)(void *ctx, const bson_t *doc), void *ctx)
{
	bson_iter_t it, at, docs;

	if (!bson_iter_init(&it, reply) ||
	    (!bson_iter_find_descendant(&it, "cursor.firstBatch", &at) &&
		(!bson_iter_init(&it, reply) ||
		    !bson_iter_find_descendant(&it, "cursor.nextBatch", &at))) ||
	    !bson_iter_recurse(&at, &docs))
		return true;
	while (bson_iter_next(&docs)) {
		const uint8_t *data;
		uint32_t len;
		bson_t doc;

		if (!BSON_ITER_HOLDS_DOCUMENT(&docs))
			continue;
		bson_iter_document(&docs, &len, &data);
		if (bson_init_static(&doc, data, len) && !fn(ctx, &doc))
			return false;
	}
	return true;
}

bool
db_clock(struct db *d, int64_t *diff_ms, struct now *at, struct error *err)
{
	struct now before = clock_now(), after;
	bson_iter_t it;
	bson_t reply;
	int64_t there_ms = 0, here_ms, slack_ms;
	bool ok = db_run(d, BCON_NEW("hello", BCON_INT32(1)), &reply, err) == DB_DONE;

	after = clock_now();
	if (ok && bson_iter_init_find(&it, &reply, "localTime") && BSON_ITER_HOLDS_DATE_TIME(&it))
		there_ms = bson_iter_date_time(&it);
	bson_destroy(&reply);
	if (!ok || there_ms == 0)
		return ok && error_set(err, ERR_UNAVAILABLE, "the database does not tell its time");
	/* it answered somewhere between the two */
	slack_ms = (after.boot_ms - before.boot_ms) / 2;
	here_ms = before.wall_ms + slack_ms;
	*at = (struct now){ .boot_ms = before.boot_ms + slack_ms, .wall_ms = here_ms };
	*diff_ms = there_ms - here_ms;
	if (*diff_ms > slack_ms)
		*diff_ms -= slack_ms;
	else if (*diff_ms < -slack_ms)
		*diff_ms += slack_ms;
	else
		*diff_ms = 0;
	return true;
}
