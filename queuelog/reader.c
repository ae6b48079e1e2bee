#include "config.h"

#include "queuelog/reader.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum {
	PAUSE_US = 50000, /* before a new connection */
	POLL_US = 20000,  /* without change streams */
	SOCKET_MS = 1500, /* then a server that stands still is given up */
	AWAIT_MS = 200,	  /* how long the server waits for news */
	CLOCK_EVERY_MS = 2000,
	FLOOR_EVERY_MS = 5000,
	HEARD_EVERY_US = 100000,
};

struct reader {
	struct state *state;
	struct db db;
	bool polls; /* the server has no change streams */
	bool told_end;
	int64_t next_clock_ms, next_floor_ms, floor_every_ms, told_us;
	uint64_t since; /* time of the last look that found nothing new */
	int64_t cursor;
	uint64_t looks; /* before the events were asked for */
	bool gap, again;
	struct error err;
};

static void
tell_heard(struct reader *r)
{
	if (r->db.asked_us < r->told_us + HEARD_EVERY_US)
		return;
	r->told_us = r->db.asked_us;
	state_tell(r->state, &(struct log_frame){ .kind = LOG_HEARD, .boot = r->db.asked_us });
}

/* ---- from time to time */

static bool
compare_clocks(struct reader *r)
{
	struct log_frame f = { .kind = LOG_CLOCK };
	struct now at;

	if (clock_boot_ms() < r->next_clock_ms)
		return true;
	if (!db_clock(&r->db, &f.diff, &at, &r->err))
		return false;
	f.boot = at.boot_ms;
	f.wall = at.wall_ms;
	state_tell(r->state, &f);
	r->next_clock_ms = clock_boot_ms() + CLOCK_EVERY_MS;
	return true;
}

static bool
look_at_floor(struct reader *r)
{
	struct floor floor;

	if (clock_boot_ms() < r->next_floor_ms)
		return true;
	if (log_look_at_floor(r->state, &r->db, &floor, &r->err) != DB_DONE ||
	    !log_check_site(r->state, &r->db, "majority", &r->err))
		return false;
	r->next_floor_ms = clock_boot_ms() + r->floor_every_ms;
	return true;
}

/* ---- reading until there is nothing more */

static bool
read_on(struct reader *r)
{
	bool empty = false;

	while (!empty) {
		if (!log_read_next(r->state, &r->db, &empty, &r->err))
			return false;
		tell_heard(r);
	}
	r->since = r->db.optime;
	return true;
}

/*
 * k + 1 is missing, and then the newest snapshot is not ahead of k: in this order (FLOOR_AT_END).
 * If it is ahead, others may have gone on between the two looks. So it reads once more: if k + 1 is
 * still missing, it was deleted.
 */
static bool
log_observe_end(struct reader *r)
{
	uint64_t last = state_last(r->state), behind;
	struct floor floor;

	for (;;) {
		if (log_look_at_floor(r->state, &r->db, &floor, &r->err) != DB_DONE)
			return false;
		if (floor.n <= last)
			break;
		behind = last;
		if (!read_on(r))
			return false;
		last = state_last(r->state);
		if (last != behind)
			continue;
		state_stop(r->state, LOG_HOLE, "the log was compacted while this machine joined");
		return false;
	}
	r->told_end = true;
	state_tell(r->state, &(struct log_frame){ .kind = LOG_END, .n = last });
	return true;
}

static bool
catch_up(struct reader *r)
{
	return read_on(r) && compare_clocks(r) && (r->told_end || log_observe_end(r)) &&
	    look_at_floor(r);
}

/* ---- the change stream */

static bool
take_event(void *ctx, const bson_t *event)
{
	struct reader *r = ctx;
	bson_iter_t it, n;
	const uint8_t *data;
	uint32_t len;
	bson_t doc;

	if (!bson_iter_init_find(&it, event, "fullDocument") || !BSON_ITER_HOLDS_DOCUMENT(&it)) {
		r->gap = true; /* the collection is gone, or was renamed */
		return false;
	}
	bson_iter_document(&it, &len, &data);
	if (!bson_init_static(&doc, data, len) || !bson_iter_init_find(&n, &doc, "n") ||
	    !bson_iter_init_find(&it, &doc, "_id") || !BSON_ITER_HOLDS_UTF8(&it) ||
	    strncmp(r->state->site.queue, bson_iter_utf8(&it, NULL),
		strlen(r->state->site.queue)) != 0)
		return true; /* of another log */
	if (log_is_genuine(r->state, &r->db, (uint64_t)bson_iter_as_int64(&n), &r->err) &&
	    log_deliver_document(r->state, &doc, r->looks))
		return true;
	r->again = state_looks(r->state) != r->looks;
	r->gap = !r->again;
	return false;
}

