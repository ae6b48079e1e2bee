#include "config.h"

#include "queuelog/writer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum {
	PAUSE_US = 30000, /* before the same document is sent again */
	REFUSED_PAUSE_US = 1000000,
	STREAM_US = 4000, /* the reader mostly has the winner's record by then */
	BARRIER_MS = 1200,
	BARRIER_TRIES = 2,
};

struct writer {
	struct state *state;
	struct db db;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char *frame; /* to be done; NULL: nothing is */
	size_t size;
	bool told_refused;
};

/* ---- append */

static bson_t *
document_of(const struct state *s, const struct log_frame *f)
{
	const char *p = f->records;
	size_t left = f->records_len, len;
	const void *record;
	char id[DB_ID_CAP], key[16];
	const char *key_text;
	bson_t *doc = bson_new();
	bson_t records;
	uint32_t i = 0;
	bool bad;

	db_id(&s->site, f->n, id);
	BSON_APPEND_UTF8(doc, "_id", id);
	BSON_APPEND_INT64(doc, "n", (int64_t)f->n);
	BSON_APPEND_INT64(doc, "nonce", (int64_t)f->nonce);
	BSON_APPEND_INT64(doc, "prev", (int64_t)f->prev);
	BSON_APPEND_INT64(doc, "by", (int64_t)s->turn.me);
	BSON_APPEND_UTF8(doc, "host", s->host);
	BSON_APPEND_DATE_TIME(doc, "wall", f->wall);
	BSON_APPEND_ARRAY_BEGIN(doc, "records", &records);
	while (log_records_next(&p, &left, &record, &len, &bad)) {
		bson_uint32_to_string(i++, &key_text, key, sizeof(key));
		bson_append_binary(&records, key_text, -1, BSON_SUBTYPE_BINARY, record,
		    (uint32_t)len);
	}
	bson_append_array_end(doc, &records);
	return doc;
}

/* One try. True: the end is known, and the daemon was told. */
static bool
log_send(struct writer *w, const struct log_frame *f, const bson_t *doc, struct error *err)
{
	struct state *s = w->state;
	enum db_end end;
	bson_t reply;
	bool empty;
	int64_t sent_us;
	uint64_t looks;

	if (!log_verify(s, &w->db, err))
		return false;
	looks = state_looks(s);
	sent_us = clock_boot_us();
	end = db_run(&w->db, log_insert(LOG_RECORDS, doc), &reply, err);
	bson_destroy(&reply);
	switch (end) {
	case DB_DONE:
		return log_is_genuine(s, &w->db, f->n, err) &&
		    state_ack(s, f->n, f->nonce, clock_boot_us() - sent_us, looks);
	case DB_DUPLICATE: /* ours or another's: the record tells by its nonce */
		return state_wait_for(s, f->n, STREAM_US) ||
		    (log_read_next(s, &w->db, &empty, err) && state_last(s) >= f->n);
	case DB_REFUSED:
		if (!w->told_refused)
			log_event(LOG_LEVEL_ERROR, "log_append_refused", KV_ERR(err),
			    KV_STR("meaning", "nothing new can be decided; nobody is charged"),
			    KV_STR("todo", "the user in [store] uri needs readWrite"));
		w->told_refused = true;
		usleep(REFUSED_PAUSE_US);
		return false;
	case DB_UNKNOWN:
		break;
	}
	return false;
}

/* The same document until its end is known. */
static void
append(struct writer *w, const struct log_frame *f)
{
	struct state *s = w->state;
	bson_t *doc = document_of(s, f);
	struct error err;
	bool first = true;

	while (!state_is_stopped(s) && state_last(s) < f->n) {
		if (!first) {
			state_tell(s, &(struct log_frame){ .kind = LOG_REPEATED });
			if (state_wait_for(s, f->n, PAUSE_US))
				break;
		}
		first = false;
		if (log_send(w, f, doc, &err)) {
			w->told_refused = false;
			break;
		}
	}
	bson_destroy(doc);
}

/* ---- barrier */

static bool
note_found(void *ctx, const bson_t *doc)
{
	(void)doc;
	*(bool *)ctx = true;
	return false;
}

