/* Batches, and the records of other machines. */
#include "config.h"

#include "queued/mongo_log.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/random.h"
#include "queued/mongo_state.h"

/* ---- the batch */

static bool
stage(struct commit_log *l, const void *record, size_t len, struct error *err)
{
	struct mongo_log *m = mongo_of(l);

	assert(m->pending == MONGO_IDLE);
	log_records_add(&m->staged, record, len);
	m->n_staged++;
	return !m->staged.bad || error_set(err, ERR_INTERNAL, "out of memory");
}

static void
wake_at(struct mongo_log *m, int64_t us)
{
	struct itimerspec at = { 0 };

	at.it_value.tv_sec = (time_t)(us / 1000000);
	at.it_value.tv_nsec = (long)(us % 1000000) * 1000;
	timerfd_settime(m->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
	m->is_timed = true;
}

void
mongo_send_batch(struct mongo_log *m, const struct buf *records, uint64_t nonce)
{
	log_helper_send(&m->helper,
	    &(struct log_frame){
		.kind = LOG_APPEND,
		.n = m->n + 1,
		.nonce = nonce,
		.prev = m->nonce,
		.wall = clock_wall_ms(),
		.records = buf_str(records),
		.records_len = records->len,
	    });
}

static void
send_batch(struct mongo_log *m, int64_t now_us)
{
	m->pending = MONGO_SENT;
	m->sent_us = now_us;
	mongo_send_batch(m, &m->staged, m->pending_nonce);
}

static void
end_batch(struct mongo_log *m)
{
	m->pending = MONGO_IDLE;
	m->n_staged = 0;
	buf_reset(&m->staged);
}

/* A batch without records is a barrier. */
static enum commit_result
commit(struct commit_log *l, struct error *err)
{
	struct mongo_log *m = mongo_of(l);
	int64_t now_us = clock_boot_us(), send_us;

	assert(m->pending == MONGO_IDLE);
	if (m->n_staged == 0) {
		m->counts.barriers++;
		m->pending = MONGO_BARRIER;
		log_helper_send(&m->helper,
		    &(struct log_frame){ .kind = LOG_BARRIER, .n = m->n + 1 });
		return COMMIT_PENDING;
	}
	send_us = log_turn_when(&m->turn, now_us);
	if (send_us > now_us) {
		wake_at(m, send_us);
		return COMMIT_LATER;
	}
	do
		if (!random_fill(&m->pending_nonce, sizeof(m->pending_nonce), err))
			return COMMIT_BROKEN;
	while (m->pending_nonce == 0);
	send_batch(m, now_us);
	return COMMIT_PENDING;
}

/* ---- records */

bool
mongo_fits(const struct mongo_log *m, const struct log_frame *f, struct error *err)
{
	if (f->n == m->n + 1 && f->prev == m->nonce)
		return true;
	return error_set(err, ERR_INTERNAL,
	    "number %llu of the log does not follow number %llu: the log is damaged",
	    (unsigned long long)f->n, (unsigned long long)m->n);
}

void
mongo_advance(struct mongo_log *m, uint64_t n, uint64_t nonce, uint64_t by)
{
	m->n = n;
	m->nonce = nonce;
	if (n > m->seen)
		m->seen = n;
	log_mark_set(&m->mark, m->queue, n, nonce);
	log_turn_note(&m->turn, by, clock_boot_us());
}

bool
mongo_each_record(const struct log_frame *f, commit_follow *fn, void *ctx, struct error *err)
{
	const char *p = f->records;
	size_t left = f->records_len, len;
	const void *record;
	bool bad;

	while (log_records_next(&p, &left, &record, &len, &bad))
		if (!fn(ctx, record, len, err))
			return false;
	return !bad || error_set(err, ERR_INTERNAL, "a document of the log is malformed");
}

static enum commit_result
won(struct mongo_log *m)
{
	uint64_t took_us = (uint64_t)(clock_boot_us() - m->sent_us);

	m->counts.appends++;
	m->counts.records += m->n_staged;
	m->counts.append_us += took_us;
	log_turn_took(&m->turn, (int64_t)took_us);
	mongo_advance(m, m->n + 1, m->pending_nonce, m->turn.me);
	end_batch(m);
	return COMMIT_DONE;
}

static enum commit_result
take_record(struct mongo_log *m, const struct log_frame *f, commit_follow *follow, void *ctx,
    struct error *err)
{
	enum mongo_pending was = m->pending;

	if (!mongo_fits(m, f, err))
		return COMMIT_BROKEN;
	if (was == MONGO_SENT && f->nonce == m->pending_nonce)
		return won(m);
	if (!mongo_each_record(f, follow, ctx, err))
		return COMMIT_BROKEN;
	m->counts.followed++;
	mongo_advance(m, f->n, f->nonce, f->by);
	if (was == MONGO_IDLE && m->n_staged == 0)
		return COMMIT_PENDING;
	m->counts.lost += was == MONGO_SENT;
	end_batch(m);
	return COMMIT_LOST;
}

/* What a frame means for the batch. */
static enum commit_result
take_frame(struct mongo_log *m, const struct log_frame *f, commit_follow *follow, void *ctx,
    struct error *err)
{
	switch (f->kind) {
	case LOG_RECORD:
		return take_record(m, f, follow, ctx, err);
	case LOG_ACK:
		if (m->pending != MONGO_SENT || f->n != m->n + 1 || f->nonce != m->pending_nonce)
			break;
		return won(m);
	case LOG_CURRENT:
		if (m->pending != MONGO_BARRIER || f->n != m->n + 1)
			return COMMIT_PENDING; /* of an earlier one */
		end_batch(m);
		return COMMIT_DONE;
	case LOG_NO_ANSWER:
		if (m->pending != MONGO_BARRIER || f->n != m->n + 1)
			return COMMIT_PENDING;
		end_batch(m);
		error_set(err, ERR_UNAVAILABLE, "the log does not answer: %.*s", (int)f->text_len,
		    f->text);
		return COMMIT_FAILED;
	case LOG_HOLE:
	case LOG_REFUSED:
		error_set(err, ERR_INTERNAL, "%.*s", (int)f->text_len, f->text);
		return COMMIT_BROKEN;
	default:
		if (mongo_note_health(m, f))
			return COMMIT_PENDING;
		break;
	}
	error_set(err, ERR_INTERNAL, "the helper says %s out of turn", log_frame_name(f->kind));
	return COMMIT_BROKEN;
}

static void
read_timer(struct mongo_log *m)
{
	uint64_t times;

	if (m->is_timed && read(m->timer_fd, &times, sizeof(times)) > 0)
		m->is_timed = false;
}

static enum commit_result
poll(struct commit_log *l, commit_follow *follow, void *ctx, struct error *err)
{
	struct mongo_log *m = mongo_of(l);
	struct log_frame f;

	for (;;) {
		enum log_helper_news news = log_helper_next(&m->helper, &f);
		enum commit_result result;

		if (news == HELPER_NOTHING)
			break;
		if (news == HELPER_GONE) {
			error_set(err, ERR_INTERNAL, "roompay-queue-log has ended");
			return COMMIT_BROKEN;
		}
		result = take_frame(m, &f, follow, ctx, err);
		if (result != COMMIT_PENDING)
			return result;
	}
	read_timer(m);
	log_helper_flush(&m->helper);
	return COMMIT_PENDING;
}

/* ---- the rest of the interface */

/* Room is the database's business: an append that it refuses is not kept. */
static bool
has_room(struct commit_log *l, enum verb_promise promise, struct now now)
{
	(void)l;
	(void)promise;
	(void)now;
	return true;
}

static int
wake_fd(const struct commit_log *l)
{
	return mongo_of_const(l)->wake_fd;
}

static const char *
queue_id(const struct commit_log *l)
{
	return mongo_of_const(l)->queue;
}

static void
close_log(struct commit_log **l)
{
	struct mongo_log *m = mongo_of(*l);

	if (m == NULL)
		return;
	log_helper_stop(&m->helper);
	log_mark_close(&m->mark);
	if (m->wake_fd >= 0)
		close(m->wake_fd);
	if (m->timer_fd >= 0)
		close(m->timer_fd);
	buf_clear(&m->staged);
	free(m);
	*l = NULL;
}

static bool
make_wake_fd(struct mongo_log *m, struct error *err)
{
	struct epoll_event e = { .events = EPOLLIN };

	m->wake_fd = epoll_create1(EPOLL_CLOEXEC);
	m->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	return (m->wake_fd >= 0 && m->timer_fd >= 0 &&
		   epoll_ctl(m->wake_fd, EPOLL_CTL_ADD, m->helper.fd, &e) == 0 &&
		   epoll_ctl(m->wake_fd, EPOLL_CTL_ADD, m->timer_fd, &e) == 0) ||
	    error_sys(err, ERR_INTERNAL, "epoll");
}

bool
mongo_log_open(const struct conf *conf, const char *conf_path, int64_t quiet_ms,
    struct hold_table *table, struct commit_log **out, struct error *err)
{
	struct mongo_log *m = calloc(1, sizeof(*m));
	uint64_t me;

	*out = NULL;
	if (m == NULL)
		return error_set(err, ERR_INTERNAL, "out of memory");
	m->log = (struct commit_log){
		.may_lose = true,
		.stage = stage,
		.commit = commit,
		.poll = poll,
		.away = mongo_away,
		.wake_fd = wake_fd,
		.time = mongo_time,
		.has_room = has_room,
		.tend = mongo_tend,
		.queue_id = queue_id,
		.fence = mongo_fence,
		.add_counts = mongo_add_counts,
		.close = close_log,
	};
	m->table = table;
	m->wake_fd = m->timer_fd = -1;
	m->snapshot_every = (uint64_t)conf->log_snapshot_every;
	m->told = "";
	*out = &m->log;
	if (log_mark_open(&m->mark, conf->queue_dir, err) && random_fill(&me, sizeof(me), err) &&
	    log_helper_start(&m->helper, conf_path, err) && make_wake_fd(m, err)) {
		log_turn_init(&m->turn, me >> 1);
		if (mongo_join(m, quiet_ms, err))
			return true;
	}
	close_log(out);
	return false;
}

void
mongo_log_keep_orders(struct commit_log *l, struct order_log *orders)
{
	mongo_of(l)->orders = orders;
}
