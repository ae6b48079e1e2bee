/* Is the database there, is it the right one, and what time is it? Snapshots, and counts. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/random.h"
#include "queue/log/log_pipe.h"
#include "queued/mongo_state.h"

enum {
	AWAY_US = 1000000,
	CLOCK_MAX_MS = 1000,
	SYNC_EVERY_MS = 1000,
	SNAPSHOT_JITTER_MS = 5000, /* so that one machine of many writes it */
	SNAPSHOT_AGAIN_MS = 60000, /* after one that failed */
	PART_BYTES = 4 * 1024 * 1024,
};

/* ---- what the helper says */

static void
note_clock(struct mongo_log *m, const struct log_frame *f)
{
	m->clock_diff_ms = f->diff;
	m->clock_off = f->diff > CLOCK_MAX_MS || f->diff < -CLOCK_MAX_MS;
	if (m->clock_off)
		return;
	/* a wall clock that jumps is not believed before it was compared */
	m->wall_minus_boot_ms = f->wall - f->boot;
	m->clock_known = true;
}

bool
mongo_note_health(struct mongo_log *m, const struct log_frame *f)
{
	switch (f->kind) {
	case LOG_HEARD:
		if (f->boot > m->heard_us)
			m->heard_us = f->boot;
		return true;
	case LOG_CLOCK:
		note_clock(m, f);
		return true;
	case LOG_SEEN:
		if (f->n > m->seen)
			m->seen = f->n;
		return true;
	case LOG_FLOOR:
		m->floor = f->n;
		return true;
	case LOG_REPEATED:
		m->counts.repeats++;
		return true;
	case LOG_RECONNECTED:
		m->counts.reconnects++;
		return true;
	case LOG_BEHIND:
		m->behind = true;
		return true;
	default:
		return false;
	}
}

/* ---- fences */

const char *
mongo_fence(const struct commit_log *l)
{
	const struct mongo_log *m = mongo_of_const(l);

	if (m->behind)
		return "log-behind";
	if (m->clock_off)
		return "clock-off";
	if (!m->clock_known || clock_boot_us() - m->heard_us > AWAY_US)
		return "log-away";
	return "";
}

/* clang-format off */
static const struct {
	const char *fence, *event, *message, *meaning, *todo;
	enum log_level level;
} fences[] = {
	{ "", "log_well", NULL, NULL, NULL, LOG_LEVEL_INFO },
	{ "log-away", "log_away", "the log has not been heard of for a second",
	    "nothing is decided and nobody is charged until MongoDB answers again",
	    "see to MongoDB; the rest happens by itself", LOG_LEVEL_WARN },
	{ "clock-off", "clock_off", "this machine's clock and the database's differ",
	    "this machine decides nothing, other machines go on; nobody is charged here",
	    "set the clock: timedatectl, chronyc tracking; the rest happens by itself",
	    LOG_LEVEL_ERROR },
	{ "log-behind", "log_behind", "the database is older than this machine's memory",
	    "an older copy of MongoDB was put back; nobody is charged",
	    "put the newest copy back, or see the operations guide: roompayctl restore",
	    LOG_LEVEL_ERROR },
};
/* clang-format on */
enum { N_FENCES = sizeof(fences) / sizeof(fences[0]) };

static int
find_fence(const char *word)
{
	int i = 0;

	while (i < N_FENCES - 1 && strcmp(fences[i].fence, word) != 0)
		i++;
	return i;
}

const char *
mongo_away(const struct commit_log *l)
{
	return fences[find_fence(mongo_fence(l))].message;
}

static void
tell_fence(struct mongo_log *m)
{
	const char *word = mongo_fence(&m->log);
	int i;

	if (strcmp(word, m->told) == 0)
		return;
	i = find_fence(word);
	m->told = fences[i].fence;
	if (i == 0)
		log_event(LOG_LEVEL_INFO, fences[i].event, KV_INT("number", m->n));
	else
		log_event(fences[i].level, fences[i].event, KV_INT("number", m->n),
		    KV_INT("clock_ms", m->clock_diff_ms), KV_STR("meaning", fences[i].meaning),
		    KV_STR("todo", fences[i].todo));
}

/* ---- time */

struct now
mongo_time(const struct commit_log *l, struct now now)
{
	int64_t ms = now.boot_ms + mongo_of_const(l)->wall_minus_boot_ms;

	return (struct now){ .boot_ms = ms, .wall_ms = ms };
}

/* ---- snapshots */

struct sending {
	int fd;
	struct buf part;
	bool failed;
};

static void
send_frame(struct sending *s, const struct log_frame *f)
{
	struct buf out = BUF_INIT;

	log_frame_format(f, &out);
	if (out.bad || !log_pipe_write(s->fd, out.data, out.len))
		s->failed = true;
	buf_clear(&out);
}

static void
send_part(struct sending *s)
{
	struct log_frame f = { .kind = LOG_SNAP_PART,
		.records = buf_str(&s->part),
		.records_len = s->part.len };

	if (s->part.len > 0)
		send_frame(s, &f);
	s->failed = s->failed || s->part.bad;
	buf_reset(&s->part);
}

