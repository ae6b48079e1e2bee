#include "config.h"

#include "queuelog/keeper.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "queue/log/log_pipe.h"

/*
 * A snapshot is parts and a head. The head is written last, by number, so it is valid or not there:
 * { _id, n, nonce, parts, writer, at }. `at` is the cluster's time when the head was there for
 * certain; it comes with a second write. Parts carry their writer's number, so that two machines
 * may write the same snapshot.
 */
enum {
	TRIES = 5,
	DELETE_EVERY_S = 60,
	DELETE_AT_ONCE = 1000, /* numbers in one command */
};

struct keeper {
	struct state *state;
	struct db db;
	int fd;
	int64_t next_delete_ms, delete_every_ms;
	/* the snapshot that is being written */
	uint64_t n, nonce, writer;
	int64_t parts, bytes;
	bool failed;
	struct error err;
};

static void
part_id(const struct db_site *site, uint64_t n, uint64_t writer, int64_t part,
    char out[DB_ID_CAP + 40])
{
	char head[DB_ID_CAP];

	db_id(site, n, head);
	snprintf(out, DB_ID_CAP + 40, "%s:%016" PRIx64 ":%06" PRId64, head, writer, part);
}

/* ---- writing */

/* Until it is known that it is there. */
static bool
insert(struct keeper *k, const char *collection, const bson_t *doc)
{
	for (int i = 0; i < TRIES; i++) {
		enum db_end end = DB_UNKNOWN;
		bson_t reply;

		if (log_verify(k->state, &k->db, &k->err)) {
			end = db_run(&k->db, log_insert(collection, doc), &reply, &k->err);
			bson_destroy(&reply);
		}
		if (end == DB_DONE || (end == DB_DUPLICATE && i > 0))
			return true;
		if (end != DB_UNKNOWN)
			return false;
		usleep(200000);
	}
	return false;
}

static void
begin_snapshot(struct keeper *k, const struct log_frame *f)
{
	k->n = f->n;
	k->nonce = f->nonce;
	k->parts = k->bytes = 0;
	k->failed = !random_fill(&k->writer, sizeof(k->writer), &k->err);
}

static void
write_part(struct keeper *k, const struct log_frame *f)
{
	char id[DB_ID_CAP + 40];
	bson_t *doc;

	if (k->failed)
		return;
	part_id(&k->state->site, k->n, k->writer, k->parts, id);
	doc = BCON_NEW("_id", BCON_UTF8(id), "records",
	    BCON_BIN(BSON_SUBTYPE_BINARY, (const uint8_t *)f->records, (uint32_t)f->records_len));
	k->failed = !insert(k, LOG_PARTS, doc);
	k->parts++;
	k->bytes += (int64_t)f->records_len;
	bson_destroy(doc);
}

/* When the head was there for certain. Without it the snapshot is valid all the same, but deletes
 * nothing. */
static void
write_time(struct keeper *k, const char *id)
{
	uint64_t at = k->db.optime;
	bson_t *command = BCON_NEW("update", BCON_UTF8(LOG_SNAPSHOTS), "updates", "[", "{", "q",
	    "{", "_id", BCON_UTF8(id), "}", "u", "{", "$set", "{", "at",
	    BCON_TIMESTAMP((uint32_t)(at >> 32), (uint32_t)at), "}", "}", "}", "]");
	bson_t reply;
	struct error err;

	db_run(&k->db, command, &reply, &err);
	bson_destroy(&reply);
}

static void
answer(struct keeper *k, const struct log_frame *f)
{
	struct buf out = BUF_INIT;

	log_frame_format(f, &out);
	if (!out.bad)
		log_pipe_write(k->fd, out.data, out.len);
	buf_clear(&out);
}

static void
end_snapshot(struct keeper *k)
{
	struct log_frame f = { .kind = LOG_SNAP_DONE, .n = (uint64_t)k->bytes };
	struct floor floor;
	char id[DB_ID_CAP];
	bson_t *doc;

	db_id(&k->state->site, k->n, id);
	doc = BCON_NEW("_id", BCON_UTF8(id), "n", BCON_INT64((int64_t)k->n), "nonce",
	    BCON_INT64((int64_t)k->nonce), "parts", BCON_INT64(k->parts), "writer",
	    BCON_INT64((int64_t)k->writer), "bytes", BCON_INT64(k->bytes), "host",
	    BCON_UTF8(k->state->host));
	k->failed = k->failed || !insert(k, LOG_SNAPSHOTS, doc);
	bson_destroy(doc);
	if (k->failed) {
		f.kind = LOG_SNAP_FAILED;
		f.text = k->err.msg;
		f.text_len = strlen(f.text);
	} else {
		write_time(k, id);
		log_look_at_floor(k->state, &k->db, &floor, &k->err);
	}
	answer(k, &f);
}

