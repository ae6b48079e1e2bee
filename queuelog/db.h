/*
 * One connection to the database, of one thread. Whoever has verified the log over a connection
 * must know that every later command goes over the same one (doc/scale-out.md, VERIFY). So
 * libmongoc is told to look for servers in db_connect only, a connection that failed is never used
 * again, and the server's number of the connection is compared with each command.
 *
 * All commands are raw: their replies have the operationTime, and nothing is repeated silently.
 */
#pragma once

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"

struct db_site {
	const mongoc_uri_t *uri;
	const char *database;
	char queue[33]; /* "" before the log is opened */
};

struct db {
	const struct db_site *site;
	int32_t socket_ms; /* how long an answer may take; 0: as long as a majority may need */
	mongoc_client_t *client; /* NULL: not connected */
	int64_t connection;	 /* its number at the server; 0: it is being made */
	bool strayed;		 /* a command went over another one */
	bool is_alone;		 /* the set has one member */
	bool verified;		 /* used by the owner; false after db_connect */
	uint64_t optime;	 /* of the last reply: seconds << 32 | counter */
	int64_t asked_us;	 /* when the last command was sent that was answered */
};

enum db_end {
	DB_DONE,
	DB_DUPLICATE,
	DB_REFUSED, /* certainly not done, and will not be: rights, a server that cannot do it */
	DB_UNKNOWN, /* no answer, no majority, no primary: nobody knows */
};

/* Connects to the primary of a replica set. ERR_UNAVAILABLE: not now. ERR_CONFLICT: it is no
 * replica set; ERR_INPUT: the server refuses us. */
bool db_connect(struct db *d, struct error *err);
void db_close(struct db *d);

/* Runs a command, which it destroys. reply: bson_destroy by the caller, always. socket_ms 0: as
 * usual. After DB_UNKNOWN the connection is closed. */
enum db_end db_run(struct db *d, bson_t *command, bson_t *reply, struct error *err);

/* The database's clock minus ours in ms, and one moment of ours. */
bool db_clock(struct db *d, int64_t *diff_ms, struct now *at, struct error *err);

enum { DB_ID_CAP = 80 };
/* "QUEUE:0000000000000042" */
void db_id(const struct db_site *site, uint64_t n, char out[DB_ID_CAP]);

/* A find command. level: "majority", "linearizable". */
bson_t *db_find(const char *collection, const bson_t *filter, const char *level);
/* Each document of a find's reply. */
bool db_each(const bson_t *reply, bool (*fn)(void *ctx, const bson_t *doc), void *ctx);