/* True: the stream is open. What came before `since` was read. */
static bool
open_stream(struct reader *r, uint64_t since)
{
	bson_t *command, reply;
	bson_iter_t it, at;
	enum db_end end;

	command = BCON_NEW("aggregate", BCON_UTF8(LOG_RECORDS), "pipeline", "[", "{",
	    "$changeStream", "{", "startAtOperationTime",
	    BCON_TIMESTAMP((uint32_t)(since >> 32), (uint32_t)since), "}", "}", "{", "$match", "{",
	    "operationType", "{", "$in", "[", BCON_UTF8("insert"), BCON_UTF8("drop"),
	    BCON_UTF8("rename"), BCON_UTF8("dropDatabase"), BCON_UTF8("invalidate"), "]", "}", "}",
	    "}", "{", "$project", "{", "fullDocument", BCON_INT32(1), "}", "}", "]", "cursor", "{",
	    "}", "readConcern", "{", "level", BCON_UTF8("majority"), "}");
	r->looks = state_looks(r->state);
	end = db_run(&r->db, command, &reply, &r->err);
	r->cursor = 0;
	r->gap = r->again = false;
	if (end == DB_DONE) {
		if (bson_iter_init(&it, &reply) && bson_iter_find_descendant(&it, "cursor.id", &at))
			r->cursor = bson_iter_as_int64(&at);
		if (!db_each(&reply, take_event, r) && r->again)
			r->gap = !read_on(r);
		tell_heard(r);
	} else if (end == DB_REFUSED) {
		log_event(LOG_LEVEL_WARN, "log_polls", KV_ERR(&r->err),
		    KV_STR("meaning", "no change stream: the log is asked 50 times a second"),
		    KV_STR("todo",
			"nothing, if the server has none; else give its user readWrite"));
		r->polls = true;
	}
	bson_destroy(&reply);
	return r->cursor != 0 && !r->gap;
}

static bool
next_events(struct reader *r)
{
	bson_t *command = BCON_NEW("getMore", BCON_INT64(r->cursor), "collection",
	    BCON_UTF8(LOG_RECORDS), "maxTimeMS", BCON_INT64(AWAIT_MS));
	bson_iter_t it, at;
	bson_t reply;
	bool ok;

	r->again = false;
	r->looks = state_looks(r->state);
	ok = db_run(&r->db, command, &reply, &r->err) == DB_DONE;
	if (ok && bson_iter_init(&it, &reply) && bson_iter_find_descendant(&it, "cursor.id", &at))
		r->cursor = bson_iter_as_int64(&at);
	ok = ok && (db_each(&reply, take_event, r) || (r->again && read_on(r)));
	bson_destroy(&reply);
	if (ok)
		tell_heard(r);
	return ok && r->cursor != 0 && !r->gap;
}

/* Far from this daemon's turn it reads what has come meanwhile in one piece: each time costs a
 * server and three programs their processor time, and all machines do so for each number. */
static void
rest(struct reader *r)
{
	int64_t us = state_rest_us(r->state);

	if (us > 0)
		usleep((useconds_t)us);
}

static void
follow(struct reader *r)
{
	uint64_t since;

	if (!log_verify(r->state, &r->db, &r->err) || !catch_up(r))
		return;
	/* A reply's time may be later than what the read saw. So it is read once more: that look
	 * sees everything up to this time, and the stream begins there. */
	since = r->since;
	if (!catch_up(r))
		return;
	if (r->polls) {
		usleep(POLL_US);
		return;
	}
	if (!open_stream(r, since))
		return;
	while (next_events(r) && compare_clocks(r) && look_at_floor(r))
		rest(r);
	/* not over this connection any more: whatever ended the stream may have changed the log */
	db_close(&r->db);
}

static void *
work(void *ctx)
{
	struct reader *r = ctx;
	bool was_connected = false;

	while (!state_is_stopped(r->state)) {
		follow(r);
		if (r->db.client != NULL) {
			was_connected = true;
			continue;
		}
		if (was_connected)
			state_tell(r->state, &(struct log_frame){ .kind = LOG_RECONNECTED });
		was_connected = false;
		usleep(PAUSE_US);
	}
	return NULL;
}

bool
reader_start(struct state *s)
{
	struct reader *r = calloc(1, sizeof(*r));
	pthread_t thread;

	if (r == NULL)
		return false;
	r->state = s;
	r->db.site = &s->site;
	r->db.socket_ms = SOCKET_MS;
	r->floor_every_ms = FLOOR_EVERY_MS;
	if (s->keep_s * 1000 / 20 < FLOOR_EVERY_MS)
		r->floor_every_ms = s->keep_s * 1000 / 20;
	if (pthread_create(&thread, NULL, work, r) != 0) {
		free(r);
		return false;
	}
	pthread_detach(thread);
	return true;
}