/* ---- deleting */

struct heads {		     /* newest first */
	uint64_t old_enough; /* the newest number that may go with all below it; 0: none */
	uint64_t now_s, keep_s;
};

static bool
take_head(void *ctx, const bson_t *doc)
{
	struct heads *h = ctx;
	uint32_t at_s, counter;
	bson_iter_t it, n;

	if (!bson_iter_init_find(&it, doc, "at") || !BSON_ITER_HOLDS_TIMESTAMP(&it) ||
	    !bson_iter_init_find(&n, doc, "n"))
		return true;
	bson_iter_timestamp(&it, &at_s, &counter);
	if (at_s + h->keep_s >= h->now_s)
		return true;
	h->old_enough = (uint64_t)bson_iter_as_int64(&n);
	return false;
}

static bool
find_old(struct keeper *k, struct heads *h)
{
	bson_t *command = log_find_above(k->state, LOG_SNAPSHOTS, 0, -1, 100), reply;
	bool ok = db_run(&k->db, command, &reply, &k->err) == DB_DONE;

	h->keep_s = (uint64_t)k->state->keep_s;
	h->now_s = k->db.optime >> 32;
	if (ok)
		db_each(&reply, take_head, h);
	bson_destroy(&reply);
	return ok && h->old_enough > 0;
}

/* Everything of this log from `from` to `to`, both included. *n: how many there were. */
static bool
delete_range(struct keeper *k, const char *collection, const char *from, const char *to, int64_t *n)
{
	bson_t *command = BCON_NEW("delete", BCON_UTF8(collection), "deletes", "[", "{", "q", "{",
	    "_id", "{", "$gte", BCON_UTF8(from), "$lte", BCON_UTF8(to), "}", "}", "limit",
	    BCON_INT32(0), "}", "]");
	bson_iter_t it;
	bson_t reply;
	bool ok = db_run(&k->db, command, &reply, &k->err) == DB_DONE;

	*n = ok && bson_iter_init_find(&it, &reply, "n") ? bson_iter_as_int64(&it) : 0;
	bson_destroy(&reply);
	return ok;
}

/* Records in order, so that what is left has no gap; then older snapshots, heads first. */
static void
log_delete(struct keeper *k)
{
	struct heads h = { 0 };
	char from[DB_ID_CAP], to[DB_ID_CAP];
	uint64_t first;
	int64_t n, total = 0;

	if (!log_verify(k->state, &k->db, &k->err) || !find_old(k, &h) ||
	    !log_find_number(k->state, &k->db, 0, 1, &first, &k->err) || first == 0)
		return;
	for (; first <= h.old_enough; first += DELETE_AT_ONCE) {
		uint64_t last = first + DELETE_AT_ONCE - 1;

		db_id(&k->state->site, first, from);
		db_id(&k->state->site, last < h.old_enough ? last : h.old_enough, to);
		if (!delete_range(k, LOG_RECORDS, from, to, &n))
			return;
		total += n;
	}
	db_id(&k->state->site, 0, from);
	db_id(&k->state->site, h.old_enough - 1, to);
	if (delete_range(k, LOG_SNAPSHOTS, from, to, &n)) {
		strcat(to, ":~");
		delete_range(k, LOG_PARTS, from, to, &n);
	}
	if (total > 0)
		log_event(LOG_LEVEL_INFO, "log_compacted", KV_INT("documents", total),
		    KV_INT("up_to", h.old_enough));
}

/* ---- loading */

struct load {
	uint64_t n, nonce, writer;
	int64_t parts, got;
	struct state *state;
};

static bool
take_newest(void *ctx, const bson_t *doc)
{
	struct load *l = ctx;
	bson_iter_t it;

#define TAKE(name, member) \
	if (bson_iter_init_find(&it, doc, name)) \
	l->member = (__typeof__(l->member))bson_iter_as_int64(&it)
	TAKE("n", n);
	TAKE("nonce", nonce);
	TAKE("writer", writer);
	TAKE("parts", parts);
#undef TAKE
	return false;
}