static bool
add_record(void *ctx, const void *record, size_t len)
{
	struct sending *s = ctx;

	log_records_add(&s->part, record, len);
	if (s->part.len > PART_BYTES)
		send_part(s);
	return !s->failed;
}

static void
log_failure(const char *error, size_t len)
{
	char why[160];

	snprintf(why, sizeof(why), "%.*s", (int)len, error);
	log_event(LOG_LEVEL_ERROR, "snapshot_failed", KV_STR("error", why),
	    KV_STR("meaning", "nothing is lost; the log grows until a snapshot succeeds"),
	    KV_STR("todo", "see the error; a machine tries again every minute"));
}

/* The child has a copy of the table as it is now, and the daemon goes on. */
static void
snapshot_child(struct mongo_log *m)
{
	struct sending s = { .fd = m->helper.snap_fd };
	struct log_frame f = { .kind = LOG_SNAP_BEGIN, .n = m->n, .nonce = m->nonce };
	char *answer;
	size_t size;
	bool ok;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* after a power failure the log of orders is mended from the records that go */
	if (!order_log_sync(m->orders, NULL))
		_exit(1);
	send_frame(&s, &f);
	if (!hold_table_snapshot(m->table, add_record, &s))
		_exit(1);
	send_part(&s);
	send_frame(&s, &(struct log_frame){ .kind = LOG_SNAP_END });
	answer = s.failed ? NULL : log_pipe_read(s.fd, &size);
	ok = answer != NULL && log_frame_parse(answer, size, &f) && f.kind == LOG_SNAP_DONE;
	if (answer != NULL && !ok && f.kind == LOG_SNAP_FAILED)
		log_failure(f.text, f.text_len);
	_exit(ok ? 0 : 1);
}

static void
start_snapshot(struct mongo_log *m, struct now now)
{
	sigset_t all, old;
	uint16_t r = 0;

	if (m->orders == NULL || m->child != 0 || m->n < m->floor + m->snapshot_every)
		return;
	if (m->snapshot_at_ms == 0 && random_fill(&r, sizeof(r), NULL))
		m->snapshot_at_ms = now.boot_ms + r % SNAPSHOT_JITTER_MS;
	if (now.boot_ms < m->snapshot_at_ms || mongo_fence(&m->log)[0] != '\0')
		return;
	m->snapshot_at_ms = now.boot_ms + SNAPSHOT_AGAIN_MS;
	sigfillset(&all); /* the child must not write into the loop's signal pipe */
	sigprocmask(SIG_SETMASK, &all, &old);
	m->snapshot_n = m->n;
	m->child = fork();
	if (m->child == 0)
		snapshot_child(m);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (m->child > 0)
		return;
	m->child = 0;
	log_failure(strerror(errno), strlen(strerror(errno)));
}

static void
end_snapshot(struct mongo_log *m)
{
	int status;

	if (m->child == 0 || waitpid(m->child, &status, WNOHANG) != m->child)
		return;
	m->child = 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return; /* the child has logged why */
	if (m->snapshot_n > m->floor)
		m->floor = m->snapshot_n;
	m->snapshot_at_ms = 0;
	log_event(LOG_LEVEL_INFO, "snapshot_done", KV_INT("number", m->snapshot_n));
}

/* ---- from time to time */

bool
mongo_tend(struct commit_log *l, struct now now, int64_t *next_boot_ms, struct error *err)
{
	struct mongo_log *m = mongo_of(l);

	(void)err;
	tell_fence(m);
	if (now.boot_ms >= m->next_sync_ms) {
		if (!log_mark_sync(&m->mark))
			log_event(LOG_LEVEL_ERROR, "log_mark_not_written",
			    KV_STR("meaning",
				"payments go on; after a restart an older database "
				"might not be noticed"),
			    KV_STR("todo", "free disk space in [queue] dir"));
		m->next_sync_ms = now.boot_ms + SYNC_EVERY_MS;
	}
	end_snapshot(m);
	start_snapshot(m, now);
	*next_boot_ms = m->next_sync_ms;
	return true;
}

void
mongo_add_counts(const struct commit_log *l, struct buf *counts)
{
	const struct mongo_log *m = mongo_of_const(l);
	const struct {
		const char *name;
		int64_t n;
	} all[] = {
		{ "log_number", (int64_t)m->n },
		{ "log_behind", (int64_t)(m->seen - m->n) },
		{ "log_heard_ms", (clock_boot_us() - m->heard_us) / 1000 },
		{ "log_clock_ms", m->clock_diff_ms < 0 ? -m->clock_diff_ms : m->clock_diff_ms },
		{ "log_appends", (int64_t)m->counts.appends },
		{ "log_append_us", (int64_t)m->counts.append_us },
		{ "log_records", (int64_t)m->counts.records },
		{ "log_lost", (int64_t)m->counts.lost },
		{ "log_repeats", (int64_t)m->counts.repeats },
		{ "log_followed", (int64_t)m->counts.followed },
		{ "log_barriers", (int64_t)m->counts.barriers },
		{ "log_reconnects", (int64_t)m->counts.reconnects },
		{ "log_snapshot", (int64_t)m->floor },
		{ "members", log_turn_members(&m->turn, clock_boot_us()) },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		buf_printf(counts, ",%s:%" PRId64, all[i].name, all[i].n);
}
