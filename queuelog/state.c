#include "config.h"

#include "queuelog/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { READ_AT_ONCE = 200 };
enum { FRESH_PARTS = 6 }; /* a look at the snapshot counts for a sixth of keep_s */

void
state_init(struct state *s, int fd)
{
	pthread_condattr_t attr;

	memset(s, 0, sizeof(*s));
	s->fd = fd;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &attr);
	pthread_condattr_destroy(&attr);
	gethostname(s->host, sizeof(s->host) - 1);
}

/* ---- to the daemon */

static void
write_all(int fd, const struct buf *b)
{
	size_t done = 0;

	if (b->bad)
		_exit(1);
	while (done < b->len) {
		ssize_t n = write(fd, b->data + done, b->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(0); /* the daemon is gone */
		done += (size_t)n;
	}
}

static void
tell_locked(struct state *s, const struct log_frame *f)
{
	struct buf out = BUF_INIT;

	log_frame_format(f, &out);
	write_all(s->fd, &out);
	buf_clear(&out);
}

void
state_tell(struct state *s, const struct log_frame *f)
{
	pthread_mutex_lock(&s->lock);
	tell_locked(s, f);
	pthread_mutex_unlock(&s->lock);
}

void
state_tell_text(struct state *s, enum log_frame_kind kind, uint64_t n, const char *text)
{
	state_tell(s,
	    &(struct log_frame){ .kind = kind, .n = n, .text = text, .text_len = strlen(text) });
}

/* Caller has the lock. */
static void
advance(struct state *s, uint64_t n, uint64_t nonce)
{
	s->n = n;
	s->nonce = nonce;
	if (n >= s->mark_n) {
		s->mark_n = n;
		s->mark_nonce = nonce;
	}
	pthread_cond_broadcast(&s->changed);
}

uint64_t
state_looks(struct state *s)
{
	uint64_t looks;

	pthread_mutex_lock(&s->lock);
	looks = s->looks;
	pthread_mutex_unlock(&s->lock);
	return looks;
}

void
state_begin_look(struct state *s, uint64_t *mark_n, uint64_t *mark_nonce)
{
	pthread_mutex_lock(&s->lock);
	s->looks++;
	*mark_n = s->mark_n;
	*mark_nonce = s->mark_nonce;
	pthread_mutex_unlock(&s->lock);
}

bool
state_deliver(struct state *s, const struct log_frame *record, uint64_t looks)
{
	bool is_next;

	pthread_mutex_lock(&s->lock);
	is_next = record->n == s->n + 1 && !s->stopped && looks == s->looks;
	if (is_next) {
		tell_locked(s, record);
		advance(s, record->n, record->nonce);
		log_turn_note(&s->turn, record->by, clock_boot_us());
	}
	pthread_mutex_unlock(&s->lock);
	return is_next;
}

bool
state_ack(struct state *s, uint64_t n, uint64_t nonce, int64_t took_us, uint64_t looks)
{
	bool counts;

	pthread_mutex_lock(&s->lock);
	log_turn_took(&s->turn, took_us);
	counts = looks == s->looks || n <= s->n;
	if (counts && n == s->n + 1 && !s->stopped) {
		tell_locked(s, &(struct log_frame){ .kind = LOG_ACK, .n = n, .nonce = nonce });
		advance(s, n, nonce);
		log_turn_note(&s->turn, s->turn.me, clock_boot_us());
	}
	pthread_mutex_unlock(&s->lock);
	return counts;
}

void
state_begin(struct state *s, uint64_t n, uint64_t nonce)
{
	pthread_mutex_lock(&s->lock);
	advance(s, n, nonce);
	s->follows = true;
	pthread_mutex_unlock(&s->lock);
}

void
state_note_floor(struct state *s, const struct floor *look)
{
	pthread_mutex_lock(&s->lock);
	if (look->optime > s->floor.optime)
		s->floor = *look;
	pthread_mutex_unlock(&s->lock);
}

uint64_t
state_last(struct state *s)
{
	uint64_t n;

	pthread_mutex_lock(&s->lock);
	n = s->n;
	pthread_mutex_unlock(&s->lock);
	return n;
}

bool
state_wait_for(struct state *s, uint64_t n, int64_t wait_us)
{
	struct timespec until;
	bool there;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)(wait_us * 1000);
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&s->lock);
	while (
	    s->n < n && !s->stopped && pthread_cond_timedwait(&s->changed, &s->lock, &until) == 0)
		;
	there = s->n >= n;
	pthread_mutex_unlock(&s->lock);
	return there;
}