static bool
find_newest(struct state *s, struct db *d, struct load *l, struct error *err)
{
	bson_t reply;
	bool ok = db_run(d, log_find_above(s, LOG_SNAPSHOTS, 0, -1, 1), &reply, err) == DB_DONE;

	if (ok)
		db_each(&reply, take_newest, l);
	bson_destroy(&reply);
	return ok;
}

static bool
give_part(void *ctx, const bson_t *doc)
{
	struct load *l = ctx;
	struct log_frame f = { .kind = LOG_PART };
	bson_subtype_t type;
	const uint8_t *data;
	bson_iter_t it;
	uint32_t len;

	if (!bson_iter_init_find(&it, doc, "records") || !BSON_ITER_HOLDS_BINARY(&it))
		return false;
	bson_iter_binary(&it, &type, &len, &data);
	f.records = (const char *)data;
	f.records_len = len;
	state_tell(l->state, &f);
	l->got++;
	return true;
}

bool
keeper_load(struct state *s, struct db *d, struct error *err)
{
	struct load l = { .state = s };

	if (!find_newest(s, d, &l, err))
		return false;
	/* without it, a snapshot that another machine writes during the join looks as if this
	 * machine had stood still */
	state_note_floor(s, &(struct floor){ .n = l.n, .nonce = l.nonce, .optime = d->optime });
	for (int64_t i = 0; l.n > 0 && i < l.parts; i++) {
		char id[DB_ID_CAP + 40];
		bson_t *filter, reply;
		bool ok;

		part_id(&s->site, l.n, l.writer, i, id);
		filter = BCON_NEW("_id", BCON_UTF8(id));
		ok = db_run(d, db_find(LOG_PARTS, filter, "majority"), &reply, err) == DB_DONE;
		bson_destroy(filter);
		if (ok)
			db_each(&reply, give_part, &l);
		bson_destroy(&reply);
		if (!ok || l.got != i + 1)
			return ok &&
			    error_set(err, ERR_INTERNAL, "part %lld of snapshot %llu is missing",
				(long long)i, (unsigned long long)l.n);
	}
	state_tell(s, &(struct log_frame){ .kind = LOG_LOADED, .n = l.n, .nonce = l.nonce });
	return true;
}

/* ---- the thread */

static void
take_frame(struct keeper *k)
{
	struct log_frame f;
	size_t size;
	char *frame = log_pipe_read(k->fd, &size);

	if (frame == NULL || !log_frame_parse(frame, size, &f))
		_exit(0);
	if (f.kind == LOG_SNAP_BEGIN)
		begin_snapshot(k, &f);
	else if (f.kind == LOG_SNAP_PART)
		write_part(k, &f);
	else if (f.kind == LOG_SNAP_END)
		end_snapshot(k);
	free(frame);
}

/* Not all machines at once. */
static int64_t
jitter(int64_t ms)
{
	uint32_t r = 0;

	return random_fill(&r, sizeof(r), NULL) ? ms / 2 + (int64_t)(r % (uint32_t)ms) : ms;
}

static void *
work(void *ctx)
{
	struct keeper *k = ctx;
	struct pollfd p = { .fd = k->fd, .events = POLLIN };

	for (;;) {
		int64_t left = k->next_delete_ms - clock_boot_ms();

		if (poll(&p, 1, left < 0 ? 0 : (int)left) > 0) {
			take_frame(k);
		} else if (clock_boot_ms() >= k->next_delete_ms) {
			log_delete(k);
			k->next_delete_ms = clock_boot_ms() + jitter(k->delete_every_ms);
		}
	}
	return NULL;
}

bool
keeper_start(struct state *s, int fd)
{
	struct keeper *k = calloc(1, sizeof(*k));
	pthread_t thread;

	if (k == NULL)
		return false;
	k->state = s;
	k->db.site = &s->site;
	k->fd = fd;
	k->delete_every_ms = DELETE_EVERY_S * 1000;
	if (s->keep_s * 100 < k->delete_every_ms)
		k->delete_every_ms = s->keep_s * 100;
	k->next_delete_ms = clock_boot_ms() + jitter(k->delete_every_ms);
	if (pthread_create(&thread, NULL, work, k) != 0) {
		free(k);
		return false;
	}
	pthread_detach(thread);
	return true;
}
