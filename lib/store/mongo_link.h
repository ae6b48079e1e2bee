/*
 * The way to the server: one libmongoc client, made at first use (after fork), replaced when it
 * failed; and what the ends of commands mean.
 *
 * Times. libmongoc 1.23 takes its time-outs from the URI, one set for a client's life, so they
 * cannot follow a call's deadline. They are small instead: a command waits at most 3 s for its
 * answer, a new connection 0.5 s, and none is begun once the deadline is over: a call ends at most
 * that much after it. After a failure the breaker answers for the server, in all workers; one of
 * them looks at most once a second (0.7 s; every second time 3 s). A client that failed is
 * replaced: left alone, it would not look at its server again for 5 s.
 *
 * A new client asks all members of a replica set who they are, and waits for all of them. So each
 * waits the whole time of a new connection for a member that stands still, and twice that while the
 * others still call it their primary.
 */
#pragma once

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct mongo_link;

/*
 * Checks the URI; makes no connection. Every write waits for w:majority, j:true; every read is of
 * the primary with readConcern majority, whatever the URI says. ERR_INPUT: not a URI, an option
 * that libmongoc does not know, TLS without checks. The message never quotes the URI.
 */
struct mongo_link *mongo_link_open(const char *uri, const char *database, struct error *err);
void mongo_link_free(struct mongo_link **l);

/*
 * The database to use now; mongo_link_judge must be told how each command went. ERR_UNAVAILABLE:
 * the server is away.
 */
bool mongo_link_reach(struct mongo_link *l, struct error *err) __attribute__((warn_unused_result));
/* The same, but never looks whether a server that was away is back: that may take seconds. */
bool mongo_link_reach_at_once(struct mongo_link *l, struct error *err)
    __attribute__((warn_unused_result));
/* After reach; mongoc_collection_destroy by the caller. */
mongoc_collection_t *mongo_link_collection(struct mongo_link *l, const char *name);
/*
 * Options for a write that need not outlive the server's crash or a change of the primary:
 * acknowledged by this server alone. It shows no majority.
 */
const bson_t *mongo_link_light(const struct mongo_link *l);
/* Options that say in words what every write asks for: the majority, journal. */
const bson_t *mongo_link_heavy(const struct mongo_link *l);
/* After reach: the server is the primary of a replica set itself, and no router or other engine. */
bool mongo_link_is_of_set(struct mongo_link *l);
/*
 * While there is nothing to do: if the client must be replaced and the server is back, connects
 * now, so that whoever asks next does not wait for it. May take as long as a new connection.
 */
void mongo_link_renew(struct mongo_link *l);
/* Of the last command: the connection was dead already, a fresh one may do. */
bool mongo_link_failed_at_once(const struct mongo_link *l);

enum mongo_end {
	MONGO_DONE,
	MONGO_NOT_SENT,	 /* no server: certainly not done */
	MONGO_NOT_DONE,	 /* the server refused: certainly not done */
	MONGO_DUPLICATE, /* not done: its key, or another unique member, is there */
	MONGO_UNKNOWN,	 /* sent; perhaps done, perhaps only not yet by the majority */
};
/*
 * ok and e: of the command that began at began_boot_ms; reply: of a write that waited for the
 * majority, else NULL. Opens the breaker when the server did not answer or cannot write, and
 * meanwhile wrote for nobody else.
 */
enum mongo_end mongo_link_judge(struct mongo_link *l, bool ok, const bson_error_t *e,
    const bson_t *reply, int64_t began_boot_ms);

/* A majority write that does not grow. */
bool mongo_link_ping(struct mongo_link *l, struct error *err);
/* createIndexes, which may take long: with a client of its own that waits until the deadline. */
bool mongo_link_command_until(struct mongo_link *l, const bson_t *command, int64_t deadline_boot_ms,
    struct error *err);