/*
 * A set of one member answers a linearizable read only with the next flush of its journal, after
 * up to 100 ms. A write that a majority has, and then a majority read, say the same: this server
 * was the primary after we asked, and shows all that came before.
 */
static bool
prove_primary(struct writer *w, struct error *err)
{
	bson_t *command = BCON_NEW("update", BCON_UTF8("meta"), "updates", "[", "{", "q", "{",
	    "_id", BCON_UTF8("queue_log_barrier"), "}", "u", "{", "$set", "{", "at",
	    BCON_DATE_TIME(clock_wall_ms()), "by", BCON_INT64((int64_t)w->state->turn.me), "}", "}",
	    "upsert", BCON_BOOL(true), "}", "]", "writeConcern", "{", "w", BCON_UTF8("majority"),
	    "j", BCON_BOOL(true), "wtimeout", BCON_INT32(BARRIER_MS), "}");
	bson_t reply;
	bool ok = db_run(&w->db, command, &reply, err) == DB_DONE;

	bson_destroy(&reply);
	return ok;
}

/* Number f->n is not there by a linearizable read, and the newest snapshot is not ahead of us.
 * True: the daemon was told. */
static bool
log_barrier(struct writer *w, const struct log_frame *f, struct error *err)
{
	struct state *s = w->state;
	bool found = false, empty;
	char id[DB_ID_CAP];
	bson_t *filter, *command, reply;
	enum db_end end;

	if (!log_verify(s, &w->db, err) || (w->db.is_alone && !prove_primary(w, err)))
		return false;
	db_id(&s->site, f->n, id);
	filter = BCON_NEW("_id", BCON_UTF8(id));
	command = db_find(LOG_RECORDS, filter, w->db.is_alone ? "majority" : "linearizable");
	BSON_APPEND_INT64(command, "maxTimeMS", BARRIER_MS);
	bson_destroy(filter);
	end = db_run(&w->db, command, &reply, err);
	if (end == DB_DONE)
		db_each(&reply, note_found, &found);
	bson_destroy(&reply);
	if (end != DB_DONE)
		return false;
	if (found)
		return state_wait_for(s, f->n, STREAM_US) ||
		    (log_read_next(s, &w->db, &empty, err) && state_last(s) >= f->n);
	/* a number that is missing may have been deleted */
	if (!log_is_genuine(s, &w->db, f->n, err))
		return false;
	state_tell(s, &(struct log_frame){ .kind = LOG_CURRENT, .n = f->n });
	return true;
}

static void
barrier(struct writer *w, const struct log_frame *f)
{
	struct error err;

	error_clear(&err);
	for (int i = 0; i < BARRIER_TRIES && !state_is_stopped(w->state); i++)
		if (state_last(w->state) >= f->n || log_barrier(w, f, &err))
			return;
	state_tell_text(w->state, LOG_NO_ANSWER, f->n, err.msg);
}

/* ---- the thread */

static void *
work(void *ctx)
{
	struct writer *w = ctx;
	struct log_frame f;

	for (;;) {
		pthread_mutex_lock(&w->lock);
		while (w->frame == NULL)
			pthread_cond_wait(&w->changed, &w->lock);
		pthread_mutex_unlock(&w->lock);
		if (!log_frame_parse(w->frame, w->size, &f))
			_exit(1);
		if (f.kind == LOG_APPEND)
			append(w, &f);
		else
			barrier(w, &f);
		pthread_mutex_lock(&w->lock);
		free(w->frame);
		w->frame = NULL;
		pthread_cond_broadcast(&w->changed);
		pthread_mutex_unlock(&w->lock);
	}
	return NULL;
}

struct writer *
writer_start(struct state *s)
{
	struct writer *w = calloc(1, sizeof(*w));
	pthread_t thread;

	if (w == NULL)
		return NULL;
	w->state = s;
	w->db.site = &s->site;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	if (pthread_create(&thread, NULL, work, w) != 0)
		return NULL;
	pthread_detach(thread);
	return w;
}

void
writer_give(struct writer *w, char *frame, size_t size)
{
	pthread_mutex_lock(&w->lock);
	while (w->frame != NULL)
		pthread_cond_wait(&w->changed, &w->lock);
	w->frame = frame;
	w->size = size;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}
