#include "config.h"

#include "fake_log.h"

#include <assert.h>
#include <string.h>

static struct fake_log *
fake_of(struct commit_log *l)
{
	return (struct fake_log *)(void *)l;
}

static bool
stage(struct commit_log *l, const void *record, size_t len, struct error *err)
{
	struct fake_log *f = fake_of(l);

	(void)err;
	assert(!f->pending && len > 0);
	buf_add(&f->staged, &len, sizeof(len));
	buf_add(&f->staged, record, len);
	return true;
}

static void
append(struct fake_log *f)
{
	assert(f->shared->n < FAKE_BATCHES);
	f->shared->batch[f->shared->n++] = f->staged;
	f->staged = (struct buf)BUF_INIT;
}

/* Here it is decided who gets the place. Poll may tell it later. */
static enum commit_result
commit(struct commit_log *l, struct error *err)
{
	struct fake_log *f = fake_of(l);

	assert(!f->pending);
	if (f->waits && f->staged.len > 0)
		return COMMIT_LATER;
	f->commits++;
	f->barriers += f->staged.len == 0;
	if (f->broken) {
		error_set(err, ERR_INTERNAL, "broken on command");
		return COMMIT_BROKEN;
	}
	if (f->fails > 0) {
		f->fails--;
		buf_clear(&f->staged);
		error_set(err, ERR_UNAVAILABLE, "failed on command");
		return COMMIT_FAILED;
	}
	f->won = f->loses == 0 && f->shared->n == f->applied;
	f->loses -= f->loses > 0;
	f->has_records = f->staged.len > 0;
	if (f->won && f->has_records)
		append(f);
	buf_clear(&f->staged);
	f->pending = f->log.may_lose;
	if (!f->pending)
		f->applied = f->shared->n;
	return f->pending ? COMMIT_PENDING : COMMIT_DONE;
}

static bool
follow_batch(struct fake_log *f, commit_follow *follow, void *ctx, struct error *err)
{
	const struct buf *b = &f->shared->batch[f->applied];
	size_t len;

	for (size_t at = 0; at < b->len; at += len) {
		memcpy(&len, b->data + at, sizeof(len));
		at += sizeof(len);
		if (!follow(ctx, b->data + at, len, err))
			return false;
	}
	f->applied++;
	return true;
}

static enum commit_result
poll(struct commit_log *l, commit_follow *follow, void *ctx, struct error *err)
{
	struct fake_log *f = fake_of(l);
	bool was_pending = f->pending, waited = f->staged.len > 0;

	assert(!waited || f->waits);
	if (f->broken) {
		error_set(err, ERR_INTERNAL, "broken on command");
		return COMMIT_BROKEN;
	}
	if ((was_pending && f->delays) || (!was_pending && f->deaf) ||
	    (waited && f->applied == f->shared->n))
		return COMMIT_PENDING;
	if (was_pending && f->won) {
		f->pending = false;
		f->applied += f->has_records;
		return COMMIT_DONE;
	}
	while (f->applied < f->shared->n)
		if (!follow_batch(f, follow, ctx, err))
			return COMMIT_BROKEN;
	f->pending = false;
	buf_clear(&f->staged);
	return was_pending || waited ? COMMIT_LOST : COMMIT_PENDING;
}

static bool
has_room(struct commit_log *l, enum verb_promise promise, struct now now)
{
	(void)now;
	return !fake_of(l)->is_full || promise == PROMISE_NOTHING;
}

static const char *
away(const struct commit_log *l)
{
	return ((const struct fake_log *)(const void *)l)->is_away ? "the log is away" : NULL;
}

static bool
tend(struct commit_log *l, struct now now, int64_t *next_boot_ms, struct error *err)
{
	(void)l;
	(void)now;
	(void)err;
	*next_boot_ms = INT64_MAX;
	return true;
}

static const char *
queue_id(const struct commit_log *l)
{
	(void)l;
	return "66616b65000000000000000000000000";
}

static const char *
fence(const struct commit_log *l)
{
	return ((const struct fake_log *)(const void *)l)->is_full ? "no-room" : "";
}

static void
add_counts(const struct commit_log *l, struct buf *counts)
{
	buf_printf(counts, ",commits:%d", ((const struct fake_log *)(const void *)l)->commits);
}

void
fake_log_open(struct fake_log *f, struct shared_log *shared, bool may_lose)
{
	memset(f, 0, sizeof(*f));
	f->shared = shared;
	f->log = (struct commit_log){
		.may_lose = may_lose,
		.stage = stage,
		.commit = commit,
		.poll = may_lose ? poll : NULL,
		.has_room = has_room,
		.tend = tend,
		.away = away,
		.queue_id = queue_id,
		.fence = fence,
		.add_counts = add_counts,
	};
}

static struct now
ahead(const struct commit_log *l, struct now now)
{
	now.boot_ms += ((const struct fake_log *)(const void *)l)->ahead_ms;
	now.wall_ms = now.boot_ms;
	return now;
}

void
fake_log_has_clock(struct fake_log *f, int64_t ahead_ms)
{
	f->ahead_ms = ahead_ms;
	f->log.time = ahead;
}

void
fake_log_clear(struct fake_log *f)
{
	buf_clear(&f->staged);
}

void
shared_log_clear(struct shared_log *s)
{
	while (s->n > 0)
		buf_clear(&s->batch[--s->n]);
}