int64_t
state_rest_us(struct state *s)
{
	int64_t now_us = clock_boot_us(), until_us;

	pthread_mutex_lock(&s->lock);
	until_us = log_turn_rest(&s->turn, now_us);
	pthread_mutex_unlock(&s->lock);
	return until_us > now_us ? until_us - now_us : 0;
}

bool
state_is_stopped(struct state *s)
{
	bool stopped;

	pthread_mutex_lock(&s->lock);
	stopped = s->stopped;
	pthread_mutex_unlock(&s->lock);
	return stopped;
}

void
state_stop(struct state *s, enum log_frame_kind kind, const char *text)
{
	struct log_frame f = { .kind = kind, .text = text, .text_len = strlen(text) };

	pthread_mutex_lock(&s->lock);
	if (!s->stopped)
		tell_locked(s, &f);
	s->stopped = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* ---- the newest snapshot */

static bool
get_number(const bson_t *doc, const char *name, uint64_t *out)
{
	bson_iter_t it;

	if (!bson_iter_init_find(&it, doc, name) || !BSON_ITER_HOLDS_INT64(&it))
		return false;
	*out = (uint64_t)bson_iter_int64(&it);
	return true;
}

static bool
take_floor(void *ctx, const bson_t *doc)
{
	struct floor *f = ctx;

	if (!get_number(doc, "n", &f->n) || !get_number(doc, "nonce", &f->nonce))
		f->n = 0;
	return false;
}

bson_t *
log_find_above(const struct state *s, const char *collection, uint64_t n, int order, int limit)
{
	char from[DB_ID_CAP], to[DB_ID_CAP];
	bson_t *filter, *sort, *command;

	db_id(&s->site, n, from);
	db_id(&s->site, UINT64_C(9999999999999999), to);
	filter = BCON_NEW("_id", "{", "$gt", BCON_UTF8(from), "$lte", BCON_UTF8(to), "}");
	sort = BCON_NEW("_id", BCON_INT32(order));
	command = db_find(collection, filter, "majority");
	BSON_APPEND_DOCUMENT(command, "sort", sort);
	BSON_APPEND_INT32(command, "limit", limit);
	bson_destroy(sort);
	bson_destroy(filter);
	return command;
}

enum db_end
log_look_at_floor(struct state *s, struct db *d, struct floor *out, struct error *err)
{
	enum db_end end;
	bson_t reply;

	*out = (struct floor){ 0 };
	end = db_run(d, log_find_above(s, LOG_SNAPSHOTS, 0, -1, 1), &reply, err);
	if (end == DB_DONE) {
		db_each(&reply, take_floor, out);
		out->optime = d->optime;
		pthread_mutex_lock(&s->lock);
		/* ahead of what we have read: then an older look counts */
		if (out->n <= s->n && out->optime > s->floor.optime)
			s->floor = *out;
		if (out->n > s->newest) {
			s->newest = out->n;
			tell_locked(s, &(struct log_frame){ .kind = LOG_FLOOR, .n = out->n });
		}
		pthread_mutex_unlock(&s->lock);
	}
	bson_destroy(&reply);
	return end;
}

/* ---- VERIFY */

static bool
take_nonce(void *ctx, const bson_t *doc)
{
	get_number(doc, "nonce", ctx);
	return false;
}

/* The nonce of record n; 0: it is not there. Linearizable: a new primary may not show yet what a
 * majority has. */
static enum db_end
look_up_nonce(struct state *s, struct db *d, uint64_t n, uint64_t *nonce, struct error *err)
{
	char id[DB_ID_CAP];
	bson_t *filter, *command, reply;
	enum db_end end;

	db_id(&s->site, n, id);
	filter = BCON_NEW("_id", BCON_UTF8(id));
	command = db_find(LOG_RECORDS, filter, "linearizable");
	BSON_APPEND_INT64(command, "maxTimeMS", 2000);
	bson_destroy(filter);
	*nonce = 0;
	end = db_run(d, command, &reply, err);
	if (end == DB_DONE)
		db_each(&reply, take_nonce, nonce);
	bson_destroy(&reply);
	return end;
}

/* Below the newest snapshot a number proves nothing: it may be deleted, or hold what a machine that
 * stood still has put there. */
static bool
is_missing(uint64_t n, uint64_t nonce, uint64_t there, const struct floor *floor)
{
	return (n > floor->n && there != nonce) ||
	    (n != 0 && n == floor->n && floor->nonce != nonce);
}

/* The first machine that knows tells all others, so that none of them goes on with the older log.
 */
static void
write_fence(struct state *s, struct db *d, uint64_t n)
{
	bson_t *doc = BCON_NEW("_id", BCON_UTF8("queue_log_fence"), "queue",
	    BCON_UTF8(s->site.queue), "n", BCON_INT64((int64_t)n), "host", BCON_UTF8(s->host), "at",
	    BCON_DATE_TIME(clock_wall_ms()));
	struct error err;
	bson_t reply;

	db_run(d, log_insert("meta", doc), &reply, &err);
	bson_destroy(&reply);
	bson_destroy(doc);
}

struct site_check {
	const struct state *state;
	bool is_another, is_fenced;
};

static bool
take_meta(void *ctx, const bson_t *doc)
{
	struct site_check *c = ctx;
	bson_iter_t id, queue;
	bool is_ours;

	if (!bson_iter_init_find(&id, doc, "_id") || !BSON_ITER_HOLDS_UTF8(&id) ||
	    !bson_iter_init_find(&queue, doc, "queue") || !BSON_ITER_HOLDS_UTF8(&queue))
		return true;
	is_ours = strcmp(bson_iter_utf8(&queue, NULL), c->state->site.queue) == 0;
	if (strcmp(bson_iter_utf8(&id, NULL), "queue_log") == 0)
		c->is_another = !is_ours;
	else
		c->is_fenced = is_ours;
	return true;
}

bool
log_check_site(struct state *s, struct db *d, const char *level, struct error *err)
{
	struct site_check c = { .state = s };
	bson_t *filter = BCON_NEW("_id", "{", "$in", "[", BCON_UTF8("queue_log"),
	    BCON_UTF8("queue_log_fence"), "]", "}");
	bson_t *command = db_find("meta", filter, level), reply;
	bool ok = db_run(d, command, &reply, err) == DB_DONE;

	bson_destroy(filter);
	if (ok)
		db_each(&reply, take_meta, &c);
	bson_destroy(&reply);
	if (ok && c.is_another)
		state_stop(s, LOG_REFUSED, "the site has another log now");
	else if (ok && c.is_fenced)
		state_stop(s, LOG_BEHIND, "another machine has read more than the log has");
	else
		return ok;
	return error_set(err, ERR_CONFLICT, "not this site's log any more");
}

bool
log_verify(struct state *s, struct db *d, struct error *err)
{
	uint64_t n, nonce, there;
	struct floor floor;

	if (state_is_stopped(s))
		return error_set(err, ERR_UNAVAILABLE, "stopped");
	if (d->client != NULL && d->verified)
		return true;
	if (d->client == NULL && !db_connect(d, err))
		return false;
	state_begin_look(s, &n, &nonce);
	there = 0;
	if ((n > 0 && look_up_nonce(s, d, n, &there, err) != DB_DONE) ||
	    log_look_at_floor(s, d, &floor, err) != DB_DONE)
		return false;
	if (n > 0 && is_missing(n, nonce, there, &floor)) {
		write_fence(s, d, n);
		state_stop(s, LOG_BEHIND,
		    "the log in the database lacks what this machine has read");
		return error_set(err, ERR_CONFLICT, "log-behind");
	}
	if (!log_check_site(s, d, "majority", err))
		return false;
	d->verified = true;
	return true;
}

/* ---- CLUSTER_TIME */

bool
log_is_genuine(struct state *s, struct db *d, uint64_t n, struct error *err)
{
	uint64_t now_s = d->optime >> 32, looked_s;
	struct floor floor;

	pthread_mutex_lock(&s->lock);
	looked_s = s->floor.optime >> 32;
	pthread_mutex_unlock(&s->lock);
	if (now_s <= looked_s + (uint64_t)(s->keep_s / FRESH_PARTS))
		return true;
	if (log_look_at_floor(s, d, &floor, err) != DB_DONE)
		return false;
	if (floor.n < n)
		return true;
	state_stop(s, LOG_HOLE,
	    "this machine stood still for so long that the log was compacted meanwhile");
	return error_set(err, ERR_CONFLICT, "a hole in the log");
}

/* ---- reading */

static bool
add_record(struct buf *records, bson_iter_t *it)
{
	bson_subtype_t type;
	const uint8_t *data;
	uint32_t len;

	if (!BSON_ITER_HOLDS_BINARY(it))
		return false;
	bson_iter_binary(it, &type, &len, &data);
	log_records_add(records, data, len);
	return true;
}

bool
log_deliver_document(struct state *s, const bson_t *doc, uint64_t looks)
{
	struct log_frame f = { .kind = LOG_RECORD };
	struct buf records = BUF_INIT;
	bson_iter_t it, each;
	bool ok = get_number(doc, "n", &f.n) && get_number(doc, "nonce", &f.nonce) &&
	    get_number(doc, "prev", &f.prev) && get_number(doc, "by", &f.by) &&
	    bson_iter_init_find(&it, doc, "records") && bson_iter_recurse(&it, &each);

	if (ok && f.n <= state_last(s))
		return true;
	while (ok && bson_iter_next(&each))
		ok = add_record(&records, &each);
	f.records = buf_str(&records);
	f.records_len = records.len;
	/* a document that is not one of ours is left to the daemon, which names its number */
	ok = state_deliver(s, &f, looks) || f.n <= state_last(s);
	buf_clear(&records);
	return ok;
}

struct reading {
	struct state *state;
	struct db *db;
	struct error *err;
	uint64_t looks;
	int64_t n;
	bool failed;
};

static bool
take_document(void *ctx, const bson_t *doc)
{
	struct reading *r = ctx;
	uint64_t n = 0;

	r->n++;
	get_number(doc, "n", &n);
	if (!log_is_genuine(r->state, r->db, n, r->err)) {
		r->failed = true;
		return false;
	}
	if (!log_deliver_document(r->state, doc, r->looks)) {
		r->failed = !error_set(r->err, ERR_UNAVAILABLE, "number %llu must be read again",
		    (unsigned long long)n);
		return false;
	}
	return true;
}

static bool
take_number(void *ctx, const bson_t *doc)
{
	get_number(doc, "n", ctx);
	return false;
}

bool
log_find_number(const struct state *s, struct db *d, uint64_t n, int order, uint64_t *found,
    struct error *err)
{
	bson_t *command = log_find_above(s, LOG_RECORDS, n, order, 1);
	bson_t *only = BCON_NEW("n", BCON_INT32(1)), reply;
	bool ok;

	BSON_APPEND_DOCUMENT(command, "projection", only);
	bson_destroy(only);
	*found = 0;
	ok = db_run(d, command, &reply, err) == DB_DONE;
	if (ok)
		db_each(&reply, take_number, found);
	bson_destroy(&reply);
	return ok;
}

/* How far there is to go. */
static void
tell_last(struct state *s, struct db *d)
{
	struct log_frame f = { .kind = LOG_SEEN };
	struct error err;

	if (log_find_number(s, d, state_last(s), -1, &f.n, &err) && f.n > 0)
		state_tell(s, &f);
}

bool
log_read_next(struct state *s, struct db *d, bool *empty, struct error *err)
{
	struct reading r = { .state = s, .db = d, .err = err, .looks = state_looks(s) };
	bson_t *command = log_find_above(s, LOG_RECORDS, state_last(s), 1, READ_AT_ONCE);
	enum db_end end;
	bson_t reply;

	BSON_APPEND_INT32(command, "batchSize", READ_AT_ONCE);
	end = db_run(d, command, &reply, err);
	if (end == DB_DONE)
		db_each(&reply, take_document, &r);
	bson_destroy(&reply);
	if (r.n == READ_AT_ONCE && !r.failed)
		tell_last(s, d);
	*empty = r.n == 0;
	return end == DB_DONE && !r.failed;
}

bson_t *
log_insert(const char *collection, const bson_t *doc)
{
	bson_t *command = bson_new();
	bson_t docs, concern;

	BSON_APPEND_UTF8(command, "insert", collection);
	BSON_APPEND_ARRAY_BEGIN(command, "documents", &docs);
	BSON_APPEND_DOCUMENT(&docs, "0", doc);
	bson_append_array_end(command, &docs);
	BSON_APPEND_DOCUMENT_BEGIN(command, "writeConcern", &concern);
	BSON_APPEND_UTF8(&concern, "w", "majority");
	BSON_APPEND_BOOL(&concern, "j", true);
	BSON_APPEND_INT32(&concern, "wtimeout", 2500);
	bson_append_document_end(command, &concern);
	return command;
}
