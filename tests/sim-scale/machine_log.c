#include "config.h"

#include "machine_log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { AWAY_US = 1000000, LOOK_US = 200, STREAM_US = 200 };

static struct machine_log *
machine_of(const struct commit_log *l)
{
	return (struct machine_log *)(uintptr_t)l;
}

static bool
stage(struct commit_log *log, const void *record, size_t len, struct error *err)
{
	struct machine_log *l = machine_of(log);

	(void)err;
	assert(!l->pending && len > 0);
	buf_add(&l->staged, &len, sizeof(len));
	buf_add(&l->staged, record, len);
	l->staged_records++;
	return true;
}

/* What the database knows, and the shared table has. */
static uint64_t
limit(const struct machine_log *l, uint64_t end)
{
	uint64_t settled = mongo_settled(l->mongo, l->number);

	return l->own_table || end < settled ? end : settled;
}

static uint64_t
heard(const struct machine_log *l)
{
	return limit(l, mongo_heard(l->mongo, l->number, l->region, l->applied));
}

static void
settle(void *ctx)
{
	struct machine_log *l = ctx;

	l->is_known = true;
	l->wake(l->ctx);
}

/* The stream brings what has taken its number, or it is read. */
static void
after_taken(void *ctx)
{
	struct machine_log *l = ctx;

	if (heard(l) > l->applied) {
		l->op.end = heard(l);
		settle(l);
		return;
	}
	l->op.kind = MONGO_READ;
	l->op.number = l->applied + 1;
	mongo_submit(l->mongo, &l->op);
}

static void
answered(void *ctx)
{
	struct machine_log *l = ctx;

	switch (l->op.kind) {
	case MONGO_APPEND:
		l->is_won = l->op.is_ours;
		if (l->is_won)
			break;
		clockwork_at(l->time, clockwork_now_us(l->time) + STREAM_US, after_taken, l);
		return;
	case MONGO_READ:
		break;
	case MONGO_BARRIER:
		l->is_won = l->op.end == l->applied;
		break;
	}
	settle(l);
}

static void wait_for_turn(struct machine_log *l);

/* Something is staged. Is it our turn, or is there news? */
static void
look_again(void *ctx)
{
	struct machine_log *l = ctx;
	int64_t now_us = clockwork_now_us(l->time);

	l->looks = false;
	if (l->pending || l->staged_records == 0)
		return;
	if (now_us >= l->not_before_us || heard(l) > l->applied)
		l->wake(l->ctx);
	else
		wait_for_turn(l);
}

static void
wait_for_turn(struct machine_log *l)
{
	if (!l->looks)
		clockwork_at(l->time, clockwork_now_us(l->time) + LOOK_US, look_again, l);
	l->looks = true;
}

static enum commit_result
commit(struct commit_log *log, struct error *err)
{
	struct machine_log *l = machine_of(log);
	int64_t now_us = clockwork_now_us(l->time);

	(void)err;
	assert(!l->pending);
	l->not_before_us = l->staged_records > 0 ? log_turn_when(&l->turn, now_us) : now_us;
	if (now_us < l->not_before_us) {
		wait_for_turn(l);
		return COMMIT_LATER;
	}
	l->pending = true;
	l->is_known = l->is_won = false;
	buf_clear(&l->op.records);
	l->op.kind = l->staged_records > 0 ? MONGO_APPEND : MONGO_BARRIER;
	l->op.log = l->number;
	l->op.region = l->region;
	l->op.number = l->applied + 1;
	l->op.nonce = l->nonce++;
	l->op.records = l->staged;
	l->staged = (struct buf)BUF_INIT;
	l->counts.barriers += l->staged_records == 0;
	l->sent_us = now_us;
	mongo_submit(l->mongo, &l->op);
	return COMMIT_PENDING;
}

static bool
follow_number(struct machine_log *l, commit_follow *follow, void *ctx, struct error *err)
{
	const struct buf *b = mongo_records(l->mongo, l->number, l->applied + 1);
	size_t len;

	for (size_t at = 0; l->own_table && at < b->len; at += len) {
		memcpy(&len, b->data + at, sizeof(len));
		at += sizeof(len);
		if (!follow(ctx, b->data + at, len, err))
			return false;
	}
	l->applied++;
	log_turn_note(&l->turn, mongo_writer(l->mongo, l->number, l->applied) >> 32,
	    clockwork_now_us(l->time));
	return true;
}

static enum commit_result
end_batch(struct machine_log *l, bool won)
{
	int64_t now_us = clockwork_now_us(l->time);
	bool barrier = l->staged_records == 0;

	l->pending = false;
	if (won && !barrier) {
		mongo_settle(l->mongo, l->number, ++l->applied);
		log_turn_note(&l->turn, l->nonce >> 32, now_us);
		log_turn_took(&l->turn, now_us - l->sent_us);
		l->counts.won++;
		l->counts.records += (int64_t)l->staged_records;
	}
	if (!barrier) {
		l->counts.lost += !won;
		l->lost_in_a_row = won ? 0 : l->lost_in_a_row + 1;
		if (l->lost_in_a_row > l->counts.worst)
			l->counts.worst = l->lost_in_a_row;
	}
	l->staged_records = 0;
	buf_reset(&l->staged);
	return won ? COMMIT_DONE : COMMIT_LOST;
}

static enum commit_result
poll(struct commit_log *log, commit_follow *follow, void *ctx, struct error *err)
{
	struct machine_log *l = machine_of(log);
	bool waits = l->pending || l->staged_records > 0;
	uint64_t end;

	if (l->pending && !l->is_known)
		return COMMIT_PENDING;
	if (l->pending && (l->is_won || l->planted))
		return end_batch(l, true);
	end = heard(l);
	if (l->pending && limit(l, l->op.end) > end)
		end = limit(l, l->op.end); /* it has read further than the stream */
	if (l->applied >= end && !l->pending)
		return COMMIT_PENDING;
	while (l->applied < end)
		if (!follow_number(l, follow, ctx, err))
			return COMMIT_BROKEN;
	return waits ? end_batch(l, false) : COMMIT_PENDING;
}

static const char *
away(const struct commit_log *log)
{
	const struct machine_log *l = machine_of(log);

	return mongo_is_away(l->mongo, AWAY_US) ? "the database is away" : NULL;
}

static bool
has_room(struct commit_log *log, enum verb_promise promise, struct now now)
{
	(void)log;
	(void)promise;
	(void)now;
	return true;
}

static const char *
queue_id(const struct commit_log *log)
{
	(void)log;
	return "73696d756c6174656400000000000000";
}

static const char *
fence(const struct commit_log *log)
{
	(void)log;
	return "";
}

void
machine_log_open(struct machine_log *l, struct mongo *mongo, struct clockwork *time,
    struct dice *dice, int number, uint64_t id)
{
	memset(l, 0, sizeof(*l));
	l->log = (struct commit_log){
		.may_lose = true,
		.stage = stage,
		.commit = commit,
		.poll = poll,
		.away = away,
		.has_room = has_room,
		.queue_id = queue_id,
		.fence = fence,
	};
	l->mongo = mongo;
	l->time = time;
	l->dice = dice;
	l->number = number;
	l->nonce = id << 32;
	log_turn_init(&l->turn, id);
	l->op.done = answered;
	l->op.ctx = l;
}

bool
machine_log_is_behind(const struct machine_log *l)
{
	return !l->pending && heard(l) > l->applied;
}

void
machine_log_close(struct machine_log *l)
{
	buf_clear(&l->staged);
	buf_clear(&l->op.records);
}
